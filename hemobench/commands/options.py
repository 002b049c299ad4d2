"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hemobench.errors import BenchmarkError

if TYPE_CHECKING:
    from hemobench.benchmarks.benchmark import Benchmark

Data = Annotated[Path, typer.Option(help="Folder of images.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes; default: one a core.")]
Option = Annotated[
    list[str] | None,
    typer.Option(
        "--option", help="A setting of live training, name=value (image_size=96, split=subject, …); repeatable."
    ),
]


def listed(text: str, option: str = "") -> list[str]:
    """The parts of a text with commas between, without blanks and without empty ones.

    Args:
        text: As given; an empty one is an option that was left out.
        option: Its name, if a text without any part is to be refused.

    Raises:
        BenchmarkError: If an option was given and names nothing.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if option and text and not parts:
        raise BenchmarkError(f"{option} '{text}' names nothing", f"give names with commas between, or no {option}")
    return parts


def counted(count: int, one: str, several: str = "") -> str:
    """A number of things, as in `1 run` or `2 runs`."""
    return f"{count} {one if count == 1 else several or one + 's'}"


def numbers(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between; none in an empty text.

    Raises:
        BenchmarkError: If a part is none.
    """
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise BenchmarkError(f"'{text}' is no list of numbers", "as in 0,1,2") from None


def counts_of(option: str, text: str, known: Sequence[str]) -> dict[str, int]:
    """Numbers by label, as in `smac=24,skopt-gp=24`.

    Args:
        option: Its name, for the message.
        text: What was given.
        known: The labels that may be named.

    Raises:
        BenchmarkError: If a label is not known, or has no positive number.
    """
    counts = {}
    for part in listed(text):
        label, _, count = part.partition("=")
        if label not in known or not count.isdigit() or int(count) < 1:
            raise BenchmarkError(f"{option} {part}", f"give LABEL=SEEDS, with a label of {', '.join(known)}")
        counts[label] = int(count)
    return counts


def settings_of(pairs: Sequence[str]) -> dict[str, Any]:
    """`name=value` pairs; values are read as TOML values where they are some, else as text."""
    import tomllib

    settings: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise BenchmarkError(f"'{pair}' is not name=value", "as in learning_rate=3e-4")
        try:
            settings[name.strip()] = tomllib.loads(f"value = {text.strip()}")["value"]
        except tomllib.TOMLDecodeError:
            settings[name.strip()] = text.strip()
    return settings


def trainings_at_once(benchmark: Benchmark, asked: int | None) -> int:
    """How many processes answer side by side, and a warning if GPUs have to be shared.

    Args:
        benchmark: What answers. Of a live one, by default as many as there are GPUs, or else cores: trainings that
            share a device have no honest cost. Others answer at once, in this process, unless asked otherwise.
        asked: What the user asked for, if anything.

    Raises:
        BenchmarkError: If it trains and torch is not there.
    """
    if not benchmark.live:
        return asked or 1
    try:
        from hemobench.benchmarks.training.hardware import devices
    except ImportError as problem:
        raise BenchmarkError(f"training needs torch: {problem}", "pip install 'hemobench[train]'") from None
    room, gpus = devices.count(), devices.gpus()
    if asked is not None and 0 < gpus < asked:
        sys.stderr.write(
            f"hemobench: {asked} processes share {gpus} GPU{'s' if gpus > 1 else ''}: trainings slow each other down, "
            "and the GPU-hours measured are too many\n"
        )
    return asked or room
