"""What tells two entries of one benchmark apart: the settings and limits that a suite gives it.

They belong to a run's identity: two entries of one name lie in two folders, and stand on two boards.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

NOT_STORED = ("data", "cache")
"""Settings that are places on a machine: they are stored nowhere, and so cannot tell runs apart."""
LONGEST = 80
Named = tuple[str, str]
"""A benchmark's name, and a variant of it."""


def variant(settings: Mapping[str, Any], limits: Mapping[str, Any]) -> str:
    """The settings of a benchmark and the limits of its runs as one canonical text; empty if there are none.

    Args:
        settings: Of the benchmark's evaluator, without what it has by default.
        limits: `max_trials` and `horizon`, where the suite states them for the benchmark.
    """
    stored = {name: value for name, value in settings.items() if name not in NOT_STORED}
    parts = {**stored, **limits}
    return json.dumps(parts, sort_keys=True, default=str) if parts else ""


def own_settings(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those that the benchmark has by default."""
    return {name: value for name, value in settings.items() if name not in defaults or not _same(value, defaults[name])}


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True, default=str) == json.dumps(other, sort_keys=True, default=str)


def text(parts: Mapping[str, Any]) -> str:
    """The parts of a variant for people and for folders, as in `folds=0+max_trials=10`."""
    whole = "+".join(f"{name}={_value(value)}" for name, value in sorted(parts.items()))
    plain = re.sub(r"[^\w.+=-]", "-", whole)
    if plain == whole and len(plain) <= LONGEST:
        return plain
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:8]
    return f"{plain[: LONGEST - 10]}~{digest}"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "_".join(map(_value, value))
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def folder_name(benchmark: str, variant: str) -> str:
    """The folder of a benchmark's variant: its name, and what was set."""
    return f"{benchmark}+{text(json.loads(variant))}" if variant else benchmark


def shown_names(found: Iterable[Named]) -> dict[Named, str]:
    """What each variant is called among others: the benchmark's name and, if it has several, where they differ."""
    variants: dict[str, list[str]] = {}
    for benchmark, each in dict.fromkeys(found):
        variants.setdefault(benchmark, []).append(each)
    names: dict[Named, str] = {}
    for benchmark, several in variants.items():
        differing = _differing(several)
        names.update({(benchmark, each): _shown(benchmark, parts) for each, parts in differing.items()})
    return names


def _differing(variants: list[str]) -> dict[str, dict[str, Any]]:
    """Of each variant the parts that not all have alike."""
    parts = {each: json.loads(each or "{}") for each in variants}
    known = {name for found in parts.values() for name in found}
    alike = {name for name in known if len({json.dumps(found.get(name)) for found in parts.values()}) == 1}
    return {each: {name: found[name] for name in found if name not in alike} for each, found in parts.items()}


def _shown(benchmark: str, parts: Mapping[str, Any]) -> str:
    return f"{benchmark}[{text(parts)}]" if parts else benchmark


def without_variant(name: str) -> str:
    """The name of the benchmark behind what a variant of it is called."""
    return name.partition("[")[0]
