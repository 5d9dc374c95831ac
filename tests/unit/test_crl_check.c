/* Live certificates against the revocation lists that are kept in the state folder. */
#include "crl_fixture.h"
#include "live_files.h"
#include "scratch.h"

#include "crl/lists.h"

#include <netinet/in.h>
#include <sys/socket.h>

static struct crl_maker maker;
static struct scratch scratch;

/* The issuer is a text in place of a Name: only whether two are equal counts here. */
static struct certificate_info info_of(const char *serial, const char *issuer)
{
    return (struct certificate_info){.crl_url = SPAN_LITERAL(CRL_TEST_URL),
                                     .issuer_name = span_of(issuer),
                                     .serial_bytes = span_of(serial)};
}

static void chain_put(const char *name)
{
    char path[512];
    live_file_put(scratch.path, name, 1, "");
    snprintf(path, sizeof path, "%s/live/%s/chain.pem", scratch.path, name);
    FILE *file = fopen(path, "we");
    CHECK(file != NULL && fputs(buf_text(&maker.issuer_pem), file) >= 0 && fclose(file) == 0);
}

static struct crl_check *check_make(bool fetch, unsigned patience_ms)
{
    struct crl_check *check;
    struct error error;
    const struct crl_check_options options = {.state_folder = scratch.path,
                                              .crypto = maker.context,
                                              .now = PKI_NOW,
                                              .fetch = fetch,
                                              .patience_ms = patience_ms};
    CHECK_OK(crl_check_new(&options, &check, &error), error);
    return check;
}

static void note(struct crl_check *check, size_t index, const char *serial, const char *issuer)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    const struct certificate_info info = info_of(serial, issuer);
    chain_put(names[index]);
    crl_check_note(check, index, 4, names[index], &info);
}

/* Keeps the list, and looks. */
static size_t look(struct crl_check *check, const struct crl_line *lines, size_t count,
                   const struct crl_revocation **ret_found)
{
    struct buf der CLEANUP(buf_free);
    size_t found;
    buf_init(&der, CRL_DER_MAX);
    crl_make(&maker, &(struct crl_wish){.lines = lines, .count = count}, &der);
    crl_cache_write(check, check->lists[0], buf_span(&der));
    crl_check_run(check);
    *ret_found = crl_check_found(check, &found);
    return found;
}

static bool has(const struct crl_revocation *found, size_t count, size_t index, const char *reason)
{
    for (size_t i = 0; i < count; i++)
        if (found[i].index == index)
            return strcmp(found[i].reason, reason) == 0;
    return false;
}

static void serials_of_the_lists_issuer_are_found(void)
{
    static const struct crl_line lines[] = {{"0a", 100, 1}, {"0c", 200, 4}};
    struct crl_check *check = check_make(false, 0);
    const struct crl_revocation *found;
    note(check, 0, "\x0a", "the issuer");
    note(check, 1, "\x0b", "the issuer");
    note(check, 2, "\x0a", "the issuer");
    note(check, 3, "\x0c", "another issuer of the same URL");
    CHECK_INT(check->list_count, 1);
    size_t count = look(check, lines, 2, &found);
    CHECK_INT(count, 2);
    CHECK(has(found, count, 0, "keyCompromise") && has(found, count, 2, "keyCompromise"));
    CHECK_INT(found[0].at, 100);
    CHECK_TEXT(found[0].url, CRL_TEST_URL);
    crl_check_free(check);
}

static void a_hold_counts_and_its_end_does_not(void)
{
    static const struct crl_line lines[] = {{"0a", 100, 6}, {"0b", 200, 8}, {"0c", 300, -1}};
    struct crl_check *check = check_make(false, 0);
    const struct crl_revocation *found;
    note(check, 0, "\x0a", "the issuer");
    note(check, 1, "\x0b", "the issuer");
    note(check, 2, "\x0c", "the issuer");
    size_t count = look(check, lines, 3, &found);
    CHECK_INT(count, 2);
    CHECK(has(found, count, 0, "certificateHold") && has(found, count, 2, "unspecified"));
    crl_check_free(check);
}

/* Many share a slot at first, and each must be found. */
static void each_of_many_is_found(void)
{
    enum { MANY = 3000 };
    static struct crl_line lines[MANY];
    static char texts[MANY][8];
    struct crl_check *check = check_make(false, 0);
    const struct crl_revocation *found;
    chain_put("a");
    for (unsigned i = 0; i < MANY; i++) {
        char serial[3] = {1, (char)(i >> 8), (char)i};
        struct certificate_info info = info_of("", "the issuer");
        info.serial_bytes = span_make(serial, sizeof serial);
        crl_check_note(check, i, MANY, "a", &info);
        snprintf(texts[i], sizeof texts[i], "01%04x", i);
        lines[i] = (struct crl_line){texts[i], 100, 1};
    }
    CHECK_INT(look(check, lines, MANY / 2, &found), MANY / 2);
    for (size_t i = 0; i < MANY / 2; i++)
        CHECK(found[i].index == i);
    crl_check_free(check);
}

/* A host that takes the connection and says nothing. */
static void a_silent_host_is_one_warning(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 16) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    struct crl_check *check = check_make(true, 100);
    chain_put("a");
    for (size_t i = 0; i < 30; i++) {
        char url[64];
        struct certificate_info info = info_of("\x0a", "the issuer");
        snprintf(url, sizeof url, "http://127.0.0.1:%d/%zu", ntohs(address.sin_port), i);
        info.crl_url = span_of(url);
        crl_check_note(check, i, 30, "a", &info);
    }
    crl_check_run(check);
    size_t count;
    const char *const *warnings = crl_check_warnings(check, &count);
    CHECK_INT(count, 1);
    CHECK_CONTAINS(warnings[0], "(and 29 more of its lists)");
    (void)crl_check_found(check, &count);
    CHECK_INT(count, 0);
    crl_check_free(check);
    close(fd);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(serials_of_the_lists_issuer_are_found),
        TEST(a_hold_counts_and_its_end_does_not),
        TEST(each_of_many_is_found),
        TEST(a_silent_host_is_one_warning),
    };
    crl_maker_make(&maker);
    int code = scratch_tests_run(&scratch, tests, sizeof tests / sizeof tests[0], argc, argv);
    crl_maker_free(&maker);
    return code;
}
