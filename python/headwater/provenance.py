"""Writes down which code runs and in what environment, so that runs that share them share them.

`docs/concepts/model.md` has the names.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional, Union

from headwater import errors, vocabulary
from headwater.code import Code, capture_code
from headwater.environment import Environment, capture_environment, seeds
from headwater.store import Store
from headwater.values import value as property_value
from ml_metadata.proto import metadata_store_pb2 as pb

# One request of contents.
_REQUEST_BYTES_MAX = 32 << 20
_TEXT_CHARACTERS_MAX = 100_000
# Version of a package, and the like, that are properties of an environment.
_PACKAGES_MAX = 2000

_Plain = Union[bool, int, float, str]


@dataclass(frozen=True)
class Described:
    """What is said of a run: custom properties, and by role the ids of the artifacts it reads."""

    properties: Mapping[str, _Plain]
    artifacts: Mapping[str, int]


def describe(store: Store) -> Described:
    """Stores the code and the environment of this process, if they are not there yet.

    Raises:
      headwater.errors.StatusError: the store refuses them or cannot be reached.
    """
    process = os.getpid()
    written = _written(store)
    is_file = hasattr(sys.modules.get("__main__"), "__file__")
    code = _code(process, written) if is_file else capture_code(written=written)
    environment = _environment(process)
    artifacts = {
        "code": _put_code(store, code),
        "environment": _put_environment(store, environment),
    }
    return Described(_properties(code, environment), artifacts)


def environment_digest() -> str:
    """Of what this process runs in: the same where Python, packages and system are the same."""
    return _environment(os.getpid()).digest


_codes: dict[int, Code] = {}


def _code(process: int, written: list[str]) -> Code:
    """What a program began with is what runs, whatever becomes of its files meanwhile."""
    if process not in _codes:
        _codes.clear()
        _codes[process] = capture_code(written=written)
    return _codes[process]


def _written(store: Store) -> list[str]:
    """What recording itself writes: if it lies in the repository, it is no code."""
    from headwater import artifacts, sender

    files = [file for file in (sender.OFFLINE, sender.path_of(store.url)) if file]
    parts = ("", "-wal", "-shm", "-journal")
    return [artifacts.folder(), *(file + part for file in files for part in parts)]


@functools.lru_cache(maxsize=1)
def _environment(process: int) -> Environment:
    return capture_environment()


def _properties(code: Code, environment: Environment) -> dict[str, _Plain]:
    system = environment.system
    found: dict[str, Optional[_Plain]] = {
        "code.digest": code.digest,
        "code.entry_point": code.entry_point,
        "code.commit": code.commit,
        "code.branch": code.branch,
        "environment.digest": environment.digest,
        vocabulary.RUN_ARGV: json.dumps(environment.argv),
        vocabulary.RUN_FOLDER: code.folder,
        vocabulary.RUN_PROBLEMS: "\n".join((*code.problems, *environment.problems)),
        "host.kernel": system.kernel,
        "host.cpu": system.cpu,
        "host.cpus": system.cpus,
        "host.cpus_usable": system.cpus_usable,
        "host.memory_bytes": system.memory_bytes,
        "host.memory_bytes_max": system.memory_bytes_max,
        "host.gpus": ", ".join(gpu.name for gpu in system.gpus),
        "host.container": system.container,
    }
    for name, value in environment.variables.items():
        found[f"{vocabulary.VARIABLE}{name}"] = value
    # Those of now: runs of one process begin at different places.
    for name, value in seeds().items():
        found[f"{vocabulary.SEED}{name}"] = value
    return _bounded(found)


def _bounded(found: Mapping[str, Optional[_Plain]]) -> dict[str, _Plain]:
    return {
        name: value[:_TEXT_CHARACTERS_MAX] if isinstance(value, str) else value
        for name, value in found.items()
        if value is not None and value != ""
    }


def _put_code(store: Store, code: Code) -> int:
    details = {
        "changes": code.changes,
        "submodules": [dataclasses.asdict(each) for each in code.submodules],
        "left_out": [dataclasses.asdict(each) for each in code.left_out],
        "problems": code.problems,
    }
    contents = {"code.patch": code.patch, "code.snapshot": code.snapshot}
    properties: dict[str, Optional[_Plain]] = {
        "code.commit": code.commit,
        "code.remote": code.remote,
        "code.is_dirty": code.is_dirty,
    }
    return _put(
        store,
        vocabulary.CODE,
        code.digest,
        properties,
        {**contents, "code.details": _json(details)},
    )


def _put_environment(store: Store, environment: Environment) -> int:
    system, python = environment.system, environment.python
    drivers = sorted({gpu.driver for gpu in system.gpus})
    properties: dict[str, Optional[_Plain]] = {
        "python.version": python.version,
        "python.implementation": python.implementation,
        "system.os": system.os,
        "system.distribution": system.distribution,
        "system.architecture": system.architecture,
        "cuda": system.cuda,
        "gpu.driver": ", ".join(drivers),
        "conda": environment.conda.name if environment.conda else None,
    }
    for name, version in list(environment.packages.items())[:_PACKAGES_MAX]:
        properties[f"package.{name}"] = version
    details = {
        "python": dataclasses.asdict(python),
        "packages": environment.packages,
        "direct_urls": environment.direct_urls,
        "editable": environment.editable,
        "conda": environment.conda.packages if environment.conda else None,
        "system": dataclasses.asdict(system),
        "system_packages": environment.system_packages,
    }
    contents: dict[str, Optional[bytes]] = {
        f"file.{name}": data for name, data in environment.files.items()
    }
    contents["requirements"] = environment.requirements.encode()
    contents["environment.details"] = _json(details)
    return _put(store, vocabulary.ENVIRONMENT, environment.digest, properties, contents)


def _put(
    store: Store,
    kind: tuple[str, pb.ArtifactType.SystemDefinedBaseType],
    digest: str,
    properties: Mapping[str, Optional[_Plain]],
    contents: Mapping[str, Optional[bytes]],
) -> int:
    """Makes an artifact that is known by a digest, or finds it; its id."""
    external_id = f"{kind[0]}/{digest}"
    found = _find(store, external_id)
    if found is not None:
        return found
    there = {name: data for name, data in contents.items() if data}
    digests = dict(zip(there, put_contents(store, list(there.values()))))
    artifact = pb.Artifact(type_id=artifact_type(store, *kind), external_id=external_id)
    artifact.state = pb.Artifact.LIVE
    for name, value in _bounded({**properties, **digests, "digest": digest}).items():
        artifact.custom_properties[name].CopyFrom(property_value(value))
    try:
        return int(store.put_artifacts(artifacts=[artifact]).artifact_ids[0])
    except errors.AlreadyExistsError:
        made_meanwhile = _find(store, external_id)
        if made_meanwhile is None:
            raise
        return made_meanwhile


def _find(store: Store, external_id: str) -> Optional[int]:
    try:
        found = store.get_artifacts_by_external_ids(external_ids=[external_id]).artifacts
    except errors.NotFoundError:
        return None
    return int(found[0].id)


def artifact_type(
    store: Store, name: str, base: pb.ArtifactType.SystemDefinedBaseType = pb.ArtifactType.UNSET
) -> int:
    """The id of a type of artifact, which is made where it is not there."""
    made = pb.ArtifactType(name=name)
    if base:
        made.base_type = base
    return int(store.put_artifact_type(artifact_type=made, can_omit_fields=True).type_id)


def put_contents(store: Store, contents: list[bytes]) -> list[str]:
    """Stores contents, those that are not there yet; their digests.

    Raises:
      headwater.errors.StatusError: one is too large, or the store cannot be reached.
    """
    digests = [f"sha256:{hashlib.sha256(each).hexdigest()}" for each in contents]
    there = set(store.list_contents(digests=digests).digests)
    missing = {at: data for at, data in zip(digests, contents) if at not in there}
    for batch in _batches(missing.values()):
        store.put_contents(contents=batch)
    return digests


def _batches(contents: Iterable[bytes]) -> Iterable[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for each in contents:
        if batch and size + len(each) > _REQUEST_BYTES_MAX:
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += len(each)
    if batch:
        yield batch


def _json(value: Any) -> bytes:
    """The same bytes for the same value."""
    return json.dumps(value, sort_keys=True, default=dict, separators=(",", ":")).encode()
