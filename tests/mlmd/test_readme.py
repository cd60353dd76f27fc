"""The README's blocks do what they say.

`bash examples/run.sh` and `bash test.sh` are not run from here: CI runs both.
"""

import re
import shlex
import subprocess
import sys

from headwater_process import BINARY, REPOSITORY

README = (REPOSITORY / "README.md").read_text()
ELSEWHERE = ("bash examples/run.sh", "bash test.sh")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands():
    lines = "".join(blocks("console")).splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def test_each_command_runs_and_the_python_stores_what_the_shell_reads(serve, tmp_path):
    server = serve(tmp_path / "headwater.db")
    code, _ = blocks("python")  # the other one is for python/tests/test_readme.py
    code = code.replace("port=8080", f"port={server.port}")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=tmp_path)

    ran = []
    for command in commands():
        if command in ELSEWHERE:
            continue
        program, *arguments = shlex.split(command.replace("127.0.0.1:8080", server.address))
        assert program == "target/release/headwater", command
        if arguments == ["serve"]:
            line = README.split("headwater serve\n")[1].splitlines()[0]
            ready = server.ready_line.replace(server.address, "127.0.0.1:8080")
            assert ready.replace(str(server.path), "./headwater.db") == line
            continue
        ended = subprocess.run(
            [BINARY, *arguments], capture_output=True, text=True, timeout=60, cwd=tmp_path
        )
        assert ended.returncode == 0, f"{command}\n{ended.stderr}"
        assert "churn" in ended.stdout, command
        ran.append(command)
    assert len(ran) == 4
