"""Where the load CA may answer otherwise than Pebble, and why, for servers/test_ca_pebble.py."""

import fnmatch
from dataclasses import dataclass

from harness.answers import summary


@dataclass(frozen=True)
class Rule:
    """Covers one field of a step's answer, or all of an answer that is another altogether: then
    both are named by their summaries, as "403 unauthorized"."""

    conversation: str
    step: str  # a pattern, as file names have them
    ours: str  # None: not there
    pebble: str
    reason: str
    field: str = "*"

    def covers(self, conversation, step, field, ours, pebble):
        if self.conversation != conversation or not fnmatch.fnmatchcase(step, self.step):
            return False
        if self.field == "*":
            return (summary(ours), summary(pebble)) == (self.ours, self.pebble)
        return (field, ours.get(field), pebble.get(field)) == (self.field, self.ours, self.pebble)


def rule_for(*difference):
    return next((rule for rule in RULES if rule.covers(*difference)), None)


THERE = "there"
TYPE = "body.type"
ACME = "urn:ietf:params:acme:error:"
EMPTY_404 = "Pebble's 404 has no problem document, which RFC 8555 section 6.7 asks for"
ALGORITHM = "RFC 8555 section 6.2: badSignatureAlgorithm, with the algorithms that are taken"
KEY = "RFC 8555 section 6.7 has badPublicKey for keys that a server does not support"
URL = "RFC 8555 section 6.4: a url that is not the request's is refused as unauthorized"
UP = "RFC 8555 section 7.5.1: a challenge links to its authorization; Pebble's does after POST only"
CSR = "RFC 8555 section 6.7 has badCSR for a CSR that is not acceptable"
DEACTIVATED = "RFC 8555 section 7.3.6: 401 for deactivated accounts"
NAME = "no host name (RFC 1123 section 2.1); Pebble does not look at labels"
VALIDATED = "RFC 8555 section 8: when it was validated; Pebble tells when it was tried"
WHOSE = "RFC 8555 section 7.3.2: the URL is another account's; Pebble answers with the signer's own"
ACCOUNT_DNS = "Pebble's challenge of a draft (dns-account-01)"
RENEWAL = "RFC 9773 section 5; Pebble fails inside"
VALIDATED_AT = "body.challenges[].validated"

RULES = [
    Rule("directory_and_nonces", "unknown path*", "404 malformed", "404",
         "Pebble's web server answers in its place"),

    Rule("new_account", "not agreed*", f"{ACME}userActionRequired", f"{ACME}agreementRequired",
         "Pebble's type is in no RFC", TYPE),

    Rule("accounts", "another's", "403 unauthorized", "200", WHOSE),
    Rule("accounts", "unknown", "403 unauthorized", "200", WHOSE),
    Rule("accounts", "deactivated, *", "401 unauthorized", "403 unauthorized", DEACTIVATED),

    Rule("bindings", "another algorithm", "400 badSignatureAlgorithm", "403 unauthorized",
         ALGORITHM),
    Rule("bindings", "algorithm none", "400 badSignatureAlgorithm", "400 malformed", ALGORITHM),

    *(Rule("orders", step, "400 malformed", "201",
           "RFC 8555 section 7.4: a server that cannot fulfil the times must refuse the order")
      for step in ("time that is none", "end before start")),
    Rule("orders", "unknown profile", "400 invalidProfile", "201", "this Pebble has no profiles"),
    *(Rule("orders", f"name '{name}'", "400 malformed", "201", NAME)
      for name in ("a..example.com", ".example.com", "-a.example.com", "x*.example.com")),
    Rule("orders", "refused *", "400", None,
         "RFC 7807 section 3.1 lets a subproblem have its status", "body.subproblems[].status"),
    Rule("orders", "unknown type", "400 unsupportedIdentifier", "400 malformed",
         "RFC 8555 section 6.7 has unsupportedIdentifier for that"),
    Rule("orders", "unknown", "404 malformed", "404", EMPTY_404),
    Rule("orders", "list of another", "403 unauthorized", "404 malformed",
         "RFC 8555 section 7.1.2.1 says nothing; 403 as for all that is another's"),

    Rule("authorizations", "pending", "3 elements", "4 elements", ACCOUNT_DNS, "body.challenges"),
    Rule("authorizations", "pending", "dns-01 | http-01 | tls-alpn-01",
         "dns-01 | dns-account-01 | http-01 | tls-alpn-01", ACCOUNT_DNS, "body.challenges[].type"),
    Rule("authorizations", "wildcard", "1 elements", "2 elements", ACCOUNT_DNS, "body.challenges"),
    Rule("authorizations", "wildcard", "dns-01", "dns-01 | dns-account-01", ACCOUNT_DNS,
         "body.challenges[].type"),
    Rule("authorizations", "unknown", "404 malformed", "404", EMPTY_404),
    Rule("authorizations", "challenge, unknown", "404 malformed", "404", EMPTY_404),
    Rule("authorizations", "challenge, get", THERE, None, UP, "Link up"),
    Rule("authorizations", "challenge, valid", THERE, None, UP, "Link up"),
    Rule("authorizations", "challenge, start", THERE, None,
         "RFC 8555 section 8.2: Retry-After while a challenge is processing", "Retry-After"),
    Rule("authorizations", "deactivated, order", "invalid", "deactivated",
         "RFC 8555 section 7.1.6: no order is ever deactivated", "body.status"),

    Rule("certificates", "finalize, no DER", "400 badCSR", "400 malformed", CSR),
    Rule("certificates", "finalize, PEM", "400 badCSR", "400 malformed", CSR),
    *(Rule("certificates", f"finalize, {step}", "400 badCSR", "403 unauthorized", CSR)
      for step in ("other names", "a name less", "a name more")),
    *(Rule("certificates", step, THERE, None, "RFC 8555 section 7.4.2: a link to the issuer",
           "Link up") for step in ("certificate", "alternate")),
    Rule("certificates", "certificate, unknown", "404 malformed", "404", EMPTY_404),

    Rule("revocation", "reason -1", "400 badRevocationReason", "400 malformed",
         "RFC 8555 section 7.6 has badRevocationReason for reasons that are not allowed"),
    Rule("revocation", "by one who has its names", "200", "403 unauthorized",
         "RFC 8555 section 7.6: who holds authorizations for all its names may revoke"),

    Rule("key_change", "inner with nonce", "400 malformed", "200",
         "RFC 8555 section 7.3.5: the inner JWS must have no nonce"),
    Rule("key_change", "a taken key", "409 malformed", "200",
         "RFC 8555 section 7.3.5: 409 and the other account's URL; Pebble changes nothing either"),
    Rule("key_change", "good", "200", "200",
         "RFC 8555 section 7.3.5 leaves the body open; here it is the account"),

    Rule("renewal", "POST", "405 malformed", "500 serverInternal",
         "RFC 9773 section 4.1: it is asked for by GET"),
    Rule("renewal", "no id", "400 malformed", "404 malformed", "an empty id is no id"),
    Rule("renewal", "another's key id", "404 malformed", "400 malformed",
         "it may be another CA's certificate: unknown here"),
    Rule("renewal", "unknown serial", "404 malformed", "500 serverInternal", RENEWAL),
    Rule("renewal", "replaces, unknown", "404 malformed", "500 serverInternal", RENEWAL),
    Rule("renewal", "replaces, other names", "400 malformed", "500 serverInternal", RENEWAL),
    Rule("renewal", "replaces again", "409 alreadyReplaced", "201",
         "RFC 9773 section 5: an order that is not invalid replaces it already; Pebble looks at "
         "orders that are valid"),

    Rule("signed_requests", "another url", "403 unauthorized", "400 malformed", URL),
    Rule("signed_requests", "url of another host", "403 unauthorized", "400 malformed", URL),
    *(Rule("signed_requests", step, "400 badSignatureAlgorithm", "400 malformed", ALGORITHM)
      for step in ("algorithm *", "unknown algorithm", "no algorithm")),
    Rule("signed_requests", "content type with a parameter", "400 badNonce", "415 malformed",
         "a parameter makes no other media type (RFC 9110 section 8.3.1); it is passed over"),
    Rule("signed_requests", "key, *", f"{ACME}badPublicKey", f"{ACME}malformed", KEY, TYPE),

    Rule("failed_validation", "challenge", THERE, None, UP, "Link up"),
    Rule("failed_validation", "challenge", None, "time", VALIDATED, "body.validated"),
    Rule("failed_validation", "authorization", None, "time", VALIDATED, VALIDATED_AT),
    Rule("failed_validation", "deactivate", None, "time", VALIDATED, VALIDATED_AT),
    Rule("failed_validation", "deactivate", "invalid", "deactivated",
         "RFC 8555 section 7.1.6: invalid is an end", "body.status"),
]
