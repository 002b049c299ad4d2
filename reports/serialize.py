"""What was concluded, as plain data for JSON."""

from __future__ import annotations

from math import isinf
from typing import Any

DIGITS = 4


def rounded(value: Any, digits: int = DIGITS) -> Any:
    """Nested data with tuples as lists, numbers rounded to so many decimals, and `None` for what is infinite."""
    if isinstance(value, dict):
        return {name: rounded(inner, digits) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner, digits) for inner in value]
    if isinstance(value, float):
        return None if isinf(value) else round(value, digits)
    return value
