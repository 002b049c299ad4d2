"""Results that come along: the suite `full`, run for a release and archived with `hemobench export --archive`."""

from pathlib import Path

RESULTS = Path(__file__).parent / "full.parquet"
