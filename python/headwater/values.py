"""Values of properties, from and to plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message

from ml_metadata.proto import metadata_store_pb2


def value(of: bool | int | float | str | Mapping[str, Any] | Message) -> metadata_store_pb2.Value:
    """The value of a property, for ``properties={"accuracy": headwater.value(0.9)}``.

    A mapping becomes a struct, any message a proto.
    """
    made = metadata_store_pb2.Value()
    if isinstance(of, bool):
        made.bool_value = of
    elif isinstance(of, int):
        made.int_value = of
    elif isinstance(of, float):
        made.double_value = of
    elif isinstance(of, str):
        made.string_value = of
    elif isinstance(of, Mapping):
        from google.protobuf import json_format  # takes long, and is seldom needed

        json_format.ParseDict(dict(of), made.struct_value)
    elif isinstance(of, Message):
        made.proto_value.Pack(of)
    else:
        raise TypeError(f"a property cannot hold {type(of).__name__}")
    return made


def plain(of: metadata_store_pb2.Value) -> Any:
    """What a property holds: a bool, int, float, str, dict, or the mapping of a message."""
    kind = of.WhichOneof("value")
    if kind is None:
        return None
    held = getattr(of, kind)
    if not isinstance(held, Message):
        return held
    from google.protobuf import json_format

    return json_format.MessageToDict(held)
