"""Subject tables: what they say is honoured, and what does not fit is named with its line."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hemobench.datasets import open_images
from hemobench.datasets.images import ImageSet, subset
from hemobench.datasets.readers.subject_table import read_table
from hemobench.datasets.splits import cells_splits, given_split, has_given_split, leak
from hemobench.datasets.verify import verify
from hemobench.errors import BenchmarkError

LABELS = ("blast", "lymphocyte")
SUBJECTS = ("P1", "P2", "P3")
FILES = [f"{label}/{subject}_{i}.png" for label in LABELS for subject in SUBJECTS for i in range(2)]
HEADER = "file,label,subject,split"
PART_OF = dict(zip(SUBJECTS, ("train", "val", "test"), strict=True))


def picture(file: Path, number: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file)


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Two classes of three subjects of two images each, without a table."""
    for number, file in enumerate(FILES):
        picture(tmp_path / "cells" / file, number)
    return tmp_path / "cells"


def subject_of(file: str) -> str:
    return Path(file).name.partition("_")[0]


def row(file: str) -> str:
    return f"{file},{Path(file).parent.name},{subject_of(file)},{PART_OF[subject_of(file)]}"


ROWS = [row(file) for file in FILES]


def write(root: Path, header: str = HEADER, rows: list[str] | None = None, name: str = "subjects.csv") -> Path:
    table = root / name
    table.write_text("\n".join([header, *(ROWS if rows is None else rows), ""]), encoding="utf-8")
    return table


def as_said(images: ImageSet) -> None:
    """What the whole table says."""
    assert len(images) == len(FILES)
    assert images.classes == LABELS
    assert images.subjects.tolist() == [subject_of(path.name) for path in images.paths]
    wanted = {"train": "train", "val": "validation", "test": "test"}
    assert images.parts.tolist() == [wanted[PART_OF[subject]] for subject in images.subjects]
    for subject in SUBJECTS:
        assert len(np.unique(images.groups[images.subjects == subject])) == 1
    assert len(np.unique(images.groups)) == len(SUBJECTS)


def test_what_it_says_is_honoured(cells: Path) -> None:
    write(cells)
    as_said(open_images("cells", cells))
    report = verify("cells", cells)
    assert report.ok
    assert report.layout == "class folders and subjects.csv, split as given"
    assert not [finding for finding in report.findings if finding.kind == "stray"]


SPELLINGS = {
    "byte-order mark": ("\ufeff" + HEADER, "\n", "utf-8"),
    "carriage returns": (HEADER, "\r\n", "utf-8"),
    "old Macintosh": (HEADER, "\r", "utf-8"),
    "semicolons": (HEADER.replace(",", ";"), "\r\n", "utf-8"),
    "tabs in UTF-16": (HEADER.replace(",", "\t"), "\r\n", "utf-16"),
    "capitals and spaces": (" File , LABEL, Subject ,Split", "\n", "utf-8"),
    "the spreadsheet's first line": ("sep=;\n" + HEADER.replace(",", ";"), "\n", "utf-8"),
}


@pytest.mark.parametrize("how", SPELLINGS)
def test_however_it_was_saved(cells: Path, how: str) -> None:
    header, end, encoding = SPELLINGS[how]
    delimiter = next(mark for mark in ";\t," if mark in header)
    lines = [header, *(line.replace(",", delimiter) for line in ROWS), delimiter * 3, ""]
    (cells / "subjects.csv").write_bytes(end.join(lines).encode(encoding))
    as_said(open_images("cells", cells))


@pytest.mark.parametrize("columns", [c for n in (1, 2, 3) for c in itertools.combinations((1, 2, 3), n)])
def test_columns_may_be_left_out_and_come_in_any_order(cells: Path, columns: tuple[int, ...]) -> None:
    chosen = [*reversed(columns), 0]
    header, *rows = (",".join(line.split(",")[i] for i in chosen) for line in [HEADER, *ROWS])
    write(cells, header, rows)
    images = open_images("cells", cells)
    assert images.classes == LABELS
    assert (images.subjects != "").all() == (2 in columns)
    assert (images.parts != "").all() == (3 in columns) == has_given_split(images)


@pytest.mark.parametrize("style", ["{path}", "./{path}", "{name}", "{windows}", "{absolute}"])
def test_files_are_found_as_people_write_them(cells: Path, style: str) -> None:
    rows = []
    for line in ROWS:
        file, rest = line.split(",", 1)
        name, windows = Path(file).name, file.replace("/", "\\")
        if style == "{name}":  # which then has to be unlike all others
            name = f"{Path(file).parent.name}_{name}"
            (cells / file).rename((cells / file).parent / name)
        written = style.format(path=file, name=name, windows=windows, absolute=cells / file)
        rows.append(f"{written},{rest}")
    write(cells, rows=rows)
    images = open_images("cells", cells)
    assert len(set(images.subjects.tolist())) == 3
    assert set(images.parts.tolist()) == {"train", "validation", "test"}


def test_images_without_class_folders(tmp_path: Path) -> None:
    rows = [f"{i}.png,{label},S{i}" for i, label in enumerate("abcabcabc")]
    for i in range(9):
        picture(tmp_path / "images" / f"{i}.png", i)
    write(tmp_path, "file,label,subject", rows)
    images = open_images("cells", tmp_path)
    assert images.classes == ("a", "b", "c")
    assert np.bincount(images.labels).tolist() == [3, 3, 3]


def test_a_folder_that_is_split_may_have_a_table_of_subjects(cells: Path) -> None:
    for label in LABELS:
        for file in sorted((cells / label).iterdir()):
            part = cells / PART_OF[subject_of(file.name)] / label
            part.mkdir(parents=True, exist_ok=True)
            file.rename(part / file.name)
        (cells / label).rmdir()
    rows = [f"{file.relative_to(cells)},{subject_of(file.name)}" for file in cells.rglob("*.png")]
    write(cells, "file,subject", rows)
    as_said(open_images("cells", cells))


def test_bone_marrow_takes_subjects_too(cells: Path) -> None:
    write(cells, "file,subject", [f"{file},{subject_of(file)}" for file in FILES])
    images = open_images("bone-marrow", cells)
    assert len(np.unique(images.groups)) == 3


def test_a_table_given_by_name(cells: Path, tmp_path: Path) -> None:
    elsewhere = write(tmp_path, name="mine.csv", rows=[f"cells/{line}" for line in ROWS])
    as_said(open_images("cells", cells, table=elsewhere))
    with pytest.raises(BenchmarkError, match=r"nowhere.csv does not exist"):
        open_images("cells", cells, table=Path("nowhere.csv"))


def test_no_table_is_taken_for_being_the_first(cells: Path) -> None:
    write(cells, name="features.csv", header="a,b,c,d")
    images = open_images("cells", cells)
    assert (images.subjects == "").all()
    assert any("features.csv is not read" in note for note in images.notes)
    write(cells)
    as_said(open_images("cells", cells))


def test_the_checksum_follows_the_table(cells: Path) -> None:
    bare = open_images("cells", cells).checksum
    write(cells)
    full = open_images("cells", cells).checksum
    write(cells, rows=[line.replace(",P3,", ",P4,") for line in ROWS])
    assert len({bare, full, open_images("cells", cells).checksum}) == 3


def contradicting(line: str, column: int, value: str) -> str:
    cells = line.split(",")
    cells[column] = value
    return ",".join(cells)


REFUSED = {
    "no header": (ROWS[0], ROWS[1:], r"line 1: there is no column 'blast/P1_0.png'"),
    "unknown column": ("file,label,Patient_ID,split", ROWS, r"line 1: there is no column 'Patient_ID'.*\n.*rename"),
    "column twice": ("file,label,label,split", ROWS, "line 1: a column is there twice"),
    "no file": ("label,subject", ["blast,P1"], "line 1: the header is 'label,subject'"),
    "file alone": ("file", FILES, "line 1: the header is 'file'"),
    "nothing": (HEADER, [], "lists no image"),
    "short line": (HEADER, [*ROWS, "x.png,blast"], "line 14: 2 cells instead of 4"),
    "empty subject": (HEADER, [contradicting(ROWS[0], 2, " "), *ROWS[1:]], "line 2: the column 'subject' is empty"),
    "odd part": (HEADER, [contradicting(ROWS[0], 3, "fold 1"), *ROWS[1:]], "line 2: 'fold 1' is no part"),
    "unknown file": (HEADER, [*ROWS, row("blast/P1_9.png")], "line 14: there is no image blast/P1_9.png"),
    "file not listed": (HEADER, ROWS[:-1], "P3_1.png: not listed in subjects.csv"),
    "name of two": (HEADER, ["P1_0.png,blast,P1,train", *ROWS], "line 2: 2 images are called P1_0.png"),
    "two labels": (
        HEADER,
        [*ROWS, contradicting(ROWS[0], 1, "lymphocyte")],
        "lines 2 and 14 contradict each other on blast/P1_0.png: label blast, label lymphocyte",
    ),
    "two subjects": (HEADER, [*ROWS, contradicting(ROWS[0], 2, "P2")], "contradict .* subject P1, subject P2"),
    "label against folder": (
        HEADER,
        [contradicting(ROWS[0], 1, "lymphocyte"), *ROWS[1:]],
        "P1_0.png: lies in a folder of another class than the table says in line 2",
    ),
    "class spelt twice": (HEADER, [contradicting(ROWS[0], 1, "Blast"), *ROWS[1:]], "'Blast' and 'blast' differ"),
    "subject spelt twice": (HEADER, [contradicting(ROWS[0], 2, "p1"), *ROWS[1:]], "subjects 'p1' and 'P1' differ"),
    "subject in two parts": (
        HEADER,
        [contradicting(ROWS[0], 3, "test"), *ROWS[1:]],
        "the subject P1 is in the parts test and train",
    ),
    "class not trained": (
        "file,split",
        [f"{file},{'train' if 'blast' in file else 'test'}" for file in FILES],
        "no image of class lymphocyte in the part train",
    ),
    "nothing to train on": ("file,split", [f"{file},test" for file in FILES], "nothing to train on"),
}  # fmt: skip


@pytest.mark.parametrize("how", REFUSED)
def test_what_is_refused(cells: Path, how: str) -> None:
    header, rows, says = REFUSED[how]
    write(cells, header, list(rows))
    with pytest.raises(BenchmarkError, match=says) as caught:
        open_images("cells", cells)
    assert "\n  -> " in str(caught.value)
    assert not promised(cells)


def promised(root: Path) -> bool:
    """Whether `verify` says that the folder will be read; what it refuses itself will not be."""
    try:
        return verify("cells", root).ok
    except BenchmarkError:
        return False


def test_rows_that_agree_may_be_there_twice(cells: Path) -> None:
    write(cells, rows=[*ROWS, *ROWS[:3]])
    as_said(open_images("cells", cells))


def test_two_tables_or_another_format(cells: Path) -> None:
    write(cells, name="Subjects.xlsx")
    with pytest.raises(BenchmarkError, match="is not read as the subject table"):
        open_images("cells", cells)
    write(cells)
    with pytest.raises(BenchmarkError, match="two subject tables"):
        open_images("cells", cells)


def test_a_split_that_contradicts_the_folders(cells: Path) -> None:
    picture(cells / "test" / "blast" / "P1_7.png", 77)
    for label in LABELS:
        (cells / "train").mkdir(exist_ok=True)
        (cells / label).rename(cells / "train" / label)
    rows = [f"{file.relative_to(cells).as_posix()},train" for file in cells.rglob("*.png")]
    write(cells, "file,split", rows)
    with pytest.raises(BenchmarkError, match="lies in the part test, and is of the part train"):
        open_images("cells", cells)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(max_size=200).map(lambda text: f"file,label\n{text}".encode()),
    )
)
def test_bytes_of_any_kind_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "subjects.csv").write_bytes(content)
    try:
        table = read_table(tmp_path / "subjects.csv")
    except BenchmarkError:
        return
    assert all(row.file for row in table.rows)


# The split that is given.


def shares(images: ImageSet, seed: int = 0) -> tuple[set[str], set[str], set[str]]:
    split = given_split(images, seed)
    train, validation, test = (
        set(images.subjects[side].tolist()) for side in (split.train, split.validation, split.test)
    )
    return train, validation, test


def test_the_given_split_is_the_split(cells: Path) -> None:
    write(cells)
    images = open_images("cells", cells)
    assert shares(images) == ({"P1"}, {"P2"}, {"P3"})
    (split,) = cells_splits(images)
    assert len(split.train) == len(split.validation) == len(split.test) == 4
    assert leak(images, split).images == 0
    part = subset(images, 6, seed=0)
    assert set(part.parts.tolist()) == {"train", "validation", "test"}


@pytest.mark.parametrize("seed", range(4))
def test_a_validation_part_is_made_of_whole_subjects(tmp_path: Path, seed: int) -> None:
    rows = []
    for i in range(60):
        label, subject = LABELS[i % 2], f"S{i // 4}"
        picture(tmp_path / label / f"{i}.png", i)
        rows.append(f"{label}/{i}.png,{subject},{'test' if i >= 48 else 'train'}")
    write(tmp_path, "file,subject,split", rows)
    images = open_images("cells", tmp_path)
    (split,) = cells_splits(images, seed=seed)
    found = leak(images, split)
    assert (found.subjects, found.groups, found.images) == ((), 0, 0)
    assert len(split.test) == 12
    assert 6 <= len(split.validation) <= 12
    assert len(split.train) + len(split.validation) == 48
    assert set(images.labels[split.train].tolist()) == {0, 1}


def test_duplicates_of_what_is_held_out_are_not_trained_on(tmp_path: Path) -> None:
    for i in range(24):
        part = ("train", "val", "test")[i % 3]
        picture(tmp_path / part / LABELS[i // 12] / f"{i}.png", i)
    picture(tmp_path / "train" / "blast" / "of_val.png", 1)
    picture(tmp_path / "val" / "blast" / "of_test.png", 2)
    images = open_images("cells", tmp_path)
    split = given_split(images)
    assert [len(side) for side in (split.train, split.validation, split.test)] == [8, 8, 8]
    assert leak(images, split).duplicates == 0
    across = [f for f in verify("cells", tmp_path).findings if f.kind == "duplicate"]
    assert all("in another part" in f.detail and f.severity == "warning" for f in across)


def test_without_a_split_every_fold_is_a_test_set_once(cells: Path) -> None:
    write(cells, "file,subject", [f"{file},{subject_of(file)}" for file in FILES])
    images = open_images("cells", cells)
    splits = cells_splits(images, folds=3)
    assert len(splits) == 3
    assert all(leak(images, split).images == 0 for split in splits)
    with pytest.raises(BenchmarkError, match="3 groups of images cannot make 6 folds"):
        cells_splits(images)
