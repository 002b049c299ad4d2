"""The strategies, one file each, in one explicit lazy table."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import packages_distributions, requires, version
from importlib.util import find_spec
from typing import Any

from hemobench.errors import BenchmarkError
from hemobench.extensions import declared
from hemobench.strategies.base import Strategy, Supports


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the table.

    Attributes:
        path: `module:Class`, imported only when used.
        about: One line for people.
        needs: The library without which it cannot be had; empty for our own.
        startup: How it begins before it learns, for the leaderboard.
        pending: What it makes of trials that are still running when it is asked again, for the same.
        complexity: How much there is to understand, install and get wrong: 0 random search; 1 fixed rules without a
            model; 2 a density or a distribution that is refitted; 3 a surrogate model. Of strategies that are as good
            as each other, the one with the lowest is advised; 9 is not known.
        slowness: About how its own computing compares with Optuna's TPE; slow runs are started first.
        classic: Whether it is one of those that the papers compared, or that stand for their methods today: what
            parity checks where nobody says which.
        learns_from: `module:function` that says, of its settings, the horizon and the number of hyperparameters, how
            many trials end before it learns; empty where it never does, or nobody knows.
        defaults: Its class's own of the settings that `learns_from` reads, so that no report imports an optimizer.
        supports: As its class says, so that runs are planned without importing its library; `None`: ask the class.
    """

    path: str
    about: str
    needs: str = ""
    startup: str = ""
    pending: str = ""
    complexity: int = 9
    slowness: float = 0.1
    classic: bool = False
    learns_from: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    supports: Supports | None = None


SMAC_STARTUP = {"startup_trials": None, "startup_per_hyperparameter": 10, "startup_max_ratio": 0.25}

STRATEGIES: Mapping[str, Entry] = {
    "manual": Entry(
        "hemobench.strategies.manual:Manual",
        "one-dimensional grids around a default, then the combination of the best values",
        startup="does not learn until the last trial",
        pending="none matters to its grids; the last trial waits for all",
        complexity=1,
        classic=True,
        supports=Supports(),
    ),
    "random": Entry(
        "hemobench.strategies.random_search:RandomSearch",
        "uniformly random configurations",
        startup="does not learn",
        pending="none matters: it loses only what the end of the budget cuts",
        complexity=0,
        classic=True,
        supports=Supports(),
    ),
    "sssr": Entry(
        "hemobench.strategies.sssr:SSSR",
        "successive search space reduction: rounds of 24, 16 and 8 random trials",
        startup="first round: 24 random trials (scaled down to short horizons)",
        pending="waits for a whole round before it narrows the ranges",
        complexity=1,
        classic=True,
        learns_from="hemobench.strategies.startup:first_round",
        defaults={"rounds": (24, 16, 8), "scaling": "down"},
        supports=Supports(),
    ),
    "optuna-tpe": Entry(
        "hemobench.strategies.optuna_tpe:OptunaTPE",
        "Optuna's multivariate tree-structured Parzen estimator",
        needs="optuna",
        startup="10 random trials",
        pending="counted as bad (constant liar)",
        complexity=2,
        slowness=1.0,
        classic=True,
        learns_from="hemobench.strategies.startup:as_set",
        defaults={"startup_trials": 10},
        supports=Supports(),
    ),
    "hyperopt-tpe": Entry(
        "hemobench.strategies.hyperopt_tpe:HyperoptTPE",
        "Hyperopt's tree-structured Parzen estimator",
        needs="hyperopt",
        startup="20 random trials",
        pending="counted as bad, and towards the start-up",
        complexity=2,
        slowness=1.5,
        classic=True,
        learns_from="hemobench.strategies.startup:as_set",
        defaults={"startup_trials": 20},
        supports=Supports(),
    ),
    "smac": Entry(
        "hemobench.strategies.smac:SMAC",
        "SMAC's random-forest facade for hyperparameter optimization",
        needs="smac",
        startup="Sobol design of a quarter of the horizon",
        pending="not in its model; none is proposed twice",
        complexity=3,
        slowness=8.0,
        classic=True,
        learns_from="hemobench.strategies.startup:share_of_the_horizon",
        defaults=SMAC_STARTUP,
        supports=Supports(),
    ),
    "skopt-gp": Entry(
        "hemobench.strategies.skopt_gp:SkoptGP",
        "scikit-optimize's Gaussian process with its hedged acquisition",
        needs="skopt",
        startup="10 random trials",
        pending="told to a copy as the best loss seen",
        complexity=3,
        slowness=30.0,
        classic=True,
        learns_from="hemobench.strategies.startup:as_set",
        defaults={"startup_trials": 10},
        supports=Supports(conditional=False),
    ),
    "optuna-gp": Entry(
        "hemobench.strategies.optuna_gp:OptunaGP",
        "Optuna's Gaussian process with log expected improvement",
        needs="torch",
        startup="10 random trials",
        pending="averages over what they may become",
        complexity=3,
        slowness=10.0,
        learns_from="hemobench.strategies.startup:as_set",
        defaults={"startup_trials": 10},
        supports=Supports(),
    ),
    "optuna-cmaes": Entry(
        "hemobench.strategies.optuna_cmaes:OptunaCMAES",
        "Optuna's CMA-ES on the numeric hyperparameters; categorical ones stay random",
        needs="cmaes",
        startup="1 random trial",
        pending="further ones come from the same distribution",
        complexity=2,
        slowness=0.5,
        learns_from="hemobench.strategies.startup:as_set",
        defaults={"startup_trials": 1},
        supports=Supports(),
    ),
    "asha": Entry(
        "hemobench.strategies.asha:ASHA",
        "asynchronous successive halving of random configurations",
        startup="does not learn; compares from 1 epoch on",
        pending="waits for none; compares those that have finished",
        complexity=1,
        supports=Supports(fidelity=True),
    ),
    "hyperband": Entry(
        "hemobench.strategies.hyperband:Hyperband",
        "brackets of successive halving of random configurations",
        startup="does not learn; compares from 1 epoch on",
        pending="opens the next bracket beside an unfinished one",
        complexity=1,
        supports=Supports(fidelity=True),
    ),
    "bohb": Entry(
        "hemobench.strategies.bohb:BOHB",
        "Hyperband's brackets of configurations by Optuna's TPE, fitted on the longest rung",
        needs="optuna",
        startup="random until one rung has 3 results more than there are hyperparameters",
        pending="counted as bad; opens the next bracket beside an unfinished one",
        complexity=2,
        slowness=2.0,
        learns_from="hemobench.strategies.startup:as_set",
        defaults={"startup_trials": None},
        supports=Supports(fidelity=True),
    ),
    "smac-hyperband": Entry(
        "hemobench.strategies.smac_hyperband:SMACHyperband",
        "SMAC's multi-fidelity facade: Hyperband's brackets of configurations by a random forest",
        needs="smac",
        startup="random design of 10 a hyperparameter, at most a quarter of its trials",
        pending="not in its model; opens the next bracket beside an unfinished one",
        complexity=3,
        slowness=8.0,
        learns_from="hemobench.strategies.startup:share_of_the_horizon",
        defaults=SMAC_STARTUP,
        supports=Supports(fidelity=True),
    ),
}


GROUP = "hemobench.strategies"
COUNTED = re.compile(r"\d+ random trials?")


def row_of(name: str) -> Entry:
    """The row of a strategy; what is known of none of ours, where it is another package's or a class."""
    return STRATEGIES.get(name) or installed().get(name) or Entry(name, "")


def startup_trials(name: str, settings: Mapping[str, Any], horizon: int, hyperparameters: int) -> int | None:
    """Trials that end before a strategy learns; `None` if it never does, or nobody knows.

    Args:
        name: The strategy's.
        settings: As given; those that are not have the strategy's own defaults.
        horizon: Expected number of trials.
        hyperparameters: Of the search space.
    """
    row = row_of(name)
    if not row.learns_from:
        return None
    module, _, attribute = row.learns_from.partition(":")
    rule: Callable[[Mapping[str, Any], int, int], int | None] = getattr(import_module(module), attribute)
    return rule({**row.defaults, **settings}, horizon, hyperparameters)


def beginning(name: str, settings: Mapping[str, Any]) -> str:
    """How a strategy begins before it learns, in words; empty if nobody knows.

    Args:
        name: The strategy's.
        settings: As given: what they say of the start counts, not the strategy's own default.
    """
    words, asked = row_of(name).startup, settings.get("startup_trials")
    if not words or not isinstance(asked, int):
        return words
    plural = "" if asked == 1 else "s"
    return f"{asked} random trial{plural}" if COUNTED.fullmatch(words) else f"design of {asked} trial{plural}"


def installed() -> dict[str, Entry]:
    """Strategies that other installed packages declare as entry points of the group `hemobench.strategies`.

    A name of our own table stays ours.
    """
    found = declared(GROUP, STRATEGIES)
    return {name: Entry(each.path, f"from the package {each.package}") for name, each in found.items()}


def unavailable(name: str) -> str | None:
    """Why a strategy of the table cannot be used here, or `None` if it can; imports nothing."""
    needs = STRATEGIES[name].needs
    return f"the library '{needs}' is not installed" if needs and find_spec(needs) is None else None


def supports(name: str) -> Supports:
    """What a strategy can deal with; imports nothing of a library for those of the table.

    Raises:
        BenchmarkError: As `load_strategy`.
    """
    if name in STRATEGIES:
        require_available(name)
    return row_of(name).supports or load_strategy(name).supports


def require_available(name: str) -> None:
    """Make sure that a strategy of the table can be used here.

    Raises:
        BenchmarkError: If its library is missing.
    """
    reason = unavailable(name)
    if reason:
        raise BenchmarkError(f"strategy '{name}': {reason}", f"pip install it, or leave out '{name}'")


def load_strategy(name: str) -> type[Strategy]:
    """The class of a strategy: one of the table or of another package by its name, or `package.module:Class`.

    Raises:
        BenchmarkError: If there is none of that name, its library is missing, or the class is no strategy.
    """
    if name in STRATEGIES:
        require_available(name)
        return _of_table(name)
    if re.fullmatch(r"[\w.]+:\w+", name):
        return _import(name)
    others = installed()
    if name in others:
        return _import(others[name].path)
    known = [*STRATEGIES, *others]
    close = difflib.get_close_matches(name, known, n=1)
    raise BenchmarkError(
        f"there is no strategy '{name}'" + (f"; did you mean '{close[0]}'?" if close else ""),
        f"choose one of: {', '.join(known)}; or give your own as package.module:Class",
    )


def _of_table(name: str) -> type[Strategy]:
    """The class of a row of the table; where its library is of another version than it needs, that is said.

    Raises:
        BenchmarkError: If it cannot be imported.
    """
    row = STRATEGIES[name]
    try:
        return _import(row.path)
    except BenchmarkError as problem:
        installed, needed = _versions(row.needs)
        if not installed:
            raise
        said = f"strategy '{name}': {installed} cannot be used: {problem.problem.partition(': ')[2]}"
        raise BenchmarkError(said, f"pip install '{needed}', or leave out '{name}'") from None


def _versions(library: str) -> tuple[str, str]:
    """A library as it is installed and as this package needs it, as in `smac 2.3.1` and `smac>=2.4`; or nothing."""
    packages = packages_distributions().get(library, []) if library else []
    needed = {
        re.split(r"[\s<>=!~;\[]", line)[0]: line.partition(";")[0].strip() for line in requires("hemobench") or []
    }
    for package in packages:
        if package in needed:
            return f"{package} {version(package)}", needed[package]
    return "", ""


def path_of(strategy: type[Strategy]) -> str:
    """A class as `module:Class`, by which other processes find it.

    Raises:
        BenchmarkError: If it cannot be found by that.
    """
    name = strategy.__qualname__
    if "." in name:
        hint = "define the class at the top of a module"
        raise BenchmarkError(f"{name} is defined inside another thing", hint)
    return f"{strategy.__module__}:{name}"


def _import(path: str) -> type[Strategy]:
    module, _, attribute = path.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as problem:
        raise BenchmarkError(f"strategy '{path}': {problem}", "check that it can be imported from here") from None
    except (Exception, SystemExit) as problem:  # whatever the module does when it is imported
        said = f"{type(problem).__name__}: {problem}"
        raise BenchmarkError(f"strategy '{path}': importing it raised {said}", "correct the module") from None
    missing = [method for method in ("ask", "tell") if not callable(getattr(found, method, None))]
    missing = missing if hasattr(found, "supports") else ["supports", *missing]
    if missing:
        raise BenchmarkError(
            f"'{path}' is no strategy: it lacks {', '.join(missing)}", "see hemobench.strategies.base.Strategy"
        )
    if not isinstance(found, type):
        raise BenchmarkError(f"'{path}' is no class but a {type(found).__name__}", "give the class of a strategy")
    supports = getattr(found, "supports", None)
    if not isinstance(supports, Supports):
        said = f"its `supports` is a {type(supports).__name__}"
        raise BenchmarkError(f"'{path}' is no strategy: {said}", "set supports = Supports(…) on the class")
    strategy: type[Strategy] = found
    return strategy
