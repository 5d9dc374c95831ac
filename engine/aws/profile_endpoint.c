#include "aws/profile_set.h"

#include <stdio.h>
#include <string.h>

/* The partitions: what their regions begin with, and the domains of their services, over IPv4 and
 * over both (botocore, partitions.json and the endpoint rule sets). The last one is for all other
 * regions. */
static const struct partition {
    const char *name, *prefix;
    const char *domain, *dual_domain;
    const char *route53_region; /* of Route 53's one endpoint a partition, in its signatures */
    bool route53_global;        /* its name over both has a "global" */
    bool no_fips;
} partitions[] = {
    {"aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "cn-northwest-1", true,
     true},
    {"aws-us-gov", "us-gov-", "amazonaws.com", "api.aws", "us-gov-west-1", false, false},
    {"aws-iso", "us-iso-", "c2s.ic.gov", "api.aws.ic.gov", "us-iso-east-1", false, false},
    {"aws-iso-b", "us-isob-", "sc2s.sgov.gov", "api.aws.scloud", "us-isob-east-1", false, false},
    {"aws-iso-f", "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov", "us-isof-south-1", false,
     false},
    {"aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", "eu-isoe-west-1", false,
     false},
    {"aws-eusc", "eusc-", "amazonaws.eu", "api.amazonwebservices.eu", "eusc-de-east-1", true,
     false},
    {"aws", "", "amazonaws.com", "api.aws", "us-east-1", true, false},
};

static const char *const service_names[AWS_SERVICES] = {"acm", "route53", "s3", "sts"};
static const char *const service_variables[AWS_SERVICES] = {
    "AWS_ENDPOINT_URL_ACM",
    "AWS_ENDPOINT_URL_ROUTE_53",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_STS",
};

const char *aws_service_name(enum aws_service service)
{
    return service_names[service];
}

static const struct partition *partition_of(const char *region)
{
    size_t i = 0;
    while (strncmp(region, partitions[i].prefix, strlen(partitions[i].prefix)) != 0)
        i++;
    return &partitions[i];
}

/* The section that the profile's "services" names; a name without section is a mistake. */
static bool services_find(const struct aws_profiles *profiles, const struct profile *profile,
                          const struct profile_services **ret_services, struct error *error)
{
    const char *name = profile_setting(profile, SETTING_SERVICES);
    *ret_services = NULL;
    if (name == NULL)
        return true;
    /* The later of two with the same name counts. */
    for (size_t i = profiles->services_count; i-- > 0 && *ret_services == NULL;)
        if (strcmp(profiles->services[i].name, name) == 0)
            *ret_services = &profiles->services[i];
    return *ret_services != NULL ||
           error_set(error, ERROR_CONFIG,
                     "AWS profile %.100s: there is no section [services %.100s] in %s",
                     profile->name, name, profiles->config_file);
}

static bool configured(const struct aws_profiles *profiles, const struct profile *profile,
                       enum aws_service service, const char **ret_url, struct error *error)
{
    const char *ignore = environment_get(profiles, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    if (ignore == NULL)
        ignore = profile_setting(profile, SETTING_IGNORE_ENDPOINT_URLS);
    *ret_url = NULL;
    if (switch_is_on(ignore))
        return true;
    const char *url = environment_get(profiles, service_variables[service]);
    if (url == NULL)
        url = environment_get(profiles, "AWS_ENDPOINT_URL");
    if (url == NULL) {
        const struct profile_services *services;
        TRY(services_find(profiles, profile, &services, error));
        url = services != NULL ? services->endpoints[service] : NULL;
    }
    *ret_url = url != NULL ? url : profile_setting(profile, SETTING_ENDPOINT_URL);
    return true;
}

static bool configured_take(const char *configured_url, char *url, struct error *error)
{
    struct span text = span_of(configured_url);
    bool is_http = span_starts(text, "http://") || span_starts(text, "https://");
    for (size_t i = 0; i < text.len; i++)
        is_http &= text.data[i] > ' ' && text.data[i] != 0x7f;
    while (text.len > 0 && text.data[text.len - 1] == '/')
        text.len--;
    if (!is_http || span_ends(text, ":") || memchr(text.data, '@', text.len) != NULL ||
        memchr(text.data, '?', text.len) != NULL || memchr(text.data, '#', text.len) != NULL)
        return error_set(error, ERROR_CONFIG,
                         "the AWS endpoint \"%.100s\" is no URL of the form https://HOST[:PORT]",
                         memchr(text.data, '@', text.len) != NULL ? "..." : configured_url);
    if (text.len >= AWS_ENDPOINT_MAX)
        return error_set(error, ERROR_CONFIG, "an AWS endpoint is longer than %d bytes",
                         AWS_ENDPOINT_MAX - 1);
    memcpy(url, text.data, text.len);
    url[text.len] = '\0';
    return true;
}

static bool is_on(const struct aws_profiles *profiles, const struct profile *profile,
                  const char *variable, enum setting setting)
{
    const char *value = environment_get(profiles, variable);
    return switch_is_on(value != NULL ? value : profile_setting(profile, setting));
}

static bool is_gov(const struct partition *partition)
{
    return strcmp(partition->prefix, "us-gov-") == 0;
}

static void route53_endpoint(const struct partition *partition, bool fips, bool dual, char *url)
{
    const char *middle = is_gov(partition)                   ? "us-gov."
                         : dual && partition->route53_global ? "global."
                                                             : "";
    snprintf(url, AWS_ENDPOINT_MAX, "https://route53%s.%s%s",
             fips && !is_gov(partition) ? "-fips" : "", middle,
             dual ? partition->dual_domain : partition->domain);
}

/* (docs.aws.amazon.com/general, "Service endpoints and quotas") */
static bool standard(enum aws_service service, const char *region, bool fips, bool dual, char *url,
                     struct error *error)
{
    const struct partition *partition = partition_of(region);
    if (fips && partition->no_fips)
        return error_set(error, ERROR_CONFIG, "the AWS region %s has no FIPS endpoints", region);
    if (service == AWS_ROUTE53) {
        route53_endpoint(partition, fips, dual, url);
    } else if (service == AWS_S3) {
        snprintf(url, AWS_ENDPOINT_MAX, "https://s3%s%s.%s.%s", fips ? "-fips" : "",
                 dual ? ".dualstack" : "", region, partition->domain);
    } else {
        /* In the GovCloud regions the endpoints of ACM and STS are FIPS ones by themselves. */
        bool suffix = fips && (dual || !is_gov(partition));
        snprintf(url, AWS_ENDPOINT_MAX, "https://%s%s.%s.%s", service_names[service],
                 suffix ? "-fips" : "", region, dual ? partition->dual_domain : partition->domain);
    }
    return true;
}

const char *aws_signing_region(enum aws_service service, const char *region)
{
    return service == AWS_ROUTE53 ? partition_of(region)->route53_region : region;
}

const char *aws_partition(const char *region)
{
    return partition_of(region)->name;
}

bool aws_profile_endpoint(struct aws_profiles *profiles, const char *profile,
                          enum aws_service service, const char *region, char *url,
                          struct error *error)
{
    const struct profile *found = NULL;
    const char *own;
    TRY(profile_get(profiles, profile, &found, error));
    TRY(configured(profiles, found, service, &own, error));
    if (own != NULL)
        return configured_take(own, url, error);
    return standard(
        service, region, is_on(profiles, found, "AWS_USE_FIPS_ENDPOINT", SETTING_USE_FIPS),
        is_on(profiles, found, "AWS_USE_DUALSTACK_ENDPOINT", SETTING_USE_DUALSTACK), url, error);
}
