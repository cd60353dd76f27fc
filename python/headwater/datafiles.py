"""Files and folders with data, as far as a profile needs them: a part of :mod:`headwater.profile`.

Texts are read by the standard library alone, a line at a time. What is large is read in parts that
are spread over it.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import csv
import importlib
import io
import itertools
import json
import math
import os
import random
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from headwater.profile import (
    CELLS_MAX,
    COLUMNS_MAX,
    Draft,
    Settings,
    arrow_bytes,
    of_arrow,
    of_columns,
    of_numpy,
    of_polars,
    of_rows,
    reason,
)

# Of texts, which takes a few seconds.
TEXT_BYTES_MAX = 32 << 20
# Of columns, as they are in memory.
READ_BYTES_MAX = 128 << 20
# Lines are counted faster than they are read.
COUNTED_BYTES_MAX = 4 << 30
FILES_MAX = 100_000
_LINE_CHARACTERS_MAX = 1 << 20
_PARTS = 32
_LOOK_BYTES = 64 << 10
_IMAGES_MAX = 500
_THUMBNAILS_MAX = 12
_THUMBNAIL_PIXELS = 64
# More than this is not decoded: a small file can claim to be huge.
_PIXELS_MAX = 50_000_000

_FORMATS = {
    "csv": "csv",
    "tsv": "csv",
    "tab": "csv",
    "psv": "csv",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "parquet": "parquet",
    "pq": "parquet",
    "arrow": "arrow",
    "arrows": "arrow",
    "feather": "arrow",
    "ipc": "arrow",
    "npy": "npy",
    "npz": "npz",
    **dict.fromkeys("bmp gif jpeg jpg png ppm tif tiff webp".split(), "image"),
}
# Some Pythons are built without one of these modules.
_PACKERS = {"gz": "gzip", "bz2": "bz2", "xz": "lzma"}
_NULLS = frozenset(["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "\\N"])
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,18})")
_NUMBER = re.compile(
    r"[+-]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?|inf|infinity)", re.IGNORECASE | re.ASCII
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?\s?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)


def format_of(path: bytes) -> str:
    """The format that the name of a file says, such as ``csv`` for ``a.csv.gz``."""
    return _suffixes(path)[0]


def _suffixes(path: bytes) -> tuple[str, str]:
    """The format, and what it is compressed with."""
    name = os.path.basename(path.rstrip(b"/")).decode("utf-8", "replace").lower()
    words = name.split(".")[1:]
    packed = words.pop() if words and words[-1] in _PACKERS else ""
    last = words[-1] if words else ""
    return _FORMATS.get(last, last or packed or "file"), packed


def draft_of(path: bytes, settings: Settings) -> Draft:
    """What a file or a folder is."""
    found = os.stat(path)
    if stat.S_ISDIR(found.st_mode):
        return _folder(path, settings)
    format_ = format_of(path)
    if not stat.S_ISREG(found.st_mode):
        return Draft(format_, problems=["It is neither a file nor a folder."])
    return _files([path], format_, settings)


def _files(paths: Sequence[bytes], format_: str, settings: Settings) -> Draft:
    """The parts of one table, or one image."""
    if format_ == "csv":
        return _csv(paths, settings)
    if format_ == "jsonl":
        return _jsonl(paths, settings)
    if format_ == "parquet":
        return _parquet(paths)
    if format_ == "arrow":
        return _arrow(paths)
    if format_ in ("npy", "npz"):
        return _numpy(paths[0], format_)
    if format_ == "image":
        made = _images(os.path.dirname(paths[0]), paths, settings)
        made.format = _word(paths[0])
        return made
    return Draft(format_)


def _word(path: bytes) -> str:
    return os.path.splitext(path)[1].lstrip(b".").lower().decode("utf-8", "replace")


def _spread(count: int, wanted: int) -> list[int]:
    """At most so many of the first ``count`` numbers, evenly spread."""
    return sorted({at * count // min(count, wanted) for at in range(min(count, wanted))})


# Folders.


def _folder(root: bytes, settings: Settings) -> Draft:
    problems: list[str] = []
    paths = _listed(root, problems)
    counts = collections.Counter(format_of(path) for path in paths)
    made = Draft("folder")
    if counts:
        most, count = min(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        if most == "image" and count > 1 and 2 * count >= len(paths):
            made = _images(root, [path for path in paths if format_of(path) == most], settings)
            made.format = "images"
        elif most in ("csv", "jsonl", "parquet", "arrow") and count == len(paths):
            made = _files(paths, most, settings)
    words = collections.Counter(_word(path) for path in paths)
    often = sorted(words.items(), key=lambda pair: (-pair[1], pair[0]))[:50]
    made.details["suffixes"] = {name or "none": count for name, count in often}
    made.problems[:0] = problems
    return made


def _listed(root: bytes, problems: list[str]) -> list[bytes]:
    """The files below a folder by their paths, but for those that are hidden or only accompany."""
    found: list[bytes] = []
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            problems.append(f"A folder cannot be read: {reason(error)}.")
            continue
        for entry in entries:
            if entry.name.startswith((b".", b"_")):
                continue
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file():
                    found.append(entry.path)
        if len(found) > FILES_MAX:
            problems.append(f"Only the first {FILES_MAX} files were looked at.")
            return sorted(found[:FILES_MAX])
    return sorted(found)


# Texts.


class _Lines:
    """The lines of text files, all of them or parts that are spread over them.

    Lines are counted as they are read; ``is_whole`` says whether all were.
    """

    def __init__(self, paths: Sequence[bytes], encoding: str, problems: list[str]) -> None:
        self.paths = [paths[at] for at in _spread(len(paths), 1_000)]
        self.encoding = encoding
        self.problems = problems
        self.is_whole = len(self.paths) == len(paths)
        self._each_bytes_max = max(1 << 20, TEXT_BYTES_MAX // max(1, len(self.paths)))

    def files(self) -> Iterator[Iterator[str]]:
        """The lines of one file after another; what cannot be read ends it, with a problem."""
        for path in self.paths:
            yield self._file(path)

    def _file(self, path: bytes) -> Iterator[str]:
        try:
            packed = _open_packed(path)
            if packed is not None:
                with packed:
                    yield from self._read(packed, self._each_bytes_max)
                return
            with open(path, "rb") as file:
                size_bytes = os.fstat(file.fileno()).st_size
                if size_bytes <= self._each_bytes_max or self.encoding.startswith("utf-16"):
                    yield from self._read(file, self._each_bytes_max)
                    return
                self.is_whole = False
                for part in range(_PARTS):
                    file.seek(size_bytes * part // _PARTS)
                    if part:
                        file.readline(_LINE_CHARACTERS_MAX)  # the rest of a line
                    yield from self._read(file, self._each_bytes_max // _PARTS)
        except Exception as error:  # each kind of compression has errors of its own
            self.is_whole = False
            told = str(error) if isinstance(error, (_LongLine, EOFError)) else reason(error)
            self.problems.append(f"It could not be read to its end: {told}.")

    def _read(self, file: Any, bytes_max: int) -> Iterator[str]:
        # Not closed with it: other parts of the file are read, too.
        text = io.TextIOWrapper(_Kept(file), self.encoding, errors="replace", newline="")
        read = 0
        while read < bytes_max:
            line = text.readline(_LINE_CHARACTERS_MAX)
            if not line:
                return
            if len(line) >= _LINE_CHARACTERS_MAX:
                raise _LongLine(f"a line has more than {_LINE_CHARACTERS_MAX} characters")
            read += len(line)
            yield line
        if text.readline(1):
            self.is_whole = False


class _Kept(io.BufferedReader):
    """A file that stays open when the text over it is gone."""

    def __init__(self, file: Any) -> None:
        super().__init__(_Raw(file), 1 << 16)


class _Raw(io.RawIOBase):
    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _LongLine(Exception):
    """A line that is no line of a table."""


def _open_packed(path: bytes) -> Any:
    """The bytes of a file that is compressed; None if it is not."""
    packed = _suffixes(path)[1]
    return importlib.import_module(_PACKERS[packed]).open(path) if packed else None


def _start(path: bytes) -> bytes:
    with _open_packed(path) or open(path, "rb") as file:
        try:
            data: bytes = file.read(_LOOK_BYTES)
        except EOFError:
            # It ends within a block; what is before that is read a byte at a time elsewhere.
            data = b""
    return data


def _encoding(start: bytes, problems: list[str]) -> str:
    for mark, name in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if start.startswith(mark):
            return name
    # The last character may be cut.
    for cut in range(4):
        with contextlib.suppress(UnicodeDecodeError):
            start[: len(start) - cut].decode("utf-8")
            return "utf-8"
    problems.append("It is not UTF-8, and was read as Windows-1252.")
    return "cp1252"


def _delimiter(lines: Sequence[str], path: bytes) -> str:
    """What makes the most lines have as many fields as the first, and the most fields of these."""
    name = os.path.basename(path).lower()
    usual = "\t" if b".tsv" in name or b".tab" in name else "|" if b".psv" in name else ","
    best, best_score = usual, (0.0, 0)
    for delimiter in dict.fromkeys((usual, ",", "\t", ";", "|")):
        with contextlib.suppress(csv.Error):
            rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
            fields = len(rows[0]) if rows else 1
            alike = sum(len(row) == fields for row in rows) / max(1, len(rows))
            score = (round(alike, 1), fields)
            if fields > 1 and score > best_score:
                best, best_score = delimiter, score
    return best


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is unlike those below it: all of it words, none of them twice."""
    first, others = rows[0], rows[1:]
    if any(cell.strip() in _NULLS or _parsed_type([cell]) != "string" for cell in first):
        return False
    if len(set(first)) < len(first):
        return False
    if not others:
        return True
    columns = list(zip(*(row for row in others if len(row) == len(first))))
    if any(_parsed_type(column) not in ("string", "null") for column in columns):
        return True
    # All are texts: a name is no value, too.
    return all(cell not in column for cell, column in zip(first, columns))


class _Sample:
    """Rows that are chosen by chance, each as likely as any, always the same of the same rows.

    That is Li's algorithm L. Every third row, say, would miss what alternates.
    """

    def __init__(self, rows_max: int) -> None:
        self.rows: list[Any] = []
        self.count = 0
        self._rows_max = max(2, rows_max)
        self._draw = random.Random(0).random
        self._weight = 1.0
        self._next = -1

    @property
    def wants_next(self) -> bool:
        return len(self.rows) < self._rows_max or self.count == self._next

    @property
    def is_all(self) -> bool:
        return self.count == len(self.rows)

    def add(self, row: Any) -> None:
        if len(self.rows) < self._rows_max:
            self.rows.append(row)
            if len(self.rows) == self._rows_max:
                self._choose()
        elif self.count == self._next:
            self.rows[int(self._draw() * self._rows_max)] = row
            self._choose()
        self.count += 1

    def skip(self) -> None:
        self.count += 1

    def _choose(self) -> None:
        # Of 1 minus it, since a draw may be 0.
        self._weight *= math.exp(math.log(1 - self._draw()) / self._rows_max)
        self._next = self.count + 1
        self._next += int(math.log(1 - self._draw()) / math.log1p(-self._weight))


def _csv(paths: Sequence[bytes], settings: Settings) -> Draft:
    problems: list[str] = []
    start = _start(paths[0])
    encoding = _encoding(start, problems)
    if encoding != "utf-16" and b"\0" in start:
        return Draft("csv", problems=["It is no text: it has zero bytes."])
    lines = _Lines(paths, encoding, problems)
    look = list(itertools.islice(next(_Lines(paths[:1], encoding, []).files()), 100))
    delimiter = _delimiter(look, paths[0])
    look_rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):
        look_rows.extend(filter(None, csv.reader(look, delimiter=delimiter)))
    if not look_rows:
        return Draft("csv", 0, problems=[*problems, "It is empty."])
    has_header = settings.has_header
    if has_header is None:
        has_header = _has_header(look_rows)
    width = len(look_rows[0])
    names = look_rows[0] if has_header else [f"column_{at + 1}" for at in range(width)]
    sample = _Sample(CELLS_MAX // max(1, min(width, COLUMNS_MAX)))
    head: list[list[str]] = []
    odd, other_names = 0, 0
    for file in lines.files():
        reader = csv.reader(file, delimiter=delimiter)
        is_first = has_header
        try:
            for row in reader:
                if not row:
                    continue
                if is_first:
                    other_names += row != names
                    is_first = False
                    continue
                if len(row) != width:
                    odd += 1
                    row = (row + [""] * width)[:width]
                if len(head) < settings.preview_rows:
                    head.append(row)
                sample.add(row)
        except csv.Error as error:
            lines.is_whole = False
            problems.append(f"It could not be read to its end: {error}.")
    made = _of_cells([_name(name, at) for at, name in enumerate(names)], sample, head)
    made.problems = problems
    if odd:
        problems.append(f"{odd} rows have more or fewer than {width} fields.")
    if other_names:
        problems.append(f"{other_names} files have other columns than the first.")
    has_quotes = any('"' in cell or "\n" in cell for row in sample.rows[:1_000] for cell in row)
    _count_rows(made, lines, paths, sample, has_header, has_quotes)
    made.details = {"delimiter": delimiter, "has_header": has_header, "encoding": encoding}
    return made


def _name(name: str, at: int) -> str:
    return name.strip() or f"column_{at + 1}"


def _count_rows(
    made: Draft,
    lines: _Lines,
    paths: Sequence[bytes],
    sample: _Sample,
    has_header: bool,
    has_breaks: bool,
) -> None:
    """All rows, if they were read or can be counted as lines."""
    is_part = not sample.is_all or not lines.is_whole
    made.sampled_rows = len(sample.rows) if is_part else None
    made.rows = sample.count if lines.is_whole else None
    if made.rows is None and not has_breaks and lines.encoding != "utf-16":
        counted = _line_count(paths)
        made.rows = None if counted is None else max(0, counted - len(paths) * has_header)
    if made.rows is None:
        made.problems.append("Its rows were not counted.")


def _line_count(paths: Sequence[bytes]) -> int | None:
    """How many lines there are; None if that would take long, or is not the number of rows."""
    if any(_suffixes(path)[1] for path in paths):
        return None
    try:
        if sum(os.stat(path).st_size for path in paths) > COUNTED_BYTES_MAX:
            return None
        count = 0
        for path in paths:
            last = b"\n"
            with open(path, "rb", buffering=0) as file:
                while part := file.read(4 << 20):
                    if b'"' in part or b"\n\n" in part or b"\r\n\r\n" in part:
                        return None
                    count += part.count(b"\n")
                    last = part
            count += not last.endswith(b"\n")
        return count
    except OSError:
        return None


def _of_cells(names: list[str], sample: _Sample, head: list[list[str]]) -> Draft:
    """A table of texts, whose types are what all texts of a column look like."""
    columns: list[Sequence[str]] = list(zip(*sample.rows)) if sample.rows else [()] * len(names)
    types = [_parsed_type(column) for column in columns]
    return Draft(
        "csv",
        sample.count,
        names,
        types,
        head=lambda at, count: [_parsed(row[at], types[at]) for row in head[:count]],
        sample=lambda at: [_parsed(cell, types[at]) for cell in columns[at]],
    )


def _parsed_type(cells: Iterable[str]) -> str:
    there = {cell.strip() for cell in cells} - _NULLS
    if not there:
        return "null"
    if all(map(_INTEGER.fullmatch, there)) and all(
        -(1 << 63) <= int(each) < 1 << 63 for each in there
    ):
        return "int64"
    # A number with zeros before it is a code, such as a postcode.
    if all(map(_NUMBER.fullmatch, there)) and not any(
        re.match(r"[+-]?0\d", each) for each in there
    ):
        return "float64"
    if {each.lower() for each in there} <= {"true", "false"}:
        return "bool"
    if all(map(_DATE.fullmatch, there)):
        return "date"
    return "timestamp" if all(map(_TIME.fullmatch, there)) else "string"


def _parsed(cell: str, type_: str) -> Any:
    if type_ == "string":
        return cell or None  # words such as NA are values among words
    cell = cell.strip()
    if cell in _NULLS:
        return None
    if type_ == "int64":
        return int(cell)
    if type_ == "float64":
        return float(cell)
    return cell.lower() == "true" if type_ == "bool" else cell


def _jsonl(paths: Sequence[bytes], settings: Settings) -> Draft:
    problems: list[str] = []
    encoding = _encoding(_start(paths[0]), problems)
    lines = _Lines(paths, encoding, problems)
    sample = _Sample(CELLS_MAX // 10)
    head: list[Mapping[str, Any]] = []
    wrong = 0
    for file in lines.files():
        for line in file:
            if not line.strip():
                continue
            if not sample.wants_next and len(head) >= settings.preview_rows:
                sample.skip()  # it would not be kept, so it need not be parsed
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, Mapping):
                wrong += 1
                continue
            if len(head) < settings.preview_rows:
                head.append(row)
            sample.add(row)
    made = of_rows("jsonl", sample.rows, sample.count)
    made.head = lambda at, count: [row.get(made.names[at]) for row in head[:count]]
    made.problems += problems
    if wrong:
        made.problems.append(f"{wrong} lines are no JSON objects.")
    was_thinned = made.sampled_rows
    _count_rows(made, lines, paths, sample, False, False)
    made.sampled_rows = was_thinned or made.sampled_rows
    return made


# Columns.


def _parquet(paths: Sequence[bytes]) -> Draft:
    names = [os.fsdecode(path) for path in paths]
    try:
        import pyarrow.parquet
    except ImportError:
        return _by_polars(names, "parquet")
    import pyarrow

    files = [pyarrow.parquet.ParquetFile(name) for name in names[:1_000]]
    problems = _other_schemas([file.schema_arrow for file in files])
    rows = sum(file.metadata.num_rows for file in files) if len(files) == len(names) else None
    schema = files[0].schema_arrow
    groups = [
        (file, at, file.metadata.row_group(at).total_byte_size)
        for file in files
        if file.schema_arrow.names == schema.names
        for at in range(file.metadata.num_row_groups)
    ]
    all_bytes = sum(size_bytes for *_, size_bytes in groups)
    if all_bytes > READ_BYTES_MAX:
        wanted = max(1, len(groups) * READ_BYTES_MAX // all_bytes)
        groups = [groups[at] for at in _spread(len(groups), min(wanted, _PARTS))]
    batches = []
    for file, at, _ in groups:
        read_bytes = 0
        for batch in file.iter_batches(batch_size=16_384, row_groups=[at]):
            batches.append(batch)
            read_bytes += arrow_bytes(batch)
            if read_bytes * len(groups) > 2 * READ_BYTES_MAX:
                break
    made = of_arrow(_table(pyarrow, batches, schema), "parquet", rows)
    made.rows = rows
    made.problems += problems
    if rows is None:
        made.problems.append("Its rows were not counted: it has more than 1000 files.")
    return made


def _table(pyarrow: Any, batches: list[Any], schema: Any) -> Any:
    """One table; batches of other types than the first are cast, or left out."""
    schema = batches[0].schema if batches else schema
    fitting = []
    for batch in batches:
        with contextlib.suppress(pyarrow.ArrowInvalid, ValueError):
            table = pyarrow.Table.from_batches([batch])
            fitting.append(table if batch.schema.equals(schema) else table.cast(schema))
    return pyarrow.concat_tables(fitting) if fitting else schema.empty_table()


def _other_schemas(schemas: Sequence[Any]) -> list[str]:
    others = sum(not schema.equals(schemas[0]) for schema in schemas)
    return [f"{others} files have other columns than the first."] if others else []


def _arrow(paths: Sequence[bytes]) -> Draft:
    names = [os.fsdecode(path) for path in paths]
    try:
        import pyarrow.ipc
    except ImportError:
        return _by_polars(names, "arrow")
    import pyarrow

    batches: list[Any] = []
    schemas, rows, left_bytes = [], 0, 2 * READ_BYTES_MAX
    for name in names:
        source = pyarrow.memory_map(name)
        try:
            file = pyarrow.ipc.open_file(source)
        except pyarrow.ArrowInvalid:
            source.seek(0)
            stream = pyarrow.ipc.open_stream(source)
            schemas.append(stream.schema)
            for batch in stream:
                rows += batch.num_rows
                if left_bytes > 0:
                    batches.append(batch)
                    left_bytes -= arrow_bytes(batch)
            continue
        schemas.append(file.schema)
        for at in range(file.num_record_batches):
            batch = file.get_batch(at)  # mapped, not read
            rows += batch.num_rows
            if left_bytes > 0:
                batches.append(batch)
                left_bytes -= arrow_bytes(batch)
    made = of_arrow(_table(pyarrow, batches, schemas[0]), "arrow", rows)
    made.problems += _other_schemas(schemas)
    return made


def _by_polars(names: list[str], format_: str) -> Draft:
    try:
        import polars
    except ImportError:
        problem = "Its columns are not known: neither pyarrow nor polars is installed."
        return Draft(format_, problems=[problem])
    scanned = polars.scan_parquet(names) if format_ == "parquet" else polars.scan_ipc(names)
    rows = int(scanned.select(polars.len()).collect().item())
    if sum(os.stat(name).st_size for name in names) <= READ_BYTES_MAX // 2:
        return of_polars(scanned.collect(), format_)
    width = max(1, len(scanned.collect_schema().names()))
    made = of_polars(scanned.head(max(1, CELLS_MAX // width)).collect(), format_, rows)
    made.problems.append("Statistics are of the first rows.")
    return made


def _numpy(path: bytes, format_: str) -> Draft:
    try:
        import numpy
    except ImportError:
        problem = "Its arrays are not known: numpy is not installed."
        return Draft(format_, problems=[problem])
    if format_ == "npy":
        values = numpy.load(os.fsdecode(path), mmap_mode="r", allow_pickle=False)
        return of_numpy(values, format_) or Draft(format_)
    arrays: dict[str, Any] = {}
    with numpy.load(os.fsdecode(path), allow_pickle=False) as held:
        size_bytes = sum(each.file_size for each in held.zip.infolist())
        if size_bytes > READ_BYTES_MAX:
            problem = "Its arrays are too large to be looked at."
            return Draft(format_, details={"arrays": list(held.files)[:100]}, problems=[problem])
        for name in held.files:
            arrays[name] = held[name]
    made = of_columns(
        format_,
        list(arrays),
        [each.reshape(-1)[:CELLS_MAX].tolist() for each in arrays.values()],
    )
    # They need not be columns of one table.
    lengths = {len(each) if each.ndim else 1 for each in arrays.values()}
    made.rows = lengths.pop() if len(lengths) == 1 else None
    made.types = [each.dtype.name for each in arrays.values()]
    made.details = {
        "arrays": {
            name: {"shape": list(each.shape), "dtype": str(each.dtype)}
            for name, each in list(arrays.items())[:100]
        }
    }
    return made


# Images.


def _images(root: bytes, paths: Sequence[bytes], settings: Settings) -> Draft:
    """Images, their sizes, and how many there are in each folder."""
    made = Draft("images")
    classes = collections.Counter(
        os.path.dirname(os.path.relpath(path, root)).decode("utf-8", "backslashreplace") or "."
        for path in paths
    )
    often = sorted(classes.items(), key=lambda pair: (-pair[1], pair[0]))[:COLUMNS_MAX]
    made.details = {"count": len(paths), "classes": dict(often)}
    try:
        from PIL import Image
    except ImportError:
        made.problems.append("Their sizes are not known: Pillow is not installed.")
        return made
    looked = [paths[at] for at in _spread(len(paths), _IMAGES_MAX)]
    shown = {looked[at] for at in _spread(len(looked), _THUMBNAILS_MAX)}
    widths, heights, modes, thumbnails, damaged = [], [], collections.Counter[str](), [], 0
    for path in looked:
        try:
            with Image.open(os.fsdecode(path)) as image:
                widths.append(image.width)
                heights.append(image.height)
                modes[image.mode] += 1
                if path in shown and image.width * image.height <= _PIXELS_MAX:
                    name = os.path.relpath(path, root).decode("utf-8", "backslashreplace")
                    thumbnails.append({"path": name, "jpeg": _thumbnail(image)})
        except Exception:  # Pillow raises what its decoders raise
            damaged += 1
    if damaged:
        made.problems.append(f"{damaged} of {len(looked)} images cannot be read.")
    if widths:
        made.details["width"] = {"min": min(widths), "max": max(widths)}
        made.details["height"] = {"min": min(heights), "max": max(heights)}
        made.details["modes"] = dict(sorted(modes.items()))
        made.details["thumbnails"] = thumbnails
    if len(looked) < len(paths):
        made.sampled_rows = len(looked)
    return made


def _thumbnail(image: Any) -> str:
    """A small JPEG without anything that the file says of itself, such as where it was taken."""
    image.draft("RGB", (_THUMBNAIL_PIXELS, _THUMBNAIL_PIXELS))
    small = image.convert("RGB")
    small.thumbnail((_THUMBNAIL_PIXELS, _THUMBNAIL_PIXELS))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=70)
    return base64.b64encode(data.getvalue()).decode()
