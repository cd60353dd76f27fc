"""Steps and artifacts, put by one caller or by many at once."""

import base64
import contextlib
import time
from typing import NamedTuple

from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service

import sides
from report import Record, Target

BACKENDS = {"sqlite": "SQLite", "postgres": "PostgreSQL", "mysql": "MySQL"}
FIRST_STEPS = 20  # that all sides put before anything is timed, to compare what they stored
SHARED_INPUTS = 200  # artifacts that many callers read from, as in real pipelines
ROWS_PER_STEP = {"Execution": 1, "ExecutionProperty": 10, "Artifact": 2, "ArtifactProperty": 10}
ROWS_PER_STEP |= {"Event": 4, "EventPath": 8, "Association": 2}
# A caller has that many numbers for its steps in a turn; no round number, so that callers do not
# all read the same inputs at the same time.
CALLER_NUMBERS = 100_037


class Put(NamedTuple):
    """A workload of one caller."""

    name: str
    backend: str
    sides: list
    calls: int  # of each side in a turn
    turns: int
    targets: list

    def title(self):
        return f"`{self.name}`, {BACKENDS[self.backend]}, one caller"


class Load(NamedTuple):
    """A workload of many callers."""

    backend: str
    callers: int
    sides: list
    seconds: float
    turns: int
    targets: list

    def title(self):
        return f"`put_execution`, {BACKENDS[self.backend]}, {self.callers} callers"


def workloads(quick):
    """All of them; few and short ones if it must be quick."""
    everyone = ["python", "rust", "grpc", "wheel", "raw"]
    steps = {"calls": 25, "turns": 4 if quick else 40}
    cpu = Target("rust / raw", "cpu_ms", at_most=1.4)
    by_four = Target("wheel / python", "median_ms", at_least=4)
    yield Put("put_execution", "sqlite", everyone, targets=[by_four, cpu], **steps)
    batches = {"calls": 4 if quick else 8, "turns": 3 if quick else 25}
    by_twenty = Target("wheel / python", "median_ms", at_least=20)
    yield Put("put_artifacts", "sqlite", everyone, targets=[by_twenty], **batches)
    for backend in ("postgres", "mysql"):
        steps = {"calls": 15, "turns": 2 if quick else 30}
        by_six = Target("wheel / python", "median_ms", at_least=6)
        yield Put("put_execution", backend, everyone, targets=[by_six], **steps)
    for backend, least in (("sqlite", 20), ("postgres", 15), ("mysql", 15)):
        for count in (4, 16):
            targets = [
                Target("grpc / wheel", "per_second", at_least=least),
                Target("grpc", "failed", at_most=0),
            ]
            if backend == "sqlite":
                targets.append(Target("grpc", "slowest_ms", at_most=250))
            if count == 4:
                targets = [Target("grpc", "failed", at_most=0)]
                if quick:
                    continue
            some = {"seconds": 0.7 if quick else 3, "turns": 1 if quick else 5}
            yield Load(backend, count, everyone[1:], targets=targets, **some)


def run(workload, options, say):
    """Measures one workload; gives its record."""
    with contextlib.ExitStack() as stack:
        inputs = SHARED_INPUTS
        if isinstance(workload, Put):
            # Inputs that were never in the pipeline's context before: that makes 45 rows.
            inputs = max(inputs, 2 * (FIRST_STEPS + workload.turns * (workload.calls + 1)))
        stores = {
            side: Stored(stack, workload, side, inputs, options.data) for side in workload.sides
        }
        say("comparing what each side stores")
        compare(workload, stores, put_first(stores, workload))
        if isinstance(workload, Put):
            return time_puts(workload, stores, say)
        return time_load(workload, stores, say)


class Stored:
    """One side, and the store that it works on."""

    def __init__(self, stack, workload, side, inputs, folder):
        self.place = stack.enter_context(sides.database(workload.backend, folder))
        name = workload.name if isinstance(workload, Put) else "put_execution"
        # The raw database has no API: the wheel makes its tables, types and inputs.
        with contextlib.closing(sides.Worker("wheel" if side == "raw" else side, self.place)) as w:
            type_ids = make_types(w)
            make_inputs(w, type_ids, inputs)
            self.type_ids = type_ids
        self.worker = sides.Worker(side, self.place)
        stack.callback(self.worker.close)
        self.template = template(name, type_ids, inputs)
        self.callers = self.worker
        if isinstance(workload, Load) and side == "wheel":
            self.callers = sides.Crowd(self.place, workload.callers)
            stack.callback(self.callers.close)

    def put(self, first, count, steps_per_commit=1):
        """Puts steps one after the other; the first warms up."""
        self.worker.ask(
            "prepare",
            work="put",
            template=self.template,
            first=first,
            count=count,
            steps_per_commit=steps_per_commit,
        )
        return self.worker.run()


def make_types(worker):
    """The types of a step, with the properties that it has."""
    kinds = {"STRING": pb.STRING, "INT": pb.INT, "DOUBLE": pb.DOUBLE}
    properties = {f"{kind.lower()}_{at}": kinds[kind] for kind in kinds for at in range(4)}
    artifact_type = pb.ArtifactType(name="StepData", properties=properties)
    execution_type = pb.ExecutionType(name="StepTrain", properties=properties)
    context_type = pb.ContextType(name="StepRun")
    requests = {
        "PutArtifactType": {"artifact_type": artifact_type},
        "PutExecutionType": {"execution_type": execution_type},
        "PutContextType": {"context_type": context_type},
    }
    return {
        method: ask(worker, method, getattr(service, f"{method}Request")(**fields)).type_id
        for method, fields in requests.items()
    }


def ask(worker, method, request):
    """One call of a method, messages in and out."""
    answer = worker.ask("call", method=method, request=encoded(request))
    return getattr(service, f"{method}Response").FromString(base64.b64decode(answer))


def encoded(message):
    return base64.b64encode(message.SerializeToString()).decode()


def make_inputs(worker, type_ids, count):
    """Artifacts with the ids from 1 on."""
    for first in range(0, count, 1000):
        request = service.PutArtifactsRequest()
        for number in range(first, min(first + 1000, count)):
            request.artifacts.add(type_id=type_ids["PutArtifactType"], uri=f"s3://in/{number}")
        ask(worker, "PutArtifacts", request)


def template(name, type_ids, inputs):
    """The message of a step, to be filled with its number by whoever puts it."""
    if name == "put_artifacts":
        request = service.PutArtifactsRequest()
        for _ in range(100):
            artifact(request.artifacts.add(), type_ids)
    else:
        request = service.PutExecutionRequest()
        request.options.reuse_context_if_already_exist = True
        request.execution.type_id = type_ids["PutExecutionType"]
        request.execution.name = "step-"
        request.execution.last_known_state = pb.Execution.COMPLETE
        add_properties(request.execution.properties, 4, 3, 3)
        for place in range(4):
            pair = request.artifact_event_pairs.add()
            if place < 2:
                pair.event.artifact_id = place
                pair.event.type = pb.Event.INPUT
            else:
                artifact(pair.artifact, type_ids)
                pair.artifact.name = f"out-{place}-"
                pair.event.type = pb.Event.OUTPUT
            pair.event.path.steps.add().key = "examples"
            pair.event.path.steps.add().index = place
        for context in ("pipeline", "run-"):
            request.contexts.add(type_id=type_ids["PutContextType"], name=context)
    method = "PutArtifacts" if name == "put_artifacts" else "PutExecution"
    return {"method": method, "request": encoded(request), "inputs": inputs}


def artifact(message, type_ids):
    message.type_id = type_ids["PutArtifactType"]
    message.uri = "s3://bucket/pipeline/run/artifact-"
    message.state = pb.Artifact.LIVE
    add_properties(message.properties, 2, 2, 1)


def add_properties(properties, texts, ints, doubles):
    for at in range(texts):
        properties[f"string_{at}"].string_value = f"some text of usual length, {at}"
    for at in range(ints):
        properties[f"int_{at}"].int_value = at
    for at in range(doubles):
        properties[f"double_{at}"].double_value = at + 0.25


# Equality.


def put_first(stores, workload):
    """The first steps on every side; gives how many there are."""
    count = FIRST_STEPS if workload_puts_steps(workload) else 2
    for stored in stores.values():
        stored.put(0, count)
    return count


def workload_puts_steps(workload):
    return isinstance(workload, Load) or workload.name == "put_execution"


def compare(workload, stores, steps):
    """Ends the run where sides stored different things."""
    reference = sides.content(stores["wheel"].place)
    for side, stored in stores.items():
        found = sides.content(stored.place)
        for table, expected in reference.items():
            if found[table] == expected:
                continue
            here, there = set(found[table]), set(expected)
            raise SystemExit(
                f"{workload.title()}: {side} stored something else in {table}.\n"
                f"only {side}: {sorted(here - there, key=repr)[:3]}\n"
                f"only wheel: {sorted(there - here, key=repr)[:3]}"
            )
    if workload_puts_steps(workload):
        for table, count in ROWS_PER_STEP.items():
            made = len(reference[table]) - (
                stores["wheel"].template["inputs"] * (table == "Artifact")
            )
            assert made == count * steps, f"{made} rows of {table} in {steps} steps"


# Times.


def time_puts(workload, stores, say):
    record = Record(workload.title(), "writes", workload.backend, targets=workload.targets)
    number = FIRST_STEPS
    for turn in range(workload.turns):
        say(f"turn {turn + 1} of {workload.turns}")
        for side, stored in stores.items():
            record.add(side, stored.put(number, workload.calls + 1))
        number += workload.calls + 1
    compare(workload, stores, number)
    return record.finished()


def time_load(workload, stores, say):
    record = Record(workload.title(), "callers", workload.backend, targets=workload.targets)
    before = {side: sides.counts(stored.place) for side, stored in stores.items()}
    for turn in range(workload.turns):
        for side, stored in stores.items():
            say(f"turn {turn + 1} of {workload.turns}: {side}")
            first = (turn + 1) * workload.callers * CALLER_NUMBERS
            if side == "raw" and workload.backend == "sqlite":
                turn_done = shared_commits(workload, stored, first)
            else:
                turn_done = load(workload, stored, first)
            record.add(side, turn_done)
    for side, stored in stores.items():
        warm_ups = workload.turns if side == "raw" and workload.backend == "sqlite" else 0
        calls = record.calls(side) + warm_ups
        after = sides.counts(stored.place)
        for table, count in ROWS_PER_STEP.items():
            made = after[table] - before[side][table]
            if made != count * calls:
                raise SystemExit(
                    f"{workload.title()}: {side} answered {calls} calls and left {made} rows in"
                    f" {table}, not {count * calls}"
                )
    return record.finished()


def load(workload, stored, first):
    """All callers at once."""
    numbers = range(first, first + workload.callers * CALLER_NUMBERS, CALLER_NUMBERS)
    stored.callers.ask(
        "prepare",
        work="load",
        template=stored.template,
        firsts=list(numbers),
        begin_at=time.time() + 0.5,
        seconds=workload.seconds,
    )
    return stored.callers.run()


def shared_commits(workload, stored, first):
    """The bound where one writes at a time: the steps of all callers in one commit, again and
    again."""
    done = stored.put(first, 1 + 40 * workload.callers, workload.callers)
    waited_us = [each * workload.callers for each in done["times_us"]]
    seconds = sum(done["times_us"]) / 1e6
    return done | {"times_us": waited_us, "seconds": seconds, "failed": 0, "failure": None}
