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

/* Levenshtein's distance. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned row[WORD_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

bool suggest_is_near(struct span word, const char *known)
{
    char a[WORD_MAX], b[WORD_MAX];
    if (word.len > WORD_MAX)
        return false;
    size_t a_len = fold(word, a), b_len = fold(span_of(known), b);
    return distance(a, a_len, b, b_len) <= (b_len >= 5 ? 2u : 1u);
}
