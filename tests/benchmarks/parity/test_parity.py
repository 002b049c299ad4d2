"""Searches of a table, of its surrogate and of the truth that it was recorded from; and trainings of what they find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.execution.retrain import FIRST_SEED
from hemobench.benchmarks.parity.retraining import (
    CONTROL,
    INCUMBENT,
    Candidate,
    Retrained,
    by_worth,
    candidates,
    incumbents_of,
    path_of,
    retrained,
    trained,
)
from hemobench.benchmarks.parity.retraining import Training as LiveTraining
from hemobench.benchmarks.parity.searches import (
    FIRST,
    Search,
    SearchBudget,
    Searches,
    SearchResult,
    able,
    search,
    search_budget,
    searched,
)
from hemobench.benchmarks.parity.setup import (
    LIVE,
    MEMBER,
    POOL,
    SURROGATE,
    TABLE,
    ParitySetup,
    answers,
    check,
    trainer,
)
from hemobench.benchmarks.parity.table_restricted import Pool, TableRestricted
from hemobench.benchmarks.recording.source import Source
from hemobench.benchmarks.surrogates.store import load
from hemobench.benchmarks.surrogates.targets import fraction, logit
from hemobench.benchmarks.tables.io import write_table
from hemobench.benchmarks.tables.schema import Table, config_key
from hemobench.benchmarks.tasks import load_task
from hemobench.errors import BenchmarkError
from hemobench.reports.parity.calibration import calibration
from hemobench.strategies import load_strategy
from hemobench.strategies.base import Proposal, Status, Trial
from hemobench.strategies.space import random_stream

TASK = load_task("c-nmc")
BUDGET = SearchBudget(gpu_hours=2.0, horizon=10, max_trials=10)
STRATEGIES = ("random", "sssr")
CLASSIC = ("manual", "random", "sssr", "optuna-tpe", "hyperopt-tpe", "smac", "skopt-gp")


def one(setup: ParitySetup, source: str, folder: Path, strategy: str = "random", seed: int = FIRST) -> SearchResult:
    return searched(setup, Search(source, strategy, seed, BUDGET), folder)


def on_progress(restricted: TableRestricted, losses: list[float]) -> list[Proposal]:
    """Let a strategy search until the losses are used up."""
    asked = []
    for number, loss in enumerate(losses):
        proposal = restricted.ask()
        if proposal is None:
            break
        asked.append(proposal)
        restricted.tell(Trial(number, proposal, loss, Status.OK, 1.0))
    return asked


def test_a_confined_strategy_trains_recorded_configurations_once_each(table: Table) -> None:
    pool = Pool(table)
    known = {config_key(config) for config in pool.configs}
    restricted = TableRestricted(load_strategy("random")(TASK.space(), seed=1, horizon=60), pool)  # type: ignore[call-arg]
    asked = [config_key(proposal.config) for proposal in on_progress(restricted, [0.5] * 60)]
    assert len(set(asked)) == 60
    assert set(asked) <= known
    assert all(distance > 0 for distance in restricted.distances)


def test_it_is_told_the_outcome_of_its_own_proposal(table: Table) -> None:
    heard: list[Trial] = []

    class Listening:
        supports = load_strategy("random").supports

        def __init__(self) -> None:
            self._stream = random_stream(TASK.space(), 3)
            self.proposed: list[Proposal] = []

        def ask(self) -> Proposal:
            self.proposed.append(Proposal(next(self._stream)))
            return self.proposed[-1]

        def tell(self, trial: Trial) -> None:
            heard.append(trial)

    inner = Listening()
    asked = on_progress(TableRestricted(inner, Pool(table)), [0.1, 0.2, 0.3])
    assert [trial.proposal for trial in heard] == inner.proposed
    assert [trial.loss for trial in heard] == [0.1, 0.2, 0.3]
    assert all(mine != theirs for mine, theirs in zip(asked, inner.proposed, strict=True))


def test_a_recorded_configuration_stands_for_itself_and_a_resumed_trial_for_its_beginning(table: Table) -> None:
    pool = Pool(table)
    script = [Proposal(pool.configs[7], 5), Proposal(pool.configs[7], 10, resume_from=0), Proposal(pool.configs[7])]

    class Scripted:
        supports = load_strategy("random").supports

        def ask(self) -> Proposal | None:
            return script.pop(0) if script else None

        def tell(self, trial: Trial) -> None: ...

    restricted = TableRestricted(Scripted(), pool)
    first, longer, other = on_progress(restricted, [0.1, 0.1, 0.1])
    assert first.config == longer.config == pool.configs[7]
    assert longer.resume_from == 0
    assert other.config != pool.configs[7]
    assert restricted.distances[:2] == [0.0, 0.0]


def test_the_pool_runs_dry(table: Table) -> None:
    few = Table(table.header, table.rows[:5])
    restricted = TableRestricted(load_strategy("random")(TASK.space(), seed=1, horizon=9), Pool(few))  # type: ignore[call-arg]
    assert len(on_progress(restricted, [0.5] * 9)) == 5


def test_a_search_of_the_table_ends_with_a_recorded_training(setup: ParitySetup, table: Table, tmp_path: Path) -> None:
    found = one(setup, TABLE, tmp_path)
    rows = [row for row in table.rows if config_key(row.config) == config_key(found.config)]
    assert found.loss in [TASK.objective.loss(row.at(-1)[0]) for row in rows]
    assert found.seen["score"] == pytest.approx(1 - (found.loss or 0))
    assert found.trials == 10
    assert found.distance > 0


def test_a_live_search_is_the_search_of_what_stands_for_it(setup: ParitySetup, tmp_path: Path) -> None:
    """Random search: its incumbent is the best of what its stream gives on the published surface."""
    found = one(setup, LIVE, tmp_path)
    evaluator = load_benchmark("c-nmc@published").evaluator()
    losses = [
        TASK.objective.loss(evaluator.evaluate(Proposal(config), FIRST).validation)
        for config in islice(random_stream(TASK.space(), FIRST), 10)
    ]
    assert found.loss == min(losses)
    assert found.distance == 0


def test_pool_and_surrogate_differ_by_the_confinement_alone(setup: ParitySetup, tmp_path: Path) -> None:
    pool, free = one(setup, POOL, tmp_path), one(setup, SURROGATE, tmp_path)
    assert config_key(pool.config) in {config_key(config) for config in Pool(check(setup)[0]).configs}
    assert free.config != pool.config
    assert free.distance == 0 < pool.distance


def test_members_put_together_are_the_surrogate(setup: ParitySetup) -> None:
    whole = load(Path(setup.surrogate))
    config = next(random_stream(TASK.space(), 5))
    alone = [whole.predict(config, 10, member=k).outputs for k in range(whole.members)]
    assert np.allclose(
        fraction(np.mean([logit(outputs) for outputs in alone], axis=0)), whole.predict(config, 10).outputs
    )
    assert np.ptp(alone, axis=0).max() > 1e-4


def collected(setup: ParitySetup, folder: Path, sources: tuple[str, ...], seeds: int = 2) -> Searches:
    """Search in this process; `search` then finds everything there, and starts no other."""
    for source in sources:
        for name in STRATEGIES:
            for seed in range(seeds):
                searched(setup, Search(source, name, FIRST + seed, BUDGET), folder)
    return search(setup, BUDGET, STRATEGIES, dict.fromkeys(sources, seeds), folder)


def test_what_is_there_is_not_run_again(setup: ParitySetup, tmp_path: Path) -> None:
    first = collected(setup, tmp_path, (TABLE, SURROGATE, f"{MEMBER}1"))
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("seed-*.json")}
    assert len(files) == 12
    assert search(setup, BUDGET, STRATEGIES, dict.fromkeys(first.found, 2), tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("seed-*.json")} == files
    assert first.losses(TABLE).shape == (2, 2)


def test_processes_give_the_same(setup: ParitySetup, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    here = collected(setup, tmp_path / "here", (TABLE,))
    there = search(setup, BUDGET, STRATEGIES, {TABLE: 2}, tmp_path / "there", on_progress=lambda *how: seen.append(how))
    assert there == here
    assert seen == [(k, 4) for k in range(1, 5)]


def test_a_folder_of_another_check_is_refused(setup: ParitySetup, table: Table, tmp_path: Path) -> None:
    collected(setup, tmp_path / "runs", (TABLE,))
    other = replace(table, rows=table.rows[:-1])
    write_table(other, tmp_path / "other.parquet")
    with pytest.raises(BenchmarkError, match="another run: table is"):
        search(replace(setup, table=str(tmp_path / "other.parquet")), BUDGET, STRATEGIES, {TABLE: 2}, tmp_path / "runs")
    live = Source("c-nmc@published", {"image_size": 64})
    with pytest.raises(BenchmarkError, match="another run: settings is"):
        search(replace(setup, live=live), BUDGET, STRATEGIES, {TABLE: 2}, tmp_path / "runs")


def test_a_damaged_run_is_named(setup: ParitySetup, tmp_path: Path) -> None:
    collected(setup, tmp_path, (TABLE,))
    path = next(tmp_path.rglob("seed-*.json"))
    path.write_text('{"loss": "low"}')
    with pytest.raises(BenchmarkError, match=path.name):
        search(setup, BUDGET, STRATEGIES, {TABLE: 2}, tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s, other: replace(s, benchmark="bone-marrow@surrogate"), "is of the task c-nmc"),
        (lambda s, other: replace(s, table=other), r"was not fitted to .*number of trainings is 270, not 269"),
        (lambda s, other: replace(s, table="nowhere.parquet"), "nowhere.parquet"),
        (lambda s, other: replace(s, surrogate="nowhere.npz"), "nowhere.npz"),
        (lambda s, other: replace(s, surrogate=s.table), "no readable surrogate"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    setup: ParitySetup, table: Table, tmp_path: Path, change: Callable[[ParitySetup, str], ParitySetup], says: str
) -> None:
    other = tmp_path / "other.parquet"
    write_table(replace(table, rows=table.rows[:-1]), other)
    with pytest.raises(BenchmarkError, match=says):
        check(change(setup, str(other)))


def test_strategies() -> None:
    assert able(TASK) == CLASSIC
    assert set(CLASSIC) - set(able(load_task("bone-marrow-full"))) == {"skopt-gp"}
    for asked, says in (
        (("skopt-gp", "random"), "conditional"),
        (("random",), "at least two"),
        (("rendom",), "random"),
    ):
        with pytest.raises(BenchmarkError, match=says):
            able(load_task("bone-marrow-full"), asked)


def test_a_budget_buys_about_25_trials(table: Table) -> None:
    budget = search_budget(table, None)
    assert budget.horizon == 25
    assert search_budget(table, 2 * budget.gpu_hours).horizon == 50
    assert search_budget(table, None, 6).max_trials == 6
    with pytest.raises(BenchmarkError, match="positive"):
        search_budget(table, -1.0)


def test_what_trains_has_the_fold_that_answers(table: Table) -> None:
    def on(fold: int) -> Table:
        return Table(table.header, tuple(replace(row, fold=fold) for row in table.rows[:5]))

    assert trainer(on(-1), "c-nmc@live", {"data": "x"}).settings == {"data": "x"}
    assert trainer(on(2), "c-nmc@live", {"data": "x"}).settings == {"data": "x", "fold": 2}


def test_candidates_are_of_the_first_seeds(setup: ParitySetup, tmp_path: Path) -> None:
    searches = collected(setup, tmp_path, (SURROGATE,), 3)
    chosen = candidates(searches, TASK, 2, 4)
    assert [(one.group, one.strategy, one.seed) for one in chosen[:4]] == [
        (INCUMBENT, name, FIRST + seed) for seed in (0, 1) for name in STRATEGIES
    ]
    assert chosen[0].config == searches.found[SURROGATE][0][0].config
    assert [one.group for one in chosen[4:]] == [CONTROL] * 4


def test_planted_optimism_is_found(flattering: ParitySetup, tmp_path: Path) -> None:
    setup = flattering
    space = islice(random_stream(TASK.space(), 77), 300)
    evaluator = load_benchmark("c-nmc@published").evaluator()
    plain = [c for c in space if evaluator.evaluate(Proposal(c), 1).validation["accuracy"] < 0.93][:16]
    chosen = [Candidate(CONTROL, "", k, config) for k, config in enumerate(plain)]
    for one in chosen:
        for repeat in range(2):
            trained(setup, (one.config, FIRST_SEED + repeat), tmp_path / "runs")
    found = calibration(retrained(setup, chosen, 2, tmp_path / "runs")).groups[CONTROL]["validation"]
    assert found.trainings == 32
    assert found.bias.low is not None
    assert found.bias.high is not None
    assert 0.02 < found.bias.low < 0.04 < found.bias.high + 0.015
    assert (tmp_path / "runs" / path_of(plain[0], FIRST_SEED)).exists()


def test_incumbents_are_worth_what_training_them_again_gives_and_less_than_was_seen(
    setup: ParitySetup, tmp_path: Path
) -> None:
    """What stands for live training has a known truth here: of many searches, the two agree on average."""
    seeds = 12
    searches = collected(setup, tmp_path, (LIVE, SURROGATE), seeds)
    for one in incumbents_of(searches, LIVE):
        for repeat in range(4):
            trained(setup, (one.config, FIRST_SEED + repeat), tmp_path / "runs")
    again = retrained(setup, incumbents_of(searches, LIVE), 4, tmp_path / "runs")
    worth = by_worth(searches, again)

    truth = load_benchmark("c-nmc@published").evaluator().truth
    live, seen = worth.losses(LIVE), searches.losses(LIVE)
    true = np.array([[truth(run.config, FIRST).loss for run in runs] for runs in searches.found[LIVE]])
    assert live.shape == (seeds, len(STRATEGIES))
    assert (true - seen).mean() > 0.002  # the luckiest of ten was chosen
    assert live.mean() == pytest.approx(true.mean(), abs=4 * np.std(live - true) / live.size**0.5)

    evaluator = answers(setup.benchmark, setup.table, setup.surrogate, SURROGATE)
    known = [
        [evaluator.truth(run.config, FIRST + seed).loss for run in runs]
        for seed, runs in enumerate(searches.found[SURROGATE])
    ]
    np.testing.assert_allclose(worth.losses(SURROGATE), known)
    assert set(worth.found) == {LIVE, SURROGATE}


def test_an_incumbent_whose_trainings_all_fail_has_no_worth(setup: ParitySetup, tmp_path: Path) -> None:
    searches = collected(setup, tmp_path, (LIVE, SURROGATE), 1)
    failed = LiveTraining(Status.DIVERGED, {}, {})
    good = LiveTraining(Status.OK, {"score": 0.75}, {})
    first, second = incumbents_of(searches, LIVE)
    again = [Retrained(first, {}, 0.0, (failed, failed)), Retrained(second, {}, 0.0, (failed, good))]
    worth = by_worth(searches, again).losses(LIVE)[0]
    assert np.isnan(worth[0])
    assert worth[1] == 0.25
