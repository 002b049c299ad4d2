"""First weights from one's own images: an interrupted pretraining ends where an uninterrupted one does."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from hemobench.benchmarks.training.pretrain import kept_in, pretrain  # noqa: E402
from hemobench.datasets import open_images  # noqa: E402
from hemobench.datasets.images import ImageSet  # noqa: E402
from hemobench.datasets.synthetic import synthesize  # noqa: E402


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    monkeypatch.setenv("HEMOBENCH_CACHE", str(tmp_path / "cache"))
    synthesize("bone-marrow", tmp_path / "ten", images=40, seed=0, size=32)
    return open_images("bone-marrow", tmp_path / "ten")


def weights(images: ImageSet, out: Path, stop_after: int = 0) -> list[int]:
    """Pretrain for three epochs, perhaps interrupted; the epochs that were trained."""
    trained: list[int] = []

    def on_epoch(fold: int, epoch: int, score: float) -> None:
        trained.append(epoch)
        if epoch == stop_after:
            raise KeyboardInterrupt

    try:
        pretrain(images, "shufflenet_v2_x0_5", out, epochs=3, image_size=32, device="cpu", on_epoch=on_epoch)
    except KeyboardInterrupt:
        assert stop_after
    return trained


def test_it_goes_on_after_the_last_whole_epoch_and_ends_with_equal_weights(images: ImageSet, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.pth", tmp_path / "parts.pth"
    assert weights(images, whole) == [1, 2, 3]
    assert weights(images, parts, stop_after=2) == [1, 2]
    assert not parts.exists()
    assert len(list(kept_in(parts).iterdir())) == 1
    assert weights(images, parts) == [3]
    assert not kept_in(parts).exists()
    ours, theirs = (torch.load(path, weights_only=True) for path in (parts, whole))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
