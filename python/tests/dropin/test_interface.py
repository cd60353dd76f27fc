"""Our interface against that of Google's library."""

import json

import pytest

from interface import interface


@pytest.fixture(scope="module")
def both(run_googles):
    """Google's interface and ours."""
    return json.loads(run_googles("interface.py")), json.loads(json.dumps(interface()))


def test_every_method_has_googles_signature(both):
    theirs, ours = both
    missing = set(theirs["MetadataStore"]) - set(ours["MetadataStore"])
    assert not missing
    assert len(theirs["MetadataStore"]) > 45
    for name, signature in theirs["MetadataStore"].items():
        assert ours["MetadataStore"][name] == signature, name
    assert set(ours["MetadataStore"]) == set(theirs["MetadataStore"]), "methods of our own"


def test_every_name_of_googles_modules_is_there(both):
    theirs, ours = both
    for module, names in theirs["names"].items():
        assert set(names) <= set(ours["names"][module]), module


@pytest.mark.parametrize(
    "part",
    ["version", "all", "ExtraOptions", "ListOptions", "OrderByField", "downgrade_schema", "errors"]
    + ["types", "messages", "files", "rpcs"],
)
def test_the_rest_is_the_same(both, part):
    theirs, ours = both
    assert theirs[part]
    assert ours[part] == theirs[part]
