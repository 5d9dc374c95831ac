/* The certificate that --name or --arn means. */
#ifndef CERTMILL_CLI_CERTIFICATE_FIND_H
#define CERTMILL_CLI_CERTIFICATE_FIND_H

#include "cli/inputs.h"

/* Gives the name of a certificate of the manifest: --name as it stands, or the one that has --arn
 * by the manifest or by the state. The text belongs to the manifest. ERROR_NOT_FOUND says where it
 * was looked for, and names that are near. */
bool certificate_find(const struct command_options *options, const struct inputs *inputs,
                      const char **ret_name, struct error *error) MUST_USE;

#endif
