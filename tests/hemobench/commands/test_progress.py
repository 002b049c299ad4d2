"""What the screen says of work that is going on, and of work that is interrupted."""

from __future__ import annotations

import io
import sys

import pytest
import typer
from rich.console import Console

from hemobench.benchmarks.execution.progress import Step, tell
from hemobench.commands import bar as bars
from hemobench.commands import workers
from hemobench.commands.progress import interruptible, progress
from hemobench.commands.workers import Workers


def test_a_line_for_each_process_from_the_whole_to_its_parts():
    heard = Workers("trials")
    for step in (
        Step("run", note="c-nmc@live random, seed 0", worker=1),
        Step("trials", 3, 15, "0.2 of 1 GPU-hours", 0.2, worker=1),
        Step("epochs", 4, 10, "accuracy 81.0 %", worker=1),
        Step("images", 512, 2000, worker=2),
    ):
        heard.hear(step)
    first = "c-nmc@live random, seed 0, trial 3 of 15 · 0.2 of 1 GPU-hours, epoch 4 of 10 · accuracy 81.0 %"
    assert heard.lines() == [first, "512 of 2,000 images decoded"]
    heard.hear(Step("trials", 4, 15, "0.3 of 1 GPU-hours", 0.3, worker=1))
    assert "epoch" not in heard.lines()[0]  # those were of the trial before
    heard.hear(Step("images", 2000, 2000, worker=2))
    heard.hear(Step("run", worker=1))
    assert heard.lines() == []


def test_time_left_is_at_the_pace_since_the_first_trial_here(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(workers.time, "monotonic", lambda: now[0])
    heard = Workers("trials")
    heard.hear(Step("trials", 6, 10, "", 0.6))  # five of them were there when this process began
    assert "left" not in heard.lines()[0]
    now[0] += 60
    heard.hear(Step("trials", 7, 10, "", 0.7))
    assert heard.lines() == ["trial 7 of 10, 0:03:00 left"]


def test_shares_of_what_is_at_work_count_and_what_is_whole_does_not_count_twice():
    heard = Workers("epochs")
    heard.hear(Step("epochs", 3, 10, worker=1))
    heard.hear(Step("epochs", 5, 10, worker=2))
    assert heard.share == pytest.approx(0.8)
    heard.hear(Step("epochs", 10, 10, worker=2))
    assert heard.share == pytest.approx(0.3)


def test_without_a_terminal_a_line_is_said_now_and_then(monkeypatch, capsys):
    monkeypatch.setattr(bars, "SAY_S", 0.0)
    with progress("trainings", 4) as bar:
        bar.advance()
        tell("epochs", 20, 40, "accuracy 70.0 %")
    said = capsys.readouterr().err
    assert "1 of 4 trainings" in said
    assert "epoch 20 of 40 · accuracy 70.0 %" in said


def test_a_bar_counts_the_part_of_what_is_at_work():
    with progress("trainings", 4) as bar:
        bar.advance()
        tell("epochs", 20, 40)
        assert bar.shown.tasks[0].completed == pytest.approx(1.5)
        bar.update(4, 4)
        assert bar.shown.tasks[0].completed == 4


def test_interrupted_it_says_what_is_kept_and_how_it_goes_on(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["/somewhere/hemobench", "run", "my suite.toml", "--seeds", "2"])
    with pytest.raises(typer.Exit) as left, interruptible("every finished trial, in out"):
        raise KeyboardInterrupt
    assert left.value.exit_code == 130
    said = capsys.readouterr().err
    assert "interrupted; kept: every finished trial, in out" in said
    assert "hemobench run 'my suite.toml' --seeds 2" in said


@pytest.mark.parametrize("width", [50, 80, 120])
def test_a_narrow_screen_cuts_the_note_and_not_the_counts(width):
    shown = bars.Shown("runs", "trials", stays=True)
    shown.add_task(
        "", total=210, completed=12, note="bone-marrow-head 76.59 %, bone-marrow-lite 74.93 %, c-nmc 86.99 %"
    )
    screen = Console(width=width, file=io.StringIO(), force_terminal=False)
    screen.print(shown.make_tasks_table(shown.tasks))
    (line,) = screen.file.getvalue().splitlines()
    assert line.strip().startswith("12/210 runs")
    assert "left" in line
    assert ("…" in line) == (width < 120)
