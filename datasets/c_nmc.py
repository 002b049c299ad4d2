"""C-NMC 2019: leukaemic blasts (`all`) against normal cells (`hem`), with subject ids and three official folds.

Layout of the public download (TCIA, 10.7937/tcia.2019.dc64i46r, and its copy on Kaggle)::

    C-NMC_Leukemia/
        training_data/fold_{0,1,2}/{all,hem}/UID_<subject>_<image>_<cell>_<class>.bmp
        validation_data/C-NMC_test_prelim_phase_data/<n>.bmp            the preliminary test set
        validation_data/C-NMC_test_prelim_phase_data_labels.csv         Patient_ID,new_names,labels
        testing_data/C-NMC_test_final_phase_data/<n>.bmp                unlabelled, not read

The root may be `C-NMC_Leukemia`, a folder that holds it (once or twice nested), or `training_data` itself; any of the
folds may be absent, and images may have been converted to PNG or JPEG.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from hemobench.datasets.files import existing_folder, folders, hidden, is_image, walk
from hemobench.datasets.images import ImageSet
from hemobench.datasets.scan import Entry, Finding, Scan, image_set
from hemobench.errors import BenchmarkError

CLASSES = ("hem", "all")
FOLDS = (0, 1, 2)
MERGED = ({"20", "21"}, {"51", "75", "78"}, {"H10", "H3"}, {"H2", "H4", "H5", "H6"})
"""Subject ids whose cells are the same or near-identical across official folds: to be kept on one side."""
PRELIM = "C-NMC_test_prelim_phase_data"
FINAL = "C-NMC_test_final_phase_data"
HEADER = ["Patient_ID", "new_names", "labels"]
NAME = re.compile(r"UID_(?P<subject>H?\d+)_\d+_\d+_(?P<label>all|hem)", re.IGNORECASE)
NAMES_LOOK_LIKE = "names look like UID_11_10_1_all.bmp or UID_H3_4_1_hem.bmp"


def read(root: Path, *, prelim: bool = True, jobs: int | None = None) -> ImageSet:
    """The labelled images of a download; see `hemobench.datasets.open_images`.

    Label 1 is ALL, 0 is hem. Groups join the images of one subject, of the subjects in `MERGED`, and those with
    equal pixels.

    Args:
        root: The folder.
        prelim: Read the preliminary test set too, where it is there with its labels.
        jobs: Threads that decode; all cores by default.
    """
    return image_set(scan(root, prelim=prelim), jobs)


def scan(root: Path, *, prelim: bool = True) -> Scan:
    """Find the labelled images, and what is wrong or left out.

    Raises:
        BenchmarkError: If the folder is missing, empty, or not laid out like the download.
    """
    base, training = _locate(existing_folder(root))
    found = list(_training(root, training))
    if prelim:
        found += _prelim(root, base)
    found += _final(root, base)
    entries = tuple(e for e in found if isinstance(e, Entry))
    findings = tuple(f for f in found if isinstance(f, Finding))
    if not entries and not findings:
        raise BenchmarkError(f"{training} holds no images", "unpack the download again; folds hold all/ and hem/")
    return Scan("c-nmc", "C-NMC 2019", root, CLASSES, entries, findings)


def _locate(root: Path) -> tuple[Path, Path]:
    """The folder that holds the parts of the download, and the one that holds its folds."""
    inner = "C-NMC_Leukemia"
    for base in (root, root / inner, root / inner / inner):
        for training in (base / "training_data", base / "training_data" / "training_data", base):
            if any((training / f"fold_{k}").is_dir() for k in FOLDS):
                return base, training
    held = ", ".join(sorted(p.name for p in root.iterdir())[:5])
    raise BenchmarkError(
        f"{root} is not laid out like C-NMC (it holds {held})",
        "name the folder that holds training_data/fold_0/all, or a parent named as in C-NMC_Leukemia",
    )


def _training(root: Path, training: Path) -> Iterator[Entry | Finding]:
    for folder in folders(training):
        if folder.name not in {f"fold_{k}" for k in FOLDS}:
            if training.name == "training_data":
                yield _unknown(root, folder, "not one of the folders fold_0, fold_1, fold_2")
            continue
        for part in folders(folder):
            if part.name not in CLASSES:
                yield _unknown(root, part, "not one of the class folders all, hem")
                continue
            for file in filter(is_image, walk(part)):
                yield _training_image(root, file, part.name, int(folder.name[-1]))


def _unknown(root: Path, folder: Path, detail: str) -> Finding:
    return Finding("unknown", folder.relative_to(root), detail, "error")


def _training_image(root: Path, file: Path, label: str, fold: int) -> Entry | Finding:
    path = file.relative_to(root)
    try:
        subject, named = parse_name(file.stem)
    except ValueError as error:
        return Finding("mislabelled", path, str(error), "error")
    if named != label:
        return Finding("mislabelled", path, f"lies in the class folder '{label}' and is named '{named}'", "error")
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
    images = [p for p in walk(folder) if is_image(p)]
    if not images:
        return
    table = next((p for p in walk(folder) if p.suffix.lower() == ".csv" and not hidden(p)), None)
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


def prelim_labels(table: Path) -> dict[str, tuple[str, str]]:
    """File stem -> (subject, class), from the preliminary test set's CSV.

    Raises:
        BenchmarkError: If a line is not as expected, naming it.
    """
    try:
        rows = list(csv.reader(table.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchmarkError(f"{table} cannot be read: {error}", "restore it from the download") from error
    if not rows or [cell.strip() for cell in rows[0]] != HEADER:
        raise BenchmarkError(f"{table}, line 1: the header is not {','.join(HEADER)}", "restore it from the download")
    labels = {}
    for number, row in enumerate(rows[1:], start=2):
        if row:
            try:
                name, entry = _prelim_row(row)
            except ValueError as error:
                raise BenchmarkError(f"{table}, line {number}: {error}", "restore it from the download") from error
            labels[name] = entry
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
    count = sum(map(is_image, walk(folder)))
    if count:
        detail = f"{count} unlabelled images of the final test set are not read"
        yield Finding("unlabelled", folder.relative_to(root), detail, "note")
