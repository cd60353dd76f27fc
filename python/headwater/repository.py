"""The version of code in a git repository: a commit, and a patch with what was changed since.

A part of :mod:`headwater.code`, which says what git may do here.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import stat
import subprocess
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from headwater import code
from headwater.code import (
    _DATABASE,
    _DATABASE_NAMES,
    _FILE,
    _LINK,
    _PROGRAM,
    _SECRET,
    _SECRET_NAMES,
    _SKIPPED_FOLDERS,
    _SUBMODULE,
    _TOO_LARGE,
    Code,
    Submodule,
    _digest,
    _Failed,
    _is_in,
    _is_source,
    _Kept,
    _left_out_records,
    _Notes,
    _Place,
    _read,
    _reason,
    _sha256,
    _shown,
    _size_bytes,
    _snapshot,
    _TooLarge,
    without_credentials,
)

GIT_TIMEOUT_S = 10.0
# Of a hook or a wrapper that started this process: they name another repository, or change answers.
_MISLEADING = frozenset(
    "GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES "
    "GIT_COMMON_DIR GIT_NAMESPACE GIT_PREFIX GIT_SHALLOW_FILE GIT_GRAFT_FILE GIT_REPLACE_REF_BASE "
    "GIT_EXTERNAL_DIFF GIT_DIFF_OPTS GIT_LITERAL_PATHSPECS GIT_GLOB_PATHSPECS "
    "GIT_NOGLOB_PATHSPECS GIT_ICASE_PATHSPECS GIT_DEFAULT_HASH GIT_ASKPASS SSH_ASKPASS "
    "GIT_ATTR_SOURCE GIT_INTERNAL_SUPER_PREFIX".split()
)
# An empty fsmonitor is none for every release of git; `false` is a program for old ones.
_SETTINGS = (
    "core.fsmonitor=",
    "core.hooksPath=/dev/null",
    "core.splitIndex=false",
    "core.quotePath=true",
    "color.ui=false",
    "status.renames=false",
    "diff.renames=false",
    "status.aheadBehind=false",
)
_EMPTY_TREES = {
    "sha1": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "sha256": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}


@dataclass(frozen=True)
class _Repository:
    top: bytes
    index: bytes
    objects: bytes
    object_format: str
    remote: str | None
    has_modes: bool


@dataclass(frozen=True)
class _Change:
    """A tracked path that differs: its mode now, ``000000`` if git has none, and what HEAD has."""

    mode: bytes = b"000000"
    head_mode: bytes = b"000000"
    head_oid: bytes = b""


@dataclass
class _Status:
    """How a work tree differs from HEAD. Paths are relative to its top."""

    commit: str | None = None
    branch: str | None = None
    tracked: dict[bytes, _Change] = field(default_factory=dict)
    untracked: list[bytes] = field(default_factory=list)
    # The flags of those that differ: `SCMU`, for a submodule with commits, changes, untracked.
    submodules: dict[bytes, bytes] = field(default_factory=dict)


@dataclass
class _Listing:
    """What the index has."""

    paths: set[bytes] = field(default_factory=set)
    submodules: dict[bytes, str] = field(default_factory=dict)
    # Files at which git was told not to look.
    unwatched: list[bytes] = field(default_factory=list)
    sparse: set[bytes] = field(default_factory=set)


def _git(
    folder: bytes,
    *arguments: str,
    stdin: bytes = b"",
    variables: Mapping[str, bytes] | None = None,
) -> bytes:
    """What git answers. _Failed if it is not here, refuses, or takes too long."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in _MISLEADING and not name.startswith("GIT_TRACE")
    }
    environment.update(GIT_TERMINAL_PROMPT="0", GIT_OPTIONAL_LOCKS="0", LC_ALL="C", LANGUAGE="")
    # There is no protocol of this name: a partial clone must not fetch what it has not.
    environment.update(GIT_NO_LAZY_FETCH="1", GIT_ALLOW_PROTOCOL="none")
    environment.update({name: os.fsdecode(value) for name, value in (variables or {}).items()})
    command = ["git", *(word for each in _SETTINGS for word in ("-c", each)), *arguments]
    try:
        # A session of its own has no terminal to ask at, and ends with all that it started.
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        reason = "git is not installed" if isinstance(error, FileNotFoundError) else _reason(error)
        raise _Failed(reason) from error
    with process:
        try:
            answer, said = process.communicate(stdin, timeout=GIT_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise _Failed(f"git {arguments[0]} takes more than {GIT_TIMEOUT_S:g} s") from error
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        raise _Failed(_complaint(said) or f"git {arguments[0]} ends with {process.returncode}")
    return answer


def _complaint(said: bytes) -> str:
    """The first line of an error of git, without its prefix."""
    lines = said.decode("utf-8", "replace").strip().splitlines()
    chosen = next((line for line in lines if line.startswith("fatal: ")), lines[0] if lines else "")
    return re.sub(r"^(fatal|error): ", "", chosen).rstrip(".")


def repository_of(folder: bytes, notes: _Notes) -> _Repository | None:
    """The repository that a folder is in. None if it is in none, or git does not take it."""
    above = folder
    while not os.path.lexists(os.path.join(above, b".git")):
        if above in (b"", os.path.dirname(above)):
            return None
        above = os.path.dirname(above)
    try:
        answer = _git(
            folder, "rev-parse", "--show-toplevel", "--git-path", "index", "--git-path", "objects",
            "--show-object-format",
        )  # fmt: skip
    except _Failed as error:
        notes.problem(f"The repository at `{_shown(above)}` cannot be read: {error}.")
        return None
    # From the end: a name may have a line break in it. Releases before 2.29 repeat the last word.
    top, index, objects, object_format = answer.rstrip(b"\n").rsplit(b"\n", 3)
    settings = _settings(top)
    return _Repository(
        top=top,
        index=os.path.join(folder, index),
        objects=os.path.realpath(os.path.join(folder, objects)),
        object_format="sha256" if object_format == b"sha256" else "sha1",
        remote=without_credentials(settings.get("remote.origin.url", "")) or None,
        has_modes=settings.get("core.filemode", "true") != "false",
    )


def _settings(top: bytes) -> dict[str, str]:
    try:
        answer = _git(
            top, "config", "-z", "--get-regexp", r"^(remote\.origin\.url|core\.filemode)$"
        )
    except _Failed:
        return {}  # none of them is set
    pairs = [_shown(entry).partition("\n") for entry in answer.split(b"\0")[:-1]]
    # The first URL is the one that is fetched from; of other settings the last one holds.
    settings = {name: value for name, _, value in pairs}
    urls = [value for name, _, value in pairs if name == "remote.origin.url"]
    return {**settings, "remote.origin.url": urls[0] if urls else ""}


def code_in_repository(
    repository: _Repository, place: _Place, bytes_max: int, notes: _Notes, written: list[bytes]
) -> Code:

    with tempfile.TemporaryDirectory(prefix="headwater-") as made:
        scratch = os.fsencode(made)
        index = os.path.join(scratch, b"index")
        listing = _listing(repository)
        _copy_index(repository, listing, index)
        status = _status(repository, index, written)
        kept = _changed_files(repository, status, listing, bytes_max, notes)
        submodules = _submodules(repository, status, listing, notes)
        is_dirty = bool(kept or notes.left_out or status.submodules)
        try:
            patch = _patch(repository, status, kept, scratch)
        except (_Failed, OSError) as error:
            notes.problem(f"The patch cannot be made: {_reason(error)}.")
            patch = None
    records = _change_records(status, kept, submodules, notes)
    if status.commit is None:
        notes.problem("The repository has no commit yet, so the patch is on an empty tree.")
    snapshot = None
    if patch is None or _is_unknown(place, repository.top, listing, status):
        if patch is not None:
            notes.problem("The repository ignores the entry point, so its folder is recorded.")
        snapshot, more = _snapshot(place, bytes_max, notes)
        records += more
    return Code(
        entry_point=place.entry_point(repository.top),
        folder=_shown(repository.top),
        digest=_digest(records),
        commit=status.commit,
        branch=status.branch,
        remote=repository.remote,
        is_dirty=is_dirty,
        patch=patch,
        changes={_shown(path): _sha256(each.data) if each else None for path, each in kept.items()},
        submodules=submodules,
        snapshot=snapshot,
        left_out=notes.listed(),
        problems=tuple(notes.problems),
    )


def _listing(repository: _Repository) -> _Listing:
    listing = _Listing()
    for entry in _git(repository.top, "ls-files", "-v", "-s", "-z").split(b"\0")[:-1]:
        # `H 100644 SHA STAGE<tab>PATH`; a small letter and `S` are for what is not looked at.
        head, path = entry.split(b"\t", 1)
        listing.paths.add(path)
        is_sparse = head[:1] in (b"S", b"s")
        if is_sparse and not os.path.lexists(os.path.join(repository.top, path)):
            listing.sparse.add(path)
        elif is_sparse or head[:1].islower():
            listing.unwatched.append(path)
        if head[2:8] == _SUBMODULE:
            listing.submodules[path] = head.split(b" ")[2].decode()
    return listing


def _copy_index(repository: _Repository, listing: _Listing, index: bytes) -> None:
    """An index to work with, which looks at every file that is there."""
    if os.path.exists(repository.index):
        _copy_with_time(repository.index, index)
    if listing.unwatched:
        paths = b"".join(path + b"\0" for path in listing.unwatched)
        for flag in ("--no-assume-unchanged", "--no-skip-worktree"):
            _git(
                repository.top, "update-index", flag, "-z", "--stdin", stdin=paths,
                variables={"GIT_INDEX_FILE": index},
            )  # fmt: skip


def _copy_with_time(source: bytes, target: bytes) -> None:
    """With the time: git looks into files that are as new as the index, and trusts older ones."""
    import shutil

    shutil.copy2(source, target)


def _status(repository: _Repository, index: bytes, written: list[bytes]) -> _Status:
    status = _Status()
    answer = _git(
        repository.top, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all",
        "--ignore-submodules=none", variables={"GIT_INDEX_FILE": index},
    )  # fmt: skip
    for entry in answer.split(b"\0")[:-1]:
        kind = entry[:1]
        if entry.startswith(b"# branch.oid "):
            oid = entry[13:].decode()
            status.commit = None if oid == "(initial)" else oid
        elif entry.startswith(b"# branch.head "):
            name = _shown(entry[14:])
            status.branch = None if name == "(detached)" else name
        elif kind == b"?":
            if not _is_written(repository, entry[2:], written):
                status.untracked.append(entry[2:])
        elif kind in (b"1", b"u"):
            # `1 XY SUB mH mI mW hH hI PATH` and `u XY SUB m1 m2 m3 mW h1 h2 h3 PATH`; 2 is ours.
            fields = entry.split(b" ", 8 if kind == b"1" else 10)
            at = (5, 3, 6) if kind == b"1" else (6, 4, 8)
            sub, path = fields[2], fields[-1]
            status.tracked[path] = _Change(*(fields[each] for each in at))
            if sub[:1] == b"S":
                status.submodules[path] = sub
    return status


def _is_written(repository: _Repository, path: bytes, written: list[bytes]) -> bool:
    """Whether it comes from runs, so that it would make each run's code another."""
    folders = _shown(path).split("/")[:-1]
    full = os.path.join(repository.top, path)
    return any(name in _SKIPPED_FOLDERS for name in folders) or any(
        full == each or full.startswith(each + b"/") for each in written
    )


def _changed_files(
    repository: _Repository, status: _Status, listing: _Listing, bytes_max: int, notes: _Notes
) -> dict[bytes, _Kept | None]:
    """What is on disk for each changed path, None if it is gone; without what is left out."""
    kept: dict[bytes, _Kept | None] = {}
    # Sources first, so that it is data that does not fit.
    paths = sorted(status.tracked) + sorted(
        set(status.untracked) - status.tracked.keys(),
        key=lambda path: (not _is_source(_shown(os.path.basename(path))), path),
    )
    attributes = _attributes(repository, paths)
    for path in paths:
        if path in status.submodules or path in listing.sparse:
            continue
        full = os.path.join(repository.top, path)
        filter_name, encoding = attributes.get(path, (b"", b""))
        reason = _reason_to_leave_out(path, filter_name)
        if reason is not None:
            size_bytes = None if path.endswith(b"/") else _size_bytes(full)
            notes.leave_out(path, reason, size_bytes)
            continue
        change = status.tracked.get(path)
        is_data = change is None and not _is_source(_shown(os.path.basename(path)))
        file_bytes_max = min(bytes_max, code.TEXT_BYTES_MAX) if is_data else bytes_max
        try:
            found = _on_disk(repository, path, change, file_bytes_max)
        except _TooLarge as error:
            notes.leave_out_hashed(path, full, _TOO_LARGE, error.size_bytes)
            continue
        except FileNotFoundError:
            notes.problem(f"`{_shown(path)}` went away while it was read.")
            found = None
        except OSError as error:
            notes.leave_out(path, f"it cannot be read: {_reason(error)}", _size_bytes(full))
            notes.problem(f"`{_shown(path)}` cannot be read: {_reason(error)}.")
            continue
        if _is_as_before(repository, found, change):
            continue
        if found is not None:
            bytes_max -= len(found.data)
            found = replace(found, is_encoded=encoding not in (b"", b"unspecified", b"unset"))
        kept[path] = found
    return kept


def _attributes(repository: _Repository, paths: list[bytes]) -> dict[bytes, tuple[bytes, bytes]]:
    """The filter and the encoding that git uses for each path."""
    if not paths:
        return {}
    names = ("filter", "working-tree-encoding")
    answer = _git(
        repository.top, "check-attr", "-z", "--stdin", *names, stdin=b"\0".join(paths) + b"\0"
    )  # fmt: skip
    values = answer.split(b"\0")[:-1]
    # Three words for each attribute of each path: path, attribute, value.
    return {values[at]: (values[at + 2], values[at + 5]) for at in range(0, len(values), 6)}


def _reason_to_leave_out(path: bytes, filter_name: bytes) -> str | None:
    if path.endswith(b"/"):
        return "a repository of its own, which is no submodule"
    if _SECRET_NAMES.fullmatch(_shown(os.path.basename(path))):
        return _SECRET
    if _DATABASE_NAMES.fullmatch(_shown(os.path.basename(path))):
        return _DATABASE
    # Its bytes on disk are those that nobody else is to see.
    return "the repository has it encrypted" if b"crypt" in filter_name else None


def _on_disk(
    repository: _Repository, path: bytes, change: _Change | None, bytes_max: int
) -> _Kept | None:
    """A file or link as it is now; None if there is none."""
    above = os.path.dirname(path)
    while above:
        # What is behind a link is another file.
        if os.path.islink(os.path.join(repository.top, above)):
            return None
        above = os.path.dirname(above)
    full = os.path.join(repository.top, path)
    try:
        found = os.lstat(full)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(found.st_mode):
        return _Kept(_LINK, os.readlink(full))
    if stat.S_ISDIR(found.st_mode):
        return None
    if found.st_size > bytes_max:
        raise _TooLarge(found.st_size)
    data = _read(full, bytes_max)
    if change is not None and change.mode in (_FILE, _PROGRAM):
        return _Kept(change.mode, data)
    is_program = repository.has_modes and found.st_mode & stat.S_IXUSR
    return _Kept(_PROGRAM if is_program else _FILE, data)


def _object_id(repository: _Repository, data: bytes) -> tuple[str, bytes]:
    """The name of a blob, and its bytes as git stores them."""
    stored = b"blob %d\0" % len(data) + data
    return hashlib.new(repository.object_format, stored).hexdigest(), stored


def _is_as_before(repository: _Repository, found: _Kept | None, change: _Change | None) -> bool:
    """Whether it is what HEAD has; also a file that was never in HEAD and is gone."""
    if found is None:
        return change is None or change.head_mode == b"000000"
    if change is None or change.head_mode != found.mode:
        return False
    return _object_id(repository, found.data)[0].encode() == change.head_oid


def _submodules(
    repository: _Repository, status: _Status, listing: _Listing, notes: _Notes
) -> tuple[Submodule, ...]:
    found = []
    for path, commit in sorted(listing.submodules.items()):
        flags = status.submodules.get(path, b"S...")
        is_gone = path in status.tracked and status.tracked[path].mode == b"000000"
        if flags[1:2] == b"C" and not is_gone:
            try:
                answer = _git(os.path.join(repository.top, path), "rev-parse", "HEAD")
                commit = answer.decode().strip()
            except (_Failed, OSError) as error:
                notes.problem(f"The commit of the submodule `{_shown(path)}` is unknown: {error}.")
        is_dirty = is_gone or flags[2:] != b".."
        if is_dirty:
            notes.problem(f"The changes in the submodule `{_shown(path)}` are not recorded.")
        found.append(Submodule(_shown(path), commit, is_dirty))
    return tuple(found)


def _patch(
    repository: _Repository, status: _Status, kept: dict[bytes, _Kept | None], scratch: bytes
) -> bytes:
    """What makes the files of the commit those that are kept, by objects and an index of its own.

    The bytes are those on disk: what git would commit may have other line ends.
    """
    if not kept:
        return b""
    objects = os.path.join(scratch, b"objects")
    os.makedirs(os.path.join(objects, b"info"))
    with open(os.path.join(objects, b"info", b"alternates"), "wb") as file:
        file.write(repository.objects + b"\n")
    variables = {
        "GIT_INDEX_FILE": os.path.join(scratch, b"patch-index"),
        "GIT_OBJECT_DIRECTORY": objects,
    }
    top = repository.top
    base = status.commit or _EMPTY_TREES[repository.object_format]
    _git(top, "read-tree", base if status.commit else "--empty", variables=variables)
    # All deletions first: a file may now be where a folder was.
    lines = [b"0 %s\t%s\0" % (b"0" * len(base), path) for path in kept]
    for path, found in kept.items():
        if found is not None:
            oid = _write_object(repository, path, found, objects, variables)
            lines.append(b"%s %s 0\t%s\0" % (found.mode, oid.encode(), path))
    _git(top, "update-index", "-z", "--index-info", stdin=b"".join(lines), variables=variables)
    return _git(
        top, "diff-index", "--cached", "--patch", "--binary", "--full-index", "--no-renames",
        "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/",
        "--unified=3", "--ignore-submodules=all", base, variables=variables,
    )  # fmt: skip


def _write_object(
    repository: _Repository,
    path: bytes,
    found: _Kept,
    objects: bytes,
    variables: Mapping[str, bytes],
) -> str:
    if found.is_encoded:
        words = ("hash-object", "-w", "--stdin", "--path", os.fsdecode(path))
        answer = _git(repository.top, *words, stdin=found.data, variables=variables)
        return answer.decode().strip()
    # Written here: a process for each file takes long, and git reads the file once more.
    oid, stored = _object_id(repository, found.data)
    folder = os.path.join(objects, oid[:2].encode())
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, oid[2:].encode()), "wb") as file:
        file.write(zlib.compress(stored, 1))
    return oid


def _change_records(
    status: _Status,
    kept: dict[bytes, _Kept | None],
    submodules: tuple[Submodule, ...],
    notes: _Notes,
) -> list[tuple[str | bytes, ...]]:
    """What the digest is of. Not the patch, whose text depends on the release of git."""
    records: list[tuple[str | bytes, ...]] = [("commit", status.commit or "")]
    for path, found in sorted(kept.items()):
        what = (found.mode, _sha256(found.data)) if found else ("deleted",)
        records.append(("change", path, *what))
    for each in submodules:
        records.append(("submodule", each.path, each.commit, str(each.is_dirty)))
    return records + _left_out_records(notes)


def _is_unknown(place: _Place, top: bytes, listing: _Listing, status: _Status) -> bool:
    """Whether git says nothing of the file that runs, as of one that it ignores."""
    if place.file is None or not _is_in(place.file, top):
        return False
    path = os.path.relpath(place.file, top)
    return path not in listing.paths and path not in status.untracked
