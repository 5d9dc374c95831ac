/* certmill aws: whether AWS profiles work, and what they must be allowed to do. */
#include "aws/client.h"
#include "aws/xml.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/aws_policy.h"
#include "cli/command.h"
#include "cli/message.h"
#include "report/format.h"

#include <stdio.h>
#include <string.h>

#define CALL_TIMEOUT_MS  10000
#define CALL_ATTEMPTS    2
#define REGION_OF_CALL   "us-east-1" /* of a profile without one */
#define KEY_LETTERS      ((size_t)4) /* of a key's id, at its end */
#define IDENTITY_MAX     256
#define IDENTITY_REQUEST "Action=GetCallerIdentity&Version=2011-06-15"

/* What is known of a profile. */
struct whoami {
    const char *profile; /* as asked for; NULL: the default one */
    const char *name;
    char source[AWS_SOURCE_MAX];
    char key_end[KEY_LETTERS + 1];
    const char *region; /* NULL: none */
    int64_t expires_at; /* 0: never */
    char account[IDENTITY_MAX], arn[IDENTITY_MAX], user_id[IDENTITY_MAX];
    struct error error; /* kind ERROR_NONE: it works */
};

static void text_take(const struct xml_element *root, const char *path, char *text)
{
    struct span value = xml_text(root, path);
    if (value.len < IDENTITY_MAX)
        snprintf(text, IDENTITY_MAX, "%.*s", SPAN_PRINTF(value));
}

static bool identity_read(struct span body, struct whoami *whoami, struct error *error)
{
    struct arena arena CLEANUP(arena_free);
    struct xml_element *root = NULL;
    arena_init(&arena);
    TRY(xml_parse(body, &arena, &root, error));
    text_take(root, "GetCallerIdentityResult/Account", whoami->account);
    text_take(root, "GetCallerIdentityResult/Arn", whoami->arn);
    text_take(root, "GetCallerIdentityResult/UserId", whoami->user_id);
    return whoami->account[0] != '\0' ||
           error_set(error, ERROR_PROTOCOL, "STS answered without an account");
}

static bool identity_ask(struct aws_profiles *profiles, struct whoami *whoami, struct error *error)
{
    const struct aws_client_options options = {.profiles = profiles,
                                               .user_agent = "certmill/" CERTMILL_VERSION,
                                               .attempts = CALL_ATTEMPTS};
    const struct aws_request request = {
        .profile = whoami->profile,
        .region = whoami->region != NULL ? whoami->region : REGION_OF_CALL,
        .service = AWS_STS,
        .method = HTTP_POST,
        .path = SPAN_LITERAL("/"),
        .content_type = "application/x-www-form-urlencoded; charset=utf-8",
        .body = SPAN_LITERAL(IDENTITY_REQUEST),
        .action = "sts:GetCallerIdentity",
        .timeout_ms = CALL_TIMEOUT_MS,
    };
    struct aws_answer answer;
    aws_answer_init(&answer);
    bool ok = aws_call(&options, &request, -1, &answer, error) &&
              identity_read(buf_span(&answer.body), whoami, error);
    aws_answer_free(&answer);
    return ok;
}

static bool credentials_look(struct aws_profiles *profiles, struct whoami *whoami,
                             struct error *error)
{
    struct aws_credentials credentials = {0};
    TRY(aws_credentials_get(profiles, whoami->profile, clock_unix(), &credentials, error));
    size_t len = strlen(credentials.key_id);
    size_t shown = len > 2 * KEY_LETTERS ? KEY_LETTERS : 0;
    memcpy(whoami->key_end, credentials.key_id + len - shown, shown + 1);
    whoami->expires_at = credentials.expires_at;
    aws_credentials_free(&credentials);
    return true;
}

static void whoami_find(struct aws_profiles *profiles, const char *profile, struct whoami *whoami)
{
    struct error error = {0}, no_region;
    *whoami = (struct whoami){.profile = profile,
                              .name = profile != NULL ? profile : aws_profile_default(profiles)};
    bool ok = aws_profile_source(profiles, profile, whoami->source, &error);
    if (ok && !aws_profile_region(profiles, profile, &whoami->region, &no_region))
        whoami->region = NULL;
    ok = ok && credentials_look(profiles, whoami, &error) && identity_ask(profiles, whoami, &error);
    whoami->error = ok ? (struct error){0} : error;
}

static void line_print(const char *label, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    printf("%-12s ", label);
    format_printable(stdout, text);
    putchar('\n');
}

static void whoami_print(const struct whoami *whoami)
{
    char text[AWS_SOURCE_MAX + 32];
    bool works = whoami->error.kind == ERROR_NONE;
    line_print("profile", whoami->name);
    line_print("account", whoami->account);
    line_print("identity", whoami->arn);
    line_print("user id", whoami->user_id);
    line_print("region", whoami->region != NULL ? whoami->region
                         : works                ? "none: set \"region\" in the profile, or "
                                                  "AWS_REGION"
                                                : NULL);
    snprintf(text, sizeof text, "%s%s%s%s", whoami->source,
             whoami->key_end[0] != '\0' ? " (access key ..." : "", whoami->key_end,
             whoami->key_end[0] != '\0' ? ")" : "");
    line_print("credentials", text);
    if (whoami->expires_at != 0)
        line_print("good until", time_format_rfc3339(whoami->expires_at, text));
    if (!works)
        line_print("PROBLEM", whoami->error.text);
}

static json_t *text_json(const char *text)
{
    return text != NULL && text[0] != '\0' ? format_json_text(text) : json_null();
}

static json_t *whoami_json(const struct whoami *whoami)
{
    char expires[TIME_TEXT_MAX];
    bool works = whoami->error.kind == ERROR_NONE;
    return json_pack(
        "{s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "profile", text_json(whoami->name),
        "works", works, "account", text_json(whoami->account), "arn", text_json(whoami->arn),
        "user_id", text_json(whoami->user_id), "region", text_json(whoami->region), "credentials",
        text_json(whoami->source), "access_key_end", text_json(whoami->key_end), "expires_at",
        text_json(whoami->expires_at != 0 ? time_format_rfc3339(whoami->expires_at, expires)
                                          : NULL),
        "problem", works ? json_null() : text_json(whoami->error.text));
}

/* `list`: NULL to print text. */
static bool whoami_show(struct aws_profiles *profiles, const char *profile, json_t *list,
                        bool is_first)
{
    struct whoami whoami;
    whoami_find(profiles, profile, &whoami);
    if (list != NULL) {
        (void)json_array_append_new(list, whoami_json(&whoami));
    } else {
        if (!is_first)
            putchar('\n');
        whoami_print(&whoami);
    }
    return whoami.error.kind == ERROR_NONE;
}

static int whoami_run(const struct command_options *options, struct aws_profiles *profiles)
{
    json_t *list = options->json ? json_array() : NULL;
    bool all = options->all && aws_profile_name(profiles, 0) != NULL;
    bool works = true;
    if (!all)
        works = whoami_show(profiles, options->profile, list, true);
    for (size_t i = 0; all && aws_profile_name(profiles, i) != NULL; i++)
        works &= whoami_show(profiles, aws_profile_name(profiles, i), list, i == 0);
    if (list != NULL) {
        (void)json_dumpf(list, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(list);
    return works ? ENDING_DONE : ENDING_SOME_FAILED;
}

int command_aws(const struct command_options *options)
{
    struct aws_profiles *profiles = NULL;
    struct error error;
    if (!crypto_secure_heap_make(0, &error) || !aws_profiles_new(NULL, &profiles, &error)) {
        message_error(&error);
        return ENDING_USAGE;
    }
    int ending = options->aws_action == AWS_WHOAMI ? whoami_run(options, profiles)
                                                   : aws_policy_print(options, profiles);
    aws_profiles_free(profiles);
    return ending;
}
