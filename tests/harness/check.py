"""Checks issued files with the openssl command, as an operator would."""

import os
import re
import stat
import subprocess
from pathlib import Path

FILES = {"privkey.pem": 0o600, "cert.pem": 0o644, "chain.pem": 0o644, "fullchain.pem": 0o644}

# How `openssl x509 -text` names each key.
KEY_TEXT = {
    ("RSA", 2048): ("rsaEncryption", "(2048 bit)"),
    ("RSA", 3072): ("rsaEncryption", "(3072 bit)"),
    ("RSA", 4096): ("rsaEncryption", "(4096 bit)"),
    ("ECDSA", 256): ("id-ecPublicKey", "prime256v1"),
    ("ECDSA", 384): ("id-ecPublicKey", "secp384r1"),
    ("ECDSA", 521): ("id-ecPublicKey", "secp521r1"),
}


def openssl(*arguments):
    done = subprocess.run(["openssl", *(str(each) for each in arguments)], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    if done.returncode != 0:
        raise AssertionError(f"openssl {' '.join(str(a) for a in arguments)}: {done.stderr}")
    return done.stdout


def certificate_names(text):
    """The subject alternative names in `openssl x509 -text`."""
    names = re.findall(r"(?:DNS|IP Address):([^,\s]+)", text)
    return sorted(names)


def check_pair(live, root, names, key=None):
    """Fails unless live/NAME is a complete, right pair: modes, key, names, chain to `root`."""
    folder = Path(live).resolve(strict=True)
    for name, mode in FILES.items():
        found = stat.S_IMODE(os.stat(folder / name).st_mode)
        if found != mode:
            raise AssertionError(f"{folder / name}: mode {found:o}, not {mode:o}")
    cert, chain = folder / "cert.pem", folder / "chain.pem"
    if (folder / "fullchain.pem").read_bytes() != cert.read_bytes() + chain.read_bytes():
        raise AssertionError(f"{folder}: fullchain.pem is not cert.pem and chain.pem")
    text = openssl("x509", "-in", cert, "-noout", "-text", "-pubkey")
    public = openssl("pkey", "-in", folder / "privkey.pem", "-pubout")
    if public.strip() not in text:
        raise AssertionError(f"{folder}: the key does not match the certificate")
    if certificate_names(text) != sorted(names):
        raise AssertionError(f"{folder}: names {certificate_names(text)}, not {sorted(names)}")
    if key is not None and not all(part in text for part in KEY_TEXT[tuple(key)]):
        raise AssertionError(f"{folder}: the key is no {key}")
    openssl("verify", "-CAfile", root, "-untrusted", chain, cert)
