"""Runs those of TFX's own tests that work on ML Metadata, as they come with its wheel.

    python own_tests.py

Runs in an environment with TFX and knows nothing of Headwater. Its last line is JSON: where
`ml_metadata` came from, and how each test ended. Modules do not stand each other (they register
the same names), and importing TFX takes half a minute; so each is run in a fork of this process.
"""

import collections
import importlib
import json
import os
import pathlib
import re
import sys
import unittest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import ml_metadata
import tfx
from absl import flags
from tfx import v1

# These want Docker, Kubernetes, a whole example's data, or the cloud.
ELSEWHERE = re.compile(
    r"kubernetes|docker|/examples/|/experimental/|e2e|avro|parquet|beam_dag|/launcher/"
)


def modules():
    root = pathlib.Path(tfx.__path__[0])
    for file in sorted(root.rglob("*_test.py")):
        if "ml_metadata" in file.read_text() and not ELSEWHERE.search(str(file)):
            yield ".".join(["tfx", *file.relative_to(root).with_suffix("").parts])


class Outcomes(unittest.TestResult):
    """One word for each test; a test ends with the worst of its words."""

    def __init__(self):
        super().__init__()
        self.words = {}

    def _end(self, test, word):
        # Some names hold the address of a function.
        name = re.sub(r"0x[0-9a-f]+", "0x", test.id())
        if self.words.get(name) in (None, "ok"):
            self.words[name] = word

    def addSuccess(self, test):
        self._end(test, "ok")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._end(test, "failed")

    def addError(self, test, error):
        super().addError(test, error)
        self._end(test, "error")

    def addSkip(self, test, reason):
        self._end(test, "skipped")

    def addSubTest(self, test, subtest, error):
        if error:
            self.addError(test, error)


def outcomes_of(module):
    outcomes = Outcomes()
    importlib.import_module(module)
    unittest.defaultTestLoader.loadTestsFromName(module).run(outcomes)
    for test, text in outcomes.failures + outcomes.errors:
        print(f"{test}\n{text}", file=sys.stderr)
    return outcomes.words


def in_a_fork(module):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            words = outcomes_of(module)
        except BaseException as error:
            words = {module: f"did not run: {error!r}"}
        with os.fdopen(writer, "w") as pipe:
            json.dump(words, pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return json.loads(told or json.dumps({module: "died"}))


def main():
    flags.FLAGS(sys.argv[:1])
    outcomes = {}
    for module in modules():
        outcomes.update(in_a_fork(module))
    words = collections.Counter(outcomes.values())
    print(f"{v1.__version__}: {dict(words)}", file=sys.stderr)
    source = [ml_metadata.__path__[0], ml_metadata.__version__]
    print(json.dumps({"ml_metadata": source, "outcomes": outcomes}))


if __name__ == "__main__":
    main()
