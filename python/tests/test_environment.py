"""`headwater.environment`: what a program ran in, without its secrets."""

import dataclasses
import importlib.metadata
import json
import os
import platform
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headwater import environment as module
from headwater.environment import Gpu, canonical_name, capture_environment, is_secret_name, redact

# Redaction. Each is a form only: no key was ever valid.

SECRET_NAMES = (
    "API_KEY AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID HF_TOKEN DB_PASSWORD MYSQL_PWD PGPASSWORD "
    "passwd GOOGLE_APPLICATION_CREDENTIALS BASIC_AUTH api-key --api-key apiKey clientSecret "
    "accessToken wandb.api_key TOKEN key Authorization SMTP_PASS authToken APIKEY API_KEYS "
    "API_TOKENS"
).split()
OPEN_NAMES = (
    "MONKEY_COUNT TOKENIZERS_PARALLELISM KEYBOARD AUTHOR --author max_tokens --max-new-tokens "
    "eos_token_id pad_token num_tokens PWD OLDPWD tokenizer secretary monkey turkey lr PASS "
    "HASHSEED passenger keras authority"
).split()


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_secret_is_known_by_a_word_of_its_name(name):
    assert is_secret_name(name)
    assert redact({name: "value"}) == {name: "***"}
    assert redact({name: ""}) == {name: ""}


@pytest.mark.parametrize("name", OPEN_NAMES)
def test_a_name_that_has_the_letters_only_is_open(name):
    assert not is_secret_name(name)
    assert redact({name: "value"}) == {name: "value"}


FORMS = [
    "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "ghp_" + "a1B2" * 9, "gho_" + "a1B2" * 9,
    "github_pat_" + "a1B2" * 10, "glpat-" + "a1B2" * 5, "hf_" + "a1B2" * 8, "sk-" + "a1B2" * 12,
    "sk-ant-api03-" + "a1B2" * 10, "sk-proj-" + "a1_B2" * 10, "xoxb-1234567890-abcdefghij",
    "xoxp-1234567890-abcdefghij", "AIza" + "a1B2c" * 7, "npm_" + "a1B2" * 9,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nMIIEow",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("around", ["{}", "before {} after", "x={}", "'{}'", "https://e.org/{}"])
def test_a_secret_is_known_by_its_form(form, around):
    text = around.format(form)
    redacted = redact(text)
    assert form[:20] not in redacted
    assert form[-5:] not in redacted
    assert "***" in redacted
    assert redact({"HARMLESS": text})["HARMLESS"] == redacted
    assert redact(redacted) == redacted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://me:pass@host/db", "postgres://me:***@host/db"),
        ("postgres://me:p@ss@host/db", "postgres://me:***@host/db"),
        ("postgres://me:p/ss@host/db", "postgres://me:***@host/db"),
        ("redis://:pass@host:6379/0", "redis://:***@host:6379/0"),
        (
            "see https://a:b@x.org and https://c:d@y.org",
            "see https://a:***@x.org and https://c:***@y.org",
        ),
        ("http://host:8080/a@b", "http://host:8080/a@b"),
        ("https://user@host/x", "https://user@host/x"),
        ("https://0123456789abcdef0123@host/x", "https://***@host/x"),
        ("https://${USER}:${TOKEN}@host/simple", "https://${USER}:${TOKEN}@host/simple"),
        ("https://h/x?sig=abc&page=2", "https://h/x?sig=***&page=2"),
        ("https://h/x?X-Amz-Signature=abc", "https://h/x?X-Amz-Signature=***"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("-H 'Authorization: Basic dXNlcg=='", "-H 'Authorization: ***'"),
        ('{"api_key": "abc", "lr": 1}', '{"api_key": "***", "lr": 1}'),
        ("API_KEY=abc LR=1", "API_KEY=*** LR=1"),
        ("train --password hunter2 --lr 1", "train --password *** --lr 1"),
        ("the key to it", "the key to it"),
        ("sk-learn-pipeline-of-the-year", "sk-learn-pipeline-of-the-year"),
        ("risk-a1b2c3d4e5f6a7b8c9d0", "risk-a1b2c3d4e5f6a7b8c9d0"),
        ("https://example.org/a:b@c", "https://example.org/a:b@c"),
        ("", ""),
    ],
)
def test_of_a_text_only_the_secret_goes(text, expected):
    assert redact(text) == expected
    assert redact(expected) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["t.py", "--api-key=abc", "--lr=1"], ["t.py", "--api-key=***", "--lr=1"]),
        (["--password", "hunter2", "x"], ["--password", "***", "x"]),
        (["--token", "a b c"], ["--token", "***"]),
        (["--use-auth", "--lr", "1"], ["--use-auth", "--lr", "1"]),
        (["--api-key="], ["--api-key="]),
        (["wandb.api_key=abc", "+model.secret=x"], ["wandb.api_key=***", "+model.secret=***"]),
        (["--max-tokens", "10", "--tokenizer", "x"], ["--max-tokens", "10", "--tokenizer", "x"]),
        (["--db", "mysql://a:b@h/d"], ["--db", "mysql://a:***@h/d"]),
        (["--header", "Authorization: Bearer abc"], ["--header", "Authorization: ***"]),
        (["hf_" + "a1B2" * 8], ["***"]),
        (("--secret", "x"), ["--secret", "***"]),
        (["--password"], ["--password"]),
    ],
)
def test_the_words_of_a_command_are_redacted(words, expected):
    assert redact(words) == expected


def test_redaction_is_quick_on_long_texts():
    started = time.monotonic()
    for text in (
        "a" * 200_000,
        "a:" * 100_000,
        "http://a:" * 5_000,
        "key = " * 20_000,
        "--a " * 50_000,
        "sk-" * 50_000,
        "eyJ-" * 50_000,
        'key="' * 30_001,
    ):
        redact(text)
    assert time.monotonic() - started < 5


def test_what_it_was_given_stays():
    given = {"API_KEY": "abc"}
    redact(given)
    assert given == {"API_KEY": "abc"}


# Packages.


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An empty place for packages, and nothing else on the path."""
    made = tmp_path / "site"
    made.mkdir()
    monkeypatch.setattr(sys, "path", [str(made)])
    return made


def install(site, name, version, direct_url=None, text=None):
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: body\n"
    (folder / "METADATA").write_text(head if text is None else text)
    if direct_url is not None:
        said = direct_url if isinstance(direct_url, str) else json.dumps(direct_url)
        (folder / "direct_url.json").write_text(said)


def test_packages_are_those_of_importlib():
    expected = {}
    for distribution in importlib.metadata.distributions():
        name = canonical_name(distribution.metadata["Name"])
        expected.setdefault(name, distribution.version)
    assert capture_environment().packages == expected
    assert "pytest" in expected


def test_names_are_canonical():
    assert canonical_name("Foo__Bar.-baz") == "foo-bar-baz"


SHA = "0123456789abcdef0123456789abcdef01234567"


def test_requirements_name_each_package_and_where_it_is_from(site, tmp_path):
    install(site, "Plain.Name", "1.0")
    git = {"vcs": "git", "commit_id": SHA, "requested_revision": "main"}
    install(site, "of-git", "2.0", {"url": "https://u:hunter2@h/r.git", "vcs_info": git})
    below = {"url": "ssh://git@h/r.git", "vcs_info": git, "subdirectory": "py"}
    install(site, "of-ssh", "2.0", below)
    archive = {"url": "https://tok:en@h/a.whl", "archive_info": {"hashes": {"sha256": "ab"}}}
    install(site, "of-url", "3.0", archive)
    local = {"url": tmp_path.as_uri(), "dir_info": {"editable": True}}
    install(site, "edited", "4.0", local)
    install(site, "of-conda", "5.0", {"url": "file:///croot/x/work", "dir_info": {}})
    install(site, "torch", "2.1.0+cu118")
    install(site, "odd", "2004d-odd!")
    install(site, "spoilt", "6.0", "{")
    install(site, "strange", "7.0", "[1]")
    found = capture_environment()
    assert found.requirements.splitlines()[1:] == [
        "--extra-index-url https://download.pytorch.org/whl/cu118",
        f"# edited==4.0 was from {tmp_path.as_uri()}",
        "odd===2004d-odd!",
        "of-conda==5.0",
        f"of-git @ git+https://h/r.git@{SHA}",
        f"of-ssh @ git+ssh://git@h/r.git@{SHA}#subdirectory=py",
        "of-url @ https://h/a.whl#sha256=ab",
        "plain-name==1.0",
        "spoilt==6.0",
        "strange==7.0",
        "torch==2.1.0+cu118",
    ]
    assert found.editable == ("edited",)
    assert found.direct_urls["of-url"] == "https://h/a.whl#sha256=ab"
    assert set(found.direct_urls) == {"of-git", "of-ssh", "of-url", "edited"}
    assert any("`edited` is from a place on this machine" in each for each in found.problems)
    assert "hunter2" not in repr(found)


@pytest.fixture
def parser():
    return pytest.importorskip("packaging.requirements").Requirement


def test_requirements_can_be_read_by_pip(parser, site):
    git = {"vcs": "git", "commit_id": SHA}
    install(site, "of-git", "2.0", {"url": "https://h/r.git", "vcs_info": git})
    for name, version in [("a.b", "1.0"), ("c", "1!2.0rc1.post2.dev3+x.1"), ("d", "0.1a0")]:
        install(site, name, version)
    for found in (capture_environment(), whole_environment()):
        lines = [line for line in found.requirements.splitlines() if line[0] not in "#-"]
        read = [parser(line) for line in lines]
        assert len(read) == len(found.packages) - len(found.editable) - comments(found)
        for requirement in read:
            assert requirement.name == requirement.name.lower()
            version = found.packages[requirement.name]
            assert requirement.url or requirement.specifier.contains(version, prereleases=True)


def comments(found):
    """How many packages are of this machine, and not edited."""
    lines = [line for line in found.requirements.splitlines() if " was from file:" in line]
    return len(lines) - len(found.editable)


def whole_environment():
    """The packages of this Python, whatever the path is now."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [os.path.dirname(os.path.dirname(pytest.__file__))])
        return capture_environment()


def test_the_first_package_on_the_path_counts(site, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    install(site, "twice", "1.0")
    install(other, "Twice", "2.0")
    monkeypatch.setattr(sys, "path", [str(site), str(other)])
    assert capture_environment().packages == {"twice": "1.0"}


def test_a_broken_package_is_a_problem(site):
    install(site, "good", "1.0")
    install(site, "bad", "1.0", text="")
    found = capture_environment()
    assert found.packages == {"good": "1.0"}
    assert "1 installed packages do not say their name and version." in found.problems


def test_two_hundred_packages_are_quick(site):
    for number in range(200):
        body = (
            "Name: x\nVersion: 1\n" + f"Requires-Dist: y{number}\n" * 50 + "\n" + "text\n" * 10_000
        )
        install(site, f"package-{number}", "1.0", text=body.replace("x", f"package-{number}", 1))
    capture_environment()
    started = time.monotonic()
    found = capture_environment()
    spent = time.monotonic() - started
    assert len(found.packages) == 200
    # 150 ms is meant; a machine that is busy with other tests takes longer.
    assert spent < 1, spent


# conda.


def record(prefix, name, **fields):
    (prefix / "conda-meta").mkdir(parents=True, exist_ok=True)
    said = {"build": "h1", "name": name, "version": "1.0", "paths_data": {"url": "no"}, **fields}
    path = prefix / "conda-meta" / f"{name}-1.0-h1.json"
    path.write_text(json.dumps(said, indent=fields.get("arch", 2) or None, sort_keys=True))
    return path


@pytest.fixture
def conda(tmp_path, monkeypatch):
    prefix = tmp_path / "envs" / "train"
    url = "https://conda.example.org/t/tk-hunter2/main/linux-64/b-1.0-h1.conda"
    record(prefix, "b", url=url, md5="0123")
    record(prefix, "a", url="https://u:hunter2@c.org/a.conda", md5="4567", arch=0)
    record(prefix, "c")
    monkeypatch.setattr(sys, "prefix", str(prefix))
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    return prefix


def test_conda_packages_are_listed_without_conda(conda, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    found = capture_environment()
    assert found.conda.name == "train"
    assert found.conda.packages == (
        "https://c.org/a.conda#4567",
        "https://conda.example.org/main/linux-64/b-1.0-h1.conda#0123",
        "c=1.0=h1",
    )
    monkeypatch.setenv("CONDA_PREFIX", str(conda))
    monkeypatch.setenv("CONDA_DEFAULT_ENV", "of another name")
    assert capture_environment().conda.name == "of another name"


def test_a_broken_conda_record_is_a_problem(conda):
    (conda / "conda-meta" / "d.json").write_text("[1]")
    found = capture_environment()
    assert len(found.conda.packages) == 3
    assert any("`d.json` cannot be read" in each for each in found.problems)


def test_without_conda_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert capture_environment().conda is None


# Files.

KEPT = (
    "requirements.txt requirements-dev.txt pyproject.toml poetry.lock uv.lock pdm.lock Pipfile "
    "Pipfile.lock setup.py setup.cfg environment.yml environment.yaml conda-lock.yml Dockerfile "
    "Dockerfile.gpu Containerfile .python-version conda-linux-64.lock"
).split()


@pytest.fixture
def project(tmp_path):
    made = tmp_path / "project"
    (made / ".git").mkdir(parents=True)
    (made / "src").mkdir()
    return made


def test_files_are_kept_byte_for_byte(project):
    for name in KEPT:
        (project / name).write_bytes(name.encode() + b"\r\n\xff\0")
    for name in ("train.py", "README.md", "data.txt"):
        (project / name).write_text("no")
    (project / "setup.d").mkdir()
    files = capture_environment(folder=str(project)).files
    assert files == {name: name.encode() + b"\r\n\xff\0" for name in sorted(KEPT)}
    assert list(files) == sorted(KEPT)


def test_files_of_the_parents_are_found_up_to_the_repository(project, tmp_path, monkeypatch):
    (tmp_path / "requirements.txt").write_text("outside")
    (project / "requirements.txt").write_text("top")
    (project / "src" / "requirements.txt").write_text("below")
    expected = {"requirements.txt": b"top", "src/requirements.txt": b"below"}
    assert capture_environment(folder=str(project / "src")).files == expected
    monkeypatch.chdir(project / "src")
    assert capture_environment().files == expected
    (project / ".git").rmdir()
    files = capture_environment(folder=str(project / "src")).files
    assert files == {"requirements.txt": b"below"}


def test_included_requirements_are_kept(project):
    text = "-r deps/base.txt\n--constraint=deps/limits.txt\n-r https://h/x.txt\n-r ../../out.txt\n"
    (project / "requirements.txt").write_text(text)
    (project / "deps").mkdir()
    (project / "deps" / "base.txt").write_text("-r base.txt\nnumpy\n")
    (project / "deps" / "limits.txt").write_text("numpy<2\n")
    found = capture_environment(folder=str(project))
    assert set(found.files) == {"requirements.txt", "deps/base.txt", "deps/limits.txt"}
    assert any("leads out of the folder" in each for each in found.problems)


def test_a_file_that_cannot_be_kept_is_a_problem(project, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FILE_BYTES_MAX", 10)
    (project / "uv.lock").write_bytes(b"x" * 11)
    (project / "pdm.lock").write_bytes(b"x" * 10)
    (project / "Pipfile").symlink_to("gone")
    (tmp_path / "secret").write_text("hunter2")
    (project / "setup.cfg").symlink_to(tmp_path / "secret")
    os.mkfifo(project / "Dockerfile")
    found = capture_environment(folder=str(project))
    assert found.files["pdm.lock"] == b"x" * 10
    assert "hunter2" not in repr(found.files)
    assert "uv.lock" not in found.files
    for name in ("uv.lock", "Pipfile", "setup.cfg", "Dockerfile"):
        assert any(f"`{name}`" in each for each in found.problems), name


def test_a_credential_in_a_file_is_said(project):
    data = b"--extra-index-url https://me:hunter2@h/simple\nx==1\n"
    (project / "requirements.txt").write_bytes(data)
    found = capture_environment(folder=str(project))
    assert found.files["requirements.txt"] == data
    assert "`requirements.txt` has a credential in it, and is recorded as it is." in found.problems


def test_a_folder_that_is_gone_is_a_problem(tmp_path, monkeypatch):
    assert capture_environment(folder=str(tmp_path / "gone")).problems
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    found = capture_environment()
    assert found.files == {}
    assert any("working directory" in each for each in found.problems)


# The machine.


def test_python_and_the_system_are_those_here():
    found = capture_environment()
    assert found.python.version == platform.python_version()
    assert found.python.implementation == platform.python_implementation()
    assert found.python.executable == sys.executable
    system = found.system
    assert (system.os, system.kernel) == (platform.system(), platform.release())
    assert (system.architecture, system.host) == (platform.machine(), platform.node())
    assert system.cpus == os.cpu_count()
    assert 0 < system.cpus_usable <= system.cpus
    assert system.memory_bytes > 1 << 28
    assert system.distribution


def test_only_the_cpus_that_may_be_used_count(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    monkeypatch.setattr(module, "_cgroup_limits", lambda: (None, None))
    assert capture_environment().system.cpus_usable == 3
    monkeypatch.setattr(module, "_cgroup_limits", lambda: (1.5, 1 << 30))
    system = capture_environment().system
    assert (system.cpus_usable, system.memory_bytes_max) == (1.5, 1 << 30)


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n", "memory.max": "1073741824\n"}, (1.5, 1 << 30)),
        ("0::/\n", {"cpu.max": "max 100000\n", "memory.max": "max\n"}, (None, None)),
        ("0::/a/b\n", {"a/cpu.max": "50000 100000", "a/b/cpu.max": "max 100000"}, (0.5, None)),
        ("0::/a/b\n", {"a/memory.max": "500", "a/b/memory.max": "900"}, (None, 500)),
        # The path is that of the host, and only the root is to be seen.
        ("0::/docker/x\n", {"memory.max": "700"}, (None, 700)),
        (
            "4:memory:/x\n1:cpu,cpuacct:/x\n0::/\n",
            {
                "cpu/x/cpu.cfs_quota_us": "200000",
                "cpu/x/cpu.cfs_period_us": "100000",
                "memory/x/memory.limit_in_bytes": "800",
                "memory/memory.limit_in_bytes": "9223372036854771712",
            },
            (2.0, 800),
        ),
        (
            "1:cpu:/\n",
            {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
            (None, None),
        ),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "1", "cpu/cpu.cfs_period_us": "0"}, (None, None)),
        ("1:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712"}, (None, None)),
        ("nonsense\n", {}, (None, None)),
        ("", {}, (None, None)),
    ],
)
def test_limits_of_groups_are_read(tmp_path, groups, files, expected):
    (tmp_path / "groups").write_text(groups)
    for name, text in files.items():
        path = tmp_path / "mount" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert module._cgroup_limits(str(tmp_path / "groups"), str(tmp_path / "mount")) == expected


SMI = """#!/bin/sh
echo "$*" >> {log}
case "$*" in
*--query-gpu*) echo "NVIDIA A100, 40960, 535.104"; echo "NVIDIA T4, [N/A], 535.104" ;;
*) echo "| NVIDIA-SMI 535.104    Driver Version: 535.104    CUDA Version: 12.2     |" ;;
esac
"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder of programs that are found first; nothing is known of former answers."""
    made = tmp_path / "programs"
    made.mkdir()
    monkeypatch.setenv("PATH", f"{made}:/usr/bin:/bin")
    for cached in (module._gpus, module._system_packages):
        cached.cache_clear()
    yield made
    for cached in (module._gpus, module._system_packages):
        cached.cache_clear()


def program(folder, name, text):
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def test_gpus_are_asked_for_once(programs, tmp_path):
    program(programs, "nvidia-smi", SMI.format(log=tmp_path / "log"))
    system = capture_environment().system
    assert system.gpus == (
        Gpu("NVIDIA A100", 40960 << 20, "535.104"),
        Gpu("NVIDIA T4", None, "535.104"),
    )
    assert system.cuda == "12.2"
    asked = (tmp_path / "log").read_text()
    assert capture_environment().system == system
    assert (tmp_path / "log").read_text() == asked


@pytest.mark.parametrize("text", ["#!/bin/sh\nexec sleep 30\n", "#!/bin/sh\nexit 9\n", "nonsense"])
def test_a_driver_that_does_not_answer_is_a_problem(programs, monkeypatch, text):
    monkeypatch.setattr(module, "COMMAND_TIMEOUT_S", 0.3)
    program(programs, "nvidia-smi", text)
    started = time.monotonic()
    found = capture_environment()
    assert time.monotonic() - started < 5
    assert found.system.gpus == ()
    assert any("GPUs are not known" in each for each in found.problems)


STATUS = """Package: a
Status: install ok installed
Architecture: amd64
Version: 1:2.0-3
Description: x
 Package: no

Package: a
Status: install ok installed
Architecture: i386
Version: 1:2.0-4

Package: removed
Status: deinstall ok config-files
Version: 1

Package: b
Status: hold ok installed
Version: 5
"""


def test_the_packages_of_dpkg_are_read(tmp_path):
    (tmp_path / "status").write_text(STATUS)
    assert module._dpkg(str(tmp_path / "status")) == {
        "a": "1:2.0-3", "a:i386": "1:2.0-4", "b": "5",
    }  # fmt: skip


def test_the_packages_of_rpm_are_read_once_and_only_when_asked_for(programs, monkeypatch, tmp_path):
    log = tmp_path / "log"
    program(programs, "rpm", f"#!/bin/sh\necho x >> {log}\necho 'bash 5.1-2'\necho 'acl 2.3'\n")
    monkeypatch.setattr(module, "_dpkg", lambda _: {})
    monkeypatch.setattr(module, "_text", lambda _: "")
    found = capture_environment()
    assert not log.exists()
    assert found.system_packages == {"acl": "2.3", "bash": "5.1-2"}
    assert capture_environment().system_packages == found.system_packages
    assert log.read_text() == "x\n"


@pytest.mark.skipif(not os.path.exists("/var/lib/dpkg/status"), reason="a system without dpkg")
def test_the_packages_of_this_system_are_those_of_dpkg():
    listed = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package} ${Version}\n"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    expected = dict(line.split(" ")[1:] for line in listed if line.startswith("installed "))
    found = capture_environment().system_packages
    assert {name.partition(":")[0] for name in found} == set(expected)
    assert found["dpkg"] == expected["dpkg"]


# The process.


def test_arguments_are_redacted(monkeypatch):
    monkeypatch.setattr(
        sys, "argv", ["t.py", "--api-key=hunter2", "--password", "hunter2", "--lr=1"]
    )
    assert capture_environment().argv == ("t.py", "--api-key=***", "--password", "***", "--lr=1")


def test_variables_are_selected_and_redacted(monkeypatch):
    for name, value in {
        "CUDA_VISIBLE_DEVICES": "0,1",
        "HF_TOKEN": "hunter2",
        "HF_HOME": "https://me:hunter2@h/",
        "OMP_NUM_THREADS": "4",
        "TF_VAR_password": "hunter2",
        "TF_VAR_plain": "hunter2",
        "SOMETHING_ELSE": "hunter2",
        "MY_API_KEY": "hunter2",
        "MY_NUMBER": "1",
        "XLA_ODD": "\udcff",
    }.items():
        monkeypatch.setenv(name, value)
    found = capture_environment().variables
    assert found["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert found["OMP_NUM_THREADS"] == "4"
    assert found["HF_TOKEN"] == "***"
    assert found["HF_HOME"] == "https://me:***@h/"
    assert found["XLA_ODD"] == "\\xff"
    assert not {"SOMETHING_ELSE", "MY_API_KEY", "MY_NUMBER", "TF_VAR_plain"} & set(found)
    more = capture_environment(variables=["MY_*"]).variables
    assert (more["MY_API_KEY"], more["MY_NUMBER"]) == ("***", "1")
    assert "hunter2" not in repr(found) + repr(more)


def test_the_state_of_random_numbers_is_looked_at_and_left_alone(monkeypatch):
    random.seed(1)
    first = capture_environment().seeds["random"]
    state = random.getstate()
    random.seed(2)
    assert capture_environment().seeds["random"] != first
    random.seed(1)
    assert capture_environment().seeds["random"] == first
    assert random.getstate() == state
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    assert capture_environment().seeds["PYTHONHASHSEED"] == "random"
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    assert capture_environment().seeds["PYTHONHASHSEED"] == "7"


class Keys:
    def tobytes(self):
        return b"keys"


class Module:
    """Stands for one that is imported."""

    class config:  # noqa: N801
        jax_default_prng_impl = "threefry2x32"

    @staticmethod
    def get_state():
        return ("MT19937", Keys(), 624, 0, 0.0)

    @staticmethod
    def initial_seed():
        return 42

    @staticmethod
    def context_safe():
        return type("Context", (), {"_seed": 7})


def test_seeds_of_libraries_are_read_where_they_are_imported(monkeypatch):
    for name in module._STATES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    found = capture_environment()
    assert set(found.seeds) == {"PYTHONHASHSEED"}
    assert not set(module._STATES) & set(sys.modules)
    for name in module._STATES:
        monkeypatch.setitem(sys.modules, name, Module)
    monkeypatch.setitem(sys.modules, "random", random)
    seeds = capture_environment().seeds
    assert seeds["torch"] == "initial_seed=42"
    assert seeds["tensorflow"] == "seed=7"
    assert seeds["jax"] == "prng_impl=threefry2x32"
    assert seeds["numpy"].startswith("sha256:")


def test_a_module_that_is_half_imported_is_a_problem(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", type(sys)("torch"))
    found = capture_environment()
    assert "torch" not in found.seeds
    assert any("`torch` is not known" in each for each in found.problems)


def test_numpy_is_read_if_it_is_here(monkeypatch):
    numpy = pytest.importorskip("numpy")
    numpy.random.seed(1)
    first = capture_environment().seeds["numpy"]
    numpy.random.random()
    assert capture_environment().seeds["numpy"] != first


# The digest.


def test_the_digest_is_of_what_matters(project, site, monkeypatch):
    install(site, "a", "1.0")
    (project / "requirements.txt").write_text("a\n")
    system = capture_environment().system
    digests = []

    def capture(**fields):
        monkeypatch.setattr(module, "_system", lambda _: dataclasses.replace(system, **fields))
        digests.append(capture_environment(folder=str(project)).digest)
        return digests[-1]

    first = capture()
    monkeypatch.setattr(sys, "argv", ["other"])
    monkeypatch.setenv("CUDA_OTHER", "1")
    random.seed()
    monkeypatch.setattr(sys, "executable", "/other/python")
    same = capture(
        host="other", memory_bytes=1, memory_bytes_max=1, cpus=1, cpu="other", kernel="1"
    )
    assert same == first
    digests.clear()
    digests.append(first)
    capture(distribution="other")
    capture(architecture="other")
    capture(gpus=(Gpu("x", 1, "1"),))
    capture(gpus=(Gpu("x", 1, "2"),))
    capture(cuda="12.2")
    install(site, "b", "1.0")
    capture()
    (project / "requirements.txt").write_text("b\n")
    capture()
    (project / "requirements.txt").rename(project / "requirements-b.txt")
    capture()
    monkeypatch.setattr(module, "_python_version", lambda: "3.99.0")
    capture()
    monkeypatch.setattr(module, "_conda", lambda *_: module.Conda("x", ("a",)))
    capture()
    monkeypatch.setattr(module, "_conda", lambda *_: module.Conda("y", ("a",)))
    last = capture()
    assert last == digests[-2]
    assert len(set(digests)) == len(digests) - 1


def test_it_can_be_kept(project):
    found = capture_environment(folder=str(project))
    assert found == capture_environment(folder=str(project))
    json.dumps(dataclasses.asdict(found.system))
    assert found.digest.startswith("sha256:")
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.digest = ""


def test_nothing_is_imported_for_it(tmp_path):
    text = (
        "import sys; from headwater.environment import capture_environment as c; c();"
        "print([m for m in ('numpy', 'torch', 'tensorflow', 'jax', 'random') if m in sys.modules])"
    )
    path = os.pathsep.join([str(Path(module.__file__).parents[1]), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", text],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "torch" not in done.stdout
    assert "numpy" not in done.stdout
