"""One run: ask, evaluate, charge, tell, until the budget is spent or the strategy is done."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from time import perf_counter

from ConfigSpace import Configuration, ConfigurationSpace

from hemobench.benchmarks.budget import Budget, Ledger, microseconds
from hemobench.benchmarks.clock import Clock, Running
from hemobench.benchmarks.evaluators.base import Evaluator
from hemobench.benchmarks.record import RunEnd, TrialRecord
from hemobench.benchmarks.task import Task
from hemobench.strategies.base import Proposal, Status, Strategy, Trial, UnsupportedTask


def run(
    strategy: Strategy, evaluator: Evaluator, budget: Budget, *, task: Task, seed: int
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
    clock, ledger, space = Clock(budget.workers), Ledger(budget), task.space()
    trained: dict[int, Proposal] = {}  # finished trials, to resume from
    asked, done, error = 0, False, None
    while error is None:
        while clock.free and clock.now < budget.end and asked != budget.max_trials:
            before = perf_counter()
            try:
                asking = strategy.ask()
                done = asking is None and not clock.busy
                if asking is None:
                    break
                proposal = checked(asking, space, task, trained)
            except Exception as problem:  # whatever a strategy raises ends its own run, and only that
                error = f"trial {asked}: {type(problem).__name__}: {problem}"
                break
            asked_at = perf_counter()
            resumed = trained[proposal.resume_from].epochs or 0 if proposal.resume_from is not None else 0
            limit = (budget.end - clock.now) / 1e6
            outcome = evaluator.evaluate(proposal, seed, trained=resumed, limit=limit)
            finish = clock.now + max(microseconds(outcome.cost.gpu_seconds), 1)
            spent = (asked_at - before, perf_counter() - asked_at)
            clock.start(Running(finish, asked, clock.now, proposal, outcome, *spent))
            asked += 1
        if error is not None or not clock.busy:
            break
        running = clock.advance(budget.end)
        trial, record = settle(running, clock.now, task)
        ledger.charge(record.status, record.cost, clock.now - running.start)
        if record.status is not Status.CUT:
            trained[record.number] = running.proposal
            before = perf_counter()
            try:
                strategy.tell(trial)
            except Exception as problem:
                error = f"told of trial {trial.number}: {type(problem).__name__}: {problem}"
            record = replace(record, measured={**record.measured, "tell_s": perf_counter() - before})
        yield record
    while clock.busy:  # a strategy that raised leaves trials in flight: charged up to now, and lost
        lost = clock.advance(clock.now)
        ledger.charge(Status.CUT, lost.outcome.cost, clock.now - lost.start)
    status = "strategy-error" if error else "strategy-done" if done else "budget-spent"
    return RunEnd(status, ledger.close(clock.now), error)  # type: ignore[arg-type]


def settle(running: Running, now: int, task: Task) -> tuple[Trial, TrialRecord]:
    """What the strategy may see of a trial that has come to its end, and what is recorded."""
    outcome, proposal = running.outcome, running.proposal
    status = Status.CUT if running.finish > now else outcome.status
    ok = status is Status.OK
    loss = task.objective.loss(outcome.validation) if ok else None
    trial = Trial(running.number, proposal, loss, status, (now - running.start) / 1e6)
    record = TrialRecord(
        number=running.number,
        config=dict(proposal.config),
        epochs=proposal.epochs or task.epochs,
        resume_from=proposal.resume_from,
        status=status,
        loss=loss,
        validation=outcome.validation if ok else {},
        test=outcome.test if ok else {},
        curve=outcome.curve if ok else (),
        cost=outcome.cost,
        started=running.start / 1e6,
        finished=now / 1e6,
        error=outcome.error,
        measured={"ask_s": running.ask_s, "evaluate_s": running.evaluate_s, **outcome.extra},
    )
    return trial, record


def checked(proposal: Proposal, space: ConfigurationSpace, task: Task, trained: dict[int, Proposal]) -> Proposal:
    """The proposal with its epochs filled in.

    Raises:
        ValueError: If the configuration is not one of the space, or the trial to resume is not one that can be.
    """
    Configuration(space, values=dict(proposal.config))
    epochs = task.epochs if proposal.epochs is None else proposal.epochs
    if not 1 <= epochs <= task.epochs:
        raise ValueError(f"{epochs} epochs asked for; {task.name} trains 1 to {task.epochs}")
    if proposal.resume_from is not None:
        earlier = trained.get(proposal.resume_from)
        if earlier is None or earlier.config != proposal.config or not (earlier.epochs or 0) < epochs:
            raise ValueError(f"trial {proposal.resume_from} is no shorter, finished trial of this configuration")
    return replace(proposal, epochs=epochs)


def require_support(strategy: type[Strategy], name: str, task: Task, workers: int) -> None:
    """Refuse what a strategy cannot do before the first GPU-second.

    Raises:
        UnsupportedTask: If the strategy does not support the task's space or the number of workers.
    """
    supports, space = strategy.supports, task.space()
    if space.forbidden_clauses:
        raise UnsupportedTask(f"task '{task.name}' has forbidden clauses", "express them as conditions")
    if space.conditions and not supports.conditional:
        raise UnsupportedTask(
            f"'{name}' takes no conditional hyperparameters, and '{task.name}' has some",
            f"leave '{name}' out of the suite for this benchmark",
        )
    if workers > 1 and not supports.parallel:
        raise UnsupportedTask(f"'{name}' cannot be asked while trials are pending", "give it one worker")
