"""What must hold between images: their classes, subjects, and parts of a split that is given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from hemobench.datasets.names import PARTS, normal
from hemobench.datasets.scan import Entry, Finding

FOLDS = 6
"""Of the bone-marrow paper's cross-validation, which folders without a split are trained with."""


def without_lone_part(images: Sequence[Entry]) -> list[Entry]:
    """The images; no split is given where all are to be trained on, as where others are unlabelled."""
    lone = {entry.part for entry in images} == {"train"}
    return [replace(entry, part="") if lone else entry for entry in images]


def inconsistencies(images: Sequence[Entry], classes: Sequence[str]) -> list[Finding]:
    """What does not go together, and what is too little."""
    return [*_spellings(classes), *_subjects(images), *(_split(images, classes) or _few(images))]


def _spellings(classes: Sequence[str]) -> Iterator[Finding]:
    spelt: dict[str, str] = {}
    for label in classes:
        first = spelt.setdefault(normal(label), label)
        if first != label:
            detail = f"the classes '{first}' and '{label}' differ in spelling only"
            yield Finding("unknown", Path(), detail, "error", "spell the class in one way")


def _subjects(images: Sequence[Entry]) -> Iterator[Finding]:
    """Splits leak where one person is spelt in two ways, or is in two parts."""
    spelt: dict[str, str] = {}
    parts: dict[str, dict[str, Entry]] = defaultdict(dict)
    for entry in images:
        if entry.subject:
            spelt.setdefault(entry.subject, normal(entry.subject))
            parts[entry.subject].setdefault(entry.part, entry)
    first: dict[str, str] = {}
    for subject, key in spelt.items():
        if first.setdefault(key, subject) != subject:
            detail = f"the subjects '{first[key]}' and '{subject}' differ in spelling only"
            yield Finding("subject", Path(), detail, "error", "spell the subject in one way")
    for subject, seen in parts.items():
        if len(seen) > 1:
            parts_of = " and ".join(sorted(seen))
            detail = f"the subject {subject} is in the parts {parts_of} of the split"
            hint = "put a subject's images into one part, or give no split: ours keep subjects whole"
            first_image = next(iter(seen.values()))
            yield Finding("subject", first_image.path, detail, "error", hint)


def _split(images: Sequence[Entry], classes: Sequence[str]) -> list[Finding]:
    """What is wrong with the split that is given; empty too where none is."""
    parts = {entry.part for entry in images}
    if parts <= {""}:
        return []
    if "" in parts:
        stray = next(entry for entry in images if not entry.part)
        count = sum(not entry.part for entry in images)
        share = f"{count} of {len(images)} images do so"
        detail = f"lies in no part of the split that others lie in ({share})"
        return [Finding("split", stray.path, detail, "error", "give every image a part, or none")]
    if "train" not in parts:
        detail = f"the split has only {', '.join(sorted(parts))}: nothing to train on"
        hint = "add the part train, or name one part alone"
        return [Finding("split", Path(), detail, "error", hint)]
    return list(_missing_from_parts(images, classes))


def _missing_from_parts(images: Sequence[Entry], classes: Sequence[str]) -> Iterator[Finding]:
    present = {(entry.part, entry.label) for entry in images}
    parts = {part for part, _ in present}
    for part in PARTS:
        for label in classes:
            if part in parts and (part, label) not in present:
                detail = f"no image of class {label} in the part {part}"
                yield Finding("missing", Path(), detail, "error" if part == "train" else "warning")


def _few(images: Sequence[Entry]) -> Iterator[Finding]:
    """Classes of which some fold would hold no image, since subjects are kept whole."""
    kept_together: dict[str, set[str]] = defaultdict(set)
    for entry in images:
        kept_together[entry.label].add(entry.person or f"\0{entry.path}")
    for label, groups in sorted(kept_together.items()):
        if label and len(groups) < FOLDS and images and not images[0].part:
            whose = "subjects" if images[0].person else "images"
            size = f"class {label} has {len(groups)} {whose}"
            detail = f"{size}: in {FOLDS} folds, some are without it"
            hint = "ask for fewer folds, or leave the class out"
            yield Finding("few", Path(), detail, "warning", hint)
