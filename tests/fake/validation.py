"""http-01 validation for real (RFC 8555 section 8.3): fetches the answer from this machine."""

import asyncio

from fake.model import order_advance

FETCH_TIMEOUT_S = 5
ANSWER_MAX = 4096


def validate(port, authorization, challenge, thumbprint):
    """Starts a fetch; when it ends the authorization is valid or invalid."""
    task = asyncio.ensure_future(_validate(port, authorization, challenge, thumbprint))
    authorization.task = task  # keeps it alive


async def _validate(port, authorization, challenge, thumbprint):
    expected = f"{challenge.token}.{thumbprint}"
    try:
        found = await asyncio.wait_for(
            _fetch(port, authorization.value, challenge.token), FETCH_TIMEOUT_S)
        wrong = None if found == expected else "the key authorization is another"
    except (OSError, ValueError, asyncio.TimeoutError) as fault:
        wrong = f"fetching failed: {fault!r}"
    if wrong is None:
        challenge.status = authorization.status = "valid"
    else:
        challenge.status = authorization.status = "invalid"
        challenge.error = {"type": "urn:ietf:params:acme:error:unauthorized", "detail": wrong,
                           "status": 403}
    order_advance(authorization.order)


async def _fetch(port, name, token):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET /.well-known/acme-challenge/{token} HTTP/1.1\r\nHost: {name}\r\n"
                     "User-Agent: fake-ca\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read(ANSWER_MAX)
        while not reader.at_eof() and len(answer) < ANSWER_MAX:
            answer += await reader.read(ANSWER_MAX)
    finally:
        writer.close()
    head, _, body = answer.decode("latin-1").partition("\r\n\r\n")
    if not head.startswith("HTTP/1.1 200 ") and not head.startswith("HTTP/1.0 200 "):
        raise ValueError(f"answer {head[:40]!r}")
    return body.strip()
