"""What an ACME server answers, reduced to what two servers can be compared by: the status, the
media type, which headers there are, the members of the JSON and their types, problem types."""

import re

HEADERS = ("Location", "Retry-After", "Replay-Nonce", "Allow")
# Members whose text is part of the protocol, not only its type.
EXACT = ("status", "type", "externalAccountRequired", "wildcard")
_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")


def _kind(value):
    if value is None:
        return "null"
    if isinstance(value, str):
        if value.startswith("https://"):
            return "URL"
        return "time" if _TIME.match(value) else "text"
    return {bool: "flag", int: "number", float: "number"}[type(value)]


def _walk(path, value, shape):
    if isinstance(value, dict):
        shape.setdefault(path, "object")
        for name, member in value.items():
            _walk(f"{path}.{name}", member, shape)
    elif isinstance(value, list):
        shape.setdefault(path, f"{len(value)} elements")
        for element in value:
            _walk(f"{path}[]", element, shape)
    else:
        what = str(value) if path.rpartition(".")[2] in EXACT else _kind(value)
        known = shape[path].split(" | ") if path in shape else []
        shape[path] = " | ".join(sorted({*known, what}))


def shape_of(answer):
    """Field -> what it is, for a fake.client.Answer."""
    shape = {"status": str(answer.status)}
    media = answer.headers.get_content_type() if "Content-Type" in answer.headers else None
    for name in HEADERS:
        if name in answer.headers:
            shape[name] = "there"
    links = answer.headers.get_all("Link", [])
    for relation in re.findall(r'rel="([^"]*)"', " ".join(links)):
        shape[f"Link {relation}"] = "there"
    if not answer.body:
        shape["body"] = "empty"
    elif media in ("application/json", "application/problem+json"):
        _walk("body", answer.json(), shape)
    elif media == "application/pem-certificate-chain":
        shape["body"] = f"{answer.body.count(b'-----BEGIN CERTIFICATE-----')} certificates"
    if answer.body:
        shape["Content-Type"] = str(media)
    return shape


def summary(shape):
    """The status and the problem's type: "403 unauthorized"."""
    problem = shape.get("body.type", "") if shape.get("body.detail") else ""
    return " ".join(filter(None, [shape["status"], problem.rpartition(":")[2]]))


def differences(ours, theirs):
    """The fields that are not the same, or not in both."""
    return [field for field in sorted({*ours, *theirs}) if ours.get(field) != theirs.get(field)]
