"""The tutorials show every command; with HEMOBENCH_TUTORIALS set, each is given, and says what is printed there."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
import typer

from hemobench.cli import app, main

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"```(\w+)(?: title=(\S+))?\n(.*?)```", flags=re.DOTALL)
NOT_RUN = {"data fetch"}
"""Commands that no page can show being given: this one needs a network and an account."""
PAGES = sorted(path.name for path in (DOCS / "tutorials").glob("*.md"))
FAIL = {"REGRESS": 1}
"""Exit codes of commands that are shown to fail, by what they say."""


def steps(page: str):
    """Files to write and commands to give with what is expected of them, in order."""
    for kind, title, text in BLOCK.findall((DOCS / "tutorials" / page).read_text()):
        if title:
            yield title, text
        elif kind == "console":
            for step in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, expected = step.partition("\n")
                yield command, expected


def pattern(expected: str) -> str:
    """What is printed, whatever the width; `…` stands for anything."""
    words = " ".join(expected.split())
    return re.escape(words).replace("…", ".*").replace("\\ ", r"\s+")


def given(command: str, monkeypatch, capsys) -> tuple[int, str]:
    import shlex

    program, *arguments = shlex.split(command)
    assert program == "hemobench"
    monkeypatch.setattr(sys, "argv", ["hemobench", *arguments])
    code = 0
    try:
        main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    said = capsys.readouterr()
    return code, f"{said.err}\n{said.out}"


@pytest.mark.skipif(not os.environ.get("HEMOBENCH_TUTORIALS"), reason="minutes: every command of the tutorials")
@pytest.mark.parametrize("page", PAGES)
def test_a_tutorial(page, tmp_path, monkeypatch, capsys):
    if page == "lab.md":
        pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("HEMOBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    done = 0
    for what, content in steps(page):
        if not what.startswith("hemobench "):
            Path(what).write_text(content)
            sys.modules.pop(Path(what).stem, None)
            continue
        code, said = given(what, monkeypatch, capsys)
        failing = next((code for word, code in FAIL.items() if word in content), 0)
        assert code == failing, f"{what}\n{said}"
        assert re.search(pattern(content), " ".join(said.split()), flags=re.DOTALL), f"{what}\n{said}"
        done += 1
    assert done >= 3


def commands(group, before: str = "") -> set[str]:
    """Every command of a group, with those of the groups in it, as in `leaderboard` and `data verify`."""
    found = set()
    for name, command in group.commands.items():
        whole = f"{before}{name}"
        found |= commands(command, f"{whole} ") if hasattr(command, "commands") else {whole}
    return found


def test_every_command_is_in_a_tutorial():
    known = commands(typer.main.get_command(app))
    given = [what.removeprefix("hemobench ") for page in PAGES for what, _ in steps(page) if what.startswith("hemo")]
    shown = {command for command in known if any(f"{each} ".startswith(f"{command} ") for each in given)}
    assert known - shown == NOT_RUN
