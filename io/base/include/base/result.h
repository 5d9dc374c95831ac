/* How functions fail.
 *
 * A function that can fail returns bool, is MUST_USE, and takes a `struct error *` as its last
 * argument. It returns true on success; on failure it returns false, fills the error, and leaves
 * its `ret_` parameters untouched. Libraries return errors; only the program prints them. */
#ifndef CERTMILL_BASE_RESULT_H
#define CERTMILL_BASE_RESULT_H

#include <stdbool.h>
#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, arguments_at) \
    __attribute__((format(printf, format_at, arguments_at)))

enum error_kind {
    ERROR_NONE = 0,
    ERROR_CONFIG,   /* a file or option of the operator is wrong */
    ERROR_MEMORY,   /* no memory */
    ERROR_SYSTEM,   /* a system call failed; `sys` holds errno */
    ERROR_NETWORK,  /* no usable answer came */
    ERROR_PROTOCOL, /* an answer came that breaks the protocol */
    ERROR_CA,       /* the CA refused, in its own words */
    ERROR_CRYPTO,   /* OpenSSL failed */
    ERROR_STATE,    /* the state database failed */
    ERROR_LIMIT,    /* an input passed its ceiling */
    ERROR_NOT_FOUND,
    ERROR_BUSY,      /* somebody else holds it */
    ERROR_CANCELLED, /* the run is ending */
};

#define ERROR_TEXT_MAX 512

/* An error, kept by value; never holds a secret. Text too long for it ends in "...". */
struct error {
    enum error_kind kind;
    int sys;
    char text[ERROR_TEXT_MAX];
};

/* Fills the error (NULL is allowed) and returns false, so that a caller can `return error_set(..)`.
 */
bool error_set(struct error *error, enum error_kind kind, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* As error_set with ERROR_SYSTEM, and appends ": " and the text of `system_error` (an errno). */
bool error_system(struct error *error, int system_error, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts text before what the error already says: "reading accounts.yaml: " + .... Returns false. */
bool error_prefix(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* A short word for the kind ("config", "network", ...), for events and JSON. */
const char *error_kind_name(enum error_kind kind);

/* Leaves the function with false when the expression is false: the one macro that hides a return.
 */
#define TRY(expression)    \
    do {                   \
        if (!(expression)) \
            return false;  \
    } while (0)

/* Runs `function` on the variable's address when it goes out of scope. */
#define CLEANUP(function) __attribute__((cleanup(function)))

#endif
