"""The documentation site: every page is in it, links and references lead somewhere, nothing comes from a network."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from hemobench.benchmarks.suite import Suite
from hemobench.strategies import STRATEGIES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NAV = (ROOT / "mkdocs.yml").read_text().partition("nav:")[2]


def test_every_page_is_in_it():
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert set(re.findall(r"[\w/-]+\.md", NAV)) == there


def test_every_strategy_is_in_the_reference():
    page = (DOCS / "reference" / "strategies.md").read_text()
    for entry in STRATEGIES.values():
        assert f"::: {entry.path.replace(':', '.')}" in page


def test_the_suite_that_is_shown_is_one():
    (shown,) = re.findall(r"```toml\n(.*?)```", (DOCS / "suites.md").read_text(), flags=re.DOTALL)
    suite = Suite.model_validate(tomllib.loads(shown))
    keys = {*Suite.model_fields, "label", "settings", "max_trials", "horizon", "gpu_hours"}
    assert all(re.search(rf"\b{key}\b", shown) for key in keys)
    assert len(suite.benchmarks) == 2


def test_it_builds_strictly_and_fetches_nothing(tmp_path):
    build = pytest.importorskip("mkdocs.commands.build")
    from mkdocs.config import load_config

    build.build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path / "site")))
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 15
    strategies = (tmp_path / "site" / "reference" / "strategies.html").read_text()
    assert "patience" in strategies
    for page in pages:
        fetched = re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"(https?://[^\"]*)\"", page.read_text())
        assert fetched == [], page
