"""A baseline: one small JSON file with all that a later gate needs; nothing in it can run code by itself."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.storage.files import whole_file
from hemobench.benchmarks.storage.results import Results
from hemobench.benchmarks.suite import Suite
from hemobench.errors import BenchmarkError
from hemobench.reports.gate.provenance import provenance
from hemobench.reports.gate.runs import ArmRuns, Normaliser, arms_of

SCHEMA = 2
SHIPPED = files("hemobench.reports.gate") / "baselines"
SUFFIXES = (".json.gz", ".json")
LARGEST = 64 * 2**20
"""Bytes that a baseline may unpack to; a thousand runs take under one mebibyte."""

Rate = Annotated[float, Field(gt=0, lt=0.5)]


class Terms(BaseModel):
    """What the gate promises.

    Attributes:
        margin: Normalised regret by which a strategy may be worse and still pass; the same for both measures.
        false_alarm: Chance that anything is called worse though nothing is: over all arms and both measures.
        false_pass: Chance that an arm which is worse by the margin is passed, and so that the whole gate is.
        power: Chance with which the stated smallest change is called.
        identical_after: Seeds after which an arm that is bit-identical is passed without statistics.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    margin: Annotated[float, Field(gt=0, le=10)] = 0.3
    false_alarm: Rate = 0.05
    false_pass: Rate = 0.025
    power: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    identical_after: PositiveInt = 3


class Baseline(BaseModel):
    """What a strategy is held against.

    Attributes:
        kind: Tells the file from others.
        schema_version: Of the file's format.
        name: Of the suite.
        suite: All that is needed to run it again.
        terms: Margin and error rates.
        versions: Of Python and the packages, as in a run's provenance.
        numerics: The numerical fingerprint of the machine, likewise; empty in baselines of before it was recorded.
        sources: By benchmark, what its answers rest on (checksums).
        arms: The runs.
        normalised_by: What their regrets are 1 at: what random search's incumbent is worth (`truth`), or what it sees
            of it (`observed`), as on published surfaces before the former was known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["hemobench-baseline"] = "hemobench-baseline"
    schema_version: int = SCHEMA
    name: str
    suite: Suite
    terms: Terms
    versions: dict[str, str]
    numerics: dict[str, str] = {}
    sources: dict[str, dict[str, str]]
    arms: tuple[ArmRuns, ...] = Field(min_length=1)
    normalised_by: Normaliser = "observed"


def from_results(results: Results, name: str, suite: Suite, terms: Terms) -> Baseline:
    """A baseline of the results of a suite.

    Raises:
        BenchmarkError: If a strategy raised, or a benchmark has no reference.
    """
    arms = arms_of(results)
    for arm in arms:
        for run in arm.runs:
            if run.error:
                raise BenchmarkError(
                    f"{arm.key.strategy} on {arm.key.benchmark}, seed {run.seed}: {run.error}",
                    "a strategy that fails is no baseline: correct it, or leave it out with --strategies",
                )
    about = provenance(results)
    return Baseline(
        name=name,
        suite=suite,
        terms=terms,
        versions=about.versions,
        numerics=about.numerics,
        sources=about.sources,
        arms=tuple(arms),
        normalised_by="truth",
    )


def require_same_benchmarks(baseline: Baseline, sources: dict[str, dict[str, str]]) -> None:
    """Refuse to hold runs against others that were answered from another benchmark.

    Raises:
        BenchmarkError: Naming the first that differs.
    """
    for arm in baseline.arms:
        now = load_benchmark(arm.key.benchmark).version
        if now != arm.key.version:
            raise BenchmarkError(
                f"the baseline is of {arm.key.benchmark} v{arm.key.version}; here is v{now}", "make a new baseline"
            )
    for name, source in sources.items():
        if baseline.sources.get(name, source) != source:
            raise BenchmarkError(
                f"{name} rests on other data than in the baseline: {source} and {baseline.sources[name]}",
                "make a new baseline",
            )


def save(baseline: Baseline, path: Path) -> None:
    """Write a baseline, gzipped where the name ends in `.gz`; the same baseline gives the same bytes.

    Raises:
        BenchmarkError: If the file cannot be written.
    """
    content = baseline.model_dump_json(indent=None).encode() + b"\n"
    try:
        with whole_file(path) as partial:
            partial.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    except OSError as problem:
        raise BenchmarkError(f"{path}: {problem.strerror}", "name a file that can be written") from None


def shipped() -> list[str]:
    """Names of the baselines that come with hemobench."""
    if not SHIPPED.is_dir():
        return []
    names = [file.name for file in SHIPPED.iterdir()]
    return sorted({name.removesuffix(end) for name in names for end in SUFFIXES if name.endswith(end)})


def load(name: str) -> Baseline:
    """A baseline by the path of its file, or by the name of one that comes with hemobench.

    Raises:
        BenchmarkError: If there is none, or the file is damaged: with the place.
    """
    content = read_document(locate(name), name)
    _require_known_format(content, name)
    try:
        found = Baseline.model_validate(content)
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BenchmarkError(f"{name}: {where}: {first['msg']}", "make it again: hemobench baseline") from None
    return _checked(found, name)


def locate(name: str) -> Path:
    """The file that a name means.

    Raises:
        BenchmarkError: If there is none.
    """
    if name in shipped():
        return next(Path(str(SHIPPED / f"{name}{end}")) for end in SUFFIXES if (SHIPPED / f"{name}{end}").is_file())
    if not Path(name).is_file():
        known = f"; or the name of one that comes with hemobench: {', '.join(shipped())}" if shipped() else ""
        raise BenchmarkError(f"{name}: there is no such baseline", f"give the path of a file{known}")
    return Path(name)


def read_document(path: Path, name: str) -> dict[str, Any]:
    """A JSON object from a file, gzipped or not.

    Raises:
        BenchmarkError: If it is not one, or unpacks to more than a baseline can be.
    """
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else open(path, "rb") as file:
            raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise ValueError(f"larger than {LARGEST >> 20} MiB")
        content = json.loads(raw)
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as problem:
        raise BenchmarkError(f"{name}: {problem}", "give a file made by hemobench baseline") from None
    return content


def _require_known_format(content: Mapping[str, Any], name: str) -> None:
    """Refuse a newer format before its fields are looked at."""
    version = content.get("schema_version")
    if isinstance(version, int) and version > SCHEMA:
        raise BenchmarkError(f"{name}: schema {version}; this hemobench reads up to {SCHEMA}", "upgrade hemobench")


def _checked(baseline: Baseline, name: str) -> Baseline:
    """Refuse arms whose seeds do not count up from 0."""
    for arm in baseline.arms:
        if [run.seed for run in arm.runs] != list(range(len(arm.runs))) or not arm.runs:
            raise BenchmarkError(f"{name}: {arm.key.strategy}: seeds are missing", "make it again: hemobench baseline")
    return baseline


def labels(arms: Sequence[ArmRuns]) -> list[str]:
    """The strategies of a baseline, each once, in order."""
    return list(dict.fromkeys(arm.key.strategy for arm in arms))
