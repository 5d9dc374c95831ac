#include "config/enrolled.h"

#include "io/yaml_document.h"

#include <stdlib.h>
#include <string.h>

static const char header[] = "# Kept by \"certmill enroll\". What it says may be changed, but a "
                             "comment lasts only until the\n"
                             "# next enrolment. Renewal: certmill run THIS-FILE, from a timer.\n";

static void document_release(struct yaml_document **document)
{
    yaml_document_free(*document);
}

static bool put_text(struct yaml_document *document, yaml_node mapping, const char *key,
                     const char *text)
{
    return text == NULL || yaml_put(document, mapping, key, yaml_text_new(document, text));
}

/* The list under the key, made when there is none, or nothing but the key. */
static yaml_node list_have(struct yaml_document *document, yaml_node mapping, const char *key)
{
    yaml_node list = yaml_get(document, mapping, key);
    if (yaml_is_list(document, list))
        return list;
    list = yaml_list_new(document);
    return yaml_put(document, mapping, key, list) ? list : 0;
}

static yaml_node entry_find(struct yaml_document *document, yaml_node list, const char *name)
{
    yaml_node entry;
    for (size_t i = 0; (entry = yaml_at(document, list, i)) != 0; i++)
        if (span_is(yaml_text(document, yaml_get(document, entry, "name")), name))
            return entry;
    return 0;
}

static bool put_domains(struct yaml_document *document, yaml_node entry, const char *domains)
{
    yaml_node list = yaml_list_new(document);
    struct span rest = span_of(domains);
    while (rest.data != NULL) {
        struct span domain = span_trim(span_split(&rest, ','));
        char *text = span_duplicate(domain);
        bool added = text != NULL && yaml_append(document, list, yaml_text_new(document, text));
        free(text);
        TRY(added);
    }
    return yaml_put(document, entry, "domains", list);
}

static bool put_key(struct yaml_document *document, yaml_node entry,
                    const struct enrolment *enrolment)
{
    if (enrolment->key_type == NULL)
        return true;
    yaml_node key = yaml_mapping_new(document);
    return put_text(document, key, "type", enrolment->key_type) &&
           put_text(document, key, "size", enrolment->key_size) &&
           yaml_put(document, entry, "key", key);
}

/* A value that is not given counts as "". */
static bool value_is(struct yaml_document *document, yaml_node mapping, const char *key,
                     const char *value)
{
    return span_is(yaml_text(document, yaml_get(document, mapping, key)),
                   value != NULL ? value : "");
}

static bool has_target(struct yaml_document *document, yaml_node list,
                       const struct enrolment *enrolment)
{
    yaml_node target;
    for (size_t i = 0; (target = yaml_at(document, list, i)) != 0; i++) {
        yaml_node acm = yaml_get(document, target, "acm");
        if (acm != 0 && value_is(document, acm, "profile", enrolment->profile) &&
            value_is(document, acm, "region", enrolment->region) &&
            value_is(document, acm, "arn", enrolment->arn))
            return true;
    }
    return false;
}

static bool put_target(struct yaml_document *document, yaml_node entry,
                       const struct enrolment *enrolment)
{
    if (!enrolment->acm)
        return true;
    yaml_node list = list_have(document, entry, "deploy");
    if (has_target(document, list, enrolment))
        return true;
    yaml_node acm = yaml_mapping_new(document);
    yaml_node target = yaml_mapping_new(document);
    return put_text(document, acm, "profile", enrolment->profile) &&
           put_text(document, acm, "region", enrolment->region) &&
           put_text(document, acm, "arn", enrolment->arn) &&
           yaml_put(document, target, "acm", acm) && yaml_append(document, list, target);
}

static bool has_domain(struct yaml_document *document, yaml_node list, struct span domain)
{
    yaml_node element;
    for (size_t i = 0; (element = yaml_at(document, list, i)) != 0; i++)
        if (span_equal_nocase(yaml_text(document, element), domain))
            return true;
    return false;
}

/* As sets; what stands in a list twice does not matter. */
static bool domains_equal(struct yaml_document *document, yaml_node entry, const char *domains)
{
    yaml_node list = yaml_get(document, entry, "domains");
    struct span rest = span_of(domains);
    size_t given = 0;
    for (; rest.data != NULL; given++)
        TRY(has_domain(document, list, span_trim(span_split(&rest, ','))));
    return yaml_at(document, list, given) == 0;
}

/* A name that the operator did not choose must not replace what was enrolled for other domains. */
static bool name_check(struct yaml_document *document, const struct enrolment *enrolment,
                       struct error *error)
{
    yaml_node list = yaml_get(document, yaml_root(document), "certificates");
    yaml_node entry = entry_find(document, list, enrolment->name);
    if (entry == 0 || enrolment->name_chosen || domains_equal(document, entry, enrolment->domains))
        return true;
    return error_set(error, ERROR_CONFIG,
                     "%s is enrolled with other domains: give --name %s to change it, or another "
                     "--name for a second certificate",
                     enrolment->name, enrolment->name);
}

static bool entry_put(struct yaml_document *document, const struct enrolment *enrolment,
                      bool *ret_is_new)
{
    yaml_node list = list_have(document, yaml_root(document), "certificates");
    yaml_node entry = entry_find(document, list, enrolment->name);
    bool is_new = entry == 0;
    if (is_new) {
        entry = yaml_mapping_new(document);
        TRY(yaml_append(document, list, entry));
    }
    *ret_is_new = is_new;
    return put_text(document, entry, "name", enrolment->name) &&
           put_domains(document, entry, enrolment->domains) &&
           put_text(document, entry, "account", enrolment->account) &&
           put_text(document, entry, "challenge", enrolment->challenge) &&
           put_key(document, entry, enrolment) && put_target(document, entry, enrolment);
}

/* A new manifest's accounts file, with the profile that later runs need to fetch it from S3. */
static bool accounts_put_new(struct yaml_document *document, const struct enrolment *enrolment)
{
    yaml_node root = yaml_root(document);
    TRY(put_text(document, root, "accounts", enrolment->accounts_file));
    if (enrolment->profile == NULL || !span_starts(span_of(enrolment->accounts_file), "s3://"))
        return true;
    yaml_node aws = yaml_get(document, root, "aws");
    if (aws == 0) {
        aws = yaml_mapping_new(document);
        TRY(yaml_put(document, root, "aws", aws));
    }
    return put_text(document, aws, "accounts-profile", enrolment->profile);
}

/* One manifest has one accounts file. */
static bool accounts_put(struct yaml_document *document, const struct enrolment *enrolment,
                         struct error *error)
{
    const char *accounts_file = enrolment->accounts_file;
    struct span known = yaml_text(document, yaml_get(document, yaml_root(document), "accounts"));
    if (known.len > 0 && accounts_file != NULL && !span_is(known, accounts_file))
        return error_set(error, ERROR_CONFIG,
                         "it uses the accounts file %.*s, not %s: give that one, or another state "
                         "folder with --state",
                         SPAN_PRINTF(known), accounts_file);
    if (known.len > 0)
        return true;
    if (accounts_file == NULL)
        return error_set(error, ERROR_CONFIG,
                         "--accounts is missing: the first enrolment needs to know the accounts "
                         "file");
    return accounts_put_new(document, enrolment) ||
           error_set(error, ERROR_MEMORY, "no memory for the enrolment");
}

static bool text_write(struct yaml_document *document, struct buf *out, struct error *error)
{
    return (buf_append_text(out, header) ||
            error_set(error, ERROR_MEMORY, "no memory for the enrolment")) &&
           yaml_document_write(document, out, error);
}

bool enrolled_put(struct span text, const struct enrolment *enrolment, struct buf *out,
                  bool *ret_is_new, struct error *error)
{
    CLEANUP(document_release) struct yaml_document *document = NULL;
    bool is_new;
    TRY(yaml_document_parse(text, &document, error));
    if (yaml_get(document, yaml_root(document), "version") == 0 &&
        !put_text(document, yaml_root(document), "version", "1"))
        return error_set(error, ERROR_MEMORY, "no memory for the enrolment");
    TRY(accounts_put(document, enrolment, error));
    TRY(name_check(document, enrolment, error));
    if (!entry_put(document, enrolment, &is_new))
        return error_set(error, ERROR_MEMORY, "no memory for the enrolment");
    TRY(text_write(document, out, error));
    *ret_is_new = is_new;
    return true;
}
