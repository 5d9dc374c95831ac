/* The values of options, each checked for what it may be. */
#ifndef CERTMILL_CA_PROGRAM_VALUES_H
#define CERTMILL_CA_PROGRAM_VALUES_H

#include "ca/program/options.h"

struct option_spec {
    const char *name;
    const char *argument; /* NULL: none */
    const char *help;     /* lines are broken by hand */
    bool (*take)(struct program_options *options, const struct option_spec *spec, const char *value,
                 struct error *error);
    size_t offset;     /* of what a simple value sets */
    unsigned long max; /* of a number */
};

bool take_flag(struct program_options *options, const struct option_spec *spec, const char *value,
               struct error *error) MUST_USE;
bool take_text(struct program_options *options, const struct option_spec *spec, const char *value,
               struct error *error) MUST_USE;
bool take_number(struct program_options *options, const struct option_spec *spec, const char *value,
                 struct error *error) MUST_USE;
bool take_seed(struct program_options *options, const struct option_spec *spec, const char *value,
               struct error *error) MUST_USE;
bool take_ready_fd(struct program_options *options, const struct option_spec *spec,
                   const char *value, struct error *error) MUST_USE;
bool take_key(struct program_options *options, const struct option_spec *spec, const char *value,
              struct error *error) MUST_USE;
bool take_eab(struct program_options *options, const struct option_spec *spec, const char *value,
              struct error *error) MUST_USE;
bool take_eab_file(struct program_options *options, const struct option_spec *spec,
                   const char *value, struct error *error) MUST_USE;
bool take_profile(struct program_options *options, const struct option_spec *spec,
                  const char *value, struct error *error) MUST_USE;
bool take_refused(struct program_options *options, const struct option_spec *spec,
                  const char *value, struct error *error) MUST_USE;
bool take_weather(struct program_options *options, const struct option_spec *spec,
                  const char *value, struct error *error) MUST_USE;

/* A JSON object from a file; the caller releases it. */
bool object_file_read(const char *path, json_t **ret_object, struct error *error) MUST_USE;

#endif
