"""The table of BENCHMARKS.md: what benches/bars.toml asks for and what was measured, as Markdown. scripts/bench uses it."""
import json
import statistics

BEGIN, END = "<!-- made by scripts/bench: begin -->\n", "<!-- made by scripts/bench: end -->\n"
# Processors that other work had, from which on a row says so.
LOADED = 0.25
UNITS = {"ns", "/s", "B", "%", ""}


def key(row):
    return row["in"], row["of"], row.get("over")


def summary(row, told):
    """The medians of what the runs told about a row, and the lowest and highest of what its bar holds."""
    held = "ours" if row.get("over") is None else "ratio"
    result = dict(zip(("in", "of", "over"), key(row)))
    for name in ("ours", "theirs", "ratio"):
        # A run whose result is not a number spoils the row: a median of the others would hide it.
        values = [one.get(name) for one in told]
        result[name] = None if None in values else statistics.median(values)
        if name == held:
            result["low"], result["high"] = (None, None) if None in values else (min(values), max(values))
    return result


def untold(bench, told):
    there = {key(one) for one in told}
    return [row for row in bench["rows"] if key(row) not in there]


def merged(old, new):
    """What was measured before, but for the benchmarks that were measured now."""
    return {**old, **new}


def read_measured(path):
    measured = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        record = json.loads(line)
        name = record.pop("bench")
        if "rows" in record:
            measured[name] = {**record, "rows": {}}
        else:
            measured[name]["rows"][key(record)] = record
    return measured


def write_measured(path, bars, measured):
    lines = []
    for bench in bars:
        found = measured.get(bench["name"])
        if not found:
            continue
        rows = [found["rows"][key(row)] for row in bench["rows"] if key(row) in found["rows"]]
        lines.append({"bench": bench["name"], **found, "rows": len(rows)})
        lines += [{"bench": bench["name"], **row} for row in rows]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def versions(lock):
    """The versions in Cargo.lock of what the benchmarks depend on."""
    [benches] = [package for package in lock["package"] if package["name"] == "stockade-benches"]
    of = {package["name"]: package["version"] for package in lock["package"]}
    # A version stands beside the name where the lock has several.
    direct = (one.partition(" ") for one in benches["dependencies"])
    return {name: version or of[name] for name, _, version in direct}


# The table.

def number(value):
    """Three digits that count, and thousands apart."""
    size = abs(value)
    digits = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2
    return f"{value:,.{digits}f}"


def quantity(value, unit):
    if value is None:
        return "no number"
    if unit == "ns":
        for scale, name in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
            if abs(value) >= scale:
                return f"{number(value / scale)} {name}"
        return f"{number(value)} ns"
    if unit == "B":
        for scale, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
            if abs(value) >= scale:
                return f"{number(value / scale)} {name}"
        return f"{number(value)} bytes"
    words = {"/s": " a second", "%": " %", "": ""}
    return number(value) + words[unit]


def bar(row):
    name = "at most" if "at_most" in row else "at least" if "at_least" in row else None
    if name is None:
        return "none"
    value = row[name.replace(" ", "_")]
    return f"{name} {quantity(value, row.get('unit', 'ns')) if row.get('over') is None else number(value)}"


def verdict(row, found):
    """Whether the bar is met; nothing where there is none. What is not a number misses every bar."""
    value = found["ours"] if row.get("over") is None else found["ratio"]
    if "at_most" in row:
        return "met" if value is not None and value <= row["at_most"] else "missed"
    if "at_least" in row:
        return "met" if value is not None and value >= row["at_least"] else "missed"
    return ""


def cells(bench, row, measured):
    unit, over = row.get("unit", "ns"), row.get("over")
    what = f"{row['in']}: {row['of']}"
    run = measured.get(bench["name"])
    found = run and run["rows"].get(key(row))
    if not found:
        return [f"`{bench['name']}`", what, "", over or "", "", "", bar(row), "not measured"]
    ratio, spread = "", ""
    if over is not None and found["ratio"] is not None:
        ratio = number(found["ratio"])
        if row.get("faster"):
            ratio += " times the speed" if unit == "ns" else " times less"
    if found["low"] != found["high"]:
        ends = [found["low"], found["high"]]
        ends = [number(end) for end in ends] if over is not None else [quantity(end, unit) for end in ends]
        spread = " to ".join(ends)
    said = [verdict(row, found)] + (["loaded"] if run["others"] is None or run["others"] > LOADED else [])
    theirs = "" if over is None else f"{over}, {quantity(found['theirs'], unit)}"
    return [f"`{bench['name']}`", what, quantity(found["ours"], unit), theirs, ratio, spread, bar(row), ", ".join(filter(None, said))]


def table(titles, lines):
    return "".join("| " + " | ".join(line) + " |\n" for line in [titles, ["---"] * len(titles), *lines])


def render(bars, measured):
    """The part of BENCHMARKS.md between the markers."""
    text = ""
    titles = ["Benchmark", "What", "Ours", "Peer or floor", "Ratio", "Of the runs", "Bar", ""]
    for crate in sorted({bench["crate"] for bench in bars if bench["rows"]}):
        lines = [cells(bench, row, measured) for bench in bars if bench["crate"] == crate for row in bench["rows"]]
        text += f"\n### {crate}\n\n" + table(titles, lines)
    machines = {}
    for bench in bars:
        if bench["name"] in measured:
            run = measured[bench["name"]]
            others = "unknown" if run["others"] is None else f"{run['others']:.2f}"
            loads = " to ".join(f"{load:.1f}" for load in run["load"])
            command = f"`scripts/bench --runs {run['runs']} {bench['name']}`"
            line = [f"`{bench['name']}`", command, ", ".join(run["peers"]), others, loads]
            machines.setdefault(run["machine"], []).append(line)
    text += "\n### How it was measured\n"
    for machine, lines in machines.items():
        titles = ["Benchmark", "Command", "Peers", "Processors that other work had", "Load average, before to after"]
        text += f"\n{machine}.\n\n" + table(titles, lines)
    return text + ("" if machines else "\nNothing has been measured yet.\n") + "\n"


def spliced(document, text):
    """A document with this between its markers."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the document does not have the two markers")
    return before + begin + text + end + after


# The rows in benches/bars.toml.

def problems(bars, programs, packages):
    found = []
    for bench in bars:
        if bench.get("needs", "servers") not in ("servers", "durable"):
            found.append(f"{bench['name']} needs `{bench['needs']}`, which is not a kind of servers")
        peers = set(bench.get("peers", ())) - set(packages)
        found += [f"{bench['name']} has the peer {name}, on which the benchmarks do not depend" for name in sorted(peers)]
        keys = [key(row) for row in bench["rows"]]
        found += [f"{bench['name']} has `{one}` twice" for one in {one for one in keys if keys.count(one) > 1}]
        for row in bench["rows"]:
            if row.get("unit", "ns") not in UNITS or {"at_most", "at_least"} <= set(row):
                found.append(f"{bench['name']}: `{key(row)}` has an unknown unit or two bars")
    names = [bench["name"] for bench in bars]
    found += [f"{name} stands twice in bars.toml" for name in {name for name in names if names.count(name) > 1}]
    named = {bench.get("program", bench["name"]) for bench in bars}
    found += [f"{name} is a benchmark without rows in bars.toml" for name in sorted(programs - named)]
    found += [f"bars.toml names {name}, which is no benchmark" for name in sorted(named - programs)]
    return found


def stale(bars, measured):
    """What was measured and is no row any more."""
    rows = {(bench["name"], key(row)) for bench in bars for row in bench["rows"]}
    there = {(name, one) for name, run in measured.items() for one in run["rows"]}
    return [f"{name}: `{': '.join(filter(None, one))}` was measured and is no row any more" for name, one in sorted(there - rows, key=str)]
