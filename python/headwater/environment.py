"""What a program runs in: Python, packages, the machine, and the files that say how to make it.

>>> from headwater.environment import capture_environment
>>> capture_environment().packages["protobuf"]  # doctest: +SKIP
'4.25.9'

Nothing is imported, changed or sent for it. Values that look like secrets become ``***``.
"""

from __future__ import annotations

import functools
import glob
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, overload

from headwater.code import without_credentials

FILE_BYTES_MAX = 4 << 20
# References between requirements files that are followed.
FILES_MAX = 100
COMMAND_TIMEOUT_S = 5.0

# Patterns of names; the caller may add some.
VARIABLES = tuple(
    "CUDA_* CUDNN_* CUBLAS_* NVIDIA_* ROCR_* HIP_* OMP_* MKL_* OPENBLAS_* BLIS_* NUMEXPR_* KMP_* "
    "GOMP_* VECLIB_* NCCL_* GLOO_* UCX_* FI_* OMPI_* PMI_* TF_* KERAS_* TORCH_* TORCHELASTIC_* "
    "PYTORCH_* JAX_* XLA_* TPU_* LIBTPU_* HF_* TRANSFORMERS_* DATASETS_* TOKENIZERS_* DIFFUSERS_* "
    "ACCELERATE_* DEEPSPEED_* WANDB_* MLFLOW_* RAY_* SLURM_* LSB_* PBS_* SGE_* KUBERNETES_* KFP_* "
    "ARGO_* AIRFLOW_CTX_* SM_* SAGEMAKER_* AZUREML_* CLOUD_ML_* VERTEX_* DATABRICKS_RUNTIME_* "
    "WORLD_SIZE RANK LOCAL_RANK LOCAL_WORLD_SIZE NODE_RANK MASTER_ADDR MASTER_PORT PYTHONHASHSEED "
    "PYTHONPATH PYTHONOPTIMIZE PYTHONUTF8 LD_LIBRARY_PATH LD_PRELOAD DYLD_* CONDA_DEFAULT_ENV "
    "CONDA_PREFIX VIRTUAL_ENV LANG LC_* TZ HEADWATER_*".split()
)
_FILES = (
    "requirements*.txt constraints*.txt pyproject.toml poetry.lock uv.lock pdm.lock pylock*.toml "
    "Pipfile Pipfile.lock setup.py setup.cfg environment*.yml environment*.yaml conda-lock.y*ml "
    "*.conda-lock.y*ml conda-*.lock pixi.toml pixi.lock Dockerfile Dockerfile.* *.Dockerfile "
    "Containerfile Containerfile.* .python-version runtime.txt"
).split()

# Redaction.

_STARS = "***"
_SECRET_WORDS = frozenset(
    "KEY KEYS APIKEY ACCESSKEY SECRETKEY PRIVATEKEY TOKEN TOKENS AUTHTOKEN ACCESSTOKEN SECRET "
    "SECRETS CLIENTSECRET PASSWORD PASSWORDS PASSWD PASSPHRASE PWD CREDENTIAL CREDENTIALS CREDS "
    "AUTH AUTHORIZATION SIG SIGNATURE".split()
)
# With one of these a token is a piece of text, and no secret.
_TEXT_TOKEN_WORDS = frozenset(
    "MAX MIN NUM N NEW PER TOTAL COUNT PAD EOS BOS UNK MASK SEP CLS ID IDS LENGTH TYPE".split()
)
_NO_SECRETS = frozenset(("PWD", "OLDPWD"))
# Repetitions have bounds where a long text would be read again from each place in it.
_CREDENTIALS = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"
    r".*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)"
    r"|(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA)[0-9A-Z]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|glpat-[\w-]{16,}|hf_[A-Za-z0-9]{16,}"
    r"|sk-(?=[\w-]{0,200}\d)[\w-]{16,}|[sr]k_live_\w{16,}|xox[a-z]-[\w-]{10,}|xapp-[\w-]{10,}"
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{32,}|dckr_pat_[\w-]{16,}"
    r"|eyJ[\w-]{6,2000}\.[\w-]{6,}\.[\w-]*"
    r")(?![A-Za-z0-9])",
    re.DOTALL,
)
# `${NAME}` stands for a secret, and is none. The lenient form is for a password with a slash.
_URL_PASSWORD = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]{0,31}://[^\s/:@?#]*:)(?!\$\{|\*\*\*@|\d{1,5}(?:/|$|\s))"
    r"(?:[^\s/?#\"']{0,4096}|[^\s@\"']{0,256})@"
)
_URL_TOKEN = re.compile(r"(https?://)(?=[^\s/:@]*\d)[^\s/:@?#$*]{16,}@", re.IGNORECASE)
_HEADER = re.compile(
    r"((?:proxy-)?authorization[\"']?\s{0,8}[:=]\s{0,8}[\"']?)(?!\*\*\*)[^\s\"'][^\r\n\"']*"
    r"|(\bbearer\s+)(?=\S{0,200}\d)[\w.~+/=-]{12,}",
    re.IGNORECASE,
)
_ASSIGNMENT = re.compile(
    r"(?<![\w.])(?P<name>\w[\w.-]{0,127})(?P<equals>[\"']?\s{0,8}[=:]\s{0,8})(?!//)"
    r"(?P<value>\"[^\"]*\"?|'[^']*'?|[^\s,;&\"'}\]]+)"
)
_FLAG = re.compile(r"(?<!\S)(?P<name>--?[A-Za-z][\w.-]*)(?P<gap>\s+)(?P<value>[^\s-]\S*)")


def is_secret_name(name: str) -> bool:
    """Whether a variable, option or field of this name holds a secret, by the words in it.

    ``API_KEY``, ``--auth-token`` and ``clientSecret`` do; ``MONKEY_COUNT``, ``TOKENIZERS_X`` and
    ``max_tokens`` do not.
    """
    if name in _NO_SECRETS:
        return False
    words = [word.upper() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
    found = _SECRET_WORDS.intersection(words)
    if found and found <= {"TOKEN", "TOKENS"}:
        return not _TEXT_TOKEN_WORDS.intersection(words)
    # As in `PGPASSWORD` and `DB_PASS`.
    ends = any(word.endswith(("PASSWORD", "PASSWD")) for word in words)
    return bool(found) or ends or (len(words) > 1 and words[-1] == "PASS")


@overload
def redact(of: str) -> str: ...
@overload
def redact(of: Mapping[str, str]) -> dict[str, str]: ...
@overload
def redact(of: list[str] | tuple[str, ...]) -> list[str]: ...
def redact(
    of: str | Mapping[str, str] | list[str] | tuple[str, ...],
) -> str | dict[str, str] | list[str]:
    """A copy without secrets; what is replaced reads ``***``.

    Args:
      of: a text; or a mapping, where a name may say that its value is a secret; or the words of a
        command, where ``--password`` says it of the next one. Of a URL only the password goes. A
        value that is empty stays empty.

    It knows names and well-known forms, so a secret that looks like any word stays.
    """
    if isinstance(of, str):
        return _redact_text(of)
    if isinstance(of, Mapping):
        return {name: _redact_value(name, value) for name, value in of.items()}
    words: list[str] = []
    is_next_secret = False
    for word in of:
        is_option = word.startswith("-") and len(word) > 1
        if is_next_secret and not is_option:
            words.append(_STARS if word else word)
            is_next_secret = False
            continue
        name, equals, value = word.partition("=")
        is_next_secret = is_option and not equals and is_secret_name(name)
        if equals and is_secret_name(name) and not re.search(r"[\s/]", name):
            words.append(f"{name}={_STARS if value else ''}")
        else:
            words.append(_redact_text(word))
    return words


def _redact_value(name: str, value: str) -> str:
    return _STARS if value and is_secret_name(name) else _redact_text(value)


def _redact_text(text: str) -> str:
    text = _CREDENTIALS.sub(_STARS, text)
    text = _URL_PASSWORD.sub(rf"\1{_STARS}@", text)
    text = _URL_TOKEN.sub(rf"\1{_STARS}@", text)
    text = _HEADER.sub(lambda match: (match[1] or match[2]) + _STARS, text)
    text = _ASSIGNMENT.sub(_without_value, text)
    return _FLAG.sub(_without_value, text)


def _without_value(match: re.Match[str]) -> str:
    if not is_secret_name(match["name"]) or match["value"].startswith("${"):
        return match[0]
    before = match[0][: match.start("value") - match.start()]
    quote = match["value"][0] if match["value"][0] in "\"'" else ""
    return f"{before}{quote}{_STARS}{quote}"


@dataclass(frozen=True)
class Gpu:
    """A graphics processor of the machine, whether or not this process may use it."""

    name: str
    memory_bytes: int | None
    driver: str


@dataclass(frozen=True)
class System:
    """The machine. What could not be found out is None or empty.

    Attributes:
      os: ``Linux`` or ``Darwin``.
      distribution: such as ``Debian GNU/Linux 12 (bookworm)``; ``macOS 14.5``.
      kernel: its release.
      architecture: such as ``x86_64`` or ``arm64``.
      cpu: the model.
      cpus: the logical CPUs of the machine.
      cpus_usable: as many as this process has, by its affinity and the quota of its cgroup.
      memory_bytes: of the machine.
      memory_bytes_max: what the cgroup allows; None if it sets no limit.
      gpus: by number.
      cuda: the newest CUDA release that the driver can do.
      host: its name.
      container: the kind of container this is, None if it is none.
    """

    os: str
    distribution: str
    kernel: str
    architecture: str
    cpu: str
    cpus: int | None
    cpus_usable: float | None
    memory_bytes: int | None
    memory_bytes_max: int | None
    gpus: tuple[Gpu, ...]
    cuda: str | None
    host: str
    container: str | None


@dataclass(frozen=True)
class Python:
    """The interpreter: ``3.11.7``, ``CPython``, and where it is."""

    version: str
    implementation: str
    executable: str


@dataclass(frozen=True)
class Conda:
    """A conda environment: its name, and for each package ``URL#MD5`` or ``name=version=build``."""

    name: str
    packages: tuple[str, ...]


@dataclass(frozen=True)
class Environment:
    """What a program runs in.

    Attributes:
      packages: installed distributions, version by canonical name.
      direct_urls: for those that are from no index, the requirement's URL without credentials.
      editable: names of those that run from a folder of this machine.
      requirements: a text for ``pip install --requirement``, one pinned line for each package. A
        folder or file of this machine is named in a comment only.
      files: bytes by path relative to the repository, or to the folder without one.
      conda: None outside of a conda environment.
      argv: of this process, redacted.
      variables: those of the environment that were selected, redacted.
      seeds: by module what its random numbers start from or are at; ``PYTHONHASHSEED``, too.
      digest: ``"sha256:…"``, the same exactly if Python's version, the packages, the distribution
        of the OS, the architecture, the driver of the GPUs, CUDA and ``files`` are the same.
      problems: what could not be found out, each a sentence.
    """

    python: Python
    packages: Mapping[str, str]
    direct_urls: Mapping[str, str]
    editable: tuple[str, ...]
    requirements: str
    files: Mapping[str, bytes]
    conda: Conda | None
    system: System
    argv: tuple[str, ...]
    variables: Mapping[str, str]
    seeds: Mapping[str, str]
    digest: str
    problems: tuple[str, ...] = ()

    @property
    def system_packages(self) -> Mapping[str, str]:
        """Packages of dpkg, apk or rpm, version by name. Read when first asked for, then kept."""
        return _system_packages()


def capture_environment(*, folder: str | None = None, variables: Iterable[str] = ()) -> Environment:
    """What this process runs in.

    Args:
      folder: where the files are looked for, and in its parents up to the top of the repository;
        without it the working directory.
      variables: patterns of names of variables to record besides VARIABLES, as ``MY_*``. Secrets
        are redacted in these, too.

    Never fails: what cannot be found out is in ``problems``.
    """
    problems: list[str] = []
    python = Python(_python_version(), _implementation(), sys.executable or "")
    packages = _packages(problems)
    conda = _conda(sys.prefix, problems)
    files = _files(folder, problems)
    system = _system(problems)
    return Environment(
        python=python,
        packages={package.name: package.version for package in packages},
        direct_urls={package.name: package.url for package in packages if package.url},
        editable=tuple(package.name for package in packages if package.is_editable),
        requirements=_requirements(python, packages, problems),
        files=files,
        conda=conda,
        system=system,
        argv=tuple(redact(list(getattr(sys, "argv", [])))),
        variables=_variables((*VARIABLES, *variables)),
        seeds=_seeds(problems),
        digest=_digest(python, packages, conda, system, files),
        problems=tuple(problems),
    )


def _python_version() -> str:
    # Not only the three numbers: `3.14.0rc1` is another one than `3.14.0`.
    return sys.version.split()[0]


def _implementation() -> str:
    names = {"cpython": "CPython", "pypy": "PyPy"}
    return names.get(sys.implementation.name, sys.implementation.name)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).rstrip(".\n") or type(error).__name__


def _answer(*command: str) -> str:
    """What a program prints. OSError if it is not here, fails, or takes too long."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"`{command[0]}` takes more than {COMMAND_TIMEOUT_S:g} s") from error
    if done.returncode != 0:
        raise OSError(f"`{command[0]}` ends with {done.returncode}")
    return done.stdout.decode("utf-8", "replace")


def _text(path: str) -> str:
    """The text of a file that may be missing, as those of the system are."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


# Packages.


@dataclass(frozen=True)
class _Package:
    name: str
    version: str
    # The URL as pip wants it after ` @ `, and whether it is of this machine only.
    url: str = ""
    is_local: bool = False
    is_editable: bool = False


def canonical_name(name: str) -> str:
    """The name of a distribution as PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _packages(problems: list[str]) -> list[_Package]:
    """By name. The first on the path is the one that is imported."""
    from importlib.metadata import distributions

    found: dict[str, _Package] = {}
    broken = 0
    for distribution in distributions():
        try:
            # Only the head: parsing the whole of it takes ten times as long.
            text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
            head = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
            name = re.search(r"^Name:[ \t]*(\S+)", head, re.MULTILINE)
            version = re.search(r"^Version:[ \t]*(\S+)", head, re.MULTILINE)
            if name is None or version is None:
                broken += 1
                continue
            canonical = canonical_name(name[1])
            if canonical not in found:
                origin = distribution.read_text("direct_url.json")
                found[canonical] = _package(canonical, version[1], origin)
        except (OSError, ValueError):
            broken += 1
    if broken:
        problems.append(f"{broken} installed packages do not say their name and version.")
    return [found[name] for name in sorted(found)]


def _package(name: str, version: str, origin: str | None) -> _Package:
    """A package with what direct_url.json says of it, as PEP 610 has it."""
    plain = _Package(name, version)
    try:
        said = json.loads(origin) if origin else {}
        url = without_credentials(said.get("url", ""))
    except (ValueError, AttributeError, TypeError):
        return plain
    vcs, folder = said.get("vcs_info"), said.get("dir_info")
    fragment = [f"subdirectory={said['subdirectory']}"] if said.get("subdirectory") else []
    is_local = url.startswith("file:")
    is_editable = isinstance(folder, dict) and folder.get("editable") is True
    if isinstance(vcs, dict):
        url = f"{vcs.get('vcs', 'git')}+{url}@{vcs.get('commit_id', '')}"
    elif is_local and not os.path.exists(_local_path(url)):
        # Built on another machine, as conda's packages are; an index has it.
        return plain
    else:
        archive = said.get("archive_info")
        hashes = archive.get("hashes") if isinstance(archive, dict) else None
        if isinstance(hashes, dict) and isinstance(hashes.get("sha256"), str):
            fragment.insert(0, f"sha256={hashes['sha256']}")
    if fragment:
        url = url.partition("#")[0] + "#" + "&".join(fragment)
    return _Package(name, version, url, is_local, is_editable) if url else plain


def _local_path(url: str) -> str:
    from urllib.parse import unquote, urlsplit

    return unquote(urlsplit(url).path)


def _requirements(python: Python, packages: list[_Package], problems: list[str]) -> str:
    lines = [f"# What was installed on {python.implementation} {python.version}."]
    # Builds of PyTorch for one CUDA release are in indexes of their own.
    torch = [each for each in packages if each.name in ("torch", "torchvision", "torchaudio")]
    versions = " ".join(each.version for each in torch if not each.url)
    builds = set(re.findall(r"\+((?:cu|rocm|xpu|cpu)[\d.]*)(?!\S)", versions))
    lines += [
        f"--extra-index-url https://download.pytorch.org/whl/{each}" for each in sorted(builds)
    ]
    for package in packages:
        # A version that is not as PEP 440 has it can only be compared letter by letter.
        is_usual = re.fullmatch(r"v?(\d+!)?\d+(\.\d+)*[-_.]?\w*[\w.+-]*", package.version)
        pinned = f"{package.name}{'==' if is_usual else '==='}{package.version}"
        if package.is_local:
            lines.append(f"# {pinned} was from {package.url}")
            problems.append(
                f"`{package.name}` is from a place on this machine, so `requirements` has it in a "
                "comment only."
            )
        else:
            lines.append(f"{package.name} @ {package.url}" if package.url else pinned)
    return "\n".join(lines) + "\n"


def _conda(prefix: str, problems: list[str]) -> Conda | None:
    folder = os.path.join(prefix, "conda-meta")
    if not os.path.isdir(folder):
        return None
    packages = []
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "*.json"))):
        try:
            with open(path, encoding="utf-8") as file:
                said = _conda_fields(file.read())
        except (OSError, ValueError) as error:
            problems.append(f"`{os.path.basename(path)}` cannot be read: {_reason(error)}.")
            continue
        url = re.sub(r"/t/[^/]+/", "/", without_credentials(said.get("url", "")))
        md5 = said.get("md5", "")
        plain = "=".join(said.get(each, "") for each in ("name", "version", "build"))
        packages.append(f"{url}#{md5}" if url and md5 else url or plain)
    is_base = os.path.isdir(os.path.join(prefix, "condabin"))
    name = os.environ.get("CONDA_DEFAULT_ENV", "")
    if os.environ.get("CONDA_PREFIX") != prefix or not name:
        name = "base" if is_base else os.path.basename(prefix.rstrip("/"))
    return Conda(os.path.basename(name), tuple(packages))


def _conda_fields(text: str) -> dict[str, str]:
    """What is at the top of a record, by its indent: the lists of files in it are long."""
    found = dict(re.findall(r'^  "(name|version|build|url|md5)": "([^"\\]*)"', text, re.MULTILINE))
    if found.keys() >= {"name", "version", "build"}:
        return found
    said = json.loads(text)
    if not isinstance(said, dict):
        raise ValueError("it is no record of a package")
    return {name: value for name, value in said.items() if isinstance(value, str)}


# Files.


def _files(folder: str | None, problems: list[str]) -> dict[str, bytes]:
    try:
        start = os.path.realpath(os.getcwd() if folder is None else folder)
    except OSError as error:
        problems.append(f"The working directory cannot be found: {_reason(error)}.")
        return {}
    folders = [start]
    while not os.path.lexists(os.path.join(folders[-1], ".git")):
        above = os.path.dirname(folders[-1])
        if above == folders[-1]:
            folders = [start]  # in no repository
            break
        folders.append(above)
    root = folders[-1]
    wanted = []
    for each in folders:
        try:
            names = sorted(os.listdir(each))
        except OSError as error:
            problems.append(f"The folder `{_shown(each)}` cannot be read: {_reason(error)}.")
            continue
        wanted += [
            os.path.join(each, name)
            for name in names
            if any(fnmatchcase(name, pattern) for pattern in _FILES)
        ]
    found: dict[str, bytes] = {}
    while wanted and len(found) < FILES_MAX:
        path = wanted.pop(0)
        name = _shown(os.path.relpath(path, root))
        if name in found or os.path.isdir(path):
            continue
        data = _file(path, name, root, problems)
        if data is not None:
            found[name] = data
            wanted += _references(path, data)
    return dict(sorted(found.items()))


def _shown(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _file(path: str, name: str, root: str, problems: list[str]) -> bytes | None:
    real = os.path.realpath(path)
    if not real.startswith(root.rstrip("/") + "/"):
        problems.append(f"`{name}` leads out of the folder, so it is not recorded.")
        return None
    try:
        opened = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(opened, "rb") as file:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise OSError("it is not a file")
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        problems.append(f"`{name}` cannot be read: {_reason(error)}.")
        return None
    if len(data) > FILE_BYTES_MAX:
        problems.append(f"`{name}` is larger than {FILE_BYTES_MAX} bytes, so it is not recorded.")
        return None
    text = data.decode("utf-8", "replace")
    if _CREDENTIALS.search(text) or _URL_PASSWORD.search(text) or _URL_TOKEN.search(text):
        problems.append(f"`{name}` has a credential in it, and is recorded as it is.")
    return data


def _references(path: str, data: bytes) -> list[str]:
    """The files that a requirements file includes."""
    if not path.endswith(".txt"):
        return []
    options = r"^\s*(?:-[rc]|--requirement|--constraint)[ \t=]*([^\s#]+)"
    text = data.decode("utf-8", "surrogateescape")
    named = [name for name in re.findall(options, text, re.MULTILINE) if "://" not in name]
    return [os.path.normpath(os.path.join(os.path.dirname(path), name)) for name in named]


# The machine.


def _system(problems: list[str]) -> System:
    machine = os.uname()
    cpus = os.cpu_count()
    quota, memory_bytes_max = _cgroup_limits()
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cpus
    usable = [float(each) for each in (affinity, quota) if each is not None]
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError) as error:
        problems.append(f"The size of the memory is not known: {_reason(error)}.")
        memory = None
    try:
        gpus, cuda = _gpus()
    except OSError as error:
        problems.append(f"The GPUs are not known: {_reason(error)}.")
        gpus, cuda = (), None
    return System(
        os=machine.sysname,
        distribution=_distribution(),
        kernel=machine.release,
        architecture=machine.machine,
        cpu=_cpu(),
        cpus=cpus,
        cpus_usable=min(usable, default=None),
        memory_bytes=memory,
        memory_bytes_max=memory_bytes_max,
        gpus=gpus,
        cuda=cuda,
        host=machine.nodename,
        container=_container(),
    )


def _distribution() -> str:
    if sys.platform == "darwin":
        import platform

        return f"macOS {platform.mac_ver()[0]}"
    text = _text("/etc/os-release") or _text("/usr/lib/os-release")
    fields: dict[str, str] = dict(re.findall(r"^(\w+)=[\"']?(.*?)[\"']?$", text, re.MULTILINE))
    return fields.get("PRETTY_NAME", "") or fields.get("NAME", "")


@functools.cache
def _cpu() -> str:
    if sys.platform == "darwin":
        try:
            return _answer("sysctl", "-n", "machdep.cpu.brand_string").strip()
        except OSError:
            return ""
    text = _text("/proc/cpuinfo")
    # Those after the first are of other architectures.
    for name in ("model name", "Model", "Hardware", "cpu model", "cpu"):
        match = re.search(rf"^{name}[ \t]*:[ \t]*(.+)$", text, re.MULTILINE)
        if match:
            return str(match[1]).strip()
    return ""


def _cgroup_limits(
    proc: str = "/proc/self/cgroup", mount: str = "/sys/fs/cgroup"
) -> tuple[float | None, int | None]:
    """How many CPUs and bytes the groups of this process allow, whichever version they are of."""
    cpus: list[float] = []
    memory: list[int] = []
    for line in _text(proc).splitlines():
        _, kinds, path = (line.split(":", 2) + ["", ""])[:3]
        for kind in kinds.split(","):
            folders = _group_folders(os.path.join(mount, kind), path)
            if kind == "":
                folders += _group_folders(os.path.join(mount, "unified"), path)
            for folder in folders if kind in ("", "cpu", "memory") else []:
                quota = _text(f"{folder}/cpu.max").split()
                if not quota:
                    files = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
                    quota = [_text(f"{folder}/{name}").strip() for name in files]
                if len(quota) == 2 and all(each.isdigit() for each in quota) and int(quota[1]):
                    cpus.append(int(quota[0]) / int(quota[1]))
                for name in ("memory.max", "memory.limit_in_bytes"):
                    limit = _text(f"{folder}/{name}").strip()
                    # Version 1 writes a number near 2^63 when there is no limit.
                    if limit.isdigit() and int(limit) < 1 << 60:
                        memory.append(int(limit))
    return min(cpus, default=None), min(memory, default=None)


def _group_folders(root: str, path: str) -> list[str]:
    """A group and those around it. In a container only the root may be there to see."""
    folders = [root]
    for part in path.split("/"):
        if part not in ("", ".."):
            folders.append(os.path.join(folders[-1], part))
    return folders


@functools.cache
def _gpus() -> tuple[tuple[Gpu, ...], str | None]:
    """The GPUs of NVIDIA and the CUDA release. OSError if the driver does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return (), None
    query = "--query-gpu=name,memory.total,driver_version"
    gpus = []
    for line in _answer(program, query, "--format=csv,noheader,nounits").splitlines():
        fields = [each.strip() for each in line.split(",")]
        if len(fields) == 3:
            mebibytes = int(fields[1]) if fields[1].isdigit() else None
            gpus.append(Gpu(fields[0], mebibytes and mebibytes << 20, fields[2]))
    cuda = re.search(r"CUDA Version\s*:\s*([\d.]+)", _answer(program))
    return tuple(gpus), cuda[1] if cuda else None


def _container() -> str | None:
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    if os.path.exists("/run/.containerenv"):
        return "podman"
    if os.path.exists("/.dockerenv"):
        return "docker"
    named = re.search(r"kubepods|docker|containerd|libpod|lxc", _text("/proc/1/cgroup"))
    # What systemd and podman set is in small letters.
    return named[0] if named else os.environ.get("container") or None  # noqa: SIM112


@functools.cache
def _system_packages() -> dict[str, str]:
    found = _dpkg("/var/lib/dpkg/status")
    for path in sorted(glob.glob("/var/lib/dpkg/status.d/*")):
        found.update(_dpkg(path))
    if not found:
        text = _text("/lib/apk/db/installed")
        found = dict(re.findall(r"^P:(.+)\nV:(.+)$", text, re.MULTILINE))
    if not found and shutil.which("rpm"):
        try:
            listed = _answer("rpm", "-qa", "--queryformat", "%{NAME} %{EVR}\\n")
        except OSError:
            return {}
        found = dict(line.split(" ", 1) for line in listed.splitlines() if " " in line)
    return dict(sorted(found.items()))


def _dpkg(path: str) -> dict[str, str]:
    """The installed packages of a status file. Another architecture's has it in its name."""
    found = {}
    for paragraph in _text(path).split("\n\n"):
        fields = dict(
            re.findall(r"^(Package|Status|Version|Architecture): (.+)$", paragraph, re.MULTILINE)
        )
        name = fields.get("Package")
        # Removed packages stay until they are purged. Images without dpkg have no status.
        if name and fields.get("Status", "installed").endswith("installed"):
            other = f"{name}:{fields.get('Architecture', '')}"
            found[other if name in found else name] = fields.get("Version", "")
    return found


# The process.


def _variables(patterns: Iterable[str]) -> dict[str, str]:
    patterns = tuple(patterns)
    chosen = {
        _shown(name): _shown(value)
        for name, value in sorted(os.environ.items())
        # Terraform has the prefix of TensorFlow.
        if any(fnmatchcase(name, pattern) for pattern in patterns)
        and not name.startswith(("TF_VAR_", "TF_CLI_"))
    }
    return redact(chosen)


def seeds() -> dict[str, str]:
    """By module what its random numbers start from or are at now, as in ``Environment.seeds``."""
    return _seeds([])


def _seeds(problems: list[str]) -> dict[str, str]:
    """Only of modules that are imported: importing one changes what the program does."""
    seeds = {"PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED") or "random"}
    for name, state in _STATES.items():
        module = sys.modules.get(name)
        if module is None:
            continue
        try:
            found = state(module)
        except Exception as error:  # another's module, which may be half imported
            problems.append(f"The random state of `{name}` is not known: {_reason(error)}.")
            continue
        if found is not None:
            seeds[name.partition(".")[0]] = found
    return seeds


def _state_digest(state: Any) -> str:
    made = hashlib.sha256()
    for part in state:
        data = part.tobytes() if hasattr(part, "tobytes") else repr(part).encode()
        made.update(b"%d:" % len(data) + data)
    return "sha256:" + made.hexdigest()


def _tensorflow_seed(module: Any) -> str | None:
    # The public way makes a generator where there was none.
    context = module.context_safe()
    seed = None if context is None else context._seed
    return None if seed is None else f"seed={seed}"


_STATES: dict[str, Any] = {
    "random": lambda module: _state_digest(module.getstate()),
    "numpy.random": lambda module: _state_digest(module.get_state()),
    "torch": lambda module: f"initial_seed={module.initial_seed()}",
    "tensorflow.python.eager.context": _tensorflow_seed,
    # Its keys are values of the program; there is no state to look at.
    "jax": lambda module: f"prng_impl={module.config.jax_default_prng_impl}",
}


def _digest(
    python: Python,
    packages: list[_Package],
    conda: Conda | None,
    system: System,
    files: Mapping[str, bytes],
) -> str:
    """Of what is named, in JSON with sorted names, so that it is the same on every machine."""
    named = {
        "python": [python.implementation, python.version],
        # A folder of this machine is another one elsewhere.
        "packages": [
            [each.name, each.version, "local" if each.is_local else each.url] for each in packages
        ],
        "conda": list(conda.packages) if conda else None,
        "system": [system.os, system.distribution, system.architecture],
        "gpus": [sorted({gpu.driver for gpu in system.gpus}), system.cuda],
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    text = json.dumps(named, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
