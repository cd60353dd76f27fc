"""What a dataset, a model or any other thing *is*, by its content.

>>> from headwater.digest import digest_bytes, digest_object
>>> digest_bytes(b"abc").md5
'900150983cd24fb0d6963f7d28e17f72'
>>> digest_object([1, 2.5, "x"]) == digest_object((1, 2.5, "x"))
True

The same bytes have the same digest wherever they are, a changed byte makes another. Nothing here
knows a store.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from headwater import _native, frames
from headwater.code import without_credentials
from headwater.environment import is_secret_name

# Of a folder elsewhere at most this many names are asked for.
REMOTE_FILES_MAX = 100_000
_PART_BYTES = 1 << 20
_BAR_AFTER_SECONDS = 1.0
_BAR_EVERY_SECONDS = 0.1

_log = logging.getLogger("headwater")


@dataclass(frozen=True)
class Digest:
    """What identifies a version. What is not known is None.

    Attributes:
      sha256: of the bytes of a file, or of the list of files of a folder, in hexadecimal digits.
      md5: likewise; of a file it is what ``md5sum`` prints.
      frame: ``sha256:`` and the digest of the names, types and values of what is in memory.
      size_bytes: of a file, or of all files of a folder.
      files: how many there are in a folder.
      reference: of what was not read: ``etag:`` with the URI and what its place says of its
        content, or ``uri:`` with the URI alone. Credentials are left out.
    """

    sha256: str | None = None
    md5: str | None = None
    frame: str | None = None
    size_bytes: int | None = None
    files: int | None = None
    reference: str | None = None

    @property
    def key(self) -> str:
        """The string that is the same exactly if the version is, as far as that is known."""
        if self.sha256 is not None:
            return f"sha256:{self.sha256}"
        key = self.frame or self.reference
        if key is None:
            raise ValueError("the digest is empty: it identifies nothing")
        return key


def digest_path(path: str | bytes | os.PathLike[Any], *, progress: bool | None = None) -> Digest:
    """The digest of a file, or of all plain files in a folder.

    They are read once, on all cores. A link counts as what it leads to; a folder's digest is that
    of its list of files: see docs/concepts/model.md.

    Args:
      path: of a file or a folder on this machine.
      progress: whether to show a bar on stderr; without it, if stderr is a terminal or a notebook,
        and reading takes longer than a second.

    Raises:
      OSError: it cannot be read, is neither file nor folder, or changes while it is read.
    """
    name = os.fsencode(path)
    with _Bar(_shown(os.path.basename(name.rstrip(b"/")) or name), progress) as bar:
        sha256, md5, size_bytes, files = _native.digest_path(name, bar.show if bar.is_on else None)
    return Digest(sha256=sha256, md5=md5, size_bytes=size_bytes, files=files)


def digest_bytes(data: bytes | bytearray | memoryview) -> Digest:
    """The digest of bytes in memory: that of a file with these bytes."""
    with memoryview(data) as view:
        contiguous = view if view.contiguous else view.tobytes()
        sha256 = hashlib.sha256(contiguous).hexdigest()
        md5 = hashlib.md5(contiguous, usedforsecurity=False).hexdigest()
        return Digest(sha256=sha256, md5=md5, size_bytes=view.nbytes)


def digest_object(of: Any) -> Digest:
    """The digest of what is in memory, by its names, types and values.

    That is tables and columns of pandas, polars and Arrow, NumPy arrays, numbers, texts, bytes,
    times, and lists, tuples, dicts and sets of all these, in any depth. It is the same in every
    process and on every machine, however an Arrow table is chunked and an array lies in memory.
    A pandas table without an index of its own, a polars table and an Arrow table with the same
    names, types and values are the same. NaN is NaN, whatever its bits; a list and a tuple are the
    same, and the order of a dict does not count.

    Raises:
      TypeError: it, or something in it, has no stable form.
    """
    return Digest(frame="sha256:" + frames.sha256_of(of))


def digest_reference(uri: str, *, read: bool = False, progress: bool | None = None) -> Digest:
    """The digest of what a URI names: ``s3://``, ``gs://``, ``abfs://``, ``hf://``, ``file:``, ….

    Without ``read`` only its place is asked: for a hash, an ETag, a version, or size and time, and
    that only if fsspec and what it needs for this kind of URI are installed. What cannot be reached
    is known by its URI alone.

    Args:
      uri: may hold credentials; they are used, and never part of the digest.
      read: whether to read the bytes.
      progress: as for :func:`digest_path`, when the bytes are read.

    Raises:
      ValueError: it is no URI.
      FileNotFoundError: the place says that there is no such thing.
      OSError: it is to be read, and cannot be, or changes meanwhile.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", uri)
    if not scheme:
        raise ValueError(f"`{uri}` is no URI\nhint: `digest_path` takes the path of a file")
    shown = _without_credentials(uri)
    if scheme[1].lower() == "file" and "::" not in uri:
        return _local(uri, shown, read, progress)
    place = _place(uri, shown, read)
    if place is None:
        return Digest(reference=f"uri:{shown}")
    try:
        return _read(*place, shown, progress) if read else _asked(*place, shown)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(2, "No such file or directory", shown) from None
    except Exception as error:  # of any library there is
        # What it says may hold the URI with its credentials.
        reason = type(error).__name__
        if read:
            if isinstance(error, _Changed):
                raise
            raise OSError(f"`{shown}` cannot be read: {reason}") from error
        _log.info("`%s` is known by its URI alone: %s", shown, reason)
        return Digest(reference=f"uri:{shown}")


class _Changed(OSError):
    """A file elsewhere that changed while it was read."""


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


# A bar.


class _Bar:
    """Shows on stderr how much has been read. Never raises because of how it looks."""

    def __init__(self, name: str, wanted: bool | None) -> None:
        self.name = name
        self.is_on = _is_seen() if wanted is None else wanted
        self._due = time.monotonic() + _BAR_AFTER_SECONDS
        self._bar: Any = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            try:
                self._bar.close()
            except Exception:  # stderr may be closed
                _log.debug("the bar cannot be closed", exc_info=True)

    def show(self, done_bytes: int, total_bytes: int) -> None:
        now = time.monotonic()
        if not self.is_on or now < self._due:
            return
        self._due = now + _BAR_EVERY_SECONDS
        try:
            if self._bar is None:
                self._bar = _new_bar(self.name)
            self._bar.total = total_bytes
            self._bar.update(done_bytes - self._bar.n)
        except Exception:  # stderr may be closed, or a notebook without its widgets
            _log.debug("the bar cannot be shown", exc_info=True)
            self.is_on = False


class _Line:
    """A bar where tqdm is not installed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.total = self.n = 0

    def update(self, more: int) -> None:
        self.n += more
        percent = 100 * self.n // max(self.total, 1)
        print(f"\r{self.name}: {percent} %", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        print(file=sys.stderr, flush=True)


def _new_bar(name: str) -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return _Line(name)
    look = {"unit": "B", "unit_scale": True, "unit_divisor": 1024, "leave": False}
    return tqdm(desc=name, total=0, mininterval=0, **look)


def _is_seen() -> bool:
    """Whether stderr is a terminal, or the output of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    try:
        return hasattr(shell, "kernel") or sys.stderr.isatty()
    except (AttributeError, ValueError):  # it is None, or closed
        return False


# References.


def _without_credentials(uri: str) -> str:
    """A URI that may be stored. What its query says is in it as a hash, but for tokens."""
    parts = []
    for part in uri.split("::"):  # one within another, as in `zip://a.csv::s3://bucket/a.zip`
        plain = without_credentials(part).partition("#")[0]
        # In Azure's URIs the container stands where others have the user.
        container = re.match(r"(abfss?|wasbs?)://([^/?#@:]+)@", part, re.IGNORECASE)
        if container:
            plain = plain.replace("://", f"://{container[2]}@", 1)
        query = part.partition("#")[0].partition("?")[2]
        chosen = sorted(pair for pair in parse_qsl(query) if not _is_token(pair[0]))
        if chosen:
            plain += "#query=" + hashlib.sha256(repr(chosen).encode()).hexdigest()[:16]
        parts.append(plain)
    return "::".join(parts)


def _is_token(name: str) -> bool:
    """Whether a parameter only says who may read, as in URLs that are signed for a while."""
    signed = (
        r"x-(amz|goog)-.*|(google)?accessid|awsaccesskeyid|expires|signature|policy|key-pair-id"
    )
    azure = r"s[ervptdi]|sig|spr|sip|skoid|sktid|skt|ske|sks|skv|sdd|ses|saoid|suoid|scid"
    return re.fullmatch(f"{signed}|{azure}", name.lower()) is not None or is_secret_name(name)


def _local(uri: str, shown: str, read: bool, progress: bool | None) -> Digest:
    path = unquote_to_bytes(re.sub(r"^file:(//(localhost)?(?=/))?", "", uri, flags=re.IGNORECASE))
    if path.startswith(b"//"):
        raise ValueError(f"`{shown}` is on another machine\nhint: `file:///PATH` is on this one")
    if read:
        return digest_path(path, progress=progress)
    found = os.stat(path)
    if stat.S_ISDIR(found.st_mode):
        # Its time does not tell of changes in what it holds.
        return Digest(reference=f"uri:{shown}")
    etag = f"{found.st_size}-{found.st_mtime_ns}"
    return Digest(size_bytes=found.st_size, reference=f"etag:{shown}#{etag}")


def _place(uri: str, shown: str, read: bool) -> tuple[Any, str] | None:
    """The file system of fsspec and the path in it; None if nobody here knows this kind of URI."""
    try:
        from fsspec.core import url_to_fs

        made: tuple[Any, str] = url_to_fs(uri)
        return made
    except Exception as error:  # of any library there is; credentials may be missing
        if read:
            hint = "install fsspec and what it needs for this kind of URI, or read it elsewhere"
            reason = type(error).__name__
            raise OSError(f"`{shown}` cannot be read: {reason}\nhint: {hint}") from error
        _log.info("`%s` is known by its URI alone: %s", shown, type(error).__name__)
        return None


def _asked(system: Any, path: str, shown: str) -> Digest:
    info = system.info(path)
    if info.get("type") != "directory":
        etag, sha256, md5 = _said(info)
        reference = f"etag:{shown}#{etag}" if etag else f"uri:{shown}"
        return Digest(sha256=sha256, md5=md5, size_bytes=info.get("size"), reference=reference)
    found = _files(system, path)
    if found is None:
        return Digest(reference=f"uri:{shown}")
    records, size_bytes = [], 0
    for relative, each in sorted(found.items()):
        etag, sha256, _ = _said(each)
        if etag is None and sha256 is None:
            return Digest(reference=f"uri:{shown}")
        records.append(relative + b"\0" + (sha256 or etag or "").encode() + b"\n")
        size_bytes += each.get("size") or 0
    etag = hashlib.sha256(b"".join(records)).hexdigest()
    return Digest(
        size_bytes=size_bytes, files=len(records), reference=f"etag:{shown}#sha256:{etag}"
    )


def _said(info: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    """What a place says of a file's content: a tag that changes with it, SHA-256, MD5."""
    large = info.get("lfs")
    sha256 = _hex(
        (large.get("sha256") or large.get("oid")) if isinstance(large, Mapping) else None, 32
    )
    settings = info.get("content_settings")
    azure = settings.get("content_md5") if isinstance(settings, Mapping) else None
    md5 = _hex(info.get("md5Hash") or info.get("content_md5") or azure, 16)
    for name in ("ETag", "etag", "generation", "VersionId", "version_id", "blob_id"):
        if info.get(name):
            return str(info[name]).strip('"'), sha256, md5
    for name in ("LastModified", "last_modified", "mtime", "updated", "created"):
        if info.get(name):
            return f"{info.get('size')}-{info[name]}", sha256, md5
    return sha256 or md5, sha256, md5


def _hex(of: Any, length: int) -> str | None:
    """A hash as places spell it: as bytes, in hexadecimal digits, or in base64."""
    if isinstance(of, str):
        try:
            of = bytes.fromhex(of) if len(of) == 2 * length else base64.b64decode(of, validate=True)
        except ValueError:
            return None
    return bytes(of).hex() if isinstance(of, (bytes, bytearray)) and len(of) == length else None


def _files(system: Any, path: str) -> dict[bytes, Mapping[str, Any]] | None:
    """What is known of each file below a folder, by its relative path; None if they are many."""
    root = path.rstrip("/")
    found: dict[bytes, Mapping[str, Any]] = {}
    # What cannot be listed would be left out otherwise.
    for folder, _, files in system.walk(path, detail=True, on_error="raise"):
        for name, info in files.items():
            full = f"{folder.rstrip('/')}/{name}"
            found[full[len(root) :].lstrip("/").encode("utf-8", "surrogateescape")] = info
        if len(found) > REMOTE_FILES_MAX:
            return None
    return found


def _read(system: Any, path: str, shown: str, progress: bool | None) -> Digest:
    """The bytes, wherever they are; the digest is that of a copy here."""
    info = system.info(path)
    if info.get("type") != "directory":
        with _Bar(shown, progress) as bar:
            return _read_file(
                system, info, shown, lambda done: bar.show(done, info.get("size") or 0)
            )
    found = _files(system, path)
    if found is None:
        hint = "copy it to this machine"
        raise OSError(f"`{shown}` has more than {REMOTE_FILES_MAX} files\nhint: {hint}")
    total = sum(each.get("size") or 0 for each in found.values())
    lines = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
    done_before = 0
    with _Bar(shown, progress) as bar:
        for relative, each in sorted(found.items()):
            name = f"{shown.rstrip('/')}/{_shown(relative)}"
            before = done_before

            def show(done: int, before: int = before) -> None:
                bar.show(before + done, total)

            one = _read_file(system, each, name, show)
            done_before += one.size_bytes or 0
            lines["sha256"].update(relative + b"\0" + (one.sha256 or "").encode() + b"\n")
            lines["md5"].update(relative + b"\0" + (one.md5 or "").encode() + b"\n")
    return Digest(
        sha256=lines["sha256"].hexdigest(),
        md5=lines["md5"].hexdigest(),
        size_bytes=done_before,
        files=len(found),
    )


def _read_file(
    system: Any, info: Mapping[str, Any], shown: str, show: Callable[[int], None]
) -> Digest:
    sha256, md5, size_bytes = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    # A listing may spell it otherwise than what is compared with it below.
    before = system.info(info["name"])
    with system.open(info["name"], "rb") as file:
        for part in _parts(file):
            sha256.update(part)
            md5.update(part)
            size_bytes += len(part)
            show(size_bytes)
    # Not what is remembered of it.
    getattr(system, "invalidate_cache", lambda *_: None)()
    after = system.info(info["name"])
    if _said(after)[0] != _said(before)[0] or (after.get("size") or size_bytes) != size_bytes:
        raise _Changed(
            f"`{shown}` changed while it was read\nhint: try again when nobody writes it"
        )
    return Digest(sha256=sha256.hexdigest(), md5=md5.hexdigest(), size_bytes=size_bytes)


def _parts(file: Any) -> Iterable[bytes]:
    return iter(lambda: file.read(_PART_BYTES), b"")
