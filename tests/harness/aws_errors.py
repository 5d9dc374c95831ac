"""The error bodies of AWS's services, as their references document them: JSON 1.1 (ACM) and the
three shapes of XML (STS and IAM, Route 53, S3)."""

import json
import uuid
from xml.sax.saxutils import escape

from harness.aws_signature import stamp

_MISMATCH = ("The request signature we calculated does not match the signature you provided. Check "
             "your AWS Secret Access Key and signing method. Consult the service documentation for "
             "details.")
# What goes wrong -> service -> status, code, message; None: the message that comes with it.
_QUERY = {
    "missing": (403, "MissingAuthenticationToken", "Request is missing Authentication Token"),
    "unknown-key": (403, "InvalidClientTokenId",
                    "The security token included in the request is invalid."),
    "token": (403, "InvalidClientTokenId",
              "The security token included in the request is invalid"),
    "expired": (403, "ExpiredToken", "The security token included in the request is expired"),
    "signature": (403, "SignatureDoesNotMatch", _MISMATCH),
    "scope": (403, "SignatureDoesNotMatch", None),
    "skew": (403, "SignatureDoesNotMatch", None),
    "denied": (403, "AccessDenied", None),
    "throttle": (400, "Throttling", "Rate exceeded"),
    "error": (500, "InternalFailure",
              "The request processing has failed because of an unknown error, exception or failure."),
    "unavailable": (503, "ServiceUnavailable", "The request has failed due to a temporary failure of "
                    "the server."),
}
REFUSALS = {
    "sts": _QUERY,
    "route53": _QUERY,
    "iam": _QUERY,
    "acm": {
        "missing": (400, "MissingAuthenticationTokenException", "Missing Authentication Token"),
        "unknown-key": (400, "UnrecognizedClientException",
                        "The security token included in the request is invalid."),
        "token": (400, "UnrecognizedClientException",
                  "The security token included in the request is invalid."),
        "expired": (400, "ExpiredTokenException",
                    "The security token included in the request is expired"),
        "signature": (400, "InvalidSignatureException", _MISMATCH),
        "scope": (400, "InvalidSignatureException", None),
        "skew": (400, "InvalidSignatureException", None),
        "denied": (400, "AccessDeniedException", None),
        "throttle": (400, "ThrottlingException", "Rate exceeded"),
        "error": (500, "InternalServerException", "Internal service error."),
        "unavailable": (503, "ServiceUnavailableException", "Service unavailable"),
    },
    "s3": {
        "missing": (403, "AccessDenied", "Access Denied"),
        "unknown-key": (403, "InvalidAccessKeyId",
                        "The AWS Access Key Id you provided does not exist in our records."),
        "token": (400, "InvalidToken", "The provided token is malformed or otherwise invalid."),
        "expired": (400, "ExpiredToken", "The provided token has expired."),
        "signature": (403, "SignatureDoesNotMatch",
                      "The request signature we calculated does not match the signature you provided. "
                      "Check your key and signing method."),
        "scope": (400, "AuthorizationHeaderMalformed", None),
        "skew": (403, "RequestTimeTooSkewed",
                 "The difference between the request time and the current time is too large."),
        "denied": (403, "AccessDenied", None),
        "throttle": (503, "SlowDown", "Please reduce your request rate."),
        "error": (500, "InternalError", "We encountered an internal error. Please try again."),
        "unavailable": (503, "ServiceUnavailable", "Service is unable to handle request."),
    },
}


def error_answer(service, code, message=None, status=None, **more):
    """(status, headers, body) for a word of REFUSALS or a code of AWS's. `more`: further members
    of S3's body, such as Region."""
    default = REFUSALS[service].get(code)
    if default:
        if code == "skew" and service == "s3":
            more = {"RequestTime": more["date"], "ServerTime": stamp(more["now"]),
                    "MaxAllowedSkewMilliseconds": 900000}
            message = None
        # Why a signature is wrong is for the test's eyes alone: AWS does not say.
        status, code, message = (status or default[0], default[1],
                                 message if default[2] is None else default[2])
    status = status or 400
    message = message or ""
    request_id = str(uuid.uuid4())
    more = {name: value for name, value in more.items() if name[0].isupper()}
    if service == "acm":
        return (status, {"Content-Type": "application/x-amz-json-1.1",
                         "x-amzn-RequestId": request_id, "x-amzn-ErrorType": code},
                json.dumps({"__type": code, "message": message}).encode())
    if service == "s3":
        inside = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in more.items())
        body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
                f"<Message>{escape(message)}</Message>{inside}<RequestId>{request_id}</RequestId>"
                "<HostId>host</HostId></Error>")
        return (status, {"Content-Type": "application/xml", "x-amz-request-id": request_id,
                         "x-amz-id-2": "host"}, body.encode())
    space = {"sts": "https://sts.amazonaws.com/doc/2011-06-15/",
             "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
             "route53": "https://route53.amazonaws.com/doc/2013-04-01/"}[service]
    if code in ("InvalidChangeBatch",):
        body = (f'<?xml version="1.0"?>\n<{code} xmlns="{space}"><Messages><Message>'
                f"{escape(message)}</Message></Messages><RequestId>{request_id}</RequestId></{code}>")
    else:
        kind = "Sender" if status < 500 else "Receiver"
        body = (f'<ErrorResponse xmlns="{space}">\n  <Error>\n    <Type>{kind}</Type>\n'
                f"    <Code>{code}</Code>\n    <Message>{escape(message)}</Message>\n  </Error>\n"
                f"  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n")
    return (status, {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}, body.encode())
