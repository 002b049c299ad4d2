"""Any cells: class folders, two or more, or images and a table that names their classes.

A table, `subjects.csv` in the folder (`subject_table`), may give each image's subject, so that
splits keep subjects whole; its class; and its part of a split. A folder may also be split in
advance (`class_folders`). Where a split is given, `splits.given_split` returns it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hemobench.datasets.consistency import inconsistencies, without_lone_part
from hemobench.datasets.files import existing_folder, images_below
from hemobench.datasets.names import Part, part_name
from hemobench.datasets.readers import c_nmc
from hemobench.datasets.readers.class_folders import entries, layout, unwrapped
from hemobench.datasets.readers.subject_table import SubjectTable, find_table, other_tables, read_table
from hemobench.datasets.readers.table_join import joined
from hemobench.datasets.scan import Entry, Finding, Scan


def scan(root: Path, *, table: Path | None = None) -> Scan:
    """Find the labelled images, and what is wrong or left out.

    Groups join the images of one subject, and those with equal pixels.

    Args:
        root: The folder, or one that holds it alone.
        table: The subject table; by default `subjects.csv` in the folder, where it is there. A
            relative path is looked for from where we are, then in the folder.

    Raises:
        BenchmarkError: If the folder is missing, empty, laid out like C-NMC or unlike class
            folders, or the table is malformed.
    """
    return scan_below(root, unwrapped(existing_folder(root)), table)


def scan_below(root: Path, base: Path, table: Path | None) -> Scan:
    """As `scan`, where it is known which folder below the root holds the class folders."""
    path = find_table([root, base], table)
    subjects = read_table(path) if path else None
    if subjects is None:
        c_nmc.refuse_as_other(root)
    classes, images, findings = _labelled(root, base, subjects)
    if subjects:
        images, more = joined(images, subjects, root, base)
        findings += more
    images = without_lone_part(images)
    findings += [
        *_nested(root, base),
        *inconsistencies(images, classes),
        *other_tables(root, base, path),
    ]
    split = ", split as given" if any(entry.part for entry in images) else ""
    source = f"class folders and {path.name}" if path else "class folders"
    return Scan("cells", source + split, root, classes, tuple(images), tuple(findings), path)


def _labelled(
    root: Path, base: Path, subjects: SubjectTable | None
) -> tuple[tuple[str, ...], list[Entry], list[Finding]]:
    """Classes, images and what does not fit; the images lack labels that the table gives."""
    if subjects and "label" in subjects.columns:
        classes = tuple(sorted({row.label for row in subjects.rows}))
        return classes, list(_unlabelled(root)), []
    found = layout(root, base)
    return found.classes, list(entries(found)), list(found.findings)


def _unlabelled(root: Path) -> Iterator[Entry]:
    for file in images_below(root):
        path = file.relative_to(root)
        named = map(part_name, path.parts[:-1])
        part: Part = next(filter(None, named), "")
        yield Entry(path, "", part=part)


def _nested(root: Path, base: Path) -> Iterator[Finding]:
    if base != root:
        yield Finding(
            "layout",
            base.relative_to(root),
            f"read is what lies in {base.relative_to(root)}",
            "note",
        )
