"""Each optimizer against its update rule on one parameter, and all of them on a small problem."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hemobench.benchmarks.tasks.bone_marrow import OPTIMIZERS  # noqa: E402
from hemobench.benchmarks.training.optimization.optimizers import CLASSES, make_optimizer  # noqa: E402
from hemobench.errors import BenchmarkError  # noqa: E402

LR = 0.01


def steps(name: str, gradients: list[float], **settings: float) -> list[float]:
    """A parameter that starts at 1, after each step with a given gradient."""
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = make_optimizer(name, [parameter], LR, **settings)
    seen = []
    for gradient in gradients:
        parameter.grad = torch.full((1,), float(gradient))
        optimizer.step()
        seen.append(float(parameter.detach()))
    return seen


def test_every_optimizer_of_both_search_spaces_is_there() -> None:
    assert set(CLASSES) == {*OPTIMIZERS, "adamw"}


def test_sgd_momentum_and_nesterov_follow_their_rules() -> None:
    assert steps("sgd", [1, 1]) == pytest.approx([1 - LR, 1 - 2 * LR])
    assert steps("momentum", [1, 1]) == pytest.approx([1 - LR, 1 - LR - 1.9 * LR])
    assert steps("nesterov", [1, 1]) == pytest.approx([1 - 1.9 * LR, 1 - 1.9 * LR - 2.71 * LR])


def test_adams_first_step_is_the_learning_rate() -> None:
    assert steps("adam", [7]) == pytest.approx([1 - LR])


def test_amsgrad_keeps_the_largest_second_moment() -> None:
    gradients = [10.0] + [0.1] * 30
    adam, amsgrad = steps("adam", gradients), steps("amsgrad", gradients)
    assert adam[0] == pytest.approx(amsgrad[0])
    assert amsgrad[-1] > adam[-1]  # smaller steps after a large gradient


def test_rmsprop_divides_by_the_root_mean_square() -> None:
    assert steps("rmsprop", [1]) == pytest.approx([1 - LR / 0.1], rel=1e-5)  # smoothing constant 0.99


def test_radam_starts_without_the_adaptive_term() -> None:
    assert steps("radam", [1]) == pytest.approx([1 - LR])
    assert steps("radam", [7]) == pytest.approx([1 - 7 * LR])


def test_adamw_decays_weights_apart_from_the_gradient() -> None:
    assert steps("adamw", [0], weight_decay=0.5) == pytest.approx([1 - LR * 0.5])


@pytest.mark.parametrize("name", CLASSES)
def test_every_optimizer_descends(name: str) -> None:
    weights = torch.nn.Parameter(torch.tensor([2.0, -3.0]))
    optimizer = make_optimizer(name, [weights], LR)
    for _ in range(50):
        optimizer.zero_grad()
        weights.square().sum().backward()
        optimizer.step()
    assert float(weights.detach().square().sum()) < 13


def test_frozen_parameters_are_left_out() -> None:
    frozen, free = torch.nn.Parameter(torch.ones(1), requires_grad=False), torch.nn.Parameter(torch.ones(1))
    optimizer = make_optimizer("adam", [frozen, free], LR)
    assert optimizer.param_groups[0]["params"] == [free]


def test_an_unknown_optimizer_is_named() -> None:
    with pytest.raises(BenchmarkError, match="lion"):
        make_optimizer("lion", [torch.nn.Parameter(torch.ones(1))], LR)
