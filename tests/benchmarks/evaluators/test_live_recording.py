"""Tables of live trainings that go side by side."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from hemobench.benchmarks.evaluators.table import TableEvaluator  # noqa: E402
from hemobench.benchmarks.recording.design import Design  # noqa: E402
from hemobench.benchmarks.recording.recording import record  # noqa: E402
from hemobench.benchmarks.recording.source import Source  # noqa: E402
from hemobench.benchmarks.tables.io import write_table  # noqa: E402
from hemobench.benchmarks.tables.merge import merge_tables  # noqa: E402
from hemobench.benchmarks.tables.schema import ALL_FOLDS, Table, config_key  # noqa: E402
from hemobench.benchmarks.tasks import load_task  # noqa: E402
from hemobench.benchmarks.training.metrics import over_folds  # noqa: E402
from hemobench.errors import BenchmarkError  # noqa: E402
from hemobench.strategies.base import Proposal  # noqa: E402

DESIGN = Design(
    sobol=1, random=0, strategies=(), repeats=0, folds=(0, 1, 2), every_fold=1, epochs=(1, 2), grid={"batch_size": (8,)}
)


def heads(images: Path, cache: Path) -> Source:
    settings = {"data": str(images), "cache": str(cache), "weights": "none", "device": "cpu", "epochs": 2}
    return Source("bone-marrow-head@live", {**settings, "folds": 3, "image_size": 64}, together=True)


def test_folds_trained_side_by_side_are_put_together_by_the_table(
    three_classes: Path, cache_of_cells: Path, tmp_path: Path
) -> None:
    """Each training is of one fold, and says nothing of a deviation; what the table answers holds that of the folds."""
    source = heads(three_classes, cache_of_cells)
    design = replace(DESIGN, sobol=2, random=1, every_fold=3, epochs=(2,))
    table = record(source, design, tmp_path / "table.parquet", jobs=1)
    assert sorted(row.fold for row in table.rows) == [0] * 3 + [1] * 3 + [2] * 3
    assert all("macro_f1_std" not in row.validation for row in table.rows)
    answers = TableEvaluator(table)
    for config in {config_key(row.config): row.config for row in table.rows}.values():
        each = [{"macro_f1": row.validation["macro_f1"][-1]} for row in table.rows if row.config == config]
        expected = over_folds(each)
        found = answers.evaluate(Proposal(config), 0).validation
        assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_a_recording_goes_on_in_the_seconds_of_an_earlier_one_on_another_device(
    three_classes: Path, cache_of_cells: Path, tmp_path: Path
) -> None:
    """Every kind of training took 1 s to start, 0.5 s an epoch and 0.01 s a step there, and 0.2 and 0.1 s to look."""
    source = heads(three_classes, cache_of_cells)
    first = record(source, DESIGN, tmp_path / "first.parquet", jobs=1)
    images = len(source.evaluator(ALL_FOLDS)._protocol.job(first.rows[0].config, 0, 0).feed.labels("train"))

    def charged(epochs: int, batch: int) -> float:
        return 1.0 + epochs * (0.5 + 0.01 * math.ceil(images / batch))

    space = load_task("bone-marrow-head").space()
    looks = (1, 2)
    rows = [
        replace(
            first.rows[0],
            config={**first.rows[0].config, "network": network, "optimizer": optimizer, "batch_size": batch},
            epochs=looks,
            seconds=tuple(charged(n, batch) + 0.2 * n + 0.1 for n in looks),
            evaluation_seconds=tuple(0.2 * n + 0.1 for n in looks),
        )
        for network in space["network"].choices
        for optimizer in space["optimizer"].choices
        for batch in (4, 16)
    ]
    header = replace(first.header, device="another", source={**first.header.source, "device": "another"})
    earlier = Table(header, tuple(rows))

    second = replace(DESIGN, random=2, sobol=0, every_fold=2, seed=5)
    pace_of = tmp_path / "earlier.parquet"
    write_table(earlier, pace_of)
    table = record(source, second, tmp_path / "second.parquet", jobs=1, pace_of=pace_of)
    for row in table.rows:
        wanted = [charged(n, 8) + 0.2 * n + 0.1 for n in row.epochs]
        assert row.seconds == pytest.approx(wanted, abs=1e-5)
    assert table.header.device == table.header.source["device"] == "another"
    assert table.header.design["trained on"] == first.header.device
    assert len(merge_tables([earlier, table]).rows) == len(rows) + 6

    few = tmp_path / "few.parquet"  # of one batch size
    write_table(replace(earlier, rows=tuple(rows[::2])), few)
    with pytest.raises(BenchmarkError, match=r"few.parquet does not tell the pace of linear classifier .*two batch"):
        record(source, second, tmp_path / "third.parquet", jobs=1, pace_of=few)
    assert record(source, second, tmp_path / "third.parquet", jobs=1, pace_of=pace_of).rows == table.rows
    with pytest.raises(BenchmarkError, match=r"charges the seconds of earlier.parquet, not of few.parquet"):
        record(source, second, tmp_path / "third.parquet", jobs=1, pace_of=few)
    other = tmp_path / "lite.parquet"
    write_table(replace(earlier, header=replace(header, task="bone-marrow-lite")), other)
    with pytest.raises(BenchmarkError, match=r"lite.parquet is of the task bone-marrow-lite"):
        record(source, second, tmp_path / "third.parquet", jobs=1, pace_of=other)
    with pytest.raises(BenchmarkError, match=r"without --together"):
        record(replace(source, together=False), second, tmp_path / "third.parquet", jobs=1, pace_of=pace_of)
