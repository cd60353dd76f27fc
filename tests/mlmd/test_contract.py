"""The wire contract: our descriptors against those in the wheel, field by field.

Ours are taken twice: as protoc reads `proto/`, and as the running server reflects them.
"""

import pathlib

import grpc_tools
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2

from headwater_process import REPOSITORY

SERVICE = "ml_metadata.MetadataStoreService"
REFLECTION = ("grpc.reflection.v1", "grpc.reflection.v1alpha")
WHEEL_FILES = (metadata_store_pb2, metadata_store_service_pb2)


def reflection_messages():
    """The few fields of the reflection protocol that are needed here."""
    file = descriptor_pb2.FileDescriptorProto(name="reflection_subset.proto", package="subset")
    string, blob, message = 9, 12, 11
    for name, fields in {
        "Request": (("by_name", 3, string), ("by_symbol", 4, string), ("services", 7, string)),
        "Files": (("files", 1, blob),),
        "Service": (("name", 1, string),),
        "Services": (("services", 1, message, "Service"),),
        "Error": (("code", 1, 5), ("words", 2, string)),
        "Response": (
            ("files", 4, message, "Files"),
            ("services", 6, message, "Services"),
            ("error", 7, message, "Error"),
        ),
    }.items():
        made = file.message_type.add(name=name)
        for field, number, kind, *of in fields:
            is_list = name in ("Files", "Services")
            made.field.add(name=field, number=number, type=kind, label=3 if is_list else 1)
            if of:
                made.field[-1].type_name = f".subset.{of[0]}"
    file.syntax = "proto3"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return [
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"subset.{name}"))
        for name in ("Request", "Response")
    ]


class Reflection:
    def __init__(self, channel, package):
        self.request, response = reflection_messages()
        self.ask = channel.stream_stream(
            f"/{package}.ServerReflection/ServerReflectionInfo",
            request_serializer=self.request.SerializeToString,
            response_deserializer=response.FromString,
        )

    def services(self):
        (answer,) = self.ask(iter([self.request(services="*")]), timeout=10)
        return {service.name for service in answer.services.services}

    def files(self, **symbol):
        """All files the server sends for a symbol or name, by name."""
        (answer,) = self.ask(iter([self.request(**symbol)]), timeout=10)
        assert not answer.error.words, answer.error.words
        parsed = [descriptor_pb2.FileDescriptorProto.FromString(f) for f in answer.files.files]
        return {file.name: file for file in parsed}


@pytest.fixture(params=REFLECTION)
def reflection(request, shared_server):
    return Reflection(shared_server.channel, request.param)


def option_lines(path, options):
    """Options by name; an extension as the bytes it is, since only one side may know it."""
    known = type(options)()
    known.CopyFrom(options)
    known.DiscardUnknownFields()
    for field, value in known.ListFields():
        if not field.is_extension:
            yield f"{path} [{field.name}]", str(value)
    yield f"{path} [all options]", options.SerializeToString(deterministic=True).hex()


def field_lines(path, field):
    label = descriptor_pb2.FieldDescriptorProto.Label.Name(field.label)
    kind = descriptor_pb2.FieldDescriptorProto.Type.Name(field.type)
    yield path, f"number {field.number}, {label}, {kind} {field.type_name}".rstrip()
    for name in ("default_value", "extendee", "json_name"):
        if field.HasField(name):
            yield f"{path} [{name}]", getattr(field, name)
    if field.HasField("oneof_index"):
        yield f"{path} [oneof]", str(field.oneof_index)
    yield from option_lines(path, field.options)


def enum_lines(path, enum):
    for value in enum.value:
        yield f"{path}.{value.name}", str(value.number)
        yield from option_lines(f"{path}.{value.name}", value.options)
    yield from option_lines(path, enum.options)


def range_lines(path, owner):
    for name in ("reserved_range", "extension_range"):
        for span in getattr(owner, name):
            yield f"{path} [{name}]", f"{span.start} to {span.end - 1}"
    for name in owner.reserved_name:
        yield f"{path} [reserved_name]", name


def message_lines(path, message):
    yield path, "message"
    for field in message.field:
        yield from field_lines(f"{path}.{field.name}", field)
    for extension in message.extension:
        yield from field_lines(f"{path} extension {extension.name}", extension)
    for index, oneof in enumerate(message.oneof_decl):
        yield f"{path} oneof {oneof.name}", str(index)
    for enum in message.enum_type:
        yield from enum_lines(f"{path}.{enum.name}", enum)
    for nested in message.nested_type:
        yield from message_lines(f"{path}.{nested.name}", nested)
    yield from range_lines(path, message)
    yield from option_lines(path, message.options)


def file_lines(file):
    """Everything a file declares, one line each, comparable as a set."""
    yield "package", file.package
    yield "syntax", file.syntax or "proto2"
    for name in file.dependency:
        yield f"import {name}", ""
    for extension in file.extension:
        yield from field_lines(f"extension {extension.name}", extension)
    for enum in file.enum_type:
        yield from enum_lines(enum.name, enum)
    for message in file.message_type:
        yield from message_lines(message.name, message)
    for service in file.service:
        for method in service.method:
            path = f"{service.name}.{method.name}"
            streams = f"{method.client_streaming} {method.server_streaming}"
            yield path, f"{method.input_type} -> {method.output_type}, streams {streams}"
            yield from option_lines(path, method.options)


def without_json_names(lines):
    """Generators may fill in `json_name` or leave it out; it is always the derived one here."""
    return {f"{path} = {value}" for path, value in lines if not path.endswith("[json_name]")}


def declared(file):
    proto = descriptor_pb2.FileDescriptorProto()
    file.DESCRIPTOR.CopyToProto(proto)
    return without_json_names(file_lines(proto))


def test_reflection_lists_the_services_of_the_server(reflection):
    assert {SERVICE, "grpc.health.v1.Health"} <= reflection.services()


def compare(file, wheel_file, is_comparable=lambda line: True):
    ours = set(filter(is_comparable, without_json_names(file_lines(file))))
    theirs = set(filter(is_comparable, declared(wheel_file)))
    difference = [f"missing here: {line}" for line in sorted(theirs - ours)]
    difference += [f"only here:    {line}" for line in sorted(ours - theirs)]
    assert not difference, "\n".join([file.name, *difference])


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Our `.proto` files as protoc understands them, by name."""
    out = tmp_path_factory.mktemp("compiled") / "descriptors.bin"
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    names = [file.DESCRIPTOR.name for file in WHEEL_FILES]
    paths = [f"--proto_path={path}" for path in (REPOSITORY / "proto", well_known)]
    assert protoc.main(["protoc", *paths, f"--descriptor_set_out={out}", *names]) == 0
    files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    return {file.name: file for file in files.file}


@pytest.mark.parametrize("wheel_file", WHEEL_FILES, ids=lambda file: file.DESCRIPTOR.name)
def test_each_proto_file_declares_what_the_wheel_declares(compiled, wheel_file):
    compare(compiled[wheel_file.DESCRIPTOR.name], wheel_file)


@pytest.mark.parametrize("wheel_file", WHEEL_FILES, ids=lambda file: file.DESCRIPTOR.name)
def test_the_server_reflects_what_the_wheel_declares(reflection, wheel_file):
    files = reflection.files(by_name=wheel_file.DESCRIPTOR.name)

    def is_reflected(line):
        # The reflection library drops the one extension there is, on the values of base types.
        return not (".SystemDefinedBaseType." in line and "[all options]" in line)

    compare(files[wheel_file.DESCRIPTOR.name], wheel_file, is_reflected)


def test_the_service_is_found_by_its_symbol(reflection):
    assert "ml_metadata/proto/metadata_store_service.proto" in reflection.files(by_symbol=SERVICE)


def test_the_comparison_sees_a_changed_number_default_or_option():
    changed = descriptor_pb2.FileDescriptorProto()
    metadata_store_service_pb2.DESCRIPTOR.CopyToProto(changed)
    by_name = {message.name: message for message in changed.message_type}
    by_name["PutTypesRequest"].field[0].number = 77
    by_name["PutTypesRequest"].field[6].default_value = "false"
    by_name["PutLineageSubgraphResponse"].field[0].options.packed = False
    difference = declared(metadata_store_service_pb2) - without_json_names(file_lines(changed))
    assert {line.split(" ")[0] for line in difference} == {
        "PutTypesRequest.artifact_types",
        "PutTypesRequest.all_fields_match",
        "PutLineageSubgraphResponse.execution_ids",
    }
