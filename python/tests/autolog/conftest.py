"""A store for each test, and what autolog left in it.

A library that is not installed is skipped aloud; with HEADWATER_TEST_REQUIRED set it fails.
"""

import importlib
import os

import pytest

import headwater as hw
from headwater import recorder
from headwater.values import plain
from ml_metadata.proto import metadata_store_pb2 as pb

os.environ.setdefault("KERAS_BACKEND", "jax")
_missing = {}


def pytest_terminal_summary(terminalreporter):
    for name, count in _missing.items():
        terminalreporter.write_line(f"SKIPPED {count}: {name} is not here", red=True, bold=True)


@pytest.fixture
def need():
    """Imports a library."""

    def load(name):
        try:
            return importlib.import_module(name)
        except ImportError:
            if "HEADWATER_TEST_REQUIRED" in os.environ:
                raise
            _missing[name] = _missing.get(name, 0) + 1
            pytest.skip(f"{name} is not here")

    return load


class Recorded:
    """A run as it is in the store."""

    def __init__(self, store, execution):
        self.id = execution.id
        self.type = execution.type
        self.state = pb.Execution.State.Name(execution.last_known_state)
        self.properties = {name: plain(of) for name, of in execution.custom_properties.items()}
        self.params = self._named("params.")
        self.tags = self._named("tag.")
        found = store.get_metrics(execution_id=execution.id).series
        self.metrics = {of.name: list(zip(of.steps, of.values)) for of in found}
        events = store.get_events_by_execution_ids(execution_ids=[execution.id]).events
        ids = [of.artifact_id for of in events]
        by_id = {of.id: of for of in store.get_artifacts_by_id(artifact_ids=ids).artifacts}
        self.inputs, self.outputs = {}, {}
        for of in events:
            side = self.inputs if of.type == pb.Event.INPUT else self.outputs
            artifact = by_id[of.artifact_id]
            said = {name: plain(value) for name, value in artifact.custom_properties.items()}
            role = of.path.steps[0].key
            if role not in ("code", "environment"):
                side.setdefault(role, []).append({**said, "id": artifact.id, "uri": artifact.uri})

    def _named(self, prefix):
        return {
            name[len(prefix) :]: of
            for name, of in self.properties.items()
            if name.startswith(prefix)
        }


class Runs:
    """All runs in the store."""

    def __init__(self, url):
        self.url = url

    def __call__(self):
        for run in list(recorder._running):
            if run._place == self.url:
                run.flush()
        with hw.open(self.url) as store:
            found = store.list_executions(page_size=100).executions
            return [Recorded(store, of) for of in sorted(found, key=lambda of: of.id)]

    def one(self):
        found = self()
        assert len(found) == 1, [(run.properties.get("run.name"), run.params) for run in found]
        return found[0]


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Where autolog records: an empty store, and a folder to work in."""
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:{tmp_path}/store.db"
    hw.init(url)
    yield Runs(url)
    hw.autolog(False)
    hw.init()
