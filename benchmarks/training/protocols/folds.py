"""The splits of a task that is cross-validated, as its training wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hemobench.benchmarks.training.inputs.feeds import Sides
from hemobench.benchmarks.training.options import Options
from hemobench.datasets.images import ImageSet
from hemobench.datasets.splits import cells_splits, has_given_split
from hemobench.errors import BenchmarkError


@dataclass(frozen=True)
class Folds:
    """The splits that a configuration is trained on.

    Attributes:
        sides: Of every split, trained on or not.
        numbers: Of those that are: all six, or thirty when extended; or the one that was given or asked for.
        words: What deals them, for people.
    """

    sides: Sequence[Sides]
    numbers: Sequence[int]
    words: str

    @classmethod
    def of(cls, images: ImageSet, options: Options) -> Folds:
        """A split that comes with the images is the only one; else folds are dealt.

        Raises:
            BenchmarkError: If there is no fold of the number asked for.
        """
        splits = cells_splits(images, options.folds, options.extended, options.split_seed)
        sides = [Sides.of(images, split) for split in splits]
        if options.fold is not None and not 0 <= options.fold < len(sides):
            raise BenchmarkError(f"there is no fold {options.fold}", f"choose one of 0 to {len(sides) - 1}")
        numbers = range(len(sides)) if options.fold is None else (options.fold,)
        return cls(sides, numbers, _words(images, options, sides[0]))

    @property
    def trained(self) -> list[Sides]:
        """Of those that are trained on."""
        return [self.sides[number] for number in self.numbers]


def _words(images: ImageSet, options: Options, first: Sides) -> str:
    alone = "the deviation over folds is 0"
    if has_given_split(images):
        sizes = [f"{len(rows)} {side}" for side, rows in first.positions.items()]
        return f"as given, {', '.join(sizes)}, seed {options.split_seed}; one split: {alone}"
    each = options.folds - 1 if options.extended else 1
    dealt = f"{options.folds} x {each} folds, seed {options.split_seed}"
    return dealt if options.fold is None else f"{dealt}, fold {options.fold} alone: {alone}"
