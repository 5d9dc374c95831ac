"""Runs moto's server with Route 53's changes (moto_route53.py) and ACM's certificates as AWS
documents them, where moto 5.1 does not do so:

- a certificate without a common name is taken, and its first name is the DomainName (moto: 500);
- the key must belong to the certificate, and the chain must lead on from it, without it;
- ceilings on the sizes (API reference, ImportCertificate), key types, key usages, serials in hex,
  ImportedAt;
- an import to an ARN that is there may not change the key's type or size, may not take key usages
  away, and takes no tags (ACM User Guide, "Reimport a certificate").

    PYTHONPATH=FOLDER_OF_MOTO moto_server.py PORT
"""

import re
import sys

import moto_route53  # noqa: F401  (mends Route 53)
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from moto.acm import models
from moto.acm.exceptions import AWSValidationException
from moto.core.utils import utcnow
from moto.server import main

_CURVES = {"secp256r1": "EC_prime256v1", "secp384r1": "EC_secp384r1", "secp521r1": "EC_secp521r1"}
_LIMITS = {"certificate": 32768, "privateKey": 5120, "certificateChain": 2097152}
_BLOCK = re.compile(b"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_USAGES = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
           "key_agreement", "key_cert_sign", "crl_sign"]
_USAGE_NAMES = {"content_commitment": "NON_REPUDIATION", "key_cert_sign": "CERTIFICATE_SIGNING",
                "crl_sign": "CRL_SIGNING"}
_PURPOSES = {"1.3.6.1.5.5.7.3.1": "TLS_WEB_SERVER_AUTHENTICATION",
             "1.3.6.1.5.5.7.3.2": "TLS_WEB_CLIENT_AUTHENTICATION"}


def key_algorithm(key):
    if isinstance(key, rsa.RSAPrivateKey):
        return f"RSA_{key.key_size}"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    raise AWSValidationException("The private key type is not supported.")


def _public(key):
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _extension(certificate, kind):
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _names(certificate):
    names = _extension(certificate, x509.SubjectAlternativeName)
    return names.get_values_for_type(x509.DNSName) if names else []


def _common_name(name):
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return found[0].value if found else None


class Bundle(models.CertBundle):
    __module__ = models.__name__  # moto files its models by it

    def __init__(self, account_id, certificate, private_key, chain=None, region="us-east-1",
                 arn=None, cert_type="IMPORTED", cert_status="ISSUED", cert_authority_arn=None):
        for name, value in (("certificate", certificate), ("privateKey", private_key),
                            ("certificateChain", chain or b"")):
            if len(value) > _LIMITS[name]:
                raise AWSValidationException(
                    f"1 validation error detected: Value at '{name}' failed to satisfy constraint: "
                    f"Member must have length less than or equal to {_LIMITS[name]}")
        self.created_at = utcnow()
        self.cert, self.key, self.chain = certificate, private_key, chain or b""
        self.tags = models.TagHolder()
        self.type, self.status = cert_type, cert_status
        self.cert_authority_arn = cert_authority_arn
        self.in_use_by = []
        self._key = self.validate_pk()
        self._cert = self.validate_certificate()
        self.algorithm = key_algorithm(self._key)
        if _public(self._key.public_key()) != _public(self._cert.public_key()):
            raise AWSValidationException(
                "The private key does not match the public key of the certificate.")
        self._validate_whole_chain()
        names = _names(self._cert)
        self.common_name = _common_name(self._cert.subject) or (names[0] if names else "")
        self.arn = arn or models.make_arn_for_certificate(account_id, region)

    def _validate_whole_chain(self):
        if self.cert.count(b"-----BEGIN") != 1:
            raise AWSValidationException("The certificate field contains more than one certificate. "
                                         "You can specify only one certificate in this field.")
        try:
            chain = [x509.load_pem_x509_certificate(each) for each in _BLOCK.findall(self.chain)]
        except ValueError:
            raise AWSValidationException(
                "The certificate chain is not PEM-encoded or is not valid.") from None
        if bool(chain) != bool(self.chain):
            raise AWSValidationException(
                "The certificate chain is not PEM-encoded or is not valid.")
        below = self._cert
        for above in chain:
            if above.subject != below.issuer or above == self._cert:
                raise AWSValidationException(
                    "Could not validate the certificate with the certificate chain.")
            below = above

    def usages(self):
        usage = _extension(self._cert, x509.KeyUsage)
        return [_USAGE_NAMES.get(each, each.upper()) for each in _USAGES
                if usage is not None and getattr(usage, each)]

    def purposes(self):
        usage = _extension(self._cert, x509.ExtendedKeyUsage)
        return [{"OID": each.dotted_string, "Name": _PURPOSES.get(each.dotted_string, "CUSTOM")}
                for each in usage or []]

    def describe(self):
        serial = f"{self._cert.serial_number:x}"
        serial = serial.rjust(len(serial) + len(serial) % 2, "0")
        created = models.datetime_to_epoch(self.created_at)
        return {"Certificate": {
            "CertificateArn": self.arn, "DomainName": self.common_name,
            "SubjectAlternativeNames": _names(self._cert), "InUseBy": self.in_use_by,
            "Issuer": _common_name(self._cert.issuer) or "", "KeyAlgorithm": self.algorithm,
            "Subject": self._cert.subject.rfc4514_string(),
            "NotAfter": models.datetime_to_epoch(self._not_valid_after(self._cert)),
            "NotBefore": models.datetime_to_epoch(self._not_valid_before(self._cert)),
            "Serial": ":".join(serial[i:i + 2] for i in range(0, len(serial), 2)),
            "SignatureAlgorithm": self._cert.signature_algorithm_oid._name.upper(),
            "Status": self.status, "Type": self.type, "RenewalEligibility": "INELIGIBLE",
            "KeyUsages": [{"Name": each} for each in self.usages()],
            "ExtendedKeyUsages": self.purposes(), "CreatedAt": created,
            ("ImportedAt" if self.type == "IMPORTED" else "IssuedAt"): created,
            "Options": {"CertificateTransparencyLoggingPreference": "DISABLED"}}}


class Backend(models.AWSCertificateManagerBackend):
    __module__ = models.__name__

    def import_certificate(self, certificate, private_key, chain, arn, tags):
        if arn is None:
            return super().import_certificate(certificate, private_key, chain, arn, tags)
        old = self.get_certificate(arn)
        if tags:
            raise AWSValidationException("Tagging is not permitted on re-import.")
        new = Bundle(self.account_id, certificate, private_key, chain, self.region_name, arn)
        if new.algorithm != old.algorithm:
            raise AWSValidationException(
                f"The key algorithm {new.algorithm} is not that of the certificate that is replaced, "
                f"{old.algorithm}.")
        if not set(old.usages()) <= set(new.usages()):
            raise AWSValidationException("Key usages of the certificate that is replaced are missing.")
        # moto would forget the tags and what uses it.
        new.tags, new.in_use_by, new.created_at = old.tags, old.in_use_by, old.created_at
        self._certificates[arn] = new
        return arn


models.CertBundle = Bundle
models.acm_backends.backend = Backend

if __name__ == "__main__":
    main(["-H", "127.0.0.1", "-p", sys.argv[1]])
