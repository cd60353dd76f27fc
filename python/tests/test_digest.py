"""`headwater.digest`: what a file, a folder, a table or a value is, by its content."""

import datetime
import decimal
import hashlib
import math
import os
import pathlib
import signal
import subprocess
import sys
import threading
import uuid

import pytest
from folders import write

from headwater import _native
from headwater import digest as module
from headwater.digest import (
    Digest,
    digest_bytes,
    digest_object,
    digest_path,
    digest_reference,
)

HUGE_BYTES = 64 << 30


def frame(of):
    digest = digest_object(of)
    assert digest.key == digest.frame
    return digest.frame


def distinct(*objects):
    return len({frame(each) for each in objects}) == len(objects)


@pytest.fixture
def huge(tmp_path):
    """A file that nobody reads to its end; it takes no room."""
    path = tmp_path / "huge.bin"
    with open(path, "wb") as file:
        file.truncate(HUGE_BYTES)
    return path


# Files and folders.


def test_a_file_has_the_digests_that_everybody_computes(tmp_path):
    path = tmp_path / "data.csv"
    for data in (b"", b"a,b\n1,2\n", b"x" * 5_000_001):
        path.write_bytes(data)
        digest = digest_path(path)
        assert digest == Digest(
            sha256=hashlib.sha256(data).hexdigest(),
            md5=hashlib.md5(data).hexdigest(),
            size_bytes=len(data),
        )
        assert digest == digest_path(str(path)) == digest_path(os.fsencode(path))
        assert digest == digest_bytes(data)
        assert digest.key == f"sha256:{digest.sha256}"


def test_a_folder_is_the_list_of_its_files(tmp_path):
    files = {"b/x": b"1", "a": b"2", "a-b": b"", b"\xff": b"3"}
    write(tmp_path, files)
    digest = digest_path(tmp_path)
    for name, found in (("sha256", digest.sha256), ("md5", digest.md5)):
        lines = [
            os.fsencode(path) + b"\0" + hashlib.new(name, data).hexdigest().encode() + b"\n"
            for path, data in files.items()
        ]
        assert found == hashlib.new(name, b"".join(sorted(lines))).hexdigest()
    assert (digest.size_bytes, digest.files) == (3, 4)


def test_the_same_bytes_elsewhere_are_the_same_and_a_changed_byte_is_another(tmp_path):
    write(tmp_path, {"one/a": "x", "one/b": "y", "two/a": "x", "two/b": "y"})
    assert digest_path(tmp_path / "one") == digest_path(tmp_path / "two")
    (tmp_path / "two" / "b").write_text("z")
    one, two = digest_path(tmp_path / "one"), digest_path(tmp_path / "two")
    assert one.sha256 != two.sha256
    assert one.md5 != two.md5


def test_what_cannot_be_read_is_the_error_that_python_has_for_it(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        digest_path(tmp_path / "missing.csv")
    assert caught.value.filename == str(tmp_path / "missing.csv")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(OSError, match="`.*link` is a link that leads nowhere: .*\nhint: "):
        digest_path(tmp_path)
    with pytest.raises(OSError, match="`/dev/null` is neither a file nor a folder\nhint: "):
        digest_path("/dev/null")


def test_a_file_that_changes_while_it_is_hashed_is_refused(huge):
    def shrink(done, total):
        assert total == HUGE_BYTES
        os.truncate(huge, 1)

    with pytest.raises(OSError, match=r"`.*huge.bin` changed while it was read\nhint: "):
        _native.digest_path(os.fsencode(huge), shrink)


def test_what_the_progress_raises_ends_the_reading(huge):
    def fail(done, total):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        _native.digest_path(os.fsencode(huge), fail)


def test_ctrl_c_ends_the_reading(huge):
    code = (
        "import os, sys; from headwater import _native\n"
        "say = lambda done, total: print('reading', flush=True)\n"
        "try: _native.digest_path(os.fsencode(sys.argv[1]), say)\n"
        "except KeyboardInterrupt: print('stopped')\n"
    )
    command = [sys.executable, "-c", code, str(huge)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "reading\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read().splitlines()[-1] == "stopped"


def test_other_threads_run_while_a_file_is_hashed(huge):
    # The progress waits for a thread that needs the interpreter.
    ran, caught = threading.Event(), []

    def hash_it():
        def wait(done, total):
            if ran.wait(60):
                raise LookupError

        try:
            _native.digest_path(os.fsencode(huge), wait)
        except LookupError as error:
            caught.append(error)

    thread = threading.Thread(target=hash_it)
    thread.start()
    ran.set()
    thread.join(120)
    assert len(caught) == 1


class Terminal:
    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return True


@pytest.mark.parametrize("has_tqdm", [True, False])
def test_a_bar_is_shown_on_a_terminal_when_it_takes_long(monkeypatch, huge, has_tqdm):
    if has_tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with module._Bar("huge.bin", None) as bar:
        bar.show(0, 100)
        assert terminal.text == ""
        for done in (25, 50):
            bar._due = 0
            bar.show(done, 100)
    assert "huge.bin" in terminal.text
    assert "50" in terminal.text


def test_no_bar_is_shown_where_nobody_looks_or_nobody_wants_it(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert not module._Bar("x", None).is_on
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert not module._Bar("x", False).is_on


def test_a_terminal_that_is_gone_does_not_end_the_reading(monkeypatch):
    class Gone(Terminal):
        def write(self, text):
            raise ValueError("I/O operation on closed file")

    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setattr(sys, "stderr", Gone())
    with module._Bar("x", True) as bar:
        bar._due = 0
        bar.show(1, 2)
        assert not bar.is_on


def test_bytes_in_memory_are_what_a_file_of_them_is():
    data = bytes(range(256))
    assert digest_bytes(bytearray(data)) == digest_bytes(data)
    assert digest_bytes(memoryview(data)[::2]) == digest_bytes(data[::2])
    assert digest_bytes(data).size_bytes == 256


def test_an_empty_digest_identifies_nothing():
    with pytest.raises(ValueError, match="identifies nothing"):
        Digest().key  # noqa: B018, it raises


# Plain values.

MOMENT = datetime.datetime(2026, 5, 1, 12, 30, tzinfo=datetime.timezone.utc)


def test_values_of_different_kinds_are_different():
    assert distinct(
        None, True, False, 0, 1, 0.0, -0.0, 1.0, 0.1, math.nan, math.inf, "1", b"1", "", b"", [],
        {}, set(), [None], [[]], ["a", "b"], ["ab"], [["a"], "b"], ["a", ["b"]], {"a": "b"},
        {"a": None}, {"b": "a"}, {1: "a"}, {"1": "a"}, {1}, 10**5000, 1 + 2j, MOMENT, MOMENT.date(),
        MOMENT.time(), MOMENT - MOMENT, decimal.Decimal("1.0"), decimal.Decimal("1.00"),
        uuid.UUID(int=1),
    )  # fmt: skip


def test_how_a_value_is_held_does_not_count():
    assert frame([1, "a"]) == frame((1, "a"))
    assert frame({"a": 1, "b": 2}) == frame({"b": 2, "a": 1})
    assert frame({1, 2, "x"}) == frame(frozenset(["x", 2, 1]))
    assert frame(b"ab") == frame(bytearray(b"ab")) == frame(memoryview(b"ab"))
    assert frame(math.nan) == frame(-math.nan) == frame(float("nan"))


def test_the_form_of_values_stays_as_it_is():
    # These are stored: a new form would make a new version of everything.
    value = {"lr": 0.1, "layers": [64, 32], "name": "net", "on": True, "no": None, "raw": b"\0"}
    assert frame(value) == (
        "sha256:0ff22218b05cd28f77ac067786c58e975ab049edaf9c80afa2c212c51fc21072"
    )


def test_a_digest_is_the_same_in_another_process():
    code = (
        "from headwater.digest import digest_object\n"
        "print(digest_object({'b': {'x', 'y', 'z'}, 'a': [1.5, None]}).frame)"
    )
    found = {
        subprocess.check_output(
            [sys.executable, "-c", code], text=True, env={**os.environ, "PYTHONHASHSEED": seed}
        ).strip()
        for seed in ("1", "2", "3")
    }
    assert found == {frame({"a": [1.5, None], "b": {"z", "y", "x"}})}


def test_what_has_no_stable_form_is_refused_with_a_way_out():
    held = []
    held.append(held)
    for of, hint in (
        (object(), "pass its values"),
        (lambda: 1, "pass its values"),
        ([1, {"a": object()}], "pass its values"),
        ({object(): 1}, "keys of a dict"),
        ((each for each in [1]), "pass its values"),
        (pathlib.Path("a"), "`digest_path` reads"),
        (Digest(), "dataclasses.asdict"),
        (held, "pass a part of it"),
    ):
        with pytest.raises(TypeError, match="has no digest\nhint: .*" + hint):
            digest_object(of)


# Tables and arrays.

COLUMNS = {
    "i": [1, 2, 3],
    "f": [1.5, math.nan, -0.0],
    "s": ["x", "yé", ""],
    "b": [True, False, True],
}


def test_the_form_of_arrays_stays_as_it_is():
    numpy = pytest.importorskip("numpy")
    assert frame(numpy.arange(6, dtype="i4").reshape(2, 3)) == (
        "sha256:dec35a62ae5f4906b162ce51e547bb33ebd9bd8492a2928aaa669f63f7d48902"
    )


def test_the_form_of_tables_stays_as_it_is_in_every_library():
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    wanted = "sha256:42362f82acde07191f9d9f26678316ba4ba7a5b0c24ecd93328398bd9a222e78"
    assert frame(pandas.DataFrame(COLUMNS)) == wanted
    assert frame(polars.DataFrame(COLUMNS)) == wanted
    assert frame(pyarrow.table(COLUMNS)) == wanted
    assert frame(pyarrow.record_batch(COLUMNS)) == wanted


def test_how_an_array_lies_in_memory_does_not_count():
    numpy = pytest.importorskip("numpy")
    # More than a block, in parts that are none.
    array = numpy.random.default_rng(0).random((1000, 333))
    array[5, 7] = math.nan
    for same in (
        numpy.asfortranarray(array),
        array.astype(">f8"),
        array[::-1][::-1],
        numpy.concatenate([array, array])[:1000],
        numpy.hstack([array, array])[:, :333],
    ):
        assert frame(same) == frame(array)
    negative = array.copy()
    negative[5, 7] = -math.nan
    assert frame(negative) == frame(array)


def test_arrays_differ_by_their_values_shapes_and_types():
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(12)
    changed = array.copy()
    changed[11] = 0
    assert distinct(
        array, changed, array.reshape(3, 4), array.reshape(4, 3), array.reshape(4, 3).T, array[:11],
        array.astype("i4"), array.astype("u8"), array.astype("f8"), array.astype("f4"), array != 0,
        array.astype("M8[s]"), array.astype("M8[ms]"), array.astype("m8[s]"), array.astype(str),
        array.astype("S"), array.astype(object), array.astype(complex), numpy.array(1), [1],
        numpy.ma.array(array, mask=array > 5), numpy.ma.array(array, mask=array > 6),
        numpy.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        numpy.array([(1, 2.0)], dtype=[("a", "i4"), ("c", "f8")]),
        numpy.zeros(0), numpy.zeros((0, 3)),
    )  # fmt: skip


def test_numbers_and_texts_of_numpy_are_plain_ones():
    numpy = pytest.importorskip("numpy")
    assert frame(numpy.float64(1.5)) == frame(numpy.float32(1.5)) == frame(1.5)
    assert frame(numpy.int32(3)) == frame(3)
    assert frame(numpy.bool_(True)) == frame(True)
    assert frame(numpy.str_("a")) == frame("a")
    wide, narrow = numpy.array(["a", "bcd"])[:1], numpy.array(["a"])
    assert frame(wide) == frame(narrow)
    assert frame(numpy.ma.array([1, 2], mask=[0, 1])) == frame(numpy.ma.array([1, 9], mask=[0, 1]))
    assert frame(numpy.datetime64("2026-01-01")) != frame(numpy.datetime64("2026-01-02"))


def test_what_only_this_machine_has_is_refused():
    numpy = pytest.importorskip("numpy")
    if numpy.longdouble(0).itemsize == 8:
        pytest.skip("its long double is a double")
    with pytest.raises(TypeError, match="hint: pass .*float64"):
        digest_object(numpy.zeros(1, "longdouble"))
    with pytest.raises(TypeError, match="hint: pass `float` of it"):
        digest_object(numpy.longdouble(1))


def arrow_columns(pyarrow, rows):
    """Columns of many types, with nulls at different places."""
    moment = datetime.datetime(2026, 1, 1)
    hours = [moment + datetime.timedelta(hours=at) for at in range(rows)]

    def some(values, every):
        return [None if at % every == 0 else value for at, value in enumerate(values)]

    numbers = range(rows)
    array = pyarrow.array
    return {
        "int64": array(some(numbers, 7)),
        "uint8": array(some([at % 256 for at in numbers], 5), pyarrow.uint8()),
        "float32": array(
            [math.nan if at % 3 == 0 else at / 2 for at in numbers], pyarrow.float32()
        ),
        "bool": array(some([at % 2 == 0 for at in numbers], 3)),
        "string": array(some([f"s{at}é" for at in numbers], 5)),
        "binary": array(some([b"b%d" % at for at in numbers], 4)),
        "timestamp": array(some(hours, 3), pyarrow.timestamp("us")),
        "zone": array(hours, pyarrow.timestamp("us", "UTC")),
        "date": array(some([each.date() for each in hours], 3)),
        "time": array(some([each.time() for each in hours], 3), pyarrow.time64("ns")),
        "duration": array(some([each - moment for each in hours], 3), pyarrow.duration("us")),
        "decimal": array(some([decimal.Decimal(at).scaleb(-2) for at in numbers], 3)),
        "category": array(some(["a", "b", "c"] * (rows // 3 + 1), 4)[:rows]).dictionary_encode(),
        "list": array(some([[float(each) for each in range(at % 4)] for at in numbers], 11)),
        "fixed": array(
            some([[at, at + 1] for at in numbers], 6), pyarrow.list_(pyarrow.int32(), 2)
        ),
        "struct": array(some([{"a": at, "b": [str(at)]} for at in numbers], 13)),
        "null": pyarrow.nulls(rows),
    }


def test_how_a_table_is_chunked_and_which_library_holds_it_does_not_count():
    pyarrow = pytest.importorskip("pyarrow")
    polars = pytest.importorskip("polars")
    rows = 70_001
    for name, values in arrow_columns(pyarrow, rows).items():
        table = pyarrow.table({name: values})
        parts = [
            table.slice(0, 123),
            table.slice(123, 0),
            table.slice(123, 60_000),
            table.slice(60_123),
        ]
        assert frame(pyarrow.concat_tables(parts)) == frame(table), name
        assert frame(polars.from_arrow(table)) == frame(table), name
        changed = pyarrow.concat_tables([table.slice(1, 1), table.slice(1)])
        assert name == "null" or frame(changed) != frame(table), name


def test_a_table_of_pandas_with_types_of_arrow_is_that_of_arrow():
    pandas = pytest.importorskip("pandas")
    pyarrow = pytest.importorskip("pyarrow")
    for name, values in arrow_columns(pyarrow, 100).items():
        table = pyarrow.table({name: values})
        assert frame(table.to_pandas(types_mapper=pandas.ArrowDtype)) == frame(table), name


def test_what_an_arrow_type_is_spelt_like_does_not_count():
    pyarrow = pytest.importorskip("pyarrow")
    for one, other in (
        (pyarrow.string(), pyarrow.large_string()),
        (pyarrow.binary(), pyarrow.large_binary()),
        (pyarrow.list_(pyarrow.int8()), pyarrow.large_list(pyarrow.int8())),
    ):
        values = [[1, 2], None] if one == pyarrow.list_(pyarrow.int8()) else ["a", None]
        assert frame(pyarrow.array(values, one)) == frame(pyarrow.array(values, other))
    assert frame(pyarrow.array([1], pyarrow.int8())) != frame(pyarrow.array([1], pyarrow.int16()))


def test_tables_differ_by_names_order_types_values_and_index():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(COLUMNS)
    assert distinct(
        table, table[["s", "i", "f", "b"]], table.rename(columns={"i": "j"}), table.iloc[::-1],
        table.iloc[:2], table.astype({"i": "int32"}), table.astype({"i": "float64"}),
        table.set_index("i"), table.set_index("s"), table.assign(i=[1, 2, 4]),
        table.set_index(["i", "s"]),
        table.set_axis([1, 2, 3]), table.rename_axis("row"), table["i"], table["i"].rename("j"),
        table.assign(i=pandas.Categorical(table.i)), table.assign(i=table.i.astype(str)),
        table.iloc[:0], table.iloc[:0, :0],
    )  # fmt: skip


def test_how_pandas_holds_a_column_does_not_count():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    texts = [
        pandas.Series(["a", None], dtype=dtype) for dtype in (object, "string", "string[pyarrow]")
    ]
    assert len({frame(each) for each in texts}) == 1
    assert frame(pandas.Series([1, 2], dtype="Int64")) == frame(pandas.Series([1, 2]))
    table = pandas.DataFrame(COLUMNS)
    assert frame(table.set_axis([0, 1, 2])) == frame(table)
    assert frame(table.copy().iloc[::-1].iloc[::-1]) == frame(table)
    sparse = pandas.Series(pandas.arrays.SparseArray([0, 0, 1]))
    assert frame(sparse) == frame(pandas.Series([0, 0, 1]))


def test_every_type_of_pandas_has_a_form_in_which_each_value_counts():
    pandas = pytest.importorskip("pandas")
    for values in (
        pandas.Categorical(["a", None, "b"]),
        pandas.Categorical(["a", None, "b"], categories=["b", "a"], ordered=True),
        pandas.period_range("2026", periods=3, freq="M"),
        pandas.interval_range(0, 3),
        pandas.array([1, None, 3], dtype="Int64"),
        pandas.array([True, None, False], dtype="boolean"),
        pandas.array([1.5, None, 3], dtype="Float32"),
        pandas.date_range("2026", periods=3, tz="Europe/Berlin"),
        pandas.to_timedelta([1, None, 3], unit="s"),
        pandas.Series([[1], {"a": 2}, None], dtype=object),
        pandas.Series([b"1", None, b"2"], dtype=object),
    ):
        column = pandas.Series(values)
        assert frame(column) == frame(column.copy())
        assert frame(column) != frame(column.iloc[[0, 2, 1]].reset_index(drop=True)), column.dtype
        assert frame(column) != frame(column.iloc[[0, 1]]), column.dtype


def test_tables_and_arrays_may_stand_in_lists_and_dicts():
    numpy = pytest.importorskip("numpy")
    pandas = pytest.importorskip("pandas")
    table, array = pandas.DataFrame(COLUMNS), numpy.arange(3)
    assert distinct([table, array], [array, table], {"x": table, "y": array}, {"x": array}, [array])
    assert frame({"x": table, "y": [array]}) == frame({"y": [array.copy()], "x": table.copy()})


def test_a_lazy_table_is_refused_with_the_way_to_a_table():
    polars = pytest.importorskip("polars")
    with pytest.raises(TypeError, match=r"hint: .*collect\(\)"):
        digest_object(polars.DataFrame(COLUMNS).lazy())


# References.


@pytest.fixture
def memory():
    """fsspec's file system in memory, empty."""
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()


def test_what_is_read_elsewhere_is_what_it_is_here(memory, tmp_path):
    files = {"data/a.csv": b"1,2\n", "data/part/b": b"x" * 3_000_000}
    write(tmp_path, files)
    for name, data in files.items():
        memory.pipe_file(f"/{name}", data)
    assert digest_reference("memory://data/a.csv", read=True) == digest_path(
        tmp_path / "data/a.csv"
    )
    assert digest_reference("memory://data", read=True) == digest_path(tmp_path / "data")


def test_without_reading_a_reference_is_what_its_place_says(memory, monkeypatch):
    memory.pipe_file("/data/a.csv", b"1,2\n")
    memory.pipe_file("/data/b.csv", b"3\n")
    monkeypatch.setattr(type(memory), "_open", lambda *_, **__: pytest.fail("it was read"))
    file, folder = digest_reference("memory://data/a.csv"), digest_reference("memory://data")
    assert (file.sha256, file.size_bytes, file.files) == (None, 4, None)
    assert (folder.sha256, folder.size_bytes, folder.files) == (None, 6, 2)
    assert file.key.startswith("etag:memory://data/a.csv#")
    assert folder.key.startswith("etag:memory://data#")
    assert file == digest_reference("memory://data/a.csv")
    memory.store["/data/a.csv"].created += datetime.timedelta(seconds=1)
    assert digest_reference("memory://data/a.csv").key != file.key
    assert digest_reference("memory://data").key != folder.key


def test_what_a_place_says_of_its_content_is_used(memory, monkeypatch):
    memory.pipe_file("/a", b"abc")
    info = memory.info("/a")
    wanted = digest_bytes(b"abc")
    said = {
        "lfs": {"sha256": wanted.sha256, "size": 3},
        "md5Hash": "kAFQmDzST7DWlj99KOF/cg==",
        "ETag": '"0123-4"',
    }
    monkeypatch.setattr(type(memory), "info", lambda *_, **__: {**info, **said})
    digest = digest_reference("memory://a")
    assert (digest.sha256, digest.md5, digest.size_bytes) == (wanted.sha256, wanted.md5, 3)
    assert digest.key == wanted.key
    assert digest.reference == "etag:memory://a#0123-4"


def test_what_is_not_there_is_said_and_what_changes_is_refused(memory, monkeypatch):
    with pytest.raises(FileNotFoundError):
        digest_reference("memory://missing")
    memory.pipe_file("/a", b"abc")
    opened = type(memory)._open

    def change(self, path, *arguments, **options):
        file = opened(self, path, *arguments, **options)
        self.store["/a"].created += datetime.timedelta(seconds=1)
        return file

    monkeypatch.setattr(type(memory), "_open", change)
    with pytest.raises(OSError, match="`memory://a` changed while it was read\nhint: "):
        digest_reference("memory://a", read=True)


def test_a_file_uri_is_the_file(tmp_path):
    path = tmp_path / "with space.csv"
    path.write_bytes(b"abc")
    uri = path.as_uri()
    assert "%20" in uri
    for each in (
        uri,
        uri.replace("file:///", "file:/"),
        uri.replace("file:", "file://localhost", 1).replace("localhost//", "localhost"),
    ):
        assert digest_reference(each, read=True) == digest_path(path), each
    known = digest_reference(uri)
    assert known.key.startswith(f"etag:{uri}#3-")
    os.utime(path, ns=(0, 0))
    assert digest_reference(uri).key != known.key
    path.unlink()
    with pytest.raises(FileNotFoundError):
        digest_reference(uri)
    with pytest.raises(ValueError, match="another machine"):
        digest_reference("file://server/share/a.csv")


def test_without_fsspec_a_reference_is_its_uri(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    digest = digest_reference("s3://bucket/data.parquet")
    assert digest == Digest(reference="uri:s3://bucket/data.parquet")
    assert digest.key == "uri:s3://bucket/data.parquet"
    with pytest.raises(OSError, match="hint: install fsspec"):
        digest_reference("s3://bucket/data.parquet", read=True)


def test_what_is_no_uri_is_refused():
    with pytest.raises(ValueError, match="`data.csv` is no URI\nhint: "):
        digest_reference("data.csv")


@pytest.mark.parametrize(
    ("uri", "stored"),
    [
        ("https://user:secret@e.org/a.csv", "https://e.org/a.csv"),
        ("https://e.org/a.csv?X-Amz-Signature=secret&X-Amz-Date=1", "https://e.org/a.csv"),
        ("https://e.org/a.csv?token=secret", "https://e.org/a.csv"),
        ("https://e.org/a.csv?sv=2020&sig=secret&se=2030", "https://e.org/a.csv"),
        ("s3://key:secret@bucket/a", "s3://bucket/a"),
        ("abfs://data@account.dfs.core.windows.net/a", "abfs://data@account.dfs.core.windows.net/a"),
        ("zip://a.csv::https://user:secret@e.org/a.zip", "zip://a.csv::https://e.org/a.zip"),
        ("hf://datasets/squad/plain_text", "hf://datasets/squad/plain_text"),
    ],
)  # fmt: skip
def test_credentials_are_never_a_part_of_a_digest(monkeypatch, uri, stored):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    digest = digest_reference(uri)
    assert digest.key == f"uri:{stored}"
    assert "secret" not in repr(digest)
    with pytest.raises(OSError, match="cannot be read") as caught:
        digest_reference(uri, read=True)
    assert "secret" not in str(caught.value)


def test_a_query_that_names_the_thing_is_a_part_of_its_identity(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    one, two, signed = (
        digest_reference(f"https://e.org/download?{query}").key
        for query in ("file=a", "file=b", "file=a&token=secret")
    )
    assert one != two
    assert one == signed
