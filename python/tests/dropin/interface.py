"""Prints the interface of the ml_metadata that is installed, as JSON."""

import inspect
import json
import re

import ml_metadata
from ml_metadata import errors, proto
from ml_metadata.metadata_store import metadata_store, mlmd_types
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2
from ml_metadata.simple_types.proto import simple_types_pb2


def words_of(annotation):
    """An annotation without what differs in spelling only: modules, and `List` for `list`."""
    if annotation is inspect.Signature.empty:
        return None
    text = re.sub(r"<class '(.*?)'>", r"\1", str(annotation))
    text = re.sub(r"<google.protobuf.*EnumTypeWrapper object at .*>", "an enum", text)
    text = re.sub(r"[A-Za-z_0-9.]+\.", "", text)
    return re.sub(r"\b(List|Tuple)\b", lambda found: found[0].lower(), text)


def signature(function):
    parameters = inspect.signature(function).parameters.values()
    return {
        "parameters": [
            [p.name, p.kind.name, str(p.default), words_of(p.annotation)] for p in parameters
        ],
        "returns": words_of(inspect.signature(function).return_annotation),
    }


def class_of(kind):
    """The methods and properties of a class, with the constructor."""
    found = {}
    for name, value in inspect.getmembers(kind):
        if name.startswith("_") and name != "__init__":
            continue
        if inspect.isfunction(value):
            found[name] = signature(value)
        elif isinstance(value, property):
            found[name] = ["property", words_of(inspect.signature(value.fget).return_annotation)]
    return found


# What Google's modules need and ours do not.
INNER = {
    "metadata_store_serialized",
    "metadata_store_service_pb2_grpc",
    "pywrap",
    "simple_types_pb2",
}


def names_of(module):
    """Names that a module means to be used, not those it happens to import."""
    foreign = re.compile("attr|enum|grpc|.*logging|random|time|typing|abc")
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not (inspect.ismodule(value) and foreign.match(value.__name__))
        and not getattr(value, "__module__", "").startswith("typing")
        and name not in INNER
    )


def messages_of(module):
    """Fields of every message of a file: name -> number, type, label, kind of message."""

    def walk(messages):
        for message in messages:
            yield message
            yield from walk(message.nested_types)

    def target(field):
        of = field.message_type or field.enum_type
        return of.full_name if of else None

    return {
        message.full_name: {
            f.name: [f.number, f.type, target(f), f.has_presence, str(f.default_value)]
            for f in message.fields
        }
        for message in walk(module.DESCRIPTOR.message_types_by_name.values())
    }


def interface():
    modules = [ml_metadata, errors, proto, ml_metadata.metadata_store, metadata_store, mlmd_types]
    protos = [metadata_store_pb2, metadata_store_service_pb2, simple_types_pb2]
    [service] = metadata_store_service_pb2.DESCRIPTOR.services_by_name.values()
    return {
        "version": ml_metadata.__version__,
        "all": sorted(ml_metadata.__all__),
        "names": {module.__name__: names_of(module) for module in modules},
        "MetadataStore": class_of(metadata_store.MetadataStore),
        "ExtraOptions": class_of(metadata_store.ExtraOptions),
        "ListOptions": signature(metadata_store.ListOptions)["parameters"],
        "OrderByField": {field.name: field.value for field in metadata_store.OrderByField},
        "downgrade_schema": signature(metadata_store.downgrade_schema),
        "errors": {
            name: [kind.__mro__[-4].__name__, kind("m").error_code]
            for name, kind in vars(errors).items()
            if inspect.isclass(kind) and name.endswith("Error") and name != "StatusError"
        },
        "types": {
            name: [kind().name, kind().system_type, class_of(kind)]
            for name, kind in vars(mlmd_types).items()
            if inspect.isclass(kind) and not name.startswith("_") and not name.endswith("Type")
        },
        "messages": {module.__name__: messages_of(module) for module in protos},
        "files": [module.DESCRIPTOR.name for module in protos],
        "rpcs": {m.name: [m.input_type.name, m.output_type.name] for m in service.methods},
    }


if __name__ == "__main__":
    print(json.dumps(interface()))
