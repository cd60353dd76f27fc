"""One file, written and read by our library and by Google's in turn."""

import json

import pytest

import interchange


class Ours:
    """Our library, in this process; each call opens the file anew."""

    @staticmethod
    def write(path):
        interchange.write(interchange.open_store(path))

    @staticmethod
    def add(path):
        interchange.write(interchange.open_store(path), tag="2")

    @staticmethod
    def read(path):
        return json.loads(json.dumps(interchange.read(interchange.open_store(path))))


@pytest.fixture
def googles(run_googles):
    class Googles:
        """Google's library, in a process of its own."""

        @staticmethod
        def write(path):
            run_googles("interchange.py", "write", path)

        @staticmethod
        def add(path):
            run_googles("interchange.py", "add", path)

        @staticmethod
        def read(path):
            return json.loads(run_googles("interchange.py", "read", path))

    return Googles


@pytest.mark.parametrize("ours_first", [True, False])
def test_a_file_is_read_and_added_to_by_both(googles, tmp_path, ours_first):
    first, second = (Ours, googles) if ours_first else (googles, Ours)
    path = str(tmp_path / "store.db")
    first.write(path)
    written = first.read(path)
    assert len(written["artifacts"]) == 2
    assert second.read(path) == written
    second.add(path)
    added = second.read(path)
    assert len(added["artifacts"]) == 4
    assert first.read(path) == added
