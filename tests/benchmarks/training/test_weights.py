"""Where weights come from, and what happens when they are not what they should be."""

from __future__ import annotations

import logging
import pickle
import urllib.error
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torchvision import models  # noqa: E402

from hemobench.benchmarks.training.networks import weights as module  # noqa: E402
from hemobench.benchmarks.training.networks.models import Architecture, build  # noqa: E402
from hemobench.benchmarks.training.networks.weights import RANDOM, Weights, load_into, load_state, resolve  # noqa: E402
from hemobench.errors import BenchmarkError  # noqa: E402


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty torch hub and no network, as torchvision meets it."""

    def refuse(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("no network in this test")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    module.imagenet.cache_clear()
    module._imagenet_or_random.cache_clear()


@pytest.mark.usefixtures("offline")
def test_imagenet_offline_says_what_to_do() -> None:
    with pytest.raises(BenchmarkError, match="cannot be downloaded") as error:
        resolve("imagenet", "efficientnet_b2")
    assert "none" in error.value.hint


@pytest.mark.usefixtures("offline")
def test_auto_offline_is_random_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = resolve("auto", "efficientnet_b2")
    assert found.state is None
    assert RANDOM in found.origin
    assert "efficientnet_b2" in caplog.text


@pytest.mark.usefixtures("offline")
def test_imagenet_weights_in_torchs_own_cache_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = models.ResNet18_Weights.DEFAULT.url
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(models.resnet18(weights=None).state_dict(), folder / url.rpartition("/")[2])
    found = resolve("imagenet", "resnet18")
    assert found.state is not None
    assert "ImageNet" in found.origin


def test_none_is_random() -> None:
    assert resolve("none", "densenet121") == Weights(None, RANDOM)


def test_a_folder_holds_one_file_an_architecture(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "densenet121-abc.pth")
    torch.save({"b": torch.ones(1)}, tmp_path / "densenet1210-abc.pth")
    assert list(resolve(str(tmp_path), "densenet121").state or {}) == ["a"]
    with pytest.raises(BenchmarkError, match="no weights of densenet169"):
        resolve(str(tmp_path), "densenet169")


def test_densenets_older_names_are_understood(tmp_path: Path) -> None:
    torch.save({"features.denseblock1.denselayer1.norm.1.weight": torch.ones(1)}, tmp_path / "old.pth")
    state = resolve(str(tmp_path / "old.pth"), "densenet121").state or {}
    assert list(state) == ["features.denseblock1.denselayer1.norm1.weight"]


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (marker,)

    path = tmp_path / "trap.pth"
    torch.save(Trap(), path)
    with pytest.raises(BenchmarkError, match=r"trap\.pth"):
        load_state(path)
    path.write_bytes(pickle.dumps(Trap(), protocol=2))
    with pytest.raises(BenchmarkError, match=r"trap\.pth"):
        load_state(path)
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 cut short"])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.pth").write_bytes(content)
    with pytest.raises(BenchmarkError, match=r"broken\.pth"):
        load_state(tmp_path / "broken.pth")


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(BenchmarkError, match="no state dict"):
        load_state(tmp_path / "list.pth")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="there is no weights file"):
        load_state(tmp_path / "gone.pth")


def test_wrong_shapes_lacks_and_extras_are_named() -> None:
    network = build(Architecture("densenet", 121), 10, "none", 0, scale="micro").body
    state = dict(network.state_dict())
    wrong = {**state, "features.conv0.weight": torch.ones(1, 3, 7, 7)}
    lacking = {k: v for k, v in state.items() if k != "features.norm5.bias"}
    more = {**state, "extra": torch.ones(1)}
    for given, name in [(wrong, "conv0.weight has shape"), (lacking, "lack features.norm5.bias"), (more, "have extra")]:
        with pytest.raises(BenchmarkError, match=name):
            load_into(network, Weights(given, "a test"), ("classifier.",))
