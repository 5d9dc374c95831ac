/* One file for many certificates: the chain that they have in common. */
#include "store_start.h"

/* A pair whose chain others have too. */
static void sharing_store(struct store *store, const char *name, mode_t chain_mode)
{
    struct test_job job;
    job_make(&job, STORE_KEY, name, 1);
    job_do(store, &job);
    job_make(&job, STORE_CERTIFICATE, name, 1);
    job.job.files[1].data = SPAN_LITERAL("the chain");
    job.job.files[1].mode = chain_mode;
    job.job.files[1].shared = true;
    job_do(store, &job);
    char path[64];
    snprintf(path, sizeof path, "live/%s/chain.pem", name);
    CHECK_TEXT(text_of(AT_FDCWD, at(path)), "the chain");
    snprintf(path, sizeof path, "archive/%s/1/chain.pem", name);
    CHECK_INT(mode_of(at(path)), chain_mode);
}

/* How many names the chain of a certificate has. */
static unsigned long names_of_chain(const char *name)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "live/%s/chain.pem", name);
    CHECK_INT(stat(at(path), &status), 0);
    return status.st_nlink;
}

static void shares_one_chain_among_certificates(void)
{
    mode_t old = umask(0077);
    struct store *store = store_start();
    sharing_store(store, "a", 0644);
    CHECK_INT(access(at("archive/.shared"), F_OK), -1); /* one alone needs none */
    sharing_store(store, "b", 0644);
    sharing_store(store, "c", 0644);
    umask(old);
    CHECK_INT(names_of_chain("a"), 1);
    CHECK_INT(names_of_chain("b"), 3);
    CHECK_INT(counts_of(store).links, 2);
    CHECK_INT(counts_of(store).file_syncs, 3 * 4 - 2);
    /* Another mode is another file, and both have the mode that was asked for. */
    sharing_store(store, "d", 0640);
    sharing_store(store, "e", 0640);
    CHECK_INT(names_of_chain("c"), 3);
    CHECK_INT(names_of_chain("e"), 2);
    CHECK_INT(folder_entries(at("archive/.shared")), 2);
    store_free(store);

    store = store_start(); /* another run takes up what is there */
    sharing_store(store, "f", 0644);
    CHECK_INT(names_of_chain("f"), 4);
    unsigned last = 7;
    struct error error = {0};
    CHECK(!store_last_sequence(scratch.path, ".shared", &last, &error));
    store_free(store);
}

static const char *shared_file(void)
{
    static char path[300];
    DIR *folder = opendir(at("archive/.shared"));
    CHECK(folder != NULL);
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL)
        if (entry->d_name[0] != '.')
            snprintf(path, sizeof path, "archive/.shared/%s", entry->d_name);
    closedir(folder);
    return at(path);
}

static void a_changed_chain_gets_no_more_names(void)
{
    struct store *store = store_start();
    sharing_store(store, "a", 0644);
    sharing_store(store, "b", 0644);
    CHECK_INT(names_of_chain("b"), 2);
    int fd = open(shared_file(), O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK_INT(write(fd, "!", 1), 1);
    close(fd);
    sharing_store(store, "c", 0644); /* with a new file under the old one's name */
    CHECK_INT(names_of_chain("b"), 1);
    CHECK_INT(names_of_chain("c"), 2);
    CHECK_INT(chmod(shared_file(), 0600), 0);
    sharing_store(store, "d", 0644);
    CHECK_INT(names_of_chain("c"), 1);
    CHECK_INT(names_of_chain("d"), 2);
    CHECK_INT(unlink(shared_file()), 0);
    sharing_store(store, "e", 0644);
    sharing_store(store, "f", 0644);
    CHECK_INT(names_of_chain("d"), 1);
    CHECK_INT(names_of_chain("f"), 3);
    char file[400];
    char other[400];
    snprintf(file, sizeof file, "%s", shared_file());
    snprintf(other, sizeof other, "%s", at("other"));
    CHECK(close(open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)) == 0);
    CHECK_INT(rename(other, file), 0); /* another file by its name */
    sharing_store(store, "x", 0644);
    CHECK_INT(names_of_chain("f"), 2);
    CHECK_INT(names_of_chain("x"), 2);
    store_free(store);

    CHECK(close(open(shared_file(), O_WRONLY | O_TRUNC | O_CLOEXEC)) == 0);
    store = store_start();
    sharing_store(store, "g", 0644);
    CHECK_INT(names_of_chain("g"), 1);
    sharing_store(store, "h", 0644);
    sharing_store(store, "i", 0644);
    CHECK_INT(names_of_chain("i"), 3);
    store_free(store);
}

static void stores_where_nothing_can_be_shared(void)
{
    struct store *store = store_start();
    CHECK(close(creat(at("archive/.shared"), 0600)) == 0);
    static const char *const names[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) {
        sharing_store(store, names[i], 0644);
        CHECK_INT(names_of_chain(names[i]), 1);
    }
    CHECK_INT(counts_of(store).links, 0);
    store_free(store);
}

/* A job that is done again finds its own link there, live or not. */
static void a_repeated_job_keeps_or_replaces_its_link(void)
{
    struct store *store = store_start();
    sharing_store(store, "a", 0644);
    sharing_store(store, "b", 0644);
    CHECK_INT(unlink(at("live/b")), 0);
    sharing_store(store, "b", 0644);
    CHECK_INT(names_of_chain("b"), 1);
    sharing_store(store, "c", 0644);
    sharing_store(store, "c", 0644);
    CHECK_INT(names_of_chain("c"), 2);
    CHECK_INT(folder_entries(at("archive/c/1")), 4);
    store_free(store);
}

static const struct test tests[] = {
    TEST(shares_one_chain_among_certificates),
    TEST(a_changed_chain_gets_no_more_names),
    TEST(stores_where_nothing_can_be_shared),
    TEST(a_repeated_job_keeps_or_replaces_its_link),
};

int main(int argc, char **argv)
{
    return store_tests_run(&scratch, &mode, tests, sizeof tests / sizeof tests[0], argc, argv);
}
