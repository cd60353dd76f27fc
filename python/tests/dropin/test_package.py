"""What importing brings along, and what happens beside Google's distribution."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import warnings

import ml_metadata
import pytest

OURS = pathlib.Path(ml_metadata.__file__).parent
# Where headwater and our ml_metadata lie.
ROOT = OURS.parent


def run(code, *path, flags=()):
    """Runs code in a Python that finds packages on `path` first; gives what it prints."""
    search = os.pathsep.join([*map(str, path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, *flags, "-c", code],
        # Python finds what lies in the directory it starts in before all else.
        cwd=ROOT.anchor,
        env={**os.environ, "PYTHONPATH": search},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


ALL_MODULES = """
import ml_metadata
import ml_metadata.errors, ml_metadata.version, ml_metadata.proto
from ml_metadata.metadata_store import metadata_store, mlmd_types
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2
from ml_metadata.simple_types.proto import simple_types_pb2
"""


def test_nothing_heavy_is_imported_before_it_is_needed():
    heavy = ("grpc", "absl", "attr", "six", "numpy", "pandas", "pyarrow")
    code = f"{ALL_MODULES}\nimport sys\nprint([name for name in {heavy} if name in sys.modules])"
    assert run(code) == "[]\n"


WITHOUT_GRPC = """
import sys
sys.modules["grpc"] = None
import ml_metadata as mlmd
config = mlmd.proto.ConnectionConfig()
config.fake_database.SetInParent()
print(mlmd.MetadataStore(config).get_artifacts())
try:
    mlmd.MetadataStore(mlmd.proto.MetadataStoreClientConfig(host="h", port=1))
except ImportError as error:
    print(error)
"""


def test_without_grpc_stores_open_here_and_servers_say_what_to_install():
    opened, *words = run(WITHOUT_GRPC).splitlines()
    assert opened == "[]"
    assert "pip install headwater[grpc]" in words[-1]


def test_the_package_gives_what_googles_gives():
    assert sorted(ml_metadata.__all__) == [
        "ListOptions",
        "MetadataStore",
        "OrderByField",
        "downgrade_schema",
    ]
    assert ml_metadata.__version__ == "1.17.1"
    for name in (*ml_metadata.__all__, "errors", "metadata_store", "proto", "version"):
        assert hasattr(ml_metadata, name)
    for name in ("errors", "MetadataStore", "ListOptions", "MAX_NUM_RESULT", "ExtraOptions"):
        assert hasattr(ml_metadata.metadata_store.metadata_store, name)


def test_the_simple_types_are_messages_of_their_own():
    from ml_metadata.simple_types.proto import simple_types_pb2

    types = simple_types_pb2.SimpleTypes()
    types.artifact_types.add(name="T")
    assert simple_types_pb2.SimpleTypes.FromString(types.SerializeToString()) == types


# The order matters: `headwater` and `ml_metadata` import parts of each other.
@pytest.mark.parametrize("first", ["headwater", "ml_metadata", "ml_metadata.proto"])
def test_either_package_may_be_imported_first(first):
    assert run(f"import {first}\n{ALL_MODULES}\nimport headwater", flags=["-W", "error"]) == ""


def test_the_directory_holds_nothing_but_the_one_file():
    shipped = [entry.name for entry in OURS.iterdir() if entry.name != "__pycache__"]
    assert shipped == ["__init__.py"]


GOOGLES_INIT = """
from ml_metadata import proto
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.version import __version__
"""

WHO = """
import json, sys, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import ml_metadata
    import ml_metadata.errors, ml_metadata.metadata_store, ml_metadata.proto, ml_metadata.version
files = {name: module.__file__ for name, module in sys.modules.items()
         if name.split(".")[0] == "ml_metadata" and module.__file__}
print(json.dumps([str(ml_metadata.MetadataStore), files, [str(w.message) for w in caught]]))
"""


@pytest.fixture
def googles(tmp_path):
    """A site-packages with a package that is laid out as Google's."""
    package = tmp_path / "site" / "ml_metadata"
    texts = {
        "__init__.py": GOOGLES_INIT,
        "version.py": "__version__ = 'theirs'",
        "errors.py": "",
        "proto/__init__.py": "",
        "metadata_store/__init__.py": "MetadataStore = 'theirs'",
    }
    for name, text in texts.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return package


def test_installed_over_googles_headwaters_is_used_whole_and_says_so(googles):
    shutil.copy(OURS / "__init__.py", googles / "__init__.py")
    store, files, words = json.loads(run(WHO, googles.parent))
    assert "ml_metadata.metadata_store.metadata_store.MetadataStore" in store
    assert files.pop("ml_metadata") == str(googles / "__init__.py")
    assert files
    assert all("_ml_metadata" in pathlib.Path(file).parts for file in files.values()), files
    [warning] = [text for text in words if "ml-metadata" in text]
    assert "pip uninstall ml-metadata" in warning
    assert "pip install --force-reinstall --no-deps headwater" in warning


def test_with_googles_installed_over_it_googles_is_used_whole(googles):
    store, files, words = json.loads(run(WHO, googles.parent))
    assert (store, words) == ("theirs", [])
    assert all(pathlib.Path(file).is_relative_to(googles) for file in files.values()), files


def test_alone_it_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store, _, words = json.loads(run(WHO))
    assert ("MetadataStore" in store, words) == (True, [])
