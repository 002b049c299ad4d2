"""The second phase: selected configurations trained again."""
