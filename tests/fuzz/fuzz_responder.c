/* io/responder: requests from anybody on port 80, several on one connection. */
#include "fuzz.h"

#include "responder/answer.h"

#include <stdlib.h>
#include <string.h>

#define TOKEN "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
#define SENT  TOKEN ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"

static struct tokens tokens;

void fuzz_prepare(void)
{
    tokens_init(&tokens);
    REQUIRE(tokens_put(&tokens, SPAN_LITERAL(TOKEN), SPAN_LITERAL(SENT)));
    REQUIRE(tokens_put(&tokens, SPAN_LITERAL("a"), SPAN_LITERAL("")));
}

/* One head, one empty line, then as many bytes as Content-Length says, or none for HEAD. */
static void answer_is_whole(struct span answer, bool keep)
{
    const char *end = memmem(answer.data, answer.len, "\r\n\r\n", 4);
    const char *length = memmem(answer.data, answer.len, "\r\nContent-Length: ", 18);
    REQUIRE(span_starts(answer, "HTTP/1.1 ") && end != NULL && length != NULL && length < end);
    size_t body = answer.len - (size_t)(end + 4 - answer.data);
    REQUIRE(body == 0 || body == strtoul(length + 18, NULL, 10));
    bool closes = memmem(answer.data, answer.len, "Connection: close\r\n", 19) != NULL;
    REQUIRE(closes == !keep);
}

void fuzz_input(struct span input)
{
    char *text = malloc(ANSWER_MAX);
    REQUIRE(text != NULL);
    for (;;) {
        size_t len = request_head_len(input);
        REQUIRE(len <= input.len);
        if (len == 0)
            break;
        struct answer answer = answer_write(span_make(input.data, len), &tokens, text);
        REQUIRE(answer.len <= ANSWER_MAX);
        answer_is_whole(span_make(text, answer.len), answer.keep);
        if (!answer.keep)
            break;
        input = span_from(input, len);
    }
    /* A token of the input's own comes and goes without a trace. */
    size_t before = tokens.count;
    char found[RESPONDER_ANSWER_MAX];
    size_t found_len;
    if (tokens_put(&tokens, input, SPAN_LITERAL("x")))
        REQUIRE(tokens_find(&tokens, input, found, &found_len));
    tokens_remove(&tokens, input);
    REQUIRE(tokens.count <= before);
    free(text);
    if (tokens.count < before) { /* it was one of ours */
        tokens_free(&tokens);
        fuzz_prepare();
    }
}
