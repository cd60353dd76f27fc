"""Measures Headwater beside the released `ml-metadata` wheel and the raw databases.

    bash test.sh                                  # makes the environments and the server
    cargo build --release -p headwater-bench
    .venv/tests/bin/python bench/run.py           # all; --quick for a minute's worth

Everybody does the same work, in turns, in one run; what they store and answer is compared first,
and the run ends with 1 where it differs. README.md says what the numbers mean.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time
from importlib import metadata

import charts
import reads
import report
import scale
import sides
import writes

BENCH = pathlib.Path(__file__).resolve().parent


class Progress:
    """One line on the terminal that says what is going on."""

    def __init__(self):
        self.title, self.began = "", time.monotonic()

    def begin(self, title):
        self.title = title
        if not sys.stderr.isatty():
            print(title, file=sys.stderr, flush=True)

    def say(self, words):
        if sys.stderr.isatty():
            line = f"{time.monotonic() - self.began:5.0f} s  {self.title}: {words}"
            print(f"\r\x1b[K{line[:110]}", end="", file=sys.stderr, flush=True)

    def done(self, record):
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr)
        print(report.in_words(record), flush=True)


def machine():
    """What the numbers depend on besides the code."""
    cpu = pathlib.Path("/proc/cpuinfo").read_text().partition("model name\t: ")[2]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    version = subprocess.run([sides.SERVER, "--version"], capture_output=True, text=True)
    return {
        "day": datetime.date.today().isoformat(),
        "cpu": cpu.partition("\n")[0] or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 2**30),
        "headwater": version.stdout.split()[-1],
        "ml_metadata": metadata.version("ml-metadata"),
        "python": platform.python_version(),
    } | {
        backend: sides.rows(address, "SELECT version()")[0][0].split(" (")[0]
        for backend, address in sides.SERVERS.items()
        if not sides.objection(backend)
    }


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="of a workload's name")
    parser.add_argument("--quick", action="store_true", help="few turns, and the small graph")
    parser.add_argument("--rounds", type=int, help="turns of each workload")
    parser.add_argument("--sizes", help="artifacts of the graphs, as in 10000,1000000")
    parser.add_argument("--out", default=str(BENCH / ".data/run.jsonl"), help="JSON lines, anew")
    parser.add_argument("--data", default=str(BENCH / ".data"), help="where files are made")
    parser.add_argument(
        "--charts", metavar="FOLDER", help="where charts go; docs/charts if everything is measured"
    )
    options = parser.parse_args()
    if not (options.charts or options.only or options.quick):
        options.charts = sides.REPOSITORY / "docs/charts"
    return options


class Run:
    """The records of one run, as they come."""

    def __init__(self, out):
        self.out, self.records, self.progress = out, [], Progress()
        self.failures = []

    def done(self, record):
        self.progress.done(record)
        print(json.dumps(record), file=self.out, flush=True)
        del record["turns"]  # every single time is in the file
        self.records.append(record)

    def failed(self, reason):
        """Notes a workload without a time, so that the others are still measured."""
        self.failures.append(f"{self.progress.title}: {reason}")
        print(self.failures[-1], file=sys.stderr, flush=True)


def measure(options, run):
    """All workloads whose names were asked for."""
    left_out = {
        backend: reason for backend in sides.SERVERS if (reason := sides.objection(backend))
    }
    if left_out and os.environ.get("HEADWATER_TEST_REQUIRED"):
        raise SystemExit("; ".join(left_out.values()))
    for reason in left_out.values():
        print(f"SKIPPED: {reason}", file=sys.stderr)
    for workload in writes.workloads(options.quick):
        if options.only in workload.title() and workload.backend not in left_out:
            if options.rounds:
                workload = workload._replace(turns=options.rounds)
            run.progress.begin(workload.title())
            try:
                run.done(writes.run(workload, options, run.progress.say))
            except sides.NoAnswer as reason:
                run.failed(reason)
    if options.only in "start":
        run.progress.begin("start")
        for record in reads.starts(options, run.progress.say):
            run.done(record)
    if not options.only.startswith("scale"):
        run.progress.begin("reads")
        reads.run(options, run.progress.say, run.done)
    else:
        run.progress.begin("scale")
        for record in scale.run(options, run.progress.say):
            run.done(record)


def main():
    options = parse_options()
    options.graphs = options.data
    default = "1000000" if options.only.startswith("scale") else "10000,100000,1000000"
    sizes = options.sizes or ("10000" if options.quick else default)
    options.sizes = sorted(int(size) for size in sizes.split(","))
    pathlib.Path(options.data).mkdir(parents=True, exist_ok=True)
    for needed in (sides.SERVER, sides.WORKER, sides.WHEEL_PYTHON, sides.OWN_PYTHON):
        if not pathlib.Path(needed).exists():
            raise SystemExit(f"{needed} is not there; see the first lines of --help")
    where = machine()
    with open(options.out, "w") as out, tempfile.TemporaryDirectory(dir=options.data) as folder:
        print(json.dumps(where), file=out, flush=True)
        options.data = folder
        run = Run(out)
        try:
            measure(options, run)
        except sides.NoAnswer as reason:
            run.failed(reason)
    if not run.records and not run.failures:
        raise SystemExit(f"no workload has {options.only!r} in its name")
    print(*report.tables(run.records), "", sep="\n")
    if options.charts:
        print("charts:", *charts.draw(run.records, options.charts))
    print(", ".join(f"{key} {value}" for key, value in where.items()))
    print("noise, the middle half of the turns:", *report.noise(run.records), sep="\n  ")
    bounds = [
        each for record in run.records if record["group"] == "scale" for each in record["targets"]
    ]
    for failure in run.failures:
        print(failure)
    sys.exit(bool(run.failures) or not all(bound["met"] for bound in bounds))


if __name__ == "__main__":
    main()
