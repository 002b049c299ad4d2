"""Images a second of live training against a plain torchvision loop, on the device that is there; needs no pytest.

    python tests/performance/gpu_speed.py --limit 80 --json speed.json

Wants torch, torchvision, timm, NumPy and Pillow; of hemobench only a checkout. Every network is trained three ways in
one process: by a loop as anyone would write it first (`plain_loop`), by ours, and by the plain one with its inputs
ready on the device, which no loop can beat that starts every kernel by itself. Then features of a frozen backbone in 32
and in 16 bits, and the memory held over many trials. Stages that the limit leaves no time for are left out and named.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))
from our_loop import B2, CLASSES, NETWORKS, Bench, devices
from plain_loop import decoded, draw_files


@dataclass
class Stages:
    """Measures one thing after the other while there is time, and says each at once."""

    until: float
    found: dict[str, Any] = field(default_factory=dict)

    def __call__(self, name: str, measure: Callable[..., Any], *arguments: Any) -> None:
        """Measure what that name stands for, unless the time is up."""
        started = time.monotonic()
        value = measure(*arguments) if started < self.until else None
        self.found[name] = round(value, 1) if isinstance(value, float) else value
        shown = "left out: the limit was reached" if value is None else self.found[name]
        sys.stdout.write(f"{name:<48} {shown}  ({time.monotonic() - started:.1f} s)\n")
        sys.stdout.flush()


def measured(bench: Bench, stages: Stages, trials: int) -> None:
    """All stages, those that matter most first."""
    for name, make in NETWORKS.items():
        stages(f"{name}, plain loop, images/s", bench.plain, make())
        stages(f"{name}, ours, images/s", bench.ours, make(), True)
    for precision in dict.fromkeys(["fp32", bench.precision]):
        stages(f"features of {B2}, {precision}, images/s", bench.features, precision)
    stages("three splits at 64 pixels in turn, images/s", bench.in_turn)
    stages("three splits at 64 pixels side by side, images/s", bench.side_by_side)
    stages("our augmented batches alone, images/s", bench.feed_alone)
    stages("memory, MB", bench.memory, trials)
    for name, make in NETWORKS.items():
        stages(f"{name}, inputs ready, images/s", bench.ready, make())
        stages(f"{name}, ours, not deterministic, images/s", bench.ours, make(), False)


def ratios(found: Mapping[str, Any]) -> dict[str, float]:
    """How many times as fast as the plain loop ours is, where both were measured."""
    times = {}
    for name in NETWORKS:
        ours, plain = found.get(f"{name}, ours, images/s"), found.get(f"{name}, plain loop, images/s")
        if ours and plain:
            times[name] = round(ours / plain, 2)
    return times


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Measure, print, and give back the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--size", type=int, default=224, help="side in pixels")
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="of the plain loop's DataLoader")
    parser.add_argument("--seconds", type=float, default=2.5, help="of each measurement")
    parser.add_argument("--trials", type=int, default=50, help="of the memory check")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds after which no stage is begun")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    given = parser.parse_args(arguments)
    stages = Stages(time.monotonic() + given.limit)
    with tempfile.TemporaryDirectory() as folder:
        files = draw_files(Path(folder), given.images)
        bench = Bench(
            device=devices.choose(given.device),
            files=files,
            pixels=decoded(files, given.size),
            labels=torch.arange(given.images) % CLASSES,
            batch=given.batch,
            workers=given.workers,
            seconds=given.seconds,
            folder=Path(folder),
        )
        sys.stdout.write(f"{devices.device_name(bench.device)}, {bench.precision}, torch {torch.__version__}\n")
        measured(bench, stages, given.trials)
    found = {
        "device": devices.device_name(bench.device),
        "precision": bench.precision,
        **{name: getattr(given, name) for name in ("size", "images", "batch", "workers", "seconds")},
        "figures": stages.found,
        "times as fast as the plain loop": ratios(stages.found),
    }
    sys.stdout.write(f"times as fast as the plain loop: {found['times as fast as the plain loop']}\n")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")
    return found


if __name__ == "__main__":
    main()
