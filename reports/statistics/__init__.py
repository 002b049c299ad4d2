"""Statistics of paired seeds, as pure functions on arrays: nothing here knows of runs or files."""
