"""Class folders as people have them: nested, split in advance, with things lying about.

Understood are `<class>/…`, `<part>/<class>/…` and `<class>/<part>/…`, where a part is `train`,
`validation` or `test` in any usual spelling (`names.part_name`), each below any number of folders
that hold nothing else.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from hemobench.datasets.files import UNREAD_SUFFIXES, folders, images_below, loose_images, walk
from hemobench.datasets.names import Part, composed, normal, part_name, text
from hemobench.datasets.scan import Entry, Finding
from hemobench.errors import BenchmarkError

DEPTH = 3
"""Folders that hold nothing but one other, looked through at most."""
SHOWN = 5
"""Names that a message lists at most."""
_DERIVED = re.compile(r"[_-](mask|masks|seg|segmentation|gt)$", re.IGNORECASE)
ARCHIVES = frozenset({".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".xz"})


@dataclass(frozen=True, slots=True)
class ClassFolder:
    """Where images of one class lie.

    Attributes:
        path: The folder.
        label: The class, as it is spelt where it is met first.
        part: Of the split, if the folder lies in one.
    """

    path: Path
    label: str
    part: Part = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a folder is laid out.

    Attributes:
        root: The folder that was given; paths of entries and findings are relative to it.
        class_folders: In sorted order.
        findings: What does not fit.
    """

    root: Path
    class_folders: tuple[ClassFolder, ...]
    findings: tuple[Finding, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names, sorted."""
        return tuple(sorted({folder.label for folder in self.class_folders}))


def layout(root: Path, base: Path) -> Layout:
    """Find the class folders, and what does not fit among them.

    Args:
        root: The folder that was given.
        base: The folder in it that holds the class folders, or the parts of a split; see
            `unwrapped`.

    Raises:
        BenchmarkError: If there are none, if some folders are parts of a split and others are not,
            or if classes seem to lie one level below.
    """
    tops = folders(base)
    parts = _parts(base, tops)
    holders: list[tuple[Path, Part]] = [(unwrapped(top), part) for top, part in parts.items()]
    if not holders:
        holders = [(base, "")]
    placed = [(inner, part) for holder, part in holders for inner in folders(holder)]
    for holder, _ in holders:
        _refuse_classes_below(holder)
    if not any(_holds_images(folder) for folder, _ in placed):
        raise BenchmarkError(f"{base} is not a folder of class folders with images", _advice(base))
    class_folders = _labelled(placed)
    findings = [
        *_loose(root, base, holders),
        *_same_class(root, class_folders),
        *_copies(root, class_folders),
        *_unread(root, base),
    ]
    return Layout(root, tuple(class_folders), tuple(findings))


def entries(found: Layout) -> Iterator[Entry]:
    """The images of the class folders; a part may be named above the class or right below it."""
    for folder in found.class_folders:
        for file in images_below(folder.path):
            below = file.relative_to(folder.path).parts
            inner: Part = part_name(below[0]) if len(below) > 1 else ""
            yield Entry(file.relative_to(found.root), folder.label, part=folder.part or inner)


def unwrapped(folder: Path) -> Path:
    """The folder; or, where it holds one folder of folders and no image, that one, and so on."""
    for _ in range(DEPTH):
        inner = folders(folder)
        if len(inner) != 1 or loose_images(folder) or not _holds_folders_only(inner[0]):
            break
        folder = inner[0]
    return folder


def listed(names: Sequence[str]) -> str:
    """Some names for a message, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _holds_folders_only(folder: Path) -> bool:
    return bool(folders(folder)) and not loose_images(folder)


def _holds_images(folder: Path) -> bool:
    return next(images_below(folder), None) is not None


def _parts(base: Path, tops: Sequence[Path]) -> dict[Path, Part]:
    """The folders that are parts of a split; empty if these are class folders."""
    parts: dict[Path, Part] = {top: part for top in tops if (part := part_name(top.name))}
    others = [top.name for top in tops if top not in parts]
    names = listed([top.name for top in parts])
    if parts and others:
        raise BenchmarkError(
            f"{base} holds parts of a split ({names}) beside other folders ({listed(others)})",
            f"move those away, or name the folder of one part alone, such as {next(iter(parts))}",
        )
    if len(set(parts.values())) < len(parts):
        raise BenchmarkError(
            f"{base} holds two folders for one part of a split: {names}",
            "keep one folder each for training, validation and test",
        )
    return parts


def _refuse_classes_below(holder: Path) -> None:
    """Refuse to take folds, sites or masks for classes: folders that hold the same folders.

    Names with digits do not count: they are slides, patients or parts of a large class.
    """
    below = {top: _class_like(top) for top in folders(holder) if not loose_images(top)}
    for (one, its), (other, others) in combinations(below.items(), 2):
        shared = sorted(its & others)
        if len(shared) > 1:
            raise BenchmarkError(
                f"{holder}: {one.name} and {other.name} hold the same folders ({listed(shared)}), "
                "so that the classes seem to lie one level below",
                f"name one of them, such as {one}, or merge them; a split is read where its parts "
                "are called train, validation and test",
            )


def _class_like(folder: Path) -> set[str]:
    """Names of the folders in it, or in the parts of a split in it, that might be classes."""
    names: set[str] = set()
    for inner in folders(unwrapped(folder)):
        below = folders(unwrapped(inner)) if part_name(inner.name) else [inner]
        names |= {normal(each.name) for each in below}
    return {name for name in names if not any(letter.isdigit() for letter in name)}


def _advice(base: Path) -> str:
    if any(file.suffix.lower() in ARCHIVES for file in base.iterdir()):
        return "unpack the archive in it, and name the folder that holds a folder for every class"
    return "lay images out as <class>/<file>"


def _labelled(placed: Sequence[tuple[Path, Part]]) -> list[ClassFolder]:
    """Class folders with the classes' names: as a name is spelt first, so it is in every part."""
    spelt: dict[str, str] = {}
    labelled = []
    for path, part in placed:
        label = spelt.setdefault(normal(path.name), text(path.name))
        labelled.append(ClassFolder(path, label, part))
    return labelled


def _loose(root: Path, base: Path, holders: Sequence[tuple[Path, Part]]) -> Iterator[Finding]:
    """Images beside class folders are of no class; a part without any is unlabelled as a whole."""
    for folder in dict.fromkeys([base, *(holder for holder, _ in holders)]):
        images = loose_images(folder)
        if images and (folders(folder) or folder == base):
            first = images[0].name
            detail = f"{len(images)} images lie beside the class folders, {first} among them"
            hint = "put each into the folder of its class, or move them away"
            yield Finding("unlabelled", folder.relative_to(root), detail, "error", hint)
        elif images:
            detail = f"{len(images)} unlabelled images of the part '{folder.name}' are not read"
            yield Finding("unlabelled", folder.relative_to(root), detail, "note")


def _same_class(root: Path, class_folders: Sequence[ClassFolder]) -> Iterator[Finding]:
    """Two folders for one class, and one folder for two classes."""
    spelt: dict[tuple[Path, str], ClassFolder] = {}
    real: dict[str, ClassFolder] = {}
    for folder in class_folders:
        path = folder.path.relative_to(root)
        first = spelt.setdefault((folder.path.parent, normal(folder.path.name)), folder)
        if first is not folder:
            detail = f"the same class as '{first.path.name}', spelt differently"
            yield Finding(
                "unknown",
                path,
                detail,
                "error",
                "merge the two, or give the classes different names",
            )
        same = real.setdefault(os.path.realpath(folder.path), folder)
        if same is not folder:
            detail = f"a link to what {same.path.relative_to(root).as_posix()} is, too"
            yield Finding("unknown", path, detail, "error", "remove the link")
        if composed(folder.path.name) != folder.label and first is folder:
            detail = f"'{folder.path.name}' is read as class {folder.label}"
            yield Finding("unknown", path, detail, "note")


def _copies(root: Path, class_folders: Sequence[ClassFolder]) -> Iterator[Finding]:
    """Images that are named as others beside them: converted copies, or masks, not other cells."""
    for folder in class_folders:
        first: dict[tuple[Path, str], Path] = {}
        for file in images_below(folder.path):
            beside = first.setdefault((file.parent, _DERIVED.sub("", file.stem)), file)
            if beside is not file:
                named = f"has the name of {beside.name} beside it"
                detail = f"{named}: a copy or a mask of it is no other cell"
                hint = "keep one file of every cell"
                yield Finding("duplicate", file.relative_to(root), detail, "error", hint)


def _unread(root: Path, base: Path) -> Iterator[Finding]:
    suffixes = (file.suffix.lower() for file in walk(base, with_hidden=False))
    counts = Counter(suffix for suffix in suffixes if suffix in UNREAD_SUFFIXES)
    for suffix, count in sorted(counts.items()):
        detail = f"{count} files of a type that is not read: {suffix}"
        hint = "convert them to PNG, or move them away"
        yield Finding("unlabelled", base.relative_to(root), detail, "warning", hint)
