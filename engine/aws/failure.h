/* What AWS says when it refuses: the code and message in the bodies of its services, and what they
 * mean for who asked. Pure. */
#ifndef CERTMILL_AWS_FAILURE_H
#define CERTMILL_AWS_FAILURE_H

#include "aws/client.h"

#define AWS_WORDS_MAX 400 /* an AccessDenied names caller, action, resource and reason */

/* An answer that is not 2xx. Texts are printable, cut, and "" when there is none. */
struct aws_failure {
    char code[96];             /* without namespace: "ThrottlingException" */
    char words[AWS_WORDS_MAX]; /* AWS's message, without the canonical request, which some services
                                  quote, with the session token in it */
    char request_id[96];
    char region[64]; /* where S3 says that the bucket is */
};

/* JSON 1.1 (ACM) and the XML of STS, Route 53 and S3; whatever else came leaves code and words
 * empty. */
void aws_failure_read(const struct http_response *response, struct aws_failure *ret_failure);

/* What it means. `behind_s`: how far this machine's clock is behind the answer's Date; 0 when there
 * is none. A wrong signature then means a wrong clock when they are more than four minutes apart.
 */
enum aws_outcome aws_failure_outcome(const struct aws_failure *failure, long status,
                                     int64_t behind_s);

/* Whether the same request may well get another answer a little later: what is repeated after
 * back-off, by the client and by whoever gets credentials. */
bool aws_outcome_passes(enum aws_outcome outcome);

/* For whom an error is composed. */
struct aws_failed_call {
    const char *action;  /* "acm:ImportCertificate" */
    const char *profile; /* NULL: the default one */
    const char *region;
    const char *key_id; /* "" when there were no credentials */
    const char *host;
    unsigned attempts;
    bool reads; /* it changes nothing */
    long status;
    int64_t behind_s;
    enum aws_outcome outcome;
    const struct aws_failure *failure;
};
/* The error of struct aws_reply: what failed, for which profile and region, what to do, AWS's words
 * and its request id. For outcomes that an answer led to. */
void aws_failure_error(const struct aws_failed_call *call, struct error *error);

/* "acm:ImportCertificate, profile dns in eu-west-1: ": how each such error begins. */
#define AWS_WHERE_MAX 200
void aws_failure_where(const char *action, const char *profile, const char *region,
                       char where[static AWS_WHERE_MAX]);

#endif
