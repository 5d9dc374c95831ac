/* certmill aws policy. */
#ifndef CERTMILL_CLI_AWS_POLICY_H
#define CERTMILL_CLI_AWS_POLICY_H

#include "aws/profile.h"
#include "cli/options.h"

/* Prints the policy that the manifest's calls need, by --profile alone when it is given; without a
 * manifest, the one for all that certmill can do. Returns how certmill ends. */
int aws_policy_print(const struct command_options *options, struct aws_profiles *profiles);

#endif
