"""`headwater.repository`: a commit with its patch says exactly which code ran."""

import hashlib
import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest
from folders import names_in, write

from headwater import code as module
from headwater import repository as git_part
from headwater.code import capture_code

pytestmark = pytest.mark.usefixtures("home")

GIT = shutil.which("git")
if GIT is None:
    assert not os.environ.get("HEADWATER_TEST_REQUIRED"), "git is not installed"
needs_git = pytest.mark.skipif(GIT is None, reason="git is not installed")


def git(folder, *arguments, **options):
    words = ["git", "-c", "user.name=n", "-c", "user.email=n@example.org", *arguments]
    done = subprocess.run(words, cwd=folder, capture_output=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("utf-8", "replace").strip()


def commit(folder):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "m")
    return git(folder, "rev-parse", "HEAD")


def repository(folder, files, *options):
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main", *options)
    write(folder, files)
    commit(folder)
    return folder


FILES = {
    "train.py": "print(1)\n",
    "lib/model.py": "a = 1\nb = 2\nc = 3\n",
    "image.bin": bytes(range(256)),
    "run.sh": "#!/bin/sh\n",
    "old name.py": "old\n" * 20,
    "dos.txt": b"one\r\ntwo\r\n",
    ".gitignore": "ignored/\n*.log\n",
}


@pytest.fixture
def repo(tmp_path):
    return repository(tmp_path / "repo", FILES)


def tree(folder):
    """Every file but git's: its kind, whether it can be run, its bytes."""
    found = {}
    root = os.fsencode(str(folder))
    for above, folders, names in os.walk(root):
        if b".git" in folders:
            folders.remove(b".git")
        for name in names + [each for each in folders if os.path.islink(os.path.join(above, each))]:
            full = os.path.join(above, name)
            path = os.path.relpath(full, root)
            if path == b".git":  # of a work tree
                continue
            if os.path.islink(full):
                found[path] = ("link", os.readlink(full))
            else:
                mode = bool(os.lstat(full).st_mode & stat.S_IXUSR)
                found[path] = (mode, Path(os.fsdecode(full)).read_bytes())
    return found


def everything(folder):
    """All that a command might touch, git's own files too, with times."""
    found = {}
    for above, _, names in os.walk(os.fsencode(str(folder))):
        for name in names:
            full = os.path.join(above, name)
            read = b"" if os.path.islink(full) else Path(os.fsdecode(full)).read_bytes()
            found[full] = (os.lstat(full).st_mtime_ns, read)
    return found


def reproduced(code, repo, tmp_path, *options):
    """What one gets from the commit and the patch in a clean clone."""
    clone = tmp_path / "clone"
    shutil.rmtree(clone, ignore_errors=True)
    if code.commit is None:
        clone.mkdir()
        git(clone, "init", "--quiet")
    else:
        git(tmp_path, *options, "clone", "--quiet", "--no-local", str(repo), str(clone))
        git(clone, *options, "checkout", "--quiet", code.commit)
    if code.patch:
        git(clone, *options, "apply", input=code.patch)
    return tree(clone)


# With a repository.


@needs_git
def test_a_clean_repository_is_its_commit(repo):
    git(repo, "remote", "add", "origin", "https://me:secret@example.org/team/repo.git")
    code = capture_code(str(repo / "train.py"))
    assert code.commit == git(repo, "rev-parse", "HEAD")
    assert (code.branch, code.is_dirty, code.patch) == ("main", False, b"")
    assert code.remote == "https://example.org/team/repo.git"
    assert (code.entry_point, code.folder) == ("train.py", os.path.realpath(repo))
    assert (code.snapshot, code.left_out, code.problems, code.submodules) == (None, (), (), ())
    assert code.digest.startswith("sha256:")
    assert len(code.digest) == 71


@needs_git
def test_an_entry_point_is_relative_to_the_repository(repo, monkeypatch):
    assert capture_code(str(repo / "lib" / "model.py")).entry_point == "lib/model.py"
    monkeypatch.chdir(repo / "lib")
    assert capture_code("model.py").entry_point == "lib/model.py"


def replace_by_folder(repo):
    (repo / "train.py").unlink()
    write(repo, {"train.py/a.py": "a\n"})


def replace_by_link(repo):
    (repo / "train.py").unlink()
    (repo / "train.py").symlink_to("lib/model.py")


def replace_folder_by_link(repo):
    shutil.move(str(repo / "lib"), str(repo / "elsewhere"))
    (repo / "lib").symlink_to("elsewhere")
    write(repo, {"elsewhere/model.py": "behind the link\n"})


def rename(repo):
    git(repo, "mv", "old name.py", "new name.py")
    write(repo, {"new name.py": "old\n" * 19 + "new\n"})


def stage_and_change_again(repo):
    write(repo, {"train.py": "staged\n", "lib/new.py": "staged\n"})
    git(repo, "add", "--all")
    write(repo, {"train.py": "changed again\n"})
    (repo / "lib/new.py").unlink()


def conflict(repo):
    git(repo, "checkout", "--quiet", "-b", "other")
    write(repo, {"train.py": "theirs\n"})
    commit(repo)
    git(repo, "checkout", "--quiet", "main")
    write(repo, {"train.py": "ours\n"})
    commit(repo)
    words = ["git", "-c", "user.name=n", "-c", "user.email=n@e.org", "merge", "other"]
    assert subprocess.run(words, cwd=repo, capture_output=True).returncode == 1


def hide(flag):
    def change(repo):
        git(repo, "update-index", flag, "train.py")
        write(repo, {"train.py": "hidden\n"})

    return change


def unwatch_in_the_index(repo):
    """`git rm --cached`: git says that it is deleted, and it runs all the same."""
    write(repo, {"train.py": "changed\n", ".gitignore": "train.py\n"})
    git(repo, "rm", "--quiet", "--cached", "train.py")


ODD_NAMES = [
    b"with space.py", b"with\nline break.py", b"with\ttab.py", b'with "quotes".py', b"-dash.py",
    b"back\\slash.py", "\u00fcml\u00e4ut.py".encode(), b":(glob)magic.py", b"\xff\xfe not utf-8.py",
    b"sub folder/trailing .py", b"*.py", b"a\x01b.py",
]  # fmt: skip


def odd_names(repo):
    try:
        write(repo, dict.fromkeys(ODD_NAMES, b"odd\n"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")


def crlf(repo):
    text = b"one\r\ntwo\r\nthree\nlast without end\r"
    write(
        repo, {"dos.txt": text, "new dos.py": text, "lib/model.py": b"a = 1\r\nb = 2\r\nc = 3\r\n"}
    )


CHANGES = {
    "text": lambda repo: write(repo, {"lib/model.py": "a = 1\nb = 20\nc = 3"}),
    "empty file": lambda repo: write(repo, {"empty.py": b"", "train.py": b""}),
    "binary": lambda repo: write(
        repo, {"image.bin": bytes(range(255, -1, -1)), "new.bin": b"\0\1"}
    ),
    "untracked": lambda repo: write(repo, {"new.py": "new\n", "deep/er/new.py": "x\n"}),
    "trailing blanks": lambda repo: write(repo, {"train.py": "a  \n\t\n \n\n\n"}),
    "deleted": lambda repo: (repo / "train.py").unlink(),
    "all of a folder deleted": lambda repo: shutil.rmtree(repo / "lib"),
    "renamed": rename,
    "made a program": lambda repo: (repo / "train.py").chmod(0o755),
    "new program": lambda repo: (
        write(repo, {"x.sh": "#!/bin/sh\n"}),
        (repo / "x.sh").chmod(0o755),
    ),
    "folder in place of a file": replace_by_folder,
    "link in place of a file": replace_by_link,
    "link in place of a folder": replace_folder_by_link,
    "untracked link out": lambda repo: (repo / "link.py").symlink_to("/etc/hostname"),
    "staged": stage_and_change_again,
    "conflict": conflict,
    "assumed unchanged": hide("--assume-unchanged"),
    "skipped": hide("--skip-worktree"),
    "meant to be added": lambda repo: (
        write(repo, {"n.py": "n\n"}),
        git(repo, "add", "-N", "n.py"),
    ),
    "out of the index": unwatch_in_the_index,
    "odd names": odd_names,
    "crlf": crlf,
}


@needs_git
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_patch_makes_every_file_byte_for_byte(repo, tmp_path, change):
    clean = capture_code(str(repo / "run.sh"))
    change(repo)
    before = everything(repo)
    code = capture_code(str(repo / "run.sh"))
    assert everything(repo) == before
    assert code.is_dirty
    assert code.patch
    assert code.digest != clean.digest
    assert (code.left_out, code.problems) == ((), ())
    made = reproduced(code, repo, tmp_path)
    assert made == tree(repo)
    for path, sha256 in code.changes.items():
        if sha256 is not None and "\\x" not in path:
            data = made[os.fsencode(path)][1]
            assert sha256 == "sha256:" + hashlib.sha256(data).hexdigest()
        else:
            assert sha256 or os.fsencode(path) not in made
    assert code.changes


@needs_git
@pytest.mark.parametrize("setting", ["true", "input"])
@pytest.mark.parametrize("attributes", ["", "* text=auto\n", "*.py text eol=crlf\n"])
def test_line_ends_are_those_on_disk(tmp_path, setting, attributes):
    repo = repository(tmp_path / "repo", {"a.py": b"1\n2\n", ".gitattributes": attributes})
    git(repo, "config", "core.autocrlf", setting)
    (repo / "a.py").unlink()
    git(repo, "checkout", "a.py")
    assert not capture_code(str(repo / "a.py")).is_dirty
    write(repo, {"a.py": b"1\r\n2\r\n3\r\n", "b.py": b"b\r\nc\r\n"})
    code = capture_code(str(repo / "a.py"))
    for options in ([], ["-c", f"core.autocrlf={setting}"]):
        made = reproduced(code, repo, tmp_path, *options)
        assert {name: made[name] for name in (b"a.py", b"b.py")} == {
            b"a.py": (False, b"1\r\n2\r\n3\r\n"),
            b"b.py": (False, b"b\r\nc\r\n"),
        }


@needs_git
def test_an_untouched_file_with_new_times_is_clean(repo):
    for path in repo.rglob("*.py"):
        os.utime(path, (1, 1))
    code = capture_code(str(repo / "train.py"))
    assert (code.is_dirty, code.patch) == (False, b"")


@needs_git
def test_a_change_in_the_moment_of_the_index_is_seen(repo):
    # Git trusts the times of a file that is older than the index, so a copy must be as old.
    git(repo, "config", "core.trustctime", "false")
    git(repo, "config", "core.checkStat", "minimal")
    path = repo / "train.py"
    os.utime(path, (1_600_000_000, 1_600_000_000))
    git(repo, "update-index", "--refresh")
    write(repo, {"train.py": "print(2)\n"})
    os.utime(path, (1_600_000_000, 1_600_000_000))
    os.utime(repo / ".git" / "index", (1_600_000_000, 1_600_000_000))
    assert b"+print(2)" in capture_code(str(path)).patch


@needs_git
def test_what_is_taken_out_of_the_index_only_is_the_same_code(repo):
    clean = capture_code(str(repo / "run.sh"))
    with open(repo / ".git" / "info" / "exclude", "a") as file:
        file.write("train.py\n")
    git(repo, "rm", "--quiet", "--cached", "train.py")
    code = capture_code(str(repo / "run.sh"))
    assert (code.digest, code.patch, code.is_dirty) == (clean.digest, b"", False)


@needs_git
def test_ignored_files_are_not_code(repo):
    clean = capture_code(str(repo / "train.py"))
    write(repo, {"ignored/x.py": "x\n", "run.log": "x\n"})
    assert capture_code(str(repo / "train.py")) == clean


@needs_git
def test_an_ignored_entry_point_is_in_a_snapshot(repo):
    write(repo, {"ignored/x.py": "x\n"})
    code = capture_code(str(repo / "ignored" / "x.py"))
    assert code.commit
    assert names_in(code) == ["x.py"]
    assert "ignores the entry point" in code.problems[0]
    write(repo, {"ignored/x.py": "y\n"})
    assert capture_code(str(repo / "ignored" / "x.py")).digest != code.digest


@needs_git
def test_the_digest_is_of_commit_and_changes(repo, tmp_path):
    copy = tmp_path / "another place"
    git(tmp_path, "clone", "--quiet", str(repo), str(copy))
    for folder in (repo, copy):
        write(folder, {"train.py": "changed\n", "new.py": "new\n"})
    # How it is staged is no difference.
    git(copy, "add", "new.py")
    first, second = (capture_code(str(each / "train.py")) for each in (repo, copy))
    assert first.digest == second.digest
    assert first.patch == second.patch
    digests = {first.digest}
    for path, data in [("train.py", "other\n"), ("new.py", "other\n"), ("third.py", "")]:
        write(copy, {path: data})
        digests.add(capture_code(str(copy / "train.py")).digest)
    (copy / "third.py").chmod(0o755)
    digests.add(capture_code(str(copy / "train.py")).digest)
    commit(copy)
    digests.add(capture_code(str(copy / "train.py")).digest)
    assert len(digests) == 6


@needs_git
def test_a_detached_head_has_no_branch(repo):
    git(repo, "checkout", "--quiet", "--detach")
    code = capture_code(str(repo / "train.py"))
    assert (code.branch, code.commit) == (None, git(repo, "rev-parse", "HEAD"))


@needs_git
def test_a_repository_without_a_commit_is_a_patch_on_nothing(tmp_path):
    repo = tmp_path / "repo"
    repo.mkdir()
    git(repo, "init", "--quiet", "--initial-branch=main")
    write(repo, {"train.py": "a\n", "staged.bin": b"\0\1"})
    git(repo, "add", "staged.bin")
    code = capture_code(str(repo / "train.py"))
    assert (code.commit, code.branch, code.is_dirty) == (None, "main", True)
    assert code.problems == ("The repository has no commit yet, so the patch is on an empty tree.",)
    assert reproduced(code, repo, tmp_path) == tree(repo)


@needs_git
def test_a_repository_of_sha256_is_like_another(tmp_path):
    words = ["git", "init", "--quiet", "--object-format=sha256", str(tmp_path / "repo")]
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("this git knows SHA-1 only")
    repo = repository(tmp_path / "repo", FILES)
    write(repo, {"train.py": "changed\n", "image.bin": b"\0"})
    code = capture_code(str(repo / "train.py"))
    assert len(code.commit) == 64
    assert reproduced(code, repo, tmp_path) == tree(repo)


@needs_git
def test_a_work_tree_of_its_own_is_a_repository(repo, tmp_path):
    other = tmp_path / "other"
    git(repo, "worktree", "add", "--quiet", str(other), "-b", "side")
    write(other, {"train.py": "side\n"})
    code = capture_code(str(other / "train.py"))
    assert (code.branch, code.folder) == ("side", os.path.realpath(other))
    assert reproduced(code, repo, tmp_path) == tree(other)


@needs_git
def test_a_sparse_checkout_is_clean(repo):
    git(repo, "sparse-checkout", "set", "--no-cone", "/train.py")
    assert not (repo / "lib").exists()
    assert not capture_code(str(repo / "train.py")).is_dirty


@needs_git
def test_submodules_say_their_commits(repo, tmp_path):
    inner = repository(tmp_path / "inner", {"x.py": "x\n"})
    allowed = ["-c", "protocol.file.allow=always"]
    git(repo, *allowed, "submodule", "--quiet", "add", str(inner), "sub")
    commit(repo)
    # Git's own commands say nothing of it then.
    git(repo, "config", "diff.ignoreSubmodules", "all")
    git(repo, "config", "submodule.sub.ignore", "all")
    first = capture_code(str(repo / "train.py"))
    sha = git(repo / "sub", "rev-parse", "HEAD")
    assert [(each.path, each.commit, each.is_dirty) for each in first.submodules] == [
        ("sub", sha, False)
    ]
    assert not first.is_dirty
    write(repo, {"sub/x.py": "changed\n"})
    changed = capture_code(str(repo / "train.py"))
    assert changed.submodules[0].is_dirty
    assert changed.is_dirty
    assert "submodule `sub`" in changed.problems[0]
    commit(repo / "sub")
    moved = capture_code(str(repo / "train.py"))
    assert (moved.submodules[0].commit, moved.submodules[0].is_dirty) == (
        git(repo / "sub", "rev-parse", "HEAD"),
        False,
    )
    assert moved.is_dirty
    assert len({each.digest for each in (first, changed, moved)}) == 3


@needs_git
def test_a_large_untracked_file_is_left_out_and_named(repo, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TEXT_BYTES_MAX", 1000)
    write(repo, {"data.csv": b"x" * 1001, "small.csv": b"x" * 1000, "long.py": b"#" * 1001})
    code = capture_code(str(repo / "train.py"))
    (left,) = code.left_out
    assert (left.path, left.size_bytes) == ("data.csv", 1001)
    assert left.sha256 == "sha256:" + hashlib.sha256(b"x" * 1001).hexdigest()
    made = reproduced(code, repo, tmp_path)
    assert made == {path: kept for path, kept in tree(repo).items() if path != b"data.csv"}
    write(repo, {"data.csv": b"y" * 1001})
    assert capture_code(str(repo / "train.py")).digest != code.digest


@needs_git
def test_all_that_is_kept_has_a_limit(repo):
    write(repo, {"train.py": b"#" * 600, "a.py": b"#" * 300, "b.py": b"#" * 200})
    code = capture_code(str(repo / "train.py"), snapshot_bytes_max=1000)
    assert [each.path for each in code.left_out] == ["b.py"]
    assert len(code.patch) < 2000
    # A staged version must not come in through the index.
    git(repo, "add", "--all")
    staged = capture_code(str(repo / "train.py"), snapshot_bytes_max=500)
    assert [each.path for each in staged.left_out] == ["train.py"]
    assert b"b/train.py" not in staged.patch
    assert staged.is_dirty


@needs_git
def test_a_hash_that_takes_too_long_is_not_made(repo, monkeypatch):
    monkeypatch.setattr(module, "HASHED_BYTES_MAX", 10)
    monkeypatch.setattr(module, "TEXT_BYTES_MAX", 1)
    write(repo, {"data.csv": b"x" * 11})
    code = capture_code(str(repo / "train.py"))
    assert (code.left_out[0].sha256, code.left_out[0].size_bytes) == (None, 11)
    assert "too large to be hashed" in code.problems[0]


@needs_git
def test_what_may_hold_secrets_is_left_out(repo):
    write(
        repo, {".env": "API=hunter2\n", "deploy.pem": "x", "id_rsa": "x", ".env.example": "API=\n"}
    )
    code = capture_code(str(repo / "train.py"))
    assert [each.path for each in code.left_out] == [".env", "deploy.pem", "id_rsa"]
    assert all(each.sha256 is None for each in code.left_out)
    assert b"hunter2" not in code.patch
    assert b".env.example" in code.patch
    write(repo, {".env": "API=other\n"})
    assert capture_code(str(repo / "train.py")).digest == code.digest


@needs_git
def test_a_file_in_another_encoding_is_made_again(tmp_path):
    files = {
        ".gitattributes": "*.txt working-tree-encoding=UTF-16LE\n",
        "a.txt": "a".encode("utf-16-le"),
    }
    repo = repository(tmp_path / "repo", {**files, "train.py": "x\n"})
    write(repo, {"a.txt": "b\nc\u00e4\n".encode("utf-16-le"), "new.txt": "n\n".encode("utf-16-le")})
    code = capture_code(str(repo / "train.py"))
    assert code.problems == ()
    assert reproduced(code, repo, tmp_path) == tree(repo)


@needs_git
def test_what_a_filter_takes_away_is_in_the_patch(repo, tmp_path):
    # As of nbstripout and LFS: what git takes for unchanged is clean, else the bytes on disk count.
    git(repo, "config", "filter.strip.clean", "sed s/output.*//")
    write(repo, {".gitattributes": "*.ipynb filter=strip\n", "n.ipynb": "code\noutput 1\n"})
    commit(repo)
    write(repo, {"n.ipynb": "code\noutput 2\n"})
    assert not capture_code(str(repo / "train.py")).is_dirty
    write(repo, {"n.ipynb": "other\noutput 2\n"})
    code = capture_code(str(repo / "train.py"))
    assert reproduced(code, repo, tmp_path) == tree(repo)


@needs_git
def test_what_the_repository_has_encrypted_is_left_out(repo):
    git(repo, "config", "filter.git-crypt.clean", "tr a-z A-Z")
    write(repo, {".gitattributes": "secret.py filter=git-crypt\n", "secret.py": "plain\n"})
    commit(repo)
    write(repo, {"secret.py": "plainer\n"})
    code = capture_code(str(repo / "train.py"))
    assert [each.path for each in code.left_out] == ["secret.py"]
    assert b"plain" not in code.patch


@needs_git
def test_a_repository_in_the_repository_is_named(repo):
    repository(repo / "inner", {"x.py": "x\n"})
    code = capture_code(str(repo / "train.py"))
    assert [each.path for each in code.left_out] == ["inner/"]
    assert "no submodule" in code.left_out[0].reason


SETTINGS = [
    ("diff.external", "{trap}"), ("core.fsmonitor", "{trap}"), ("core.pager", "{trap}"),
    ("diff.noprefix", "true"), ("diff.mnemonicPrefix", "true"), ("color.ui", "always"),
    ("color.diff", "always"), ("color.status", "always"), ("diff.context", "0"),
    ("diff.renames", "copies"), ("status.renames", "copies"), ("diff.algorithm", "patience"),
    ("diff.submodule", "log"), ("diff.wordRegex", "."), ("diff.relative", "true"),
    ("diff.trap.command", "{trap}"), ("diff.trap.textconv", "{trap}"),
    ("diff.ignoreSubmodules", "all"), ("status.showUntrackedFiles", "no"),
    ("status.relativePaths", "true"), ("status.short", "true"), ("status.branch", "false"),
    ("core.quotePath", "false"), ("core.splitIndex", "true"), ("core.untrackedCache", "true"),
    ("commit.gpgSign", "true"), ("log.showSignature", "true"), ("gpg.program", "{trap}"),
    ("core.hooksPath", "{hooks}"), ("core.askPass", "{trap}"), ("credential.helper", "{trap}"),
    ("core.editor", "{trap}"), ("core.sshCommand", "{trap}"), ("alias.status", "!{trap}"),
    ("interactive.diffFilter", "{trap}"), ("core.whitespace", "trailing-space"),
    ("diff.orderFile", "/dev/null"), ("diff.suppressBlankEmpty", "true"),
    ("core.trustctime", "false"), ("core.attributesFile", "{attributes}"),
]  # fmt: skip


@needs_git
def test_hooks_and_settings_neither_run_nor_matter(repo, tmp_path, home, monkeypatch):
    write(repo, {"lib/model.py": "a = 1\nb = 20\nc = 3\n", "new \u00e4.py": "new\n"})
    git(repo, "mv", "old name.py", "older name.py")
    plain = capture_code(str(repo / "train.py"))
    sprung = tmp_path / "sprung"
    trap = tmp_path / "trap"
    trap.write_text(f'#!/bin/sh\necho "$0 $*" >> {sprung}\n')
    trap.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "post-checkout", "fsmonitor-watchman", "pre-auto-gc"):
        shutil.copy(trap, hooks / name)
        shutil.copy(trap, repo / ".git" / "hooks" / name)
    attributes = tmp_path / "attributes"
    attributes.write_text("*.py diff=trap\n")
    for name, value in SETTINGS:
        filled = value.format(trap=trap, hooks=hooks, attributes=attributes)
        git(home, "config", "--global", name, filled)
    for name in ("GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_ASKPASS", "GIT_EDITOR", "GIT_SSH"):
        monkeypatch.setenv(name, str(trap))
    monkeypatch.setenv("GIT_TRACE", "1")
    monkeypatch.setenv("GIT_DIFF_OPTS", "--unified=0")
    before = everything(repo)
    code = capture_code(str(repo / "train.py"))
    assert not sprung.exists(), sprung.read_text()
    assert everything(repo) == before
    assert code == plain


@needs_git
def test_a_hook_that_runs_it_is_in_no_other_repository(repo, tmp_path, monkeypatch):
    plain = capture_code(str(repo / "train.py"))
    other = repository(tmp_path / "other", {"x.py": "x\n"})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert capture_code(str(repo / "train.py")) == plain


@needs_git
def test_a_file_mode_that_is_not_looked_at_stays(repo):
    git(repo, "config", "core.fileMode", "false")
    (repo / "train.py").chmod(0o755)
    write(repo, {"new.py": "n\n"})
    (repo / "new.py").chmod(0o755)
    patch = capture_code(str(repo / "train.py")).patch
    assert b"new file mode 100644" in patch
    assert b"train.py" not in patch


@needs_git
def test_few_processes_answer(repo, monkeypatch):
    started = []
    start = subprocess.Popen.__init__

    def count(self, command, *arguments, **options):
        started.append(next(word for word in command[1:] if word in COMMANDS))
        start(self, command, *arguments, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", count)
    capture_code(str(repo / "train.py"))
    assert len(started) <= 4
    started.clear()
    write(repo, {"train.py": "x\n", **{f"{number}.py": "x\n" for number in range(50)}})
    capture_code(str(repo / "train.py"))
    assert len(started) == len(set(started)) <= 8


COMMANDS = (
    "rev-parse config ls-files status check-attr read-tree update-index diff-index hash-object"
).split()


@needs_git
def test_ten_thousand_files_are_quick(tmp_path):
    repo = repository(tmp_path / "repo", {f"{n % 100}/{n}.py": f"{n}\n" for n in range(10_000)})
    for number in range(200):
        write(repo, {f"new/{number}.py": f"{number}\n"})
    started = time.monotonic()
    code = capture_code(str(repo / "0" / "0.py"))
    assert time.monotonic() - started < 10
    assert code.patch.count(b"new file mode") == 200


# A repository that cannot be asked.


def check_it_is_a_snapshot(code, problem):
    assert (code.commit, code.branch, code.is_dirty, code.patch) == (None, None, None, None)
    assert "train.py" in names_in(code)
    assert any(problem in each for each in code.problems), code.problems
    assert all(each.endswith(".") for each in code.problems)


@needs_git
def test_without_git_it_is_a_snapshot(repo, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    check_it_is_a_snapshot(capture_code(str(repo / "train.py")), "git is not installed")


@needs_git
def test_a_repository_of_somebody_else_is_a_snapshot(repo, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    check_it_is_a_snapshot(capture_code(str(repo / "train.py")), "dubious ownership")


def spoil_head(repo):
    (repo / ".git" / "HEAD").write_text("nonsense")


def spoil_index(repo):
    (repo / ".git" / "index").write_bytes(b"nonsense")


def spoil_objects(repo):
    shutil.rmtree(repo / ".git" / "objects")


def lose_objects(repo):
    shutil.rmtree(repo / ".git" / "objects")
    (repo / ".git" / "objects").mkdir()


def spoil_settings(repo):
    (repo / ".git" / "config").write_text("[[[")


def spoil_link(repo):
    shutil.rmtree(repo / ".git")
    (repo / ".git").write_text("gitdir: /nowhere\n")


@needs_git
@pytest.mark.parametrize(
    "spoil",
    [spoil_head, spoil_index, spoil_objects, lose_objects, spoil_settings, spoil_link],
)
def test_a_corrupted_repository_is_a_snapshot(repo, spoil):
    spoil(repo)
    write(repo, {"train.py": "changed\n"})
    check_it_is_a_snapshot(capture_code(str(repo / "train.py")), "cannot be read")


@needs_git
def test_a_git_that_hangs_is_ended(repo, tmp_path, monkeypatch):
    monkeypatch.setattr(git_part, "GIT_TIMEOUT_S", 0.3)
    programs = tmp_path / "programs"
    programs.mkdir()
    alive = tmp_path / "alive"
    (programs / "git").write_text(f"#!/bin/sh\n(sleep 2; touch {alive}) &\nsleep 30\n")
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    started = time.monotonic()
    check_it_is_a_snapshot(capture_code(str(repo / "train.py")), "takes more than 0.3 s")
    assert time.monotonic() - started < 2
    time.sleep(max(0, started + 2.5 - time.monotonic()))
    assert not alive.exists()


@needs_git
def test_a_patch_that_cannot_be_made_is_a_snapshot(repo, monkeypatch):
    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(git_part, "_patch", fail)
    write(repo, {"train.py": "changed\n"})
    code = capture_code(str(repo / "train.py"))
    assert (code.patch, code.is_dirty) == (None, True)
    assert code.commit == git(repo, "rev-parse", "HEAD")
    assert "train.py" in names_in(code)
    assert code.problems == ("The patch cannot be made: no space.",)


@needs_git
@pytest.mark.parametrize("name", ["train.py", "new.py"])
def test_an_unreadable_file_is_a_problem(repo, unreadable, name):
    write(repo, {name: "changed\n", "other.py": "other\n"})
    unreadable(repo / name)
    code = capture_code(str(repo / "run.sh"))
    assert [each.path for each in code.left_out] == [name]
    assert code.problems == (f"`{name}` cannot be read: permission denied.",)
    assert b"other.py" in code.patch
    assert name.encode() not in code.patch


@needs_git
@pytest.mark.parametrize("name", ["train.py", "new.py"])
def test_a_file_that_vanishes_is_gone(repo, tmp_path, vanishing, name):
    write(repo, {name: "changed\n", "other.py": "other\n"})
    vanishing(repo / name)
    code = capture_code(str(repo / "run.sh"))
    assert code.problems == (f"`{name}` went away while it was read.",)
    assert reproduced(code, repo, tmp_path) == tree(repo)


@needs_git
def test_a_pipe_in_place_of_a_file_does_not_wait(repo):
    (repo / "train.py").unlink()
    os.mkfifo(repo / "train.py")
    code = capture_code(str(repo / "run.sh"))
    assert [each.path for each in code.left_out] == ["train.py"]
