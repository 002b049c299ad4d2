"""Settings held against what they are given to: names by the signature, values by the types, before anything runs."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError

from hemobench.benchmarks.benchmark import Benchmark
from hemobench.errors import BenchmarkError
from hemobench.strategies.base import Strategy

GIVEN_BY_US = ("self", "space", "seed", "horizon", "epochs")
"""What a strategy is built with beside its settings."""
_STRICT = ConfigDict(strict=True, allow_inf_nan=False)


def require_strategy_settings(strategy: type[Strategy], label: str, settings: Mapping[str, Any]) -> None:
    """Make sure that a strategy takes its settings.

    Raises:
        BenchmarkError: Naming the first that it does not take, and what it takes.
    """
    require_settings(strategy.__init__, f"strategy '{label}'", settings, GIVEN_BY_US)


def require_benchmark_settings(benchmark: Benchmark, settings: Mapping[str, Any]) -> None:
    """Make sure that a benchmark's evaluator takes its settings. Live training checks its own, which need torch.

    Raises:
        BenchmarkError: Naming the first that it does not take, and what it takes.
    """
    if not benchmark.live:
        require_settings(benchmark.maker(), benchmark.name, settings, ("benchmark",))


def require_settings(
    made_by: Callable[..., Any], place: str, settings: Mapping[str, Any], given: Collection[str]
) -> None:
    """Make sure that settings fit what is called with them.

    What has no type is not checked for its value; what takes any name (`**options`) checks names by itself.

    Args:
        made_by: The constructor or function.
        place: Whose settings they are, for the message.
        settings: As they stand in a suite.
        given: Parameters that are no settings.

    Raises:
        BenchmarkError: If a name or a value is not taken, or one that is needed is missing.
    """
    parameters = [each for each in inspect.signature(made_by).parameters.values() if each.name not in given]
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters)
    by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    named = {each.name: each for each in parameters if each.kind in by_name}
    hints = _hints(made_by)
    for name, value in settings.items():
        if name in given or (name not in named and not takes_any):
            raise _unknown(place, name, list(named))
        if name in named and name in hints and (wrong := _wrong(hints[name], value)):
            raise BenchmarkError(f"{place}: {name} = {value!r}: {wrong}", "correct the setting in the suite")
    missing = [name for name, each in named.items() if each.default is each.empty and name not in settings]
    if missing:
        raise BenchmarkError(f"{place}: its setting {missing[0]} is missing", f"give settings = {{ {missing[0]} = … }}")


def _hints(made_by: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(made_by, include_extras=True)
    except Exception:  # somebody else's, which cannot be resolved: their names are checked, and no values
        return {}


def _unknown(place: str, name: str, known: list[str]) -> BenchmarkError:
    close = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean '{close[0]}'?" if close else ""
    hint = f"it takes: {', '.join(known)}" if known else "it takes no settings"
    return BenchmarkError(f"{place} has no setting '{name}'{meant}", hint)


def _wrong(hint: Any, value: Any) -> str | None:
    """What is wrong with a value; read as JSON, where a list may stand for any sequence and a text for a path."""
    adapter = _adapter(hint)
    if adapter is None:
        return None
    try:
        adapter.validate_json(json.dumps(value, default=str))
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if isinstance(part, int))
        return f"{where}: {first['msg']}" if where else str(first["msg"])
    return None


def _adapter(hint: Any) -> TypeAdapter[Any] | None:
    """What validates a type; `None` for somebody else's that nothing is known of."""
    for config in (_STRICT, None):  # some types bring a configuration of their own, and take none
        try:
            return TypeAdapter(hint, config=config)
        except (PydanticUserError, PydanticUndefinedAnnotation):
            continue
    return None
