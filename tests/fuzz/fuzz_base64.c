/* io/base/base64: what is decoded encodes back to the same text. */
#include "fuzz.h"

#include "base/base64.h"

void fuzz_prepare(void)
{
}

static void strict_is_one_to_one(struct span text)
{
    struct buf bytes CLEANUP(buf_free);
    struct buf again CLEANUP(buf_free);
    buf_init(&bytes, text.len);
    buf_init(&again, text.len + 4);
    bool decoded = base64url_decode(text, &bytes);
    if (decoded) {
        REQUIRE(base64url_append(&again, bytes.data, bytes.len));
        REQUIRE(span_equal(buf_span(&again), text));
    } else {
        REQUIRE(bytes.len == 0);
    }
}

static void lenient_takes_what_strict_takes(struct span text)
{
    struct buf strict CLEANUP(buf_free);
    struct buf lenient CLEANUP(buf_free);
    struct buf padded CLEANUP(buf_free);
    struct buf again CLEANUP(buf_free);
    buf_init(&strict, text.len + 4);
    buf_init(&lenient, text.len + 4);
    buf_init(&padded, 2 * text.len + 8);
    buf_init(&again, text.len + 4);
    bool is_lenient = base64_decode_lenient(text, &lenient);
    if (base64url_decode(text, &strict))
        REQUIRE(is_lenient && span_equal(buf_span(&strict), buf_span(&lenient)));
    if (!is_lenient)
        return;
    REQUIRE(base64_append(&padded, lenient.data, lenient.len));
    REQUIRE(base64_decode_lenient(buf_span(&padded), &again));
    REQUIRE(span_equal(buf_span(&again), buf_span(&lenient)));
}

static void a_ceiling_holds(struct span text)
{
    struct buf small CLEANUP(buf_free);
    buf_init(&small, 8);
    if (!base64_decode_lenient(text, &small))
        REQUIRE(small.len == 0);
    REQUIRE(small.len <= 8);
}

void fuzz_input(struct span input)
{
    strict_is_one_to_one(input);
    lenient_takes_what_strict_takes(input);
    a_ceiling_holds(input);
}
