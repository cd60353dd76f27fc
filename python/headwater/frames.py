"""The one form of a table, an array or a plain value, over which its digest is made.

Each thing is a tag and fields, and each field stands with its length before it, so that no two
things look alike. Numbers are little-endian, NaN has one form, what is null counts as zero and is
marked. A column is its name, its type in words that the libraries share, and its values in blocks
of BLOCK_ROWS, however the library holds it. What this form is must not change: digests are stored.
"""

from __future__ import annotations

import array
import datetime
import decimal
import hashlib
import itertools
import math
import numbers
import struct
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

BLOCK_ROWS = 65_536
_DEPTH_MAX = 100
_length = struct.Struct("<Q").pack
_PLAIN_TYPES = frozenset([type(None), bool, int, float, str, bytes, list, tuple, dict])


def sha256_of(of: Any) -> str:
    """The digest of an object in hexadecimal digits; TypeError if it has no stable form."""
    form = _Form()
    form.put(b"headwater 1")
    _object(form, of, 0)
    return form.made.hexdigest()


class _Form:
    def __init__(self) -> None:
        self.made = hashlib.sha256()

    def put(self, *fields: Any) -> None:
        """Bytes, or what lies in memory like them, a text, or a number."""
        small = []
        for field in fields:
            if isinstance(field, int):
                field = b"%x" % field  # decimal digits have a limit
            elif isinstance(field, str):
                field = field.encode("utf-8", "surrogatepass")
            elif not isinstance(field, bytes):
                field = memoryview(field).cast("B")
            small.append(_length(len(field)))
            if len(field) < 4096:
                small.append(field)
            else:
                self.made.update(b"".join(small))
                self.made.update(field)
                small.clear()
        self.made.update(b"".join(small))


def _without_form(of: Any, hint: str = "") -> TypeError:
    name = f"{type(of).__module__}.{type(of).__qualname__}".replace("builtins.", "")
    hint = hint or (
        "pass its values as a table, a NumPy array or plain lists, or save it and pass the path"
    )
    return TypeError(f"`{name}` has no stable form, so it has no digest\nhint: {hint}")


def _object(form: _Form, of: Any, depth: int) -> None:
    if depth > _DEPTH_MAX:
        raise TypeError(
            f"it is nested deeper than {_DEPTH_MAX}, or holds itself, so it has no digest\n"
            "hint: pass a part of it"
        )
    if type(of) in _PLAIN_TYPES:
        _plain(form, of, depth)
        return
    for kind in type(of).__mro__:
        library = kind.__module__.partition(".")[0]
        writer = _LIBRARIES.get(library)
        # What only inherits from a plain type is one, such as numpy.float64 and pandas.Timestamp.
        if writer is not None and writer(form, of, depth):
            return
    _plain(form, of, depth)


# Plain values.


def _plain(form: _Form, of: Any, depth: int) -> None:
    if of is None:
        form.put(b"null")
    elif isinstance(of, bool):
        form.put(b"bool", b"1" if of else b"0")
    elif isinstance(of, int):
        form.put(b"int", int(of))
    elif isinstance(of, float):
        form.put(b"float", struct.pack("<d", math.nan if math.isnan(of) else of))
    elif isinstance(of, str):
        form.put(b"text", str(of))
    elif isinstance(of, (bytes, bytearray, memoryview)):
        form.put(b"bytes", of if isinstance(of, bytes) else bytes(of))
    elif isinstance(of, Mapping):
        keys = sorted((_digest_of(key, depth), key) for key in _hashable(of))
        form.put(b"dict", len(keys))
        for digest, key in keys:
            form.put(digest)
            _object(form, of[key], depth + 1)
    elif isinstance(of, (list, tuple)):
        form.put(b"list", len(of))
        for each in of:
            _object(form, each, depth + 1)
    elif isinstance(of, Set):
        form.put(b"set", len(of), *sorted(_digest_of(each, depth) for each in of))
    else:
        _scalar(form, of)


def _scalar(form: _Form, of: Any) -> None:
    if isinstance(of, datetime.datetime):
        form.put(b"datetime", of.isoformat())
    elif isinstance(of, datetime.date):
        form.put(b"date", of.isoformat())
    elif isinstance(of, datetime.time):
        form.put(b"time", of.isoformat())
    elif isinstance(of, datetime.timedelta):
        nanoseconds = getattr(of, "nanoseconds", 0)
        form.put(b"timedelta", of.days, of.seconds, of.microseconds, nanoseconds)
    elif isinstance(of, decimal.Decimal):
        form.put(b"decimal", str(of))
    elif isinstance(of, uuid.UUID):
        form.put(b"uuid", of.bytes)
    elif isinstance(of, complex):
        parts = (math.nan if math.isnan(part) else part for part in (of.real, of.imag))
        form.put(b"complex", struct.pack("<2d", *parts))
    elif hasattr(of, "__fspath__"):
        raise _without_form(of, "`digest_path` reads what a path leads to")
    elif hasattr(of, "__dataclass_fields__"):
        raise _without_form(of, "pass `dataclasses.asdict` of it")
    elif hasattr(of, "collect"):
        raise _without_form(of, "pass what its `collect()` makes")
    elif hasattr(of, "read_all"):
        raise _without_form(of, "pass what its `read_all()` makes")
    elif hasattr(of, "detach") and hasattr(of, "numpy"):
        raise _without_form(of, "pass `.detach().cpu().numpy()` of it")
    else:
        raise _without_form(of)


def _digest_of(of: Any, depth: int) -> bytes:
    form = _Form()
    _object(form, of, depth + 1)
    return form.made.digest()


def _hashable(keys: Iterable[Any]) -> Iterator[Any]:
    for key in keys:
        if key is not None and not isinstance(key, (str, bytes, numbers.Number, tuple)):
            # Its digest might need what only this process has.
            plain = (datetime.date, datetime.time, datetime.timedelta, uuid.UUID)
            if not isinstance(key, (*plain, frozenset)):
                raise _without_form(key, "keys of a dict are texts, numbers or times")
        yield key


# Columns. A block is a mark for each null, and the fields that its type has.


def _table(
    form: _Form,
    rows: int,
    index: Sequence[tuple[Any, Any]],
    columns: Iterable[tuple[Any, Any]],
    column: Callable[[_Form, Any], None],
) -> bool:
    form.put(b"table", rows, len(index))
    for name, values in itertools.chain(index, columns):
        form.put(b"column")
        _plain_name(form, name)
        column(form, values)
    form.put(b"end")
    return True


def _plain_name(form: _Form, name: Any) -> None:
    _object(form, name, 0)


def _blocks(rows: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + BLOCK_ROWS, rows)) for start in range(0, rows, BLOCK_ROWS))


def _texts(form: _Form, values: Sequence[str | bytes | None]) -> None:
    """A block of texts or bytes: their lengths, then all of them."""
    data = [
        b"" if each is None else each if isinstance(each, bytes) else _utf8(each) for each in values
    ]
    marks = bytes([each is None for each in values])
    form.put(marks if any(marks) else b"", _little("q", map(len, data)), b"".join(data))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _little(code: str, values: Iterable[Any]) -> bytes:
    """Numbers as they lie in the memory of most machines."""
    made = array.array(code, values)
    if sys.byteorder == "big":
        made.byteswap()
    return made.tobytes()


def _values(form: _Form, values: Iterable[Any]) -> None:
    """A block of values of any kind, each with its own tag."""
    for each in values:
        _object(form, each, 1)


# Arrow.


def _pyarrow(form: _Form, of: Any, _depth: int) -> bool:
    import pyarrow

    if isinstance(of, pyarrow.RecordBatch):
        of = pyarrow.Table.from_batches([of])
    if isinstance(of, pyarrow.Table):
        return _table(form, of.num_rows, (), zip(of.column_names, of.columns), _arrow_column)
    if isinstance(of, (pyarrow.Array, pyarrow.ChunkedArray)):
        form.put(b"series")
        _plain(form, None, 0)
        form.put(0)
        _arrow_column(form, of)
        return True
    if isinstance(of, pyarrow.Scalar):
        _object(form, of.as_py(), 1)
        return True
    return False


def _arrow_column(form: _Form, values: Any) -> None:
    import pyarrow

    form.put(arrow_type(values.type), len(values))
    for start, end in _blocks(len(values)):
        block = values.slice(start, end - start)
        if isinstance(block, pyarrow.ChunkedArray):
            chunks = [_arrow_plain(chunk) for chunk in block.chunks]
            block = chunks[0] if len(chunks) == 1 else pyarrow.concat_arrays(chunks)
        _arrow_block(form, block)


def _arrow_plain(values: Any) -> Any:
    """Without what only says how values are held."""
    import pyarrow
    import pyarrow.compute

    kinds = pyarrow.types
    while True:
        if isinstance(values, pyarrow.ExtensionArray):
            values = values.storage
        elif kinds.is_dictionary(values.type):
            values = values.dictionary_decode()
        elif getattr(kinds, "is_run_end_encoded", lambda _: False)(values.type):
            values = pyarrow.compute.run_end_decode(values)
        else:
            return values


def arrow_type(of: Any) -> str:
    """An Arrow type in the words that columns have everywhere."""
    import pyarrow

    kinds = pyarrow.types
    name = str(of)
    if isinstance(of, pyarrow.BaseExtensionType):
        return f"extension<{of.extension_name}, {arrow_type(of.storage_type)}>"
    if kinds.is_dictionary(of) or name.startswith("run_end_encoded"):
        return arrow_type(of.value_type)
    if kinds.is_struct(of):
        fields = (of.field(at) for at in range(of.num_fields))
        return f"struct<{', '.join(f'{each.name!r}: {arrow_type(each.type)}' for each in fields)}>"
    if kinds.is_map(of):
        return f"map<{arrow_type(of.key_type)}, {arrow_type(of.item_type)}>"
    if kinds.is_fixed_size_list(of):
        return f"list<{arrow_type(of.value_type)}>[{of.list_size}]"
    if _is_arrow_list(of):
        return f"list<{arrow_type(of.value_type)}>"
    if kinds.is_fixed_size_binary(of) and not kinds.is_decimal(of):
        return f"binary[{of.byte_width}]"
    if kinds.is_decimal(of):
        return f"decimal({of.precision}, {of.scale})"
    same = {
        "large_string": "string",
        "string_view": "string",
        "large_binary": "binary",
        "binary_view": "binary",
        "halffloat": "float16",
        "float": "float32",
        "double": "float64",
        "date32[day]": "date",
    }
    return same.get(name, name)


def _is_arrow_list(of: Any) -> bool:
    return str(of).startswith(("list<", "large_list<", "list_view<", "large_list_view<"))


def _arrow_marks(values: Any) -> Any:
    import pyarrow

    return _arrow_buffer(values.is_null().cast(pyarrow.uint8()), 1) if values.null_count else b""


def _arrow_buffer(values: Any, width: int) -> Any:
    if not len(values):
        return b""
    start = values.offset * width
    return memoryview(values.buffers()[1])[start : start + len(values) * width]


def _arrow_block(form: _Form, values: Any) -> None:
    import pyarrow

    values = _arrow_plain(values)
    kind, kinds = values.type, pyarrow.types
    if kinds.is_null(kind):
        form.put(b"")
    elif kinds.is_decimal(kind):
        _texts(form, [each if each is None else str(each) for each in values.to_pylist()])
    elif kinds.is_fixed_size_list(kind) or _is_arrow_list(kind):
        _arrow_lists(form, values)
    elif kinds.is_struct(kind):
        form.put(_arrow_marks(values))
        for field in values.flatten():
            _arrow_block(form, field)
    elif str(kind) in ("string", "large_string", "string_view"):
        _arrow_texts(form, values, pyarrow.large_string(), "")
    elif "binary" in str(kind):
        _arrow_texts(form, values, pyarrow.large_binary(), b"")
    elif kinds.is_primitive(kind):
        _arrow_numbers(form, values)
    else:
        _values(form, values.to_pylist())


def _arrow_lists(form: _Form, values: Any) -> None:
    import pyarrow
    import pyarrow.compute

    if "_view<" in str(values.type):
        values = values.cast(pyarrow.large_list(values.type.value_type))
    lengths = pyarrow.compute.list_value_length(values).cast(pyarrow.int64()).fill_null(0)
    form.put(_arrow_marks(values), _arrow_buffer(lengths, 8))
    _arrow_block(form, values.drop_null().flatten())


def _arrow_texts(form: _Form, values: Any, large: Any, nothing: Any) -> None:
    import pyarrow
    import pyarrow.compute

    marks = _arrow_marks(values)
    # In a step of its own: old versions do not cast bytes of a fixed size to large ones.
    if pyarrow.types.is_fixed_size_binary(values.type):
        values = values.cast(pyarrow.binary())
    values = values.cast(large)
    if values.null_count:
        values = values.fill_null(nothing)
    lengths = pyarrow.compute.binary_length(values).cast(pyarrow.int64())
    data: Any = b""
    _, offsets, texts = values.buffers()
    if len(values) and texts is not None:
        ends = memoryview(offsets).cast("B").cast("q")
        data = memoryview(texts)[ends[values.offset] : ends[values.offset + len(values)]]
    form.put(marks, _arrow_buffer(lengths, 8), data)


def _arrow_numbers(form: _Form, values: Any) -> None:
    import pyarrow
    import pyarrow.compute

    marks, kinds = _arrow_marks(values), pyarrow.types
    kind = values.type
    if kinds.is_boolean(kind):
        values = values.cast(pyarrow.uint8())
    elif kinds.is_float16(kind):
        halves = [0.0 if each is None else float(each) for each in values.to_pylist()]
        form.put(marks, b"".join(_half(each) for each in halves))
        return
    elif not kinds.is_integer(kind) and not kinds.is_floating(kind):
        values = values.view(pyarrow.int64() if kind.bit_width == 64 else pyarrow.int32())
    if values.null_count:
        values = values.fill_null(0)
    if kinds.is_floating(kind):
        nan = pyarrow.scalar(math.nan, kind)
        values = pyarrow.compute.if_else(pyarrow.compute.is_nan(values), nan, values)
    form.put(marks, _arrow_buffer(values, values.type.bit_width // 8))


def _half(of: float) -> bytes:
    return struct.pack("<e", math.nan if math.isnan(of) else of)


# polars. Without Arrow: what is installed beside it does not change a digest.


def _polars(form: _Form, of: Any, _depth: int) -> bool:
    import polars

    if isinstance(of, polars.DataFrame):
        return _table(form, of.height, (), zip(of.columns, of.get_columns()), _polars_column)
    if isinstance(of, polars.Series):
        form.put(b"series")
        _plain(form, of.name or None, 0)
        form.put(0)
        _polars_column(form, of)
        return True
    return False


def _polars_column(form: _Form, values: Any) -> None:
    form.put(polars_type(values.dtype), len(values))
    for start, end in _blocks(len(values)):
        _polars_block(form, values.slice(start, end - start))


def polars_type(of: Any) -> str:
    """A polars type in the words that columns have everywhere."""
    name = str(of.base_type())
    if name == "Datetime":
        zone = f", tz={of.time_zone}" if of.time_zone else ""
        return f"timestamp[{of.time_unit}{zone}]"
    if name == "Duration":
        return f"duration[{of.time_unit}]"
    if name == "Decimal":
        return f"decimal({of.precision}, {of.scale})"
    if name == "List":
        return f"list<{polars_type(of.inner)}>"
    if name == "Array":
        return f"list<{polars_type(of.inner)}>[{of.shape[0]}]" if of.inner else "list"
    if name == "Struct":
        fields = (f"{each.name!r}: {polars_type(each.dtype)}" for each in of.fields)
        return f"struct<{', '.join(fields)}>"
    same = {"Boolean": "bool", "Categorical": "string", "Enum": "string", "Time": "time64[ns]"}
    return same.get(name, name.lower())


def _polars_block(form: _Form, values: Any) -> None:
    import polars

    name = str(values.dtype.base_type())
    if name in ("Categorical", "Enum"):
        values, name = values.cast(polars.String), "String"
    if name in ("String", "Binary"):
        _texts(form, values.to_list())
    elif name == "Decimal":
        _texts(form, [each if each is None else str(each) for each in values.to_list()])
    elif name == "Null":
        form.put(b"")
    elif name in ("List", "Array"):
        if name == "Array":
            values = values.arr.to_list()
        marks, lengths = _polars_marks(values), values.list.len().cast(polars.Int64).fill_null(0)
        form.put(marks, _polars_bytes(lengths))
        _polars_block(form, values.filter(lengths > 0).explode())
    elif name == "Struct":
        form.put(_polars_marks(values))
        for field in values.dtype.fields:
            _polars_block(form, values.struct.field(field.name))
    elif name in ("Object", "Unknown", "Int128", "UInt128", "Float16"):
        _values(form, values.to_list())
    else:
        physical = values.cast(polars.UInt8) if name == "Boolean" else values.to_physical()
        if physical.dtype.is_float():
            physical = physical.fill_nan(math.nan)
        form.put(_polars_marks(values), _polars_bytes(physical.fill_null(0)))


def _polars_marks(values: Any) -> bytes:
    return bytes(values.is_null().to_list()) if values.null_count() else b""


def _polars_bytes(values: Any) -> bytes:
    """Numbers without nulls."""
    name = str(values.dtype)
    codes = {"Float64": "d", "Float32": "f", "Int8": "b", "Int16": "h", "Int32": "i", "Int64": "q"}
    code = codes.get(name) or codes[name.replace("UInt", "Int")].upper()
    return _little(code, values.to_list())


# NumPy.


def _numpy(form: _Form, of: Any, depth: int) -> bool:
    import numpy

    if isinstance(of, numpy.ma.MaskedArray):
        if of.dtype.fields:
            raise _without_form(of, "pass its mask and its data")
        mask = numpy.ma.getmaskarray(of)
        form.put(b"masked")
        _array(form, mask, depth)
        _array(form, of.filled(numpy.zeros((), of.dtype)[()]), depth)
    elif isinstance(of, numpy.ndarray):
        _array(form, numpy.asarray(of), depth)
    elif isinstance(of, (numpy.datetime64, numpy.timedelta64)):
        form.put(b"datetime", str(of.dtype).lstrip("<>="), str(of))
    elif isinstance(of, numpy.generic) and of.dtype.kind in "biufcSU":
        if of.dtype.char in "gG":
            raise _without_form(of, "pass `float` of it")
        _plain(form, of.item(), depth)
    elif isinstance(of, numpy.generic):
        _array(form, numpy.asarray(of), depth)
    else:
        return False
    return True


def _array(form: _Form, of: Any, depth: int) -> None:
    kind = of.dtype.kind
    if of.dtype.fields:
        form.put(b"array", "struct", of.ndim, *of.shape, len(of.dtype.names))
        for name in of.dtype.names:
            form.put(name)
            _array(form, of[name], depth)
        return
    if of.dtype.char in "gG":
        raise _without_form(of, "pass `.astype('float64')` of it: its own size is the machine's")
    name = {"U": "string", "T": "string", "S": "binary"}.get(kind) or of.dtype.name
    form.put(b"array", name, of.ndim, *of.shape)
    for part in _slabs(of):
        if kind in "UTS":
            _texts(form, part.ravel().tolist())
        elif kind == "O":
            for each in part.ravel().tolist():
                _object(form, each, depth + 1)
        else:
            # As bytes, since views of times are refused.
            form.made.update(memoryview(_little_array(part).reshape(-1).view("u1")))


def _slabs(of: Any) -> Iterator[Any]:
    """Parts of an array in the order of its indices, small enough to be copied."""
    import numpy

    if of.ndim == 0:
        yield of.reshape(1)
    elif of.size:
        rows = max(1, BLOCK_ROWS * of.shape[0] // of.size)
        for start in range(0, of.shape[0], rows):
            yield numpy.ascontiguousarray(of[start : start + rows])


def _little_array(of: Any) -> Any:
    """An array of numbers or times, little-endian, with one form of NaN."""
    import numpy

    kind = of.dtype.kind
    if kind in "fc":
        parts = of.view(of.real.dtype) if kind == "c" else of
        missing = numpy.isnan(parts)
        if missing.any():
            parts = parts.copy()
            parts[missing] = numpy.nan
        of = parts
    return of.astype(of.dtype.newbyteorder("<"), copy=False)


# pandas.


def _pandas(form: _Form, of: Any, depth: int) -> bool:
    import pandas

    if isinstance(of, pandas.DataFrame):
        columns = ((name, of.iloc[:, at]) for at, name in enumerate(of.columns))
        return _table(form, len(of), _pandas_index(of.index), columns, _pandas_column)
    if isinstance(of, pandas.Series):
        form.put(b"series")
        _plain_name(form, of.name)
        index = _pandas_index(of.index)
        form.put(len(index))
        for name, values in index:
            _plain_name(form, name)
            _pandas_column(form, values)
        _pandas_column(form, of)
    elif isinstance(of, pandas.Index):
        form.put(b"index", of.nlevels)
        for at in range(of.nlevels):
            level = of.get_level_values(at)
            _plain_name(form, level.name)
            _pandas_column(form, pandas.Series(level))
    elif of is pandas.NA or of is pandas.NaT:
        form.put(b"null")
    elif isinstance(of, (pandas.Period, pandas.Interval)):
        form.put(type(of).__name__, str(of))
    elif isinstance(of, pandas.api.extensions.ExtensionArray):
        _pandas_column(form, pandas.Series(of))
    else:
        return False
    return True


def _pandas_index(index: Any) -> list[tuple[Any, Any]]:
    """The columns of an index; none if it only counts the rows."""
    import numpy
    import pandas

    is_one = index.nlevels == 1
    if is_one and index.name is None and index.dtype.kind in "iu":
        if isinstance(index, pandas.RangeIndex):
            counts = index.start == 0 and index.step == 1
        else:
            counts = bool((numpy.asarray(index) == numpy.arange(len(index))).all())
        if counts:
            return []
    levels = (index.get_level_values(at) for at in range(index.nlevels))
    return [(level.name, pandas.Series(level)) for level in levels]


def _pandas_column(form: _Form, values: Any) -> None:
    import numpy
    import pandas

    dtype, rows = values.dtype, len(values)
    values = values.reset_index(drop=True)
    if isinstance(dtype, pandas.SparseDtype):
        values = values.sparse.to_dense()
        dtype = values.dtype
    if hasattr(dtype, "pyarrow_dtype"):
        import pyarrow

        _arrow_column(form, pyarrow.array(values.array, from_pandas=False))
        return
    if isinstance(dtype, pandas.CategoricalDtype):
        form.put("category", rows, b"1" if dtype.ordered else b"0")
        _pandas_column(form, pandas.Series(dtype.categories))
        codes = values.cat.codes.to_numpy()
        for start, end in _blocks(rows):
            block = codes[start:end].astype("<i8")
            form.put((block < 0).tobytes() if (block < 0).any() else b"", block.clip(0).tobytes())
        return
    name, kind = _column_type(values)
    form.put(name, rows)
    for start, end in _blocks(rows):
        block = values.iloc[start:end]
        if kind == "texts":
            missing = block.isna().to_numpy()
            held = zip(block.tolist(), missing)
            _texts(form, [None if is_missing else each for each, is_missing in held])
        elif kind == "values":
            _values(form, block.tolist())
        elif kind == "words":
            missing = block.isna()
            _texts(form, [None if gone else str(each) for each, gone in zip(block, missing)])
        else:
            marks = b""
            missing = block.isna().to_numpy()
            if kind == "times":
                if getattr(dtype, "tz", None) is not None:
                    block = block.dt.tz_convert("UTC").dt.tz_localize(None)
                held = block.to_numpy().view("i8").copy()
                held[missing] = 0
            elif kind == "masked":
                held = block.to_numpy(dtype=name, na_value=0)
            else:
                held = block.to_numpy()
                missing = numpy.zeros(0, bool)
            if missing.any():
                marks = missing.tobytes()
            form.put(marks, _little_array(numpy.ascontiguousarray(held)).tobytes())


def pandas_type(values: Any) -> str:
    """The type of a pandas column in the words that columns have everywhere."""
    import pandas

    is_category = isinstance(values.dtype, pandas.CategoricalDtype)
    return "category" if is_category else _column_type(values)[0]


def _column_type(values: Any) -> tuple[str, str]:
    """The name of a column's type, and how its values are written."""
    import numpy
    import pandas

    dtype = values.dtype
    if isinstance(dtype, pandas.DatetimeTZDtype):
        return f"timestamp[{dtype.unit}, tz={dtype.tz}]", "times"
    if isinstance(dtype, numpy.dtype):
        if dtype.kind in "mM":
            word = "timestamp" if dtype.kind == "M" else "duration"
            return f"{word}[{numpy.datetime_data(dtype)[0]}]", "times"
        if dtype.kind in "biufc":
            if dtype.char in "gG":
                raise _without_form(values, f"the column is {dtype}: make it `float64`")
            return dtype.name, "numbers"
    if isinstance(dtype, pandas.StringDtype):
        return "string", "texts"
    if isinstance(dtype, (pandas.PeriodDtype, pandas.IntervalDtype)):
        return str(dtype), "words"
    if isinstance(getattr(dtype, "numpy_dtype", None), numpy.dtype) and hasattr(dtype, "na_value"):
        return str(dtype.numpy_dtype.name), "masked"
    if dtype.kind == "O":
        # Texts are objects in one release of pandas, and have a type in another.
        found = pandas.api.types.infer_dtype(values, skipna=True)
        texts = {"string": "string", "empty": "string", "bytes": "binary"}
        if found in texts:
            return texts[found], "texts"
        return "object", "values"
    return str(dtype), "values"


_LIBRARIES: dict[str, Callable[[_Form, Any, int], bool]] = {
    "numpy": _numpy,
    "pandas": _pandas,
    "polars": _polars,
    "pyarrow": _pyarrow,
}
