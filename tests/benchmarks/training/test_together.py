"""Trainings side by side against the same trainings alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("timm")

import torch
from torch import Tensor, nn

from hemobench.benchmarks.tables.schema import ALL_FOLDS, Row
from hemobench.benchmarks.tasks.bone_marrow import OPTIMIZERS
from hemobench.benchmarks.training.checkpoints import Checkpoints
from hemobench.benchmarks.training.cross_validation import Resumption, train_all
from hemobench.benchmarks.training.inputs.feeds import Feed
from hemobench.benchmarks.training.looking import look_all
from hemobench.benchmarks.training.loop import Job, Training
from hemobench.benchmarks.training.optimization.losses import ClassWeighted
from hemobench.benchmarks.training.options import Options
from hemobench.benchmarks.training.protocols.bone_marrow import BoneMarrowProtocol
from hemobench.benchmarks.training.protocols.c_nmc import CNmcProtocol
from hemobench.benchmarks.training.seeds import spread
from hemobench.benchmarks.training.timer import Timer, TrialEnded
from hemobench.benchmarks.training.together.layers import ManyDropout
from hemobench.benchmarks.training.together.looks import look_together
from hemobench.benchmarks.training.together.pace import Beat, Pace, kind, measure, recovered, require_known
from hemobench.benchmarks.training.together.stacked import Stacked, can_stack
from hemobench.benchmarks.training.together.train import Together, in_step, require_stackable, train_together
from hemobench.benchmarks.training.together.trial import train_folds_together
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Status

CPU = torch.device("cpu")
BEAT = Beat(start=5.0, step=0.01, images=0.5, validation=0.25, test=2.0)


@pytest.fixture(scope="module")
def marrow(cells: Callable[..., Any]) -> BoneMarrowProtocol:
    """Ten images of three classes for training, in each of three folds."""
    return marrow_of(cells, 10)


@pytest.fixture(scope="module")
def few(cells: Callable[..., Any]) -> BoneMarrowProtocol:
    """Six instead: in double precision a network takes as long as there are images."""
    return marrow_of(cells, 6)


def marrow_of(cells: Callable[..., Any], count: int, last: int | None = None) -> BoneMarrowProtocol:
    made = cells("bone-marrow", ("a", "b", "c"), (count, count, last or count), 64)
    return BoneMarrowProtocol(*made, Options(image_size=64, folds=3, weights="none", precision="fp32"), CPU)


@pytest.fixture(scope="module")
def leukaemia(cells: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> CNmcProtocol:
    """Heads on the features of a random network."""
    made = cells("c-nmc", ("hem", "all"), (60, 90), 64)
    options = Options(
        image_size=64, backbone="efficientnet_lite0", split="random", weights="none", precision="fp32", view_seed=3
    )
    return CNmcProtocol(*made, options, CPU, tmp_path_factory.mktemp("features"))


def lite(**changed: Any) -> dict[str, Any]:
    config = {
        "network": "efficientnet_lite0",
        "learning_rate": 1e-3,
        "batch_size": 5,
        "optimizer": "adam",
        "loss": "cross_entropy",
        "loss_weighting": 0.0,
        "dropout": 0.0,
    }
    return config | changed


def head(**changed: Any) -> dict[str, Any]:
    config = {
        "learning_rate": 1e-3,
        "weight_decay": 1e-3,
        "dropout_1": 0.0,
        "dropout_2": 0.0,
        "hidden_size": 256,
        "batch_size": 32,
    }
    return config | changed


@dataclass(frozen=True)
class Doubled:
    """A feed in double precision, in which the order of a sum does not matter."""

    feed: Feed

    def labels(self, side: Any) -> Tensor:
        return self.feed.labels(side)

    def prepare(self, epoch: int, watch: Timer) -> None:
        self.feed.prepare(epoch, watch)

    def batches(self, *how: Any) -> Iterator[Tensor]:
        return (batch.double() for batch in self.feed.batches(*how))

    def held_out(self, side: Any) -> Iterator[Tensor]:
        return (some.double() for some in self.feed.held_out(side))


class Exact(ClassWeighted):
    """The loss without its rounding to single precision."""

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        entropy = nn.functional.cross_entropy(logits, labels, reduction="none")
        shaped = (-torch.expm1(-entropy)) ** 2 * entropy if self.focal else entropy
        weight = self.weights[labels]
        return (weight * shaped).sum() / weight.sum()


def doubled(job: Job) -> Job:
    loss = job.loss
    assert isinstance(loss, ClassWeighted)
    return replace(
        job, network=job.network.double(), feed=Doubled(job.feed), loss=Exact(loss.focal, loss.weights.double())
    )


class Exactly:
    """A protocol whose trainings compute in double precision."""

    def __init__(self, protocol: BoneMarrowProtocol) -> None:
        self._protocol = protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)

    def job(self, config: dict[str, Any], fold: int, seed: int) -> Job:
        return doubled(self._protocol.job(config, fold, seed))


def losses_alone(job: Job, epochs: int) -> tuple[list[float], list[float]]:
    progress = Training(job, CPU, Timer(CPU)).run(epochs)
    return progress.train_losses, progress.losses


def losses_together(jobs: list[Job], epochs: int) -> list[tuple[list[float], list[float]]]:
    together = Together(jobs, CPU)
    found: list[tuple[list[float], list[float]]] = [([], []) for _ in jobs]
    for epoch in range(epochs):
        for job in jobs:
            job.feed.prepare(epoch, Timer(CPU))
        trained = together.train(epoch, Timer(CPU)).tolist()
        labels = torch.stack([job.feed.labels("validation") for job in jobs])
        held_out = together.losses(together.predict("validation").double(), labels).tolist()
        together.schedule(held_out)
        for (train, validation), one, other in zip(found, trained, held_out, strict=True):
            train.append(one)
            validation.append(other)
    return found


@pytest.mark.filterwarnings("ignore:grad and param do not obey")
def test_networks_side_by_side_train_as_each_does_alone(few: BoneMarrowProtocol) -> None:
    configs = [
        lite(optimizer=name, learning_rate=1e-4 * (k + 1), loss=("focal", "cross_entropy")[k % 2], loss_weighting=k / 9)
        for k, name in enumerate(OPTIMIZERS)
    ]
    configs = [config | {"batch_size": 3} for config in configs]  # two steps, so that momenta matter
    asked = [(config, k % 3, 70 + k) for k, config in enumerate(configs)]
    together = losses_together([doubled(few.job(*one)) for one in asked], 1)
    for one, (train, validation) in zip(asked, together, strict=True):
        alone = losses_alone(doubled(few.job(*one)), 1)
        assert train == pytest.approx(alone[0], rel=1e-4), one[0]["optimizer"]
        assert validation == pytest.approx(alone[1], rel=1e-3), one[0]["optimizer"]


@pytest.mark.filterwarnings("ignore:grad and param do not obey")
def test_heads_side_by_side_train_as_each_does_alone_with_their_schedules(leukaemia: CNmcProtocol) -> None:
    configs = [head(learning_rate=rate, weight_decay=decay) for rate, decay in ((1e-4, 0.0), (1e-3, 0.1), (0.3, 0.01))]
    asked = [(config, 0, 7 * k) for k, config in enumerate(configs)]
    together = losses_together([doubled(leukaemia.job(*one)) for one in asked], 9)
    for one, (train, validation) in zip(asked, together, strict=True):
        alone = losses_alone(doubled(leukaemia.job(*one)), 9)
        assert train == pytest.approx(alone[0], rel=1e-6)
        assert validation == pytest.approx(alone[1], rel=1e-6)
    assert min(together[2][1]) < together[2][1][-1]  # the last rate is high enough for its schedule to act


def test_looks_are_those_of_each_alone(leukaemia: CNmcProtocol) -> None:
    configs = [head(), head(learning_rate=1e-4)]
    pace = Pace({kind("head of 256", "adamw"): BEAT})
    found = look_together(leukaemia, [leukaemia.job(c, 0, spread(5, 0)) for c in configs], (1, 3), CPU, pace)
    for config, looks in zip(configs, found, strict=True):
        alone = look_all(leukaemia, config, (1, 3), 5, CPU)
        for ours, theirs in zip(looks.looks, alone.looks, strict=True):
            assert ours.result.validation == pytest.approx(theirs.result.validation, abs=1e-3)
            assert ours.result.test == pytest.approx(theirs.result.test, abs=1e-3)
            assert ours.result.curve == pytest.approx(theirs.result.curve)
    alone_seconds = [look.seconds for look in found[0].looks]
    steps = -(-len(leukaemia.job(head(), 0, 0).feed.labels("train")) // 32)
    assert alone_seconds == pytest.approx([5 + n * (0.5 + steps * 0.01) + n * 0.25 + 2 for n in (1, 3)])


def test_one_that_diverges_leaves_the_others_alone(marrow: BoneMarrowProtocol) -> None:
    configs = [lite(optimizer="sgd", learning_rate=1e-4), lite(optimizer="sgd", learning_rate=1e30)]
    pace = Pace({kind("efficientnet_lite0", "sgd"): BEAT})
    calm, wild = look_together(marrow, [marrow.job(c, 0, 1) for c in configs], (1, 2), CPU, pace)
    assert calm.ended is None
    assert len(calm.looks) == 2
    assert wild.ended is not None
    assert wild.ended.status is Status.DIVERGED
    (alone,) = look_together(marrow, [marrow.job(configs[0], 0, 1)], (1, 2), CPU, pace)
    assert calm.looks[1].result.curve == pytest.approx(alone.looks[1].result.curve, abs=0.11)


def test_a_trial_is_what_its_splits_give_one_after_the_other(few: BoneMarrowProtocol, tmp_path: Path) -> None:
    config = lite(optimizer="sgd", learning_rate=1e-3)
    exact: Any = Exactly(few)
    once = Resumption(Checkpoints(tmp_path, 1e9), "", 0, keep=False)
    alone = train_all(exact, config, 2, 5, device=CPU, watch=Timer(CPU), resumption=once)
    told: list[tuple[int, int]] = []
    watch = Timer(CPU)
    found = train_folds_together(
        exact, config, 2, 5, device=CPU, watch=watch, on_epoch=lambda fold, epoch, _: told.append((fold, epoch))
    )
    assert sorted(told) == [(fold, epoch) for fold in (0, 1, 2) for epoch in (1, 2)]
    for ours, theirs in zip([found, *found.folds], [alone, *alone.folds], strict=True):
        assert ours.validation == pytest.approx(theirs.validation, rel=1e-3)
        assert ours.test == pytest.approx(theirs.test, rel=1e-3)
        assert ours.curve == theirs.curve
        assert all((ours.confusion[side] == theirs.confusion[side]).all() for side in ("validation", "test"))
    assert len({fold.validation["ece"] for fold in found.folds}) == 3  # the splits are told apart
    assert watch.seconds["training"] > 0
    assert watch.charged == watch.seconds["training"] + watch.seconds["evaluation"]


def test_a_trial_ends_when_one_of_its_splits_diverges_or_its_time_is_up(marrow: BoneMarrowProtocol) -> None:
    wild = lite(optimizer="sgd", learning_rate=1e30)
    with pytest.raises(TrialEnded) as ended:
        train_folds_together(marrow, wild, 2, 5, device=CPU, watch=Timer(CPU))
    assert ended.value.status is Status.DIVERGED
    watch = Timer(CPU, limit=1e-3)
    with pytest.raises(TrialEnded) as cut:
        train_folds_together(marrow, lite(), 2, 5, device=CPU, watch=watch)
    assert cut.value.status is Status.CUT
    assert watch.charged > 1e-3


def test_epochs_that_were_charged_before_are_not_charged_again(leukaemia: CNmcProtocol) -> None:
    job = leukaemia.job(head(), 0, 1)
    watch = Timer(CPU)
    seconds = [dict(watch.seconds) for _ in train_together(leukaemia, [job], 3, CPU, watch, trained=2)]
    charged = [after.get("training", 0.0) + after.get("evaluation", 0.0) for after in seconds]
    assert charged[:2] == [0.0, 0.0]
    assert charged[2] > 0
    assert 0 < seconds[0]["repeated"] < seconds[1]["repeated"] == seconds[2]["repeated"]


def test_splits_of_unequal_sizes_are_trained_apart(cells: Callable[..., Any]) -> None:
    uneven = marrow_of(cells, 4, 3)  # eleven images in three folds
    jobs = [uneven.job(lite(batch_size=2), fold, fold) for fold in uneven.folds]
    assert sorted(in_step(jobs)) == [[0], [1], [2]]
    assert in_step([jobs[0], jobs[1], jobs[0]]) == [[0, 2], [1]]
    assert in_step([jobs[0]] * 5, 2) == [[0, 1], [2, 3], [4]]
    found = train_folds_together(uneven, lite(batch_size=2), 1, 0, device=CPU, watch=Timer(CPU))
    assert len(found.folds) == 3
    pace = Pace({kind("efficientnet_lite0", "adam"): BEAT})
    looks = look_together(uneven, jobs, (1,), CPU, pace)
    for each, fold in zip(looks, found.folds, strict=True):
        assert each.looks[0].result.validation.keys() == fold.validation.keys()


def test_every_network_drops_at_its_own_rate() -> None:
    torch.manual_seed(0)
    layer = ManyDropout(torch.tensor([0.1, 0.5]))
    dropped = layer(torch.ones(2 * 400, 50))
    shares = [float((part == 0).float().mean()) for part in dropped.view(2, -1)]
    assert shares == pytest.approx([0.1, 0.5], abs=0.01)
    assert [float(part.mean()) for part in dropped.view(2, -1)] == pytest.approx([1, 1], abs=0.02)
    layer.eval()
    assert torch.equal(layer(torch.ones(4, 2)), torch.ones(4, 2))


def test_a_pace_is_measured_for_each_kind_once(leukaemia: CNmcProtocol) -> None:
    configs = [head(batch_size=32), head(batch_size=64), head(hidden_size=512)]
    pace = measure(leukaemia, configs, CPU)
    assert set(pace.beats) == {"head of 256, adamw", "head of 512, adamw"}
    assert all(value >= 0 for beat in pace.beats.values() for value in (beat.start, beat.step, beat.images))
    before = Pace({"head of 256, adamw": replace(BEAT, start=0.0)})
    again = measure(leukaemia, configs, CPU, before)
    assert again.beats["head of 256, adamw"] == before.beats["head of 256, adamw"]


def test_the_pace_of_a_recording_is_what_it_was_charged_at(marrow: BoneMarrowProtocol) -> None:
    """Of trainings that ended, of single splits; a kind of one batch size tells nothing of others."""
    pace = Pace({kind("efficientnet_lite0", "adam"): BEAT, kind("efficientnet_lite0", "sgd"): replace(BEAT, step=0.5)})
    rows = []
    for number, config in enumerate([lite(batch_size=b, optimizer=o) for b in (2, 3, 5) for o in ("adam", "sgd")]):
        spent = [pace.seconds(marrow.job(config, 0, 0), epochs) for epochs in (1, 3)]
        seconds, evaluation = zip(*spent, strict=True)
        rows.append(Row(config, number, number % 3, "random", (1, 3), seconds, evaluation, {}, {}, (), Status.OK, None))
    cut = replace(rows[0], seconds=(99.0, 999.0), status=Status.DIVERGED)
    whole = replace(rows[0], seconds=(99.0, 999.0), fold=ALL_FOLDS)
    single = replace(rows[0], config=lite(optimizer="radam"))
    found = recovered(marrow, [*rows, cut, whole, single])
    assert set(found.beats) == set(pace.beats)
    for name, beat in found.beats.items():
        assert asdict(beat) == pytest.approx(asdict(pace.beats[name]))
    require_known(marrow, [lite(batch_size=9)], found, "t.parquet")
    with pytest.raises(BenchmarkError, match=r"t.parquet does not tell the pace of efficientnet_lite0, radam"):
        require_known(marrow, [lite(), lite(optimizer="radam")], found, "t.parquet")
    assert recovered(marrow, []).beats == {}


def test_what_loading_kernels_took_is_no_training_s(leukaemia: CNmcProtocol) -> None:
    known = Pace(
        {kind("lite", "adam"): BEAT, kind("lite", "sgd"): replace(BEAT, start=1.0), kind("dense", "sgd"): BEAT}
    )
    beats = measure(leukaemia, [], CPU, known).beats
    assert [beats[name].start for name in ("lite, adam", "lite, sgd", "dense, sgd")] == [1.0, 1.0, 5.0]


def test_what_cannot_keep_step_is_refused(marrow: BoneMarrowProtocol) -> None:
    job = marrow.job(lite(), 0, 0)
    require_stackable(job, 8)
    sampling = replace(job, recipe=replace(job.recipe, sampling="over"))
    stopping = replace(job, recipe=replace(job.recipe, patience=3))
    halves = replace(job, recipe=replace(job.recipe, precision="bf16"))
    unknown = replace(job, network=nn.Sequential(nn.Flatten(), nn.Linear(3, 2)))
    for wrong in (sampling, stopping, halves, unknown):
        with pytest.raises(BenchmarkError, match=r"together|keep step"):
            require_stackable(wrong, 8)
    frozen = marrow.job(lite(), 0, 0).network
    next(frozen.parameters()).requires_grad_(False)
    assert not can_stack(frozen)


def test_weights_of_one_network_are_a_row(marrow: BoneMarrowProtocol) -> None:
    networks = [marrow.job(lite(), 0, seed).network for seed in (1, 2)]
    stacked = Stacked(networks)
    alone = torch.cat([p.detach().flatten() for p in networks[1].parameters()])
    assert torch.equal(stacked.flat[1], alone)
    stacked.rows()[0].data.zero_()
    assert not stacked.flat[0].any()
    assert stacked.flat[1].any()


KERNELS = """
import torch
from torch.nn import functional
from hemobench.benchmarks.training.together.kernels import Depthwise, NormRelu6, normalised

def same(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=2e-5)

torch.manual_seed(0)
for side, stride, size in ((3, 1, 7), (5, 1, 4), (3, 2, 8), (5, 2, 9)):
    x, w = torch.randn(3, 2, size, size, requires_grad=True), torch.randn(3, side, side, requires_grad=True)
    out_size = -(-size // stride)
    pad = max((out_size - 1) * stride + side - size, 0)
    before, after = pad // 2, pad - pad // 2
    out = Depthwise.apply(x, w, stride, before, out_size)
    padded = functional.pad(x.transpose(0, 1), [before, after, before, after])
    expected = functional.conv2d(padded, w.unsqueeze(1), stride=stride, groups=3).transpose(0, 1)
    g = torch.randn_like(out)
    same([out, *torch.autograd.grad(out, (x, w), g)], [expected, *torch.autograd.grad(expected, (x, w), g)])
for bends in (True, False):
    x, w, b = torch.randn(5, 4, 3, 3), torch.randn(5) * 4, torch.randn(5)
    for tensor in (x, w, b):
        tensor.requires_grad_()
    mean, var = torch.randn(5), torch.rand(5)
    mean_too, var_too = mean.clone(), var.clone()
    out = NormRelu6.apply(x, w, b, mean, var, 0.1, 1e-3, bends)
    def by_torch(trains):
        whole = functional.batch_norm(x.reshape(1, 5, -1), mean_too, var_too, w, b, trains, 0.1, 1e-3).view(x.shape)
        return functional.relu6(whole) if bends else whole
    expected, g = by_torch(True), torch.randn_like(out)
    same([out, *torch.autograd.grad(out, (x, w, b), g)], [expected, *torch.autograd.grad(expected, (x, w, b), g)])
    same([mean, var], [mean_too, var_too])
    same([normalised(x.detach(), w.detach(), b.detach(), mean, var, 1e-3, bends)], [by_torch(False)])
"""


@pytest.mark.skipif(find_spec("triton") is None, reason="PyTorch brings Triton only where it is built for GPUs")
def test_kernels_compute_what_pytorch_does() -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, "-c", KERNELS], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
