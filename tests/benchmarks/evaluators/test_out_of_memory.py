"""A lack of memory is a trial's status, with a charge, wherever and however it shows; the next trial trains."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from hemobench.benchmarks.budget import Budget  # noqa: E402
from hemobench.benchmarks.evaluators import live as module  # noqa: E402
from hemobench.benchmarks.evaluators.live import Live, live  # noqa: E402
from hemobench.benchmarks.execution.runner import run  # noqa: E402
from hemobench.benchmarks.tasks import load_task  # noqa: E402
from hemobench.benchmarks.training import checkpoints  # noqa: E402
from hemobench.benchmarks.training.hardware.memory import out_of_memory  # noqa: E402
from hemobench.benchmarks.training.inputs.feeds import ImageFeed  # noqa: E402
from hemobench.benchmarks.training.loop import Training  # noqa: E402
from hemobench.benchmarks.training.protocols import bone_marrow  # noqa: E402
from hemobench.benchmarks.training.timer import Timer  # noqa: E402
from hemobench.benchmarks.training.together.pace import Beat  # noqa: E402
from hemobench.benchmarks.training.together.train import Together  # noqa: E402
from hemobench.errors import BenchmarkError  # noqa: E402
from hemobench.strategies import load_strategy  # noqa: E402
from hemobench.strategies.base import Proposal, Status  # noqa: E402
from hemobench.strategies.space import default  # noqa: E402

TASK = load_task("bone-marrow-micro")  # trains in no time
CONFIG = {**default(TASK.space()), "batch_size": 16}
CPU = torch.device("cpu")

CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
RUNTIME = RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported")
CUBLAS = RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
CUDNN = RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")
INTERNAL = RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED")
HOST = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")
SYSTEM = OSError(errno.ENOMEM, "Cannot allocate memory")
PROBLEMS = [CUDA, RUNTIME, CUBLAS, CUDNN, INTERNAL, HOST, SYSTEM, MemoryError()]


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_every_kind_is_known(problem: Exception) -> None:
    message = out_of_memory(problem, CPU)
    assert message
    assert "\n" not in message


@pytest.mark.parametrize(
    "problem",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"),  # on a device that is not full
        OSError(errno.ENOSPC, "No space left on device"),
        ValueError("out of memory"),
    ],
    ids=str,
)
def test_what_is_no_lack_of_memory_is_not(problem: Exception) -> None:
    assert out_of_memory(problem, CPU) is None


def test_a_library_that_fails_on_a_full_gpu_lacks_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR")
    for free, expected in ((1, True), (50, False)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 100))
        assert (out_of_memory(problem, torch.device("cuda")) is not None) is expected


def raising(problem: Exception) -> Callable[..., Any]:
    """A function that does nothing else."""

    def hook(*_: Any, **__: Any) -> Any:
        raise problem

    return hook


def of_side(wanted: str, problem: Exception) -> Callable[..., Any]:
    """`Training.predict`, which fails on one side."""
    real = Training.predict

    def hook(self: Training, side: Any) -> Any:
        if side == wanted:
            raise problem
        return real(self, side)

    return hook


PLACES: dict[str, tuple[Any, str, Any]] = {
    "pixels": (module, "load_pixels", raising(MemoryError())),
    "the network": (bone_marrow, "build", raising(HOST)),
    "moving it": (torch.nn.Module, "to", raising(CUDA)),
    "inputs": (ImageFeed, "batches", raising(CUDNN)),
    "training": (torch.optim.Adam, "step", raising(CUBLAS)),
    "evaluation": (Training, "predict", of_side("validation", INTERNAL)),
    "test": (Training, "predict", of_side("test", RUNTIME)),
    "a checkpoint": (checkpoints.torch, "save", raising(SYSTEM)),
}


@pytest.fixture
def make(three_classes: Path, cache_of_cells: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Live]:
    """Builds an evaluator of one fold."""
    monkeypatch.setenv("HEMOBENCH_CACHE", str(cache_of_cells))
    settings: dict[str, Any] = {"image_size": 64, "weights": "none", "device": "cpu", "folds": 3, "fold": 0}
    return lambda: live(TASK, three_classes, cache=str(cache_of_cells), **settings)


@pytest.mark.parametrize("place", PLACES)
def test_wherever_it_happens_it_is_a_status_with_a_charge(
    make: Callable[[], Live], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    evaluator = make()
    with monkeypatch.context() as patch:
        patch.setattr(*PLACES[place])
        outcome = evaluator.evaluate(Proposal(CONFIG, 1), 0)
    assert outcome.status is Status.OUT_OF_MEMORY
    assert outcome.cost.gpu_seconds > 0
    assert outcome.error
    assert outcome.validation == {}


@pytest.mark.parametrize("place", ["pixels", "the network", "evaluation"])
def test_a_recording_goes_on(make: Callable[[], Live], monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    evaluator = make()
    with monkeypatch.context() as patch:
        patch.setattr(*PLACES[place])
        outcomes = evaluator.look(CONFIG, (1, 2), 0)
    assert [outcome.status for outcome in outcomes] == [Status.OUT_OF_MEMORY]
    assert outcomes[0].cost.gpu_seconds > 0


@pytest.mark.parametrize("room", [2, 0])
def test_side_by_side_half_go_first_and_one_alone_is_a_status(
    three_classes: Path, cache_of_cells: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    pytest.importorskip("timm")
    task = load_task("bone-marrow-lite")
    evaluator = live(
        task,
        three_classes,
        cache=str(cache_of_cells),
        image_size=64,
        images=18,
        weights="none",
        device="cpu",
        fold=0,
        epochs=1,
    )
    config = {**dict(task.space().get_default_configuration()), "batch_size": 6, "optimizer": "sgd"}
    pace = {"beats": {"efficientnet_lite0, sgd": dict.fromkeys(Beat.__slots__, 0.5)}}
    real, sizes = Together.train, []

    def crowded(self: Together, epoch: int, watch: Timer) -> Any:
        sizes.append(len(self._jobs))
        if len(self._jobs) > room:
            raise CUDA
        return real(self, epoch, watch)

    monkeypatch.setattr(Together, "train", crowded)
    found = evaluator.look_together([(config, seed, 0) for seed in range(4)], (1,), pace)
    assert sizes == ([4, 2, 2] if room else [4, 2, 1, 1, 2, 1, 1])
    statuses = [outcome.status for outcomes in found for outcome in outcomes]
    assert statuses == [Status.OK if room else Status.OUT_OF_MEMORY] * 4
    assert all(outcome.cost.gpu_seconds > 0 for outcomes in found for outcome in outcomes)


def test_a_run_goes_on_to_the_next_trial(make: Callable[[], Live], monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = make()
    real, calls = bone_marrow.build, []

    def first_fails(*given: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise CUDA
        return real(*given, **named)

    monkeypatch.setattr(bone_marrow, "build", first_fails)
    monkeypatch.setattr(evaluator, "_full", 1)
    strategy = load_strategy("random")(TASK.space(), seed=0, horizon=2)  # type: ignore[call-arg]
    records = list(run(strategy, evaluator, Budget(1.0, 1, 2), task=TASK, seed=0))
    assert [record.status for record in records] == [Status.OUT_OF_MEMORY, Status.OK]
    assert all(record.cost.gpu_seconds > 0 for record in records)


def test_outside_of_a_trial_it_is_one_message(make: Callable[[], Live], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*PLACES["pixels"])
    with pytest.raises(BenchmarkError, match="setting up bone-marrow-micro ran out of memory"):
        _ = make().provenance
