"""Questions about one graph in several sizes, and what it takes to begin."""

import base64
import contextlib
import math
import subprocess

from ml_metadata.proto import metadata_store_service_pb2 as service

import graph
import questions
import sides
from report import Record, Target
from writes import encoded

SIDES = ("python", "rust", "grpc", "wheel", "raw")
# Calls of one turn go on for this long, so that what the processor did for another side before
# does not count; slow calls are asked less often.
TURN_US = 20_000
CALLS_MAX = 1000
SIDE_SECONDS_MAX = 40
TURNS_MIN = 2
GROWTH_MAX = 2
START_TURNS = 10


class Graph:
    """A graph of one size, opened by all sides."""

    def __init__(self, stack, size, options, say):
        say(f"making or finding the graph of {size:,} artifacts")
        self.size, self.path = size, graph.prepare(options.graphs, size)
        self.questions = {each.name: each for each in questions.all_about(self.path)}
        self.workers = {}
        copies = {}
        for owner in ("headwater", "wheel"):
            place = stack.enter_context(sides.database("sqlite", options.data))
            copies[owner] = place
            copy = ["cp", "--reflink=auto", self.path, place.removeprefix("sqlite:")]
            subprocess.run(copy, check=True)
        for side in SIDES:
            say(f"{side} opens the graph of {size:,} artifacts")
            worker = sides.Worker(side, copies["wheel" if side == "wheel" else "headwater"])
            stack.callback(worker.close)
            self.workers[side] = worker
            if side != "raw":  # which needs the indexes that Headwater makes when it first opens
                one = service.GetArtifactsByIDRequest(artifact_ids=[1])
                question = {"method": "GetArtifactsByID", "request": encoded(one)}
                worker.ask("call", seconds_max=sides.OPEN_SECONDS_MAX, **question)


def run(options, say, done):
    """Asks all questions at all sizes; hands over the records."""
    smallest = graph.prepare(options.graphs, min(options.sizes))
    names = [each.name for each in questions.all_about(smallest)]
    names = [name for name in names if options.only in f"reads: {name}"]
    if not names:
        return
    with contextlib.ExitStack() as stack:
        graphs = [Graph(stack, size, options, say) for size in options.sizes]
        for name in names:
            asked = [Asked(each, each.questions[name]) for each in graphs]
            for each in asked:
                say(f"{name}: comparing the answers")
                each.compare()
            turns = options.rounds or (3 if options.quick else 11)
            for turn in range(turns):
                say(f"{name}: turn {turn + 1} of {turns}")
                for each in asked:  # what else the machine does hits all sizes alike
                    each.turn(turn, turns)
            records = [each.record.finished() for each in asked]
            if len(records) > 1 and graphs[0].questions[name].is_page:
                records[-1]["targets"].append(growth(records[0], records[-1]))
            for record in records:
                done(record)


class Asked:
    """One question about one graph, asked of all sides."""

    def __init__(self, of, question):
        self.graph, self.question = of, question
        least = question.targets.get(of.size)
        targets = [Target("wheel / python", "median_ms", at_least=least)] if least else []
        self.record = Record(question.name, "reads", size=of.size, targets=targets)
        self.work, self.turns_max = {}, {}

    def compare(self):
        """Ends the run where answers differ; finds out how long each side takes."""
        method, answers = self.question.method, {}
        for side in SIDES[:-1]:
            with self.giving_up(side):
                answers[side] = self.answer(side)
                self.work[side] = {"work": "ask", "method": method, "request": self.request(side)}
        reference = answers.get("wheel", answers["python"])
        for side, found in answers.items():
            is_bare = method == "GetLineageSubgraph" and side in ("rust", "grpc")
            contents = (questions.content(method, each, is_bare) for each in (found, reference))
            if words := questions.difference(*contents):
                raise SystemExit(f"{self.question.name}, {self.graph.size}: {side}: {words}")
        statements, least = questions.bound(answers["python"])
        self.work["raw"] = {"work": "read", "statements": statements}
        if method == "GetArtifactsByID":
            self.work["native"] = self.work["python"] | {"native": True}
        for side in list(self.work):
            with self.giving_up(side):
                took = self.ask(side, 1)
                if side == "raw":
                    assert took["rows"] >= least, f"{took['rows']} rows, not {least}"
                self.settle(side, took["times_us"][0])

    def settle(self, side, took_us):
        """How many calls a turn has, and how many turns there are at most."""
        self.work[side]["count"] = min(CALLS_MAX, math.ceil(TURN_US / took_us))
        self.turns_max[side] = max(TURNS_MIN, int(SIDE_SECONDS_MAX * 1e6 / took_us))

    def turn(self, turn, turns):
        for side in list(self.work):
            if turn < min(turns, self.turns_max[side]):
                with self.giving_up(side):
                    self.record.add(side, self.ask(side, self.work[side]["count"]))

    def ask(self, side, count):
        worker = self.graph.workers["python" if side == "native" else side]
        worker.ask("prepare", **self.work[side] | {"count": count})
        return worker.run()

    def answer(self, side):
        question = {"method": self.question.method, "request": self.request(side)}
        answer = self.graph.workers[side].ask("call", **question)
        response = getattr(service, f"{self.question.method}Response")
        return response.FromString(base64.b64decode(answer))

    def request(self, side):
        return encoded(self.question.theirs if side == "wheel" else self.question.ours)

    @contextlib.contextmanager
    def giving_up(self, side):
        """Where the wheel does not answer in time it is out, and the others go on."""
        try:
            yield
        except sides.NoAnswer as reason:
            if side != "wheel":
                raise
            self.record.failed(side, str(reason))
            self.work.pop(side, None)


def growth(small, large):
    """What a store that grew costs us."""
    medians = [record["sides"]["python"]["median_ms"] for record in (small, large)]
    value = medians[1] / medians[0]
    words = f"python, {large['size']:,} / {small['size']:,} artifacts ≤ {GROWTH_MAX}"
    return {"words": words, "value": value, "met": value <= GROWTH_MAX}


def starts(options, say):
    """Import, opening and a first read on a file that is there, each in a new process."""
    path = graph.prepare(options.graphs, min(options.sizes))
    third = [Target("python / wheel", "median_ms", at_most=1 / 3)]
    names = {
        "all_ms": Record("import, opening and a first read", "start", targets=third),
        "import_ms": Record("of it the import", "start"),
        "open_ms": Record("of it opening and a first read", "start"),
        "memory_mib": Record("memory afterwards, MiB", "start"),
    }
    with contextlib.ExitStack() as stack:
        places = {}
        for side in ("python", "wheel"):
            places[side] = stack.enter_context(sides.database("sqlite", options.data))
            subprocess.run(["cp", path, places[side].removeprefix("sqlite:")], check=True)
        turns = options.rounds or (3 if options.quick else START_TURNS)
        for turn in range(turns + 1):  # the first one warms up, and makes Headwater's indexes
            say(f"turn {turn} of {turns}")
            for side, place in places.items():
                with contextlib.closing(sides.Worker(side, place)) as worker:
                    facts = worker.ask("facts")
                facts["all_ms"] = facts["import_ms"] + facts["open_ms"]
                for name, record in names.items():
                    if turn:
                        record.add(side, {"times_us": [facts[name] * 1000]})
    return [record.finished() for record in names.values()]
