"""Recorded tables: what training gave, once and for all, as Parquet files that benchmarks answer from."""
