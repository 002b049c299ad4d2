"""With what runs were made: versions, the machine's numerical fingerprint, and what the benchmarks rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hemobench.benchmarks.environment import DATE, NUMERICS
from hemobench.benchmarks.storage.results import MAY_DIFFER, Results
from hemobench.errors import BenchmarkError


@dataclass(frozen=True, slots=True)
class Provenance:
    """What results were made with.

    Attributes:
        versions: Of Python, the packages and the code.
        numerics: The numerical fingerprint; where machines differed, all that there were.
        sources: By benchmark, what its answers rest on.
    """

    versions: dict[str, str]
    numerics: dict[str, str]
    sources: dict[str, dict[str, str]]


def provenance(results: Results) -> Provenance:
    """What results were made with. Machines may differ, which shows in no more than the last bits of a number.

    Raises:
        BenchmarkError: If runs were made with different versions.
    """
    fingerprints: dict[str, set[str]] = {name: set() for name in NUMERICS}
    versions: dict[str, str] = {}
    sources: dict[str, dict[str, str]] = {}
    for run in results.runs.index:
        header = results.header(run)
        environment = header.get("environment", {})
        its_own, numerics = apart(environment)
        for name, value in numerics.items():
            fingerprints[name].add(value)
        versions = versions or its_own
        if changed := changed_versions(versions, its_own):
            raise BenchmarkError(
                f"{results.runs.loc[run, 'folder']} was run with other versions than the runs before it: "
                f"{', '.join(changed)}",
                "give results of one installation: a new, empty folder",
            )
        source = {key: str(value) for key, value in header.get("source", {}).items() if key not in MAY_DIFFER}
        sources.setdefault(str(results.runs.loc[run, "benchmark"]), source)
    numerics = {name: ", ".join(sorted(values)) for name, values in fingerprints.items() if values}
    return Provenance(versions, numerics, sources)


def apart(environment: Mapping[str, object]) -> tuple[dict[str, str], dict[str, str]]:
    """The environment of a run as versions, which an installation decides, and the machine's numerical fingerprint."""
    found = {str(name): str(value) for name, value in environment.items()}
    versions = {name: value for name, value in found.items() if name not in (DATE, *NUMERICS)}
    return versions, {name: found[name] for name in NUMERICS if name in found}


def another_kernel(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """How two numerical fingerprints differ, as in `another numerical kernel: Zen -> Haswell`; empty if they do not.

    Nothing is said of a fingerprint that was not recorded.
    """
    if not before or not now or dict(before) == dict(now):
        return ""
    short = [(_kernels(side.get("blas", "")), side.get("simd", "").split(" ")[-1]) for side in (before, now)]
    changes = [f"{old} -> {new}" for old, new in zip(*short, strict=True) if old != new]
    if not changes:  # the same kernels of another build
        changes = [f"{before.get('blas')} -> {now.get('blas')}"]
    return f"another numerical kernel: {', '.join(changes)}"


def _kernels(libraries: str) -> str:
    """The processors whose kernels linear algebra libraries chose: their last words, each once."""
    return "/".join(sorted({library.split(" ")[-1] for library in libraries.split(", ")}))


def changed_versions(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Packages, Python, platform and commit that differ, as in `optuna 4.5.0 -> 5.0.0`."""
    before, now = (apart(side)[0] for side in (before, now))
    names = sorted(before.keys() | now.keys())
    return [
        f"{name} {before.get(name, 'absent')} -> {now.get(name, 'absent')}"
        for name in names
        if before.get(name) != now.get(name)
    ]
