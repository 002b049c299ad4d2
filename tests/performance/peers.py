"""The same search, trials and losses through raw libraries, through hemobench, and through its peers.

The peers are Syne Tune's simulator and CARP-S. In an environment of its own, since they bring packages that nothing
here needs:

    python -m venv peers && peers/bin/pip install . syne-tune huggingface_hub carps
    PYTHONHASHSEED=0 peers/bin/python tests/performance/peers.py --trials 100 --seeds 5

Prints one Markdown table: processor milliseconds a trial, medians over seeds, how many times the raw loop that is, and
after how many trials the proposals part from the raw loop's, in the seed where they part first. What is not installed
is left out and named. Each seed's rounds follow one another, so that a busy machine disturbs all alike. Nothing is
logged below an error, by anyone.
"""

from __future__ import annotations

import argparse
import gc
import logging
import math
import os
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

from performance import peer_carps, peer_syne_tune  # noqa: E402
from performance.our_strategies import ours  # noqa: E402
from performance.raw_loops import LOOPS, Config, Loop, Prepare  # noqa: E402

PEERS = {"syne-tune": peer_syne_tune.ways, "carps": peer_carps.ways}
"""By what is to be installed."""


def seconds(loop: Loop, trials: int) -> tuple[float, list[Config]]:
    """Of the processor, a trial; and what was proposed."""
    gc.collect()
    started = time.process_time()
    done = loop()
    spent = time.process_time() - started
    assert len(done) == trials, f"{len(done)} trials"
    return spent / trials, done


def alike(one: list[Config], other: list[Config]) -> int:
    """Trials until the proposals part; ConfigSpace rounds numbers, so a millionth is no parting."""
    for number, (left, right) in enumerate(zip(one, other, strict=True)):
        if left.keys() != right.keys() or not all(math.isclose(left[key], right[key], rel_tol=1e-6) for key in left):
            return number
    return len(one)


def measured(name: str, trials: int, seeds: int, peers: list[str]) -> dict[str, list[tuple[float, int]]]:
    """Of every way, each seed's one after another: seconds a trial, and how many were proposed as in the raw loop."""
    ways: dict[str, Prepare] = {"raw": LOOPS[name], "hemobench": lambda trials, seed: ours(name, trials, seed)}
    for peer in peers:
        ways |= PEERS[peer](name)
    found: dict[str, list[tuple[float, int]]] = {way: [] for way in ways}
    for seed in range(seeds + 1):  # the first imports what it needs, and is not counted
        raw: list[Config] = []
        for way, prepare in ways.items():
            spent, done = seconds(prepare(trials, seed), trials)
            raw = raw or done
            if seed:
                found[way].append((spent, alike(raw, done)))
    return found


def installed() -> list[str]:
    """The peers that are, every one named with its version or as left out."""
    found = []
    for peer in PEERS:
        try:
            sys.stdout.write(f"{peer} {version(peer)}\n\n")
            found.append(peer)
        except PackageNotFoundError:
            sys.stdout.write(f"{peer} is not installed, and left out.\n\n")
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--slow-trials", type=int, default=25, help="of SMAC and scikit-optimize")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--strategies", nargs="+", default=list(LOOPS), choices=list(LOOPS))
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    peers = installed()
    sys.stdout.write("| strategy | trials | way | ms a trial | times raw | alike |\n|---|---|---|---|---|---|\n")
    for name in asked.strategies:
        trials = asked.slow_trials if name in ("smac", "skopt-gp") else asked.trials
        found = measured(name, trials, asked.seeds, peers)
        spent = {way: [one for one, _ in each] for way, each in found.items()}
        raw = median(spent["raw"])
        for way, each in spent.items():
            ratio = median(one / other for one, other in zip(each, spent["raw"], strict=True))
            shown = "" if way == "raw" else f"{ratio:.2f}" if raw > 1e-3 else f"+{1e3 * (median(each) - raw):.3f} ms"
            same = "" if way == "raw" else min(number for _, number in found[way])
            sys.stdout.write(f"| {name} | {trials} | {way} | {1e3 * median(each):.3f} | {shown} | {same} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
