"""How strategies begin before they learn, as their runs were set."""

from __future__ import annotations

import json

from hemobench.benchmarks.storage.results import Results
from hemobench.strategies import beginning


def beginnings(results: Results) -> dict[str, str]:
    """By label, in words; of several runs of one label, the first says. Empty where results do not say."""
    if "header" not in results.runs:
        return {}
    found = {}
    for text in results.runs.drop_duplicates("strategy")["header"]:
        strategy = json.loads(text).get("strategy") or {}
        words = beginning(str(strategy.get("name")), strategy.get("settings") or {})
        if words:
            found[str(strategy.get("label"))] = words
    return found
