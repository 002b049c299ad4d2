"""Runs that may be compared, and what they had reached at each GPU-hour."""
