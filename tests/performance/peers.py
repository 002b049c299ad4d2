"""The same search, trials and losses through raw libraries, through hemobench, and through Syne Tune's simulator.

In an environment of its own, since a peer brings packages that nothing here needs:

    python -m venv peers && peers/bin/pip install . syne-tune
    peers/bin/python tests/performance/peers.py --trials 100 --seeds 5

Prints one Markdown table: processor milliseconds a trial, medians over seeds, and how many times the raw loop that is.
What is not installed is left out and named. Each seed's rounds follow one another, so that a busy machine disturbs all
alike.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from statistics import median

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

from performance.our_strategies import ours  # noqa: E402
from performance.raw_loops import BATCH, HIDDEN, LOOPS, Loop, loss_of  # noqa: E402

SYNE_TUNE = {"random": "RandomSearch", "optuna-tpe": "TPE"}
"""Its own search that stands beside a library's."""


def syne_tune(name: str, trials: int, seed: int) -> Loop:
    """Syne Tune's simulator on a blackbox of one epoch, told to wait for nothing and to save nothing."""
    import numpy as np
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend.simulator_backend.simulator_callback import SimulatorCallback
    from syne_tune.blackbox_repository.blackbox import Blackbox
    from syne_tune.blackbox_repository.simulated_tabular_backend import UserBlackboxBackend
    from syne_tune.config_space import choice, loguniform, randint, uniform
    from syne_tune.optimizer import baselines

    logging.disable(logging.WARNING)
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

    kind = getattr(baselines, SYNE_TUNE[name])
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


def seconds(loop: Loop, trials: int) -> float:
    """Of the processor, a trial."""
    started = time.process_time()
    done = loop()
    spent = time.process_time() - started
    assert len(done) == trials, f"{len(done)} trials"
    return spent / trials


def measured(name: str, trials: int, seeds: int) -> dict[str, list[float]]:
    """Seconds a trial of every way, each seed's one after another."""
    ways: dict[str, Callable[[int], Loop]] = {
        "raw": lambda seed: LOOPS[name](trials, seed),
        "hemobench": lambda seed: ours(name, trials, seed),
    }
    if name in SYNE_TUNE and "syne_tune" in sys.modules:
        ways["Syne Tune"] = lambda seed: syne_tune(name, trials, seed)
    found: dict[str, list[float]] = {way: [] for way in ways}
    for seed in range(seeds + 1):  # the first imports what it needs, and is not counted
        for way, prepare in ways.items():
            spent = seconds(prepare(seed), trials)
            if seed:
                found[way].append(spent)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--slow-trials", type=int, default=25, help="of SMAC and scikit-optimize")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--strategies", nargs="+", default=list(LOOPS), choices=list(LOOPS))
    asked = parser.parse_args()
    try:
        import syne_tune as found

        sys.stdout.write(f"Syne Tune {found.__version__}\n\n")
    except ImportError:
        sys.stdout.write("Syne Tune is not installed, and left out.\n\n")
    sys.stdout.write("| strategy | trials | way | ms a trial | times raw |\n|---|---|---|---|---|\n")
    for name in asked.strategies:
        trials = asked.slow_trials if name in ("smac", "skopt-gp") else asked.trials
        spent = measured(name, trials, asked.seeds)
        raw = median(spent["raw"])
        for way, each in spent.items():
            ratio = median(one / other for one, other in zip(each, spent["raw"], strict=True))
            shown = "" if way == "raw" else f"{ratio:.2f}" if raw > 1e-3 else f"+{1e3 * (median(each) - raw):.3f} ms"
            sys.stdout.write(f"| {name} | {trials} | {way} | {1e3 * median(each):.3f} | {shown} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
