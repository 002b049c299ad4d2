"""Syne Tune's simulator on the formula."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import redirect_stdout
from functools import partial

from performance.raw_loops import BATCH, HIDDEN, Loop, Prepare, loss_of

SEARCHES = {"random": "RandomSearch", "optuna-tpe": "TPE"}
"""Its own search that stands beside a library's."""


def ways(name: str) -> dict[str, Prepare]:
    """Of a row of the table: what the way is called there, and what prepares it."""
    called = "Syne Tune" if name == "random" else "Syne Tune, its own search"
    return {called: partial(syne_tune, name)} if name in SEARCHES else {}


def syne_tune(name: str, trials: int, seed: int) -> Loop:
    """Syne Tune's simulator on a blackbox of one epoch, told to wait for nothing and to save nothing."""
    import numpy as np
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend.simulator_backend.simulator_callback import SimulatorCallback
    from syne_tune.blackbox_repository.blackbox import Blackbox
    from syne_tune.blackbox_repository.simulated_tabular_backend import UserBlackboxBackend
    from syne_tune.config_space import choice, loguniform, randint, uniform
    from syne_tune.optimizer import baselines

    os.environ.setdefault("SYNETUNE_FOLDER", tempfile.mkdtemp())
    space = {
        "batch_size": choice(BATCH),
        "dropout_1": uniform(0.1, 0.5),
        "dropout_2": uniform(0.1, 0.4),
        "hidden_size": choice(HIDDEN),
        "learning_rate": loguniform(1e-5, 1e-2),
        "weight_decay": loguniform(1e-6, 1e-2),
    }

    class Formula(Blackbox):
        fidelity_values = np.array([1])

        def __init__(self) -> None:
            super().__init__(space, {"epochs": randint(1, 1)}, ["loss", "elapsed"])

        def _objective_function(self, configuration, fidelity=None, seed=None):  # type: ignore[no-untyped-def]
            loss = loss_of(configuration)
            return {"loss": loss, "elapsed": 100.0} if fidelity is not None else np.array([[loss, 100.0]])

    kind = getattr(baselines, SEARCHES[name])
    metric = {"metrics": ["loss"]} if name == "random" else {"metric": "loss"}
    tuner = Tuner(
        trial_backend=UserBlackboxBackend(Formula(), elapsed_time_attr="elapsed"),
        scheduler=kind(space, **metric, do_minimize=True, random_seed=seed),
        stop_criterion=StoppingCriterion(max_num_trials_completed=trials),
        n_workers=1,
        sleep_time=0,
        results_update_interval=1e9,
        print_update_interval=1e9,
        callbacks=[SimulatorCallback()],
        save_tuner=False,
        trial_backend_path=tempfile.mkdtemp(),
    )

    def loop() -> list[dict[str, object]]:
        with redirect_stdout(io.StringIO()):
            tuner.run()
        return [{}] * trials

    return loop
