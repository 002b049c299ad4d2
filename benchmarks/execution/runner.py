"""One run: ask, evaluate, charge, tell, until the budget is spent or the strategy is done."""

from __future__ import annotations

import os
import site
import traceback
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import perf_counter

from ConfigSpace import ConfigurationSpace

from hemobench.benchmarks.budget import Budget, Ledger, microseconds
from hemobench.benchmarks.evaluator import Concurrent, Evaluator, submit
from hemobench.benchmarks.execution.clock import Clock, Running
from hemobench.benchmarks.storage.records import RunEnd, TrialRecord
from hemobench.benchmarks.tasks.base import Task
from hemobench.strategies.base import Config, Proposal, Status, Strategy, Trial
from hemobench.strategies.space import legality


def run(
    strategy: Strategy, evaluator: Evaluator | Concurrent, budget: Budget, *, task: Task, seed: int
) -> Generator[TrialRecord, None, RunEnd]:
    """Run one strategy on one task under a budget of GPU-hours.

    Time is the evaluator's: a trial occupies a worker for its cost, and the strategy's own computing takes none
    of it. The trials in flight when the budget ends are cut there and do not count.

    Args:
        strategy: A new strategy.
        evaluator: What answers its proposals.
        budget: GPU-hours, workers, and perhaps a number of trials.
        task: What is minimised, on which space, and how long a full trial trains.
        seed: Decides, with the configuration, all noise of the evaluator.

    Yields:
        A record for each trial, when it finishes.

    Returns:
        How the run ended, with its closed ledger.
    """
    clock, ledger, end = Clock(budget.workers), Ledger(budget), budget.end
    vet = Vetting(task)
    trained: dict[int, Proposal] = {}
    asked, status = 0, "budget-spent"
    failure: Failure | None = None
    while failure is None:
        while clock.free and clock.now < end and asked != budget.max_trials:
            before = perf_counter()
            try:
                proposal = vet(strategy.ask(), trained)
            except BaseException as problem:
                failure = raised(f"trial {asked}", problem)
                break
            if proposal is None:
                status = "budget-spent" if clock.busy else "strategy-done"
                break
            clock.start(launch(asked, proposal, evaluator, seed, clock.now, end, trained, before))
            asked += 1
        if failure is not None or not clock.busy:
            break
        running = clock.advance(end)
        charged = running.charged(clock.now)
        trial = settle(running, clock.now, charged, task)
        ledger.charge(trial.status, charged, microseconds(running.outcome.cost.evaluation_seconds))
        told = {}
        if trial.status is not Status.CUT:
            trained[trial.number] = running.proposal
            before = perf_counter()
            try:
                strategy.tell(trial)
            except BaseException as problem:
                failure = raised(f"told of trial {trial.number}", problem)
            told = {"tell_s": perf_counter() - before}
        yield recorded(running, trial, clock.now, task, told)
    for lost in clock.in_flight:  # by a strategy that raised: charged up to now
        ledger.charge(Status.CUT, lost.charged(clock.now))
    if failure is not None:
        return RunEnd("strategy-error", ledger.close(clock.now), failure.error, failure.traceback)
    return RunEnd(status, ledger.close(clock.now))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Failure:
    """What a strategy raised, in a line, and where."""

    error: str
    traceback: str


def raised(place: str, problem: BaseException) -> Failure:
    """What a strategy raised, which ends its own run, and only that; called where it was caught.

    A strategy that would end the process (`sys.exit`) has raised, too; Ctrl-C is the user's.
    """
    if isinstance(problem, KeyboardInterrupt | GeneratorExit):
        raise problem
    first = str(problem).strip().partition("\n")[0]
    return Failure(f"{place}: {type(problem).__name__}: {first}", shortened(traceback.format_exc()))


def shortened(text: str) -> str:
    """A traceback whose paths begin where packages are installed, or where the process works: results name no users."""
    places = {*map(str, site.getsitepackages()), str(Path(__file__).resolve().parents[2]), os.getcwd()}
    for place in sorted(places, key=len, reverse=True):
        text = text.replace(f"{place}{os.sep}", "")
    return text


def launch(
    number: int,
    proposal: Proposal,
    evaluator: Evaluator | Concurrent,
    seed: int,
    now: int,
    end: int,
    trained: Mapping[int, Proposal],
    asked_from: float,
) -> Running:
    """Have a proposal evaluated; it occupies a worker from now for its cost, at least a microsecond."""
    asked_at = perf_counter()
    epochs_before = trained[proposal.resume_from].epochs or 0 if proposal.resume_from is not None else 0
    answer = submit(evaluator, proposal, seed, trained=epochs_before, limit=(end - now) / 1e6)
    return Running(number, now, proposal, answer, asked_at - asked_from, perf_counter() - asked_at)


def settle(running: Running, now: int, charged: int, task: Task) -> Trial:
    """What the strategy may see of a trial that has come to its end, charged so many microseconds."""
    outcome = running.outcome
    status = Status.CUT if running.finish > now else outcome.status
    loss = task.objective.loss(outcome.validation) if status is Status.OK else None
    return Trial(running.number, running.proposal, loss, status, charged / 1e6)


def recorded(running: Running, trial: Trial, now: int, task: Task, told: Mapping[str, float]) -> TrialRecord:
    """What is recorded of a trial that has come to its end; `told` is what telling it took."""
    outcome, proposal = running.outcome, running.proposal
    ok = trial.status is Status.OK
    return TrialRecord(
        number=trial.number,
        config=dict(proposal.config),
        epochs=proposal.epochs or task.epochs,
        resume_from=proposal.resume_from,
        status=trial.status,
        loss=trial.loss,
        validation=outcome.validation if ok else {},
        test=outcome.test if ok else {},
        curve=outcome.curve if ok else (),
        cost=outcome.cost,
        started=running.start / 1e6,
        finished=now / 1e6,
        error=outcome.error,
        measured={"ask_s": running.ask_s, "evaluate_s": running.evaluate_s, **outcome.extra, **told},
        truth=outcome.truth if ok else None,
    )


class Vetting:
    """Lets through what a task can train; what else a strategy proposes is the strategy's error."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._require_legal = _legality(task.space)

    def __call__(self, proposal: Proposal | None, trained: Mapping[int, Proposal]) -> Proposal | None:
        """The proposal with its epochs filled in.

        Args:
            proposal: As asked.
            trained: Finished trials, which may be resumed.

        Raises:
            ValueError: If the configuration is not one of the space, the epochs are not to be had, or the trial
                to resume is not one that can be.
        """
        if proposal is None:
            return None
        if not isinstance(proposal, Proposal):
            raise TypeError(f"a {type(proposal).__name__} was asked for; `ask` gives a Proposal or None")
        config = proposal.config
        if type(config) is not dict and not isinstance(config, Mapping):  # most are, and are not asked the slow way
            raise TypeError(f"a configuration that is a {type(config).__name__} was asked for, not a mapping")
        self._require_legal(config)
        epochs = self._task.epochs if proposal.epochs is None else proposal.epochs
        if type(epochs) is not int or not 1 <= epochs <= self._task.epochs:
            raise ValueError(f"{epochs!r} epochs asked for; {self._task.name} trains 1 to {self._task.epochs}, an int")
        if proposal.resume_from is not None:
            self._require_resumable(proposal, epochs, trained)
        return Proposal(config, epochs, proposal.resume_from)

    def _require_resumable(self, proposal: Proposal, epochs: int, trained: Mapping[int, Proposal]) -> None:
        number = proposal.resume_from
        earlier = trained.get(number) if type(number) is int else None
        if earlier is None or earlier.config != proposal.config or not (earlier.epochs or 0) < epochs:
            raise ValueError(f"trial {number!r} is no shorter, finished trial of this configuration")


@lru_cache(maxsize=64)
def _legality(space: Callable[[], ConfigurationSpace]) -> Callable[[Config], None]:
    """The check of a task's configurations. Building a space takes as long as ten trials of a fast strategy."""
    return legality(space())
