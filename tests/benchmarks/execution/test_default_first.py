"""Fair starts: the default is everybody's first trial, and what follows is the strategy's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hemobench.benchmarks.execution.default_first import DefaultFirst, starts_at_default
from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import Plan, plans
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.suite import Arm, Entry, Suite
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.reports.leaderboard.ranking import leaderboard
from hemobench.strategies import load_strategy, unavailable
from hemobench.strategies.base import Proposal, Status, Trial
from hemobench.strategies.space import active, default

SHORT: dict[str, dict[str, object]] = {name: {"startup_trials": 3} for name in ("optuna-tpe", "optuna-gp", "smac")}
SHORT["skopt-gp"] = {"startup_trials": 3, "n_points": 200, "n_restarts_optimizer": 1}
NAMES = ["random", "manual", "sssr", "optuna-tpe", "hyperopt-tpe", "asha"]


def planned(name: str, *, first: bool = True, hours: float = 3.0) -> Plan:
    suite = Suite(
        seeds=1,
        strategies=[Arm(name=name)],
        benchmarks=[Entry(name="c-nmc@published", gpu_hours=[hours])],
        default_first=first,
    )
    (plan,) = plans(suite)
    return plan


@pytest.mark.parametrize("name", NAMES)
def test_the_first_trial_is_the_default_and_is_tried_once(name: str, tmp_path: Path) -> None:
    execute(planned(name), tmp_path, "test")
    (journal,) = tmp_path.rglob("trials.jsonl")
    trials = [json.loads(line) for line in journal.read_text().splitlines()]
    space = load_task("c-nmc").space()
    expected = active(space, default(space))
    configs = {trial["number"]: trial["config"] for trial in trials}
    assert configs[0] == expected
    assert len(trials) > 5
    assert configs[1] != expected
    (header,) = tmp_path.rglob("run.json")
    assert json.loads(header.read_text())["default_first"] is True


def test_what_follows_is_what_the_strategy_would_have_asked(tmp_path: Path) -> None:
    execute(planned("random"), tmp_path / "fair", "test")
    execute(planned("random", first=False), tmp_path / "own", "test")
    fair, own = (load_results(tmp_path / part).trials.sort_values("number") for part in ("fair", "own"))
    columns = [name for name in own if str(name).startswith("config.")]
    count = min(len(fair) - 1, len(own))
    assert fair[columns].iloc[1 : count + 1].to_numpy().tolist() == own[columns].iloc[:count].to_numpy().tolist()


def test_a_run_goes_on_by_replay_and_is_another_run_than_without(tmp_path: Path) -> None:
    execute(planned("optuna-tpe"), tmp_path, "test")
    (journal,) = tmp_path.rglob("trials.jsonl")
    whole = journal.read_text().splitlines()
    journal.write_text("\n".join(whole[:4]) + "\n")
    for end in tmp_path.rglob("end.json"):
        end.unlink()
    execute(planned("optuna-tpe"), tmp_path, "test")
    again = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [trial["config"] for trial in again] == [json.loads(line)["config"] for line in whole]
    with pytest.raises(BenchmarkError):
        execute(planned("optuna-tpe", first=False), tmp_path, "test")


def test_numbers_within_are_the_strategys_own() -> None:
    class Resuming:
        told: list[Trial]

        def __init__(self) -> None:
            self.told, self.asked = [], 0

        def ask(self) -> Proposal | None:
            self.asked += 1
            return Proposal({"x": 1}, 3, None) if self.asked == 1 else Proposal({"x": 1}, 9, 0)

        def tell(self, trial: Trial) -> None:
            self.told.append(trial)

    space = load_task("c-nmc").space()
    inner = Resuming()
    wrapped = DefaultFirst(inner, space)  # type: ignore[arg-type]
    first, second, third = wrapped.ask(), wrapped.ask(), wrapped.ask()
    assert (first and first.epochs, second and second.resume_from) == (None, None)
    assert third is not None
    assert third.resume_from == 1
    for number, proposal in enumerate([first, second, third]):
        assert proposal is not None
        wrapped.tell(Trial(number, proposal, 0.1, Status.OK, 1.0))
    assert [(trial.number, trial.proposal.resume_from) for trial in inner.told] == [(0, None), (1, 0)]


@pytest.mark.parametrize("name", ["optuna-tpe", "optuna-gp", "optuna-cmaes", "smac", "skopt-gp"])
def test_a_strategy_that_can_learns_from_the_default(name: str) -> None:
    """Told of a superb default, a model asks differently than told of a poor one, and repeats itself exactly."""
    if unavailable(name):
        pytest.skip(f"{name} is not to be had here")
    space = load_task("c-nmc").space()
    config = active(space, default(space))

    def asked(loss: float) -> list[object]:
        strategy = load_strategy(name)(load_task("c-nmc").space(), seed=1, horizon=14, **SHORT.get(name, {}))  # type: ignore[call-arg]
        strategy.learn(Trial(0, Proposal(config), loss, Status.OK, 1.0))  # type: ignore[attr-defined]
        strategy.learn(Trial(0, Proposal(config), None, Status.DIVERGED, 1.0))  # type: ignore[attr-defined]
        configs = []
        for number in range(10):
            proposal = strategy.ask()
            assert proposal is not None
            configs.append(dict(proposal.config))
            strategy.tell(Trial(number, proposal, 0.3 + 0.02 * (number % 5), Status.OK, 1.0))
        return configs

    superb, again, poor = asked(0.01), asked(0.01), asked(0.9)
    assert superb == again
    if name != "optuna-cmaes":  # which goes by its own generations only
        assert superb != poor


def test_only_the_manual_analysis_starts_at_the_default_by_itself() -> None:
    assert [name for name in NAMES if starts_at_default(load_strategy(name))] == ["manual"]


def test_boards_say_it_and_what_the_default_alone_is_worth(tmp_path: Path) -> None:
    for name in ("random", "manual"):
        execute(planned(name), tmp_path, "test")
    (board,) = leaderboard(load_results(tmp_path), lambda name: None)
    (note,) = [note for note in board.notes if "default first" in note]
    worth = float(note.rpartition("worth ")[2].split()[0])
    assert 90 < worth < 98
    assert all(row.points and row.points.mean >= 0 for row in board.rows)
