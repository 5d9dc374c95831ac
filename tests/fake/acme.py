"""The ACME resources (RFC 8555 section 7) of the fake CA."""

import fnmatch
import json
import time

from fake import faults
from fake.gate import Gate, Refusal
from fake.http1 import Response
from fake.issuer import Csr, CsrError
from fake.jose import JoseError, check_binding, decode
from fake.model import Account, order_advance
from fake.validation import validate


class Acme(Gate):
    @staticmethod
    def _json(status, body, headers=()):
        return Response(status, [("Content-Type", "application/json"), *headers],
                        json.dumps(body).encode())

    def _directory(self):
        body = {"newNonce": f"{self.base}/nonce", "newAccount": f"{self.base}/new-account",
                "newOrder": f"{self.base}/new-order", "revokeCert": f"{self.base}/revoke",
                "meta": {"termsOfService": f"{self.base}/terms",
                         "externalAccountRequired": self.options.eab is not None}}
        return self._json(200, body)

    def _account_answer(self, status, account):
        body = {"status": account.status, "contact": account.contact}
        if self.options.orders_list:
            body["orders"] = f"{self.base}/orders/{account.id}"
        return self._json(status, body, [("Location", f"{self.base}/account/{account.id}")])

    def _new_account(self, jws, key, seen):
        request = jws.object()
        known = self.book.accounts_by_key.get(key.thumbprint)
        if known is not None and not self.options.forget_accounts:
            seen.account = known.id
            return self._account_answer(200, known)
        if request.get("onlyReturnExisting"):
            raise Refusal(400, "accountDoesNotExist", "no account with this key")
        if request.get("termsOfServiceAgreed") is not True:
            raise Refusal(403, "userActionRequired", "the terms of service are not agreed to")
        eab = self._binding(request, jws, key) if self.options.eab is not None else None
        account = Account(self.book.new_id(), key, request.get("contact", []), eab)
        self.book.accounts[account.id] = account
        self.book.accounts_by_key[key.thumbprint] = account
        self.options.forget_accounts = False
        seen.account = account.id
        return self._account_answer(201, account)

    def _binding(self, request, jws, key):
        if "externalAccountBinding" not in request:
            raise Refusal(403, "externalAccountRequired", "an external account is required")
        identifier = check_binding(
            request["externalAccountBinding"],
            lambda kid: decode(self.options.eab[kid]) if kid in self.options.eab else None,
            jws.header["url"], jws.header["jwk"])
        used = self.book.eab_used.setdefault(identifier, key.thumbprint)
        if self.options.eab_once and used != key.thumbprint:
            raise Refusal(403, "unauthorized",
                          "The account is not awaiting external account binding")
        return identifier

    def _account(self, _jws, account, _rest, _query, _rule, _seen):
        return self._account_answer(200, account)

    def _orders(self, _jws, account, rest, query, _rule, _seen):
        if rest != account.id:
            raise Refusal(403, "unauthorized", "another account's orders")
        begin = int(query.partition("=")[2] or 0)
        end = begin + self.options.orders_per_page
        urls = [f"{self.base}/order/{order.id}" for order in account.orders[begin:end]]
        headers = []
        if end < len(account.orders):
            headers = [("Link", f'<{self.base}/orders/{rest}?cursor={end}>;rel="next"')]
        return self._json(200, {"orders": urls}, headers)

    def _new_order(self, jws, account, _rest, _query, rule, seen):
        request = jws.object()
        identifiers = []
        for each in request.get("identifiers") or []:
            kind, value = each.get("type"), each.get("value")
            if kind not in ("dns", "ip") or not isinstance(value, str) or value != value.lower():
                raise Refusal(400, "unsupportedIdentifier", f"{each!r} is no identifier")
            if any(fnmatch.fnmatchcase(value, pattern) for pattern in self.options.blocked):
                raise Refusal(400, "rejectedIdentifier", f"{value} is blocked by policy", {
                    "subproblems": [{"type": "urn:ietf:params:acme:error:rejectedIdentifier",
                                     "detail": "blocked", "identifier": each}]})
            if (kind, value) not in identifiers:
                identifiers.append((kind, value))
        if not identifiers:
            raise Refusal(400, "malformed", "no identifiers")
        order = self.book.add_order(account, identifiers, self.options)
        seen.order = order.id
        self._apply(rule, order)
        return self._order_answer(201, order)

    def _order_body(self, order):
        body = {"status": order.status, "finalize": f"{self.base}/finalize/{order.id}",
                "expires": "2100-01-01T00:00:00Z",
                "identifiers": [{"type": kind, "value": value}
                                for kind, value in order.identifiers],
                "authorizations": [f"{self.base}/authz/{each.id}"
                                   for each in order.authorizations]}
        if order.error:
            body["error"] = order.error
        if order.status == "valid":
            body["certificate"] = f"{self.base}/cert/{order.id}"
        return body

    def _order_answer(self, status, order, location=True):
        headers = [("Location", f"{self.base}/order/{order.id}")] if location else []
        if order.status == "processing" and self.options.retry_after is not None:
            headers.append(("Retry-After",
                            faults.retry_after_value(self.options.retry_after)))
        return self._json(status, self._order_body(order), headers)

    def _own_order(self, account, rest):
        order = self.book.orders.get(rest.partition("/")[0])
        if order is None:
            raise Refusal(404, "malformed", "no such order")
        if order.account is not account:
            raise Refusal(403, "unauthorized", "another account's order")
        return order

    def _order(self, jws, account, rest, _query, rule, _seen):
        order = self._own_order(account, rest)
        self._get_only(jws)
        self._apply(rule, order)
        if order.status == "processing":
            order.polls -= 1
            self._complete(order)
        return self._order_answer(200, order, location=False)

    def _finalize(self, jws, account, rest, _query, rule, _seen):
        order = self._own_order(account, rest)
        if order.status != "ready":
            raise Refusal(403, "orderNotReady", f"the order is {order.status}")
        try:
            csr = Csr(decode(jws.object().get("csr")))
        except CsrError as fault:
            self.book.violations.append(f"finalize: {fault}")
            raise Refusal(400, "badCSR", str(fault)) from None
        if csr.names != sorted(order.identifiers):
            self.book.violations.append(f"finalize: names {csr.names} for {order.identifiers}")
            raise Refusal(400, "badCSR", "the CSR's names are not the order's")
        order.csr = csr
        order.keys.append(csr.key_hash)
        order.finalizes += 1
        order.status = "processing"
        order.polls = self.options.processing_polls
        order.ready_at = time.monotonic() + self.options.processing_s
        self._apply(rule, order)
        self._complete(order)
        return self._order_answer(200, order, self.options.finalize_location)

    def _complete(self, order):
        """processing -> valid once nothing holds it back."""
        if order.status == "processing" and order.polls <= 0 and \
                not self.options.hold_processing and time.monotonic() >= order.ready_at:
            order.certificate, order.serial = self.issuer.issue(order.csr,
                                                                self.options.certificate_s)
            order.status = "valid"

    def _apply(self, rule, order):
        """A fault that turns the order's way."""
        if rule is None or faults.FAULTS[rule.fault] != faults.ORDER:
            return
        if rule.fault == "processing":
            order.polls = rule.text.get("polls", 3)
        elif rule.fault == "orderInvalid":
            order.status = "invalid"
            order.error = {"type": "urn:ietf:params:acme:error:caa", "status": 403,
                           "detail": rule.text.get("detail", "CAA forbids issuance")}
        elif rule.fault == "authorizationInvalid":
            self._invalidate(order.authorizations[0], rule.text)

    @staticmethod
    def _invalidate(authorization, text):
        authorization.status = "invalid"
        for challenge in authorization.challenges:
            challenge.status = "invalid"
            challenge.error = {"type": "urn:ietf:params:acme:error:unauthorized", "status": 403,
                               "detail": text.get("detail", "the answer was a wrong one")}
        authorization.order.status = "invalid"

    @staticmethod
    def _get_only(jws):
        if jws.payload:
            raise JoseError("malformed", "POST-as-GET has an empty payload")

    def _authorization(self, jws, account, rest, _query, rule, _seen):
        found = self.book.authorizations.get(rest)
        if found is None or found.order.account is not account:
            raise Refusal(404, "malformed", "no such authorization")
        self._get_only(jws)
        self._apply(rule, found.order)
        if found.answered and found.status == "pending":
            found.polls += 1
            self._conclude(found)
        body = {"status": found.status, "expires": "2100-01-01T00:00:00Z",
                "identifier": {"type": found.kind, "value": found.value},
                "challenges": [self._challenge_body(each) for each in found.challenges]}
        if found.wildcard:
            body["wildcard"] = True
        return self._json(200, body)

    def _challenge_body(self, challenge):
        body = {"type": challenge.kind, "url": f"{self.base}/chall/{challenge.id}",
                "token": challenge.token, "status": challenge.status}
        if challenge.error:
            body["error"] = challenge.error
        return body

    def _challenge(self, jws, account, rest, _query, rule, _seen):
        challenge, found = self.book.challenges.get(rest, (None, None))
        if challenge is None or found.order.account is not account:
            raise Refusal(404, "malformed", "no such challenge")
        if jws.payload:  # an answer; without a payload it only looks
            jws.object()
            found.order.challenges_answered += 1
            if found.status == "pending" and challenge.status == "pending":
                challenge.status = "processing"
                found.answered = True
                self._apply(rule, found.order)
                if self.options.http_port and challenge.kind == "http-01":
                    validate(self.options.http_port, found, challenge, account.key.thumbprint)
                else:
                    self._conclude(found)
        up = ("Link", f'<{self.base}/authz/{found.id}>;rel="up"')
        return self._json(200, self._challenge_body(challenge), [up])

    def _conclude(self, found):
        """An answered authorization becomes valid after its polls (instant validation only)."""
        waiting = [each for each in found.challenges if each.status == "processing"]
        fetched = self.options.http_port and any(each.kind == "http-01" for each in waiting)
        if found.status == "pending" and waiting and not fetched and \
                found.polls >= self.options.validation_polls:
            waiting[0].status = found.status = "valid"
            order_advance(found.order)

    def _certificate(self, jws, account, rest, _query, _rule, _seen):
        order = self._own_order(account, rest)
        self._get_only(jws)
        if order.certificate is None:
            raise Refusal(404, "malformed", "no certificate yet")
        order.downloads += 1
        other = rest.endswith("/1")
        chain = self.issuer.alternate_pem if other else self.issuer.intermediate_pem
        text = order.certificate + chain
        if self.options.root_in_chain:
            text += self.issuer.alternate_root_pem if other else self.issuer.root_pem
        headers = [("Content-Type", "application/pem-certificate-chain")]
        if self.options.alternate_chain:
            twin = f"{self.base}/cert/{order.id}" + ("" if other else "/1")
            headers.append(("Link", f'<{twin}>;rel="alternate"'))
        return Response(200, headers, text.encode())

    def _revoke(self, jws):
        request = jws.object()
        self.book.revoked.append((request.get("certificate"), request.get("reason")))
        return Response(200)
