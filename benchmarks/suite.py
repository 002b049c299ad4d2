"""A suite: benchmarks, strategies with settings, seeds, budgets and workers; read from a TOML file, and overridden."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.storage.variants import own_settings, shown_names, variant
from hemobench.errors import BenchmarkError

SUITES = files("hemobench.benchmarks") / "suites"
Hours = Annotated[float, Field(gt=0, le=1e9)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Seeds = Annotated[int, Field(ge=1, le=100_000)]
Workers = Annotated[int, Field(ge=1, le=100_000)]


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Arm(BaseModel):
    """A strategy with settings, under a label of its own; `max_trials` shortens the runs of a slow one."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    name: str
    label: str = Field(default="", pattern=r"^[A-Za-z0-9][\w.+:-]*$|^$")
    max_trials: Count | None = None
    settings: dict[str, Any] = {}

    @property
    def shown(self) -> str:
        """The label, by default the name; it is a folder's name too, so a colon becomes a dot."""
        return (self.label or self.name).replace(":", ".")


class Entry(BaseModel):
    """A benchmark with its budgets."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    name: str
    gpu_hours: list[Hours] = Field(min_length=1)
    max_trials: Count | None = None
    horizon: Count | None = None
    settings: dict[str, Any] = {}

    @property
    def limits(self) -> dict[str, int]:
        """What it states of its runs' numbers of trials."""
        stated = {"max_trials": self.max_trials, "horizon": self.horizon}
        return {name: count for name, count in stated.items() if count is not None}

    @property
    def source(self) -> dict[str, Any]:
        """The evaluator's settings, without those that the benchmark has by default."""
        return own_settings(self.settings, load_benchmark(self.name).defaults)

    @property
    def variant(self) -> str:
        """What tells it from other entries of that benchmark."""
        return variant(self.source, self.limits)


class Suite(BaseModel):
    """What is run by one command."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    title: str = ""
    seeds: Seeds = 5
    workers: list[Workers] = Field(default=[1], min_length=1)
    startup_trials: Count | None = None
    default_first: bool = False
    strategies: list[Annotated[Arm, BeforeValidator(_named)]] = Field(min_length=1)
    benchmarks: list[Entry] = Field(min_length=1)


def suite_names() -> list[str]:
    """The suites that come with hemobench."""
    return sorted(file.name.removesuffix(".toml") for file in SUITES.iterdir() if file.name.endswith(".toml"))


def load_suite(name: str) -> Suite:
    """A suite by its name or path.

    Raises:
        BenchmarkError: If there is none, or the file has an error: with its place.
    """
    path = Path(name)
    if name in suite_names():
        text, place = (SUITES / f"{name}.toml").read_text(), f"suite '{name}'"
    elif path.suffix == ".toml" or path.is_file():
        try:
            text, place = path.read_text(), str(path)
        except (OSError, UnicodeDecodeError) as problem:
            raise BenchmarkError(f"{path}: {problem}", "give the path of a suite's TOML file") from None
    else:
        close = difflib.get_close_matches(name, suite_names(), n=1)
        raise BenchmarkError(
            f"there is no suite '{name}'" + (f"; did you mean '{close[0]}'?" if close else ""),
            f"choose one of: {', '.join(suite_names())}; or give the path of a TOML file",
        )
    try:
        return Suite.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as problem:
        raise BenchmarkError(f"{place}: {problem}", "correct the TOML there") from None
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BenchmarkError(f"{place}: {where}: {first['msg']}", "see 'Suites' in the README") from None
    except (ValueError, RecursionError) as problem:  # a number of 5000 digits; brackets without end
        raise BenchmarkError(f"{place}: {problem}", "correct the TOML there") from None


def shown_benchmarks(suite: Suite) -> list[str]:
    """What each entry's benchmark is called: by its name and, of several entries, by where they differ."""
    found = [(entry.name, entry.variant) for entry in suite.benchmarks]
    names = shown_names(found)
    return [names[one] for one in found]


def narrowed(
    suite: Suite,
    *,
    benchmarks: Sequence[str] = (),
    strategies: Sequence[str] = (),
    seeds: int | None = None,
    gpu_hours: float | None = None,
    workers: int | None = None,
    data: Path | None = None,
) -> Suite:
    """The suite with what is given in place of what it says.

    Raises:
        BenchmarkError: If a number is out of range, a benchmark that is new to the suite has no budget, or a live one
            has no folder of images.
    """
    given = {"seeds": seeds, "workers": workers, "gpu_hours": gpu_hours}
    _require_in_range({name: value for name, value in given.items() if value is not None})
    if data is not None and not data.is_dir():
        raise BenchmarkError(f"{data}: no such folder", "give the folder of images with --data DIR")
    entries = list(suite.benchmarks)
    if benchmarks:
        entries = [entry for name in benchmarks for entry in _entries(suite, name, gpu_hours)]
    if gpu_hours is not None:
        entries = [entry.model_copy(update={"gpu_hours": [gpu_hours]}) for entry in entries]
    arms = [arm for name in strategies for arm in _arms(suite, name)] if strategies else list(suite.strategies)
    return suite.model_copy(
        update={
            "benchmarks": [_with_data(entry, data) for entry in entries],
            "strategies": arms,
            "seeds": suite.seeds if seeds is None else seeds,
            "workers": suite.workers if workers is None else [workers],
        }
    )


class _Given(BaseModel):
    """The numbers that options give, as a suite would have them."""

    model_config = ConfigDict(strict=True)
    seeds: Seeds = 1
    workers: Workers = 1
    gpu_hours: Hours = 1.0


def _require_in_range(given: Mapping[str, Any]) -> None:
    try:
        _Given.model_validate(given)
    except ValidationError as problem:
        first = problem.errors()[0]
        name = str(first["loc"][0])
        raise BenchmarkError(f"--{name.replace('_', '-')} {given[name]}: {first['msg']}", HINTS[name]) from None


HINTS = {
    "seeds": "give a number of seeds",
    "workers": "give a number of workers",
    "gpu_hours": "give a positive number of GPU-hours",
}


def _entries(suite: Suite, name: str, gpu_hours: float | None) -> list[Entry]:
    """The suite's entries of a benchmark, or of a variant of one as boards call it; or a new one."""
    load_benchmark(name)
    shown = shown_benchmarks(suite) if "[" in name else []
    there = [entry for entry in suite.benchmarks if entry.name == name]
    there = there or [suite.benchmarks[place] for place, each in enumerate(shown) if each == name]
    if "[" in name and not there:
        raise BenchmarkError(f"the suite has no '{name}'", f"choose one of: {', '.join(dict.fromkeys(shown))}")
    if not there and gpu_hours is None:
        raise BenchmarkError(f"the suite has no budget for '{name}'", "give one with --gpu-hours")
    return there or [Entry(name=name, gpu_hours=[gpu_hours or 1.0])]


def _arms(suite: Suite, name: str) -> list[Arm]:
    """The suite's arms of that label or strategy, or a new arm with default settings."""
    return [arm for arm in suite.strategies if name in (arm.shown, arm.name)] or [Arm(name=name)]


def _with_data(entry: Entry, data: Path | None) -> Entry:
    if not load_benchmark(entry.name).live:
        return entry
    folder = data or entry.settings.get("data")
    if folder is None:
        raise BenchmarkError(f"{entry.name} trains on real images", "give their folder with --data DIR")
    if not Path(folder).is_dir():
        raise BenchmarkError(f"{folder}: no such folder", "give the folder of images with --data DIR")
    return entry.model_copy(update={"settings": {**entry.settings, "data": str(folder)}})
