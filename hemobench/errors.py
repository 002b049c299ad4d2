"""The one error tree: everything that a user can put right ends the command with exit code 2."""

from __future__ import annotations


class BenchmarkError(Exception):
    """Bad input, with one clear message.

    Args:
        problem: What is wrong, naming the file and the place.
        hint: What the user can do about it.
    """

    exit_code = 2

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(f"{problem}\n  -> {hint}" if hint else problem)
        self.problem = problem
        self.hint = hint

    def __reduce__(self) -> tuple[type[BenchmarkError], tuple[str, str]]:
        # The default would rebuild from the joined text when crossing a process pool.
        return type(self), (self.problem, self.hint)
