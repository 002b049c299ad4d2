"""What every source of answers keeps to, as checks that fail with an `AssertionError`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from hemobench.benchmarks.benchmark import Benchmark, load_benchmark
from hemobench.benchmarks.evaluator import NO_RESULT, Evaluator
from hemobench.strategies.base import Proposal, Status
from hemobench.strategies.space import active, default, random_stream


def check_benchmark(name: str, **settings: Any) -> None:
    """Every check of a benchmark's answers.

    Args:
        name: `task@source`: one of ours, or declared as an entry point.
        **settings: Of its evaluator.
    """
    benchmark = load_benchmark(name)
    evaluator = benchmark.evaluator(**settings)
    asked = proposals(benchmark, min(2, benchmark.task.epochs))
    check_metrics(benchmark, evaluator, asked)
    check_costs(evaluator, asked)
    check_equal_answers(benchmark, evaluator, asked)
    check_increments(benchmark, evaluator, asked)
    check_truth(benchmark, evaluator, asked)
    check_provenance(evaluator)


def proposals(benchmark: Benchmark, epochs: int) -> list[Proposal]:
    """The default and some draws, as many as are answered in seconds."""
    space = benchmark.task.space()
    draws = islice(random_stream(space, 3), 1 if benchmark.live else 40)
    configs = [active(space, default(space)), *draws]
    return [Proposal(config, epochs) for config in configs]


def check_metrics(benchmark: Benchmark, evaluator: Evaluator, asked: Sequence[Proposal]) -> None:
    """Metrics are fractions and hold what the objective needs; a training that failed has an error and no metrics."""
    task = benchmark.task
    for proposal in asked:
        outcome = evaluator.evaluate(proposal, 0)
        if outcome.status is not Status.OK:
            assert outcome.error
            assert not outcome.validation
            assert not outcome.test
            continue
        assert set(task.objective.weights) <= set(outcome.validation)
        assert task.headline in outcome.test
        values = [*outcome.validation.values(), *outcome.test.values()]
        assert all(0 <= value <= 1 for value in values)
        assert 0 <= task.objective.loss(outcome.validation) <= 1.5
        assert 1 <= len(outcome.curve) <= (proposal.epochs or task.epochs)


def check_costs(evaluator: Evaluator, asked: Sequence[Proposal]) -> None:
    """Costs are positive, hold those of evaluation, and name a device."""
    cost = evaluator.evaluate(asked[0], 0).cost
    assert cost.gpu_seconds > cost.evaluation_seconds >= 0
    assert cost.device


def check_equal_answers(
    benchmark: Benchmark, evaluator: Evaluator, asked: Sequence[Proposal], anew: Evaluator | None = None
) -> None:
    """Equal questions get equal answers, in another order too; of live training, all but the time.

    Args:
        benchmark: Whose answers.
        evaluator: That answers first.
        asked: The questions.
        anew: That answers again, if `evaluator` remembers; by default the same.
    """
    anew = anew or evaluator
    first = [evaluator.evaluate(proposal, 0) for proposal in asked]
    again = [anew.evaluate(proposal, 0) for proposal in reversed(asked)][::-1]
    for one, other in zip(first, again, strict=True):
        assert (one.status, one.validation, one.test, one.curve) == (
            other.status,
            other.validation,
            other.test,
            other.curve,
        )
        assert benchmark.live or one == other


def check_increments(benchmark: Benchmark, evaluator: Evaluator, asked: Sequence[Proposal]) -> None:
    """A trial that is continued ends where a whole one does, and costs what is new."""
    epochs = asked[0].epochs or benchmark.task.epochs
    if epochs < 2:
        return
    config = asked[0].config
    short = evaluator.evaluate(Proposal(config, 1), 0)
    rest = evaluator.evaluate(Proposal(config, epochs), 0, trained=1)
    whole = evaluator.evaluate(Proposal(config, epochs), 0)
    assert rest.validation == whole.validation
    assert rest.test == whole.test
    parts = short.cost.gpu_seconds + rest.cost.gpu_seconds
    assert benchmark.live or abs(parts - whole.cost.gpu_seconds) < 0.002


def check_truth(benchmark: Benchmark, evaluator: Evaluator, asked: Sequence[Proposal]) -> None:
    """What a configuration is worth to a run depends on it and the run alone; its loss is the objective's."""
    configs = [proposal.config for proposal in asked]
    runs = (None, 0, 1)
    first = [evaluator.truth(config, run) for config in configs for run in runs]
    evaluator.evaluate(Proposal(configs[0], 1), 0)
    turned = [evaluator.truth(config, run) for config in reversed(configs) for run in reversed(runs)]
    assert first == turned[::-1], "asked again, it differs"
    for truth in first:
        if truth is None or truth == NO_RESULT:
            continue
        assert truth.loss == benchmark.task.objective.loss(truth.validation)
        assert benchmark.task.headline in truth.test
        values = [*truth.validation.values(), *truth.test.values()]
        assert all(0 <= value <= 1 for value in values)


def check_provenance(evaluator: Evaluator) -> None:
    """What the answers rest on is plain text."""
    assert evaluator.provenance.get("source")
    for name, value in evaluator.provenance.items():
        assert isinstance(name, str)
        assert isinstance(value, str), name
