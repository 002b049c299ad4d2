"""Answers proposals by training them, here and now."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
import torchvision

from hemobench.benchmarks.benchmark import Benchmark
from hemobench.benchmarks.evaluator import Alike, Asked, Cost, Outcome
from hemobench.benchmarks.evaluators.live_looks import LiveLooks, with_deviations
from hemobench.benchmarks.execution.progress import counting, tell
from hemobench.benchmarks.tables.schema import Row
from hemobench.benchmarks.tasks.base import Task
from hemobench.benchmarks.training.checkpoints import Checkpoints, InMemory
from hemobench.benchmarks.training.cross_validation import OnEpoch, Result, Resumption, train_all
from hemobench.benchmarks.training.hardware import devices
from hemobench.benchmarks.training.hardware.memory import free_memory, memory_ends_trials, out_of_memory
from hemobench.benchmarks.training.networks.weights import require_source
from hemobench.benchmarks.training.options import Options, read_options
from hemobench.benchmarks.training.protocols.base import TrainingProtocol, maker, requirement
from hemobench.benchmarks.training.seeds import trial_seed
from hemobench.benchmarks.training.timer import OnCharge, Timer, TrialEnded
from hemobench.benchmarks.training.together.trial import train_folds_together
from hemobench.datasets import open_images, reader_options
from hemobench.datasets.files import cache_folder
from hemobench.datasets.images import ImageSet, subset
from hemobench.datasets.pixels import load_pixels
from hemobench.datasets.splits import has_given_split
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Config, Proposal, Status

SUBSET_SEED = 0


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
        self._checkpoints = self._made(None)
        self._setup_s = {"loading_s": 0.0, "preparation_s": 0.0}

    def _made(self, folder: Path | None) -> Checkpoints | InMemory:
        most = self._options.checkpoints_gb * 1e9
        if self._options.checkpoints == "memory":
            return InMemory(most_bytes=most)
        return Checkpoints(folder or self._cache / "checkpoints", most)

    def require_runnable(self) -> None:
        """Make sure, without reading pixels or weights, that any trial of the task can be trained with the options.

        Raises:
            BenchmarkError: If the split, the fold, the image size or the weights are not possible.
        """
        require_source(self._options.weights)
        require = requirement(self._task)
        if require is not None:
            require(self._task, self._images, self._options)

    def checkpoints_in(self, folder: Path | None) -> None:
        """Keep half-trained trials in a folder from now on, as of the run that is at work; `None`: in the cache."""
        self._checkpoints = self._made(folder)

    @cached_property
    def _protocol(self) -> TrainingProtocol:
        """Images, splits and features; made at the first trial, and once."""
        options, started = self._options, perf_counter()
        with devices.settings(options.threads, options.deterministic):
            told = counting("images")
            pixels = load_pixels(self._images, options.image_size, self._cache, options.threads, told)
            loaded = perf_counter()
            make = maker(self._task)
            bench = make(self._task, self._images, pixels, options, self._device, self._cache)
        self._setup_s = {"loading_s": loaded - started, "preparation_s": perf_counter() - loaded}
        return bench

    @property
    def _described(self) -> TrainingProtocol:
        """The same for who asks outside of a trial, where a lack of memory is no trial's outcome."""
        try:
            return self._protocol
        except (MemoryError, RuntimeError, OSError) as problem:
            message = out_of_memory(problem, self._device)
            if message is None:
                raise
        free_memory(self._device)
        hint = "give fewer or smaller images (images=N, image_size=N), or a larger machine"
        raise BenchmarkError(f"setting up {self._task.name} ran out of memory: {message}", hint)

    @property
    def provenance(self) -> Mapping[str, str]:
        """Data, weights, split, device and versions.

        Raises:
            BenchmarkError: If the images, the network and a setting do not fit each other, or memory is short.
        """
        counts = np.bincount(self._images.labels, minlength=len(self.classes))
        return {
            "source": "live",
            "task": self._task.name,
            "data_sha256": self._images.checksum,
            "images": str(len(self._images)),
            "classes": ", ".join(f"{name} {n}" for name, n in zip(self.classes, counts, strict=True)),
            "image_size": str(self._options.image_size),
            "device": self._device_name,
            "threads": str(self._options.threads),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            **self._described.provenance,
        }

    def truth(self, config: Config, seed: int | None = None) -> None:
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
            on_epoch: Told of every epoch; by default `execution.progress` is.
            on_charge: Told every second what has been charged so far.
        """
        devices.reset_peak_memory(self._device)
        with devices.settings(self._options.threads, self._options.deterministic):
            watch = Timer(self._device, limit, self._options.trial_timeout or math.inf, on_charge)
            status, result, error = self._guarded(proposal, seed, trained, watch, on_epoch)
        setup, self._setup_s = self._setup_s, {"loading_s": 0.0, "preparation_s": 0.0}  # told once
        outcome = Outcome(
            status=status,
            validation=with_deviations(self._task, result.validation),
            test=with_deviations(self._task, result.test),
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

    @property
    def _looks(self) -> LiveLooks:
        """What a recording asks."""
        return LiveLooks(
            task=self._task,
            options=self._options,
            device=self._device,
            device_name=self._device_name,
            full=self._full,
            protocol=lambda: self._protocol,
        )

    def look(self, config: Config, lengths: Sequence[int], seed: int) -> Sequence[Outcome]:
        """See `Looking`."""
        return self._looks.look(config, lengths, seed)

    def alike(self, config: Config) -> Alike:
        """See `LookingTogether`."""
        return self._looks.alike(config)

    def pace_of(self, rows: Sequence[Row]) -> Mapping[str, Any]:
        """See `LookingTogether`."""
        looks = replace(self._looks, protocol=lambda: self._described)
        return looks.pace_of(rows)

    def pace(self, configs: Sequence[Config], known: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `LookingTogether`."""
        looks = replace(self._looks, protocol=lambda: self._described)
        return looks.pace(configs, known)

    def look_together(
        self, asked: Sequence[Asked], lengths: Sequence[int], pace: Mapping[str, Any]
    ) -> Sequence[Sequence[Outcome]]:
        """See `LookingTogether`."""
        return self._looks.look_together(asked, lengths, pace)

    def _guarded(
        self,
        proposal: Proposal,
        seed: int,
        trained: int,
        watch: Timer,
        on_epoch: OnEpoch | None,
    ) -> tuple[Status, Result, str | None]:
        """Train; what may befall a training becomes a status."""
        try:
            with memory_ends_trials(watch, self._device):
                return Status.OK, self._train(self._protocol, proposal, seed, trained, watch, on_epoch), None
        except TrialEnded as ended:
            status, message = ended.status, ended.message
        free_memory(self._device)  # only here, behind the handlers, are the traceback and its tensors gone
        return status, Result({}, {}, ()), message

    def _train(
        self,
        bench: TrainingProtocol,
        proposal: Proposal,
        seed: int,
        trained: int,
        watch: Timer,
        on_epoch: OnEpoch | None,
    ) -> Result:
        epochs = min(proposal.epochs or self._full, self._full)
        before = min(trained, epochs)
        noise = trial_seed(seed, proposal.config)
        told = on_epoch or _telling(len(bench.folds), epochs)
        if self._options.together and self._device.type == "cuda":
            result = train_folds_together(
                bench,
                proposal.config,
                epochs,
                noise,
                device=self._device,
                watch=watch,
                trained=before,
                on_epoch=told,
            )
            free_memory(self._device)  # every trial has its own graph, whose memory others cannot use
            return result
        resumption = Resumption(
            store=self._checkpoints,
            key=self._key(proposal, seed),
            trained=before,
            keep=epochs < self._full,
        )
        return train_all(
            bench,
            proposal.config,
            epochs,
            noise,
            device=self._device,
            watch=watch,
            resumption=resumption,
            on_epoch=told,
        )

    @property
    def classes(self) -> Sequence[str]:
        """Class names, in the order of the confusion matrices."""
        return self._images.classes

    @property
    def folds(self) -> Sequence[int]:
        """Numbers of the splits that a proposal is trained on."""
        return self._described.folds

    @property
    def notes(self) -> Sequence[str]:
        """What the reader of the images left out or assumed, for people."""
        return self._images.notes

    def _key(self, proposal: Proposal, seed: int) -> str:
        """Names a trial but for its epochs: everything that its weights depend on."""
        settings = {**self.provenance, "options": {k: str(v) for k, v in asdict(self._options).items()}}
        return json.dumps([settings, dict(proposal.config), seed], sort_keys=True)


def _telling(folds: int, epochs: int) -> OnEpoch:
    """Tells whoever listens of the epochs of all folds."""
    done: dict[int, int] = {}

    def on_epoch(fold: int, epoch: int, score: float) -> None:
        done[fold] = epoch
        tell("epochs", sum(done.values()), folds * epochs, f"accuracy {100 * score:.1f} %")

    return on_epoch


def live(
    benchmark: Benchmark | Task,
    data: str | Path,
    *,
    epochs: int | None = None,
    **options: Any,
) -> Live:
    """A live evaluator of a task on a folder of images.

    Args:
        benchmark: The task, or a benchmark of it.
        data: The folder of images; see `datasets.open_images`.
        epochs: Train no proposal longer than so many epochs.
        **options: See `Options`; `images`, to train on a seeded, stratified part of so many; and what the data set's
            reader takes, as `mapping` and `table`. The task's own settings stand where nothing is given.

    Raises:
        BenchmarkError: If the images cannot be read, or an option is wrong or not read by the task.
    """
    task = benchmark.task if isinstance(benchmark, Benchmark) else benchmark
    if epochs is not None and epochs < 1:
        raise BenchmarkError(f"a trial cannot train {epochs} epochs", "give at least 1")
    readers = reader_options(task.dataset)
    chosen = {**task.settings, **options}
    part = chosen.pop("images", None)
    reading = {name: chosen.pop(name) for name in readers if name in chosen}
    settings = read_options(task.name, task.options, chosen, ["images", "epochs", *readers])
    if not (part is None or type(part) is int):
        raise BenchmarkError(f"live training: images: {part!r} is not a number of images", "give a whole number")
    found = open_images(task.dataset, Path(data), progress=counting("images"), **reading)
    _refuse_beside_a_split(found, options)
    return Live(task, found if part is None else subset(found, part, SUBSET_SEED), settings, epochs)


def _refuse_beside_a_split(images: ImageSet, given: Mapping[str, Any]) -> None:
    """What deals folds says nothing where the split comes with the images."""
    if not has_given_split(images):
        return
    for name in ("folds", "extended"):
        if given.get(name):
            raise BenchmarkError(
                f"{images.root} comes with a split of its own: the option '{name}' has nothing to deal",
                f"leave '{name}' out, or take the split out of the folder or of its table",
            )
