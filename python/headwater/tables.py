"""Artifacts, executions, contexts and events as tables."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from headwater.values import plain

if TYPE_CHECKING:
    import pandas
    import pyarrow

# What one looks for first.
_FIRST = ("id", "type", "name", "uri", "state", "last_known_state")
_TIMES = {
    "create_time_since_epoch": "create_time",
    "last_update_time_since_epoch": "last_update_time",
    "milliseconds_since_epoch": "time",
}


def _row(message: Message) -> dict[str, Any]:
    from google.protobuf import json_format  # takes long

    row: dict[str, Any] = {}
    for field, value in message.ListFields():
        name = field.name
        if name in ("properties", "custom_properties"):
            for key in sorted(value):
                row[f"{name}.{key}"] = plain(value[key])
        elif name in _TIMES:
            row[_TIMES[name]] = datetime.fromtimestamp(value / 1000, timezone.utc)
        elif field.enum_type is not None:
            row[name] = field.enum_type.values_by_number[value].name
        elif isinstance(value, Message):
            row[name] = json_format.MessageToDict(value, preserving_proto_field_name=True)
        else:
            row[name] = value
    return row


def _columns(messages: Iterable[Message]) -> dict[str, list[Any]]:
    """The columns of all rows, properties last; None where a row has no value."""
    columns: dict[str, list[Any]] = {}
    for count, message in enumerate(messages):
        for name, value in _row(message).items():
            if name not in columns:
                columns[name] = [None] * count
            columns[name].append(value)
        for values in columns.values():
            if len(values) == count:
                values.append(None)
    names = [name for name in _FIRST if name in columns]
    names += [name for name in columns if name not in _FIRST and "." not in name]
    names += sorted(name for name in columns if "." in name)
    return {name: columns[name] for name in names}


def to_pandas(messages: Iterable[Message]) -> pandas.DataFrame:
    """A DataFrame with a row for each message and a column for each field that any of them has.

    Properties are columns ``properties.NAME`` and ``custom_properties.NAME``; times are in UTC, as
    ``create_time`` and ``last_update_time``; states and kinds of events are their names.

    >>> headwater.to_pandas(store.get_artifacts().artifacts)  # doctest: +SKIP
    """
    import pandas

    return pandas.DataFrame(_columns(messages))


def to_arrow(messages: Iterable[Message]) -> pyarrow.Table:
    """The same as an Arrow table. A property with values of several types fails with TypeError."""
    import pyarrow

    columns = _columns(messages)
    try:
        return pyarrow.table(columns)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError) as error:
        raise TypeError(f"a column has values of several types: {error}") from error
