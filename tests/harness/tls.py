"""A small certification authority for the test servers' own HTTPS, made with the openssl command."""

import subprocess
from pathlib import Path


def _openssl(*arguments, folder):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_server_certificate(folder, names=("DNS:localhost", "IP:127.0.0.1")):
    """Writes ca.pem (the trust), server.pem and server.key to `folder`, once.

    Returns the three paths. The CA's key is thrown away."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(folder / name for name in ("ca.pem", "server.pem", "server.key"))
    if all(path.exists() for path in paths):
        return paths
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    _openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
             "-subj", "/CN=certmill test servers", "-addext", "basicConstraints=critical,CA:TRUE",
             "-addext", "keyUsage=critical,keyCertSign", folder=folder)
    _openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost",
             folder=folder)
    (folder / "server.ext").write_text(f"subjectAltName={','.join(names)}\n"
                                       "extendedKeyUsage=serverAuth\n"
                                       "authorityKeyIdentifier=keyid\n")
    _openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
             "-CAcreateserial", "-days", "30", "-extfile", "server.ext", "-out", "server.pem",
             folder=folder)
    for name in ("ca.key", "server.csr", "server.ext"):
        (folder / name).unlink()
    return paths
