/* bench/ca/program: the load CA's command line and its configuration file. */
#include "check.h"

#include "ca/program/options.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORDS_MAX 24

static void read_good(const char *const *words, struct program_options *ret_options)
{
    char *argv[WORDS_MAX] = {(char *)"certmill-ca"};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)words[argc - 1];
    struct error error;
    CHECK_OK(program_options_read(argc, argv, ret_options, &error), error);
}

#define READ(options, ...) read_good((const char *const[]){__VA_ARGS__, NULL}, (options))

static void read_bad(const char *const *words, const char *text)
{
    char *argv[WORDS_MAX] = {(char *)"certmill-ca"};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)words[argc - 1];
    struct program_options options;
    struct error error;
    CHECK(!program_options_read(argc, argv, &options, &error));
    CHECK_CONTAINS(error.text, text);
}

#define REFUSED(text, ...) read_bad((const char *const[]){__VA_ARGS__, NULL}, (text))

/* A file in memory with a path. */
static const char *file_of(const char *text, char *path, size_t size)
{
    int fd = memfd_create("config", MFD_CLOEXEC);
    CHECK(fd >= 0);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    snprintf(path, size, "/proc/self/fd/%d", fd);
    return path;
}

static void defaults_are_quiet(void)
{
    char *argv[] = {(char *)"certmill-ca"};
    struct program_options options;
    struct error error;
    CHECK_OK(program_options_read(1, argv, &options, &error), error);
    CHECK_TEXT(options.listen, "127.0.0.1:0");
    CHECK_TEXT(options.control, "127.0.0.1:0");
    CHECK_INT(options.threads, 1);
    CHECK_INT(options.ready_fd, -1);
    CHECK(!options.prevalidated && !options.no_tls && options.weather == NULL);
    program_options_free(&options);
}

static void words_are_read(void)
{
    struct program_options options;
    READ(&options, "--listen", "127.0.0.1:8080", "--threads=2", "--prevalidated", "--eab",
         "kid-1:zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W", "--eab",
         "kid-2:AAECAwQFBgcICQoLDA0ODw==", "--key", "rsa-2048", "--profile", "short:6",
         "--lifetime", "47", "--seed", "0", "--refuse", "blocked.example", "--http1-only");
    CHECK_TEXT(options.listen, "127.0.0.1:8080");
    CHECK(options.threads == 2 && options.prevalidated && options.http1_only && options.has_seed);
    CHECK_INT(options.eab_count, 2);
    CHECK_TEXT(options.eab_keys[0].id, "kid-1");
    CHECK_INT(options.eab_keys[0].key.len, 48);
    CHECK_INT(options.eab_keys[1].key.len, 16);
    CHECK_INT(options.eab_keys[1].key.data[15], 15);
    CHECK(options.key.type == KEY_RSA && options.key.bits == 2048);
    CHECK_TEXT(options.profiles[0].name, "short");
    CHECK_INT(options.profiles[0].lifetime_s, 6 * 86400);
    CHECK_TEXT(options.refused[0], "blocked.example");
    CHECK(options.refused[1] == NULL);
    program_options_free(&options);
    READ(&options, "--http-port", "5002", "-h");
    CHECK(options.help && options.http_port == 5002);
    program_options_free(&options);
}

static void wrong_words_are_refused(void)
{
    REFUSED("unknown option --prevaldated, did you mean --prevalidated?", "--prevaldated");
    REFUSED("unknown option --wind", "--wind=1");
    REFUSED("unknown option -x", "-x");
    REFUSED("--threads needs a value", "--threads");
    REFUSED("--threads is \"0\", not a whole number from 1 to 64", "--threads", "0");
    REFUSED("--threads is \"2x\"", "--threads", "2x");
    REFUSED("--seed is \"-1\"", "--seed", "-1");
    REFUSED("--ready-fd is \"-1\", not an open file descriptor", "--ready-fd", "-1");
    REFUSED("--ready-fd is \"65535\", not an open", "--ready-fd", "65535");
    REFUSED("--key is \"dsa\", not ecdsa-256", "--key", "dsa");
    REFUSED("--eab: not ID:BASE64URLKEY", "--eab", "kid");
    REFUSED("--eab: the key of \"kid\" is no base64url", "--eab", "kid:?!");
    REFUSED("--eab: the key of \"kid\" has less than 16 bytes", "--eab", "kid:AAAA");
    REFUSED("--eab-once needs", "--eab-once");
    REFUSED("--profile is \"short\", not NAME:DAYS", "--profile", "short");
    REFUSED("--profile is \"short:0\"", "--profile", "short:0");
    REFUSED("exclude each other", "--prevalidated", "--always-valid");
    REFUSED("--always-valid validates nothing", "--always-valid", "--http-port", "80");
    REFUSED("unexpected \"serve\"", "serve");
    REFUSED("--listen is empty", "--listen", "");
    REFUSED("--config: ", "--config", "/nonexistent.json");
    REFUSED("--weather: ", "--weather", "/nonexistent.json");
}

static void files_are_read(void)
{
    char config[64], eab[64];
    struct program_options options;
    const char *text = "{\"threads\": 3, \"no-tls\": true, \"http1-only\": false, \"profile\": "
                       "[\"a:1\", \"b:2\"], \"weather\": {\"seed\": 5}, \"listen\": \"[::1]:0\"}";
    file_of("# two accounts\nkid-1:AAECAwQFBgcICQoLDA0ODw\n\n kid-2:AAECAwQFBgcICQoLDA0ODw \n", eab,
            sizeof eab);
    READ(&options, "--config", file_of(text, config, sizeof config), "--threads", "4", "--eab-file",
         eab);
    CHECK(options.threads == 4 && options.no_tls && !options.http1_only);
    CHECK_INT(options.profile_count, 2);
    CHECK_INT(json_number(options.weather, "seed", 0), 5);
    CHECK_TEXT(options.listen, "[::1]:0");
    CHECK_INT(options.eab_count, 2);
    program_options_free(&options);
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"[]", "not a JSON object"},
        {"{", "invalid JSON"},
        {"{\"thread\": 1}", "unknown option --thread, did you mean --threads?"},
        {"{\"config\": \"x\"}", "unknown option --config"},
        {"{\"no-tls\": 1}", "no-tls: not true or false"},
        {"{\"threads\": 1.5}", "threads: not a text or a whole number"},
        {"{\"threads\": [1, \"x\"]}", "--threads is \"x\""},
        {"{\"seed\": {}}", "seed: not a text or a whole number"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        REFUSED(bad[i].words, "--config", file_of(bad[i].text, config, sizeof config));
    REFUSED(":2: not ID:BASE64URLKEY", "--eab-file", file_of("#\nx\n", eab, sizeof eab));
}

/* Every line of the help fits a terminal. */
static void help_fits(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    program_options_help(out);
    CHECK(fclose(out) == 0);
    CHECK_CONTAINS(text, "--eab ID:BASE64URLKEY");
    struct span rest = span_make(text, size);
    while (rest.data != NULL)
        CHECK(span_split(&rest, '\n').len <= 96);
    free(text);
}

static const struct test tests[] = {
    TEST(defaults_are_quiet), TEST(words_are_read), TEST(wrong_words_are_refused),
    TEST(files_are_read),     TEST(help_fits),
};

TESTS_MAIN(tests)
