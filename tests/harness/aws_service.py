"""Which service and operation of AWS a request is for, and the IAM action and resource it needs."""

import json
import re
from urllib.parse import parse_qs, unquote

# Signed by nobody: the web identity's token stands for the caller.
UNSIGNED = {"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"}
ROUTE53_OPERATIONS = [
    ("GET", r"/2013-04-01/hostedzone", "ListHostedZones"),
    ("POST", r"/2013-04-01/hostedzone", "CreateHostedZone"),
    ("GET", r"/2013-04-01/hostedzonesbyname", "ListHostedZonesByName"),
    ("GET", r"/2013-04-01/hostedzone/([^/]+)", "GetHostedZone"),
    ("DELETE", r"/2013-04-01/hostedzone/([^/]+)", "DeleteHostedZone"),
    ("GET", r"/2013-04-01/hostedzone/([^/]+)/rrset", "ListResourceRecordSets"),
    ("POST", r"/2013-04-01/hostedzone/([^/]+)/rrset", "ChangeResourceRecordSets"),
    ("GET", r"/2013-04-01/change/([^/]+)", "GetChange"),
]
_S3_ACTIONS = {"ListBuckets": "ListAllMyBuckets", "HeadObject": "GetObject",
               "HeadBucket": "ListBucket", "ListObjects": "ListBucket"}


def _s3_operation(method, path, query):
    bucket, _, key = path.lstrip("/").partition("/")
    if not bucket:
        return "ListBuckets"
    if key:
        return {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject",
                "DELETE": "DeleteObject"}.get(method, "Object")
    if method == "GET":
        return "GetBucketLocation" if "location" in query else "ListObjects"
    return {"HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}.get(method, "Bucket")


def _route53_operation(method, path):
    for wanted, pattern, operation in ROUTE53_OPERATIONS:
        if method == wanted and re.fullmatch(pattern, path.rstrip("/")):
            return operation
    return "Unknown"


def service_of(request, scope):
    """(service, operation) of a request, signed or not."""
    target = request.headers.get("X-Amz-Target", "")
    path, _, query = request.target.partition("?")
    if target.startswith("CertificateManager."):
        return "acm", target.partition(".")[2]
    service = scope.service if scope else None
    form = parse_qs(request.body.decode("latin-1")) if request.method == "POST" and path == "/" else {}
    if service in (None, "sts", "iam") and "Action" in form:
        return service or "sts", form["Action"][0]
    if service == "route53" or path.startswith("/2013-04-01/"):
        return "route53", _route53_operation(request.method, path)
    if service == "sts":
        return "sts", parse_qs(query).get("Action", ["Unknown"])[0]
    return "s3", _s3_operation(request.method, path, query)


def action_of(service, operation):
    """The IAM action: "s3:GetObject"."""
    if service == "s3":
        operation = _S3_ACTIONS.get(operation, operation)
    return f"{service}:{operation}"


def resource_of(request, service, region, account):
    """The resource as AWS names it in "is not authorized to perform ... on resource: ..."."""
    path = unquote(request.target.partition("?")[0])
    if service == "s3":
        return f"arn:aws:s3:::{path.lstrip('/')}"
    if service == "route53":
        zone = re.search(r"/hostedzone/([^/]+)", path)
        return f"arn:aws:route53:::hostedzone/{zone.group(1) if zone else '*'}"
    if service == "sts":
        form = parse_qs(request.body.decode("latin-1"))
        return form.get("RoleArn", ["*"])[0]
    try:
        arn = json.loads(request.body).get("CertificateArn")
    except ValueError:
        arn = None
    return arn or f"arn:aws:acm:{region}:{account}:certificate/*"
