"""Malaria smears for hemobench: a data set, a task, a source of answers and a strategy."""
