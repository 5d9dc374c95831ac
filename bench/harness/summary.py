"""The result in words: Markdown, whole or as the README's section between its markers."""

from bench.harness import keys, tables, targets
from bench.harness.svg import rounded

MARKER = "bench"  # of the README's section that bench/run writes

INTRODUCTIONS = {
    "scaling": "Orders of P-256 certificates with one name. CPU is user and system time of certmill "
               "alone, from its start to its end; the CA takes its own from the same cores. With "
               "the files on tmpfs the same run costs what it costs without the disk's file system: "
               "the difference is what that takes for making, writing and fsyncing files. An "
               "order's memory is the peak above that of a run of ten, by the number in flight.",
    "clients": "The same CA, names and key type, in interleaved rounds; medians. Each client is run "
               "as its manual says. The Go client is `bench/peers/go`, on golang.org/x/crypto/acme: "
               "`as durable` stores as certmill does (the key before finalize, four files each "
               "written beside its name, fsynced and renamed, their folders fsynced, one link "
               "switched and its folder fsynced) and checks the leaf against key, names and dates "
               "and each signature of the chain; `files only` fsyncs one key and one chain file, no "
               "folder, and looks at the key and name. Neither keeps a state to go on from, as "
               "certmill does. The CA checks http-01 answers through one webroot.",
    "realistic": "What is possible follows from the CA alone: each request of an order takes 50 ms, "
                 "validation and issuance 2 s; the limits are Let's Encrypt's. An order holds its "
                 "place in flight during its requests, not while the CA validates or issues. "
                 "The share is the rate reached, from the program's start to its end, by the one "
                 "possible. A start (the directory, a nonce) and an end (what the last order has "
                 "before it) that no client could fill are counted in the last share, which the "
                 "target is by.",
    "store": "Four files a certificate, on the file system at hand. `one-by-one-files` is write, "
             "fsync, rename of each file; `one-by-one` also fsyncs the folders, as the store does. "
             "`ring` and `plain` are the store with io_uring and without.",
    "plan": "Entries with two names each. `run` holds the whole manifest and issues ten.",
    "growth": "Fits over the rows above: the exponent of a power law through all points and through "
              "the two largest; how well a straight line (a fixed part and so much for each) "
              "explains them, and how far off it is where it is worst. It is called linear where "
              "no exponent is above 1.1 and no point is more than 15 % off.",
}
CHARTS = {"scaling": (("rate.svg", "Orders a second by orders in flight"),
                      ("cpu.svg", "CPU time an order by orders in flight"),
                      ("memory.svg", "Peak memory by orders in flight")),
          "clients": (("clients.svg", "CPU time a certificate by client, as bars"),),
          "plan": (("plan.svg", "CPU time of planning by entries"),)}


def introduction(section):
    if section == "keys":
        return ("Pre-validated fleets whose keys are most of the work, beside the time that the "
                "keys alone take on all cores: as measured of the same code without a network, and "
                "as the CPU time of the run itself; the target is by the first. Each search for a "
                "prime is of another length, so that the first is known only so well (one standard "
                "error of the keys measured and of those in the run). The mixed fleet: "
                f"{keys.weights_text('mixed')}.")
    return INTRODUCTIONS.get(section, "")


def remarks(section, rows):
    """Sentences below a section's table, from its rows."""
    if section != "clients":
        return []
    said = []
    for row in rows:
        target = targets.times_less(row) if row["row"] in targets.GO_FORMS else None
        if target is not None:
            said.append(f"{row['row']}, {tables.challenge(row)}: {rounded(target['measured'])} "
                        f"times, {'met' if target['met'] else 'NOT met'}")
    if not said:
        return []
    return [f"The target of {targets.TIMES_LESS['go, as durable']} times less CPU than the "
            f"concurrent Go client: {'; '.join(said)}. (It was set by 1.6 to 2.6 ms a certificate "
            "of such a client, measured against Pebble.)"]


def conditions(result):
    on = result["machine"]
    libraries = ", ".join(f"{name} {version}" for name, version in on["libraries"].items())
    removed = ""
    if on.get("removed_ago_s") is not None:
        removed = (f", and files had been removed there {on['removed_ago_s']:.0f} s before, which "
                   "makes system time dearer")
    return (f"Measured by `bench/run` ({result['scale']}) on {on['cpu']}, {on['cores']} cores, "
            f"{on['memory_gib']} GiB, {on['file_system']}, Linux {on['kernel']}, {on['system']}, "
            f"{result['date']}, certmill {result['version']}; load average before it: "
            f"{on['load_before']:.1f}{removed}. The CA is {result['ca']}, on the same machine. {libraries}.")


# What a reader who has a minute looks at; the rest is there for who opens it.
UNFOLDED = ("targets", "clients")


def markdown(result, charts_folder):
    parts = []
    for section in tables.SECTIONS:
        rows = result["sections"].get(section)
        if not rows:
            continue
        title = tables.SECTIONS[section][0]
        folded = section not in UNFOLDED
        parts += [f"<details>\n<summary>{title}</summary>" if folded else f"### {title}",
                  introduction(section), tables.markdown(section, rows), *remarks(section, rows)]
        parts += [f"![{words}]({charts_folder}/{name})" for name, words in CHARTS.get(section, ())
                  if name in result["charts"]]
        parts += ["</details>"] if folded else []
    parts.append(conditions(result))
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def markers(name):
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def put_between(whole, text, name=MARKER):
    """Puts the text between the markers, which must be there once each and in order."""
    begin, end = markers(name)
    if whole.count(begin) != 1 or whole.count(end) != 1 or whole.index(end) < whole.index(begin):
        raise ValueError(f"there must be one {begin}, and one {end} after it")
    before, after = whole.split(begin)[0], whole.split(end)[1]
    return f"{before}{begin}\n{text.strip()}\n{end}{after}"
