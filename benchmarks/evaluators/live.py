"""Answers proposals by training them, here and now."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
import torchvision
from pydantic import TypeAdapter, ValidationError

from hemobench.benchmarks.benchmark import Benchmark
from hemobench.benchmarks.evaluator import Cost, Outcome
from hemobench.benchmarks.tasks.base import Task
from hemobench.benchmarks.training import devices
from hemobench.benchmarks.training.bone_marrow import BoneMarrowWorkbench, architecture
from hemobench.benchmarks.training.c_nmc import CNmcWorkbench
from hemobench.benchmarks.training.checkpoints import Checkpoints, InMemory
from hemobench.benchmarks.training.cross_validation import OnEpoch, Result, Resumption, train_all
from hemobench.benchmarks.training.looking import Look, look_all
from hemobench.benchmarks.training.options import Options
from hemobench.benchmarks.training.protocol import Workbench
from hemobench.benchmarks.training.seeds import trial_seed
from hemobench.benchmarks.training.stopwatch import OnCharge, Stopwatch, TrialEnded
from hemobench.datasets import open_images
from hemobench.datasets.files import cache_folder
from hemobench.datasets.images import ImageSet, subset
from hemobench.datasets.pixels import load_pixels
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config, Proposal, Status

_options = TypeAdapter(Options)
OUT_OF_MEMORY = ("out of memory", "can't allocate memory")
SUBSET_SEED = 0


Make = Callable[[Task, ImageSet, Any, Options, torch.device, Path], Workbench]
"""What makes a task's protocol of training, of task, images, pixels, options, device and cache folder."""


def c_nmc(task: Task, images: ImageSet, pixels: Any, options: Options, device: torch.device, cache: Path) -> Workbench:
    """The C-NMC paper's protocol."""
    return CNmcWorkbench(images, pixels, options, device, cache / "features")


def bone_marrow(
    task: Task, images: ImageSet, pixels: Any, options: Options, device: torch.device, cache: Path
) -> Workbench:
    """The bone-marrow paper's protocol, for any classes."""
    first = architecture(dict(task.space().get_default_configuration()))
    return BoneMarrowWorkbench(images, pixels, options, device, first)


def _maker(task: Task) -> Make:
    if not task.training:
        raise BenchmarkError(f"the task {task.name} does not say how it is trained", "use another source of answers")
    module, _, attribute = task.training.partition(":")
    make: Make = getattr(import_module(module), attribute)
    return make


class Live:
    """An `Evaluator` that trains.

    The cost is measured: the device-seconds of training and of evaluation (validation after every epoch, test at the
    end), the device waited for at both ends. What is done once for a data set, whatever the configuration, is not
    charged to any trial but reported beside, in `Outcome.extra`: `loading_s` (decoding and moving pixels),
    `preparation_s` (features of the frozen backbone, where they are shared) and `repeated_s` (epochs that an earlier
    trial has been charged for and that had to be trained again, for want of a checkpoint). `peak_memory_mb` stands
    there too.

    With one thread on one CPU, equal seeds give equal bits.

    Args:
        task: What to train.
        images: On what.
        options: How.
        epochs: Proposals of more epochs train so many only; `None` for no such bound.
    """

    def __init__(self, task: Task, images: ImageSet, options: Options, epochs: int | None = None) -> None:
        self._task = task
        self._images = images
        self._options = options
        self._full = min(task.epochs, epochs or task.epochs)
        self._device = devices.choose(options.device)
        self._device_name = devices.device_name(self._device)
        self._cache = options.cache or cache_folder()
        on_disk = options.checkpoints == "disk"
        self._checkpoints = Checkpoints(self._cache / "checkpoints") if on_disk else InMemory()
        self._setup_s = {"loading_s": 0.0, "preparation_s": 0.0}

    @cached_property
    def _workbench(self) -> Workbench:
        """Images, splits and features; made at the first trial, and once."""
        options, started = self._options, perf_counter()
        with devices.settings(options.threads, options.deterministic):
            pixels = load_pixels(self._images, options.image_size, self._cache, options.threads)
            loaded = perf_counter()
            make = _maker(self._task)
            bench = make(self._task, self._images, pixels, options, self._device, self._cache)
        self._setup_s = {"loading_s": loaded - started, "preparation_s": perf_counter() - loaded}
        return bench

    @property
    def provenance(self) -> Mapping[str, str]:
        """Data, weights, split, device and versions."""
        return {
            "source": "live",
            "task": self._task.name,
            "data_sha256": self._images.checksum,
            "images": str(len(self._images)),
            "image_size": str(self._options.image_size),
            "device": self._device_name,
            "threads": str(self._options.threads),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            **self._workbench.provenance,
        }

    def truth(self, config: Config) -> None:
        """Unknown: one training is one draw."""

    def evaluate(
        self,
        proposal: Proposal,
        seed: int,
        *,
        trained: int = 0,
        limit: float = math.inf,
        on_charge: OnCharge | None = None,
    ) -> Outcome:
        """Train one proposal; see `Evaluator.evaluate`. `on_charge` is told the device-seconds so far, every second.

        A training that diverges, runs out of memory, times out or passes `limit` is an outcome with a charge, and
        leaves the process fit for the next.
        """
        return self.train(proposal, seed, trained=trained, limit=limit, on_charge=on_charge)[0]

    def train(
        self,
        proposal: Proposal,
        seed: int,
        *,
        trained: int = 0,
        limit: float = math.inf,
        on_epoch: OnEpoch | None = None,
        on_charge: OnCharge | None = None,
    ) -> tuple[Outcome, Result]:
        """As `evaluate`, with what a record has no room for: every fold's result and the confusion matrices.

        Args:
            proposal: What to train.
            seed: The run's seed.
            trained: Epochs charged before.
            limit: GPU-seconds after which training stops.
            on_epoch: Told of every epoch.
            on_charge: Told every second what has been charged so far.
        """
        bench = self._workbench
        setup, self._setup_s = self._setup_s, {"loading_s": 0.0, "preparation_s": 0.0}  # told once
        devices.reset_peak_memory(self._device)
        with devices.settings(self._options.threads, self._options.deterministic):
            watch = Stopwatch(self._device, limit, self._options.trial_timeout or math.inf, on_charge)
            status, result, error = self._guarded(bench, proposal, seed, trained, watch, on_epoch)
        outcome = Outcome(
            status=status,
            validation=result.validation,
            test=result.test,
            curve=result.curve,
            cost=Cost(
                gpu_seconds=watch.charged,
                kind="measured",
                device=self._device_name,
                evaluation_seconds=watch.seconds["evaluation"],
            ),
            error=error,
            extra={
                "loading_s": setup["loading_s"],
                "preparation_s": setup["preparation_s"] + watch.seconds["preparation"],
                "repeated_s": watch.seconds["repeated"],
                "peak_memory_mb": devices.peak_memory_mb(self._device),
            },
        )
        return outcome, result

    def look(self, config: Config, lengths: Sequence[int], seed: int) -> Sequence[Outcome]:
        """Train a configuration once and look at it after some numbers of epochs; see `training.looking`.

        Args:
            config: What to train.
            lengths: Numbers of epochs, rising.
            seed: The run's seed.

        Returns:
            The outcome of a trial of each length, from nothing, until one does not end well. Their costs are those
            of the whole trials.
        """
        bench, lengths = self._workbench, [min(length, self._full) for length in lengths]
        with devices.settings(self._options.threads, self._options.deterministic):
            looks = look_all(bench, config, lengths, trial_seed(seed, config), self._device)
        outcomes = [self._looked(look) for look in looks.looks]
        if looks.ended is not None:
            cost = self._cost(*looks.seconds)
            ended = looks.ended
            outcomes.append(Outcome(ended.status, {}, {}, (), cost, ended.message))
        return outcomes

    def _looked(self, look: Look) -> Outcome:
        result = look.result
        cost = self._cost(look.seconds, look.evaluation_seconds)
        return Outcome(Status.OK, result.validation, result.test, result.curve, cost)

    def _cost(self, seconds: float, evaluation: float) -> Cost:
        return Cost(seconds, "measured", self._device_name, min(evaluation, seconds))

    def _guarded(
        self,
        bench: Workbench,
        proposal: Proposal,
        seed: int,
        trained: int,
        watch: Stopwatch,
        on_epoch: OnEpoch | None,
    ) -> tuple[Status, Result, str | None]:
        """Train; what may befall a training becomes a status."""
        try:
            return Status.OK, self._train(bench, proposal, seed, trained, watch, on_epoch), None
        except TrialEnded as ended:
            status, message = ended.status, ended.message
        except (MemoryError, RuntimeError) as problem:  # torch.OutOfMemoryError is a RuntimeError
            text = str(problem)
            if not (isinstance(problem, MemoryError) or any(sign in text.lower() for sign in OUT_OF_MEMORY)):
                raise
            status, message = Status.OUT_OF_MEMORY, text.splitlines()[0] if text else "out of memory"
        # Only here, behind the handlers, are the traceback and the tensors that it held gone.
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        return status, Result({}, {}, ()), message

    def _train(
        self,
        bench: Workbench,
        proposal: Proposal,
        seed: int,
        trained: int,
        watch: Stopwatch,
        on_epoch: OnEpoch | None,
    ) -> Result:
        epochs = min(proposal.epochs or self._full, self._full)
        resumption = Resumption(
            store=self._checkpoints,
            key=self._key(proposal, seed),
            trained=min(trained, epochs),
            keep=epochs < self._full,
        )
        noise = trial_seed(seed, proposal.config)
        return train_all(
            bench,
            proposal.config,
            epochs,
            noise,
            device=self._device,
            watch=watch,
            resumption=resumption,
            on_epoch=on_epoch,
        )

    @property
    def classes(self) -> Sequence[str]:
        """Class names, in the order of the confusion matrices."""
        return self._images.classes

    @property
    def folds(self) -> int:
        """How many splits a proposal is trained on."""
        return len(self._workbench.folds)

    def _key(self, proposal: Proposal, seed: int) -> str:
        """Names a trial but for its epochs: everything that its weights depend on."""
        settings = {**self.provenance, "options": {k: str(v) for k, v in asdict(self._options).items()}}
        return json.dumps([settings, dict(proposal.config), seed], sort_keys=True)


def live(
    benchmark: Benchmark | Task,
    data: str | Path,
    *,
    images: int | None = None,
    epochs: int | None = None,
    cache: str | Path | None = None,
    **options: Any,
) -> Live:
    """A live evaluator of a task on a folder of images.

    Args:
        benchmark: The task, or a benchmark of it.
        data: The folder of images; see `datasets.open_images`.
        images: Train on a seeded, stratified part of so many images; `None` for all.
        epochs: Train no proposal longer than so many epochs.
        cache: Folder of pixels, features and checkpoints; by default the user's.
        **options: See `Options`.

    Raises:
        BenchmarkError: If the images cannot be read or an option is wrong.
    """
    task = benchmark.task if isinstance(benchmark, Benchmark) else benchmark
    if epochs is not None and epochs < 1:
        raise BenchmarkError(f"a trial cannot train {epochs} epochs", "give at least 1")
    unknown = sorted(options.keys() - Options.__slots__)
    if unknown:
        known = ", ".join(["images", "epochs", "cache", *(name for name in Options.__slots__ if name != "cache")])
        raise BenchmarkError(f"live training has no option '{unknown[0]}'", f"choose from: {known}")
    try:
        settings = _options.validate_python({"cache": cache, **options})
    except ValidationError as problem:
        first = problem.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BenchmarkError(f"live training: {name}: {first['msg']}", f"not {first['input']!r}") from None
    found = open_images(task.dataset, Path(data))
    if images is not None:
        found = subset(found, images, SUBSET_SEED)
    return Live(task, found, settings, epochs)
