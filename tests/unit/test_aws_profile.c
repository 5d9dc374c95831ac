#include "aws_fixture.h"

#include "base/json.h"

static struct aws_fixture fixture;

static void check_region(const char *profile, const char *expected)
{
    struct error error;
    const char *region;
    CHECK_OK(aws_profile_region(fixture.profiles, profile, &region, &error), error);
    CHECK_TEXT(region, expected);
}

static void check_keys(const char *profile, const char *key_id, const char *secret,
                       const char *token)
{
    struct aws_credentials credentials;
    struct error error;
    CHECK_OK(aws_credentials_get(fixture.profiles, profile, AWS_NOW, &credentials, &error), error);
    CHECK_TEXT(credentials.key_id, key_id);
    CHECK_TEXT(credentials.secret_key.data, secret);
    CHECK_INT(credentials.session_token.len, strlen(token));
    CHECK(strlen(token) == 0 || strcmp(credentials.session_token.data, token) == 0);
    aws_credentials_free(&credentials);
}

static void check_refused(const char *profile, const char *words)
{
    struct error error;
    CHECK(!aws_profile_check(fixture.profiles, profile, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK_CONTAINS(error.text, words);
}

static void check_endpoint(const char *profile, enum aws_service service, const char *region,
                           const char *expected)
{
    struct error error;
    char url[AWS_ENDPOINT_MAX];
    CHECK_OK(aws_profile_endpoint(fixture.profiles, profile, service, region, url, &error), error);
    CHECK_TEXT(url, expected);
}

static void files_are_read(void)
{
    aws_fixture_open(&fixture, NULL,
                     "[default]\nregion = eu-west-1\n[profile one]\nregion = us-east-1\n"
                     "[profile \"two words\"]\nregion=us-east-2\n[sso-session x]\nregion=x\n"
                     "[three]\nregion = us-west-1\n[profile default x]\n",
                     "[default]\naws_access_key_id = AKIDDEFAULT\naws_secret_access_key = s0\n"
                     "[one]\naws_access_key_id=AKIDONE\naws_secret_access_key=s1\n"
                     "aws_session_token = t1\n");
    CHECK_TEXT(aws_profile_default(fixture.profiles), "default");
    CHECK_TEXT(aws_profile_name(fixture.profiles, 0), "default");
    CHECK_TEXT(aws_profile_name(fixture.profiles, 1), "one");
    CHECK_TEXT(aws_profile_name(fixture.profiles, 2), "two words");
    CHECK(aws_profile_name(fixture.profiles, 3) == NULL);
    check_region(NULL, "eu-west-1");
    check_region("one", "us-east-1");
    check_region("two words", "us-east-2");
    check_keys(NULL, "AKIDDEFAULT", "s0", "");
    check_keys("default", "AKIDDEFAULT", "s0", "");
    check_keys("one", "AKIDONE", "s1", "t1");
    check_refused("oen", "there is no AWS profile oen in ");
    check_refused("oen", "did you mean one?");
    check_refused("three", "there is no AWS profile three");
    aws_fixture_close(&fixture);
}

static void the_credentials_file_goes_before_the_config_file(void)
{
    aws_fixture_open(&fixture, NULL,
                     "[profile a]\naws_access_key_id = AKIDCONFIG\naws_secret_access_key = sc\n"
                     "aws_session_token = tc\nregion = eu-west-1\n"
                     "[profile b]\naws_access_key_id = AKIDCONFIG\naws_secret_access_key = sc\n",
                     "[a]\naws_access_key_id = AKIDCREDENTIALS\naws_secret_access_key = s\n"
                     "region = us-east-1\n[b]\naws_secret_access_key = half\n");
    check_keys("a", "AKIDCREDENTIALS", "s", "");
    check_region("a", "us-east-1");
    check_keys("b", "AKIDCONFIG", "sc", "");
    aws_fixture_close(&fixture);
}

static void the_environment_goes_first_without_a_named_profile(void)
{
    aws_fixture_open(&fixture,
                     ENVIRONMENT("AWS_ACCESS_KEY_ID=AKIDENV", "AWS_SECRET_ACCESS_KEY=se",
                                 "AWS_SESSION_TOKEN=te", "AWS_REGION=ap-south-1",
                                 "AWS_DEFAULT_REGION=ap-south-2", "AWS_PROFILE=a"),
                     "[profile a]\nregion = eu-west-1\n[profile b]\n",
                     "[a]\naws_access_key_id = AKIDA\naws_secret_access_key = sa\n");
    CHECK_TEXT(aws_profile_default(fixture.profiles), "a");
    check_keys(NULL, "AKIDENV", "se", "te");
    check_region(NULL, "ap-south-1");
    check_keys("a", "AKIDA", "sa", "");
    check_region("a", "eu-west-1");
    check_region("b", "ap-south-1");
    aws_fixture_close(&fixture);
}

static void a_default_profile_needs_no_file(void)
{
    struct error error;
    const char *region;
    aws_fixture_open(&fixture, ENVIRONMENT("AWS_DEFAULT_REGION=eu-north-1"), NULL, NULL);
    check_region(NULL, "eu-north-1");
    CHECK_OK(aws_profile_check(fixture.profiles, NULL, &error), error);
    aws_fixture_close(&fixture);
    aws_fixture_open(&fixture, ENVIRONMENT("AWS_PROFILE=missing"), NULL, NULL);
    check_refused(NULL, "there is no AWS profile missing");
    aws_fixture_close(&fixture);
    aws_fixture_open(&fixture, NULL, NULL, NULL);
    CHECK(!aws_profile_region(fixture.profiles, NULL, &region, &error));
    CHECK_CONTAINS(error.text, "has no region: set \"region\" in ");
    aws_fixture_close(&fixture);
}

static void paths_are_filled_in(void)
{
    aws_fixture_open(&fixture,
                     ENVIRONMENT("AWS_CONFIG_FILE=~/.aws/$KIND",
                                 "AWS_SHARED_CREDENTIALS_FILE=${HOME_TOO}/nothing", "KIND=config",
                                 "HOME_TOO=/nonexistent"),
                     "[default]\nregion = eu-west-1\n", "[other]\nregion=us-east-1\n");
    check_region(NULL, "eu-west-1");
    check_refused("other", "/nonexistent/nothing");
    aws_fixture_close(&fixture);
    aws_fixture_open(&fixture, ENVIRONMENT("AWS_CONFIG_FILE=/dev/null"), NULL, NULL);
    CHECK(aws_profile_name(fixture.profiles, 0) == NULL);
    aws_fixture_close(&fixture);
}

static void half_pairs_are_named(void)
{
    aws_fixture_open(&fixture, ENVIRONMENT("AWS_ACCESS_KEY_ID=AKID"),
                     "[profile c]\naws_access_key_id = AKID\n", "[a]\naws_access_key_id = AKID\n");
    check_refused(NULL, "AWS_SECRET_ACCESS_KEY is not");
    check_refused("a", "no aws_secret_access_key");
    check_refused("a", ".aws/credentials");
    check_refused("c", ".aws/config");
    aws_fixture_close(&fixture);
}

static void chains_of_roles_are_checked(void)
{
    aws_fixture_open(&fixture, NULL,
                     "[profile base]\naws_access_key_id = A\naws_secret_access_key = s\n"
                     "[profile role]\nrole_arn = arn:r\nsource_profile = base\n"
                     "[profile second]\nrole_arn = arn:s\nsource_profile = role\n"
                     "[profile self]\nrole_arn = arn:x\nsource_profile = self\n"
                     "aws_access_key_id = A\naws_secret_access_key = s\n"
                     "[profile alone]\nrole_arn = arn:x\nsource_profile = alone\n"
                     "[profile ping]\nrole_arn = arn:x\nsource_profile = pong\n"
                     "[profile pong]\nrole_arn = arn:x\nsource_profile = ping\n"
                     "[profile lost]\nrole_arn = arn:x\nsource_profile = nobody\n"
                     "[profile none]\nrole_arn = arn:x\n"
                     "[profile both]\nrole_arn = arn:x\nsource_profile = base\n"
                     "credential_source = Environment\n"
                     "[profile odd]\nrole_arn = arn:x\ncredential_source = environment\n"
                     "[profile mfa]\nrole_arn = arn:x\nsource_profile = base\nmfa_serial = arn:m\n"
                     "[profile sso]\nsso_account_id = 1\nsso_role_name = r\n"
                     "[profile bare]\nregion = us-east-1\n"
                     "[profile onbare]\nrole_arn = arn:x\nsource_profile = bare\n",
                     NULL);
    struct error error;
    CHECK_OK(aws_profile_check(fixture.profiles, "role", &error), error);
    CHECK_OK(aws_profile_check(fixture.profiles, "second", &error), error);
    CHECK_OK(aws_profile_check(fixture.profiles, "self", &error), error);
    check_refused("alone", "leads round in a loop");
    check_refused("ping", "leads round in a loop");
    check_refused("lost", "its source_profile nobody is in neither");
    check_refused("none", "neither source_profile nor credential_source");
    check_refused("both", "both source_profile and credential_source");
    check_refused("odd", "not Environment, Ec2InstanceMetadata or EcsContainer");
    check_refused("mfa", "no terminal");
    check_refused("sso", "aws configure export-credentials --profile sso");
    check_refused("onbare", "has no credentials");
    char text[AWS_SOURCE_MAX];
    CHECK_OK(aws_profile_source(fixture.profiles, "second", text, &error), error);
    CHECK_TEXT(text, "role arn:s, assumed with profile role");
    aws_fixture_close(&fixture);
}

static void endpoints_are_found(void)
{
    static const char config[] =
        "[profile plain]\n[profile url]\nendpoint_url = http://localhost:1/\n"
        "[profile named]\nservices = dev\nendpoint_url = http://all\n"
        "[services dev]\ns3 =\n  endpoint_url = https://s3.local:9000\n"
        "route_53 =\n  endpoint_url = http://r53\n"
        "[profile off]\nendpoint_url = http://x\nignore_configured_endpoint_urls = true\n"
        "[profile wrong]\nservices = nothing\n"
        "[profile fips]\nuse_fips_endpoint = true\n[profile dual]\nuse_dualstack_endpoint = True\n"
        "[profile odd]\nendpoint_url = http://user:password@host\n";
    aws_fixture_open(&fixture, NULL, config, NULL);
    check_endpoint("plain", AWS_ACM, "eu-west-1", "https://acm.eu-west-1.amazonaws.com");
    check_endpoint("plain", AWS_ACM, "cn-north-1", "https://acm.cn-north-1.amazonaws.com.cn");
    check_endpoint("plain", AWS_STS, "us-gov-west-1", "https://sts.us-gov-west-1.amazonaws.com");
    check_endpoint("plain", AWS_ROUTE53, "eu-west-1", "https://route53.amazonaws.com");
    check_endpoint("plain", AWS_ROUTE53, "us-gov-west-1", "https://route53.us-gov.amazonaws.com");
    check_endpoint("fips", AWS_ACM, "us-gov-west-1", "https://acm.us-gov-west-1.amazonaws.com");
    check_endpoint("fips", AWS_S3, "us-east-1", "https://s3-fips.us-east-1.amazonaws.com");
    check_endpoint("dual", AWS_ACM, "us-east-1", "https://acm.us-east-1.api.aws");
    check_endpoint("url", AWS_ACM, "us-east-1", "http://localhost:1");
    check_endpoint("named", AWS_S3, "us-east-1", "https://s3.local:9000");
    check_endpoint("named", AWS_ROUTE53, "us-east-1", "http://r53");
    check_endpoint("named", AWS_STS, "us-east-1", "http://all");
    check_endpoint("off", AWS_STS, "us-east-1", "https://sts.us-east-1.amazonaws.com");
    CHECK_TEXT(aws_signing_region(AWS_ROUTE53, "eu-west-1"), "us-east-1");
    CHECK_TEXT(aws_signing_region(AWS_ACM, "eu-west-1"), "eu-west-1");
    char url[AWS_ENDPOINT_MAX];
    struct error error;
    CHECK(!aws_profile_endpoint(fixture.profiles, "wrong", AWS_S3, "us-east-1", url, &error));
    CHECK_CONTAINS(error.text, "there is no section [services nothing]");
    CHECK(!aws_profile_endpoint(fixture.profiles, "odd", AWS_S3, "us-east-1", url, &error));
    CHECK(strstr(error.text, "password") == NULL);
    CHECK(!aws_profile_endpoint(fixture.profiles, "fips", AWS_S3, "cn-north-1", url, &error));
    aws_fixture_close(&fixture);
    aws_fixture_open(&fixture,
                     ENVIRONMENT("AWS_ENDPOINT_URL=http://env", "AWS_ENDPOINT_URL_S3=http://s3"),
                     config, NULL);
    check_endpoint("named", AWS_S3, "us-east-1", "http://s3");
    check_endpoint("named", AWS_STS, "us-east-1", "http://env");
    check_endpoint("off", AWS_STS, "us-east-1", "https://sts.us-east-1.amazonaws.com");
    aws_fixture_close(&fixture);
}

static void regions_that_are_no_host_name_are_refused(void)
{
    struct error error;
    const char *region;
    aws_fixture_open(&fixture, NULL, "[default]\nregion = evil.example/\n", NULL);
    CHECK(!aws_profile_region(fixture.profiles, NULL, &region, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    aws_fixture_close(&fixture);
}

static void errors_in_files_say_where(void)
{
    struct error error;
    fixture = (struct aws_fixture){0};
    CHECK(
        !aws_fixture_read(&fixture, NULL, "[a]\naws_secret_access_key: SECRET\nSECRET\n", &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK_CONTAINS(error.text, ".aws/credentials:3: ");
    CHECK(strstr(error.text, "SECRET") == NULL);
    scratch_remove(&fixture.scratch);
}

static void keys_with_line_ends_are_refused(void)
{
    struct aws_credentials credentials;
    struct error error;
    aws_fixture_open(&fixture,
                     ENVIRONMENT("AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=SECRET\n"), NULL,
                     NULL);
    CHECK(!aws_credentials_get(fixture.profiles, NULL, AWS_NOW, &credentials, &error));
    CHECK_CONTAINS(error.text, "the secret access key holds a blank, a line end");
    CHECK(strstr(error.text, "SECRET") == NULL);
    aws_fixture_close(&fixture);
}

static void keys_that_have_expired_are_read_again(void)
{
    struct aws_credentials credentials;
    struct error error;
    aws_fixture_open(&fixture, NULL, NULL,
                     "[a]\naws_access_key_id = ASIAOLD\naws_secret_access_key = s\n"
                     "aws_session_token = t1\n");
    check_keys("a", "ASIAOLD", "s", "t1");
    aws_fixture_file(&fixture, ".aws/credentials",
                     "[b]\n[a]\naws_access_key_id = ASIANEW\naws_secret_access_key = s\n"
                     "aws_session_token = t2\n");
    check_keys("a", "ASIAOLD", "s", "t1");
    aws_credentials_expire(fixture.profiles, "a", "ASIAOLD");
    check_keys("a", "ASIANEW", "s", "t2");
    aws_fixture_file(&fixture, ".aws/credentials", "[b]\n");
    aws_credentials_expire(fixture.profiles, "a", "ASIANEW");
    CHECK(!aws_credentials_get(fixture.profiles, "a", AWS_NOW, &credentials, &error));
    CHECK_CONTAINS(error.text, "the profile is gone");
    aws_fixture_close(&fixture);
}

static const struct test tests[] = {
    TEST(files_are_read),
    TEST(the_credentials_file_goes_before_the_config_file),
    TEST(the_environment_goes_first_without_a_named_profile),
    TEST(a_default_profile_needs_no_file),
    TEST(paths_are_filled_in),
    TEST(half_pairs_are_named),
    TEST(chains_of_roles_are_checked),
    TEST(endpoints_are_found),
    TEST(regions_that_are_no_host_name_are_refused),
    TEST(errors_in_files_say_where),
    TEST(keys_with_line_ends_are_refused),
    TEST(keys_that_have_expired_are_read_again),
};

/* For tests/servers/test_aws_profiles.py: what the process's own environment and files lead to, as
 * JSON. Sends nothing when AWS_EC2_METADATA_DISABLED is true. */

static json_t *text_or_null(bool ok, const char *text)
{
    return ok ? json_string(text) : json_null();
}

static json_t *endpoints_json(struct aws_profiles *profiles, const char *profile,
                              const char *region)
{
    json_t *endpoints = json_object();
    for (unsigned service = AWS_ACM; service <= AWS_STS; service++) {
        char url[AWS_ENDPOINT_MAX];
        struct error error;
        bool ok =
            region != NULL && aws_profile_endpoint(profiles, profile, service, region, url, &error);
        json_object_set_new(endpoints, aws_service_name(service), text_or_null(ok, url));
    }
    return endpoints;
}

static json_t *key_json(struct aws_profiles *profiles, const char *profile)
{
    struct aws_credentials credentials;
    struct error error;
    char source[AWS_SOURCE_MAX];
    if (aws_profile_source(profiles, profile, source, &error) && strncmp(source, "role ", 5) == 0)
        return json_string("a role");
    if (!aws_credentials_get(profiles, profile, AWS_NOW, &credentials, &error))
        return json_null();
    json_t *key =
        json_pack("[s, s, s]", credentials.key_id, credentials.secret_key.data,
                  credentials.session_token.len > 0 ? credentials.session_token.data : "");
    aws_credentials_free(&credentials);
    return key;
}

static int resolve(const char *profile)
{
    struct aws_profiles *profiles;
    struct error error;
    const char *region = NULL;
    json_t *answer = json_object();
    if (aws_profiles_new(NULL, &profiles, &error)) {
        bool usable = aws_profile_check(profiles, profile, &error);
        if (!aws_profile_region(profiles, profile, &region, &error))
            region = NULL;
        json_object_set_new(answer, "usable", json_boolean(usable));
        json_object_set_new(answer, "region", text_or_null(region != NULL, region));
        json_object_set_new(answer, "key", key_json(profiles, profile));
        json_object_set_new(answer, "endpoints", endpoints_json(profiles, profile, region));
        aws_profiles_free(profiles);
    } else {
        json_object_set_new(answer, "error", json_string(error.text));
    }
    json_dumpf(answer, stdout, 0);
    json_decref(answer);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--resolve") == 0)
        return resolve(argc > 2 ? argv[2] : NULL);
    return tests_run(tests, sizeof tests / sizeof tests[0], argc, argv);
}
