"""What live training cannot do with a folder and settings is said before a run, a pixel or a weights file."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.execution.preflight import preflight
from hemobench.benchmarks.suite import Suite
from hemobench.datasets.synthetic import synthesize
from hemobench.errors import BenchmarkError

REFUSED = [
    ("c-nmc", {"split": "official", "fold": 7}, "no official fold 7"),
    ("c-nmc", {"fold": -1}, "no official fold -1"),
    ("c-nmc", {"backbone": "efficientnet_b9"}, "no backbone 'efficientnet_b9'"),
    ("c-nmc", {"weights": "imagent"}, "did you mean 'imagenet'"),
    ("c-nmc", {"weights": "nowhere.pth"}, "weights 'nowhere.pth': no such file"),
    ("c-nmc", {"image_size": 32}, "needs images of at least 64 pixels, not 32"),
    ("c-nmc", {"image_size": 100_000}, "images of 100000 pixels"),
    ("c-nmc", {"image_size": "64"}, "image_size: Input should be a valid integer"),
    ("c-nmc", {"share_features": "yes"}, "share_features: Input should be a valid boolean"),
    ("c-nmc", {"graphs": 1}, "graphs: Input should be a valid boolean"),
    ("c-nmc", {"images": 2}, "official fold"),
    ("bone-marrow-micro", {"fold": 9}, "there is no fold 9"),
    ("bone-marrow-head", {"image_size": 16}, "efficientnet_lite needs images of at least 64"),
    ("bone-marrow-head", {"fold": 4}, "there is no fold 4"),
    ("bone-marrow-lite", {"image_size": 16}, "efficientnet_lite needs images of at least 64"),
    ("bone-marrow-full", {"image_size": 64}, "inception_v3 needs images of at least 107"),
]
"""The last one is a network that a search would come to after hours."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of drawn cells for each data set."""
    place = tmp_path_factory.mktemp("cells")
    for name in ("c-nmc", "bone-marrow"):
        synthesize(name, place / name, images=60, size=32, seed=0)
    return place


def looked_at(task, settings, folders, out):
    data = folders / ("c-nmc" if task == "c-nmc" else "bone-marrow")
    entry = {"name": f"{task}@live", "gpu_hours": [1.0], "max_trials": 2, "settings": {**settings, "data": str(data)}}
    preflight(plans(Suite(seeds=1, strategies=["random"], benchmarks=[entry])), out)


@pytest.mark.parametrize(("task", "settings", "says"), REFUSED)
def test_what_no_trial_could_be_trained_with(task, settings, says, folders, tmp_path, monkeypatch):
    monkeypatch.setenv("HEMOBENCH_CACHE", str(tmp_path / "cache"))
    with pytest.raises(BenchmarkError) as refused:
        looked_at(task, settings, folders, tmp_path / "out")
    assert says in str(refused.value)
    assert refused.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "task", ["c-nmc", "bone-marrow-micro", "bone-marrow-lite", "bone-marrow-head", "bone-marrow-full"]
)
def test_what_can_be_is_not_refused(task, folders, tmp_path, monkeypatch):
    monkeypatch.setenv("HEMOBENCH_CACHE", str(tmp_path / "cache"))
    looked_at(task, {"weights": "none", "fold": 1, "image_size": 128}, folders, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.rglob("*.npy"))  # neither pixels nor features were made
