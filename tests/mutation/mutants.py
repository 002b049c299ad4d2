"""Cosmic Ray's mutants of source files: which there are, and how each is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmic_ray import plugins
from cosmic_ray.ast import Visitor, get_ast
from cosmic_ray.mutating import mutate_code

ARITHMETIC = ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Pow_Mul", "FloorDiv_Mul", "Mod_Mul", "BitAnd_BitOr")
COMPARISONS = (
    *("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is"),
    *("Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt"),
)
OTHERS = (
    *("ReplaceUnaryOperator_USub_UAdd", "ReplaceUnaryOperator_Delete_Not", "AddNot", "NumberReplacer"),
    *("ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ZeroIterationForLoop"),
)
OPERATORS = (
    *(f"core/ReplaceBinaryOperator_{name}" for name in ARITHMETIC),
    *(f"core/ReplaceComparisonOperator_{name}" for name in COMPARISONS),
    *(f"core/{name}" for name in OTHERS),
)
"""One of each kind: Cosmic Ray has every operator for every other, most of which no test could let pass."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file.

    Attributes:
        file: Relative to the checkout.
        operator: Cosmic Ray's name of the change.
        number: Which of the places in the file that it can change.
        line: Where that is.
    """

    file: str
    operator: str
    number: int
    line: int

    def of(self, code: str) -> str | None:
        """The mutated code; `None` where the change changes nothing."""
        mutated: str | None = mutate_code(code, plugins.get_operator(self.operator)(), self.number)
        return None if mutated == code else mutated


def mutants(root: Path, folders: Iterable[str]) -> Iterator[Mutant]:
    """All mutants of the files in some folders of a checkout."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            tree = get_ast(path.read_text())
            for operator in OPERATORS:
                places = _Places(plugins.get_operator(operator)())
                places.walk(tree)
                for number, line in enumerate(places.lines):
                    yield Mutant(str(path.relative_to(root)), operator, number, line)


class _Places(Visitor):
    """Lines of a file that an operator can change."""

    def __init__(self, operator: Any) -> None:
        self._operator = operator
        self.lines: list[int] = []

    def visit(self, node: Any) -> Any:
        self.lines += [start[0] for start, _ in self._operator.mutation_positions(node)]
        return node
