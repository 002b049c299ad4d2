"""C-NMC 2019: leukaemic blasts (`all`) against normal cells (`hem`), with subject ids and three official folds.

Layout of the public download (TCIA, 10.7937/tcia.2019.dc64i46r, and its copy on Kaggle)::

    C-NMC_Leukemia/
        training_data/fold_{0,1,2}/{all,hem}/UID_<subject>_<image>_<cell>_<class>.bmp
        validation_data/C-NMC_test_prelim_phase_data/<n>.bmp            the preliminary test set
        validation_data/C-NMC_test_prelim_phase_data_labels.csv         Patient_ID,new_names,labels
        testing_data/C-NMC_test_final_phase_data/<n>.bmp                unlabelled, not read

The root may be `C-NMC_Leukemia`, a folder that holds it (once or twice nested) or nothing but it,
or `training_data` itself; any of the folds may be absent, and images may have been converted to PNG
or JPEG. Case and spaces at the ends of folders' names do not count.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from hemobench.datasets.files import (
    existing_folder,
    folders,
    hidden,
    images_below,
    loose_images,
    walk,
)
from hemobench.datasets.names import normal
from hemobench.datasets.readers.class_folders import unwrapped
from hemobench.datasets.scan import Entry, Finding, Scan
from hemobench.errors import BenchmarkError

CLASSES = ("hem", "all")
FOLDS = (0, 1, 2)
FOLD_NAMES = {f"fold_{number}": number for number in FOLDS}
MERGED = ({"20", "21"}, {"51", "75", "78"}, {"H10", "H3"}, {"H2", "H4", "H5", "H6"})
"""Subject ids whose cells are the same or near-identical across official folds: to be kept on one side."""
PRELIM = "C-NMC_test_prelim_phase_data"
FINAL = "C-NMC_test_final_phase_data"
HEADER = ["Patient_ID", "new_names", "labels"]
NAME = re.compile(r"UID_(?P<subject>H?\d+)_\d+_\d+_(?P<label>all|hem)", re.IGNORECASE)
NAMES_LOOK_LIKE = "names look like UID_11_10_1_all.bmp or UID_H3_4_1_hem.bmp"


def scan(root: Path, *, prelim: bool = True) -> Scan:
    """Find the labelled images, and what is wrong or left out.

    Label 1 is ALL, 0 is hem. Groups join the images of one subject, of the subjects in `MERGED`,
    and those with equal pixels.

    Args:
        root: The folder.
        prelim: Read the preliminary test set too, where it is there with its labels.

    Raises:
        BenchmarkError: If the folder is missing, empty, or not laid out like the download.
    """
    located = _located(existing_folder(root))
    if located is None:
        held = ", ".join(sorted(p.name for p in root.iterdir())[:5])
        raise BenchmarkError(
            f"{root} is not laid out like C-NMC (it holds {held})",
            "name the folder that holds training_data/fold_0/all, or a parent named as in C-NMC_Leukemia",
        )
    base, training = located
    found = list(_training(root, training))
    if prelim:
        found += _prelim(root, base)
    found += _final(root, base)
    entries = tuple(e for e in found if isinstance(e, Entry))
    findings = tuple(f for f in found if isinstance(f, Finding))
    if not entries and not findings:
        raise BenchmarkError(f"{training} holds no images", "unpack the download again; folds hold all/ and hem/")
    return Scan("c-nmc", "C-NMC 2019", root, CLASSES, entries, findings)


def refuse_as_other(root: Path) -> None:
    """Refuse to read C-NMC as anything else: its folds would be classes, or its subjects unknown.

    Raises:
        BenchmarkError: If its folds hold the classes all and hem, or the first image is named as in
        C-NMC.
    """
    first = next(images_below(root), None)
    located = _located(root)
    folds = folders(located[1]) if located else []
    in_folds = {normal(part.name) for fold in folds for part in folders(fold)}
    if in_folds & set(CLASSES) or (first is not None and NAME.fullmatch(first.stem)):
        raise BenchmarkError(
            f"{root} holds images of C-NMC",
            "read it as c-nmc, which keeps subjects apart; name the folder that holds training_data",
        )


def _located(root: Path) -> tuple[Path, Path] | None:
    """The folder that holds the download's parts, and the one that holds its folds, if any."""
    inner = "C-NMC_Leukemia"
    outer = [root, root / inner, root / inner / inner]
    inside = unwrapped(root)
    nested = [] if inside == root else [inside, inside.parent]
    for base in (*outer, *nested):
        for training in (base / "training_data", base / "training_data" / "training_data", base):
            if any(_fold_number(folder) is not None for folder in folders(training)):
                return base, training
    return None


def _fold_number(folder: Path) -> int | None:
    """0, 1 or 2 for `fold_0`, `fold_1`, `Fold 2`; none for any other folder."""
    return FOLD_NAMES.get(normal(folder.name))


def _training(root: Path, training: Path) -> Iterator[Entry | Finding]:
    yield from _beside(root, training)
    for folder in folders(training):
        fold = _fold_number(folder)
        if fold is not None:
            yield from _fold(root, folder, fold)
        elif training.name == "training_data":
            yield _unknown(root, folder, "not one of the folders fold_0, fold_1, fold_2")


def _fold(root: Path, folder: Path, fold: int) -> Iterator[Entry | Finding]:
    yield from _beside(root, folder)
    for part in folders(folder):
        label = normal(part.name)
        if label not in CLASSES:
            yield _unknown(root, part, "not one of the class folders all, hem")
            continue
        for file in images_below(part):
            yield _training_image(root, file, label, fold)


def _beside(root: Path, folder: Path) -> Iterator[Finding]:
    """Images that lie where only folders should."""
    for file in loose_images(folder):
        yield Finding(
            "unlabelled",
            file.relative_to(root),
            "lies beside the class folders",
            "error",
            "move it away",
        )


def _unknown(root: Path, folder: Path, detail: str) -> Finding:
    return Finding("unknown", folder.relative_to(root), detail, "error")


def _training_image(root: Path, file: Path, label: str, fold: int) -> Entry | Finding:
    path = file.relative_to(root)
    try:
        subject, named = parse_name(file.stem)
    except ValueError as error:
        return Finding("mislabelled", path, str(error), "error")
    if named != label:
        return Finding(
            "mislabelled",
            path,
            f"lies in the class folder '{label}' and is named '{named}'",
            "error",
        )
    return Entry(path, label, subject, fold, person=person(subject))


def parse_name(stem: str) -> tuple[str, str]:
    """Subject and class of a file's name: `UID_h3_4_1_hem` is of subject `H3`, which is spelt both ways.

    Raises:
        ValueError: If it is no such name, or the subject is not of the class.
    """
    match = NAME.fullmatch(stem)
    if not match:
        raise ValueError(f"the name '{stem}' is not of the data set: {NAMES_LOOK_LIKE}")
    subject, label = match["subject"].upper(), match["label"].lower()
    if subject.startswith("H") != (label == "hem"):
        raise ValueError(f"the name '{stem}' contradicts itself: subjects of class hem, and only they, begin with H")
    return subject, label


def person(subject: str) -> str:
    """The first of the ids that a subject is to be kept together with, or its own."""
    return next((min(ids) for ids in MERGED if subject in ids), subject)


def _prelim(root: Path, base: Path) -> Iterator[Entry | Finding]:
    folder = base / "validation_data"
    images = list(images_below(folder))
    if not images:
        return
    table = _labels_table(folder)
    if table is None:
        detail = f"{len(images)} preliminary test images without {PRELIM}_labels.csv are not read"
        yield Finding("unlabelled", folder.relative_to(root), detail, "note")
        return
    listed = prelim_labels(table)
    for file in images:
        if file.stem not in listed:
            yield Finding("unlabelled", file.relative_to(root), f"not listed in {table.name}", "error")
            continue
        subject, label = listed[file.stem]
        yield Entry(file.relative_to(root), label, subject, test=True, person=person(subject))
    lost = sorted(set(listed) - {file.stem for file in images})
    if lost:
        detail = f"lists {len(lost)} images that are not there, {lost[0]} among them"
        yield Finding("missing", table.relative_to(root), detail, "warning")


def _labels_table(folder: Path) -> Path | None:
    """The preliminary test set's table, by its name, or else its header; others may lie beside it.

    Raises:
        BenchmarkError: If there are several that differ.
    """
    files = [file for file in walk(folder, with_hidden=False) if not hidden(file)]
    tables = [file for file in files if file.suffix.lower() == ".csv"]
    named = [file for file in tables if normal(file.stem) == normal(f"{PRELIM}_labels")]
    chosen = named or [file for file in tables if _has_header(file)]
    if len({file.read_bytes() for file in chosen}) > 1:
        names = ", ".join(map(str, chosen))
        problem = f"several tables give labels, and they differ: {names}"
        raise BenchmarkError(problem, "keep the one of the download")
    return chosen[0] if chosen else None


def _has_header(table: Path) -> bool:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline(1000)
    except (OSError, UnicodeDecodeError):
        return False
    return [cell.strip() for cell in first.split(",")] == HEADER


def prelim_labels(table: Path) -> dict[str, tuple[str, str]]:
    """File stem -> (subject, class), from the preliminary test set's CSV.

    Raises:
        BenchmarkError: If a line is not as expected or contradicts another, naming it.
    """
    try:
        rows = list(csv.reader(table.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchmarkError(f"{table} cannot be read: {error}", "restore it from the download") from error
    if not rows or [cell.strip() for cell in rows[0]] != HEADER:
        raise BenchmarkError(f"{table}, line 1: the header is not {','.join(HEADER)}", "restore it from the download")
    labels: dict[str, tuple[str, str]] = {}
    for number, row in enumerate(rows[1:], start=2):
        if row:
            try:
                name, entry = _prelim_row(row)
                if labels.setdefault(name, entry) != entry:
                    raise ValueError(f"contradicts an earlier line on '{name}'")
            except ValueError as error:
                raise BenchmarkError(f"{table}, line {number}: {error}", "restore it from the download") from error
    return labels


def _prelim_row(row: list[str]) -> tuple[str, tuple[str, str]]:
    if len(row) != len(HEADER):
        raise ValueError(f"{len(row)} columns instead of {len(HEADER)}")
    patient, name, label = (cell.strip() for cell in row)
    subject, named = parse_name(Path(patient).stem)
    if label not in {"0", "1"} or CLASSES[int(label)] != named:
        raise ValueError(f"label '{label}' does not go with '{patient}' (1 = all, 0 = hem)")
    return Path(name).stem, (subject, named)


def _final(root: Path, base: Path) -> Iterator[Finding]:
    folder = base / "testing_data"
    count = sum(1 for _ in images_below(folder))
    if count:
        detail = f"{count} unlabelled images of the final test set are not read"
        yield Finding("unlabelled", folder.relative_to(root), detail, "note")
