"""The fake CA's own keys: a root, an intermediate, certificates for CSRs."""

import datetime
import hashlib
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class CsrError(Exception):
    """The CSR is refused (badCSR)."""


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


class Csr:
    """A checked CSR: its signature verifies; names are lower case, sorted."""

    def __init__(self, der):
        try:
            request = x509.load_der_x509_csr(der)
            signed = request.is_signature_valid
        except Exception as fault:  # cryptography raises many kinds for broken input
            raise CsrError(f"not a CSR: {fault}") from None
        if not signed:
            raise CsrError("the CSR's signature does not verify")
        self.public_key = request.public_key()
        self.key_hash = hashlib.sha256(self.public_key.public_bytes(
            serialization.Encoding.DER,
            serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()
        names = set()
        try:
            extension = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            names.update(("dns", each) for each in
                         extension.value.get_values_for_type(x509.DNSName))
            names.update(("ip", str(each)) for each in
                         extension.value.get_values_for_type(x509.IPAddress))
        except x509.ExtensionNotFound:
            pass
        for attribute in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
            if ("ip", attribute.value) not in names:
                names.add(("dns", attribute.value.lower()))
        self.names = sorted(names)


class Issuer:
    """A root and an intermediate (P-256), plus a second root over the same intermediate key for
    the alternate chain."""

    def __init__(self):
        self._root_key = ec.generate_private_key(ec.SECP256R1())
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.root = self._authority("Fake Root", "Fake Root", self._root_key, self._root_key)
        self.intermediate = self._authority("Fake Intermediate", "Fake Root", self._key,
                                            self._root_key)
        other_key = ec.generate_private_key(ec.SECP256R1())
        self.alternate_root = self._authority("Other Root", "Other Root", other_key, other_key)
        self.alternate = self._authority("Fake Intermediate", "Other Root", self._key, other_key)
        self.root_pem = _pem(self.root)
        self.alternate_root_pem = _pem(self.alternate_root)
        self.intermediate_pem = _pem(self.intermediate)
        self.alternate_pem = _pem(self.alternate)
        self._authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(
            self._key.public_key())

    @staticmethod
    def _authority(subject, issuer, key, issuer_key):
        now = datetime.datetime.utcnow()
        builder = x509.CertificateBuilder(
            subject_name=_name(subject), issuer_name=_name(issuer), public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - datetime.timedelta(days=1),
            not_valid_after=now + datetime.timedelta(days=3650))
        usage = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True,
                              content_commitment=False, key_encipherment=False,
                              data_encipherment=False, key_agreement=False, encipher_only=False,
                              decipher_only=False)
        return (builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
                .add_extension(usage, True)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    issuer_key.public_key()), False)
                .sign(issuer_key, hashes.SHA256()))

    def issue(self, csr, seconds):
        """The leaf for a checked CSR, as PEM, and its serial number in hexadecimal."""
        now = datetime.datetime.utcnow().replace(microsecond=0)
        serial = x509.random_serial_number()
        names = [x509.DNSName(value) if kind == "dns"
                 else x509.IPAddress(ipaddress.ip_address(value)) for kind, value in csr.names]
        leaf = (x509.CertificateBuilder(
            subject_name=x509.Name([]), issuer_name=self.intermediate.subject,
            public_key=csr.public_key, serial_number=serial,
            not_valid_before=now - datetime.timedelta(hours=1),
            not_valid_after=now + datetime.timedelta(seconds=seconds))
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(self._authority_id, False)
            .sign(self._key, hashes.SHA256()))
        return _pem(leaf), f"{serial:x}"
