"""What the fake CA knows: accounts, orders, authorizations; and its record of what it saw."""

import secrets
import time
from dataclasses import dataclass, field

from fake.jose import JoseError, Jws


@dataclass
class Options:
    """How the CA behaves when nothing goes wrong."""

    authorizations: str = "valid"  # valid: pre-validated domains; pending: challenges are needed
    challenges: tuple = ("http-01", "dns-01", "tls-alpn-01")
    list_challenges: bool = True  # False: valid authorizations come without any challenge
    http_port: int = 0  # fetch http-01 answers from 127.0.0.1 at this port; 0: believe the client
    validation_polls: int = 0  # an authorization stays pending for so many looks
    processing_polls: int = 0  # an order stays `processing` for so many looks; 0: valid at once
    processing_s: float = 0  # and at least so long
    hold_processing: bool = False  # orders stay `processing` until this is False
    retry_after: object = None  # beside a `processing` order: seconds or {"date": seconds}
    eab: dict = None  # key id -> HMAC key in base64url; an account then needs a binding
    eab_once: bool = True  # a binding makes one account; another key is refused
    orders_list: bool = True
    orders_per_page: int = 20
    alternate_chain: bool = False
    root_in_chain: bool = False
    certificate_s: int = 90 * 86400
    finalize_location: bool = True
    forget_accounts: bool = False  # answers as a CA that lost its accounts: accountDoesNotExist
    blocked: tuple = ()  # names that newOrder rejects


@dataclass
class Account:
    id: str
    key: object
    contact: list
    eab: str = None
    status: str = "valid"
    orders: list = field(default_factory=list)


@dataclass
class Challenge:
    id: str
    kind: str
    token: str
    status: str = "pending"
    error: dict = None


@dataclass
class Authorization:
    id: str
    kind: str  # dns or ip
    value: str
    wildcard: bool
    order: object
    status: str = "pending"
    polls: int = 0
    answered: bool = False
    challenges: list = field(default_factory=list)


@dataclass
class Order:
    id: str
    account: Account
    identifiers: list  # (kind, value) as asked for
    status: str = "pending"
    authorizations: list = field(default_factory=list)
    error: dict = None
    polls: int = 0
    ready_at: float = 0
    certificate: str = None
    serial: str = None
    csr: object = None
    keys: list = field(default_factory=list)  # hash of the CSR's key, for each finalize accepted
    finalizes: int = 0
    challenges_answered: int = 0
    downloads: int = 0
    created: float = field(default_factory=time.monotonic)

    @property
    def names(self):
        return sorted(value for _, value in self.identifiers)


@dataclass
class Wanted:
    """An order that newOrder asks for and that is not made yet, for the script's rules."""

    names: list
    id: str = None
    status: str = "new"

    @staticmethod
    def read(body):
        try:
            identifiers = Jws(body).object().get("identifiers", [])
            return Wanted(sorted(each["value"] for each in identifiers))
        except (JoseError, KeyError, TypeError, AttributeError):
            return None


@dataclass
class Seen:
    """One request, as the tests look at it."""

    endpoint: str
    order: str  # id, or None
    account: str  # id, or None
    status: int
    fault: str  # name, or None
    at: float


class Book:
    """All that the CA remembers. Ids are not guessable, so that a client cannot make up URLs."""

    def __init__(self):
        self.accounts = {}
        self.accounts_by_key = {}
        self.orders = {}
        self.authorizations = {}
        self.challenges = {}
        self.requests = []
        self.violations = []  # what the client did against the protocol
        self.repeats = []  # endpoints of requests that came a second time as they were
        self.revoked = []
        self.eab_used = {}  # key id -> thumbprint of the account's key

    @staticmethod
    def new_id():
        return secrets.token_urlsafe(9)

    def add_order(self, account, identifiers, options):
        order = Order(self.new_id(), account, identifiers)
        for kind, value in identifiers:
            order.authorizations.append(self._add_authorization(order, kind, value, options))
        self.orders[order.id] = order
        account.orders.append(order)
        order_advance(order)
        return order

    def _add_authorization(self, order, kind, value, options):
        wildcard = value.startswith("*.")
        authorization = Authorization(self.new_id(), kind, value[2:] if wildcard else value,
                                      wildcard, order, status=options.authorizations)
        self.authorizations[authorization.id] = authorization
        if options.authorizations == "valid" and not options.list_challenges:
            return authorization
        token = secrets.token_urlsafe(32)
        for kind_of_challenge in options.challenges:
            if wildcard and kind_of_challenge != "dns-01":
                continue
            challenge = Challenge(self.new_id(), kind_of_challenge, token, options.authorizations)
            authorization.challenges.append(challenge)
            self.challenges[challenge.id] = (challenge, authorization)
        return authorization

    def orders_by_names(self):
        """names (a tuple, sorted) -> the orders for just these."""
        found = {}
        for order in list(self.orders.values()):
            found.setdefault(tuple(order.names), []).append(order)
        return found

    def count(self, endpoint, order=None):
        return sum(1 for each in list(self.requests) if each.endpoint == endpoint
                   and (order is None or each.order == order))


def order_advance(order):
    """pending -> ready once all authorizations are valid; -> invalid when one is."""
    if order.status != "pending":
        return
    states = {each.status for each in order.authorizations}
    if "invalid" in states:
        order.status = "invalid"
    elif states == {"valid"}:
        order.status = "ready"
