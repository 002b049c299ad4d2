"""What holds whoever adds something: the gate as a call, and the contracts of strategies, tasks, data sets, benchmarks.

Each is one line of a pytest test and fails with an `AssertionError` that says what is wrong.
"""

from hemobench.testing.benchmarks import check_benchmark as check_benchmark
from hemobench.testing.datasets import check_dataset as check_dataset
from hemobench.testing.not_worse import GateInconclusive as GateInconclusive
from hemobench.testing.not_worse import assert_not_worse as assert_not_worse
from hemobench.testing.strategies import check_strategy as check_strategy
from hemobench.testing.tasks import check_task as check_task

__all__ = [
    "GateInconclusive",
    "assert_not_worse",
    "check_benchmark",
    "check_dataset",
    "check_strategy",
    "check_task",
]
