"""Who is trained on, selected on and reported on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hemobench.datasets.images import ImageSet, Split
from hemobench.errors import BenchmarkError

SUBJECT_FOLDS = 5
RANDOM_FOLDS = 10
PAPER_PARTS = 5
"""The C-NMC paper holds out "a part" of the training images for validation; a fifth is ours."""
PAPER_TEST_FOLD = 2


def stratified_folds(
    labels: NDArray[np.int64], groups: NDArray[np.int64], k: int = 6, seed: int = 0
) -> NDArray[np.int64]:
    """Deal images into folds of similar size and class mix that keep every group whole.

    Groups are dealt largest first (their order is jittered by the seed), each to the fold that has least of its
    classes, and among equals to the smallest: a greedy descent on the squared deviation of class shares.

    Args:
        labels: Class of each image, shape (n,).
        groups: What must stay together, shape (n,).
        k: Number of folds.
        seed: Which of the many such partitions.

    Returns:
        Fold of each image, shape (n,), int64, in 0..k-1.

    Raises:
        BenchmarkError: If there are fewer groups than folds.
    """
    _, group = np.unique(groups, return_inverse=True)
    _, label = np.unique(labels, return_inverse=True)
    counts = np.zeros((int(group.max(initial=-1)) + 1, int(label.max(initial=-1)) + 1))
    if k < 2 or len(counts) < k:
        raise BenchmarkError(f"{len(counts)} groups of images cannot make {k} folds", "give more images or fewer folds")
    np.add.at(counts, (group, label), 1)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    size = counts.sum(axis=1) * rng.uniform(0.5, 1.0, len(counts))
    fold_of = np.empty(len(counts), dtype=np.int64)
    have, total = np.zeros((k, counts.shape[1])), counts.sum(axis=0)
    for g in np.argsort(-size, kind="stable"):
        cost = have @ (counts[g] / total**2)
        best = np.lexsort((have.sum(axis=1), cost))[0]
        have[best] += counts[g]
        fold_of[g] = best
    return fold_of[group]


def cross_validation(folds: NDArray[np.int64], extended: bool = False) -> list[Split]:
    """The bone-marrow paper's cross-validation: each fold is the test set once.

    Args:
        folds: Fold of each image, shape (n,), as from `stratified_folds`.
        extended: Every other fold is the validation set once (6 x 5 trainings), not only the next one (6).
    """
    numbers = [int(f) for f in np.unique(folds)]
    k = len(numbers)
    if k < 3:
        raise BenchmarkError(f"{k} folds cannot hold training, validation and test", "make at least three folds")
    steps = range(1, k) if extended else range(1, 2)
    return [_by_fold(folds, numbers[(i + step) % k], numbers[i]) for i in range(k) for step in steps]


def _by_fold(folds: NDArray[np.int64], validation: int, test: int) -> Split:
    rest = (folds != validation) & (folds != test)
    return Split(np.flatnonzero(rest), np.flatnonzero(folds == validation), np.flatnonzero(folds == test))


def cells_splits(images: ImageSet, folds: int = 6, extended: bool = False, seed: int = 0) -> list[Split]:
    """What any cells are trained with: the split that the folder or its table gives, or else cross-validation.

    Args:
        images: As from `open_images("cells", ...)`.
        folds: Number of folds, where no split is given.
        extended: As for `cross_validation`.
        seed: Which partition, of what is drawn.

    Raises:
        BenchmarkError: If there are fewer groups of images than folds.
    """
    if has_given_split(images):
        return [given_split(images, seed)]
    return cross_validation(stratified_folds(images.labels, images.groups, folds, seed), extended)


def has_given_split(images: ImageSet) -> bool:
    """Whether the folder or its table says what is trained on."""
    return bool((images.parts != "").any())


def given_split(images: ImageSet, seed: int = 0) -> Split:
    """The split that the folder or its table gives.

    Where it has no validation part, a fifth of the training part becomes one, subjects whole and classes in
    proportion. The test part may be empty. Exact duplicates of validation and test images are dropped from training,
    and those of test images from validation.

    Args:
        images: As from `open_images("cells", ...)`.
        seed: Which fifth.

    Raises:
        BenchmarkError: If nothing is left to train on or to select on.
    """
    in_test = images.parts == "test"
    in_validation = images.parts == "validation"
    in_train = (images.parts == "train") & ~_also_in(images, in_test | in_validation)
    if not in_validation.any():
        candidates = np.flatnonzero(in_train)
        in_validation[candidates[_a_fifth(images.labels[candidates], images.groups[candidates], seed)]] = True
        in_train &= ~in_validation
    in_validation &= ~_also_in(images, in_test)
    if not in_train.any() or not in_validation.any():
        raise BenchmarkError(
            f"in the split of {images.root}, every image for training or validation is a duplicate of one held out",
            "give other images, or no split",
        )
    return Split(np.flatnonzero(in_train), np.flatnonzero(in_validation), np.flatnonzero(in_test))


def _a_fifth(labels: NDArray[np.int64], groups: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Every image's being in the first of five folds that leaves images of every class to the other four."""
    folds = stratified_folds(labels, groups, SUBJECT_FOLDS, seed)
    classes = len(np.unique(labels))
    for fold in range(SUBJECT_FOLDS):
        if len(np.unique(labels[folds != fold])) == classes:
            chosen: NDArray[np.bool_] = folds == fold
            return chosen
    raise BenchmarkError(
        "no fifth of the training part can be set apart that leaves images of every class: some have one subject",
        "give a validation part, or more subjects",
    )


def c_nmc_split(
    images: ImageSet, kind: Literal["paper", "official", "subject", "random"], fold: int = 0, seed: int = 0
) -> Split:
    """Training, validation and test images of C-NMC.

    - `paper`: the paper's protocol. The test set is the preliminary test set, or where that is missing the official
      fold 2: people whose cells are never trained on. Of the other images one in five of each class, drawn by the
      seed whatever the person, is the validation set: what is selected on has seen its people, what is reported has
      not. `fold` is which fifth. Duplicates of test images are dropped from the others; other equal images stay on
      one side.
    - `official`: the validation set is the official fold `fold`. The test set is the preliminary test set where the
      download has it; else the next official fold that is present, if that leaves one to train on; else it is empty.
      The folds keep subjects apart by id, not by person: `leak` counts what the merged subjects share. Exact
      duplicates of validation and test images are dropped from training, and those of test images from validation.
    - `subject`: five folds over `images.groups` (merged subjects and duplicates) of all labelled images, about
      3 : 1 : 1. Nothing leaks. `fold` is the test set and the next the validation set.
    - `random`: ten folds by image, about 8 : 1 : 1, that ignore subjects. It exists to measure the leak: cells of one
      patient lie on both sides, and the figures are inflated. Never report them as results.

    Args:
        images: As from `open_images("c-nmc", ...)`.
        kind: Which of the four.
        fold: Which part of it.
        seed: Which partition, of `paper`, `subject` and `random`.

    Raises:
        BenchmarkError: On an unknown kind or a fold that is not there.
    """
    match kind:
        case "paper":
            return _paper(images, fold, seed)
        case "official":
            return _official(images, fold)
        case "subject":
            return _rotated(stratified_folds(images.labels, images.groups, SUBJECT_FOLDS, seed), fold)
        case "random":
            alone = np.arange(len(images), dtype=np.int64)
            return _rotated(stratified_folds(images.labels, alone, RANDOM_FOLDS, seed), fold)
    raise BenchmarkError(f"there is no split '{kind}'", "choose one of: paper, official, subject, random")


def _rotated(folds: NDArray[np.int64], fold: int) -> Split:
    k = int(folds.max()) + 1
    if not 0 <= fold < k:
        raise BenchmarkError(f"there is no fold {fold}", f"choose one of 0 to {k - 1}")
    return _by_fold(folds, validation=(fold + 1) % k, test=fold)


def _paper(images: ImageSet, fold: int, seed: int) -> Split:
    in_test = images.test.copy() if images.test.any() else images.folds == PAPER_TEST_FOLD
    rest = np.flatnonzero(~in_test & ~_also_in(images, in_test))
    if not in_test.any() or len(rest) < PAPER_PARTS:
        raise BenchmarkError(
            f"{images.root} has {len(rest)} images for training and validation and {int(in_test.sum())} for the test",
            "the split 'paper' needs the preliminary test set or the official fold 2, and another fold",
        )
    if not 0 <= fold < PAPER_PARTS:
        raise BenchmarkError(f"there is no fold {fold}", f"choose one of 0 to {PAPER_PARTS - 1}")
    equal = np.unique(_contents(images)[rest], return_inverse=True)[1]
    part = stratified_folds(images.labels[rest], equal, PAPER_PARTS, seed)
    held_out = part == fold
    return Split(rest[~held_out], rest[held_out], np.flatnonzero(in_test))


def _official(images: ImageSet, fold: int) -> Split:
    present = [int(f) for f in np.unique(images.folds[~images.test]) if f >= 0]
    if fold not in present:
        there = ", ".join(map(str, present)) or "none"
        raise BenchmarkError(f"{images.root} has no official fold {fold}", f"folds present: {there}")
    if len(present) < 2:
        raise BenchmarkError(
            f"{images.root} has only the official fold {fold}: nothing is left to train on",
            "download another fold, or use the split 'subject'",
        )
    in_test = images.test.copy()
    if not in_test.any() and len(present) > 2:
        in_test = images.folds == present[(present.index(fold) + 1) % len(present)]
    in_validation = (images.folds == fold) & ~in_test & ~_also_in(images, in_test)
    in_train = ~in_test & (images.folds != fold) & ~_also_in(images, in_test | in_validation)
    return Split(np.flatnonzero(in_train), np.flatnonzero(in_validation), np.flatnonzero(in_test))


def _also_in(images: ImageSet, side: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The images whose pixels equal those of one in `side`, the side's own included."""
    return np.isin(_contents(images), _contents(images)[side])


def _contents(images: ImageSet) -> NDArray[np.str_]:
    """What is equal where pixels are; each image its own where the set was made without hashes."""
    return images.contents if len(images.contents) else np.arange(len(images)).astype(np.str_)


@dataclass(frozen=True, slots=True)
class Leak:
    """What two or three sides of a split share; all empty or 0 when nothing leaks.

    Attributes:
        subjects: Subject ids on more than one side.
        groups: Number of groups (merged subjects, or equal pixels) on more than one side.
        duplicates: Number of distinct pixel contents on more than one side.
        images: Validation and test images whose group is also trained on.
    """

    subjects: tuple[str, ...]
    groups: int
    duplicates: int
    images: int


def leak(images: ImageSet, split: Split) -> Leak:
    """Count what is shared across the sides of a split."""
    known = images.subjects[images.subjects != ""]
    subjects = np.intersect1d(_shared(images.subjects, split), known)
    held_out = np.concatenate([split.validation, split.test])
    return Leak(
        subjects=tuple(str(s) for s in subjects),
        groups=len(_shared(images.groups, split)),
        duplicates=len(_shared(_contents(images), split)),
        images=int(np.isin(images.groups[held_out], images.groups[split.train]).sum()),
    )


def _shared(values: NDArray[Any], split: Split) -> NDArray[Any]:
    """The distinct values that occur on more than one side."""
    sides = [np.unique(values[side]) for side in (split.train, split.validation, split.test)]
    distinct, count = np.unique(np.concatenate(sides), return_counts=True)
    return distinct[count > 1]
