"""Losses and class weights against their formulas."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hemobench.benchmarks.training.optimization.losses import balanced_weights, interpolated_weights, make_loss  # noqa: E402
from hemobench.errors import BenchmarkError  # noqa: E402


def test_balanced_weights_are_the_c_nmc_papers() -> None:
    """7,272 leukaemic and 3,389 normal cells give 0.733 and 1.573 (the paper prints 1.574)."""
    labels = torch.tensor([0] * 7272 + [1] * 3389)
    assert balanced_weights(labels, 2).tolist() == pytest.approx([0.733, 1.573], abs=5e-4)


@pytest.mark.parametrize("weighting", [0.0, 0.3, 1.0])
def test_interpolated_weights_have_mean_one(weighting: float) -> None:
    labels = torch.tensor([0] * 8 + [1] * 4 + [2] * 1)
    weights = interpolated_weights(labels, 3, weighting)
    assert float(weights.mean()) == pytest.approx(1)
    inverse = torch.tensor([1 / 8, 1 / 4, 1.0])
    expected = (1 - weighting) + weighting * inverse / inverse.mean()
    assert weights.tolist() == pytest.approx(expected.tolist())


def test_a_class_without_images_has_a_finite_weight() -> None:
    assert torch.isfinite(interpolated_weights(torch.tensor([0, 0]), 3, 1.0)).all()


def test_cross_entropy_equals_pytorchs_weighted_mean() -> None:
    logits, labels = torch.randn(7, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 2, 1, 0, 0])
    weights = torch.tensor([0.5, 1.0, 2.0])
    expected = torch.nn.functional.cross_entropy(logits, labels, weight=weights)
    assert float(make_loss("cross_entropy", weights)(logits, labels)) == pytest.approx(float(expected))


def test_focal_loss_scales_by_the_squared_miss() -> None:
    p = 0.8
    logits = torch.log(torch.tensor([[p, 1 - p]]))
    loss = make_loss("focal", torch.ones(2))(logits, torch.tensor([0]))
    expected = -((1 - p) ** 2) * torch.log(torch.tensor(p))
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_focal_loss_has_a_finite_gradient_where_the_class_is_certain() -> None:
    logits = torch.tensor([[60.0, -60.0]], requires_grad=True)
    make_loss("focal", torch.ones(2))(logits, torch.tensor([0])).backward()
    assert torch.isfinite(logits.grad).all()


def test_an_unknown_loss_is_named() -> None:
    with pytest.raises(BenchmarkError, match="hinge"):
        make_loss("hinge", torch.ones(2))
