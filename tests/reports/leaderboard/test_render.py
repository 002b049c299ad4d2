"""What people see: fits the width, hides no trouble, and takes no user's text for markup."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from hemobench.benchmarks.storage.results import Results
from hemobench.errors import BenchmarkError
from hemobench.reports.citing.citation import Citation, Cited
from hemobench.reports.export.export import to_latex
from hemobench.reports.leaderboard.model import Board, as_json
from hemobench.reports.leaderboard.ranking import leaderboard
from hemobench.reports.leaderboard.render import COLUMNS, render, to_markdown, to_svg
from hemobench.reports.text_tables import LONGEST_NAME, plain, short_names

HOSTILE = ["[red]x[/red]", "<script>alert(1)</script>", "a|b", ":smile: *x* `y`", "esc\x1b[31m\nline", "[/]", "漢字"]


def shown(boards: list[Board], width: int, **settings: Any) -> str:
    console = Console(file=StringIO(), width=width, _environ={}, **settings)
    render(boards, console)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def lines_of(text: str, name: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(name)]


@pytest.fixture
def boards(worked: Results, reference: Any) -> list[Board]:
    return leaderboard(worked, lambda name: reference, startup={"tpe": "10 random trials"})


def test_all_columns_at_190(boards: list[Board]) -> None:
    text = shown(boards, 190)
    header = next(line for line in text.splitlines() if line.startswith("Strategy"))
    assert header.split("  ")[0] == "Strategy"
    assert all(column.title in header for column in COLUMNS if column.title != "Luck")  # nobody knows it
    (row,) = lines_of(text, "tpe")
    assert re.sub(r" {2,}", "|", row.strip()) == (
        "tpe|85.00 [72.6, 97.4]|+5.00 [-27.9, +37.9]|+5.00 [-27.9, +37.9]|1.50 [1.0, 2.0]|85.00 ± 5.00|75.00 ± 5.00"
        "|0.50|2.00 (3/3)|8.00|2.00|1.50"
    )
    assert "> 10 (0/3)" in lines_of(text, "poor !")[0]
    assert lines_of(text, "poor !")[0].rstrip().endswith("1/3")
    assert "c-nmc@published v1 · 10 GPU-hours · 1 worker · 3 seeds · accuracy as seen" in text
    assert "not known: tpe leads, best with probability" in text
    assert "tpe: 10 random trials" in text


@pytest.mark.parametrize("width", range(40, 125, 3))
def test_fits_the_width_and_every_strategy_is_one_line(boards: list[Board], width: int) -> None:
    text = shown(boards, width)
    assert max(map(cell_len, text.splitlines())) <= width
    lines = text.splitlines()
    rule = next(place for place, line in enumerate(lines) if line.startswith("─"))
    assert lines[rule - 1].startswith("Strategy")
    assert [line.split()[0] for line in lines[rule + 1 : rule + 5]] == ["tpe", "random", "poor", "-"]  # none is folded
    assert "! poor: 1 strategy error, 1 run without a successful trial." in " ".join(text.split())


def test_fewer_columns_at_80_and_a_legend_of_those_shown(boards: list[Board]) -> None:
    header = lines_of(shown(boards, 80), "Strategy")[0]
    assert "Test gain" in header
    assert "Own s" not in header
    text = shown(boards, 80)
    assert not lines_of(text, "Own s")
    assert "points above random search on the same seeds" in " ".join(text.split())


def test_what_the_verdict_names_is_bold_ties_included(run: Callable[..., Any], collect: Callable[..., Results]) -> None:
    runs = [
        run(name, seed, (1, loss))
        for seed in range(10)
        for name, loss in (("random", 0.2), ("tpe", 0.2), ("poor", 0.3))
    ]
    text = shown(leaderboard(collect(runs), lambda name: None), 120, force_terminal=True, color_system="standard")
    assert "any of random or tpe will do" in text
    assert re.search(r"\x1b\[1mrandom +\x1b\[0m", text)
    assert re.search(r"\x1b\[1mtpe +\x1b\[0m", text)
    assert not re.search(r"\x1b\[1mpoor", text)
    assert not re.search(r"\x1b\[[0-9;]*3[1-7]m", text)  # nothing is said by colour


def hostile(run: Callable[..., Any], collect: Callable[..., Results]) -> list[Board]:
    runs = [run(name, 0, (1, 0.1), status="strategy-error") for name in HOSTILE]
    return leaderboard(collect(runs), lambda name: None, startup=dict.fromkeys(HOSTILE, "[bold]ten[/bold]"))


def test_hostile_names_are_shown_as_they_are(run: Callable[..., Any], collect: Callable[..., Results]) -> None:
    text = shown(hostile(run, collect), 120, force_terminal=True)
    for name in HOSTILE:
        assert f"{plain(name)} !" in text
    assert "[bold]ten[/bold]" in text
    assert "[red]no[/red] <b>luck</b>" in text
    assert "\x1b[31m" not in text


def test_hostile_names_in_markdown(run: Callable[..., Any], collect: Callable[..., Results]) -> None:
    text = to_markdown(hostile(run, collect))
    assert "<script>" not in re.sub(r"\\.", "", text)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert "\x1b" not in text


def test_hostile_names_in_the_picture(run: Callable[..., Any], collect: Callable[..., Results], tmp_path: Path) -> None:
    to_svg(hostile(run, collect), tmp_path / "board.svg")
    root = ElementTree.parse(tmp_path / "board.svg").getroot()
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert "script" not in tags
    assert "<script>alert(1)</script>" in "".join(root.itertext()).replace("\xa0", " ")


def test_the_picture_is_the_same_every_time_and_fetches_nothing(
    boards: list[Board], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_svg(boards, tmp_path / "one.svg")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    to_svg(boards, tmp_path / "two.svg")
    picture = (tmp_path / "one.svg").read_text(encoding="utf-8")
    assert picture == (tmp_path / "two.svg").read_text(encoding="utf-8")
    assert "@font-face" not in picture
    assert "url(http" not in picture


def test_a_picture_that_cannot_be_written(boards: list[Board], tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"none.board\.svg: No such file"):
        to_svg(boards, tmp_path / "none" / "board.svg")


def test_markdown(boards: list[Board]) -> None:
    lines = to_markdown(boards).splitlines()
    assert lines[0] == "### c-nmc@published v1 · 10 GPU-hours · 1 worker · 3 seeds · accuracy as seen"
    assert lines[2].startswith("**not known: tpe leads")
    lines = lines[4:]
    assert lines[2].startswith("| Strategy | Score | Gain | Test gain | Rank |")
    assert lines[4].startswith(r"| tpe | 85.00 \[72.6, 97.4\] |")
    assert lines[6].startswith(r"| poor ! | 60.00 |")
    assert any(line.startswith("- ! poor: 1 strategy error") for line in lines)
    assert "- **Start-up**: tpe: 10 random trials" in lines


def test_boards_without_rows(run: Callable[..., Any], collect: Callable[..., Results]) -> None:
    boards = leaderboard(collect([run("random", 0, (2, 0.1)), run("tpe", 1, (2, 0.1))]), lambda name: None)
    assert "Nothing is compared" in shown(boards, 80)
    assert "Nothing is compared" in to_markdown(boards)
    assert shown([], 80).strip() == ""
    assert to_markdown([]).strip() == ""


@settings(max_examples=40, deadline=None)
@given(name=st.text(min_size=1, max_size=60), width=st.integers(40, 120))
def test_any_name_fits(run: Callable[..., Any], collect: Callable[..., Results], name: str, width: int) -> None:
    boards = leaderboard(collect([run(name, 0, (1, 0.1))]), lambda benchmark: None)
    assert max(map(cell_len, shown(boards, width).splitlines())) <= width
    assert to_markdown(boards).count("\n| ") == 3


LONG = "package.of.somebody_with_many_words:Strategy"


def test_labels_are_cut_in_the_middle_and_only_where_they_stay_distinct() -> None:
    assert short_names(["tpe", "smac"]) == {"tpe": "tpe", "smac": "smac"}
    short = short_names([LONG])[LONG]
    assert len(short) == LONGEST_NAME
    assert LONG.startswith(short.partition("…")[0])
    assert LONG.endswith(short.partition("…")[2])
    alike = [f"package.of.somebody.{word}.and_the_same_ending" for word in ("first", "other")]
    assert short_names(alike) == {name: name for name in alike}
    assert short_names([*alike, LONG])[LONG] == short


@pytest.mark.parametrize("width", [60, 80, 110, 200])
def test_all_boards_show_the_same_columns(boards: list[Board], width: int) -> None:
    """Also where one has wider figures than the other, or none to show; what is missing is named."""
    (board, *_) = boards
    bare = replace(board, benchmark="bone-marrow@published", rows=tuple(replace(row, test=None) for row in board.rows))
    wide = replace(board, rows=tuple(replace(row, strategy=f"{row.strategy}-{LONG}") for row in board.rows))
    text = shown([board, bare, wide], width)
    headers = {" ".join(line.split()) for line in lines_of(text, "Strategy  ") if "Score" in line}
    assert len(headers) == 1
    there = headers.pop()
    missing = " ".join(text.partition("Not shown")[2].split())
    for column in COLUMNS:
        if column.title != "Luck":  # nobody knows it
            assert (column.title in there) != (column.title in missing)


def test_what_results_are_cited_by_stands_on_every_board(boards: list[Board], tmp_path: Path) -> None:
    checksums = {"data": "d92cea7f0721b06a", "answers": "30fff0d598111ed3"}
    days = ("2026-11-20", "2026-11-21")
    cited = Citation(("quick",), ("0.1.0",), ("e76fccb4bd0a",), days, (Cited("c-nmc@recorded", 2, checksums),))
    made = "suite quick · hemobench 0.1.0 · commit e76fccb4bd0a · 2026-11-20 to 2026-11-21"
    console = Console(file=StringIO(), width=160, _environ={})
    render(boards, console, (), cited)
    to_svg(boards, tmp_path / "board.svg", 160, (), cited)
    picture = re.sub(r"<[^>]*>|&#160;", " ", (tmp_path / "board.svg").read_text())
    markdown, latex = to_markdown(boards, (), cited), to_latex(boards, (), cited)
    for text in (console.file.getvalue(), picture, markdown, latex):  # type: ignore[attr-defined]
        said = " ".join(text.split())
        assert made in said
        assert "c-nmc@recorded v2 (data d92cea7f, answers 30fff0d5)" in said.replace("\\_", "_")
        assert "not for citing" not in said
    assert as_json(boards, (), cited)["cited"]["benchmarks"][0]["checksums"] == checksums
    dirty = replace(cited, commits=("e76fccb4bd0a-dirty",))
    assert "not for citing" in to_markdown(boards, (), dirty)
    assert not as_json(boards, (), dirty)["cited"]["clean"]
