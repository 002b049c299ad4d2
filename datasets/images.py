"""What an image set and a split are: plain data that the training code needs to know, and no more."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hemobench.errors import BenchmarkError


def _none() -> NDArray[np.str_]:
    return np.empty(0, dtype=np.str_)


@dataclass(frozen=True)
class ImageSet:
    """A folder of labelled single-cell images, read but not decoded.

    Attributes:
        name: `c-nmc`, `bone-marrow` or `cells`.
        root: The folder.
        classes: Class names; a label is a position in it.
        paths: One file an image, relative to `root`, in sorted order.
        labels: Class of each image, shape (n,), int64.
        subjects: Subject id of each image, shape (n,), str; all empty where the set has no subject ids.
        groups: What must stay on one side of a split, shape (n,), int64: images of one (merged) subject, and
            images with equal pixels, share a number.
        folds: Official fold of each image, shape (n,), int64; -1 where there is none.
        test: True for the images of an official held-out test set, shape (n,), bool.
        checksum: SHA-256 over the sorted relative paths, sizes and contents, and over what a subject table says.
        contents: Hash of the decoded pixels of each image, shape (n,), str; empty where not computed.
        parts: Part of the split that the folder or its table gives (`train`, `validation`, `test`), shape (n,), str;
            all empty where none is given. See `splits.given_split`.
        notes: What the reader left out or assumed, for people.
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: NDArray[np.int64]
    subjects: NDArray[np.str_]
    groups: NDArray[np.int64]
    folds: NDArray[np.int64]
    test: NDArray[np.bool_]
    checksum: str
    contents: NDArray[np.str_] = field(default_factory=_none)
    parts: NDArray[np.str_] = field(default_factory=_none)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class Split:
    """Positions in an image set: what is trained on, selected on and reported on, disjoint.

    Attributes:
        train: Shape (n_train,), int64, sorted.
        validation: Likewise; what a strategy sees.
        test: Likewise; may be empty.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def take(images: ImageSet, positions: NDArray[np.int64]) -> ImageSet:
    """The images at these positions, in sorted order, with all that is known of them.

    The checksum becomes that of the parent's checksum and the positions, so that it changes when either does.
    """
    kept = np.unique(positions)
    digest = hashlib.sha256(images.checksum.encode() + kept.astype("<i8").tobytes()).hexdigest()
    return replace(
        images,
        paths=tuple(images.paths[i] for i in kept),
        labels=images.labels[kept],
        subjects=images.subjects[kept],
        groups=images.groups[kept],
        folds=images.folds[kept],
        test=images.test[kept],
        contents=images.contents[kept] if len(images.contents) else images.contents,
        parts=images.parts[kept] if len(images.parts) else images.parts,
        checksum=digest,
    )


def subset(images: ImageSet, n: int, seed: int) -> ImageSet:
    """A part of `n` images with the classes, folds and subjects in their proportions.

    Every class keeps at least one image. Within a class the images are ordered by test set, part, fold and subject,
    in random order below that, and taken at equal steps from a random start.

    Args:
        images: The whole.
        n: Images to keep; the whole is returned where it has no more.
        seed: Which part.

    Raises:
        BenchmarkError: If `n` is less than the number of classes.
    """
    if n >= len(images):
        return images
    classes, counts = np.unique(images.labels, return_counts=True)
    if n < len(classes):
        raise BenchmarkError(f"{n} images cannot show {len(classes)} classes", f"ask for at least {len(classes)}")
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    chosen = []
    for label, share in zip(classes, _shares(counts, n), strict=True):
        members = rng.permutation(np.flatnonzero(images.labels == label))
        parts_of = images.parts[members] if len(images.parts) else np.zeros(len(members))
        order = np.lexsort((images.subjects[members], images.folds[members], parts_of, images.test[members]))
        steps = np.floor((np.arange(share) + rng.random()) * len(members) / share).astype(np.int64)
        chosen.append(members[order][steps])
    return take(images, np.concatenate(chosen))


def _shares(counts: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """`n` in proportion to `counts`, at least one each: every next one goes where it is missed most."""
    shares = np.ones_like(counts)
    for _ in range(n - len(counts)):
        shares[np.argmax(counts * n / counts.sum() - shares)] += 1
    return shares
