"""The strategy that CONTRIBUTING shows is complete: it keeps the contract, and it is run as shown."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from hemobench.cli import app
from hemobench.errors import BenchmarkError

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()
FILES = dict(re.findall(r"```python title=(\w+\.py)\n(.*?)```", PAGE, flags=re.DOTALL))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder that holds what is shown, from which commands are given."""
    for name in ("climber.py", "test_climber.py"):
        (tmp_path / name).write_text(FILES[name])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "climber", raising=False)
    return tmp_path


def test_it_keeps_the_contract_as_shown(place):
    shown: dict = {}
    exec(compile(FILES["test_climber.py"], "test_climber.py", "exec"), shown)
    tests = [function for name, function in shown.items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test()


def command() -> list[str]:
    (line,) = re.findall(r"^hemobench (run papers .*climber:Climber)$", PAGE, flags=re.MULTILINE)
    return line.split()


def test_it_is_run_as_shown(place, capsys):
    app([*command(), "--out", "results", "--jobs", "1"], standalone_mode=False)
    assert "climber.Climber" in capsys.readouterr().out
    assert len(list(Path("results").rglob("end.json"))) == 2 * 3


def test_a_setting_that_it_does_not_take_is_refused(place):
    suite = 'strategies = [{ name = "climber:Climber", settings = { patience = 0 } }]\n'
    Path("mine.toml").write_text(suite + '[[benchmarks]]\nname = "c-nmc@published"\ngpu_hours = [4]\n')
    with pytest.raises(BenchmarkError, match="patience = 0: Input should be greater than or equal to 1"):
        app(["run", "mine.toml"], standalone_mode=False)
