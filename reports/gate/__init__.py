"""The gate: has a strategy become worse than it was when a baseline was recorded? Pass, regress or inconclusive."""
