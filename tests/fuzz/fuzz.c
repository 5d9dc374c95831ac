#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <unistd.h>

/* libFuzzer's interface. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Starts the program again without random addresses: libFuzzer learns from what the code compares,
 * pointers among it, and name tables are seeded by their address. With the same addresses the same
 * seed gives the same inputs. Where the system forbids it, the run is as good, but not the same. */
static void addresses_fix(char **argv)
{
    int now = personality(0xffffffff);
    if (now != -1 && (now & ADDR_NO_RANDOMIZE) == 0 &&
        personality((unsigned long)now | ADDR_NO_RANDOMIZE) != -1)
        execv("/proc/self/exe", argv);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    addresses_fix(*argv);
    fuzz_prepare();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input(size > 0 ? span_make(data, size) : (struct span){0});
    return 0;
}

void fuzz_fail(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, condition);
    abort();
}

void fuzz_require_error(const struct error *error)
{
    REQUIRE(error->kind != ERROR_NONE);
    REQUIRE(memchr(error->text, '\0', sizeof error->text) != NULL);
    REQUIRE(error->text[0] != '\0');
    fuzz_require_line(error->text);
}

/* U+200E, U+200F, U+2028 to U+202E and U+2066 to U+2069, behind their first byte E2. */
static bool turns_writing(unsigned char second, unsigned char third)
{
    return (second == 0x80 &&
            (third == 0x8e || third == 0x8f || (third >= 0xa8 && third <= 0xae))) ||
           (second == 0x81 && third >= 0xa6 && third <= 0xa9);
}

void fuzz_require_line(const char *text)
{
    REQUIRE(text != NULL);
    REQUIRE(span_is_utf8(span_of(text)));
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        REQUIRE(*at >= ' ' && *at != 0x7f);
        REQUIRE(at[0] != 0xc2 || at[1] >= 0xa0);
        REQUIRE(at[0] != 0xe2 || !turns_writing(at[1], at[2]));
    }
}

void fuzz_require_inside(struct span part, struct span whole)
{
    REQUIRE(part.len == 0 || (part.data >= whole.data && part.len <= whole.len &&
                              (size_t)(part.data - whole.data) <= whole.len - part.len));
}
