"""What a private key costs, by who makes it: bench/micro/keygen_peers.c's figures as rows, and
those as tables, a chart and words."""

import json
import math
import statistics
from dataclasses import dataclass

from bench.harness import tables
from bench.harness.svg import bar_chart, rounded

MARKER = "keygen"  # of the README's section
CHART = "keygen.svg"
LIBRARIES = ("libssl3", "libgnutls30", "libgmp10", "libhogweed6")


@dataclass(frozen=True)
class Kind:
    type: str
    bits: int
    ways: tuple  # (name, keys in a round): the fast ones make several, for they cost little
    rounds: int
    quick_rounds: int
    targets: dict  # way -> how many times less than OpenSSL's

    @property
    def name(self):
        return f"{'RSA' if self.type == 'RSA' else 'P'}-{self.bits}"

    def words(self):
        """The ways as the program is told them."""
        return [f"{way}:{each}" for way, each in self.ways]


_RSA = (("ifma", 8), ("portable", 2), ("openssl", 1), ("gnutls", 1), ("gmp", 2))
# certmill has one way for these, whatever the processor.
_ECDSA = (("auto", 1), ("openssl", 1), ("gnutls", 1))
KINDS = (
    Kind("RSA", 2048, _RSA, 200, 20, {"ifma": 25, "portable": 7}),
    Kind("RSA", 3072, _RSA, 100, 6, {"ifma": 20, "portable": 4.5}),
    Kind("RSA", 4096, _RSA, 60, 4, {"ifma": 20, "portable": 4}),
    Kind("ECDSA", 256, _ECDSA, 3000, 300, {}),
    Kind("ECDSA", 384, _ECDSA, 3000, 300, {"auto": 5}),
    Kind("ECDSA", 521, _ECDSA, 1000, 100, {}),
)

OWN = ("auto", "ifma", "portable")
LABELS = {"auto": "certmill", "ifma": "certmill, ifma", "portable": "certmill, portable",
          "openssl": "OpenSSL", "gnutls": "GnuTLS", "gmp": "GMP, two primes"}


def chosen(words):
    """The kinds of "RSA-2048,P-384", or of "2048,384". Raises ValueError."""
    wanted = [word.strip().upper() for word in words.split(",")]
    for word in wanted:
        if not any(word in (kind.name, str(kind.bits)) for kind in KINDS):
            raise ValueError(f"no such key: {word}")
    return [kind for kind in KINDS if {kind.name, str(kind.bits)} & set(wanted)]


def _error(ms):
    """One standard error of the mean, as a share of it. None: it cannot be told."""
    if len(ms) < 2:
        return None
    return statistics.stdev(ms) / math.sqrt(len(ms)) / statistics.fmean(ms)


def rows(kind, text):
    """From what the program printed: the rows, and what it left out, as sentences."""
    said = [json.loads(line) for line in text.splitlines() if line]
    left_out = [f"{kind.name}, {LABELS[each['way']]}: {each['left_out']}"
                for each in said if "left_out" in each]
    made = [{"key": kind.name, "way": each["way"], "by": each["by"], "keys": len(each["ms"]),
             "median_ms": statistics.median(each["ms"]), "mean_ms": statistics.fmean(each["ms"]),
             "error": _error(each["ms"])}
            for each in said if "left_out" not in each and each["ms"]]
    openssl = next((row for row in made if row["way"] == "openssl"), None)
    return [{**row, **_compared(row, openssl, kind.targets.get(row["way"]))}
            for row in made], left_out


def _compared(row, openssl, target):
    """With OpenSSL's row, or None: how many times less a key costs."""
    if openssl is None:
        return {"median_ratio": None, "ratio": None, "ratio_error": None, "target": target,
                "met": None}
    ratio = openssl["mean_ms"] / row["mean_ms"]
    errors = (row["error"], openssl["error"])
    return {"median_ratio": openssl["median_ms"] / row["median_ms"], "ratio": ratio,
            "ratio_error": None if None in errors or row is openssl else math.hypot(*errors),
            "target": target, "met": None if target is None else ratio >= target}


def remarks(result):
    """Sentences below the table."""
    said = [f"{row['key']}, {LABELS[row['way']]}: {rounded(row['ratio'])} times, "
            f"{'met' if row['met'] else 'NOT met'}"
            for row in result["rows"] if row["met"] is not None]
    if not said:
        return []
    return [f"The targets, by the means: {'; '.join(said)}."]


def introduction():
    return ("CPU time of a private key, all ways in turn in one process, the first key of each not "
            "counted. A search for primes is of another length for each key: the mean is what a "
            "fleet pays, and \"known to\" is one standard error of the ratio of the means. "
            "certmill's RSA keys are whole ones, with the checks of FIPS 186-5 and a trial "
            "signature. GMP's figure is two searches by `mpz_nextprime` from random numbers, which "
            "make no key: what one by that function costs at least. OpenSSL is "
            "`EVP_PKEY_Q_keygen`, GnuTLS `gnutls_x509_privkey_generate`.")


def conditions(result):
    on = result["machine"]
    libraries = ", ".join(f"{name} {version}" for name, version in on["libraries"].items())
    return (f"Measured by `bench/keygen` on one core of {on['cpu']}, Linux {on['kernel']}, "
            f"{on['system']}, {result['date']}, certmill {result['version']}; load average before "
            f"it: {on['load_before']:.1f}. {libraries}.")


def markdown(result, folder):
    parts = [introduction()]
    if result["rows"]:
        parts += [tables.markdown("keygen", result["rows"]), *remarks(result),
                  f"![CPU time of a private key by who makes it, as bars]({folder}/{CHART})"]
    if result["left_out"]:
        parts.append(f"Left out: {'; '.join(result['left_out'])}.")
    return "\n\n".join(part.strip("\n") for part in (*parts, conditions(result))) + "\n"


def _bar_text(row):
    cost = f"{rounded(row['median_ms'])} ms"
    if row["median_ratio"] is None or row["way"] == "openssl":
        return cost
    return f"{cost}  ({rounded(row['median_ratio'])} x less)"


def chart(result):
    """SVG; None without rows."""
    on = result["machine"]
    bars = [(f"{row['key']}: {LABELS[row['way']]}", row["median_ms"], _bar_text(row),
             row["way"] in OWN) for row in result["rows"]]
    return bar_chart("CPU time of a private key (less is better; x: beside OpenSSL)",
                     "ms of CPU, median", bars,
                     f"One core of {on['cpu']}; certmill {result['version']}, {result['date']}")
