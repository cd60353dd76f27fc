"""Filters on one fixed graph: the wheel in process and our server find the same nodes.

The cases are data: `filter_cases.py` and the lines in `filters/`.
"""

import gc
import random
import re
from dataclasses import dataclass

import grpc
import pytest
from ml_metadata.metadata_store import metadata_store

import filter_graph
from answers import StubCaller, WheelCaller
from conftest import wheel_config
from filter_cases import ALIKE, MENDED, ON_SERVERS
from operations import KINDS, new_request
from stores import BACKENDS, File

pytestmark = pytest.mark.backends(*BACKENDS)

KIND = {kind.name: kind for kind in KINDS}
WORTH_ASKING_MIN = 500
MUTANTS = 2000
MUTATIONS = "()'\"`=<>!-+*/,.;#%_ 01xnN\\\né☂"
FAULTS = {code.name for code in grpc.StatusCode} - {"INVALID_ARGUMENT"}


@dataclass
class Graph:
    """The fixed graph in the wheel and behind a server of ours, with equal ids and times."""

    theirs: object
    ours: object
    count: dict

    def ask(self, caller, kind_name, filter_query):
        """The ids that a filter finds, the word for none or all of them, or a status code."""
        kind = KIND[kind_name]
        method = f"Get{kind.title}s"
        request = new_request(method)
        request.options.filter_query = filter_query
        request.options.max_result_size = 100
        answer = caller.call(method, request)
        if answer.code != "OK":
            return answer.code
        ids = [node.id for node in getattr(answer.response, kind.plural)]
        assert len(set(ids)) == len(ids)
        if len(ids) == self.count[kind_name]:
            return "all"
        return " ".join(map(str, sorted(ids))) or "none"


@pytest.fixture(scope="module")
def graph(tmp_path_factory, shared_server):
    path = tmp_path_factory.mktemp("graph") / "wheel.db"
    store = metadata_store.MetadataStore(wheel_config(path))
    filter_graph.build(store)
    del store
    gc.collect()
    filter_graph.build(shared_server.store())
    for place in (File(path), shared_server.place):
        filter_graph.set_times(place)
    theirs = WheelCaller(metadata_store.MetadataStore(wheel_config(path)))
    ours = StubCaller(shared_server.stub)
    made = Graph(theirs, ours, {})
    for caller in (theirs, ours):
        counts = {}
        for kind in KINDS:
            method = f"Get{kind.title}s"
            answer = caller.call(method, new_request(method))
            counts[kind.name] = len(getattr(answer.response, kind.plural))
        assert made.count in ({}, counts)
        made.count = counts
    return made


def name_of(case):
    kind, filter_query = case[:2]
    shown = filter_query if len(filter_query) < 60 else filter_query[:50] + "..."
    return f"{kind}: {shown}"


def check(graph, backend, asked, expected):
    """Ours answers as expected, unless it is written down that it does not on this backend."""
    otherwise = ON_SERVERS.get((backend, *asked))
    assert otherwise != expected
    assert graph.ask(graph.ours, *asked) == (otherwise or expected)


@pytest.mark.parametrize("case", ALIKE, ids=name_of)
def test_headwater_finds_what_the_wheel_finds(case, backend, graph):
    check(graph, backend, case, graph.ask(graph.theirs, *case))


@pytest.mark.parametrize("case", MENDED, ids=name_of)
def test_what_is_mended_answers_as_is_written_down(case, backend, graph):
    *asked, theirs, ours, _ = case
    assert graph.ask(graph.theirs, *asked) == theirs
    check(graph, backend, asked, ours)


def mutated(chance, filter_query):
    """The same text with one or two changes: something left out, put in, changed or repeated."""
    letters = list(filter_query) or [" "]
    for _ in range(chance.randint(1, 2)):
        at = chance.randrange(len(letters))
        length = chance.randint(1, 6)
        form = chance.randint(0, 3)
        if form == 0:
            del letters[at]
        elif form == 1:
            letters.insert(at, chance.choice(MUTATIONS))
        elif form == 2:
            letters[at] = chance.choice(MUTATIONS)
        else:
            letters[at:at] = letters[at : at + length]
        letters = letters or [" "]
    return "".join(letters)


def test_a_filter_with_a_few_letters_changed_is_refused_or_answered(graph):
    """Where the wheel answers, ours answers the same; else ours may know better, or refuses."""
    chance = random.Random(1)
    for _ in range(MUTANTS):
        kind, filter_query = chance.choice(ALIKE)
        mutant = mutated(chance, filter_query)
        if re.search(r"\d{19}", mutant):
            continue  # From 2^63 on, numbers differ on purpose.
        theirs, ours = (graph.ask(side, kind, mutant) for side in (graph.theirs, graph.ours))
        assert ours not in FAULTS, mutant
        if theirs not in ("INVALID_ARGUMENT", "INTERNAL"):
            assert ours == theirs, mutant


@pytest.mark.backends("sqlite")
def test_the_cases_are_worth_asking(graph):
    """Most filters select something and leave something, or are refused; none is there twice."""
    answers = [graph.ask(graph.theirs, *case) for case in ALIKE]
    assert sum(answer[:1].isdigit() for answer in answers) > WORTH_ASKING_MIN
    assert "INTERNAL" not in answers
    asked = ALIKE + [case[:2] for case in MENDED]
    assert len(set(asked)) == len(asked)
    assert {tuple(case) for _, *case in ON_SERVERS} <= set(asked)
