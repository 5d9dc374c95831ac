#include "config/suggest.h"

#include <string.h>

#define WORD_MAX 32

static size_t fold(struct span word, char *folded)
{
    size_t len = 0;
    for (size_t i = 0; i < word.len && len < WORD_MAX; i++) {
        char c = word.data[i];
        if (c == '-' || c == '_')
            continue;
        folded[len++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return len;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned lesser = a < b ? a : b;
    return lesser < c ? lesser : c;
}

/* Letters inserted, left out, changed, or swapped with the next (optimal string alignment). */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][WORD_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3];
        const unsigned *swapped = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], swapped[j - 2] + 1, row[j]);
        }
    }
    return rows[a_len % 3][b_len];
}

bool suggest_is_near(struct span word, const char *known)
{
    char a[WORD_MAX], b[WORD_MAX];
    if (word.len > WORD_MAX)
        return false;
    size_t a_len = fold(word, a), b_len = fold(span_of(known), b);
    return distance(a, a_len, b, b_len) <= (b_len >= 5 ? 2u : 1u);
}
