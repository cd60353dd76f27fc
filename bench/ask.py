"""Asks one graph the same questions of Headwater and of MLMD, and compares the time they take.

Headwater runs as its users run it, a server on a SQLite file that is asked over gRPC; MLMD is the
released `ml-metadata` wheel in process on its own copy of the file, without any network between.
Both are asked in turn, in the same run. See README.md.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
from importlib import metadata

import graph
import questions
from sides import BINARY, Headwater, Incumbent, NoAnswer

BENCH = pathlib.Path(__file__).resolve().parent
# What one side spends on one question at one size: quick answers, which vary most, are repeated
# until this long, and slow ones less often than asked for.
SECONDS_MIN = 1
SECONDS_MAX = 60
REPEAT_MIN = 3
# Answers quicker than this depend on what the processor did just before: on the other side's work.
QUICK_SECONDS = 0.02


class Asked:
    """One question at one size, asked of both sides."""

    def __init__(self, size, question, sides):
        self.question, self.sides = question, list(sides)
        self.record = {"question": question.name, "size": size}
        self.times_ms = {side.name: [] for side in sides}
        self.repeat = {}
        self.quick = set()

    def first(self, repeat):
        """Compares the answers, and finds out how long each side takes."""
        answers = []
        for side in list(self.sides):
            answer, seconds = self._ask(side)
            if answer is None:
                continue
            answers.append(answer)
            self.repeat[side.name] = repetitions(repeat, seconds)
            if seconds < QUICK_SECONDS:
                self.quick.add(side.name)
        if answers:
            self.record["nodes"] = questions.size_of(answers[0])
        if len(answers) == 2:
            contents = [questions.content(answer) for answer in answers]
            self.record["difference"] = questions.difference(*contents)

    def again(self, turn):
        """Asks each side once more, unless that was done often enough."""
        for side in list(self.sides):
            if turn > self.repeat[side.name]:
                continue
            if side.name in self.quick and self._ask(side)[0] is None:
                continue
            answer, seconds = self._ask(side)
            if answer is not None and turn:  # turn 0 warms up
                self.times_ms[side.name].append(seconds * 1000)

    def turns(self):
        return 1 + max(self.repeat.values(), default=0)

    def _ask(self, side):
        try:
            return side.ask(self.question)
        except NoAnswer as reason:
            self.record[side.name] = {"failure": str(reason)}
            self.sides.remove(side)
            return None, 0

    def finished(self):
        """The record for the report."""
        for side in self.sides:
            self.record[side.name] = summary(self.times_ms[side.name])
        self.record["load"] = os.getloadavg()[0]
        return self.record


def measure(same_question, repeat):
    """Asks one question in turn at all sizes, so that what else the machine does hits all alike."""
    for asked in same_question:
        asked.first(repeat)
    for turn in range(max(asked.turns() for asked in same_question)):
        for asked in same_question:
            asked.again(turn)
    return [asked.finished() for asked in same_question]


def repetitions(asked, seconds):
    """How often to ask what takes so long."""
    seconds = max(seconds, 0.001)
    at_least = max(asked, int(SECONDS_MIN / seconds))
    return max(REPEAT_MIN, min(at_least, int(SECONDS_MAX / seconds)))


def summary(times_ms):
    low, middle, high = statistics.quantiles(times_ms, n=4, method="inclusive")
    return {
        "median_ms": middle,
        "spread": (high - low) / middle,
        "times_ms": [round(each, 4) for each in times_ms],
    }


@contextlib.contextmanager
def opened(size, options):
    """Both sides, each on its own copy of the file, and the questions about what is in it."""
    path, folder = graph.prepare(options.data, size), pathlib.Path(options.data)
    copies = [folder / f"{side}-{size}.db" for side in ("headwater", "mlmd")]
    sides = []
    try:
        for copy in copies:
            subprocess.run(["cp", "--reflink=auto", path, copy], check=True)
        ours = Headwater(copies[0], folder / f"headwater-{size}.log")
        sides.append(ours)
        print(f"{size} artifacts: Headwater opened the file in {ours.open_seconds:.1f} s")
        if not options.no_incumbent:
            sides.append(Incumbent(copies[1]))
        yield [
            Asked(size, question, sides)
            for question in questions.all_about(path)
            if options.only in question.name
        ]
    finally:
        for side in sides:
            side.close()
        for copy in copies:
            for suffix in ("", "-wal", "-shm"):
                pathlib.Path(f"{copy}{suffix}").unlink(missing_ok=True)


def ask_all(sizes, options):
    """Asks all questions at all sizes; gives their records."""
    with contextlib.ExitStack() as stack:
        by_size = [stack.enter_context(opened(size, options)) for size in sizes]
        for same_question in zip(*by_size, strict=True):
            records = measure(same_question, options.repeat)
            print(records[0]["question"])
            for record in records:
                print(f"  {record['size']:>9,}: {in_words(record)}", flush=True)
            yield from records


# Reporting.


def cell(record, side):
    result = record.get(side, {})
    if "failure" in result:
        return result["failure"].partition(":")[0]
    return milliseconds(result["median_ms"]) if result else "-"


def milliseconds(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def median(record, side):
    return record.get(side, {}).get("median_ms")


def ratio(record):
    """How many times as long MLMD takes."""
    ours, theirs = median(record, Headwater.name), median(record, Incumbent.name)
    return f"{theirs / ours:.3g}" if ours and theirs else "-"


def in_words(record):
    words = f"{record.get('nodes', 0)} nodes"
    for side in (Headwater.name, Incumbent.name):
        words += f", {side} {cell(record, side)}"
        if spread := record.get(side, {}).get("spread"):
            words += f" ms ±{spread / 2:.0%}"
    words += f", ratio {ratio(record)}"
    if record.get("difference"):
        words += f"\n    DIFFERENT ANSWERS: {record['difference']}"
    return words


def table(records):
    """A row per question, three columns per size, and what growth costs us."""
    sizes = sorted({record["size"] for record in records})
    by_key = {(record["question"], record["size"]): record for record in records}
    heads = ["question", "nodes"]
    for size in sizes:
        heads += [f"{size:,}: ours, ms", "MLMD, ms", "ratio"]
    heads.append(f"ours, {sizes[-1]:,} / {sizes[0]:,}")
    yield "| " + " | ".join(heads) + " |"
    yield "|---" * len(heads) + "|"
    for name in dict.fromkeys(record["question"] for record in records):
        row = [by_key.get((name, size), {}) for size in sizes]
        cells = [name, str(row[-1].get("nodes", "-"))]
        for record in row:
            different = " (answers differ)" if record.get("difference") else ""
            cells += [cell(record, Headwater.name), cell(record, Incumbent.name)]
            cells.append(ratio(record) + different)
        first, last = (median(record, Headwater.name) for record in (row[0], row[-1]))
        cells.append(f"{last / first:.2f}" if first and last else "-")
        yield "| " + " | ".join(cells) + " |"


def noise(records):
    """How far apart the middle half of the times of one question lies, as a part of its median."""
    for side in (Headwater.name, Incumbent.name):
        spreads = [record[side]["spread"] for record in records if median(record, side)]
        if spreads:
            usual, most = statistics.median(spreads), max(spreads)
            yield f"{side}: usually {usual:.1%} of the median, at most {most:.1%}"
    busiest = max(record["load"] for record in records)
    yield f"load of the machine: at most {busiest:.1f}; this run alone makes about 1"


def machine():
    """What the numbers depend on besides the code."""
    cpu = pathlib.Path("/proc/cpuinfo").read_text().partition("model name\t: ")[2]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    version = subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True)
    return {
        "day": datetime.date.today().isoformat(),
        "cpu": cpu.partition("\n")[0] or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 2**30),
        "headwater": version.stdout.split()[-1],
        "ml_metadata": metadata.version("ml-metadata"),
        "grpcio": metadata.version("grpcio"),
        "python": platform.python_version(),
    }


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000,1000000", help="numbers of artifacts")
    parser.add_argument(
        "--repeat", type=int, default=9, help="calls per question and side; more of the quick ones"
    )
    parser.add_argument("--out", default=str(BENCH / ".data/ask.jsonl"), help="JSON lines, anew")
    parser.add_argument("--data", default=str(BENCH / ".data"), help="where the graphs are kept")
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="of a question's name")
    parser.add_argument("--no-incumbent", action="store_true", help="ask Headwater alone")
    return parser.parse_args()


def main():
    options = parse_options()
    if not shutil.which(BINARY):
        raise SystemExit(f"{BINARY} is not there; build it, or name one with HEADWATER_BIN")
    where, records = machine(), []
    pathlib.Path(options.out).parent.mkdir(parents=True, exist_ok=True)
    with open(options.out, "w") as out:
        print(json.dumps(where), file=out, flush=True)
        sizes = sorted(int(size) for size in options.sizes.split(","))
        for record in ask_all(sizes, options):
            print(json.dumps(record), file=out, flush=True)
            records.append(record)
    if not records:
        raise SystemExit(f"no question has {options.only!r} in its name")
    print("", *table(records), "", sep="\n")
    print(", ".join(f"{key} {value}" for key, value in where.items()))
    print("noise, the middle half of the times:", *noise(records), sep="\n  ")
    sys.exit(any(record.get("difference") for record in records))


if __name__ == "__main__":
    main()
