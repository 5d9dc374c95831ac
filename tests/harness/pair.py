"""A fast look at live pairs, for many of them and while certmill writes. harness.check looks
harder, with the openssl command."""

import hashlib
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding


class Pair:
    """What live/NAME holds at one moment: complete, and the key is the certificate's."""

    def __init__(self, live):
        # One descriptor of the folder: a switch in between cannot mix two pairs.
        folder = os.open(live, os.O_RDONLY | os.O_DIRECTORY)
        try:
            texts = {name: self._read(folder, name) for name in
                     ("privkey.pem", "cert.pem", "chain.pem", "fullchain.pem")}
        finally:
            os.close(folder)
        if texts["fullchain.pem"] != texts["cert.pem"] + texts["chain.pem"]:
            raise AssertionError(f"{live}: fullchain.pem is not cert.pem and chain.pem")
        key = serialization.load_pem_private_key(texts["privkey.pem"], None)
        self.certificate = x509.load_pem_x509_certificate(texts["cert.pem"])
        self.issuer = x509.load_pem_x509_certificate(texts["chain.pem"])
        public = self._public(key.public_key())
        if public != self._public(self.certificate.public_key()):
            raise AssertionError(f"{live}: the key is not the certificate's")
        self.key_hash = hashlib.sha256(public).hexdigest()
        names = self.certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName).value
        self.names = tuple(sorted(names.get_values_for_type(x509.DNSName)))
        self.serial = f"{self.certificate.serial_number:x}"
        self._check_signature(live)

    @staticmethod
    def _read(folder, name):
        file = os.open(name, os.O_RDONLY, dir_fd=folder)
        with os.fdopen(file, "rb") as stream:
            return stream.read()

    @staticmethod
    def _public(key):
        return key.public_bytes(serialization.Encoding.DER,
                                serialization.PublicFormat.SubjectPublicKeyInfo)

    def _check_signature(self, live):
        """The leaf is signed by the first certificate of the chain."""
        key = self.issuer.public_key()
        leaf = self.certificate
        if leaf.issuer != self.issuer.subject:
            raise AssertionError(f"{live}: the chain is another's")
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(leaf.signature, leaf.tbs_certificate_bytes,
                       ec.ECDSA(leaf.signature_hash_algorithm))
        else:
            key.verify(leaf.signature, leaf.tbs_certificate_bytes, padding.PKCS1v15(),
                       leaf.signature_hash_algorithm or hashes.SHA256())
