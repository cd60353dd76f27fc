"""`headwater.code`: what runs, and a snapshot of it where there is no repository."""

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from folders import names_in, write

import headwater
from headwater import code as module
from headwater.code import capture_code, without_credentials

pytestmark = pytest.mark.usefixtures("home")


TREE = {
    "train.py": "import lib\n",
    "lib/__init__.py": "",
    "config.yaml": "lr: 1\n",
    "notes.txt": "n\n",
    "bin/start": "#!/bin/sh\n",
    "Makefile": "all:\n",
    "\u00e4.py": "x\n",
    "deep/" * 60 + "long.py": "long\n",
}


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "folder"
    write(made, TREE)
    return made


def test_without_a_repository_it_is_a_snapshot(folder):
    code = capture_code(str(folder / "train.py"))
    assert (code.entry_point, code.folder) == ("train.py", os.path.realpath(folder))
    assert (code.commit, code.is_dirty, code.problems) == (None, None, ())
    assert names_in(code) == sorted(TREE)
    with tarfile.open(fileobj=io.BytesIO(code.snapshot)) as archive:
        for entry in archive:
            assert archive.extractfile(entry).read().decode() == TREE[entry.name]
            assert (entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname) == (
                0,
                0,
                0,
                "",
                "",
            )
        assert archive.getnames() == sorted(TREE, key=str.encode)


def test_a_snapshot_is_the_same_elsewhere(folder, tmp_path):
    code = capture_code(str(folder / "train.py"))
    copy = tmp_path / "elsewhere" / "of another name"
    for name in reversed(list(TREE)):
        write(copy, {name: TREE[name]})
        os.utime(copy / name, (1, 1))
    other = capture_code(str(copy / "train.py"))
    assert (other.snapshot, other.digest) == (code.snapshot, code.digest)
    assert gzip.decompress(code.snapshot)[:8] == b"Makefile"
    assert code.snapshot[4:8] == b"\0\0\0\0"


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write(folder, {"lib/__init__.py": "x"}),
        lambda folder: write(folder, {"lib/new.py": ""}),
        lambda folder: (folder / "config.yaml").unlink(),
        lambda folder: (folder / "config.yaml").rename(folder / "config.yml"),
        lambda folder: (folder / "train.py").chmod(0o755),
        lambda folder: (folder / "link.py").symlink_to("train.py"),
    ],
)
def test_any_other_code_has_another_digest(folder, change):
    before = capture_code(str(folder / "run.py"))
    change(folder)
    assert capture_code(str(folder / "run.py")).digest != before.digest


def test_data_is_not_code(folder):
    before = capture_code(str(folder / "train.py"))
    write(folder, {"data.csv": "1\n", "model.pt": b"\0", "image.png": b"\0", "run.log": "x\n"})
    code = capture_code(str(folder / "train.py"))
    assert (code.digest, code.snapshot) == (before.digest, before.snapshot)
    assert [each.path for each in code.left_out] == ["data.csv", "image.png", "model.pt", "run.log"]
    assert code.left_out[0].size_bytes == 2


def test_folders_that_are_no_code_are_skipped_and_named(folder):
    skipped = {
        ".hidden/x.py": "", "__pycache__/x.py": "", "node_modules/x.js": "", "mlruns/x.yaml": "",
        "myenv/pyvenv.cfg": "", "myenv/x.py": "", "cenv/conda-meta/x.json": "", "cenv/x.py": "",
        "p.egg-info/x.txt": "", "lib/__pycache__/y.py": "",
    }  # fmt: skip
    write(folder, skipped)
    code = capture_code(str(folder / "train.py"))
    assert names_in(code) == sorted(TREE)
    assert {each.path for each in code.left_out} == {
        ".hidden", "__pycache__", "node_modules", "mlruns", "myenv", "cenv", "p.egg-info",
        "lib/__pycache__",
    }  # fmt: skip
    assert all(each.reason for each in code.left_out)


def test_large_files_are_left_out_of_a_snapshot(folder, monkeypatch):
    monkeypatch.setattr(module, "TEXT_BYTES_MAX", 100)
    write(folder, {"big.txt": b"x" * 101, "big.json": b"x" * 100, "big.py": b"#" * 3000})
    code = capture_code(str(folder / "train.py"), snapshot_bytes_max=2000)
    left = {each.path: each for each in code.left_out}
    assert set(left) == {"big.py", "big.txt"}
    assert left["big.py"].sha256 == "sha256:" + hashlib.sha256(b"#" * 3000).hexdigest()
    write(folder, {"big.py": b"-" * 3000})
    other = capture_code(str(folder / "train.py"), snapshot_bytes_max=2000)
    assert other.digest != code.digest


def test_all_that_is_in_a_snapshot_has_a_limit(folder):
    write(folder, {"a.py": b"#" * 1200, "b.py": b"#" * 1200})
    code = capture_code(str(folder / "train.py"), snapshot_bytes_max=2000)
    assert [each.path for each in code.left_out] == ["b.py"]
    assert "a.py" in names_in(code)


def test_secrets_are_left_out_of_a_snapshot(folder):
    write(folder, {".env": "x", "credentials.json": "{}", "server.key": "x", ".env.example": "x"})
    code = capture_code(str(folder / "train.py"))
    assert {each.path for each in code.left_out} == {".env", "credentials.json", "server.key"}
    assert ".env.example" in names_in(code)


def test_links_never_lead_out_of_the_folder(folder, tmp_path):
    write(tmp_path, {"outside/secret.py": "hunter2\n"})
    (folder / "file.py").symlink_to(tmp_path / "outside" / "secret.py")
    (folder / "all").symlink_to(tmp_path / "outside")
    (folder / "up.py").symlink_to("../outside/secret.py")
    (folder / "twice.py").symlink_to("all/secret.py")
    (folder / "inside.py").symlink_to("train.py")
    (folder / "absolute.py").symlink_to(folder / "lib" / "__init__.py")
    (folder / "round").symlink_to(folder)
    code = capture_code(str(folder / "train.py"))
    assert {each.path for each in code.left_out} == {"file.py", "all", "up.py", "twice.py"}
    assert b"hunter2" not in gzip.decompress(code.snapshot)
    with tarfile.open(fileobj=io.BytesIO(code.snapshot)) as archive:
        links = {entry.name: entry.linkname for entry in archive if entry.issym()}
    assert links == {"inside.py": "train.py", "absolute.py": "lib/__init__.py", "round": "."}


def test_names_that_are_not_utf_8_are_kept(folder):
    try:
        write(folder, {b"\xff.py": b"odd\n", b"\xfe.dat": b"odd\n"})
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    code = capture_code(str(folder / "train.py"))
    with tarfile.open(fileobj=io.BytesIO(code.snapshot)) as archive:
        assert os.fsdecode(b"\xff.py") in archive.getnames()
    assert [each.path for each in code.left_out] == ["\\xfe.dat"]
    repr(code).encode()
    named = capture_code(os.fsdecode(os.path.join(os.fsencode(folder), b"\xff.py")))
    assert named.entry_point == "\\xff.py"


def test_an_unreadable_file_is_left_out_of_a_snapshot(folder, unreadable):
    unreadable(folder / "lib" / "__init__.py")
    code = capture_code(str(folder / "train.py"))
    assert [each.path for each in code.left_out] == ["lib/__init__.py"]
    assert code.problems == ("`lib/__init__.py` cannot be read: permission denied.",)


def test_a_file_that_vanishes_is_not_in_a_snapshot(folder, vanishing):
    vanishing(folder / "config.yaml")
    code = capture_code(str(folder / "train.py"))
    assert "config.yaml" not in names_in(code)
    assert code.problems == ("`config.yaml` went away while it was read.",)


def test_pipes_do_not_stop_a_snapshot(folder):
    os.mkfifo(folder / "pipe.py")
    assert [each.path for each in capture_code(str(folder / "train.py")).left_out] == ["pipe.py"]


def test_ten_thousand_files_of_data_are_not_all_named(folder):
    write(folder, {f"data/{number}.png": b"" for number in range(10_000)})
    started = time.monotonic()
    code = capture_code(str(folder / "train.py"))
    assert time.monotonic() - started < 5
    assert len(code.left_out) == module.LEFT_OUT_MAX
    assert code.problems == ("9000 more files and folders are left out than are named.",)


def test_a_walk_ends(folder, monkeypatch):
    monkeypatch.setattr(module, "ENTRIES_MAX", 5)
    code = capture_code(str(folder / "train.py"))
    assert "more than 5 files" in code.problems[0]


def test_of_a_home_only_the_top_is_taken(home):
    write(home, {"train.py": "x\n", "private/x.py": "x\n"})
    code = capture_code(str(home / "train.py"))
    assert names_in(code) == ["train.py"]
    assert "home" in code.problems[0]


# Which file runs.


def run(folder, *words, **options):
    """What a process prints that starts in a folder."""
    text = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )
    assert text.returncode == 0, text.stderr
    return text.stdout.splitlines()


PROGRAM = """
from headwater.code import capture_code
code = capture_code()
print(code.entry_point)
print(code.folder)
print(*code.problems)
"""


def test_a_script_finds_itself(folder):
    write(folder, {"lib/main.py": PROGRAM})
    real = os.path.realpath(folder)
    assert run(folder, "lib/main.py") == ["main.py", f"{real}/lib", ""]
    (folder / "link.py").symlink_to("lib/main.py")
    # Python, too, imports from where the file is.
    assert run(folder, "link.py") == ["main.py", f"{real}/lib", ""]


def test_a_module_finds_itself(folder):
    write(folder, {"lib/__main__.py": PROGRAM})
    assert run(folder, "-m", "lib")[0] == "__main__.py"


@pytest.mark.parametrize(
    ("words", "options", "name"),
    [
        (["-c", PROGRAM], {}, "python -c"),
        (["-"], {"input": PROGRAM}, "standard input"),
        (["-i"], {"input": PROGRAM}, "an interactive session"),
    ],
)
def test_code_in_no_file_is_said_plainly(folder, words, options, name):
    entry_point, where, problems = [each for each in run(folder, *words, **options) if each][:3]
    assert (entry_point, where) == (name, os.path.realpath(folder))
    assert problems == f"The code is not in a file: it is of {name}."


def test_an_installed_program_runs_the_code_that_is_here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__file__", f"{sys.prefix}/bin/python", raising=False)
    code = capture_code()
    assert code.entry_point == "python (an installed program)"
    assert "train.py" in names_in(code)
    monkeypatch.setattr(main, "__file__", f"{Path(pytest.__file__).parent}/__main__.py")
    assert capture_code().entry_point == "pytest (an installed program)"


class Shell:
    kernel = object()


@pytest.fixture
def notebook(monkeypatch):
    fake = type(sys)("IPython")
    fake.get_ipython = Shell
    monkeypatch.setitem(sys.modules, "IPython", fake)


def test_a_notebook_is_found_where_its_server_says_it(folder, notebook, monkeypatch):
    write(folder, {"explore.ipynb": "{}"})
    monkeypatch.setenv("JPY_SESSION_NAME", str(folder / "explore.ipynb"))
    assert capture_code().entry_point == "explore.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", "gone.ipynb")
    monkeypatch.chdir(folder)
    assert capture_code().entry_point == "a notebook whose file is not known"


def test_an_entry_point_that_is_not_there_is_a_problem(folder):
    code = capture_code(str(folder / "gone.py"))
    assert "gone.py` is not there" in code.problems[0]
    assert "train.py" in names_in(code)


def test_a_working_directory_that_is_gone_is_a_problem(folder, monkeypatch):
    gone = folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    code = capture_code("train.py")
    assert "The working directory is gone." in code.problems
    assert code.digest.startswith("sha256:")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/a/b.git", "https://example.org/a/b.git"),
        ("https://me:pass@example.org:8443/a.git", "https://example.org:8443/a.git"),
        ("https://ghp_0123456789abcdef@github.com/a/b", "https://github.com/a/b"),
        ("https://me:p@ss@example.org/a.git", "https://example.org/a.git"),
        ("https://me:p/ss@example.org/a.git", "https://example.org/a.git"),
        ("https://example.org/a.git?private_token=x", "https://example.org/a.git"),
        ("ssh://git@example.org/a.git", "ssh://git@example.org/a.git"),
        ("ssh://me:pass@example.org:22/a.git", "ssh://example.org:22/a.git"),
        ("git@example.org:a/b.git", "git@example.org:a/b.git"),
        ("me@example.org:a/b.git", "example.org:a/b.git"),
        ("https://git:pass@example.org/a.git", "https://example.org/a.git"),
        ("/srv/git/a@b.git", "/srv/git/a@b.git"),
        ("../a.git", "../a.git"),
        ("file:///srv/a.git", "file:///srv/a.git"),
        ("https://example.org/a@v1", "https://example.org/a@v1"),
        ("https://example.org:443/a@v1", "https://example.org:443/a@v1"),
        ("https://[::1]:8080/a.git", "https://[::1]:8080/a.git"),
    ],
)
def test_an_address_has_no_credentials(url, expected):
    assert without_credentials(url) == expected
    assert without_credentials(expected) == expected


def test_what_recording_writes_is_no_change_of_the_code(tmp_path, home):
    script = (
        "import sys\nimport headwater as hw\n_, place, folder, seed = sys.argv\n"
        "hw.init(place, artifacts=folder)\n"
        "with hw.run('train') as run:\n"
        "    run.output(hw.model({'weights': [seed]}, name='m'), 'model')\n"
    )
    (tmp_path / "train.py").write_text(script)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    for seed in "123":
        command = [sys.executable, "train.py", "sqlite:metadata", "out/made", seed]
        subprocess.run(command, cwd=tmp_path, check=True)
    with headwater.open(f"sqlite:{tmp_path}/metadata") as store:
        (code,) = store.list_artifacts(filter="type = 'headwater.Code'").artifacts
        assert len(store.list_executions().executions) == 3
    assert not code.custom_properties["code.is_dirty"].bool_value


@pytest.mark.skipif(not os.path.exists("/proc/locks"), reason="Linux tells of locks")
def test_a_database_that_is_open_in_this_process_keeps_its_locks(folder, home, monkeypatch):
    def locks():
        lines = Path("/proc/locks").read_text().splitlines()
        return sum(line.split()[4] == str(os.getpid()) for line in lines)

    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    with headwater.open(f"sqlite:{folder}/other.db") as store:
        store.put_artifact_type(artifact_type={"name": "M"})
        before = locks()
        assert before
        found = capture_code(str(folder / "train.py"))
        assert locks() == before
    assert "other.db" in [each.path for each in found.left_out]
