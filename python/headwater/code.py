"""The version of the code that runs: a commit with what was changed since, or a snapshot.

>>> from headwater.code import capture_code
>>> capture_code("train.py").digest  # doctest: +SKIP
'sha256:…'

What git runs with here never writes to the repository, asks nobody, and reaches no network. The
user's clean filters run as for ``git status``: they are part of what a change is.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import stat
import sys
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# All that a patch or a snapshot is made of, before it is compressed: it is held in memory.
SNAPSHOT_BYTES_MAX = 16 << 20
# A file that is no source is more likely data than code above this.
TEXT_BYTES_MAX = 1 << 20
# What is left out is read for its hash, up to this in sum: reading takes about a second.
HASHED_BYTES_MAX = 512 << 20
ENTRIES_MAX = 50_000
LEFT_OUT_MAX = 1_000

_SOURCES = frozenset(
    ".bash .bat .bzl .c .cc .cfg .clj .cmake .cpp .cs .cu .cuh .cxx .dart .dvc .erl .ex .f .f90 "
    ".fish .gin .go .gradle .groovy .h .hcl .hh .hpp .hs .hxx .ini .ipynb .java .jinja .jinja2 "
    ".j2 .jl .js .jsonnet .jsx .kt .libsonnet .lua .m .mk .ml .mm .mojo .nix .php .pl .proto .ps1 "
    ".pxd .pxi .py .pyi .pyx .r .rb .rs .scala .sh .smk .sql .star .swift .tcl .tf .thrift .toml "
    ".ts .tsx .yaml .yml .zig .zsh".split()
)
# Configuration or data: small ones are taken.
_TEXTS = frozenset(
    ".adoc .conf .css .example .html .in .json .json5 .lock .md .properties .rst .template "
    ".tex .txt .xml .xsd".split()
)
_SOURCE_NAMES = re.compile(
    r"(GNU)?[Mm]akefile|.*\.?(Docker|Container)file(\..*)?|Snakefile|Pipfile|Procfile|Jenkinsfile"
    r"|Vagrantfile|[Jj]ustfile|MLproject|BUILD|WORKSPACE|LICEN[CS]E|NOTICE|README|py\.typed"
    r"|\.(python-version|gitignore|gitattributes|gitmodules|dockerignore|editorconfig|flake8)"
)
# What holds secrets by its nature is no code.
_SECRET_NAMES = re.compile(
    r"\.env(\.(?!example$|sample$|template$|dist$).*)?|\.netrc|\.pgpass|\.pypirc|\.htpasswd"
    r"|\.git-credentials|id_(rsa|dsa|ecdsa|ed25519)|.*\.(pem|key|p12|pfx|jks|keystore)"
    r"|credentials(\..*)?\.json|client_secret.*\.json|service[-_]account.*\.json",
    re.IGNORECASE,
)
_SECRET = "it may hold secrets"
_TOO_LARGE = "too large"
_SKIPPED_FOLDERS = {
    "__pycache__": "a cache",
    "node_modules": "installed packages",
    "site-packages": "installed packages",
    "mlruns": "written by MLflow",
    "wandb": "written by Weights & Biases",
    "lightning_logs": "written by Lightning",
    "headwater-artifacts": "written by Headwater",
}
# Never opened: to close a file takes away the locks that SQLite has on it in this process, and then
# another process deletes the log that this one writes.
_DATABASE_NAMES = re.compile(r".*\.(db3?|sqlite3?|s3db)(-wal|-shm|-journal)?", re.IGNORECASE)
_DATABASE = "a database"

_FILE, _PROGRAM, _LINK, _SUBMODULE = b"100644", b"100755", b"120000", b"160000"


@dataclass(frozen=True)
class LeftOut:
    """A file or a folder that belongs to the code by its place, and is not recorded.

    ``sha256`` is ``"sha256:…"``, or None for a folder, for what may hold secrets, for data, and
    where reading would take too long. ``size_bytes`` is None for a folder.
    """

    path: str
    reason: str
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Submodule:
    """A repository in the repository: the commit that is checked out there.

    What a dirty one has changed is not recorded.
    """

    path: str
    commit: str
    is_dirty: bool


@dataclass(frozen=True)
class Code:
    """The version of a program. Names that are not UTF-8 are spelt with ``\\xNN``.

    Attributes:
      entry_point: the file that was started, relative to ``folder``; or what was in its place, such
        as ``python -c``.
      folder: the work tree of the repository, or the folder of the entry point; an absolute path.
      digest: ``"sha256:…"``, the same exactly if the code is the same: the commit and what differs
        from it, or the names, modes and bytes in the snapshot. Data that is left out of a snapshot
        is not part of it, nor is what may hold secrets.
      commit: the SHA of HEAD; None without a repository, and in one that has no commit yet.
      branch: None when HEAD is detached.
      remote: the URL of ``origin`` without user, password and token. An ssh login stays if it is
        ``git``, which is nobody's name.
      is_dirty: whether the work tree differs from the commit; None without a repository.
      patch: ``git apply`` of it onto the commit makes every changed file, byte for byte, but for
        those in ``left_out`` and submodules. Empty if there is nothing to apply, and then git
        refuses it. On the empty tree if there is no commit. None without a repository.
      changes: for each path that the patch makes, the ``"sha256:…"`` of its bytes (of the target of
        a link), or None if it is deleted.
      submodules: all of the repository, by path.
      snapshot: a tar.gz of the sources in the folder. Without a repository, and when the repository
        does not have the entry point or the patch cannot be made.
      left_out: by path, at most LEFT_OUT_MAX.
      problems: what could not be found out, each a sentence.
    """

    entry_point: str
    folder: str
    digest: str
    commit: str | None = None
    branch: str | None = None
    remote: str | None = None
    is_dirty: bool | None = None
    patch: bytes | None = None
    changes: Mapping[str, str | None] = field(default_factory=dict)
    submodules: tuple[Submodule, ...] = ()
    snapshot: bytes | None = None
    left_out: tuple[LeftOut, ...] = ()
    problems: tuple[str, ...] = ()


def capture_code(
    entry_point: str | None = None,
    *,
    snapshot_bytes_max: int = SNAPSHOT_BYTES_MAX,
    written: Iterable[str] = (),
) -> Code:
    """The version of the code of this process, or of a file.

    Args:
      entry_point: the file whose code is meant; without it the one that this process runs.
      snapshot_bytes_max: how much the files in the patch or the snapshot have in sum.
      written: files and folders that runs write, which are no code; they are not looked at unless
        the repository has them.

    Never fails: what cannot be found out is in ``problems``.
    """
    notes = _Notes()
    place = _place(entry_point, notes)
    try:
        from headwater import repository as git  # it builds on this module

        repository = git.repository_of(place.folder, notes)
        if repository is not None:
            made = [os.fsencode(os.path.realpath(each)) for each in written]
            return git.code_in_repository(repository, place, snapshot_bytes_max, notes, made)
    except (_Failed, OSError, ValueError) as error:
        notes.problem(f"The repository cannot be read: {_reason(error)}.")
        notes.left_out.clear()
    return _code_in_folder(place, snapshot_bytes_max, notes)


def without_credentials(url: str) -> str:
    """A URL, or an address such as ``git@host:path``, without user, password and query.

    The query goes because tokens stand there. What is a path stays.
    """
    match = re.fullmatch(
        r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", url, re.S
    )
    if match:
        scheme, authority, path, _, fragment = match.groups()
        user, _, host = authority.rpartition("@")
        is_login = user == "git" and scheme.lower() in ("ssh", "git+ssh")
        # A password with a slash in it makes the rest look like a path.
        if ":" in authority and not re.search(r":\d*$", authority) and "@" in path:
            host, path = path.rpartition("@")[2], ""
        return f"{scheme}://{'git@' if is_login else ''}{host}{path}{fragment or ''}"
    match = re.fullmatch(r"([^@/\s]+)@([^/:\s]+:.*)", url, re.S)
    if match and match[1] != "git":
        return match[2]
    return url


class _Failed(Exception):
    """A question to git that has no answer; its text is the reason, without a full stop."""


class _TooLarge(Exception):
    """A file above a limit."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self.size_bytes = size_bytes


class _Notes:
    """What is not recorded, and why."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.left_out: dict[bytes, LeftOut] = {}
        self._hashed_bytes = 0

    def problem(self, sentence: str) -> None:
        if sentence not in self.problems:
            self.problems.append(sentence)

    def leave_out(self, path: bytes, reason: str, size_bytes: int | None = None) -> None:
        self.left_out[path] = LeftOut(_shown(path), reason, size_bytes)

    def leave_out_hashed(self, path: bytes, full: bytes, reason: str, size_bytes: int) -> None:
        """Leaves a file out that counts for the digest, so its bytes must be known."""
        sha256 = None
        self._hashed_bytes += size_bytes
        if self._hashed_bytes <= HASHED_BYTES_MAX:
            try:
                sha256 = _file_sha256(full)
            except OSError as error:
                self.problem(f"`{_shown(path)}` cannot be read: {_reason(error)}.")
        else:
            self.problem(f"`{_shown(path)}` is too large to be hashed; only its size is compared.")
        self.left_out[path] = LeftOut(_shown(path), reason, size_bytes, sha256)

    def listed(self) -> tuple[LeftOut, ...]:
        more = len(self.left_out) - LEFT_OUT_MAX
        if more > 0:
            self.problem(f"{more} more files and folders are left out than are named.")
        return tuple(self.left_out[path] for path in sorted(self.left_out)[:LEFT_OUT_MAX])


@dataclass(frozen=True)
class _Place:
    """Where the code is: the real path of a folder, and of the file that runs, if it is one."""

    folder: bytes
    file: bytes | None
    name: str

    def entry_point(self, root: bytes) -> str:
        if self.file is None:
            return self.name
        return _shown(os.path.relpath(self.file, root) if _is_in(self.file, root) else self.file)


@dataclass(frozen=True)
class _Kept:
    """A file as it is recorded: the mode as git spells it, and bytes, or the target of a link."""

    mode: bytes
    data: bytes
    # Git converts it by its attribute `working-tree-encoding`, in both directions.
    is_encoded: bool = False


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


def _reason(error: Exception) -> str:
    """Why, without a path that only this machine has."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).rstrip(".\n") or type(error).__name__


def _is_in(path: bytes, root: bytes) -> bool:
    return path == root or path.startswith(root.rstrip(b"/") + b"/")


def _sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _digest(records: Iterable[tuple[str | bytes, ...]]) -> str:
    """Each field with its length, so that no two lists of records look alike."""
    made = hashlib.sha256()
    for record in records:
        made.update(b"%d;" % len(record))
        for part in record:
            data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape")
            made.update(b"%d:" % len(data) + data)
    return "sha256:" + made.hexdigest()


def _open(full: bytes) -> int:
    """A descriptor of a plain file: not of what a link leads to, nor of a pipe that would wait."""
    opened = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OSError(0, "it is not a file any more")
    return opened


def _read(full: bytes, bytes_max: int) -> bytes:
    """The bytes of a file; OSError if it has grown above the limit."""
    with open(_open(full), "rb") as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise OSError("it grows while it is read")
    return data


def _file_sha256(full: bytes) -> str:
    made = hashlib.sha256()
    with open(_open(full), "rb") as file:
        for part in iter(lambda: file.read(1 << 20), b""):
            made.update(part)
    return "sha256:" + made.hexdigest()


def _is_source(name: str) -> bool:
    suffix = os.path.splitext(name)[1].lower()
    return suffix in _SOURCES or _SOURCE_NAMES.fullmatch(name) is not None


# Which file runs.


def _place(entry_point: str | None, notes: _Notes) -> _Place:
    try:
        here = os.path.realpath(os.fsencode(os.getcwd()))
    except OSError:
        notes.problem("The working directory is gone.")
        here = b""
    if entry_point is not None:
        return _place_of_file(os.fsencode(entry_point), here, notes)
    file, name = _running()
    if file is None:
        notes.problem(f"The code is not in a file: it is of {name}.")
        return _Place(here, None, name)
    if _is_installed(file):
        # The program is an installed one, such as pytest; what it runs is most likely here.
        folder, name = os.path.split(file)
        name = os.path.basename(folder) if name == "__main__.py" else name
        return _Place(here, None, f"{name} (an installed program)")
    return _place_of_file(os.fsencode(file), here, notes)


def _place_of_file(path: bytes, here: bytes, notes: _Notes) -> _Place:
    if not here and not os.path.isabs(path):
        return _Place(b"", None, _shown(path))
    file = os.path.realpath(os.path.join(here, path))
    if os.path.isdir(file):
        return _Place(file, None, ".")
    if not os.path.isfile(file):
        notes.problem(f"The entry point `{_shown(path)}` is not there.")
        parent = os.path.dirname(file)
        return _Place(parent if os.path.isdir(parent) else here, None, _shown(path))
    return _Place(os.path.dirname(file), file, "")


def _running() -> tuple[str | None, str]:
    """The file that this process runs, or what is in its place."""
    main = sys.modules.get("__main__")
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython and hasattr(ipython, "get_ipython") else None
    if shell is not None and hasattr(shell, "kernel"):
        # Visual Studio Code says the file in the one, Jupyter in the other.
        path = getattr(main, "__vsc_ipynb_file__", None) or os.environ.get("JPY_SESSION_NAME")
        is_file = isinstance(path, str) and os.path.isfile(path)
        return (path if is_file else None), "a notebook whose file is not known"
    if shell is not None or hasattr(sys, "ps1"):
        return None, "an interactive session"
    file = getattr(main, "__file__", None)
    if isinstance(file, str) and os.path.exists(file):
        return file, ""
    first = sys.argv[0] if getattr(sys, "argv", None) else ""
    names = {"-c": "python -c", "": "an interactive session", "-": "standard input"}
    return None, names.get(first, "standard input")


def _is_installed(file: str) -> bool:
    parts = os.path.realpath(file).split(os.sep)
    folder = os.path.realpath(os.path.dirname(file))
    programs = [os.path.join(prefix, "bin") for prefix in (sys.prefix, sys.base_prefix)]
    return (
        "site-packages" in parts
        or "dist-packages" in parts
        or folder in [os.path.realpath(path) for path in programs]
        or os.path.realpath(file).startswith(os.path.dirname(os.path.realpath(os.__file__)) + "/")
    )


def _size_bytes(full: bytes) -> int | None:
    try:
        return os.lstat(full).st_size
    except OSError:
        return None


def _left_out_records(notes: _Notes) -> list[tuple[str | bytes, ...]]:
    return [
        ("left out", path, str(left.size_bytes), left.sha256 or "")
        for path, left in sorted(notes.left_out.items())
        if left.reason == _TOO_LARGE
    ]


def _code_in_folder(place: _Place, bytes_max: int, notes: _Notes) -> Code:
    snapshot, records = _snapshot(place, bytes_max, notes)
    return Code(
        entry_point=place.entry_point(place.folder),
        folder=_shown(place.folder),
        digest=_digest(records),
        snapshot=snapshot,
        left_out=notes.listed(),
        problems=tuple(notes.problems),
    )


def _snapshot(
    place: _Place, bytes_max: int, notes: _Notes
) -> tuple[bytes | None, list[tuple[str | bytes, ...]]]:
    """The archive, and what the digest is of. Not the archive, which depends on zlib."""
    if not place.folder:
        return None, []
    kept: dict[bytes, _Kept] = {}
    for path in _sources(place, notes):
        full = os.path.join(place.folder, path)
        try:
            if os.path.islink(full):
                kept[path] = _Kept(_LINK, _target(place.folder, full))
                continue
            size_bytes = os.lstat(full).st_size
            if size_bytes > bytes_max:
                notes.leave_out_hashed(path, full, _TOO_LARGE, size_bytes)
                continue
            data = _read(full, bytes_max)
            is_program = os.lstat(full).st_mode & stat.S_IXUSR
        except FileNotFoundError:
            notes.problem(f"`{_shown(path)}` went away while it was read.")
            continue
        except OSError as error:
            notes.leave_out(path, f"it cannot be read: {_reason(error)}", _size_bytes(full))
            notes.problem(f"`{_shown(path)}` cannot be read: {_reason(error)}.")
            continue
        bytes_max -= len(data)
        kept[path] = _Kept(_PROGRAM if is_program else _FILE, data)
    records: list[tuple[str | bytes, ...]] = [
        ("file", path, found.mode, _sha256(found.data)) for path, found in sorted(kept.items())
    ]
    return _archive(kept), records + _left_out_records(notes)


def _target(folder: bytes, full: bytes) -> bytes:
    """Where a link in the folder leads to, relative to it, so that another machine has the same."""
    return os.path.relpath(os.path.realpath(full), os.path.dirname(full))


def _sources(place: _Place, notes: _Notes) -> list[bytes]:
    """The files of a folder that are code, relative to it; sources before texts."""
    is_wide = place.folder in (b"/", os.path.realpath(os.path.expanduser(b"~")))
    if is_wide:
        notes.problem("The folder is a home or the root, so what is below it is not recorded.")
    found: list[tuple[bool, bytes]] = []
    folders = [b""]
    count = 0
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(os.path.join(place.folder, folder)) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            notes.leave_out(folder, f"it cannot be read: {_reason(error)}")
            notes.problem(f"The folder `{_shown(folder)}` cannot be read: {_reason(error)}.")
            continue
        count += len(listed)
        if count > ENTRIES_MAX:
            notes.problem(f"The folder has more than {ENTRIES_MAX} files, so some are not seen.")
            break
        for entry in listed:
            path = os.path.join(folder, entry.name)
            if not entry.is_dir(follow_symlinks=False):
                is_source = _judge(place, path, entry, notes)
                found += [(not is_source, path)] if is_source is not None else []
            elif not is_wide:
                reason = _reason_to_skip(entry)
                if reason is None:
                    folders.append(path)
                else:
                    notes.leave_out(path, reason)
    return [path for _, path in sorted(found)]


def _reason_to_skip(folder: os.DirEntry[bytes]) -> str | None:
    name = _shown(folder.name)
    if name.startswith("."):
        return "hidden"
    marks = (b"pyvenv.cfg", b"conda-meta")
    if any(os.path.lexists(os.path.join(folder.path, mark)) for mark in marks):
        return "a virtual environment"
    if name.endswith((".egg-info", ".dist-info")):
        return "written by an installation"
    return _SKIPPED_FOLDERS.get(name)


def _judge(place: _Place, path: bytes, entry: os.DirEntry[bytes], notes: _Notes) -> bool | None:
    """True for a source, False for another text of the code, None for what is left out."""
    full = os.path.join(place.folder, path)
    name = _shown(entry.name)
    if entry.is_symlink():
        if _is_in(os.path.realpath(full), place.folder):
            return True
        notes.leave_out(path, "a link that leads out of the folder")
        return None
    size_bytes = _size_bytes(full)
    if _SECRET_NAMES.fullmatch(name):
        notes.leave_out(path, _SECRET, size_bytes)
    elif not entry.is_file(follow_symlinks=False):
        notes.leave_out(path, "not a file")
    elif full == place.file or _is_source(name) or _has_interpreter(full, name):
        return True
    elif os.path.splitext(name)[1].lower() not in _TEXTS:
        notes.leave_out(path, "not a source", size_bytes)
    elif size_bytes is not None and size_bytes > TEXT_BYTES_MAX:
        notes.leave_out(path, "data by its size", size_bytes)
    else:
        return False
    return None


def _has_interpreter(full: bytes, name: str) -> bool:
    """Whether it is a script without a suffix."""
    if "." in name:
        return False
    try:
        with open(_open(full), "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def _archive(kept: dict[bytes, _Kept]) -> bytes:
    """A tar.gz that is the same for the same files: in order, without times and owners."""
    made = io.BytesIO()
    with gzip.GzipFile("", "wb", 6, made, mtime=0) as packed, tarfile.open(
        mode="w", fileobj=packed, format=tarfile.GNU_FORMAT, encoding="utf-8",
        errors="surrogateescape",
    ) as archive:  # fmt: skip
        for path, found in sorted(kept.items()):
            entry = tarfile.TarInfo(path.decode("utf-8", "surrogateescape"))
            entry.mode = 0o755 if found.mode == _PROGRAM else 0o644
            if found.mode == _LINK:
                entry.type = tarfile.SYMTYPE
                entry.linkname = found.data.decode("utf-8", "surrogateescape")
            else:
                entry.size = len(found.data)
            archive.addfile(entry, io.BytesIO(found.data))
    return made.getvalue()
