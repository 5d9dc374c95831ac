#include "aws/acm_search.h"

#include <stdlib.h>

#define PAGES_MAX 4000 /* some 1,000,000 certificates */

struct wanted_key {
    uint64_t digest; /* of the set of names */
    size_t index;
};

struct searching {
    const struct acm_search *search;
    struct wanted_key *keys; /* by digest */
    uint64_t *names;         /* digests of single names, sorted: those of lists that are cut off */
    size_t name_count;
    bool ended; /* by the callback */
};

static int by_digest(const void *left, const void *right)
{
    const struct wanted_key *a = left;
    const struct wanted_key *b = right;
    int order = (a->digest > b->digest) - (a->digest < b->digest);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static int by_number(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static bool keys_make(struct searching *searching)
{
    const struct acm_search *search = searching->search;
    size_t names = 0;
    for (size_t i = 0; i < search->wanted_count; i++)
        names += search->wanted[i].name_count;
    searching->keys = calloc(search->wanted_count + 1, sizeof *searching->keys);
    searching->names = calloc(names + 1, sizeof *searching->names);
    TRY(searching->keys != NULL && searching->names != NULL);
    for (size_t i = 0; i < search->wanted_count; i++) {
        const struct acm_wanted *wanted = &search->wanted[i];
        searching->keys[i] = (struct wanted_key){
            .digest = acm_names_digest(wanted->names, wanted->name_count), .index = i};
        for (size_t k = 0; k < wanted->name_count; k++)
            searching->names[searching->name_count++] = acm_names_digest(&wanted->names[k], 1);
    }
    qsort(searching->keys, search->wanted_count, sizeof *searching->keys, by_digest);
    qsort(searching->names, searching->name_count, sizeof *searching->names, by_number);
    return true;
}

/* The first key that is not less. */
static size_t first_key(const struct searching *searching, uint64_t digest)
{
    size_t low = 0;
    size_t high = searching->search->wanted_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (searching->keys[middle].digest < digest)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_wanted(const struct searching *searching, uint64_t digest)
{
    size_t at = first_key(searching, digest);
    return at < searching->search->wanted_count && searching->keys[at].digest == digest;
}

static bool is_candidate(const struct searching *searching, const struct acm_summary *row)
{
    if (row->name_count > 0 && !row->more_names)
        return is_wanted(searching, acm_names_digest(row->names, row->name_count));
    uint64_t domain = acm_names_digest(&row->domain, 1);
    return bsearch(&domain, searching->names, searching->name_count, sizeof domain, by_number) !=
           NULL;
}

static bool ask(const struct searching *searching, const struct acm_place *place,
                const char *target, const char *action, const struct buf *body,
                struct aws_answer *ret_answer, struct error *error)
{
    struct aws_request request = {
        .profile = place->profile,
        .region = place->region,
        .service = AWS_ACM,
        .method = HTTP_POST,
        .path = SPAN_LITERAL("/"),
        .content_type = "application/x-amz-json-1.1",
        .target = target,
        .body = buf_span(body),
        .action = action,
    };
    return aws_call(searching->search->client, &request, searching->search->cancel_fd, ret_answer,
                    error);
}

/* Tells of all that want these names: several may. */
static void tell(struct searching *searching, size_t place, const struct acm_detail *detail)
{
    const struct acm_search *search = searching->search;
    uint64_t digest = acm_names_digest(detail->summary.names, detail->summary.name_count);
    for (size_t i = first_key(searching, digest);
         i < search->wanted_count && searching->keys[i].digest == digest && !searching->ended; i++)
        searching->ended =
            !search->found(search->context, &(struct acm_found){.wanted = searching->keys[i].index,
                                                                .place = place,
                                                                .detail = detail});
}

static bool candidate_ask(struct searching *searching, size_t place, const char *arn,
                          struct error *error)
{
    struct aws_answer answer CLEANUP(aws_answer_free);
    struct arena arena CLEANUP(arena_free);
    struct buf body CLEANUP(buf_free);
    struct acm_detail detail;
    aws_answer_init(&answer);
    arena_init(&arena);
    buf_init(&body, 4096);
    if (!acm_arn_body(arn, &body))
        return error_set(error, ERROR_MEMORY, "no memory for a request of ACM");
    if (!ask(searching, &searching->search->places[place], "CertificateManager.DescribeCertificate",
             "acm:DescribeCertificate", &body, &answer, error))
        return answer.outcome == AWS_MISSING; /* deleted since the list was made */
    TRY(acm_describe_read(buf_span(&answer.body), &arena, &detail, error));
    tell(searching, place, &detail);
    return true;
}

/* One page; *next is the token of the following one, NULL after the last. */
static bool page_walk(struct searching *searching, size_t place, struct buf *token,
                      struct error *error)
{
    struct aws_answer answer CLEANUP(aws_answer_free);
    struct arena arena CLEANUP(arena_free);
    struct buf body CLEANUP(buf_free);
    struct acm_summary *rows = NULL;
    size_t count = 0;
    const char *next = NULL;
    aws_answer_init(&answer);
    arena_init(&arena);
    buf_init(&body, (size_t)64 * 1024);
    if (!acm_list_body(token->len > 0 ? buf_text(token) : NULL, false, &body))
        return error_set(error, ERROR_MEMORY, "no memory for a list of ACM");
    TRY(ask(searching, &searching->search->places[place], "CertificateManager.ListCertificates",
            "acm:ListCertificates", &body, &answer, error));
    TRY(acm_list_read(buf_span(&answer.body), &arena, &rows, &count, &next, error));
    for (size_t i = 0; i < count && !searching->ended; i++)
        if (is_candidate(searching, &rows[i]))
            TRY(candidate_ask(searching, place, rows[i].arn, error));
    buf_clear(token);
    return next == NULL || buf_append_text(token, next) ||
           error_set(error, ERROR_MEMORY, "no memory for a list of ACM");
}

static bool place_walk(struct searching *searching, size_t place, struct error *error)
{
    struct buf token CLEANUP(buf_free);
    buf_init(&token, (size_t)16 * 1024);
    for (unsigned pages = 0; pages < PAGES_MAX; pages++) {
        TRY(page_walk(searching, place, &token, error));
        if (token.len == 0 || searching->ended)
            return true;
    }
    return error_set(error, ERROR_LIMIT, "ListCertificates does not end after %d pages", PAGES_MAX);
}

static bool places_walk(struct searching *searching, struct error *error)
{
    const struct acm_search *search = searching->search;
    for (size_t i = 0; i < search->place_count && !searching->ended; i++) {
        struct error one = {0};
        if (place_walk(searching, i, &one))
            continue;
        if (one.kind == ERROR_CANCELLED || one.kind == ERROR_MEMORY) {
            *error = one;
            return false;
        }
        search->failed(search->context, i, &one);
    }
    return true;
}

bool acm_search_run(const struct acm_search *search, struct error *error)
{
    struct searching searching = {.search = search};
    bool ok = keys_make(&searching)
                  ? places_walk(&searching, error)
                  : error_set(error, ERROR_MEMORY, "no memory for a search in ACM");
    free(searching.keys);
    free(searching.names);
    return ok;
}
