"""The differential test: the same random operations against the released wheel and Headwater.

Both must give the same status codes and, but for times and tokens, the same responses. The first
test runs the wheel against itself: it shows that the generator asks nothing that has more than
one right answer, and that it reaches every method and every status code.
"""

import collections
import difflib
import os
import time

import pytest
from google.protobuf import text_format
from ml_metadata.proto import metadata_store_service_pb2 as service

from answers import Answer, Side, StubCaller, WheelCaller
from graph_operations import LISTS, ORDER, GraphGenerator
from operations import Operation
from stores import BACKENDS

SEEDS = int(os.environ.get("ORACLE_SEEDS", "20"))
SEEDS_SERVERS = int(os.environ.get("ORACLE_SEEDS_SERVERS", "5"))
STEPS = int(os.environ.get("ORACLE_STEPS", "150"))
STEPS_PER_STORE = int(os.environ.get("ORACLE_STEPS_PER_STORE", "500"))
FIRST_SEED = int(os.environ.get("ORACLE_FIRST_SEED", "1"))
SEEDS_FOR_EVERY_CODE, STEPS_FOR_EVERY_CODE = 20, 150
PAGES_MAX = 100
LINES_SHOWN_MAX = 40
METHODS = {m.name for m in service.DESCRIPTOR.services_by_name["MetadataStoreService"].methods}
NOT_COMPARED = {"GetLineageGraph"}  # the wheel has it on the wire only
UNPAGED = 2**31 - 1
CODES = {
    "OK",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "FAILED_PRECONDITION",
    "ABORTED",
    "UNIMPLEMENTED",
    "OUT_OF_RANGE",
    "INTERNAL",
}


class Comparison:
    """One seeded run over two sides; counts what it asked and stops at the first difference."""

    def __init__(self, seed, theirs, ours, statistics):
        self.seed, self.number = seed, 0
        self.theirs, self.ours = Side(theirs), Side(ours)
        self.generator = GraphGenerator(seed)
        self.statistics = statistics

    def run(self, steps):
        for operation in self.generator.start():
            self.step(operation)
        for _ in range(steps):
            self.step(self.generator.next())
        for operation in self.generator.everything():
            self.compare(operation)

    def step(self, operation):
        if operation.walk:
            self.walk(operation)
            return
        answer = self.compare(operation)
        if answer.code != "OK":
            return
        self.generator.learn(operation, answer.response, self.number)
        for read in self.generator.readback(operation, answer.response):
            answer = self.compare(read)
            self.generator.learn(read, answer.response, None)

    def compare(self, operation):
        self.number += 1
        theirs = self.theirs.ask(operation, self.number)
        ours = self.ours.ask(operation, self.number)
        self.statistics[operation.method, theirs.code, operation.note] += 1
        if operation.method.startswith("Put"):
            time.sleep(0.002)  # the next write falls into another millisecond on both sides
        comparable = [
            Answer(answer.code, side.comparable(operation, answer), answer.words)
            for side, answer in ((self.theirs, theirs), (self.ours, ours))
        ]
        if theirs.code != ours.code or comparable[0].response != comparable[1].response:
            pytest.fail(self.report(operation, *comparable), pytrace=False)
        return theirs

    def walk(self, operation):
        """Turns all pages on both sides; by update time, ties may fall differently."""
        pages = [list(self.pages(side, operation)) for side in (self.theirs, self.ours)]
        kind = LISTS[operation.method]
        by_update = operation.request.options.order_by_field.field == ORDER.LAST_UPDATE_TIME
        sides = zip((self.theirs, self.ours), pages, strict=True)
        nodes = [[n for a in turned for n in self.nodes_of(s, operation, a)] for s, turned in sides]
        if by_update:
            for answers in pages:
                times = [
                    (node.last_update_time_since_epoch, node.id)
                    for answer in answers
                    for node in getattr(answer.response, kind.plural)
                ]
                is_asc = operation.request.options.order_by_field.is_asc
                assert times == sorted(set(times), reverse=not is_asc), operation
            nodes = [sorted(side, key=lambda node: node.id) for side in nodes]
        shape = [
            [(a.code, a.response.HasField("next_page_token"), len(side)) for a in side]
            for side in pages
        ]
        if nodes[0] != nodes[1] or shape[0] != shape[1]:
            pytest.fail(self.report(operation, pages[0][-1], pages[1][-1]), pytrace=False)
        if isinstance(self.ours.caller, StubCaller):
            self.compare_with_one_page(operation, pages[1])

    def compare_with_one_page(self, operation, pages):
        """On our side a page may hold everything: the pages together are that one."""
        kind = LISTS[operation.method]
        whole = Operation(operation.method, type(operation.request)())
        whole.request.CopyFrom(operation.request)
        whole.request.options.max_result_size = UNPAGED
        answer = self.ours.ask(whole)
        found = [node.id for page in pages for node in getattr(page.response, kind.plural)]
        if [node.id for node in getattr(answer.response, kind.plural)] != found:
            pytest.fail(self.report(operation, f"pages with {found}", answer), pytrace=False)

    @staticmethod
    def nodes_of(side, operation, answer):
        return getattr(side.comparable(operation, answer), LISTS[operation.method].plural)

    def pages(self, side, operation):
        token = None
        for _ in range(PAGES_MAX):
            answer = side.ask(operation, None, page=token)
            if side is self.theirs:
                self.statistics[operation.method, answer.code, operation.note] += 1
            yield answer
            token = getattr(answer.response, "next_page_token", "")
            if not token:
                return
        pytest.fail(f"seed {self.seed}: {operation} has no last page", pytrace=False)

    def report(self, operation, theirs, ours):
        request = text_format.MessageToString(operation.request, as_utf8=True)
        lines = [str(answer).splitlines() for answer in (theirs, ours)]
        answers = f"--- the wheel: {theirs}\n--- the other: {ours}"
        if min(map(len, lines)) > LINES_SHOWN_MAX:
            answers = "\n".join(difflib.unified_diff(*lines, "the wheel", "the other", lineterm=""))
        return (
            f"seed {self.seed}, operation {self.number}: {operation.method} ({operation.note})\n"
            f"{request}\n{answers}"
        )


def words(statistics):
    """How often each method and each status code occurred."""
    codes, methods = collections.Counter(), collections.defaultdict(collections.Counter)
    for (method, code, _), count in statistics.items():
        codes[code] += count
        methods[method][code] += count
    lines = [f"{sum(codes.values())} operations: {dict(codes.most_common())}"]
    lines += [f"  {method}: {dict(methods[method].most_common())}" for method in sorted(methods)]
    return "\n".join(lines)


def test_the_wheel_agrees_with_itself_on_every_method_and_status_code(wheel, tmp_path):
    statistics = collections.Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + max(SEEDS, SEEDS_FOR_EVERY_CODE)):
        sides = [WheelCaller(wheel(tmp_path / f"{seed}-{side}.db")) for side in (1, 2)]
        Comparison(seed, *sides, statistics).run(max(STEPS, STEPS_FOR_EVERY_CODE))
    print(words(statistics))
    assert METHODS - {method for method, _, _ in statistics} == NOT_COMPARED
    assert CODES - {code for _, code, _ in statistics} == set()


class Saboteur(WheelCaller):
    """The wheel with one fault."""

    def __init__(self, store, fault):
        super().__init__(store)
        self.fault = fault

    def call(self, method, request):
        answer = super().call(method, request)
        if self.fault == "another code" and answer.code == "NOT_FOUND":
            answer.code = "INVALID_ARGUMENT"
        if method.startswith("Get") and hasattr(answer.response, "artifacts"):
            for artifact in answer.response.artifacts:
                if self.fault == "a lost property":
                    artifact.custom_properties.clear()
                if self.fault == "a late update time" and method == "GetArtifactsByID":
                    artifact.last_update_time_since_epoch += 1
                    self.fault = "none any more"
        if self.fault == "a match too few" and "filter_query" in str(request):
            for name in ("artifacts", "executions", "contexts"):
                del getattr(answer.response, name, [])[-1:]
        if self.fault == "an event too few" and method == "GetLineageSubgraph":
            del answer.response.lineage_subgraph.events[-1:]
        if self.fault == "a page too many" and getattr(answer.response, "next_page_token", ""):
            answer.response.ClearField("next_page_token")
        return answer


FAULTS = (
    "another code",
    "a lost property",
    "a late update time",
    "a page too many",
    "a match too few",
    "an event too few",
)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_comparison_notices(fault, wheel, tmp_path):
    theirs = WheelCaller(wheel(tmp_path / "theirs.db"))
    faulty = Saboteur(wheel(tmp_path / "faulty.db"), fault)
    with pytest.raises(pytest.fail.Exception, match=f"seed {FIRST_SEED}, operation"):
        Comparison(FIRST_SEED, theirs, faulty, collections.Counter()).run(STEPS_FOR_EVERY_CODE)


class GaplessCaller(StubCaller):
    """Calls a server whose next ids follow the last, so that they are the wheel's."""

    def __init__(self, server):
        super().__init__(server.stub)
        self.place = server.place

    def call(self, method, request):
        answer = super().call(method, request)
        if answer.code != "OK" and method.startswith("Put"):
            self.place.close_gaps()
        return answer


def seeds():
    for backend in BACKENDS:
        count = SEEDS if backend == "sqlite" else SEEDS_SERVERS
        yield from ((backend, seed) for seed in range(FIRST_SEED, FIRST_SEED + count))


@pytest.mark.parametrize(("backend", "seed"), list(seeds()), indirect=["backend"], scope="module")
def test_headwater_answers_as_the_wheel_does(seed, serve, wheel, tmp_path, record_property):
    statistics = collections.Counter()
    for done in range(0, STEPS, STEPS_PER_STORE):
        theirs = WheelCaller(wheel(tmp_path / f"wheel-{done}.db"))
        server = serve()
        run = Comparison(
            f"{seed}+{done}" if done else seed, theirs, GaplessCaller(server), statistics
        )
        run.run(min(STEPS_PER_STORE, STEPS - done))
        server.stop()
    record_property("operations", sum(statistics.values()))
    print(words(statistics).splitlines()[0])
