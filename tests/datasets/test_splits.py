"""Splits: disjoint, stratified, and leak-free where they say so."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemobench.datasets import open_images
from hemobench.datasets.images import ImageSet, Split
from hemobench.datasets.scan import connected
from hemobench.datasets.splits import c_nmc_split, cross_validation, given_split, leak, stratified_folds
from hemobench.errors import BenchmarkError

Get = Callable[[str], Path]


def image_set(labels: list[int], subjects: list[int], contents: list[int], folds: list[int]) -> ImageSet:
    """An image set of numbers only; groups are the subjects."""
    n = len(labels)
    return ImageSet(
        name="c-nmc",
        root=Path(),
        classes=("hem", "all"),
        paths=tuple(Path(f"{i}.png") for i in range(n)),
        labels=np.array(labels, dtype=np.int64),
        subjects=np.array([f"s{s}" for s in subjects]),
        groups=np.array(subjects, dtype=np.int64),
        folds=np.array(folds, dtype=np.int64),
        test=np.zeros(n, dtype=np.bool_),
        checksum="",
        contents=np.array([f"c{c}" for c in contents]),
    )


def disjoint(split: Split) -> None:
    sides = [split.train, split.validation, split.test]
    together = np.concatenate(sides)
    assert len(np.unique(together)) == len(together)
    assert all((np.diff(side) > 0).all() and side.dtype == np.int64 for side in sides)


@st.composite
def labelled_groups(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    n = draw(st.integers(12, 120))
    labels = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    groups = draw(st.lists(st.integers(0, n), min_size=n, max_size=n))
    return labels, groups


@settings(max_examples=60, deadline=None)
@given(labelled_groups(), st.integers(2, 8), st.integers(0, 5))
def test_folds_keep_groups_whole(data: tuple[list[int], list[int]], k: int, seed: int) -> None:
    labels, groups = np.array(data[0]), np.array(data[1])
    if len(np.unique(groups)) < k:
        with pytest.raises(BenchmarkError, match="cannot make"):
            stratified_folds(labels, groups, k, seed)
        return
    folds = stratified_folds(labels, groups, k, seed)
    assert set(folds) == set(range(k))
    assert all(len(np.unique(folds[groups == g])) == 1 for g in np.unique(groups))
    assert (folds == stratified_folds(labels, groups, k, seed)).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=30, max_size=200), st.integers(2, 6), st.integers(0, 9))
def test_folds_are_stratified(labels: list[int], k: int, seed: int) -> None:
    classes = np.array(labels)
    folds = stratified_folds(classes, np.arange(len(classes)), k, seed)
    table = np.array([np.bincount(classes[folds == f], minlength=5) for f in range(k)])
    assert np.ptp(table, axis=0).max() <= 1  # every class is dealt evenly
    assert np.ptp(table.sum(axis=1)) <= 5


def test_seeds_differ() -> None:
    labels, groups = np.arange(60) % 2, np.arange(60) // 3
    assert (stratified_folds(labels, groups, 6, 0) != stratified_folds(labels, groups, 6, 1)).any()


def test_cross_validation_is_the_papers() -> None:
    folds = np.arange(24) % 6
    six, thirty = cross_validation(folds), cross_validation(folds, extended=True)
    assert len(six) == 6
    assert len(thirty) == 30
    for i, split in enumerate(six):
        disjoint(split)
        assert set(folds[split.test]) == {i}
        assert set(folds[split.validation]) == {(i + 1) % 6}
        assert len(split.train) == 16
    pairs = {(folds[s.test[0]], folds[s.validation[0]]) for s in thirty}
    assert len(pairs) == 30
    with pytest.raises(BenchmarkError, match="2 folds"):
        cross_validation(np.arange(10) % 2)


@st.composite
def random_sets(draw: st.DrawFn) -> ImageSet:
    n = draw(st.integers(40, 120))
    subjects = draw(st.lists(st.integers(0, 14), min_size=n, max_size=n))
    contents = draw(st.lists(st.integers(0, 2 * n), min_size=n, max_size=n))
    images = image_set([s % 2 for s in subjects], subjects, contents, [s % 3 for s in subjects])
    return replace(images, groups=connected(images.subjects.tolist(), images.contents.tolist()))


@settings(max_examples=60, deadline=None)
@given(random_sets(), st.integers(0, 4), st.integers(0, 3))
def test_subject_split_never_leaks(images: ImageSet, fold: int, seed: int) -> None:
    if len(np.unique(images.groups)) < 5:
        return
    split = c_nmc_split(images, "subject", fold, seed)
    disjoint(split)
    assert len(split.train) + len(split.validation) + len(split.test) == len(images)
    found = leak(images, split)
    assert (found.subjects, found.groups, found.duplicates, found.images) == ((), 0, 0, 0)


@settings(max_examples=60, deadline=None)
@given(random_sets(), st.integers(0, 2))
def test_official_split_shares_no_subject_and_no_pixels(images: ImageSet, fold: int) -> None:
    present = set(images.folds.tolist())
    if fold not in present or len(present) < 2:
        with pytest.raises(BenchmarkError, match="official fold"):
            c_nmc_split(images, "official", fold)
        return
    split = c_nmc_split(images, "official", fold)
    disjoint(split)
    assert leak(images, split).subjects == ()
    assert leak(images, split).duplicates == 0
    assert set(images.folds[split.validation]) <= {fold}
    assert (len(split.test) > 0) == (len(present) == 3)


def test_leak_counts() -> None:
    images = image_set([0, 0, 1, 1, 0, 1], [0, 0, 1, 1, 2, 3], [0, 1, 2, 3, 1, 5], [0] * 6)
    split = Split(np.array([0, 2]), np.array([1, 5]), np.array([3, 4]))
    found = leak(images, split)
    assert found.subjects == ("s0", "s1")
    assert found.groups == 2
    assert found.duplicates == 1  # pixels of 1 and 4
    assert found.images == 2


def test_synthetic_splits(drawn: Get) -> None:
    images = open_images("c-nmc", drawn("c-nmc"))
    official = c_nmc_split(images, "official", 1)
    disjoint(official)
    assert images.test[official.test].all()
    assert len(official.test) == images.test.sum()
    assert set(images.folds[official.train]) == {0, 2}
    random = c_nmc_split(images, "random", 0)
    disjoint(random)
    found = leak(images, random)
    assert len(found.subjects) > 5
    assert found.images > 0.5 * (len(random.validation) + len(random.test))
    sides = (random.train, random.validation, random.test)
    assert np.ptp([images.labels[side].mean() for side in sides]) < 0.1


def test_real_random_split_leaks_every_held_out_image(real: Get) -> None:
    images = open_images("c-nmc", real("c-nmc"))
    random = leak(images, c_nmc_split(images, "random"))
    assert len(random.subjects) > 40
    assert random.duplicates > 0
    for fold in range(3):
        official = leak(images, c_nmc_split(images, "official", fold))
        assert official.subjects == ()
        assert official.duplicates == 0
        assert official.groups > 0  # the merged subjects still lie on two sides
        subject = c_nmc_split(images, "subject", fold)
        assert leak(images, subject).groups == 0
        shares = [len(side) / len(images) for side in (subject.validation, subject.test)]
        assert all(0.15 < share < 0.25 for share in shares)
        hem = [(images.labels[side] == 0).mean() for side in (subject.train, subject.validation, subject.test)]
        assert np.ptp(hem) < 0.1


def test_two_folds_leave_the_test_set_empty(c_nmc: Path) -> None:
    shutil.rmtree(c_nmc / "training_data" / "fold_2")
    shutil.rmtree(c_nmc / "validation_data")
    images = open_images("c-nmc", c_nmc)
    split = c_nmc_split(images, "official", 0)
    assert len(split.test) == 0
    assert set(images.folds[split.train]) == {1}
    with pytest.raises(BenchmarkError, match="no official fold 2"):
        c_nmc_split(images, "official", 2)
    with pytest.raises(BenchmarkError, match="no fold 5"):
        c_nmc_split(images, "subject", 5)
    with pytest.raises(BenchmarkError, match="no split 'holdout'"):
        c_nmc_split(images, "holdout")  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(labelled_groups(), st.sets(st.sampled_from(["validation", "test"])), st.integers(0, 3))
def test_a_given_split_is_disjoint_and_shares_no_pixels(
    data: tuple[list[int], list[int]], held_out: set[str], seed: int
) -> None:
    labels, subjects = data
    names = ["train", *sorted(held_out)]
    parts = [names[subject % len(names)] for subject in subjects]
    contents = [i if i % 7 else 0 for i in range(len(labels))]
    base = image_set(labels, subjects, contents, [-1] * len(labels))
    groups = connected(base.subjects.tolist(), base.contents.tolist())
    images = replace(base, groups=groups, parts=np.array(parts))
    try:
        split = given_split(images, seed)
    except BenchmarkError:
        return
    disjoint(split)
    assert len(split.train)
    assert len(split.validation)
    assert leak(images, split).duplicates == 0
    assert set(split.test.tolist()) == set(np.flatnonzero(images.parts == "test").tolist())
    if "validation" not in held_out:
        kept = np.concatenate([split.train, split.validation])
        assert set(images.labels[split.train].tolist()) == set(images.labels[kept].tolist())
        assert not set(images.groups[split.train].tolist()) & set(images.groups[split.validation].tolist())


def several_folds() -> ImageSet:
    """Three official folds of four people each; two cells of fold 0 are equal, and one equals a cell of fold 2."""
    rng = np.random.default_rng(0)
    folds = np.repeat([0, 1, 2], 200)
    labels = (rng.random(600) < 0.7).astype(int)
    subjects = 4 * folds + rng.integers(0, 4, 600)
    contents = np.arange(600)
    contents[1], contents[2] = contents[0], contents[450]
    labels[1], labels[2] = labels[0], labels[450]
    return image_set(labels.tolist(), subjects.tolist(), contents.tolist(), folds.tolist())


def test_the_papers_split_tests_on_people_that_are_never_trained_on() -> None:
    images = several_folds()
    parts = [c_nmc_split(images, "paper", fold) for fold in range(5)]
    for split in parts:
        disjoint(split)
        assert (images.folds[split.test] == 2).all()
        assert len(split.test) == 200
        tested = set(images.subjects[split.test])
        assert not tested & set(images.subjects[np.concatenate([split.train, split.validation])])
        assert 2 not in np.concatenate([split.train, split.validation])  # it equals a cell that is tested
        assert (0 in split.train) == (1 in split.train)
        assert len(leak(images, split).subjects) == 8  # validation has seen its people: that is the paper's way
        share = [images.labels[side].mean() for side in (split.train, split.validation)]
        assert share[0] == pytest.approx(share[1], abs=0.02)
    held_out = np.concatenate([split.validation for split in parts])
    assert sorted(held_out) == sorted(set(range(400)) - {2})  # every fifth once


def test_the_papers_split_prefers_the_preliminary_test_set() -> None:
    images = several_folds()
    prelim = images.folds == 1
    split = c_nmc_split(replace(images, test=prelim), "paper")
    assert (split.test == np.flatnonzero(prelim)).all()
    assert (images.folds[np.concatenate([split.train, split.validation])] != 1).all()


def test_the_papers_split_has_a_seed_and_refuses_what_is_not_there() -> None:
    images = several_folds()
    assert (c_nmc_split(images, "paper", 0, 1).validation != c_nmc_split(images, "paper", 0, 1).validation).sum() == 0
    assert set(c_nmc_split(images, "paper", 0, 1).validation) != set(c_nmc_split(images, "paper", 0, 2).validation)
    with pytest.raises(BenchmarkError, match="no fold 5"):
        c_nmc_split(images, "paper", 5)
    without = replace(images, folds=np.where(images.folds == 2, 1, images.folds))
    with pytest.raises(BenchmarkError, match="0 for the test"):
        c_nmc_split(without, "paper")
