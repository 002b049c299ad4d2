"""Makes a recorded benchmark of a table: `python -m hemobench.benchmarks.recorded.release TASK TABLE`.

Fits the surrogate, cross-validates it beside other models, finds its optimum and simulates random searches for the
reference, and writes the three files that `hemobench.benchmarks.recorded` reads. What `hemobench parity -o` wrote is
put into the card with `--parity FILE`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.evaluators.surrogate import SurrogateEvaluator
from hemobench.benchmarks.recorded import Artefacts, artefacts
from hemobench.benchmarks.recorded.references import optimum, reference
from hemobench.benchmarks.surrogates.store import save
from hemobench.benchmarks.surrogates.trust.alternatives import forest
from hemobench.benchmarks.surrogates.trust.card import card as trust_card
from hemobench.benchmarks.surrogates.trust.card import fitted
from hemobench.benchmarks.tables.io import read_table, write_table
from hemobench.benchmarks.tables.schema import Header
from hemobench.errors import BenchmarkError

SCHEMA = 1
SECOND = (
    "Version 2 is fitted to the table of version 1: its noise follows the recorded residuals by epoch and quality, and "
    "its ensemble is as wide as held-out configurations ask. What stands here of parity was found with version 1."
)
NOTES = {
    "c-nmc": (
        "All 7,835 images of official folds 0, 1 and, in part, 2, at 224 pixels; features of a frozen "
        "EfficientNet-Lite0 with ImageNet's weights, where the paper has EfficientNet-B2's.",
        "The paper's split: a fifth of the training cells is the validation set, so people are on both sides; the "
        "test set is what there is of official fold 2, people never trained on.",
        "Trained side by side on one GPU. Costs are reckoned from trainings measured alone; features of the frozen "
        "backbone were computed once and charged to nobody.",
        "Above a learning rate of 1e-4, few configurations can be told from one another: the best trainings lie two "
        "points above the median, and two seeds of one configuration one point apart.",
    ),
    "bone-marrow-head": (
        "All 3,988 images of ten classes of the Barcelona peripheral-blood set, at 112 pixels; four folds, of which a "
        "trial trains on half, validates on a quarter and tests on a quarter, each in turn.",
        "EfficientNet-Lite 0, 1 and 2 keep ImageNet's weights; what is trained is a linear classifier of the means and "
        "deviations of their five later stages. That stands for feature extraction, not for fine-tuning: rates that "
        "suit a classifier may not suit a network.",
        "Trained side by side on a CPU. Costs are reckoned from trainings measured alone, in seconds of one core; "
        "features of the frozen networks were computed once and charged to nobody.",
    ),
    "bone-marrow-lite": (
        "3,000 images of ten classes of the Barcelona peripheral-blood set, at 64 pixels; three folds, of which a "
        "trial trains on one, validates on one and tests on one, each in turn.",
        "EfficientNet-Lite 0, 1 and 2 are fine-tuned from ImageNet's weights for eight epochs: the learning rate and "
        "the optimizer decide whether that is enough, so most of the space is poor and strategies can differ.",
        "530 configurations, all on three folds: 292 fill the space; others lie near the best and the default, at ends "
        "of ranges, and where searches of version 2 ended. Batch sizes were recorded at nine values from 1 to 32.",
        "Trained side by side on an H100 and, the larger batches of version 1, on an H200. Costs are reckoned from "
        "trainings measured alone on an H100.",
    ),
    "bone-marrow-micro": (
        "Micro scale: DenseNets of small growth and depth from random weights, 64 pixels, a stratified part of 600 "
        "images of the Barcelona peripheral-blood set, 6 epochs. It stands for nothing but itself, least of all for "
        "the paper's figures; ranks of strategies are what this benchmark is for.",
        "Most configurations were trained on the first of six folds, some on all; answers put the six together.",
        "Costs are seconds of one CPU core.",
        SECOND,
    ),
}


def release(task: str, table: Path, parity: Path | None = None, *, to: Artefacts | None = None) -> Mapping[str, Any]:
    """Write the files of a recorded benchmark; what was found of parity is kept where none is given anew.

    Args:
        task: The task's name.
        table: What was recorded.
        parity: What `hemobench parity -o` wrote.
        to: The files; by default those of the package.

    Returns:
        The card.
    """
    files, read = to or artefacts(task), read_table(table)
    benchmark = load_benchmark(f"{task}@recorded")
    known = fitted(read, folds=benchmark.defaults.get("folds"))
    if known.answers is None:
        raise BenchmarkError(f"{table}: no configuration was recorded on all of the folds {known.folds}", "record more")
    if files.table.resolve() != table.resolve():
        write_table(read, files.table)
    save(known.surrogate, files.surrogate)
    kept = json.loads(files.card.read_bytes()).get("card", {}).get("parity") if files.card.exists() else None
    answers = SurrogateEvaluator(known.surrogate, benchmark.name, benchmark.version, folds=known.folds)
    card = {
        "recorded": facts(read.header),
        "trust": {**trust_card(known), "optimum": optimum(answers, known)},
        "alternatives": {"random forest": forest(read, known.folds)},
        "parity": json.loads(parity.read_bytes()) if parity else kept,
        "notes": list(NOTES.get(task, ())),
    }
    normal = reference(answers, benchmark.task, known.answers)
    content = {"schema": SCHEMA, "reference": asdict(normal), "card": card}
    files.card.write_text(json.dumps(content, indent=1) + "\n")
    return card


def facts(header: Header) -> dict[str, Any]:
    """What a reader of the card must know of the recording."""
    wanted = ("weights", "split", "network", "images", "image_size", "features", "recorded")
    return {
        "benchmark": header.benchmark,
        "scale": header.scale,
        "epochs": header.epochs,
        "device": header.device,
        "data_sha256": header.data,
        **{name: header.source[name] for name in wanted if name in header.source},
        "torch": header.source.get("torch", ""),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task")
    parser.add_argument("table", type=Path)
    parser.add_argument("--parity", type=Path)
    given = parser.parse_args()
    card = release(given.task, given.table, given.parity)
    print(json.dumps({name: card[name] for name in ("trust", "alternatives")}, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
