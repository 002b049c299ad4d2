"""How well a validation set chooses, where it shares people with training and where it does not.

    python -m hemobench.benchmarks.recorded.choosing SHARED APART

SHARED is a recorded table of C-NMC's split `paper`, APART one of the split `subject` with the same configurations in
several rotations. Choices are judged by the test accuracy of APART's trainings: on people whose cells were neither
trained on nor chosen by.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import spearmanr

from hemobench.benchmarks.tables.io import read_table
from hemobench.benchmarks.tables.schema import Table, config_key
from hemobench.datasets.splits import SUBJECT_FOLDS
from hemobench.errors import BenchmarkError

Floats = NDArray[np.float64]
METRIC = "accuracy"
TRIALS = (20, 100)


@dataclass(frozen=True)
class Choice:
    """What choosing by one validation set comes to; accuracies as fractions, means over the rotations judged.

    Attributes:
        by: What is chosen by.
        spearman: Rank correlation of its accuracies with those on people never seen.
        promised: By number of trials: its own accuracy of what it chooses.
        reached: Likewise: that choice's accuracy on people never seen.
        random: The accuracy of any configuration on people never seen.
    """

    by: str
    spearman: float
    promised: dict[int, float]
    reached: dict[int, float]
    random: float


def best_of(quality: Floats, worth: Floats, trials: int) -> float:
    """The expected worth of the best by quality among so many configurations drawn at random, without replacement.

    Of n, the i-th best (from 0) is the best of k drawn with probability C(n-1-i, k-1) / C(n, k).
    """
    n, k = len(quality), min(trials, len(quality))
    order = np.argsort(-quality, kind="stable")
    left = np.arange(n - 1, -1, -1)  # worse ones: the other k - 1 must be among them
    enough = left >= k - 1
    ways = _log_choose(left[enough], k - 1) - _log_choose(np.array([n]), k)
    return float(np.exp(ways) @ worth[order][enough])


def _log_choose(n: NDArray[np.int64], k: int) -> Floats:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def choices(shared: Table, apart: Table, trials: tuple[int, ...] = TRIALS) -> list[Choice]:
    """Choosing by the shared people's validation set, by that of one rotation, and by the mean of rotations.

    Rotation r of the split `subject` tests on part r and validates on the part after it; a mean leaves out the
    rotation that validates on the people who judge.

    Raises:
        BenchmarkError: If the tables have too few configurations in common.
    """
    paper, rotations = _accuracies(shared)[shared.folds[0]], _accuracies(apart)
    common = set(paper).intersection(*rotations.values())
    if len(common) <= max(trials):
        raise BenchmarkError(f"the tables have {len(common)} configurations in common", "record the same points")
    keys = sorted(common)
    leaky = _column(paper, keys, 0)
    found = []
    for r in rotations:
        judge = _column(rotations[r], keys, 1)
        others = [_column(rotations[q], keys, 0) for q in rotations if (q + 1) % SUBJECT_FOLDS != r]
        by = {
            "people on both sides": leaky,
            "people apart, one rotation": _column(rotations[r], keys, 0),
            "people apart, mean of rotations": np.mean(others, axis=0),
        }
        found.append([_choice(name, quality, judge, trials) for name, quality in by.items()])
    return [_mean(same) for same in zip(*found, strict=True)]


def _choice(name: str, quality: Floats, judge: Floats, trials: tuple[int, ...]) -> Choice:
    promised = {k: best_of(quality, quality, k) for k in trials}
    reached = {k: best_of(quality, judge, k) for k in trials}
    return Choice(name, float(spearmanr(quality, judge).statistic), promised, reached, float(judge.mean()))


def _mean(same: tuple[Choice, ...]) -> Choice:
    def over(values: list[dict[int, float]]) -> dict[int, float]:
        return {k: float(np.mean([value[k] for value in values])) for k in values[0]}

    return Choice(
        same[0].by,
        float(np.mean([one.spearman for one in same])),
        over([one.promised for one in same]),
        over([one.reached for one in same]),
        float(np.mean([one.random for one in same])),
    )


def _accuracies(table: Table) -> dict[int, dict[str, tuple[float, float]]]:
    """By fold and configuration: validation and test accuracy of the trainings with seed 0."""
    found: dict[int, dict[str, tuple[float, float]]] = {}
    for row in table.rows:
        if row.seed == 0 and row.reached == len(row.epochs):
            validation, test = row.at(-1)
            found.setdefault(row.fold, {})[config_key(row.config)] = validation[METRIC], test[METRIC]
    return dict(sorted(found.items()))


def _column(accuracies: dict[str, tuple[float, float]], keys: list[str], side: int) -> Floats:
    return np.array([accuracies[key][side] for key in keys])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("apart", type=Path)
    given = parser.parse_args()
    try:
        found = choices(read_table(given.shared), read_table(given.apart))
    except BenchmarkError as problem:
        print(f"{parser.prog}: {problem}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    print(json.dumps([asdict(one) for one in found], indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
