"""What AWS's references say the services do and moto does not. Each function names its page.

- ACM ListCertificates: pages of MaxItems with a NextToken, and RSA_1024 and RSA_2048 alone unless
  Includes.keyTypes asks for others (API reference, ListCertificates and Filters).
- Route 53: a change is PENDING until its servers have it, and GetChange then says INSYNC (API
  reference, GetChange); a zone takes one change after the other and answers PriorRequestNotComplete
  in between (ChangeResourceRecordSets).
- S3: a bucket is reached by way of its own region only; another gives 301 PermanentRedirect with
  x-amz-bucket-region (S3 User Guide, "Making requests").
"""

import base64
import json
import re
import threading

from harness.aws_errors import error_answer

_LISTED = {"CertificateArn", "DomainName", "Status", "Type", "KeyAlgorithm", "InUse",
           "RenewalEligibility", "NotBefore", "NotAfter", "CreatedAt", "IssuedAt", "ImportedAt"}
_NAMES_MAX = 100  # SubjectAlternativeNameSummaries holds no more


def _summary(certificate):
    names = certificate["SubjectAlternativeNames"]
    return {**{name: value for name, value in certificate.items() if name in _LISTED},
            "SubjectAlternativeNameSummaries": names[:_NAMES_MAX],
            "HasAdditionalSubjectAlternativeNames": len(names) > _NAMES_MAX,
            "KeyUsages": [each["Name"] for each in certificate["KeyUsages"]],
            "ExtendedKeyUsages": [each["Name"] for each in certificate["ExtendedKeyUsages"]]}


class Behaviour:
    """Its members may be set at any time:

    page_size: rows of a ListCertificates page at most;
    pending: how many GetChange calls of each change say PENDING first;
    busy: how many ChangeResourceRecordSets calls are answered PriorRequestNotComplete next;
    strict_buckets: a bucket answers in its own region only."""

    def __init__(self):
        self.lock = threading.Lock()
        self.page_size = 1000
        self.pending = 0
        self.busy = 0
        self.strict_buckets = True
        self._changes = {}
        self._buckets = {}

    def before(self, call, request):
        """An answer in moto's place, or None."""
        if call.operation == "ChangeResourceRecordSets":
            with self.lock:
                if self.busy > 0:
                    self.busy -= 1
                    return error_answer("route53", "PriorRequestNotComplete",
                                        "The request was rejected because Route 53 was still "
                                        "processing a prior request.")
        if call.operation == "GetChange":
            return self._get_change(request)
        if call.operation == "ListCertificates":
            asked = json.loads(request.body or b"{}")
            maximum = asked.get("MaxItems", 1000)
            if not 1 <= maximum <= 1000:
                return error_answer("acm", "ValidationException", "1 validation error detected: Value "
                                    f"'{maximum}' at 'maxItems' failed to satisfy constraint")
        if call.service == "s3" and self.strict_buckets:
            return self._bucket_elsewhere(call, request)
        return None

    def after(self, call, request, status, body):
        """moto's answer's body, mended."""
        if status != 200:
            return body
        if call.operation == "ListCertificates":
            return self._page(request, body)
        if call.operation == "ChangeResourceRecordSets":
            return self._change(body)
        if call.operation == "CreateBucket":
            found = re.search(rb"<LocationConstraint>([^<]+)<", request.body)
            bucket = request.target.partition("?")[0].strip("/")
            with self.lock:
                self._buckets[bucket] = found.group(1).decode() if found else "us-east-1"
        return body

    def _page(self, request, body):
        asked = json.loads(request.body or b"{}")
        kinds = asked.get("Includes", {}).get("keyTypes", ["RSA_1024", "RSA_2048"])
        rows = [_summary(each) for each in json.loads(body)["CertificateSummaryList"]
                if each["KeyAlgorithm"] in kinds]
        begin = int(base64.b64decode(asked.get("NextToken", base64.b64encode(b"0"))))
        end = begin + min(asked.get("MaxItems", 1000), self.page_size)
        answer = {"CertificateSummaryList": rows[begin:end]}
        if end < len(rows):
            answer["NextToken"] = base64.b64encode(str(end).encode()).decode()
        return json.dumps(answer).encode()

    def _change(self, body):
        with self.lock:
            name = f"C{len(self._changes):013d}"
            self._changes[name] = self.pending
        body = re.sub(rb"/change/\w+", f"/change/{name}".encode(), body)
        return re.sub(rb"<Status>\w+<", b"<Status>PENDING<", body)

    def _get_change(self, request):
        name = request.target.partition("?")[0].rstrip("/").rpartition("/")[2]
        with self.lock:
            left = self._changes.get(name)
            if left:
                self._changes[name] = left - 1
        if left is None:
            return error_answer("route53", "NoSuchChange",
                                f"A change with the specified change ID {name} does not exist.", 404)
        status = "PENDING" if left else "INSYNC"
        return 200, {"Content-Type": "text/xml"}, (
            '<?xml version="1.0"?>\n<GetChangeResponse '
            'xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeInfo>'
            f"<Id>/change/{name}</Id><Status>{status}</Status>"
            "<SubmittedAt>2026-11-23T12:00:00.000Z</SubmittedAt></ChangeInfo></GetChangeResponse>"
        ).encode()

    def _bucket_elsewhere(self, call, request):
        bucket = request.target.partition("?")[0].lstrip("/").partition("/")[0]
        with self.lock:
            region = self._buckets.get(bucket)
        if region is None or region == call.region or call.operation == "CreateBucket":
            return None
        status, headers, body = error_answer(
            "s3", "PermanentRedirect", "The bucket you are attempting to access must be addressed "
            "using the specified endpoint. Please send all future requests to this endpoint.", 301,
            Endpoint=f"s3.{region}.amazonaws.com", Bucket=bucket)
        return status, {**headers, "x-amz-bucket-region": region}, body
