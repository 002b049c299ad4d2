"""Results that come along, each run from a committed tree and archived with `hemobench export --archive`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hemobench.errors import BenchmarkError

if TYPE_CHECKING:
    from hemobench.benchmarks.storage.results import Results

RESULTS = Path(__file__).parent / "full.parquet"
"""Of the suite `full`: what the recorded benchmarks answer."""

PAPERS = Path(__file__).parent / "papers.parquet"
"""Of the suite `papers`: what the surfaces fitted to the papers answer."""

OF_SUITES = {"full": RESULTS, "quick": RESULTS, "papers": PAPERS}
"""Suites whose runs are all there; those of `quick` are the first seeds of `full`."""


def shipped_results(suite: str) -> Results:
    """The runs of a suite, of the results that come along.

    Raises:
        BenchmarkError: If there are none of that suite.
    """
    from hemobench.benchmarks.execution.plan import plans
    from hemobench.benchmarks.storage.load import load_results
    from hemobench.benchmarks.storage.results import Results
    from hemobench.benchmarks.suite import load_suite

    if suite not in OF_SUITES:
        raise BenchmarkError(
            f"no results of the suite '{suite}' come along",
            f"give a folder or archive of results, or one of: {', '.join(OF_SUITES)}",
        )
    whole = load_results(OF_SUITES[suite])
    wanted = {str(plan.key.folder) for plan in plans(load_suite(suite))}
    runs = whole.runs[whole.runs["folder"].isin(wanted)]
    return Results(runs, whole.of(runs.index))
