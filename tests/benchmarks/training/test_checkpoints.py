"""Half-trained trials: how much of them is kept, and where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from hemobench.benchmarks.training.checkpoints import OVERHEAD, Checkpoints, InMemory, moved, size_of  # noqa: E402

CPU, META = torch.device("cpu"), torch.device("meta")
MB = 1 << 20


def state(megabytes: int, value: float = 1.0) -> dict[str, object]:
    """Nested as an optimizer's is, of so many MB in float32."""
    half = torch.full((megabytes * MB // 8,), value)
    return {"network": {"w": half}, "optimizer": {"state": {0: {"m": half.clone()}}, "groups": [{"lr": 0.1}]}, "n": 3}


def held(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_a_folder_never_holds_more_than_was_stated_and_the_least_recently_used_go_first(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path, most_bytes=16 * MB)
    for number, key in enumerate("abc"):
        store.save(key, 1, state(4))
        for path in tmp_path.iterdir():
            if path.stat().st_mtime > 1e6:
                os.utime(path, (number, number))
    assert store.load("a", 1, CPU) is not None  # used now: b is the one that nobody has asked for longest
    store.save("d", 1, state(4))
    assert held(tmp_path) <= 16 * MB
    assert [store.load(key, 1, CPU) is None for key in "abcd"] == [False, True, False, False]


def test_what_does_not_fit_at_all_is_not_kept(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path, most_bytes=4 * MB)
    store.save("a", 1, state(1))
    store.save("a", 2, state(8))
    assert held(tmp_path) == 0
    Checkpoints(tmp_path / "none", most_bytes=0).save("a", 1, state(1))
    assert not (tmp_path / "none").exists()


def test_what_a_killed_process_left_half_written_counts_and_goes(tmp_path: Path) -> None:
    left = tmp_path / "x.pt.part"
    left.write_bytes(bytes(5 * MB))
    os.utime(left, (0, 0))
    store = Checkpoints(tmp_path, most_bytes=8 * MB)
    store.save("a", 1, state(4))
    assert not left.exists()
    assert store.load("a", 1, CPU) is not None


def test_sizes_count_every_tensor_however_nested(tmp_path: Path) -> None:
    assert size_of(state(4)) == 4 * MB
    store = Checkpoints(tmp_path)
    store.save("a", 1, state(4))
    assert 4 * MB <= held(tmp_path) <= 4 * MB + OVERHEAD


def test_memory_keeps_copies_on_the_processor_within_its_bounds() -> None:
    store = InMemory(kept=3, most_bytes=10 * MB)
    first = state(4)
    store.save("a", 1, first)
    first["network"]["w"].fill_(9.0)  # type: ignore[index]
    found = store.load("a", 1, CPU)
    assert found is not None
    assert float(found["network"]["w"][0]) == 1.0
    assert found["optimizer"]["groups"] == [{"lr": 0.1}]
    for key in "bc":
        store.save(key, 1, state(4))
    assert [store.load(key, 1, CPU) is None for key in "abc"] == [True, False, False]
    for key in "defg":
        store.save(key, 1, state(1))
    assert [store.load(key, 1, CPU) is None for key in "defg"] == [True, False, False, False]


def test_a_state_moves_with_all_its_tensors_and_nothing_else() -> None:
    there = moved({**state(1), "pair": (torch.ones(2), None)}, META)
    assert there["network"]["w"].device == there["optimizer"]["state"][0]["m"].device == META
    assert there["pair"][0].device == META
    assert there["pair"][1] is None
    assert there["n"] == 3
