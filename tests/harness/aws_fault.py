"""Faults by rule, and quotas, for the gateway of aws.py."""

import threading
import time
from dataclasses import dataclass, field

KINDS = ("throttle", "error", "unavailable", "deny", "reply", "slow", "silent", "cut-before",
         "cut-after")


@dataclass
class Fault:
    """What happens to the calls that it matches; a member that is None matches all.

    throttle, error, unavailable: the service's own answer for it; deny: AccessDenied with the IAM
    action and the resource; reply: (status, headers, body) of `answer`, or AWS's error `code` with
    `message` and `status`; slow: `seconds` first, then as usual; silent: no answer until release()
    or the end; cut-before, cut-after: the connection ends before moto has the request, or after."""
    kind: str
    service: str = None
    operation: str = None
    region: str = None
    account: str = None
    count: int = None  # how many calls; None: all
    after: int = 0     # so many go through first
    seconds: float = 0
    code: str = None
    message: str = None
    status: int = None
    headers: dict = None
    answer: tuple = None
    hits: int = 0
    seen: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind} is none of {KINDS}")

    def release(self):
        """Lets the silent ones go on, and matches no more."""
        self.count = 0
        self.released.set()

    def takes(self, call):
        for name in ("service", "operation", "region", "account"):
            wanted = getattr(self, name)
            if wanted is not None and wanted != getattr(call, name):
                return False
        if self.count is not None and self.hits >= self.count:
            return False
        self.seen += 1
        if self.seen <= self.after:
            return False
        self.hits += 1
        return True


class Quota:
    """A token bucket for each account and region: what comes faster is throttled."""

    def __init__(self, per_second, burst):
        self.per_second, self.burst = per_second, burst
        self.buckets = {}
        self.throttled = 0

    def take(self, call):
        """False: over the quota. The caller holds the lock."""
        now = time.monotonic()
        tokens, at = self.buckets.get((call.account, call.region), (self.burst, now))
        tokens = min(self.burst, tokens + (now - at) * self.per_second)
        allowed = tokens >= 1
        self.buckets[call.account, call.region] = (tokens - 1 if allowed else tokens, now)
        self.throttled += not allowed
        return allowed
