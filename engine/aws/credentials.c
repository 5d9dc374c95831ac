/* Credentials that were fetched, kept until shortly before they end, fetched once for many threads
 * that ask. No lock is held while they are fetched: those of a role are asked of its source
 * profile, which has its own place here. */
#include "aws/credentials_fetch.h"
#include "base/clock.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define REFRESH_BEFORE_S ((int64_t)300)
/* A failure is told again for so long after it, so that thousands of calls do not each wait for it,
 * and for longer when it took long (a credential_process that hangs takes a minute): whoever waits
 * for one profile keeps the others waiting too. */
#define FAILURE_KEPT_S     5
#define FAILURE_KEPT_TIMES 5
/* What may pass is asked for again sooner. */
#define PASSING_KEPT_S     1
#define PASSING_KEPT_TIMES 1
/* Whoever has to renew expired keys takes a while. */
#define EXPIRED_KEPT_S 30

/* Whose credentials an entry holds. */
enum entry_role {
    ENTRY_PROFILE, /* of a profile as it is asked for */
    ENTRY_BASE,    /* of a source_profile */
    ENTRY_SOURCE,  /* of a credential_source */
};

struct entry {
    struct entry *next;
    enum entry_role role;
    char *name;            /* ENTRY_PROFILE: NULL is the default one */
    enum source_kind kind; /* ENTRY_SOURCE */
    bool fetching;         /* by another thread */
    unsigned fetched;      /* times that a fetch ended */
    bool held;
    struct aws_credentials credentials;
    int64_t refresh_at;
    struct aws_credentials expired; /* the last ones that AWS said so of; key_id "": none */
    struct error failure;           /* of the last fetch */
    int64_t failure_until;
};

struct credentials_cache {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct entry *entries;
};

struct asked {
    enum entry_role role;
    const char *name;
    enum source_kind kind;
};

bool credentials_cache_new(struct credentials_cache **ret_cache, struct error *error)
{
    struct credentials_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for AWS credentials");
    pthread_mutex_init(&cache->lock, NULL);
    pthread_cond_init(&cache->changed, NULL);
    *ret_cache = cache;
    return true;
}

void credentials_cache_free(struct credentials_cache *cache)
{
    if (cache == NULL)
        return;
    while (cache->entries != NULL) {
        struct entry *entry = cache->entries;
        cache->entries = entry->next;
        aws_credentials_free(&entry->credentials);
        aws_credentials_free(&entry->expired);
        free(entry->name);
        free(entry);
    }
    pthread_cond_destroy(&cache->changed);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

void aws_credentials_free(struct aws_credentials *credentials)
{
    secret_free(&credentials->secret_key);
    secret_free(&credentials->session_token);
    *credentials = (struct aws_credentials){0};
}

static bool credentials_copy(const struct aws_credentials *from, struct aws_credentials *ret,
                             struct error *error)
{
    struct aws_credentials copy = {.expires_at = from->expires_at};
    memcpy(copy.key_id, from->key_id, sizeof copy.key_id);
    if (!secret_copy(secret_span(&from->secret_key), &copy.secret_key) ||
        (from->session_token.len > 0 &&
         !secret_copy(secret_span(&from->session_token), &copy.session_token))) {
        aws_credentials_free(&copy);
        return error_set(error, ERROR_MEMORY, "no secure memory for AWS credentials");
    }
    *ret = copy;
    return true;
}

static bool is_asked(const struct entry *entry, const struct asked *asked)
{
    if (entry->role != asked->role || (entry->name == NULL) != (asked->name == NULL))
        return false;
    return asked->role == ENTRY_SOURCE
               ? entry->kind == asked->kind
               : asked->name == NULL || strcmp(entry->name, asked->name) == 0;
}

static struct entry *entry_find(struct credentials_cache *cache, const struct asked *asked)
{
    struct entry *entry = cache->entries;
    while (entry != NULL && !is_asked(entry, asked))
        entry = entry->next;
    return entry;
}

static struct entry *entry_take(struct credentials_cache *cache, const struct asked *asked)
{
    struct entry *entry = entry_find(cache, asked);
    if (entry != NULL)
        return entry;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    entry->role = asked->role;
    entry->kind = asked->kind;
    entry->name = asked->name != NULL ? strdup(asked->name) : NULL;
    if (asked->name != NULL && entry->name == NULL) {
        free(entry);
        return NULL;
    }
    entry->next = cache->entries;
    cache->entries = entry;
    return entry;
}

static bool asked_source(struct aws_profiles *profiles, const struct asked *asked,
                         struct source *ret_source, struct error *error)
{
    switch (asked->role) {
    case ENTRY_PROFILE:
        return source_of(profiles, asked->name, ret_source, error);
    case ENTRY_BASE:
        return source_of_base(profiles, profile_find(profiles, asked->name), ret_source, error);
    case ENTRY_SOURCE:
        break;
    }
    *ret_source = (struct source){.kind = asked->kind};
    return true;
}

static void entry_drop(struct entry *entry)
{
    aws_credentials_free(&entry->credentials);
    entry->held = false;
}

static void entry_put(struct entry *entry, struct aws_credentials *fetched, int64_t now)
{
    entry_drop(entry);
    entry->credentials = *fetched;
    entry->held = true;
    entry->failure.kind = ERROR_NONE;
    if (fetched->expires_at == 0) {
        entry->refresh_at = INT64_MAX;
        return;
    }
    /* Of short-lived ones half the life is used, or they would be fetched for each call. */
    int64_t life = fetched->expires_at - now;
    entry->refresh_at =
        fetched->expires_at - (life < 2 * REFRESH_BEFORE_S ? life / 2 : REFRESH_BEFORE_S);
}

/* Who has to renew keys that come from there. */
static const char *renewal(enum source_kind kind)
{
    switch (kind) {
    case SOURCE_ENVIRONMENT:
        return "the environment has no others: sign in anew and start certmill again";
    case SOURCE_CREDENTIALS_FILE:
        return "the credentials file still has them: sign in anew, or see to it that the tool that "
               "writes the file does";
    case SOURCE_CONFIG_FILE:
        return "the config file was read once: sign in anew and start certmill again";
    case SOURCE_PROCESS:
        return "its credential_process gives them again: sign in anew with its tool";
    case SOURCE_ROLE:
    case SOURCE_WEB_IDENTITY:
        return "STS gives them again: an endpoint_url that is not AWS's may keep answers";
    case SOURCE_CONTAINER:
    case SOURCE_INSTANCE:
        break;
    }
    return "the machine's service for credentials has to renew them, and has not: see whether its "
           "role is still attached";
}

static bool secret_is(const struct secret *a, const struct secret *b)
{
    return a->len == b->len && (a->len == 0 || CRYPTO_memcmp(a->data, b->data, a->len) == 0);
}

/* Keys that have expired are of no more use when they come again. */
static bool renewed_check(const struct entry *entry, const struct source *source,
                          const struct aws_credentials *fetched, struct error *error)
{
    const struct aws_credentials *expired = &entry->expired;
    if (expired->key_id[0] == '\0' || strcmp(fetched->key_id, expired->key_id) != 0 ||
        !secret_is(&fetched->session_token, &expired->session_token))
        return true;
    return error_set(error, ERROR_CONFIG,
                     "AWS profile %.100s: the keys themselves have expired (ExpiredToken, access "
                     "key %.40s), and "
                     "%s",
                     source->profile != NULL ? source->profile->name : "default", fetched->key_id,
                     renewal(source->kind));
}

static bool fetch_usable(struct aws_profiles *profiles, const struct source *source, int64_t now,
                         struct aws_credentials *ret_fetched, struct error *error)
{
    struct aws_credentials fetched = {0};
    TRY(credentials_fetch(profiles, source, now, &fetched, error));
    if (fetched.expires_at != 0 && fetched.expires_at <= now) {
        aws_credentials_free(&fetched);
        return error_set(error, ERROR_CONFIG,
                         "the AWS credentials that came have ended already, by this machine's "
                         "clock: set it, or renew them where they come from");
    }
    *ret_fetched = fetched;
    return true;
}

static int64_t failure_end(const struct error *failure, int64_t now, int64_t took_s)
{
    bool passes = failure->kind == ERROR_NETWORK;
    int64_t kept_s = passes ? PASSING_KEPT_S + PASSING_KEPT_TIMES * took_s
                            : FAILURE_KEPT_S + FAILURE_KEPT_TIMES * took_s;
    return now + took_s + kept_s;
}

/* With the lock held, which is left while fetching. */
static void entry_fetch(struct aws_profiles *profiles, struct entry *entry,
                        const struct asked *asked, int64_t now)
{
    struct credentials_cache *cache = profiles->cache;
    struct aws_credentials fetched = {0};
    struct source source = {0};
    struct error error;
    bool again = entry->fetched > 0;
    int64_t start_ms = clock_monotonic_ms();
    entry->fetching = true;
    pthread_mutex_unlock(&cache->lock);
    bool ok = asked_source(profiles, asked, &source, &error);
    source.again = again;
    ok = ok && fetch_usable(profiles, &source, now, &fetched, &error);
    pthread_mutex_lock(&cache->lock);
    entry->fetching = false;
    entry->fetched++;
    bool expired = ok && !renewed_check(entry, &source, &fetched, &error);
    if (expired)
        aws_credentials_free(&fetched);
    else if (ok)
        entry_put(entry, &fetched, now);
    if (!ok || expired) {
        entry->failure = error;
        entry->failure_until =
            expired ? now + EXPIRED_KEPT_S
                    : failure_end(&error, now, (clock_monotonic_ms() - start_ms) / 1000);
    }
    pthread_cond_broadcast(&cache->changed);
}

static bool is_fresh(const struct entry *entry, int64_t now)
{
    return entry->held && now < entry->refresh_at;
}

/* With the lock held. What is about to end is still good when it cannot be had anew. */
static bool entry_answer(const struct entry *entry, int64_t now, struct aws_credentials *ret,
                         struct error *error)
{
    bool usable =
        entry->held && (entry->credentials.expires_at == 0 || now < entry->credentials.expires_at);
    if (usable)
        return credentials_copy(&entry->credentials, ret, error);
    if (error != NULL)
        *error = entry->failure;
    return false;
}

static bool entry_get(struct aws_profiles *profiles, const struct asked *asked, int64_t now,
                      struct aws_credentials *ret_credentials, struct error *error)
{
    struct credentials_cache *cache = profiles->cache;
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = entry_take(cache, asked);
    if (entry == NULL) {
        pthread_mutex_unlock(&cache->lock);
        return error_set(error, ERROR_MEMORY, "no memory for AWS credentials");
    }
    bool failed_lately = entry->failure.kind != ERROR_NONE && now < entry->failure_until;
    if (!is_fresh(entry, now) && entry->fetching) {
        unsigned fetched = entry->fetched;
        while (entry->fetched == fetched)
            pthread_cond_wait(&cache->changed, &cache->lock);
    } else if (!is_fresh(entry, now) && !failed_lately) {
        entry_fetch(profiles, entry, asked, now);
    }
    bool ok = entry_answer(entry, now, ret_credentials, error);
    pthread_mutex_unlock(&cache->lock);
    return ok;
}

static void entry_expire(struct aws_profiles *profiles, const struct asked *asked,
                         const char *key_id)
{
    struct credentials_cache *cache = profiles->cache;
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = entry_find(cache, asked);
    /* Another thread may have fetched anew already. */
    if (entry != NULL && entry->held && strcmp(entry->credentials.key_id, key_id) == 0) {
        aws_credentials_free(&entry->expired);
        entry->expired = entry->credentials;
        entry->credentials = (struct aws_credentials){0};
        entry->held = false;
        entry->failure.kind = ERROR_NONE;
    }
    pthread_mutex_unlock(&cache->lock);
}

static struct asked asked_base(const struct source *role)
{
    return role->base != NULL ? (struct asked){.role = ENTRY_BASE, .name = role->base->name}
                              : (struct asked){.role = ENTRY_SOURCE, .kind = role->base_kind};
}

bool aws_credentials_get(struct aws_profiles *profiles, const char *profile, int64_t now,
                         struct aws_credentials *ret_credentials, struct error *error)
{
    const struct asked asked = {.role = ENTRY_PROFILE, .name = profile};
    return entry_get(profiles, &asked, now, ret_credentials, error);
}

int64_t aws_credentials_retry_s(struct aws_profiles *profiles, const char *profile, int64_t now)
{
    const struct asked asked = {.role = ENTRY_PROFILE, .name = profile};
    pthread_mutex_lock(&profiles->cache->lock);
    const struct entry *entry = entry_find(profiles->cache, &asked);
    bool failed = entry != NULL && entry->failure.kind != ERROR_NONE && now < entry->failure_until;
    int64_t left_s = failed ? entry->failure_until - now : 0;
    pthread_mutex_unlock(&profiles->cache->lock);
    return left_s;
}

void aws_credentials_expire(struct aws_profiles *profiles, const char *profile, const char *key_id)
{
    const struct asked asked = {.role = ENTRY_PROFILE, .name = profile};
    entry_expire(profiles, &asked, key_id);
}

bool credentials_of_base(struct aws_profiles *profiles, const struct source *role, int64_t now,
                         struct aws_credentials *ret_credentials, struct error *error)
{
    const struct asked asked = asked_base(role);
    return entry_get(profiles, &asked, now, ret_credentials, error);
}

void credentials_of_base_expire(struct aws_profiles *profiles, const struct source *role,
                                const char *key_id)
{
    const struct asked asked = asked_base(role);
    entry_expire(profiles, &asked, key_id);
}
