"""CARP-S's optimizers on the formula, with the settings that CARP-S ships for them.

Its own files of settings are read, and its own loop asks, evaluates and tells, for one worker. It is given no logger,
so it writes nothing itself. What cannot be switched off: a second configuration is built of every proposal, numbers are
told back as ConfigSpace rounds them, the best so far is looked up after every trial, and SMAC saves its history with
every tell (to a temporary folder). Its Hyperopt comes through Nevergrad, as another search, and is left out.
"""

from __future__ import annotations

import io
import tempfile
from contextlib import redirect_stdout
from functools import partial
from importlib.resources import files

from performance.raw_loops import Config, Loop, Prepare, forest, library_seed, loss_of, space

SETTINGS = {
    "random": ["randomsearch/config"],
    "optuna-tpe": ["optuna/base", "optuna/SO_TPE"],
    "smac": ["smac20/base", "smac20/hpo"],
    "skopt-gp": ["scikit_optimize/base", "scikit_optimize/BO"],
}
"""Its files, the later over the earlier; it has no other of a single objective for the same search."""


def ways(name: str) -> dict[str, Prepare]:
    """Of a row of the table: what the way is called there, and what prepares it."""
    found: dict[str, Prepare] = {"CARP-S": partial(carps, name)} if name in SETTINGS else {}
    if name == "smac":  # SMAC's default forest starts threads, and has trees with room for a million leaves
        found = {"CARP-S, SMAC's default forest": found["CARP-S"], "CARP-S, the raw loop's forest": small_forest}
    return found


def small_forest(trials: int, seed: int) -> Loop:
    """CARP-S's SMAC with what the raw loop sets for speed alone."""
    return carps("smac", trials, seed, model=forest(space(), trials, library_seed(seed)))


def carps(name: str, trials: int, seed: int, **smac_parts: object) -> Loop:
    """CARP-S's optimizer, set up, with SMAC's parts beside its settings."""
    from carps.objective_functions.objective_function import ObjectiveFunction
    from carps.utils.running import make_optimizer
    from carps.utils.task import InputSpace, OptimizationResources, OutputSpace, Task, TaskMetadata
    from carps.utils.trials import TrialInfo, TrialValue
    from omegaconf import OmegaConf

    searched = space(library_seed(seed))
    seen: list[Config] = []

    class Formula(ObjectiveFunction):
        @property
        def configspace(self):  # type: ignore[no-untyped-def]
            return searched

        def _evaluate(self, trial_info: TrialInfo) -> TrialValue:
            seen.append(dict(trial_info.config))
            return TrialValue(cost=loss_of(seen[-1]))

    inputs, outputs, resources = InputSpace(searched), OutputSpace(), OptimizationResources(n_trials=trials)
    task = Task("formula", Formula(), inputs, outputs, resources, TaskMetadata())
    fidelities = {"min_fidelity": None, "max_fidelity": None}
    named = {
        "seed": library_seed(seed),
        "outdir": tempfile.mkdtemp(),
        "task": {
            "optimization_resources": {"n_trials": trials},
            "output_space": {"objectives": list(outputs.objectives)},
            "input_space": {"fidelity_space": fidelities},
        },
    }
    shipped = files("carps").joinpath("configs", "optimizer")
    read = [OmegaConf.create(shipped.joinpath(f"{name}.yaml").read_text("utf-8")) for name in SETTINGS[name]]
    with redirect_stdout(io.StringIO()):  # it prints an Optuna study
        optimizer = make_optimizer(OmegaConf.merge(named, *read), task)
        if smac_parts:
            parts = OmegaConf.create({"smac_kwargs": smac_parts}, flags={"allow_objects": True})
            optimizer.smac_cfg = OmegaConf.merge(parts, optimizer.smac_cfg)
        optimizer.setup_optimizer()

    def loop() -> list[Config]:
        optimizer.run()
        return seen

    return loop
