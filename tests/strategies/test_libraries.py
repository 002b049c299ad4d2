"""The table of strategies beside libraries of other versions than it needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hemobench import strategies
from hemobench.errors import BenchmarkError
from hemobench.strategies import STRATEGIES, load_strategy


@pytest.mark.parametrize("path", ["optuna.samplers:SamplerOfTomorrow", "optuna.distributions_of_old:Float"])
def test_a_library_of_another_version_is_named_with_the_one_that_is_needed(path, monkeypatch):
    monkeypatch.setattr(strategies, "STRATEGIES", {"tpe": replace(STRATEGIES["optuna-tpe"], path=path)})
    with pytest.raises(BenchmarkError, match=r"strategy 'tpe': optuna \d[\d.]* cannot be used: ") as refused:
        load_strategy("tpe")
    assert refused.value.hint.startswith("pip install 'optuna>=")


def test_what_breaks_in_a_file_of_ours_blames_no_library(monkeypatch):
    monkeypatch.setattr(strategies, "STRATEGIES", {"mine": replace(STRATEGIES["random"], path="nowhere:Mine")})
    with pytest.raises(BenchmarkError, match="strategy 'nowhere:Mine': No module named 'nowhere'"):
        load_strategy("mine")
