"""Surrogates: small networks fitted to recorded tables, which answer any configuration of a task's space."""
