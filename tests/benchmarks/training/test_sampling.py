"""Normal, over- and undersampling."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hemobench.benchmarks.training.inputs.sampling import sample  # noqa: E402
from hemobench.benchmarks.training.seeds import generator  # noqa: E402
from hemobench.errors import BenchmarkError  # noqa: E402

LABELS = torch.tensor([0] * 7 + [1] * 3 + [2] * 2)


def test_normal_sampling_shows_every_image_once() -> None:
    assert sample(LABELS, "normal", generator(0)).tolist() == list(range(12))


def test_oversampling_levels_up_and_drops_nobody() -> None:
    rows = sample(LABELS, "over", generator(0))
    assert torch.bincount(LABELS[rows]).tolist() == [7, 7, 7]
    shown = torch.bincount(rows)
    assert shown.min() >= 1
    for c in range(3):
        of_class = shown[LABELS.eq(c)]
        assert of_class.max() - of_class.min() <= 1


def test_undersampling_levels_down_without_repeats_and_afresh() -> None:
    rows = sample(LABELS, "under", generator(0))
    assert torch.bincount(LABELS[rows]).tolist() == [2, 2, 2]
    assert len(set(rows.tolist())) == 6
    assert any(sample(LABELS, "under", generator(e)).tolist() != rows.tolist() for e in range(1, 5))


def test_equal_generators_choose_equally() -> None:
    assert torch.equal(sample(LABELS, "over", generator(3)), sample(LABELS, "over", generator(3)))


def test_an_unknown_sampling_is_named() -> None:
    with pytest.raises(BenchmarkError, match="smote"):
        sample(LABELS, "smote", generator(0))
