"""Measures what recording a run costs, in Headwater and in MLflow.

    python -m venv .venv/recorder
    .venv/recorder/bin/pip install ./python -r bench/requirements-recorder.txt
    cargo build --release -p headwater-server       # or HEADWATER_BIN; without it, no server
    .venv/recorder/bin/python bench/recorder.py     # all; --quick to see that it works

Everybody does the same work, in turns, in one run, each side in a process of its own. After every
turn all that was recorded is read back and compared, and the run ends with 1 where something is
missing: only then its time counts. README.md says what the numbers mean.
"""

import argparse
import contextlib
import datetime
import functools
import json
import math
import os
import pathlib
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata

from report import middle_and_spread, short

BENCH = pathlib.Path(__file__).resolve().parent
SERVER = os.environ.get("HEADWATER_BIN", str(BENCH.parent / "target/release/headwater"))
# MLflow stores nothing in files unless told to, and would look for its makers in the network.
MLFLOW = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
STORED_WITHIN_SECONDS = 600
POINTS_MIN = 100  # of which there are percentiles
BATCH = 1000  # points of one call of MLflow's, which allows no more

SIDES = {
    "headwater": "Headwater, in process",
    "server": "Headwater, server",
    "async": "MLflow, SQLite, asynchronous",
    "sqlite": "MLflow, SQLite",
    "file": "MLflow, files",
}
# Which part of the points a side gets, so that its turn ends: the tables say how many it had.
SHARES = {
    "points": {"async": 100, "sqlite": 200, "file": 100},
    "series": {"sqlite": 20, "file": 20},
}
PARAMS = {"lr": 0.1, "epochs": 20, "optimizer": "adam", "layers": 4, "augment": True}
METRICS = {"loss": 0.25, "accuracy": 0.93, "auc": 0.97}
TAGS = {"team": "churn"}


class Wrong(Exception):
    """What was recorded is not what is there."""


def value_of(step):
    """Different for each step, and not a short decimal."""
    return math.sin(step) + step


# The sides, each in a process of its own.


class Headwater:
    """Headwater's recorder, into a file or to a server."""

    def __init__(self, place, is_async):
        import headwater as hw

        self.hw, self.place = hw, place
        hw.init(place, experiment="bench")

    def begin(self):
        return self.hw.run("bench")

    def points(self, count):
        with self.begin() as run:
            run.flush(STORED_WITHIN_SECONDS)
            times_ns = timed(run.log_metric, count)
            began = time.perf_counter()
            run.flush(STORED_WITHIN_SECONDS)
            return times_ns, time.perf_counter() - began, run.id

    def series(self, count):
        with self.begin() as run:
            run.flush(STORED_WITHIN_SECONDS)
            began = time.perf_counter()
            for step in range(count):
                run.log_metric("loss", value_of(step), step)
            run.flush(STORED_WITHIN_SECONDS)
            return time.perf_counter() - began, run.id

    def run(self, describes):
        self.hw.init(self.place, experiment="bench", describe=describes)
        began = time.perf_counter()
        with self.hw.run("bench", params=PARAMS, tags=TAGS) as run:
            run.log_metrics(METRICS, step=0)
            said = time.perf_counter()
        ended = time.perf_counter()
        self.hw.init(self.place, experiment="bench")
        if not run.is_stored:
            raise Wrong("a run is not stored whole")
        return said - began, ended - began, run.id

    def read(self, run):
        with self.hw.open(self.place) as store:
            began = time.perf_counter()
            (series,) = store.get_metrics(execution_id=run, names=["loss"]).series
            steps, values = list(series.steps), list(series.values)
            return time.perf_counter() - began, steps, values

    def check(self, runs, describes):
        from headwater.values import plain

        wanted = {f"params.{name}": value for name, value in PARAMS.items()}
        wanted |= {f"metrics.{name}": value for name, value in METRICS.items()}
        wanted |= {f"tag.{name}": value for name, value in TAGS.items()}
        with self.hw.open(self.place) as store:
            for found in store.get_executions_by_id(execution_ids=runs).executions:
                there = {name: plain(of) for name, of in found.custom_properties.items()}
                if wanted.items() - there.items() or found.last_known_state != found.COMPLETE:
                    raise Wrong(f"run {found.id} lacks {wanted.items() - there.items()}")
                if describes != ("environment.digest" in there):
                    raise Wrong(f"run {found.id}: its environment is described, or is not")


class Mlflow:
    """MLflow's fluent functions, with its own settings; metrics asynchronously or not."""

    def __init__(self, place, is_async):
        import mlflow

        self.mlflow, self.is_async = mlflow, is_async
        mlflow.set_tracking_uri(place)

    def points(self, count):
        log = self.mlflow.log_metric
        if self.is_async:
            log = functools.partial(log, synchronous=False)
        with self.mlflow.start_run() as run:
            times_ns = timed(log, count)
            began = time.perf_counter()
            if self.is_async:
                self.mlflow.flush_async_logging()
            return times_ns, time.perf_counter() - began, run.info.run_id

    def series(self, count):
        """By its fastest way: batches, as large as it allows."""
        from mlflow.entities import Metric

        client = self.mlflow.MlflowClient()
        with self.mlflow.start_run() as run:
            began = time.perf_counter()
            for first in range(0, count, BATCH):
                now_ms = time.time_ns() // 1_000_000
                steps = range(first, min(count, first + BATCH))
                metrics = [Metric("loss", value_of(step), now_ms, step) for step in steps]
                client.log_batch(run.info.run_id, metrics=metrics)
            return time.perf_counter() - began, run.info.run_id

    def run(self, describes):
        began = time.perf_counter()
        with self.mlflow.start_run(tags=TAGS) as run:
            self.mlflow.log_params(PARAMS)
            self.mlflow.log_metrics(METRICS, step=0)
            said = time.perf_counter()
        return said - began, time.perf_counter() - began, run.info.run_id

    def read(self, run):
        client = self.mlflow.MlflowClient()
        began = time.perf_counter()
        history = client.get_metric_history(run, "loss")
        steps, values = [each.step for each in history], [each.value for each in history]
        return time.perf_counter() - began, steps, values

    def check(self, runs, describes):
        client = self.mlflow.MlflowClient()
        params = {name: str(value) for name, value in PARAMS.items()}
        for run in runs:
            found = client.get_run(run)
            is_whole = found.data.params == params and found.data.metrics == METRICS
            is_tagged = TAGS.items() <= found.data.tags.items()
            if not (is_whole and is_tagged and found.info.status == "FINISHED"):
                raise Wrong(f"run {run} has {found.data}")


def timed(log, count):
    """Nanoseconds of each call that logs a point."""
    clock, times_ns = time.perf_counter_ns, [0] * count
    values = [value_of(step) for step in range(count)]
    for step in range(count):
        began = clock()
        log("loss", values[step], step)
        times_ns[step] = clock() - began
    return times_ns


def compare(count, steps, values):
    """Wrong, unless they are all the points."""
    there = sorted(zip(steps, values, strict=True))
    if there != [(step, value_of(step)) for step in range(count)]:
        raise Wrong(f"{len(there)} of {count} points are there, or others")


def do(side, order):
    """One turn, in the process of the side."""
    count = order["count"]
    if order["do"] == "points":
        times_ns, seconds, run = side.points(count)
        compare(count, *side.read(run)[1:])
        percents = statistics.quantiles(times_ns, n=100, method="inclusive")
        return {
            "count": count,
            "p50_us": percents[49] / 1000,
            "p99_us": percents[98] / 1000,
            "slowest_us": max(times_ns) / 1000,
            "mean_us": statistics.fmean(times_ns) / 1000,
            "stored_after_ms": seconds * 1000,
        }
    if order["do"] == "series":
        seconds, run = side.series(count)
        read_seconds, steps, values = side.read(run)
        compare(count, steps, values)
        return {"count": count, "store_s": seconds, "read_s": read_seconds}
    runs = [side.run(order["describes"]) for _ in range(count)]
    side.check([run for _, _, run in runs], order["describes"])
    return {
        "count": count,
        "said_ms": statistics.median(said for said, _, _ in runs) * 1000,
        "stored_ms": statistics.median(ended for _, ended, _ in runs) * 1000,
    }


def work(name, place):
    """Takes orders and answers, a line of JSON each; what libraries print goes elsewhere."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    kind = Headwater if name in ("headwater", "server") else Mlflow
    side = kind(place, name == "async")
    for line in sys.stdin:
        try:
            answer = do(side, json.loads(line))
        except Exception as error:
            answer = {"wrong": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


# The one who measures.


class Worker:
    """The process of a side."""

    def __init__(self, name, place, log):
        self.name = name
        command = [sys.executable, __file__, "--worker", name, place]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=BENCH,  # both look for the repository that the script is in
            env={**os.environ, **MLFLOW},
        )

    def ask(self, what, count, describes=True):
        order = {"do": what, "count": count, "describes": describes}
        print(json.dumps(order), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline() or '{"wrong": "its process ended"}')
        if "wrong" in answer:
            raise Wrong(f"{self.name}, {what}: {answer['wrong']}")
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


@contextlib.contextmanager
def store_of(name, folder, log):
    """A store of its own for a side: the place for it, and the folder that holds all of it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder))
    try:
        if name != "server":
            yield place_in(name, folder), folder
            return
        command = [SERVER, "serve", "--store", f"sqlite:{folder}/store.db"]
        with subprocess.Popen(
            [*command, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=log, text=True
        ) as server:
            try:
                line = server.stdout.readline()
                if not line.startswith("headwater ready on "):
                    raise SystemExit(f"{' '.join(command)} said {line!r}")
                yield f"grpc://{line.split()[3].rstrip(',')}", folder
            finally:
                server.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def place_in(name, folder):
    if name == "headwater":
        return f"sqlite:{folder}/store.db"
    return f"file:{folder}/runs" if name == "file" else f"sqlite:///{folder}/store.db"


def size_of(folder):
    """Bytes of all that is stored, the write-ahead log moved into the database before."""
    for path in folder.glob("*.db"):
        with contextlib.closing(sqlite3.connect(path)) as database:
            (is_busy, _, _) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise Wrong(f"the write-ahead log of {path.name} is in use")
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class Bench:
    """The turns of a run, by workload and side."""

    def __init__(self, options, log):
        self.options, self.log = options, log
        self.turns = {}

    def add(self, workload, name, turn):
        self.turns.setdefault(workload, {}).setdefault(name, []).append(turn)
        if sys.stderr.isatty():
            print(f"\r\x1b[K{workload}: {SIDES[name]}", end="", file=sys.stderr, flush=True)

    def in_turns(self, workload, rounds, names, turn):
        """Every side once in each round, in another order each time."""
        for at in range(rounds):
            for name in names[at % len(names) :] + names[: at % len(names)]:
                self.add(workload, name, turn(name))

    def share(self, workload, name):
        whole = getattr(self.options, workload)
        return min(whole, max(POINTS_MIN, whole // SHARES[workload].get(name, 1)))

    def imports(self):
        said = {"headwater": "import headwater; headwater.run", "sqlite": "import mlflow"}
        clock = "import time; began = time.perf_counter(); {}; print(time.perf_counter() - began)"

        def turn(name):
            done = subprocess.run(
                [sys.executable, "-c", clock.format(said[name])],
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, **MLFLOW},
            )
            return {"count": 1, "import_ms": float(done.stdout) * 1000}

        self.in_turns("import", self.options.rounds * 2, list(said), turn)

    def measure(self, names):
        self.imports()
        with contextlib.ExitStack() as stack:
            enter = stack.enter_context
            places = {name: enter(store_of(name, self.options.data, self.log))[0] for name in names}
            recording = [name for name in names if name != "async"]  # of metrics only
            ours = [name for name in names if name in ("headwater", "server")]

            def first(describes):
                def turn(name):
                    with Worker(name, places[name], self.log) as worker:
                        return worker.ask("run", 1, describes)

                return turn

            for name in names:
                first(True)(name)  # makes the store
            rounds = self.options.rounds
            self.in_turns("first run", rounds, recording, first(True))
            self.in_turns("first run, not described", rounds, ours, first(False))
            workers = {name: enter(Worker(name, places[name], self.log)) for name in names}
            for worker in workers.values():
                worker.ask("run", 1)
            runs = self.options.runs
            self.in_turns("run", rounds, recording, lambda name: workers[name].ask("run", runs))
            self.in_turns(
                "run, not described",
                rounds,
                ours,
                lambda name: workers[name].ask("run", runs, False),
            )
            self.in_turns(
                "points",
                rounds,
                names,
                lambda name: workers[name].ask("points", self.share("points", name)),
            )
        self.in_turns("series", self.options.series_rounds, recording, self.series)

    def series(self, name):
        """One metric in a store of its own, which is measured before and afterwards."""
        with (
            store_of(name, self.options.data, self.log) as (place, folder),
            Worker(name, place, self.log) as worker,
        ):
            worker.ask("run", 1)
            before = size_of(folder)
            turn = worker.ask("series", self.share("series", name))
            return {**turn, "size_mib": (size_of(folder) - before) / 2**20}


# Words.


def cell(turns, measure, times=1.0):
    middle, spread = middle_and_spread([turn[measure] * times for turn in turns])
    return short(middle) + ("" if spread is None else f" ±{spread / 2:.0%}")


def table(heads, rows):
    yield "| " + " | ".join(["", *heads]) + " |"
    yield "|---" * (len(heads) + 1) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def markdown(turns, where, options):
    """The section of docs/performance.md."""
    yield from ("## Recording runs, beside MLflow", "")
    yield from (
        "`bench/recorder.py` does the same with Headwater's recorder and with MLflow, in turns, in",
        "one run; everything that was recorded is read back and compared before its time counts.",
        "[bench/README.md](../bench/README.md) says what each number is. Databases sync at each",
        "commit, MLflow's files never do. Medians, with half the distance of the quartiles (`±`);",
        ", ".join(f"{name} {value}" for name, value in where.items()) + ".",
    )
    yield from ("", "### A point of a metric, on the caller's thread", "")
    measures = {"p50_us": "p50, µs", "p99_us": "p99, µs", "slowest_us": "slowest, µs"}
    measures |= {"mean_us": "mean, µs", "stored_after_ms": "then until all are stored, ms"}
    yield from table(
        ["points of a turn", *measures.values()],
        (
            [SIDES[name], f"{of[0]['count']:,}", *(cell(of, measure) for measure in measures)]
            for name, of in turns["points"].items()
        ),
    )
    yield from ("", "### A run: begin, 5 params, 3 metrics, 1 tag, end; ms", "")
    firsts, later = turns["first run"], turns["run"]
    undescribed = turns["first run, not described"], turns["run, not described"]
    rows = []
    for name in firsts:
        rows.append([SIDES[name], *run_cells(firsts[name], later[name])])
        if name in undescribed[0]:
            both = (of[name] for of in undescribed)
            rows.append([f"{SIDES[name]}, `describe=False`", *run_cells(*both)])
    before = "of it before the end"
    yield from table(["first of a process, stored", before, "later ones, stored", before], rows)
    yield from ("", f"### {options.series:,} points of one metric", "")
    yield from table(
        ["points measured", "to store, s", "to read, s", "on disk, MiB"],
        (series_cells(SIDES[name], of, options.series) for name, of in turns["series"].items()),
    )
    if any(of[0]["count"] < options.series for of in turns["series"].values()):
        yield from (
            "",
            "`~` is extrapolated: measured with the points of the first column, and multiplied.",
        )
    yield from ("", "### Import, ms", "")
    names = {"headwater": "Headwater, `headwater.run` included", "sqlite": "MLflow"}
    yield from table(
        ["import"], ([names[name], cell(of, "import_ms")] for name, of in turns["import"].items())
    )


def run_cells(first, later):
    return [cell(of, measure) for of in (first, later) for measure in ("stored_ms", "said_ms")]


def series_cells(title, turns, whole):
    times = whole / turns[0]["count"]
    sign = "~" if times > 1 else ""
    measures = ("store_s", "read_s", "size_mib")
    cells = [sign + cell(turns, measure, times) for measure in measures]
    return [title, f"{turns[0]['count']:,}", *cells]


def machine():
    """What the numbers depend on besides the code."""
    cpu = pathlib.Path("/proc/cpuinfo").read_text().partition("model name\t: ")[2]
    return {
        "day": datetime.date.today().isoformat(),
        "cpu": cpu.partition("\n")[0] or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load at the begin": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "headwater": metadata.version("headwater"),
        "mlflow-skinny": metadata.version("mlflow-skinny"),
        "sqlite of MLflow": sqlite3.sqlite_version,
        "packages installed": len(list(metadata.distributions())),
    }


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few turns and points, to see it work")
    parser.add_argument("--points", type=int, metavar="N", help="of a turn; 100000")
    parser.add_argument("--series", type=int, metavar="N", help="points of one metric; 1000000")
    parser.add_argument("--runs", type=int, metavar="N", help="of a turn; 10")
    parser.add_argument("--rounds", type=int, metavar="N", help="turns of each side; 10")
    parser.add_argument("--json", metavar="FILE", help="every turn")
    parser.add_argument("--markdown", metavar="FILE", help="the section of docs/performance.md")
    parser.add_argument("--data", default=str(BENCH / ".data"), help="where stores are made")
    options = parser.parse_args()
    sizes = {"points": (100_000, 10_000), "series": (1_000_000, 20_000)}
    sizes |= {"runs": (10, 2), "rounds": (10, 2)}
    for name, (usual, quick) in sizes.items():
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else usual)
        least = POINTS_MIN if name in SHARES else 1
        if getattr(options, name) < least:
            parser.error(f"--{name} is less than {least}")
    options.series_rounds = min(3, options.rounds)
    return options


def main():
    options = parse_options()
    names = list(SIDES)
    if not pathlib.Path(SERVER).exists():
        if os.environ.get("HEADWATER_TEST_REQUIRED"):
            raise SystemExit(f"{SERVER} is not there")
        print(f"SKIPPED: {SERVER} is not there, so no server is measured", file=sys.stderr)
        names.remove("server")
    pathlib.Path(options.data).mkdir(parents=True, exist_ok=True)
    where = machine()
    with tempfile.TemporaryDirectory(dir=options.data) as folder:
        options.data = folder
        with open(f"{folder}/log.txt", "w+") as log:
            bench = Bench(options, log)
            try:
                bench.measure(names)
            except Wrong as error:
                log.seek(0)
                print(log.read()[-4000:], file=sys.stderr)
                raise SystemExit(f"{error}") from None
    section = "\n".join(markdown(bench.turns, where, options)) + "\n"
    if options.json:
        found = {"machine": where, "turns": bench.turns}
        pathlib.Path(options.json).write_text(json.dumps(found, indent=1) + "\n")
    if options.markdown:
        pathlib.Path(options.markdown).write_text(section)
    print(section)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(*sys.argv[2:])
    else:
        main()
