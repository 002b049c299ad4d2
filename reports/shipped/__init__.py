"""Results that come along, each run from a committed tree and archived with `hemobench export --archive`."""

from pathlib import Path

RESULTS = Path(__file__).parent / "full.parquet"
"""Of the suite `full`: what the recorded benchmarks answer."""

PAPERS = Path(__file__).parent / "papers.parquet"
"""Of the suite `papers`: what the surfaces fitted to the papers answer."""
