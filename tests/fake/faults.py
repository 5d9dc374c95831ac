"""The script of what goes wrong.

A script is a list of rules, each an object:

    at           endpoint, or a list of them: directory newNonce newAccount account orders newOrder
                 order finalize authorization challenge certificate revoke; "any" is all of them
    state        only when the order concerned is in this state before the request
    name         only when a name of the order matches this glob
    nth, times   fires from the nth matching request on (1), so many times (1; 0: always)
    per_order    counts nth and times for each order apart
    probability  instead of nth and times: fires so often, by the script's seed
    fault        one of FAULTS, with the parameters that it names

The first rule that fires wins."""

import fnmatch
import json
import random
from email.utils import formatdate
import time

from fake.http1 import Response

NOT_PROCESSED = "the request is refused or dropped before it does anything"
PROCESSED = "the request does its work, the answer is spoilt"
ORDER = "the order takes another way; the answer is right"

FAULTS = {
    # 400 badNonce with a fresh nonce; the request's nonce is spent
    "badNonce": NOT_PROCESSED,
    # 429 with retry_after
    "rateLimited": NOT_PROCESSED,
    # 503 with retry_after, or none
    "unavailable": NOT_PROCESSED,
    # 500 with a page of HTML
    "html500": NOT_PROCESSED,
    # a problem document: status, type, detail, retry_after
    "problem": NOT_PROCESSED,
    # TCP reset
    "reset": NOT_PROCESSED,
    # finalize: 403 orderNotReady
    "orderNotReady": NOT_PROCESSED,
    # the connection ends without an answer
    "lost": PROCESSED,
    # Content-Length of the whole, half of the body
    "truncated": PROCESSED,
    # the answer after `seconds`
    "slow": PROCESSED,
    # half a JSON text, with its right length
    "invalidJson": PROCESSED,
    # a JSON text of another shape
    "wrongShape": PROCESSED,
    # another status: `status`
    "status": PROCESSED,
    # text/html instead of the right type
    "contentType": PROCESSED,
    # `bytes` of body (4 MiB)
    "oversized": PROCESSED,
    "noLocation": PROCESSED,
    "noNonce": PROCESSED,
    # Retry-After beside a good answer: retry_after
    "retryAfter": PROCESSED,
    # shows the order `pending`, though it is further on
    "pendingAgain": PROCESSED,
    # the order becomes invalid, with an error of its own
    "orderInvalid": ORDER,
    # the authorization and its order become invalid; the reason only in the challenge
    "authorizationInvalid": ORDER,
    # stays `processing` for so many `polls` after finalize
    "processing": ORDER,
}


def retry_after_value(value):
    """Seconds, or {"date": seconds from now} for the form with a date."""
    if isinstance(value, dict):
        return formatdate(time.time() + value["date"], usegmt=True)
    return str(value)


def matches_any(pattern, names):
    return any(fnmatch.fnmatchcase(name, pattern) for name in names)


class Rule:
    def __init__(self, text):
        self.text = dict(text)
        self.fault = text["fault"]
        if self.fault not in FAULTS:
            raise ValueError(f"no fault {self.fault!r}")
        at = text.get("at", "any")
        self._at = None if at == "any" else {at} if isinstance(at, str) else set(at)
        self._state = text.get("state")
        self._name = text.get("name")
        self._nth = text.get("nth", 1)
        self._times = text.get("times", 1)
        self._per_order = text.get("per_order", False)
        self._probability = text.get("probability")
        self._seen = {}
        self.fired = 0

    def fires(self, endpoint, order, chance):
        """Whether it strikes this request; counts the request when it matches."""
        if self._at is not None and endpoint not in self._at:
            return False
        if self._state is not None and (order is None or order.status != self._state):
            return False
        if self._name is not None and (order is None or not matches_any(self._name, order.names)):
            return False
        if self._probability is not None:
            strikes = chance.random() < self._probability
        else:
            key = order.id if self._per_order and order is not None else None
            count = self._seen[key] = self._seen.get(key, 0) + 1
            strikes = count >= self._nth and \
                (self._times == 0 or count < self._nth + self._times)
        self.fired += strikes
        return strikes


class Script:
    def __init__(self, rules=(), seed=1):
        self.rules = [Rule(each) for each in rules]
        self.needs_names = any("name" in rule.text for rule in self.rules)
        self._chance = random.Random(seed)

    @staticmethod
    def load(path):
        """A file with {"seed": 1, "rules": [...]} or just the list of rules."""
        with open(path, encoding="utf-8") as file:
            text = json.load(file)
        if isinstance(text, list):
            return Script(text)
        return Script(text.get("rules", ()), text.get("seed", 1))

    def pick(self, endpoint, order):
        """The rule that strikes this request, or None."""
        for rule in self.rules:
            if rule.fires(endpoint, order, self._chance):
                return rule
        return None


def problem(status, kind, detail, more=None):
    body = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail, "status": status}
    body.update(more or {})
    return Response(status, [("Content-Type", "application/problem+json")],
                    json.dumps(body).encode())


def refuse(rule):
    """The answer of a fault that is not processed. The caller adds the nonce to badNonce,
    rateLimited, problem and orderNotReady."""
    text = rule.text
    if rule.fault == "badNonce":
        return problem(400, "badNonce", "this nonce is not liked")
    if rule.fault == "orderNotReady":
        return problem(403, "orderNotReady", "the order is not ready yet")
    if rule.fault == "reset":
        return Response(reset=True)
    if rule.fault == "html500":
        return Response(500, [("Content-Type", "text/html")],
                        b"<html><body><h1>Internal error</h1></body></html>")
    if rule.fault == "rateLimited":
        answer = problem(429, "rateLimited", "too many requests of late")
    elif rule.fault == "unavailable":
        answer = Response(503, [("Content-Type", "text/plain")], b"busy")
    else:
        answer = problem(text.get("status", 400), text.get("type", "malformed"),
                         text.get("detail", "refused by the script"), text.get("more"))
    if "retry_after" in text:
        answer.set_header("Retry-After", retry_after_value(text["retry_after"]))
    return answer


def spoil(rule, answer):
    """Changes a good answer as the fault says."""
    text, fault = rule.text, rule.fault
    if fault == "lost":
        answer.lost = True
    elif fault == "truncated":
        answer.truncate_at = len(answer.body) // 2
    elif fault == "slow":
        answer.delay_s = text.get("seconds", 1)
    elif fault == "invalidJson":
        answer.body = answer.body[:len(answer.body) // 2]
    elif fault == "wrongShape":
        answer.body = b'["what", {"is": [null, 1e9, "this"]}]'
    elif fault == "status":
        answer.status = text["status"]
    elif fault == "contentType":
        answer.set_header("Content-Type", "text/html")
    elif fault == "oversized":
        answer.body = b"[" + b" " * text.get("bytes", 4 * 1024 * 1024) + b"]"
    elif fault == "noLocation":
        answer.drop_header("Location")
    elif fault == "noNonce":
        answer.drop_header("Replay-Nonce")
    elif fault == "retryAfter":
        answer.set_header("Retry-After", retry_after_value(text["retry_after"]))
    elif fault == "pendingAgain":
        body = json.loads(answer.body)
        if "status" in body:
            body["status"] = "pending"
            body.pop("certificate", None)
            answer.body = json.dumps(body).encode()
    return answer
