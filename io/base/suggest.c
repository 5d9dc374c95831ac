#include "base/suggest.h"

#include <limits.h>

#define WORD_MAX 32

_Static_assert(WORD_MAX <= SUGGEST_LENGTH_MAX, "words are compared whole");

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

unsigned suggest_distance(struct span a, struct span b)
{
    unsigned rows[3][SUGGEST_LENGTH_MAX + 1];
    if (a.len > SUGGEST_LENGTH_MAX || b.len > SUGGEST_LENGTH_MAX)
        return UINT_MAX;
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a.len; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3];
        const unsigned *swapped = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.len; j++) {
            bool differ = a.data[i - 1] != b.data[j - 1];
            row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + differ);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
                row[j] = least(row[j], swapped[j - 2] + 1, row[j]);
        }
    }
    return rows[a.len % 3][b.len];
}

bool suggest_is_near(struct span word, const char *known)
{
    char a[WORD_MAX], b[WORD_MAX];
    if (word.len > WORD_MAX)
        return false;
    size_t a_len = fold(word, a), b_len = fold(span_of(known), b);
    return suggest_distance(span_make(a, a_len), span_make(b, b_len)) <= (b_len >= 5 ? 2u : 1u);
}
