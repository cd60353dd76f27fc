"""What the README shows works as it stands."""

import re
from pathlib import Path

import pytest

import headwater

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_readmes_programs_run(tmp_path, monkeypatch, capsys):
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    programs = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(programs) == 4
    for program in programs:
        exec(compile(program, str(README), "exec"), {})
    assert "0.9" in capsys.readouterr().out


def test_the_first_readmes_run_is_recorded(server):
    pytest.importorskip("grpc")
    text = (README.parents[1] / "README.md").read_text()
    (program,) = re.findall(r"```python\n(import headwater.*?)```", text, re.DOTALL)
    place = f"grpc://{server}"
    exec(compile(program.replace("grpc://127.0.0.1:8080", place), "README.md", "exec"), {})
    with headwater.open(place) as store:
        (run,) = store.list_executions(filter="custom_properties.`params.lr` = 0.1").executions
    assert run.custom_properties["metrics.loss.step"].int_value == 1
