"""What is in a dataset, in short: columns, first rows, statistics. For people, beside its digest.

>>> from headwater.profile import profile_of
>>> [column.type for column in profile_of([{"age": 31, "country": "DE"}]).columns]
['int64', 'string']

It takes seconds and some hundred MiB at most, however much there is: then the statistics are of a
sample, which is said. It never raises for what it is given; what could not be found out is said.
"""

from __future__ import annotations

import collections
import contextlib
import copy
import datetime
import json
import math
import os
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from headwater.environment import is_secret_name, redact

PREVIEW_ROWS = 10
JSON_BYTES_MAX = 256 << 10
# Of more values than this, every second, third, … row counts for what is slow to compute.
CELLS_MAX = 500_000
# Those after them have names and types only.
COLUMNS_MAX = 500
DISTINCT_MAX = 10_000
# Values may be large, such as images or long lists.
_SAMPLE_BYTES_MAX = 32 << 20
# A larger array may be a file that is mapped into memory.
_EXACT_BYTES_MAX = 1 << 30
_FREQUENT_MAX = 10
_BINS = 20
_TEXT_CHARACTERS_MAX = 200
_ITEMS_MAX = 10
_MASK = "***"


@dataclass(frozen=True)
class Column:
    """A column. Of a masked one no value is kept."""

    name: str
    type: str
    is_masked: bool = False


@dataclass(frozen=True)
class Profile:
    """What is in a dataset.

    Attributes:
      format: as in ``csv``, ``parquet``, ``arrow``, ``pandas``, ``images``, ``folder``.
      rows: of a table, all of them; None if they were not counted, and of what is no table.
      columns: in their order.
      preview: the first rows, a value for each column, as JSON can have them: times in ISO 8601,
        long texts cut, bytes as their number.
      statistics: of each of the first COLUMNS_MAX columns: ``count`` of values that are not null,
        and ``nulls``; ``min`` and ``max``; of numbers how many are ``nan`` and ``infinite``, and of
        the others ``mean``, ``std`` (with n - 1) and ``histogram`` with ``edges`` and ``counts``;
        ``distinct``, with ``distinct_or_more`` if they were not counted to the end; ``frequent``,
        pairs of a value and how often it is there.
      sampled_rows: how many rows, spread evenly over what was read, ``distinct``, ``frequent`` and
        ``histogram`` are of; the others, too, if ``count`` and ``nulls`` do not add up to more.
        None if everything is of all rows.
      details: of images ``count``, ``classes`` (files by folder), ``width``, ``height``, ``modes``
        and ``thumbnails`` (``path`` and the base64 of a JPEG); of a folder ``suffixes``; of CSV
        ``delimiter``, ``has_header`` and ``encoding``; of arrays ``shape`` and ``dtype``.
      problems: what could not be found out, each a sentence.
    """

    format: str
    rows: int | None = None
    columns: tuple[Column, ...] = ()
    preview: tuple[tuple[Any, ...], ...] = ()
    statistics: tuple[Mapping[str, Any], ...] = ()
    sampled_rows: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """All of it as JSON, the same bytes for equal content, at most JSON_BYTES_MAX.

        NaN and the infinities are texts, ``"NaN"``, ``"Infinity"``, ``"-Infinity"``. What has no
        room is named in ``left_out``, what is least useful first.
        """
        statistics = [*self.statistics, *({} for _ in self.columns[len(self.statistics) :])]
        made: dict[str, Any] = {
            "format": self.format,
            "rows": self.rows,
            "columns": [
                {
                    "name": column.name,
                    "type": column.type,
                    **({"is_masked": True} if column.is_masked else {}),
                    **({"statistics": dict(known)} if known else {}),
                }
                for column, known in zip(self.columns, statistics)
            ],
            "preview": [list(row) for row in self.preview],
            "sampled_rows": self.sampled_rows,
            "details": dict(self.details),
            "problems": [_cut(problem) for problem in self.problems[:_ITEMS_MAX]],
        }
        made = {name: value for name, value in made.items() if value not in (None, [], {})}
        data = _dumped(made)
        if len(data) <= JSON_BYTES_MAX:
            return data
        made = copy.deepcopy(made)
        for name, reduce in _REDUCTIONS:
            reduce(made)
            made.setdefault("left_out", []).append(name)
            data = _dumped(made)
            if len(data) <= JSON_BYTES_MAX:
                break
        return data


def profile_of(
    source: Any,
    *,
    mask: Sequence[str] = (),
    mask_secrets: bool = True,
    preview_rows: int = PREVIEW_ROWS,
    has_header: bool | None = None,
) -> Profile:
    """The profile of a file, a folder, or a table or an array in memory.

    Files: CSV and its like, JSON lines, Parquet, Arrow and Feather, ``.npy`` and ``.npz``, images,
    compressed ones if they are texts; folders of images, and of parts of one table. In memory: what
    is of pandas, polars, Arrow and NumPy, and lists of dicts. Each library is used if it is
    installed; CSV and JSON lines need none.

    Args:
      source: a path, or what is in memory. It is not changed.
      mask: names of columns whose values are not kept anywhere.
      mask_secrets: masks columns and fields whose names say that they hold secrets, such as
        ``api_key``, and what looks like a key or a password in texts.
      preview_rows: how many rows to keep as they are.
      has_header: whether the first line of a CSV file has names; found out if it is not given.

    Never raises for bad data: what is the matter is in ``problems``.
    """
    settings = Settings(frozenset(mask), mask_secrets, max(0, preview_rows), has_header)
    try:
        made = _profile(source, settings)
    except Exception as error:  # of any library, of any damaged file
        format_ = _format_of(source)
        made = Draft(format_, problems=[f"It cannot be read as {format_}: {reason(error)}."])
    for name in mask:
        if name not in made.names:
            made.problems.append(f"There is no column `{_cut(name)}` to mask.")
    try:
        return _finished(made, settings)
    except Exception as error:  # a value whose text cannot be made, for example
        problem = f"Its values cannot be described: {reason(error)}."
        columns = tuple(map(Column, made.names, made.types))
        problems = (*made.problems, problem)
        return Profile(made.format, made.rows, columns, details=made.details, problems=problems)


@dataclass(frozen=True)
class Settings:
    """What the caller of profile_of wants."""

    mask: frozenset[str]
    mask_secrets: bool
    preview_rows: int
    has_header: bool | None

    def is_masked(self, name: str) -> bool:
        return name in self.mask or (self.mask_secrets and is_secret_name(name))


@dataclass
class Draft:
    """What a source knows, before it is told.

    ``head`` gives the first values of a column, ``sample`` those for statistics, of all rows or of
    ``sampled_rows``, as Python's own. ``exact`` gives what is known of all rows.
    """

    format: str
    rows: int | None = None
    names: Sequence[str] = ()
    types: Sequence[str] = ()
    head: Callable[[int, int], list[Any]] = lambda at, rows: []
    sample: Callable[[int], list[Any]] = lambda at: []
    exact: Callable[[int], Mapping[str, Any]] = lambda at: {}
    sampled_rows: int | None = None
    details: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def reason(error: BaseException) -> str:
    """Why, without what a library quotes: it may be a masked value."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"{type(error).__module__}.{type(error).__qualname__}".replace("builtins.", "")


def _finished(made: Draft, settings: Settings) -> Profile:
    masked = [settings.is_masked(name) for name in made.names]
    columns = tuple(map(Column, made.names, made.types, masked))
    count = min(len(columns), COLUMNS_MAX)
    if len(columns) > COLUMNS_MAX:
        made.problems.append(
            f"Statistics are of the first {COLUMNS_MAX} of {len(columns)} columns."
        )
    shown, known = [], []
    for at in range(count):
        previewed: list[Any] = []
        described: dict[str, Any] = {}
        try:
            previewed = _preview(made.head(at, settings.preview_rows), masked[at], settings)
            described = _statistics(made.sample(at), made.exact(at), masked[at], settings)
        except Exception as error:  # of any library, of any value
            name = _cut(made.names[at])
            made.problems.append(f"Column `{name}` cannot be described: {reason(error)}.")
        shown.append(previewed)
        known.append(described)
    rows = max(map(len, shown), default=0)
    for values in shown:
        values += [None] * (rows - len(values))
    return Profile(
        format=made.format,
        rows=made.rows,
        columns=columns,
        preview=tuple(zip(*shown)) if rows else (),
        statistics=tuple(known),
        sampled_rows=made.sampled_rows,
        details=made.details,
        problems=tuple(made.problems),
    )


def _preview(values: Iterable[Any], is_masked: bool, settings: Settings) -> list[Any]:
    return [_MASK if is_masked else shown(each, settings) for each in values]


# Values.


def shown(value: Any, settings: Settings, depth: int = 0) -> Any:
    """A value as JSON can have it, short, without secrets."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        # What JavaScript cannot count to is better read as a text.
        return (
            int(value)
            if abs(value) <= 1 << 53
            else _cut(hex(value) if value >> 512 else str(value))
        )
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        # Redaction looks for forms in all of a text, of which there may be a lot.
        text = value[: 4 * _TEXT_CHARACTERS_MAX]
        return _cut(redact(text) if settings.mask_secrets else text)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if depth < 4 and isinstance(value, Mapping):
        chosen = list(value.items())[:_ITEMS_MAX]
        return {
            _cut(str(name)): _MASK
            if settings.is_masked(str(name))
            else shown(each, settings, depth + 1)
            for name, each in chosen
        }
    if depth < 4 and isinstance(value, (list, tuple)):
        return [shown(each, settings, depth + 1) for each in value[:_ITEMS_MAX]]
    if hasattr(value, "tolist"):
        # Of NumPy; a large array is cut before it becomes a list.
        is_large = getattr(value, "ndim", 0) > 0
        value = value.ravel()[:_ITEMS_MAX] if is_large else value
        plain = value.tolist()
        return shown(plain, settings, depth + 1) if type(plain) is not type(value) else str(plain)
    text = str(value)
    return shown(text, settings, depth)


def _cut(text: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _TEXT_CHARACTERS_MAX else text[: _TEXT_CHARACTERS_MAX - 1] + "…"


def _statistics(
    values: list[Any], exact: Mapping[str, Any], is_masked: bool, settings: Settings
) -> dict[str, Any]:
    there = [each for each in values if each is not None]
    made: dict[str, Any] = {"count": len(there), "nulls": len(values) - len(there)}
    is_number = bool(there) and all(
        isinstance(each, (int, float)) and not isinstance(each, bool) for each in there
    )
    if is_number:
        numbers = [each for each in there if isinstance(each, int) or math.isfinite(each)]
        made["nan"] = sum(each != each for each in there)
        made["infinite"] = len(there) - len(numbers) - made["nan"]
        if not is_masked:
            made.update(_of_numbers(numbers))
        there = numbers
    elif there and not is_masked:
        with contextlib.suppress(TypeError):  # they have no order
            made["min"], made["max"] = min(there), max(there)
    with contextlib.suppress(TypeError):  # they are lists, for example
        counted = collections.Counter(there)
        made["distinct"] = min(len(counted), DISTINCT_MAX)
        if len(counted) > DISTINCT_MAX:
            made["distinct_or_more"] = True
        # What is there once each is no more frequent than the rest.
        if not is_masked and len(counted) < len(there):
            often = sorted(counted.items(), key=lambda pair: (-pair[1], str(pair[0])))
            made["frequent"] = [[value, count] for value, count in often[:_FREQUENT_MAX]]
    hidden = ("min", "max", "mean", "std") if is_masked else ()
    made.update((name, value) for name, value in exact.items() if name not in hidden)
    for name in ("min", "max"):
        if name in made:
            made[name] = shown(made[name], settings)
    if "frequent" in made:
        made["frequent"] = [[shown(value, settings), count] for value, count in made["frequent"]]
    return {name: value for name, value in made.items() if value is not None}


def _of_numbers(numbers: list[Any]) -> dict[str, Any]:
    if not numbers:
        return {}
    low, high = min(numbers), max(numbers)
    made: dict[str, Any] = {"min": low, "max": high}
    with contextlib.suppress(OverflowError):  # they are too large for a double
        mean = math.fsum(numbers) / len(numbers)
        made["mean"] = mean
        if len(numbers) > 1:
            squares = math.fsum((each - mean) ** 2 for each in numbers)
            made["std"] = math.sqrt(squares / (len(numbers) - 1))
        width = float(high) - float(low)
        if width > 0 and math.isfinite(width):
            counts = [0] * _BINS
            for each in numbers:
                counts[min(_BINS - 1, int((each - low) / width * _BINS))] += 1
            edges = [low + width * at / _BINS for at in range(_BINS)] + [float(high)]
            made["histogram"] = {"edges": edges, "counts": counts}
    return made


# JSON.


def _dumped(of: Any) -> bytes:
    return json.dumps(
        _finite(of), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode("utf-8", "backslashreplace")


def _finite(of: Any) -> Any:
    if isinstance(of, float) and not math.isfinite(of):
        return "NaN" if of != of else "Infinity" if of > 0 else "-Infinity"
    if isinstance(of, dict):
        return {name: _finite(value) for name, value in of.items()}
    if isinstance(of, (list, tuple)):
        return [_finite(value) for value in of]
    return of


def _drop_statistics(*names: str) -> Callable[[dict[str, Any]], None]:
    def drop(made: dict[str, Any]) -> None:
        for column in made.get("columns", ()):
            for name in names:
                column.get("statistics", {}).pop(name, None)

    return drop


def _drop(part: str, kept: int = 0) -> Callable[[dict[str, Any]], None]:
    def drop(made: dict[str, Any]) -> None:
        if kept:
            made[part] = made.get(part, [])[:kept]
        else:
            made.pop(part, None)

    return drop


def _drop_thumbnails(made: dict[str, Any]) -> None:
    made.get("details", {}).pop("thumbnails", None)


def _drop_all_statistics(made: dict[str, Any]) -> None:
    for column in made.get("columns", ()):
        column.pop("statistics", None)


_REDUCTIONS: tuple[tuple[str, Callable[[dict[str, Any]], None]], ...] = (
    ("thumbnails", _drop_thumbnails),
    ("histograms", _drop_statistics("histogram")),
    ("frequent values", _drop_statistics("frequent")),
    ("rows of the preview after the third", _drop("preview", 3)),
    ("the preview", _drop("preview")),
    ("statistics", _drop_all_statistics),
    ("details", _drop("details")),
    (f"columns after {COLUMNS_MAX}", _drop("columns", COLUMNS_MAX)),
    ("columns after 100", _drop("columns", 100)),
    ("columns", _drop("columns")),
)


# Sources.


def _profile(source: Any, settings: Settings) -> Draft:
    if isinstance(source, (str, bytes, os.PathLike)):
        from headwater import datafiles

        path = os.fsencode(source)
        if re.match(rb"file:", path, re.IGNORECASE):
            path = unquote_to_bytes(re.sub(rb"(?i)^file:(//(localhost)?(?=/))?", b"", path))
        elif re.match(rb"[A-Za-z][A-Za-z0-9+.-]+://", path):
            made = Draft(datafiles.format_of(path))
            made.problems.append("It is not on this machine, so its content was not looked at.")
            return made
        return datafiles.draft_of(path, settings)
    for kind in type(source).__mro__:
        make = _LIBRARIES.get(kind.__module__.partition(".")[0])
        made_here = make(source) if make is not None else None
        if made_here is not None:
            return made_here
    if isinstance(source, (list, tuple)) and all(isinstance(row, Mapping) for row in source):
        return of_rows("list", source, len(source))
    if isinstance(source, Mapping) and source and all(_is_column(each) for each in source.values()):
        names = [str(name) for name in source]
        return of_columns("dict", names, [list(each) for each in source.values()])
    return Draft(
        _format_of(source), problems=[f"There is no profile of a `{type(source).__name__}`."]
    )


def _is_column(of: Any) -> bool:
    return isinstance(of, (list, tuple)) or getattr(of, "ndim", 0) == 1


def _format_of(source: Any) -> str:
    if isinstance(source, (str, bytes, os.PathLike)):
        from headwater import datafiles

        return datafiles.format_of(os.fsencode(source))
    return type(source).__module__.partition(".")[0].replace("builtins", type(source).__name__)


def step_of(rows: int, columns: int, size_bytes: int = 0) -> int:
    """Every how many rows one counts, so that there are at most CELLS_MAX values."""
    by_cells = math.ceil(rows * min(columns, COLUMNS_MAX) / CELLS_MAX)
    return max(1, by_cells, math.ceil(size_bytes / _SAMPLE_BYTES_MAX))


def chosen_rows(rows: int, step: int) -> list[int]:
    """One row of every ``step``, chosen by chance, always the same of as many rows.

    The first of each would miss what alternates.
    """
    draw = random.Random(0).random
    return [min(rows - 1, start + int(draw() * step)) for start in range(0, rows, step)]


def type_of(values: Iterable[Any]) -> str:
    """The type of Python values, in the words that columns have everywhere."""
    kinds = {type(each) for each in values if each is not None}
    if not kinds:
        return "null"
    words = {
        bool: "bool",
        int: "int64",
        float: "float64",
        str: "string",
        bytes: "binary",
        datetime.date: "date",
        datetime.datetime: "timestamp",
        list: "list",
        tuple: "list",
        dict: "struct",
    }
    if kinds <= {int, float}:
        return "int64" if kinds == {int} else "float64"
    if len(kinds) > 1:
        return "mixed"
    kind = kinds.pop()
    return words.get(kind, kind.__name__)


def of_columns(format_: str, names: list[str], columns: list[list[Any]]) -> Draft:
    """A table that is in memory as Python values, all of it."""
    rows = max(map(len, columns), default=0)
    step = step_of(rows, len(columns))
    spread = chosen_rows(rows, step)
    return Draft(
        format_,
        rows,
        names,
        [type_of(values) for values in columns],
        head=lambda at, count: columns[at][:count],
        sample=lambda at: [columns[at][row] for row in spread if row < len(columns[at])],
        sampled_rows=len(spread) if step > 1 else None,
    )


def of_rows(format_: str, rows: Sequence[Mapping[Any, Any]], count: int | None) -> Draft:
    """A table of which these rows are known; it has ``count``."""
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    columns: list[list[Any]] = [[] for _ in names]
    places = {name: at for at, name in enumerate(names)}
    for number, row in enumerate(rows):
        for name, value in row.items():
            column = columns[places[str(name)]]
            column.extend([None] * (number - len(column)))
            column.append(value)
    for column in columns:
        column.extend([None] * (len(rows) - len(column)))
    made = of_columns(format_, names, columns)
    if count != len(rows) and made.sampled_rows is None:
        made.sampled_rows = len(rows)
    made.rows = count
    return made


def arrow_bytes(of: Any) -> int:
    """How much memory a table or a batch takes."""
    try:
        return int(of.nbytes)
    except TypeError:  # it has views, whose bytes old releases do not count
        return int(of.get_total_buffer_size())


def of_arrow(table: Any, format_: str = "arrow", rows: int | None = None) -> Draft:
    """A table of Arrow; ``rows`` if it is only a part of the whole."""
    from headwater import frames

    step = step_of(table.num_rows, table.num_columns, arrow_bytes(table))
    is_part = rows is not None and rows != table.num_rows
    sampled = chosen_rows(table.num_rows, step) if step > 1 else None
    return Draft(
        format_,
        rows if rows is not None else table.num_rows,
        table.column_names,
        [frames.arrow_type(column.type) for column in table.columns],
        head=lambda at, count: table.column(at).slice(0, count).to_pylist(),
        sample=lambda at: _rows_of_arrow(table.column(at), sampled),
        exact=lambda at: _exact_arrow(table.column(at)) if step > 1 else {},
        sampled_rows=len(sampled) if sampled else table.num_rows if is_part else None,
    )


def _rows_of_arrow(column: Any, rows: list[int] | None) -> list[Any]:
    import pyarrow

    if rows is not None:
        # What Arrow cannot take rows of.
        views = {"string_view": pyarrow.large_string(), "binary_view": pyarrow.large_binary()}
        if str(column.type) in views:
            column = column.cast(views[str(column.type)])
        column = column.take(pyarrow.array(rows))
    values: list[Any] = column.to_pylist()
    return values


def _exact_arrow(column: Any) -> dict[str, Any]:
    import pyarrow
    import pyarrow.compute as compute

    made: dict[str, Any] = {"count": len(column) - column.null_count, "nulls": column.null_count}
    kinds = pyarrow.types
    if kinds.is_floating(column.type):
        made["nan"] = compute.sum(compute.is_nan(column)).as_py() or 0
        column = column.filter(compute.is_finite(column))
        made["infinite"] = made["count"] - made["nan"] - (len(column) - column.null_count)
    if kinds.is_floating(column.type) or kinds.is_integer(column.type):
        made["mean"] = compute.mean(column).as_py()
        made["std"] = compute.stddev(column, ddof=1).as_py()
    if kinds.is_primitive(column.type):
        found = compute.min_max(column).as_py()
        made["min"], made["max"] = found["min"], found["max"]
    return made


def _of_pyarrow(source: Any) -> Draft | None:
    import pyarrow

    if isinstance(source, pyarrow.Table):
        return of_arrow(source)
    if isinstance(source, pyarrow.RecordBatch):
        return of_arrow(pyarrow.Table.from_batches([source]))
    if isinstance(source, (pyarrow.Array, pyarrow.ChunkedArray)):
        return of_arrow(pyarrow.table({"value": source}))
    return None


def of_polars(frame: Any, format_: str = "polars", rows: int | None = None) -> Draft:
    """A table of polars; ``rows`` if it is only a part of the whole."""
    from headwater import frames

    step = step_of(frame.height, frame.width, int(frame.estimated_size()))
    is_part = rows is not None and rows != frame.height
    spread = frame[chosen_rows(frame.height, step)] if step > 1 else frame
    return Draft(
        format_,
        rows if rows is not None else frame.height,
        frame.columns,
        [frames.polars_type(dtype) for dtype in frame.dtypes],
        head=lambda at, count: frame.to_series(at).head(count).to_list(),
        sample=lambda at: spread.to_series(at).to_list(),
        exact=lambda at: _exact_polars(frame.to_series(at)) if step > 1 else {},
        sampled_rows=spread.height if step > 1 or is_part else None,
    )


def _exact_polars(column: Any) -> dict[str, Any]:
    nulls = column.null_count()
    made: dict[str, Any] = {"count": len(column) - nulls, "nulls": nulls}
    if column.dtype.is_float():
        made["nan"] = column.is_nan().sum() or 0
        column = column.filter(column.is_finite())
        made["infinite"] = made["count"] - made["nan"] - len(column)
    if column.dtype.is_float() or column.dtype.is_integer():
        made["mean"], made["std"] = column.mean(), column.std()
    if column.dtype.is_numeric() or column.dtype.is_temporal():
        made["min"], made["max"] = column.min(), column.max()
    return made


def _of_polars(source: Any) -> Draft | None:
    import polars

    if isinstance(source, polars.Series):
        return of_polars(source.to_frame(source.name or "value"))
    return of_polars(source) if isinstance(source, polars.DataFrame) else None


def _of_pandas(source: Any) -> Draft | None:
    import pandas

    if isinstance(source, pandas.Series):
        source = source.to_frame("value" if source.name is None else source.name)
    if not isinstance(source, pandas.DataFrame):
        return None
    frame = source
    step = step_of(len(frame), frame.shape[1])
    spread = frame.iloc[chosen_rows(len(frame), step)] if step > 1 else frame
    return Draft(
        "pandas",
        len(frame),
        [str(name) for name in frame.columns],
        [_pandas_word(frame.iloc[:, at]) for at in range(frame.shape[1])],
        head=lambda at, count: _from_pandas(frame.iloc[:count, at]),
        sample=lambda at: _from_pandas(spread.iloc[:, at]),
        exact=lambda at: _exact_pandas(frame.iloc[:, at]) if step > 1 else {},
        sampled_rows=len(spread) if step > 1 else None,
    )


def _pandas_word(column: Any) -> str:
    from headwater import frames

    if hasattr(column.dtype, "pyarrow_dtype"):
        return frames.arrow_type(column.dtype.pyarrow_dtype)
    return frames.pandas_type(column.head(10_000))


def _from_pandas(column: Any) -> list[Any]:
    """Python values; what is missing is None, and NaN where a column of numbers has it."""
    values: list[Any] = column.tolist()
    if column.dtype.kind == "f" and type(column.dtype).__module__.startswith("numpy"):
        return values
    return [None if gone else each for each, gone in zip(values, column.isna())]


def _exact_pandas(column: Any) -> dict[str, Any]:
    nulls = int(column.isna().sum())
    if type(column.dtype).__module__.startswith("numpy") and column.dtype.kind in "iuf":
        return _exact_numpy(column.to_numpy())
    made: dict[str, Any] = {"count": len(column) - nulls, "nulls": nulls}
    if column.dtype.kind in "iufmM":
        made["min"], made["max"] = column.min(), column.max()
    return made


def _exact_numpy(values: Any) -> dict[str, Any]:
    import numpy

    made: dict[str, Any] = {"count": int(values.size), "nulls": 0}
    finite = values
    if values.dtype.kind == "f":
        made["nan"] = int(numpy.isnan(values).sum())
        finite = values[numpy.isfinite(values)]
        made["infinite"] = int(values.size - made["nan"] - finite.size)
    if finite.size:
        made["min"], made["max"] = finite.min().item(), finite.max().item()
        made["mean"] = float(finite.mean(dtype="f8"))
    if finite.size > 1:
        made["std"] = float(finite.std(dtype="f8", ddof=1))
    return made


def _numpy_word(dtype: Any) -> str:
    words = {"U": "string", "T": "string", "S": "binary", "M": "timestamp", "m": "duration"}
    return words.get(dtype.kind) or str(dtype.name)


def _from_numpy(values: Any) -> list[Any]:
    # Of finer units it would make numbers.
    is_time = values.dtype.kind in "mM"
    plain: list[Any] = (values.astype(f"{values.dtype.kind}8[us]") if is_time else values).tolist()
    return plain


def _of_numpy(source: Any) -> Draft | None:
    return of_numpy(source)


def of_numpy(values: Any, format_: str = "numpy") -> Draft | None:
    """An array: its fields, or its second dimension, are columns if they are few."""
    import numpy

    if not isinstance(values, numpy.ndarray):
        return None
    details = {"shape": list(values.shape), "dtype": str(values.dtype)}
    if values.dtype.names:
        names = list(values.dtype.names)
        columns = [values[name].reshape(-1) for name in names]
    elif values.ndim == 2 and values.shape[1] <= COLUMNS_MAX:
        names = [str(at) for at in range(values.shape[1])]
        columns = [values[:, at] for at in range(values.shape[1])]
    else:
        names, columns = ["value"], [values.ravel(order="K")]
    rows = int(values.shape[0]) if values.ndim else 1
    longest = max(map(len, columns), default=0)
    step = step_of(longest, len(columns))
    spread = chosen_rows(longest, step) if step > 1 else []
    return Draft(
        format_,
        rows,
        names,
        [_numpy_word(column.dtype) for column in columns],
        head=lambda at, count: _from_numpy(columns[at][:count]),
        sample=lambda at: _from_numpy(columns[at][spread] if step > 1 else columns[at]),
        exact=lambda at: (
            _exact_numpy(columns[at])
            if step > 1 and columns[at].dtype.kind in "iuf" and values.nbytes <= _EXACT_BYTES_MAX
            else {}
        ),
        sampled_rows=len(spread) if step > 1 else None,
        details=details,
    )


_LIBRARIES: dict[str, Callable[[Any], Draft | None]] = {
    "numpy": _of_numpy,
    "pandas": _of_pandas,
    "polars": _of_polars,
    "pyarrow": _of_pyarrow,
}
