"""`headwater.profile`: what is in a dataset, in short."""

import builtins
import bz2
import datetime
import gzip
import json
import lzma
import math
import os
import subprocess
import sys

import pytest
from folders import write

from headwater import datafiles
from headwater import profile as module
from headwater.profile import Column, profile_of

CSV = """\
id,age,country,api_key,born,zip,is_new
1,31,DE,hunter2,1990-01-31,00123,true
2,,FR,hunter3,1980-05-01,10000,false
3,47,DE,hunter4,1975-12-24,04711,true
"""


@pytest.fixture
def csv(tmp_path):
    """Writes a CSV file, and gives its profile."""

    def make(text, name="data.csv", **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return profile_of(path, **options)

    return make


def types(profile):
    return [column.type for column in profile.columns]


def names(profile):
    return [column.name for column in profile.columns]


# CSV.


def test_a_csv_file_has_columns_rows_and_first_rows(csv):
    profile = csv(CSV)
    assert profile.format == "csv"
    assert profile.rows == 3
    assert profile.sampled_rows is None
    assert profile.columns == (
        Column("id", "int64"), Column("age", "int64"), Column("country", "string"),
        Column("api_key", "string", is_masked=True), Column("born", "date"),
        Column("zip", "string"), Column("is_new", "bool"),
    )  # fmt: skip
    assert profile.preview[1] == (2, None, "FR", "***", "1980-05-01", "10000", False)
    assert profile.problems == ()
    assert profile.details == {"delimiter": ",", "has_header": True, "encoding": "utf-8"}


def test_statistics_are_what_anybody_computes(csv):
    statistics = dict(zip(names(csv(CSV)), csv(CSV).statistics))
    age = dict(statistics["age"])
    histogram = age.pop("histogram")
    assert sum(histogram["counts"]) == 2
    assert (histogram["edges"][0], histogram["edges"][-1]) == (31, 47)
    assert age == {
        "count": 2, "nulls": 1, "nan": 0, "infinite": 0, "min": 31, "max": 47, "mean": 39.0,
        "std": math.sqrt(128), "distinct": 2,
    }  # fmt: skip
    assert statistics["country"] == {
        "count": 3, "nulls": 0, "min": "DE", "max": "FR", "distinct": 2,
        "frequent": [["DE", 2], ["FR", 1]],
    }  # fmt: skip
    assert statistics["born"]["min"] == "1975-12-24"
    assert statistics["is_new"]["frequent"] == [[True, 2], [False, 1]]


def test_a_masked_column_has_its_values_nowhere(csv):
    profile = csv(CSV, mask=["country", "age"])
    made = profile.to_json().decode()
    for value in ("DE", "FR", "hunter", "31", "39"):
        assert value not in made.replace("1990-01-31", ""), value
    by_name = dict(zip(names(profile), profile.statistics))
    assert by_name["country"] == {"count": 3, "nulls": 0, "distinct": 2}
    assert by_name["age"]["count"] == 2
    assert [column.name for column in profile.columns if column.is_masked] == [
        "age", "country", "api_key"
    ]  # fmt: skip


def test_masking_by_names_can_be_turned_off_and_a_wrong_name_is_said(csv):
    assert csv(CSV, mask_secrets=False).preview[0][3] == "hunter2"
    assert csv(CSV, mask="age").preview[0][1] == "***"
    profile = csv(CSV, mask=["contry"])
    assert profile.problems == ("There is no column `contry` to mask.",)


def test_secrets_in_texts_are_masked_by_their_form(csv):
    key = "AKIAIOSFODNN7EXAMPLE"
    text = f"note\nkey {key}\nkey {key}\nnothing\n"
    assert key not in csv(text).to_json().decode()
    assert key in csv(text, mask_secrets=False).to_json().decode()


@pytest.mark.parametrize(
    ("text", "delimiter", "columns"),
    [
        ("a,b\n1,2\n", ",", ["a", "b"]),
        ("a;b\n1,5;2,5\n", ";", ["a", "b"]),
        ("a\tb\n1\t2\n", "\t", ["a", "b"]),
        ("a|b\n1|2\n", "|", ["a", "b"]),
        ('"a, b",c\n"x, y",2\n', ",", ["a, b", "c"]),
        ("a\n1\n2\n", ",", ["a"]),
        ("a,b\r\n1,2\r\n", ",", ["a", "b"]),
        ("\ufeffa,b\n1,2\n", ",", ["a", "b"]),
        ("a,,c\n1,2,3\n", ",", ["column_1", "column_2", "column_3"]),
    ],
)
def test_the_dialect_is_found_out(csv, text, delimiter, columns):
    profile = csv(text)
    assert profile.details["delimiter"] == delimiter
    assert names(profile) == columns


@pytest.mark.parametrize(
    ("text", "has_header", "rows"),
    [
        ("x,y\n1,2\n", True, 1),
        ("1,2\n3,4\n", False, 2),
        ("name,city\nAnn,Ulm\nBob,Ulm\n", True, 2),
        ("Ann,Ulm\nBob,Ulm\nCarl,Ulm\n", False, 3),
        ("a,a\nb,c\n", False, 2),
        ("only,names\n", True, 0),
    ],
)
def test_a_header_is_told_from_values(csv, text, has_header, rows):
    profile = csv(text)
    assert (profile.details["has_header"], profile.rows) == (has_header, rows)
    assert csv(text, has_header=not has_header).rows == rows + (1 if has_header else -1)


@pytest.mark.parametrize(
    ("cells", "type_"),
    [
        ("1 -2 0", "int64"),
        ("1 2.5 -3e4 .5", "float64"),
        ("1 NA 2.5", "float64"),
        ("inf 1", "float64"),
        ("007 010", "string"),
        ("99999999999999999999 1", "float64"),
        ("1_000 2", "string"),
        ("TRUE false", "bool"),
        ("2026-01-31 2026-02-01", "date"),
        ("2026-01-31T12:00:00Z 2026-01-31T12:00", "timestamp"),
        ("NA null", "null"),
        ("a 1", "string"),
        ("\u0661 \u0662", "string"),
    ],
)
def test_a_type_is_what_all_values_look_like(csv, cells, type_):
    profile = csv("x,y\n" + "".join(f"{cell},1\n" for cell in cells.split()), has_header=True)
    assert types(profile)[0] == type_


def test_words_that_mean_null_among_numbers_are_words_among_words(csv):
    assert csv("x,y\nNA,1\nDE,2\n").preview == (("NA", 1), ("DE", 2))
    assert csv("x,y\nNA,1\n5,2\n").preview == ((None, 1), (5, 2))


def test_fields_with_line_breaks_are_one_field(csv):
    profile = csv('a,b\n"x\ny",1\nz,2\n')
    assert profile.rows == 2
    assert profile.preview[0] == ("x\ny", 1)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_found_out(csv, encoding):
    profile = csv("name,n\nJosé,1\n".encode(encoding))
    assert profile.preview == (("José", 1),)
    assert profile.details["encoding"] == encoding
    assert bool(profile.problems) == (encoding == "cp1252")


@pytest.mark.parametrize(("opener", "suffix"), [(gzip, "gz"), (bz2, "bz2"), (lzma, "xz")])
def test_compressed_files_are_read_and_cut_ones_as_far_as_they_go(tmp_path, opener, suffix):
    path = tmp_path / f"data.csv.{suffix}"
    path.write_bytes(opener.compress(b"a,b\n" + b"".join(b"%d,x\n" % at for at in range(300_000))))
    assert (profile_of(path).rows, profile_of(path).format) == (300_000, "csv")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    profile = profile_of(path)
    assert profile.rows is None
    assert any("could not be read to its end" in problem for problem in profile.problems)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "It is empty."),
        ("\n\n", "It is empty."),
        (b"\0" * 1000, "It is no text"),
        ("a,b\n1,2\n3\n4,5,6\n", "2 rows have more or fewer than 2 fields."),
        ("a,b\n1," + "x" * 200_000 + "\n", "could not be read to its end: field larger than"),
        ("a,b\n" + "x" * 2_000_000, "could not be read to its end: a line has more than"),
        (bytes(range(1, 256)) * 40, "It is not UTF-8"),
    ],
    ids=["empty", "blank", "zeros", "ragged", "large field", "long line", "no text"],
)
def test_a_damaged_file_is_a_problem_and_no_exception(csv, text, problem):
    profile = csv(text)
    assert any(problem in each for each in profile.problems), profile.problems
    json.loads(profile.to_json())


def test_of_a_large_file_a_sample_is_described_and_all_rows_are_counted(csv, monkeypatch):
    monkeypatch.setattr(datafiles, "TEXT_BYTES_MAX", 1 << 20)
    monkeypatch.setattr(datafiles, "CELLS_MAX", 20_000)
    rows = 200_000
    text = "i,half\n" + "".join(f"{at},{at / 2}\n" for at in range(rows))
    assert len(text) > 2 << 20
    profile = csv(text)
    assert profile.rows == rows
    assert 1_000 < profile.sampled_rows <= 10_000
    first = profile.statistics[0]
    # It is spread over the file, not its beginning.
    assert first["max"] > 0.9 * rows
    assert 0.45 * rows < first["mean"] < 0.55 * rows
    assert profile.preview[0] == (0, 0.0)
    assert csv(text).to_json() == profile.to_json()
    quoted = csv(text.replace("\n5,", '\n"5",'))
    assert quoted.rows is None
    assert "Its rows were not counted." in quoted.problems


def test_a_sample_does_not_miss_what_alternates(tmp_path, monkeypatch):
    for place in (datafiles, module):
        monkeypatch.setattr(place, "CELLS_MAX", 4_000)
    rows = [{"i": at, "parity": ["even", "odd"][at % 2]} for at in range(8_000)]
    write(tmp_path, {
        "a.csv": "i,parity\n" + "".join(f"{row['i']},{row['parity']}\n" for row in rows),
        "a.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
    })  # fmt: skip
    for source in (tmp_path / "a.csv", tmp_path / "a.jsonl", rows):
        profile = profile_of(source)
        assert profile.rows == 8_000
        assert profile.sampled_rows in (400, 2_000)
        assert [row[0] for row in profile.preview] == list(range(10))
        assert profile.statistics[1]["distinct"] == 2
        assert profile.statistics[1]["frequent"][1][1] > profile.sampled_rows / 3
        assert profile.statistics[0]["mean"] == pytest.approx(4_000, rel=0.2)
        assert profile.to_json() == profile_of(source).to_json()


def test_a_huge_file_takes_little_memory(tmp_path):
    path = tmp_path / "huge.csv"
    with open(path, "wb") as file:
        file.write(b"a,b\n" + b"1,2\n" * 2_000_000)
        file.truncate(8 << 30)
    code = (
        "import resource, sys; from headwater.profile import profile_of\n"
        "profile = profile_of(sys.argv[1])\n"
        "kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(profile.rows, profile.sampled_rows > 1000, kibibytes < 400 << 10)"
    )
    found = subprocess.check_output([sys.executable, "-c", code, str(path)], text=True)
    assert found == "None True True\n"


def test_parts_of_one_table_are_one(tmp_path):
    write(tmp_path, {f"part-{at}.csv": f"a,b\n{at},x\n" for at in range(3)})
    write(tmp_path, {"_SUCCESS": "", ".part-0.csv.crc": "x"})
    profile = profile_of(tmp_path)
    assert (profile.format, profile.rows) == ("csv", 3)
    assert [row[0] for row in profile.preview] == [0, 1, 2]
    write(tmp_path, {"part-3.csv": "a,c\n3,x\n"})
    assert profile_of(tmp_path).problems == ("1 files have other columns than the first.",)


# JSON lines, values in memory.


def test_json_lines_have_the_columns_of_all_lines(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text(
        '{"a": 1, "b": {"password": "hunter2", "ids": [1, 2]}}\n\n{"a": 2.5, "c": "x"}\nno\n[1]\n'
    )
    profile = profile_of(path)
    assert (profile.format, profile.rows, names(profile)) == ("jsonl", 2, ["a", "b", "c"])
    assert profile.preview[0] == (1, {"password": "***", "ids": [1, 2]}, None)
    assert profile.problems == ("2 lines are no JSON objects.",)


def test_rows_and_columns_in_memory_are_tables():
    rows = [{"x": 1, "y": "a"}, {"x": None, "z": b"123"}]
    profile = profile_of(rows)
    assert list(zip(names(profile), types(profile))) == [
        ("x", "int64"), ("y", "string"), ("z", "binary")
    ]  # fmt: skip
    assert profile.preview == ((1, "a", None), (None, None, "<3 bytes>"))
    assert profile_of({"x": [1, 2], "y": ["a", "b"]}).preview == ((1, "a"), (2, "b"))


def test_what_is_no_dataset_is_said():
    assert profile_of(object()).problems == ("There is no profile of a `object`.",)
    profile = profile_of("s3://bucket/data.parquet")
    assert profile.format == "parquet"
    assert "not on this machine" in profile.problems[0]
    missing = profile_of("/no/such/data.csv")
    assert missing.problems == ("It cannot be read as csv: no such file or directory.",)


# JSON.


def test_json_is_the_same_for_the_same_and_has_numbers_that_json_has_not(csv):
    profile = profile_of({"x": [1.5, math.nan, math.inf, -math.inf], "y": ["ä", "\ud800", "", "z"]})
    data = profile.to_json()
    assert data == profile_of({"x": [1.5, math.nan, math.inf, -math.inf],
                               "y": ["ä", "\ud800", "", "z"]}).to_json()  # fmt: skip
    made = json.loads(data)
    assert [row[0] for row in made["preview"]] == [1.5, "NaN", "Infinity", "-Infinity"]
    assert made["columns"][0]["statistics"]["infinite"] == 2
    assert made["columns"][0]["statistics"]["max"] == 1.5
    assert "ä".encode() in data
    names = list(made)
    assert names == sorted(names)


def test_json_is_never_larger_than_its_bound():
    wide = [
        {f"column {at} {'x' * 300}": "y" * 1000 + str(row) for at in range(2000)}
        for row in range(20)
    ]
    data = profile_of(wide).to_json()
    assert len(data) <= module.JSON_BYTES_MAX
    made = json.loads(data)
    assert made["rows"] == 20
    assert made["left_out"]
    assert len(profile_of([{"x": "y" * 1_000_000}]).to_json()) < 5_000


def test_texts_are_cut_and_large_integers_stay_exact():
    profile = profile_of(
        {"x": ["a" * 1000], "y": [2**60 + 1], "z": [10**5000], "t": [datetime.date(2026, 1, 1)]}
    )
    text, integer, huge, date = profile.preview[0]
    assert len(text) == 200
    assert integer == str(2**60 + 1)
    assert huge.startswith("0x")
    assert date == "2026-01-01"
    json.loads(profile.to_json())


# Libraries.

COLUMNS = {"i": [3, 1, 2, 2], "f": [1.5, None, 3.5, 4.0], "s": ["b", "a", None, "b"]}


def tables():
    made = []
    for library, name in (("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "table")):
        made.append((library, getattr(pytest.importorskip(library), name)(COLUMNS)))
    return made


def test_a_table_in_memory_has_the_same_profile_in_every_library():
    for library, table in tables():
        profile = profile_of(table)
        assert profile.format == library.replace("pyarrow", "arrow")
        assert profile.rows == 4
        assert list(zip(names(profile), types(profile))) == [
            ("i", "int64"), ("f", "float64"), ("s", "string")
        ]  # fmt: skip
        integer, number, text = profile.statistics
        assert (integer["min"], integer["max"], integer["mean"]) == (1, 3, 2)
        assert integer["frequent"] == [[2, 2], [1, 1], [3, 1]]
        # Where a column of pandas has no value it has NaN.
        assert number["nan" if library == "pandas" else "nulls"] == 1
        assert (number["min"], number["max"], number["mean"]) == (1.5, 4.0, 3.0)
        assert (text["nulls"], text["min"], text["frequent"][0]) == (1, "a", ["b", 2])
        assert [row[2] for row in profile.preview] == ["b", "a", None, "b"]
        assert profile_of(table).to_json() == profile.to_json()


def test_of_a_large_table_what_is_cheap_is_of_all_rows(monkeypatch):
    monkeypatch.setattr(module, "CELLS_MAX", 3_000)
    numpy = pytest.importorskip("numpy")
    rows = 10_000
    numbers = numpy.arange(rows, dtype="f8")
    numbers[17] = math.nan
    numbers[18] = math.inf
    columns = {"f": numbers, "s": ["x", "y"] * (rows // 2), "i": numpy.arange(rows)}
    wanted = numbers[numpy.isfinite(numbers)]
    for library, name in (("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "table")):
        profile = profile_of(getattr(pytest.importorskip(library), name)(columns))
        number, text, integer = profile.statistics
        assert profile.sampled_rows == 1_000
        assert (number["count"], number["nan"], number["infinite"]) == (rows, 1, 1)
        assert (number["min"], number["max"]) == (0, rows - 1)
        assert number["mean"] == pytest.approx(wanted.mean())
        assert number["std"] == pytest.approx(wanted.std(ddof=1))
        assert sum(number["histogram"]["counts"]) <= 1_000
        assert (integer["count"], integer["max"]) == (rows, rows - 1)
        assert text["count"] == rows
    views = pytest.importorskip("pyarrow").array(columns["s"]).cast("string_view")
    assert profile_of(views).statistics[0]["distinct"] == 2
    masked = profile_of(pytest.importorskip("polars").DataFrame(columns), mask=["f"])
    assert set(masked.statistics[0]) == {"count", "nulls", "nan", "infinite", "distinct"}


def test_types_that_are_no_numbers_are_told():
    polars = pytest.importorskip("polars")
    moment = datetime.datetime(2026, 5, 1, 12, 30)
    profile = profile_of(
        polars.DataFrame({
            "time": [moment, None], "list": [[1, 2], None], "struct": [{"a": 1, "secret": "x"}] * 2,
            "category": polars.Series(["a", "b"], dtype=polars.Categorical), "bytes": [b"12", b""],
        })
    )  # fmt: skip
    assert types(profile)[:2] == ["timestamp[us]", "list<int64>"]
    assert profile.preview[0] == (
        "2026-05-01T12:30:00", [1, 2], {"a": 1, "secret": "***"}, "a", "<2 bytes>"
    )  # fmt: skip
    assert profile.statistics[0]["min"] == "2026-05-01T12:30:00"
    assert profile.problems == ()


@pytest.mark.parametrize("missing", [(), ("pyarrow", "pyarrow.parquet", "pyarrow.ipc")])
def test_parquet_and_arrow_files_are_read_by_whichever_library_is_there(
    tmp_path, monkeypatch, missing
):
    polars = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    table = polars.DataFrame({**COLUMNS, "token": ["t1", "t2", "t3", "t4"]})
    table.write_parquet(tmp_path / "a.parquet")
    table.write_ipc(tmp_path / "a.arrow")
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("parquet", "arrow"):
        profile = profile_of(tmp_path / f"a.{name}")
        assert (profile.format, profile.rows, profile.problems) == (name, 4, ())
        assert names(profile) == ["i", "f", "s", "token"]
        assert types(profile)[:3] == ["int64", "float64", "string"]
        assert profile.preview[0] == (3, 1.5, "b", "***")
        assert profile.statistics[0]["max"] == 3


def test_without_a_library_a_parquet_file_has_its_format(tmp_path, monkeypatch):
    for name in ("pyarrow", "pyarrow.parquet", "pyarrow.ipc", "polars", "numpy", "PIL"):
        monkeypatch.setitem(sys.modules, name, None)
    for name, format_ in (
        ("a.parquet", "parquet"),
        ("a.feather", "arrow"),
        ("a.npy", "npy"),
        ("a.png", "png"),
    ):
        (tmp_path / name).write_bytes(b"x")
        profile = profile_of(tmp_path / name)
        assert profile.format == format_
        assert "installed" in profile.problems[0]


def test_of_a_large_parquet_file_row_groups_are_sampled(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = 100_000
    table = pyarrow.table({"i": list(range(rows))})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=1_000, use_dictionary=False)
    monkeypatch.setattr(datafiles, "READ_BYTES_MAX", 100_000)
    profile = profile_of(tmp_path / "a.parquet")
    assert profile.rows == rows
    assert 0 < profile.sampled_rows < rows / 2
    assert profile.statistics[0]["max"] > 0.8 * rows
    assert profile.statistics[0]["count"] == profile.sampled_rows


def test_folders_of_parquet_are_one_table(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for at in range(3):
        (tmp_path / f"day={at}").mkdir()
        parquet.write_table(pyarrow.table({"x": [at, at]}), tmp_path / f"day={at}" / "part.parquet")
    profile = profile_of(tmp_path)
    assert (profile.format, profile.rows, names(profile)) == ("parquet", 6, ["x"])
    assert (profile.statistics[0]["min"], profile.statistics[0]["max"]) == (0, 2)
    assert profile.sampled_rows is None


@pytest.mark.parametrize("form", ["file", "stream"])
def test_arrow_files_and_streams_are_read(tmp_path, form):
    pyarrow = pytest.importorskip("pyarrow")
    ipc = pytest.importorskip("pyarrow.ipc")
    table = pyarrow.table(COLUMNS)
    make = ipc.new_file if form == "file" else ipc.new_stream
    with open(tmp_path / "a.arrow", "wb") as file, make(file, table.schema) as writer:
        writer.write_table(table)
    profile = profile_of(tmp_path / "a.arrow")
    assert (profile.rows, profile.statistics[0]["max"], profile.problems) == (4, 3, ())


def test_arrays_have_shape_and_columns(tmp_path):
    numpy = pytest.importorskip("numpy")
    numpy.save(tmp_path / "a.npy", numpy.arange(12.0).reshape(4, 3))
    profile = profile_of(tmp_path / "a.npy")
    assert (profile.format, profile.rows, names(profile)) == ("npy", 4, ["0", "1", "2"])
    assert profile.details == {"shape": [4, 3], "dtype": "float64"}
    assert profile.statistics[2]["max"] == 11
    numpy.savez(tmp_path / "a.npz", x=numpy.zeros((10, 3)), y=numpy.arange(10))
    profile = profile_of(tmp_path / "a.npz")
    assert (profile.rows, names(profile), types(profile)) == (10, ["x", "y"], ["float64", "int64"])
    assert profile.details["arrays"]["x"] == {"shape": [10, 3], "dtype": "float64"}
    images = profile_of(numpy.zeros((10, 28, 28), "u1"))
    assert (images.rows, images.details["shape"]) == (10, [10, 28, 28])
    times = profile_of(numpy.array(["2026-01-01", "NaT"], "M8[ns]"))
    assert times.preview == (("2026-01-01T00:00:00",), (None,))


def test_an_array_that_would_run_code_is_not_loaded(tmp_path):
    numpy = pytest.importorskip("numpy")

    class Evil:
        def __reduce__(self):
            return (print, ("ran",))

    numpy.save(tmp_path / "a.npy", numpy.array([Evil()], dtype=object), allow_pickle=True)
    profile = profile_of(tmp_path / "a.npy")
    assert profile.problems == ("It cannot be read as npy: ValueError.",)


def images(folder, count=20):
    image = pytest.importorskip("PIL.Image")
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for at in range(count):
            image.new("RGB", (100 + at, 50), (at, 0, 0)).save(folder / name / f"{at:02}.png")
    return image


def test_a_folder_of_images_has_sizes_classes_and_thumbnails(tmp_path):
    image = images(tmp_path)
    image.new("RGB", (10, 10)).save(tmp_path / "dog" / "more.png")
    write(tmp_path, {"labels.csv": "a,b\n1,2\n"})
    profile = profile_of(tmp_path)
    assert profile.format == "images"
    details = dict(profile.details)
    thumbnails = details.pop("thumbnails")
    assert details == {
        "count": 41, "classes": {"dog": 21, "cat": 20}, "width": {"min": 10, "max": 119},
        "height": {"min": 10, "max": 50}, "modes": {"RGB": 41}, "suffixes": {"png": 41, "csv": 1},
    }  # fmt: skip
    assert 2 < len(thumbnails) <= 12
    import base64
    import io

    small = image.open(io.BytesIO(base64.b64decode(thumbnails[0]["jpeg"])))
    assert (small.format, max(small.size)) == ("JPEG", 64)
    assert len(profile.to_json()) < module.JSON_BYTES_MAX


def test_a_damaged_image_and_one_that_claims_to_be_huge_are_no_exception(tmp_path):
    images(tmp_path, 2)
    write(tmp_path, {"cat/broken.png": "no image"})
    profile = profile_of(tmp_path)
    assert profile.problems == ("1 of 5 images cannot be read.",)
    # A header that says 30,000 × 30,000 before nothing.
    write(tmp_path, {"huge.ppm": "P6 30000 30000 255\n"})
    huge = profile_of(tmp_path / "huge.ppm")
    json.loads(huge.to_json())
    assert "thumbnails" not in huge.details or huge.details["thumbnails"] == []


def test_another_folder_has_its_suffixes(tmp_path):
    write(tmp_path, {"a.txt": "", "b.txt": "", "model.bin": "", "README": ""})
    profile = profile_of(tmp_path)
    assert profile.format == "folder"
    assert profile.details == {"suffixes": {"txt": 2, "bin": 1, "none": 1}}


@pytest.mark.parametrize(
    "name", ["a.parquet", "a.arrow", "a.npy", "a.npz", "a.png", "a.jsonl", "a.csv"]
)
def test_a_file_of_garbage_is_a_problem_and_no_exception(tmp_path, name):
    (tmp_path / name).write_bytes(b"PAR1\xff\0garbage" * 100)
    profile = profile_of(tmp_path / name)
    assert profile.problems
    json.loads(profile.to_json())


def test_a_profile_needs_no_library_that_is_not_there_already():
    code = (
        "import sys; from headwater.profile import profile_of\n"
        "profile_of([{'a': 1}])\n"
        "heavy = {'numpy', 'pandas', 'polars', 'pyarrow', 'PIL', 'fsspec'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_what_may_not_be_read_is_a_problem(csv, tmp_path, monkeypatch):
    assert csv(CSV).problems == ()
    opened = builtins.open

    def refuse(name, *arguments, **options):
        if os.fsdecode(name) == str(tmp_path / "data.csv"):
            raise PermissionError(13, "Permission denied", name)
        return opened(name, *arguments, **options)

    monkeypatch.setattr(builtins, "open", refuse)
    profile = profile_of(tmp_path / "data.csv")
    assert profile.problems == ("It cannot be read as csv: permission denied.",)
