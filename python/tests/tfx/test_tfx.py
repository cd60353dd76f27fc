"""Unmodified packages on top of ML Metadata run on our `ml_metadata` as on Google's.

Each runs on Google's library first; what the store holds then is what it must hold on ours.
"""

import json
import os
import re

import pytest

from contents import contents, plain
from environments import CMF, TFX, Server, drop_in

pytestmark = pytest.mark.skipif(
    "RUN_TFX" not in os.environ, reason="RUN_TFX=1 runs TFX and CMF; 4 GB to install; see README.md"
)

# TFX compares the text of an error with SQLite's; ours says which file, and why.
OTHER_WORDS = {"tfx.orchestration.metadata_test.SqliteMetadataTest.testInvalidConnection"}
OWN_TESTS_MIN = 2000
STEPS = ["CsvExampleGen", "StatisticsGen", "SchemaGen", "Resolver"]
FIRST = [[step, "COMPLETE"] for step in STEPS]
# A resolver is never cached.
SECOND = FIRST + [[step, "CACHED"] for step in STEPS[:-1]] + [["Resolver", "COMPLETE"]]


@pytest.fixture(scope="session", params=[TFX, CMF], ids=lambda package: package.name)
def package(request):
    request.param.build()
    return request.param


@pytest.fixture(scope="session")
def tfx():
    TFX.build()
    return TFX


@pytest.fixture(scope="session")
def ours(tmp_path_factory):
    TFX.build()
    return drop_in(tmp_path_factory.mktemp("wheel"))


def told(report, folder):
    """A script's report, without times and what varies."""
    text = re.sub(r'(_since_epoch": )\d+', r"\g<1>0", json.dumps(report["after_run"]))
    return json.loads(plain(text, folder))


def run_twice(package, folder, ml_metadata=None, served=False):
    """What the script told after each of two runs, and what the file holds in the end."""
    folder.mkdir()
    file = folder / "store.db"
    if served:
        with Server(file) as address:
            report = package.run(package.script, address, folder, 2, ml_metadata=ml_metadata)
    else:
        report = package.run(package.script, file, folder, 2, ml_metadata=ml_metadata)
    return told(report, folder), contents(file, folder)


@pytest.fixture(scope="session")
def expected(package, tmp_path_factory):
    return run_twice(package, tmp_path_factory.mktemp(package.name) / "google")


@pytest.mark.parametrize("way", ["in_process", "served", "served_to_google"])
def test_the_store_holds_what_it_holds_on_googles_library(package, way, expected, ours, tmp_path):
    library = None if way == "served_to_google" else ours
    report, rows = run_twice(package, tmp_path / "ours", library, served=way != "in_process")
    assert report == expected[0]
    assert rows == expected[1]
    if package is TFX:
        assert [run["states"] for run in report] == [FIRST, SECOND]


@pytest.mark.parametrize("ours_comes", ["second", "first"])
def test_a_run_hits_the_cache_that_the_other_library_filled(tfx, ours_comes, ours, tmp_path):
    libraries = [None, ours] if ours_comes == "second" else [ours, None]
    states = [
        tfx.run(tfx.script, tmp_path / "store.db", tmp_path, ml_metadata=library)["after_run"]
        for library in libraries
    ]
    assert [run["states"] for [run] in states] == [FIRST, SECOND]


def test_the_tests_of_tfx_end_alike(tfx, ours, tmp_path):
    google = tfx.run("own_tests.py", cwd=tmp_path)["outcomes"]
    headwater = tfx.run("own_tests.py", ml_metadata=ours, cwd=tmp_path)["outcomes"]
    assert list(google.values()).count("ok") > OWN_TESTS_MIN
    names = google.keys() | headwater.keys()
    differing = {name for name in names if google.get(name) != headwater.get(name)}
    assert differing == OTHER_WORDS
