"""Search spaces as other people have them, drawn from a seed; and every strategy driven over them.

    python tests/contracts/random_spaces.py --spaces 2000 --log ends.tsv     # all adapters; prints what fails

What every space ended as is a line of the log, and the same command goes on after the last of them. Strategies whose
models take seconds to fit are built with smaller ones and asked less often (`LIGHT` in the tests, `WIDE` here): what is
tested is that our adapters tell a space to a library and back, not how well the library's model fits. 2,000 spaces take
half an hour of one core for the five slowest (`optuna-gp` and `smac` 11 minutes each, the others 3 to 4).

A strategy may refuse a space (`UnsupportedTask`) before its first trial, and nothing else.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ConfigSpace import AndConjunction, ConfigurationSpace, OrConjunction
from ConfigSpace.conditions import (
    Condition,
    EqualsCondition,
    GreaterThanCondition,
    InCondition,
    LessThanCondition,
    NotEqualsCondition,
)
from ConfigSpace.exceptions import ActiveHyperparameterNotSetError
from ConfigSpace.hyperparameters import (
    BetaFloatHyperparameter,
    CategoricalHyperparameter,
    Constant,
    NormalFloatHyperparameter,
    OrdinalHyperparameter,
    UniformFloatHyperparameter,
    UniformIntegerHyperparameter,
)

from hemobench.errors import BenchmarkError
from hemobench.strategies import STRATEGIES, load_strategy, unavailable
from hemobench.strategies.base import Proposal, Status, Strategy, Trial, UnsupportedTask
from hemobench.strategies.space import choices, legality, quantile

TRIALS = 60
EPOCHS = 9
CHOICES: Sequence[Sequence[Any]] = (
    ("a", "b"),
    ("a", "b", "c", "d", "e"),
    (True, False),
    (0, 0.1, 1),
    (1, 2.5, "auto"),
    (True, "maybe", 3),
    (16, 32, 64),
    (0.1, 0.01, 0.001),
    ("1", 1),
    ("only",),
    ("ä b", "c/d", ""),
    (-1, 0, 1),
    (1e-12, 1e12),
)
ORDERS: Sequence[Sequence[Any]] = (
    (1, 2, 4, 8),
    (0.0, 0.25, 0.5, 0.75, 1.0),  # what a quantised float is since ConfigSpace 1.0
    ("small", "medium", "large"),
    (0, 0.5, 1),
    (7,),
)
CONSTANTS: Sequence[Any] = (3, 0.5, "fixed", True, 0)


def hyperparameter(name: str, rng: np.random.Generator, plain: bool = False) -> Any:
    """A hyperparameter of any kind; `plain` is one that has few values, for small spaces."""
    kind = rng.choice(["choice", "order", "small integer", "constant"] if plain else KINDS)
    match kind:
        case "choice":
            values = list(CHOICES[rng.integers(len(CHOICES))])
            weights = rng.uniform(0.1, 1.0, len(values)).tolist() if rng.random() < 0.2 else None
            return CategoricalHyperparameter(
                name, values, default_value=values[rng.integers(len(values))], weights=weights
            )
        case "order":
            values = list(ORDERS[rng.integers(len(ORDERS))])
            return OrdinalHyperparameter(name, values, default_value=values[rng.integers(len(values))])
        case "constant":
            return Constant(name, CONSTANTS[rng.integers(len(CONSTANTS))])
        case "small integer":
            low = int(rng.integers(-2, 3))
            return UniformIntegerHyperparameter(name, low, low + int(rng.integers(1, 4)))
        case "integer":
            low = int(rng.integers(-1000, 1000))
            return UniformIntegerHyperparameter(name, low, low + int(rng.integers(1, 100_000)))
        case "log integer":
            low = int(rng.choice([1, 2, 10, 1000]))
            return UniformIntegerHyperparameter(name, low, low * int(rng.choice([2, 3, 100, 10**6])), log=True)
        case "log float":
            low = float(rng.choice([1e-12, 1e-6, 1e-3, 0.5, 1.0]))
            return UniformFloatHyperparameter(name, low, low * float(rng.choice([1.001, 2.0, 1e3, 1e9])), log=True)
        case "narrow float":
            low = float(rng.uniform(-1, 1))
            return UniformFloatHyperparameter(name, low, low + 1e-5)
        case "normal":
            return NormalFloatHyperparameter(name, mu=0.0, sigma=1.0, lower=-3.0, upper=3.0)
        case "beta":
            return BetaFloatHyperparameter(name, alpha=2, beta=3, lower=0.0, upper=1.0)
    low = float(rng.uniform(-100, 100))
    return UniformFloatHyperparameter(name, low, low + float(rng.uniform(0.01, 1000)))


KINDS = (
    *["choice"] * 4,
    *["order"] * 2,
    *["float"] * 4,
    *["log float"] * 3,
    *["integer"] * 3,
    *["log integer"] * 3,
    "small integer",
    "constant",
    "narrow float",
)
UNKNOWN = ("normal", "beta")


def condition(child: Any, parent: Any, rng: np.random.Generator) -> Condition | None:
    """A condition of a child on a value of its parent, if that can be told."""
    values = choices(parent)
    if values is None:
        value = quantile(parent)(float(rng.uniform(0.1, 0.9)))
        kind = GreaterThanCondition if rng.random() < 0.5 else LessThanCondition
        return kind(child, parent, value)
    if len(values) < 2:
        return None
    value = values[rng.integers(len(values))]
    match rng.integers(3):
        case 0:
            return EqualsCondition(child, parent, value)
        case 1:
            return NotEqualsCondition(child, parent, value)
    several = [values[place] for place in rng.choice(len(values), rng.integers(1, len(values)), replace=False)]
    return InCondition(child, parent, several)


def legal_hyperparameter(name: str, rng: np.random.Generator, plain: bool) -> Any:
    """The same, drawn again where ConfigSpace itself refuses it."""
    while True:
        try:
            return hyperparameter(name, rng, plain)
        except ValueError:
            continue


def space(seed: int) -> ConfigurationSpace:
    """A search space: one to six hyperparameters, in a third of cases with conditions, in a quarter with few points."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 16]))
    while True:
        try:
            return _space(seed, rng)
        except ActiveHyperparameterNotSetError:  # ConfigSpace itself refuses some conditions on what may be inactive
            continue


def _space(seed: int, rng: np.random.Generator) -> ConfigurationSpace:
    small, conditional = rng.random() < 0.25, rng.random() < 0.35
    count = int(rng.integers(1, 4 if small else 7))
    hps = [legal_hyperparameter(f"h{place}", rng, plain=small) for place in range(count)]
    if not small and rng.random() < 0.03:
        hps[-1] = NormalFloatHyperparameter(hps[-1].name, mu=0.0, sigma=1.0, lower=-3.0, upper=3.0)
    found = ConfigurationSpace(seed=seed)
    found.add(hps)
    if conditional:
        for place in range(1, len(hps)):
            if rng.random() < 0.6:
                _condition(found, hps, place, rng)
    return found


def _condition(found: ConfigurationSpace, hps: list[Any], place: int, rng: np.random.Generator) -> None:
    """Let a hyperparameter hang on one or two of those before it."""
    chosen = rng.choice(place, min(place, int(rng.choice([1, 1, 1, 2]))), replace=False)
    parts = [
        part
        for number in chosen
        if not isinstance(hps[number], NormalFloatHyperparameter)
        and (part := condition(hps[place], hps[number], rng)) is not None
    ]
    if len(parts) == 1:
        found.add(parts[0])
    elif parts:
        found.add(AndConjunction(*parts) if rng.random() < 0.5 else OrConjunction(*parts))


LIGHT: dict[str, tuple[int, dict[str, Any]]] = {
    "skopt-gp": (5, {"startup_trials": 2, "n_points": 50, "n_restarts_optimizer": 1}),
    "optuna-gp": (5, {"startup_trials": 3}),
    "smac": (40, {"challengers": 100, "local_search_iterations": 1, "startup_trials": 4}),
    "smac-hyperband": (24, {"challengers": 100, "local_search_iterations": 1, "startup_trials": 4}),
}
"""Trials and settings of those that compute for seconds: enough to get behind their start-up."""

WIDE: dict[str, tuple[int, dict[str, Any]]] = {
    "optuna-gp": (4, {"startup_trials": 3}),
    "smac": (24, {"challengers": 30, "local_search_iterations": 1, "startup_trials": 4, "n_trees": 3}),
    "smac-hyperband": (20, {"challengers": 30, "local_search_iterations": 1, "startup_trials": 4, "n_trees": 3}),
    "optuna-tpe": (30, {}),
    "bohb": (40, {}),
}
"""The same for thousands of spaces: a model proposes in all of them, and small ones are still exhausted."""


def built(name: str, over: ConfigurationSpace, seed: int, horizon: int) -> Strategy | None:
    """A strategy of the table; `None` where it says beforehand that it cannot deal with the space."""
    cls = load_strategy(name)
    if over.conditions and not cls.supports.conditional:
        return None
    fidelity = {"epochs": EPOCHS} if cls.supports.fidelity else {}
    try:
        return cls(over, seed=seed, horizon=horizon, **fidelity, **LIGHT.get(name, (0, {}))[1])  # type: ignore[call-arg]
    except UnsupportedTask:
        return None


def driven(name: str, seed: int, trials: int = TRIALS) -> str:
    """Drive a strategy over a space to its end, with failures between; what came of it.

    Raises:
        Exception: Whatever it does that it may not.
    """
    over = space(seed)
    trials = min(trials, LIGHT.get(name, (trials, {}))[0])
    strategy = built(name, over, seed, trials)
    if strategy is None:
        return "unsupported"
    rng, legal, order = np.random.default_rng(seed), legality(over), list(over)
    for number in range(trials):
        proposal = strategy.ask()
        if proposal is None:
            if strategy.ask() is not None:
                raise AssertionError("it was done, and goes on")
            return "done" if number else "done without a trial"
        legal(proposal.config)
        if list(proposal.config) != [each for each in order if each in proposal.config]:
            raise AssertionError("not in the space's order")
        failed = rng.random() < 0.1
        loss = None if failed else loss_of(proposal)
        status = Status.DIVERGED if failed else Status.OK
        strategy.tell(Trial(number, proposal, loss, status, 10.0))
    return "trials"


def loss_of(proposal: Proposal) -> float:
    """A loss that depends on every value."""
    total = sum(hash_free(value) for value in proposal.config.values())
    return total / (1 + total) + 0.1 / (proposal.epochs or 10)


def hash_free(value: Any) -> float:
    """A number in [0, 1) for any value, alike in every process."""
    return float(np.random.default_rng(list(repr(value).encode())).random())


def ended(name: str, seed: int, trials: int) -> str:
    """What came of driving a strategy over a space, in a line; what it may not do begins with `FAILED`."""
    try:
        return driven(name, seed, trials)
    except (Exception, BenchmarkError) as problem:
        place = traceback.extract_tb(problem.__traceback__)[-1]
        what = " ".join(f"{type(problem).__name__}: {problem}".split())
        return f"FAILED {what} ({place.filename[-40:]}:{place.lineno})"


def read_log(path: Path | None) -> dict[tuple[str, int], str]:
    """What a log says of strategies and spaces."""
    if path is None or not path.exists():
        return {}
    whole = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    fields = [line.rstrip("\n").split("\t") for line in whole]
    return {(name, int(seed)): end for name, seed, end in fields}


def drive_all(name: str, seeds: Sequence[int], trials: int, log: Path | None) -> Counter[str]:
    """Drive a strategy over all spaces that the log does not tell of; how often each end was reached."""
    known = read_log(log)
    ends: Counter[str] = Counter()
    for seed in seeds:
        end = known.get((name, seed))
        if end is None:
            end = ended(name, seed, trials)
            if log is not None:
                with log.open("a") as file:
                    file.write(f"{name}\t{seed}\t{end}\n")
        kind = end.split()[0] if end.startswith("FAILED") else end
        ends[kind] += 1
        if kind == "FAILED" and ends[kind] <= 8:
            print(f"  {name}, space {seed}: {end}", flush=True)  # noqa: T201
    return ends


def main() -> int:
    """Drive all adapters over many spaces, and print what fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spaces", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--strategies", default="")
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--log", type=Path, default=None)
    given = parser.parse_args()
    names = given.strategies.split(",") if given.strategies else [n for n in STRATEGIES if unavailable(n) is None]
    LIGHT.update(WIDE)
    failures = 0
    for name in names:
        ends = drive_all(name, range(given.first, given.first + given.spaces), given.trials, given.log)
        failures += ends["FAILED"]
        print(f"{name}: {dict(ends)}", flush=True)  # noqa: T201
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
