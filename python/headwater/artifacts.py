"""Versions of data, models and anything else that runs read and make.

>>> import headwater as hw
>>> with hw.run("train", store="sqlite::memory:") as run:
...     data = run.input([[1, 2], [3, 4]], "training")
...     model = run.output(hw.model({"weights": [0.5]}, name="churn"), made_from=[data])

The same bytes are the same version, changed bytes the next one. What is read from files is read
here and now, on the caller's thread: afterwards they may have changed. What cannot be read costs a
warning, not the run.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import re
import shutil
import tempfile
import threading
import uuid
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, Optional, Union

from headwater import provenance, recorder, sender, vocabulary
from headwater.code import without_credentials
from headwater.digest import Digest, digest_object, digest_path, digest_reference
from headwater.store import Store
from headwater.values import value as property_value
from ml_metadata.proto import metadata_store_pb2 as pb

# Where objects are saved that are in no file, unless `init` or HEADWATER_ARTIFACTS says otherwise.
FOLDER = "headwater-artifacts"
_NAME_CHARACTERS_MAX = 100
_COLUMNS_MAX = 500
_KEY_BYTES_MAX = 100

Plain = Union[bool, int, float, str]


class Artifact:
    """One version of something. It is in the store once a run that it was given to has sent it.

    Attributes:
      kind: ``"dataset"``, ``"model"`` or ``"artifact"``.
      name: the name that its versions share; None until it is known by its bytes.
      uri: where it is, without credentials; empty for what is only in memory.
      digest: what it consists of; None if that is not known.
      properties: what else is said of it.
    """

    def __init__(
        self,
        kind: str,
        name: Optional[str],
        uri: str,
        digest: Optional[Digest],
        properties: Mapping[str, Plain],
        *,
        default_name: str = "",
        profile: Optional[bytes] = None,
        ask: Optional[Callable[[], Digest]] = None,
    ) -> None:
        """Use :func:`dataset`, :func:`model` or :func:`artifact`.

        What is elsewhere is asked for its digest when that is needed first, on the thread that
        sends: a network may take its time.
        """
        self.kind = kind
        self.name = name
        self.uri = uri
        self.digest = digest
        self.properties = dict(properties)
        self._default_name = default_name or kind
        self._profile = profile
        # By the URL of a store: its id there.
        self._ids: dict[str, int] = {}
        self._number: Optional[int] = None
        self._lock = threading.Lock()
        self._ask = ask
        # What nobody can compare is a version of its own.
        self._key = _short_key(digest.key) if digest else f"unknown:{uuid.uuid4().hex}"

    @property
    def version(self) -> Optional[str]:
        """``"churn@2"`` once it is stored, else None."""
        return f"{self.name}@{self._number}" if self._number is not None else None

    @property
    def key(self) -> str:
        """What tells it from other versions: ``"sha256:…"`` of its bytes, for instance."""
        with self._lock:
            return self._known_key()

    def _known_key(self) -> str:
        ask, self._ask = self._ask, None
        if ask is not None:
            try:
                self.digest = ask()
            except (OSError, ValueError) as error:
                self._key = _short_key(f"uri:{self.uri}")
                _warn(f"{self.uri!r} is known by its name alone: {error}")
            else:
                self._key = _short_key(self.digest.key)
                self.properties = {**_facts(self.digest), **self.properties}
        return self._key

    @property
    def path(self) -> str:
        """The file or folder where it is.

        Raises:
          ValueError: it is in none of this machine.
        """
        if not self.uri.startswith("file://"):
            raise ValueError(f"{self!r} is not a file of this machine")
        from urllib.parse import unquote, urlsplit

        return unquote(urlsplit(self.uri).path)

    def register(self, store: Store) -> int:
        """Stores it, if it is not there; its id.

        Raises:
          headwater.errors.StatusError: the store refuses it or cannot be reached.
        """
        with self._lock:
            known = self._ids.get(store.url)
            if known is not None:
                return known
            key = self._known_key()
            type_name, base, context_type = vocabulary.VERSION_KINDS[self.kind]
            made = pb.Artifact(type_id=provenance.artifact_type(store, type_name, base))
            made.uri = sender.text(self.uri)
            made.state = pb.Artifact.LIVE
            properties = dict(self.properties)
            if self._profile:
                (properties[vocabulary.PROFILE],) = provenance.put_contents(store, [self._profile])
            for name, value in properties.items():
                held = sender.text(value) if isinstance(value, str) else value
                made.custom_properties[sender.text(name)].CopyFrom(property_value(held))
            answer = store.register_version(
                artifact=made,
                context_type_id=sender.context_type(store, context_type),
                name=sender.text(self.name or ""),
                default_name=sender.text(self._default_name),
                digest=key,
            )
            self.name, self._number = answer.name, answer.number
            self._ids[store.url] = int(answer.artifact_id)
            return int(answer.artifact_id)

    @classmethod
    def stored(cls, node: pb.Artifact, url: str) -> Artifact:
        """One that a store has told of."""
        from headwater.values import plain

        properties = {name: plain(of) for name, of in node.custom_properties.items()}
        kinds = {name: kind for kind, (name, _, _) in vocabulary.VERSION_KINDS.items()}
        name, _, number = node.name.rpartition("@")
        made = cls(kinds.get(node.type, "artifact"), name or node.name, node.uri, None, properties)
        made._key = properties.get("digest") or f"id:{node.id}"
        made._number = int(number) if name and number.isdigit() else None
        made._ids[url] = node.id
        return made

    def __repr__(self) -> str:
        return (
            f"<headwater.Artifact {self.kind} {self.version or self.name or self.uri or self.key}>"
        )


def dataset(
    source: Any,
    *,
    name: Optional[str] = None,
    mask: Sequence[str] = (),
    profile: bool = True,
    read: bool = False,
    save: bool = False,
    **properties: Any,
) -> Artifact:
    """A version of data.

    Args:
      source: a file, a folder, a URL such as ``s3://…``; or a frame, table or array in memory.
      name: what its versions share, as in ``"raw"``. Without it, the name by which these bytes are
        known, or else the name of the file.
      mask: columns whose values must not be recorded.
      profile: whether to record columns, first rows and statistics.
      read: whether to read what a URL leads to; without it, what its place says of the content
        (an ETag, a size) tells versions apart.
      save: whether to keep what is in memory among the artifacts, so that :func:`load` has it back.
      properties: what else to say of it.
    """
    keeps = save and not isinstance(source, (str, os.PathLike))
    return _version(
        "dataset",
        source,
        name,
        properties,
        mask=mask,
        profile=profile,
        read=read,
        save=pickle.dump if keeps else None,
    )


def model(
    source: Any,
    *,
    name: Optional[str] = None,
    framework: Optional[str] = None,
    framework_version: Optional[str] = None,
    model_type: Optional[str] = None,
    save: Optional[Callable[[str], object]] = None,
    format: Optional[str] = None,
    **properties: Any,
) -> Artifact:
    """A version of a model.

    Args:
      source: a file, a folder, a URL; or an object, which is saved among the artifacts.
      name: what its versions share, as in ``"churn"``.
      framework: as in ``"scikit-learn"``; of an object it is found out, as the next two are.
      framework_version: as in ``"1.4.2"``.
      model_type: as in ``"RandomForestClassifier"``.
      save: writes the object into the file whose path it gets; without it, pickle does.
      format: what that writes, as in ``"safetensors"``.
      properties: what else to say of it.
    """
    said = {
        vocabulary.FRAMEWORK: framework,
        vocabulary.FRAMEWORK_VERSION: framework_version,
        vocabulary.MODEL_TYPE: model_type,
        vocabulary.FORMAT: format,
    }
    if not isinstance(source, (str, os.PathLike)):
        said = {**_framework(source), **{name: of for name, of in said.items() if of}}
    return _version("model", source, name, {**said, **properties}, save=save)


def artifact(
    source: Any,
    *,
    name: Optional[str] = None,
    save: Optional[Callable[[str], object]] = None,
    **properties: Any,
) -> Artifact:
    """A version of anything else: a file, a folder, a URL, or an object, which is saved."""
    return _version("artifact", source, name, properties, save=save)


def of(source: Any, kind: str = "artifact") -> Union[int, Artifact]:
    """What was given as an artifact: an id or a version as it is, anything else made into one."""
    if isinstance(source, Artifact) or (isinstance(source, int) and not isinstance(source, bool)):
        return source
    if kind == "model":
        return model(source)
    # A file that one run makes and another reads is one version: nobody said that it is no data.
    if kind == "dataset" or isinstance(source, (str, os.PathLike)):
        return dataset(source)
    return of_values(source) or artifact(source)


def of_values(source: Any, *, save: bool = False, profile: bool = True) -> Optional[Artifact]:
    """The version of data in memory, known by its values; None for what has no stable form."""
    if isinstance(source, (str, bytes, os.PathLike)):
        return None
    try:
        digest = digest_object(source)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    keep = pickle.dump if save else None
    return _version("dataset", source, None, {}, profile=profile, save=keep, digest=digest)


def _version(
    kind: str,
    source: Any,
    name: Optional[str],
    properties: Mapping[str, Any],
    *,
    mask: Sequence[str] = (),
    profile: bool = False,
    read: bool = False,
    save: Optional[Callable[..., object]] = None,
    digest: Optional[Digest] = None,
) -> Artifact:
    if name is not None and (not name or "@" in name):
        raise ValueError(f"the name {name!r} is empty or has an `@` in it: versions are numbered")
    said: dict[str, Plain] = {}
    for key, value in properties.items():
        if value is not None:
            said[key] = recorder.plain(value)
    uri = default_name = ""
    is_place = isinstance(source, (str, os.PathLike))
    ask: Optional[Callable[[], Digest]] = None
    try:
        if is_place and _is_elsewhere(os.fspath(source)) and not read:
            place = os.fspath(source)
            ask = functools.partial(digest_reference, place)
            uri, default_name = _uri(place), _stem(place)
        elif is_place:
            digest, uri, default_name = _of_place(os.fspath(source))
        elif kind == "dataset":
            digest = digest or digest_object(source)
            default_name = "data"
            if save is not None:
                path, _ = _save(source, None)
                uri = _uri(path)
                said[vocabulary.SAVED] = "pickle"
        else:
            path, said_of_it = _save(source, save)
            digest, uri, _ = _of_place(path)
            default_name = str(said.get(vocabulary.MODEL_TYPE) or type(source).__name__)
            said = {**said_of_it, **said}
    except (OSError, TypeError, ValueError, MemoryError) as error:
        _warn(f"{kind} {name or _short(source)} is recorded without its bytes: {error}")
        if is_place:
            uri, default_name = _uri(os.fspath(source)), _stem(os.fspath(source))
    for key, value in _facts(digest).items():
        said.setdefault(key, value)
    document = None
    if profile and digest is not None and not (is_place and _is_elsewhere(uri)):
        document = _profile(source, mask, said)
    return Artifact(
        kind, name, uri, digest, said, default_name=default_name, profile=document, ask=ask
    )


def _short_key(key: str) -> str:
    """The key of a reference may be as long as its URL; the store takes a hundred bytes."""
    if len(key.encode()) <= _KEY_BYTES_MAX:
        return key
    return f"{key.partition(':')[0]}:{hashlib.sha256(key.encode()).hexdigest()}"


def _of_place(place: str) -> tuple[Digest, str, str]:
    if _is_uri(place):
        return digest_reference(place, read=True), _uri(place), _stem(place)
    _check_no_store(place)
    return digest_path(place), _uri(place), _stem(place)


def _check_no_store(place: str) -> None:
    """To read the file of a store that this process has open would take away its locks."""
    for each in {recorder.place(), *sender.places()}:
        path = sender.path_of(each)
        inside = os.path.realpath(path) + os.sep if path else ""
        if inside.startswith(os.path.realpath(place) + os.sep):
            raise ValueError(f"it holds the store `{path}`, which is written meanwhile")


def _is_uri(place: str) -> bool:
    return re.match(r"file:|[A-Za-z][A-Za-z0-9+.-]+://", place) is not None


def _is_elsewhere(place: str) -> bool:
    return _is_uri(place) and not place.startswith("file:")


def _uri(place: str) -> str:
    if _is_uri(place):
        return without_credentials(place)
    return Path(os.path.abspath(place)).as_uri()


def _stem(place: str) -> str:
    """The name of a file without its suffixes, as the name of its versions."""
    last = re.split(r"[/\\]", place.rstrip("/\\"))[-1].split("?")[0]
    stem = last.split(".")[0] or last.strip(".")
    return stem.replace("@", "-")[:_NAME_CHARACTERS_MAX]


def _facts(digest: Optional[Digest]) -> dict[str, Plain]:
    if digest is None:
        return {}
    found = {
        vocabulary.DIGEST_SHA256: digest.sha256,
        vocabulary.DIGEST_MD5: digest.md5,
        vocabulary.DIGEST_FRAME: digest.frame,
        vocabulary.SIZE_BYTES: digest.size_bytes,
        vocabulary.FILES: digest.files,
    }
    return {name: of for name, of in found.items() if of is not None}


def _profile(source: Any, mask: Sequence[str], said: dict[str, Plain]) -> Optional[bytes]:
    """Columns, first rows and statistics as JSON; what filters look for goes into properties."""
    from headwater.profile import profile_of

    try:
        found = profile_of(source, mask=mask)
        document = found.to_json()
    except Exception as error:  # the libraries that read formats raise whatever they like
        _warn(f"{_short(source)} is recorded without a profile: {error}")
        return None
    if found.format:
        said.setdefault(vocabulary.FORMAT, found.format)
    if found.rows is not None:
        said.setdefault(vocabulary.ROWS, found.rows)
    for column in found.columns[:_COLUMNS_MAX]:
        said.setdefault(f"{vocabulary.COLUMN}{column.name}", column.type)
    return document


def _framework(thing: Any) -> dict[str, Optional[str]]:
    """Which library's kind of model an object is."""
    names = {"sklearn": "scikit-learn", "torch": "pytorch", "lightning": "pytorch-lightning"}
    package = type(thing).__module__.partition(".")[0]
    for each in type(thing).__mro__:
        base = each.__module__.partition(".")[0]
        if base in ("sklearn", "torch", "keras", "xgboost", "lightgbm", "catboost", "transformers"):
            package = base
            break
    if package in ("builtins", "__main__"):
        return {vocabulary.MODEL_TYPE: type(thing).__name__}
    import sys

    version = getattr(sys.modules.get(package), "__version__", None)
    return {
        vocabulary.FRAMEWORK: names.get(package, package),
        vocabulary.FRAMEWORK_VERSION: version if isinstance(version, str) else None,
        vocabulary.MODEL_TYPE: type(thing).__name__,
    }


def folder() -> str:
    """Where objects are saved."""
    return recorder.defaults["artifacts"] or os.environ.get("HEADWATER_ARTIFACTS") or FOLDER


def _save(thing: Any, save: Optional[Callable[[str], object]]) -> tuple[str, dict[str, Plain]]:
    """Writes an object into a file that is named by its bytes; the path, and what is said of it."""
    root = os.path.abspath(folder())
    os.makedirs(root, exist_ok=True)
    waiting = tempfile.mkdtemp(prefix=".writing-", dir=root)
    try:
        said: dict[str, Plain] = {}
        path = os.path.join(waiting, "model" if save else "object.pkl")
        if save is not None:
            save(path)
        else:
            said[vocabulary.FORMAT] = "pickle"
            try:
                with open(path, "wb") as file:
                    pickle.dump(thing, file, protocol=4)
            except OSError:
                raise
            except Exception as error:  # any object may refuse in its own way
                raise ValueError(f"it cannot be pickled: {error}") from error
        written = os.listdir(waiting)
        if not written:
            raise ValueError("`save` has written nothing")
        # A library may add a suffix to the name it is given.
        path = os.path.join(waiting, written[0]) if len(written) == 1 else waiting
        digest = digest_path(path, progress=False)
        place = os.path.join(root, (digest.sha256 or uuid.uuid4().hex)[:16])
        kept = place if path == waiting else os.path.join(place, os.path.basename(path))
        try:
            os.rename(waiting, place)
        except OSError:
            # These bytes are there already, unless somebody has changed them or named them else.
            if not os.path.exists(kept) or digest_path(kept, progress=False) != digest:
                if os.path.isdir(kept):
                    shutil.rmtree(kept)
                os.replace(path, kept)
        return kept, said
    finally:
        shutil.rmtree(waiting, ignore_errors=True)


def load(made: Artifact) -> Any:
    """The object of a version that was saved by pickle.

    Raises:
      ValueError: it is in no file of this machine, or was written otherwise.
      OSError: the file cannot be read.
    """
    saved = made.properties.get(vocabulary.SAVED) or made.properties.get(vocabulary.FORMAT)
    if saved != "pickle":
        raise ValueError(f"{made!r} is not a pickle: read {made.uri!r} as it was written")
    with open(made.path, "rb") as file:
        return pickle.load(file)


def _short(source: Any) -> str:
    if isinstance(source, (str, os.PathLike)):
        return repr(_uri(os.fspath(source)))[:100]
    return type(source).__name__


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=5)
