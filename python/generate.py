"""Writes the Python modules that come from ``proto/``: messages, stubs and the typed methods.

Run it after ``proto/`` has changed, with the one generator whose modules every protobuf from 3.20
on can import::

    python3.10 -m venv /tmp/generate && /tmp/generate/bin/pip install grpcio-tools==1.49.1 \
        'setuptools<70' ruff==0.15.0
    /tmp/generate/bin/python python/generate.py

``--check`` writes nothing and fails if a file would change.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import grpc_tools
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
PROTO = HERE.parent / "proto"
MLMD = "ml_metadata/proto/"
SOURCES = [
    f"{MLMD}metadata_store.proto",
    f"{MLMD}metadata_store_service.proto",
    "ml_metadata/simple_types/proto/simple_types.proto",
    "headwater/v1/headwater.proto",
]
# Only MLMD's own clients use these classes.
SERVICES = {f"{MLMD}metadata_store_service.proto"}
# What MLMD answers without looking at it.
IGNORED_FIELDS = {"transaction_options"}
SCALARS = {
    "TYPE_BOOL": "bool",
    "TYPE_BYTES": "bytes",
    "TYPE_DOUBLE": "float",
    "TYPE_FLOAT": "float",
    "TYPE_INT32": "int",
    "TYPE_INT64": "int",
    "TYPE_STRING": "str",
}
ZERO = {"bool": "False", "bytes": 'b""', "float": "0.0", "int": "0", "str": '""'}
REPEATED = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
LINE = 100

HEAD = '''"""A method for each call of a store. Written by ``generate.py`` from ``proto/``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional, Protocol, Union, cast

from google.protobuf import field_mask_pb2

from headwater.v1 import headwater_pb2
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2

# The methods of Headwater's own service, and those that answer with many messages.
CONSTANTS


class Transport(Protocol):
    """Where calls go: a store in this process, or a server."""

    def call(self, method: str, request: bytes) -> bytes:
        """Answers an encoded request; an exception of ``headwater.errors`` if it fails."""

    def close(self) -> None:
        """Lets go of files and connections."""


def _texts(name: str, values: Optional[Iterable[str]]) -> Optional[Iterable[str]]:
    """Refuses a text where a list of texts is wanted: it would be a list of its characters."""
    if isinstance(values, str):
        raise TypeError(f"{name} is a list of strings: give [{values!r}]")
    return values


class Methods:
    """Every call. Arguments are the fields of the request; a message may be given as a mapping."""

    _transport: Transport
'''


def compile_all(out: Path) -> descriptor_pb2.FileDescriptorSet:
    """Runs protoc; gives the descriptors with the comments of the sources."""
    include = Path(grpc_tools.__file__).parent / "_proto"
    for source in SOURCES:
        flags = [f"--grpc_python_out={out}"] if source in SERVICES else []
        arguments = ["protoc", f"-I{PROTO}", f"-I{include}", f"--python_out={out}"]
        if protoc.main([*arguments, f"--pyi_out={out}", *flags, source]):
            sys.exit(f"{source} does not compile")
    described = out / "descriptors.bin"
    flags = ["--include_source_info", "--include_imports", f"--descriptor_set_out={described}"]
    if protoc.main(["protoc", f"-I{PROTO}", f"-I{include}", *flags, *SOURCES]):
        sys.exit("the sources do not compile together")
    return descriptor_pb2.FileDescriptorSet.FromString(described.read_bytes())


def comment_of(file: descriptor_pb2.FileDescriptorProto, path: list) -> str:
    """The comment above what stands at a path of the file."""
    for location in file.source_code_info.location:
        if list(location.path) == path:
            return location.leading_comments.strip()
    return ""


class Methods:
    """The methods of both services as Python."""

    def __init__(self, files: descriptor_pb2.FileDescriptorSet) -> None:
        self.files = files
        # Messages and enums by their full names.
        self.named = {}
        for file in files.file:
            for one in [*file.message_type, *file.enum_type]:
                self.keep(file, f".{file.package}.{one.name}", one)

    def keep(self, file, name, one) -> None:
        self.named[name] = (file, one)
        if isinstance(one, descriptor_pb2.DescriptorProto):
            for nested in [*one.nested_type, *one.enum_type]:
                self.keep(file, f"{name}.{nested.name}", nested)

    def python_name(self, name: str) -> str:
        """The class of a message or enum, as written in the module of methods."""
        file, _ = self.named[name]
        module = Path(file.name).stem + "_pb2"
        return f"{module}.{name[len(file.package) + 2 :]}"

    def type_of(self, field) -> str:
        """The type of one value of a field."""
        if not field.type_name:
            return SCALARS[descriptor_pb2.FieldDescriptorProto.Type.Name(field.type)]
        _, one = self.named[field.type_name]
        if isinstance(one, descriptor_pb2.EnumDescriptorProto):
            return f"Union[{self.python_name(field.type_name)}, str]"
        return f"Union[{self.python_name(field.type_name)}, Mapping[str, Any]]"

    def argument(self, file, field) -> str:
        """A field as an argument with its default."""
        one = self.type_of(field)
        if field.label == REPEATED:
            _, entry = self.named.get(field.type_name, (None, None))
            if isinstance(entry, descriptor_pb2.DescriptorProto) and entry.options.map_entry:
                key, value = (self.type_of(each) for each in entry.field)
                return f"{field.name}: Optional[Mapping[{key}, {value}]] = None"
            return f"{field.name}: Optional[Iterable[{one}]] = None"
        if file.syntax == "proto3" and one in ZERO and not field.proto3_optional:
            return f"{field.name}: {one} = {ZERO[one]}"
        return f"{field.name}: Optional[{one}] = None"

    def given(self, file, field) -> str:
        """How an argument goes into the request."""
        if field.label == REPEATED and self.type_of(field) == "str":
            return f"{field.name}=_texts({field.name!r}, {field.name})"
        if self.type_of(field) == "bool" and self.argument(file, field).endswith("None"):
            # None leaves a field alone, which protoc's stubs know of other types only.
            return f"{field.name}=cast(bool, {field.name})"
        return f"{field.name}={field.name}"

    def text(self) -> str:
        own, streams, parts = [], [], []
        for file in self.files.file:
            for at, service in enumerate(file.service):
                for position, method in enumerate(service.method):
                    if service.name == "Headwater":
                        own.append(method.name)
                    if method.server_streaming:
                        streams.append(method.name)
                    comment = comment_of(file, [6, at, 2, position])
                    parts.append(self.method(method, comment))
        constants = f"OWN = {tuple(own)!r}\nSTREAMS = {tuple(streams)!r}\n"
        return HEAD.replace("CONSTANTS\n", constants) + "\n".join(["", *parts])

    def method(self, method, comment: str) -> str:
        file, request = self.named[method.input_type]
        fields = [field for field in request.field if field.name not in IGNORED_FIELDS]
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", method.name).lower()
        arguments = ["self", *(["*"] if fields else [])]
        arguments += [self.argument(file, field) for field in fields]
        given = ", ".join(self.given(file, field) for field in fields)
        answer = self.python_name(method.output_type)
        # Quotes stand before the first line, and may stand behind the last.
        words = " ".join(comment.split()).replace("\\", "\\\\")
        first, others = " " * 11, " " * 8
        doc = textwrap.fill(words, LINE - 3, initial_indent=first, subsequent_indent=others).strip()
        return (
            f"    def {name}({', '.join(arguments)}) -> {answer}:\n"
            f'        """{doc}\n        """\n'
            f"        request = {self.python_name(method.input_type)}({given})\n"
            f"        answer = self._transport.call({method.name!r}, request.SerializeToString())\n"
            f"        return {answer}.FromString(answer)\n"
        )


def write(folder: Path) -> None:
    """Writes every generated file below the folder, as they lie below this one."""
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        files = compile_all(out)
        for made in sorted(out.rglob("*_pb2*.py*")):
            below = made.relative_to(out)
            # The drop-in's modules lie apart: see ml_metadata/__init__.py.
            if below.parts[0] == "ml_metadata":
                below = Path("headwater/_ml_metadata", *below.parts[1:])
            (folder / below).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(made, folder / below)
    methods = folder / "headwater/_methods.py"
    methods.write_text(Methods(files).text())
    config = HERE / "pyproject.toml"
    ruff = [sys.executable, "-m", "ruff"]
    subprocess.run([*ruff, "format", "--quiet", "--config", config, methods], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    if not parser.parse_args().check:
        write(HERE)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write(folder)
        stale = [
            str(made.relative_to(folder))
            for made in sorted(folder.rglob("*.py*"))
            if not (HERE / made.relative_to(folder)).exists()
            or made.read_bytes() != (HERE / made.relative_to(folder)).read_bytes()
        ]
    if stale:
        sys.exit("not as proto/ says; run python/generate.py: " + ", ".join(stale))


if __name__ == "__main__":
    main()
