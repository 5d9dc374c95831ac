/* aws/failure: the body of an answer that is not 2xx, what it means, and the error that is made of
 * it for the operator. */
#include "fuzz.h"

#include "aws/failure.h"

#include <string.h>

void fuzz_prepare(void)
{
}

static void error_is_sound(const struct aws_failure *failure, enum aws_outcome outcome)
{
    struct error error = {0};
    const struct aws_failed_call call = {
        .action = "s3:GetObject",
        .profile = "a profile",
        .region = "eu-west-1",
        .key_id = "AKIDEXAMPLE",
        .host = "https://s3.eu-west-1.amazonaws.com",
        .attempts = 1,
        .status = 400,
        .behind_s = 1000,
        .outcome = outcome,
        .failure = failure,
    };
    aws_failure_error(&call, &error);
    fuzz_require_error(&error);
    REQUIRE(strncmp(error.text, "s3:GetObject, profile a profile in eu-west-1: ", 46) == 0);
}

void fuzz_input(struct span input)
{
    static const long statuses[] = {301, 400, 403, 404, 429, 500, 503};
    struct aws_failure failure;
    const struct http_response response = {
        .status = 400,
        .body = input,
        .amazon_error_type = input.len < 500 ? input : (struct span){NULL, 0},
    };
    aws_failure_read(&response, &failure);
    fuzz_require_line(failure.code);
    fuzz_require_line(failure.words);
    fuzz_require_line(failure.request_id);
    fuzz_require_line(failure.region);
    REQUIRE(strstr(failure.words, "The Canonical String") == NULL);
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        enum aws_outcome outcome = aws_failure_outcome(&failure, statuses[i], 0);
        REQUIRE(outcome > AWS_OK && outcome <= AWS_FAILED);
        error_is_sound(&failure, outcome);
    }
}
