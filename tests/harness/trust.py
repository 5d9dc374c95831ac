"""For programs that take only the system's trust: another file in its place, for them alone."""

import subprocess

SYSTEM_TRUST = "/etc/ssl/certs/ca-certificates.crt"
_BIND = f"mount --bind \"$1\" {SYSTEM_TRUST} && shift && exec \"$@\""


def with_system_trust(ca_file):
    """Goes before a command: it runs in a mount namespace of its own, where `ca_file` is bound over
    the system's trust. That needs root or user namespaces."""
    return ["unshare", "--mount", "--map-root-user", "sh", "-c", _BIND, "sh", str(ca_file)]


def no_system_trust():
    """Why with_system_trust cannot work on this machine; None: it does."""
    done = subprocess.run([*with_system_trust(SYSTEM_TRUST), "true"], capture_output=True,
                          text=True, timeout=10)
    if done.returncode == 0:
        return None
    return f"this machine allows no mount namespace to change it in: {done.stderr.strip()}"
