"""What was measured: every single time, what they come to, and whether that is what was wanted."""

import os
import statistics
from typing import NamedTuple

OURS = ("python", "rust", "grpc")
NAMES = {
    "python": "Headwater, Python",
    "rust": "Headwater, Rust",
    "grpc": "Headwater, gRPC",
    "wheel": "released wheel",
    "raw": "raw database",
    "native": "native call alone",
}
MEASURES = {
    "cpu_ms": ("CPU of ", ""),
    "failed": ("failed calls of ", ""),
    "slowest_ms": ("slowest call of ", " ms"),
    "memory_mib": ("peak memory of the server of ", " MiB"),
}


class Target(NamedTuple):
    """What is wanted of one side, or of a ratio of two."""

    of: str
    measure: str
    at_least: float = None
    at_most: float = None

    def judged(self, results):
        """Its words, its value and whether it is met; nothing where a side has no value."""
        values = [results.get(side, {}).get(self.measure) for side in self.of.split(" / ")]
        if None in values or (len(values) == 2 and not values[1]):
            return None
        value = values[0] if len(values) == 1 else values[0] / values[1]
        met = value >= self.at_least if self.at_most is None else value <= self.at_most
        return {"words": self.words(), "value": value, "met": met}

    def words(self):
        what, unit = MEASURES.get(self.measure, ("", ""))
        bound = f"≤ {self.at_most:.3g}" if self.at_least is None else f"≥ {self.at_least:g}"
        return f"{what}{self.of} {bound}{unit}"


class Record:
    """One workload: what every turn of every side gave."""

    def __init__(self, name, group, backend="sqlite", size=None, targets=()):
        self.fields = {"workload": name, "group": group, "backend": backend, "size": size}
        self.targets = targets
        self.turns = {}
        self.failures = {}

    def add(self, side, turn):
        self.turns.setdefault(side, []).append(turn)

    def failed(self, side, reason):
        """A side that gives no answer is not asked again."""
        self.failures[side] = reason
        self.turns.pop(side, None)

    def calls(self, side):
        """Calls that were answered."""
        return sum(len(turn["times_us"]) for turn in self.turns[side])

    def finished(self):
        """The record, as it is written to the file."""
        sum_up = SUMMARIES.get(self.fields["group"], summary)
        sides = {side: sum_up(turns) for side, turns in self.turns.items()}
        judged = [target.judged(sides) for target in self.targets]
        return self.fields | {
            "sides": sides,
            "failures": self.failures,
            "targets": [each for each in judged if each],
            "load_average": os.getloadavg()[0],
            "turns": self.turns,
        }


def middle_and_spread(values):
    """The median, and how far apart the middle half lies as a part of it."""
    if len(values) < 2:
        return values[0], None
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, (high - low) / middle if middle else None


def summary(turns):
    """Each turn counts with the median of its calls, so that a busy moment counts once."""
    middle, spread = middle_and_spread([statistics.median(turn["times_us"]) for turn in turns])
    done = {"median_ms": middle / 1000, "spread": spread}
    if "cpu_ms" in turns[0]:
        per_call = [turn["cpu_ms"] / len(turn["times_us"]) for turn in turns]
        done["cpu_ms"] = statistics.median(per_call)
    return done


def summary_of_load(turns):
    rates = [len(turn["times_us"]) / turn["seconds"] for turn in turns if turn["seconds"]]
    rate, spread = middle_and_spread(rates or [0.0])
    times_us = [each for turn in turns for each in turn["times_us"]]
    answered = max(1, len(times_us))
    return {
        "per_second": rate,
        "spread": spread,
        "median_ms": statistics.median(times_us) / 1000 if times_us else None,
        "slowest_ms": max(times_us) / 1000 if times_us else None,
        "failed": sum(turn["failed"] for turn in turns),
        "calls": len(times_us),
        "cpu_ms": sum(turn["cpu_ms"] for turn in turns) / answered,
        "failure": next((turn["failure"] for turn in turns if turn["failure"]), None),
    }


def summary_of_scale(turns):
    (turn,) = turns
    seconds = sum(turn["times_us"]) / 1e6
    return {
        "nodes": turn["nodes"],
        "seconds": seconds,
        "per_second": turn["nodes"] / seconds,
        "memory_mib": turn["memory_mib"],
    }


SUMMARIES = {"callers": summary_of_load, "scale": summary_of_scale}


# Words.


def short(value):
    """Three digits."""
    if value is None:
        return "–"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def titled(record):
    size = f", {record['size']:,} artifacts" if record.get("size") else ""
    return record["workload"] + size


def cell(record, side):
    if side in record["failures"]:
        return record["failures"][side].partition(":")[0]
    result = record["sides"].get(side)
    if result is None:
        return ""
    if record["group"] == "scale":
        took = f"{result['nodes']:,} nodes in {short(result['seconds'])} s"
        return f"{took}, {short(result['per_second'])}/s, {result['memory_mib']:.0f} MiB"
    spread = "" if result["spread"] is None else f" ±{result['spread'] / 2:.0%}"
    if record["group"] != "callers":
        return short(result["median_ms"]) + spread
    failed = result["failed"]
    lost = f", {failed / (failed + result['calls']):.0%} fail" if failed else ""
    return f"{short(result['per_second'])}/s{spread}{lost}, ≤ {short(result['slowest_ms'])} ms"


def ratio(record):
    """How many times as fast as the wheel: Python in process, or many callers through a server."""
    ours, measure = (
        ("grpc", "per_second") if record["group"] == "callers" else ("python", "median_ms")
    )
    mine, other = (record["sides"].get(side, {}).get(measure) for side in (ours, "wheel"))
    if not mine or not other:
        return ""
    return f"{short(mine / other if measure == 'per_second' else other / mine)} ×"


def verdict(record):
    words = []
    for target in record["targets"]:
        met = "met" if target["met"] else "**missed**"
        words.append(f"{target['words']}: {short(target['value'])}, {met}")
    return "; ".join(words)


def in_words(record):
    """A line for the terminal."""
    cells = ", ".join(
        f"{side} {cell(record, side)}" for side in [*record["sides"], *record["failures"]]
    )
    return f"{titled(record)}: {cells}. {verdict(record)}"


HEADINGS = {
    "writes": "One caller, ms for each call",
    "callers": "Many callers: calls that succeed in a second, and the slowest",
    "reads": "Reads, ms for each call",
    "start": "A new process, ms (memory in MiB)",
    "scale": "Everything in a store, through a server",
}


def tables(records):
    """The report, as Markdown."""
    for group, heading in HEADINGS.items():
        of_group = [record for record in records if record["group"] == group]
        if not of_group:
            continue
        yield from ("", f"### {heading}", "")
        yield from table(of_group)
        if group in ("writes", "callers"):
            yield from ("", f"### {heading.partition(',')[0].partition(':')[0]}: CPU, ms each", "")
            yield from table(of_group, "cpu_ms")


def table(records, measure=None):
    """A row for each workload, a column for each side."""
    known = list(NAMES)
    found = {side for record in records for side in [*record["sides"], *record["failures"]]}
    columns = sorted(found, key=lambda side: known.index(side) if side in known else len(known))
    heads = ["", *(NAMES.get(side, side) for side in columns)]
    heads += [] if measure else ["as fast as the wheel", "target"]
    yield "| " + " | ".join(heads) + " |"
    yield "|---" * len(heads) + "|"
    for record in records:
        if measure:
            results = (record["sides"].get(side, {}) for side in columns)
            cells = [short(result.get(measure)) for result in results]
        else:
            cells = [*(cell(record, side) for side in columns), ratio(record), verdict(record)]
        yield "| " + " | ".join([titled(record), *cells]) + " |"


def noise(records):
    """How far apart the middle half of the turns lies, and how busy the machine was."""
    for side in NAMES:
        found = [record["sides"].get(side, {}).get("spread") for record in records]
        spreads = [spread for spread in found if spread is not None]
        if spreads:
            usual, most = statistics.median(spreads), max(spreads)
            yield f"{NAMES[side]}: usually {usual:.1%} of the median, at most {most:.1%}"
    busiest = max(record["load_average"] for record in records)
    yield f"load of the machine: at most {busiest:.1f}; this run alone makes about 1"
