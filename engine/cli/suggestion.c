#include "cli/options.h"

#include <string.h>

#define WORD_MAX 32

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Optimal string alignment distance: Levenshtein's with swaps of neighbours. Both words are at most
 * WORD_MAX long. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned *before = rows[0];
    unsigned *last = rows[1];
    unsigned *row = rows[2];
    for (size_t j = 0; j <= b_len; j++)
        last[j] = before[j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned replace = last[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(last[j] + 1, row[j - 1] + 1, replace);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        unsigned *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_len];
}

const char *suggestion_find(const char *word, const char *(*name)(const void *context, size_t i),
                            const void *context)
{
    size_t len = strlen(word);
    if (len < 2 || len > WORD_MAX)
        return NULL;
    const char *best = NULL;
    unsigned best_distance = len < 4 ? 2 : len < 8 ? 3 : 4; /* exclusive */
    const char *candidate;
    for (size_t i = 0; (candidate = name(context, i)) != NULL; i++) {
        size_t candidate_len = strlen(candidate);
        if (candidate_len > WORD_MAX)
            continue;
        unsigned found = distance(word, len, candidate, candidate_len);
        if (found < best_distance) {
            best = candidate;
            best_distance = found;
        }
    }
    return best;
}
