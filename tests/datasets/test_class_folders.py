"""Folders as people have them: each has the right reading, or one message; and `verify` says what the reader does."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from hemobench.cli import app
from hemobench.datasets import open_images
from hemobench.datasets.images import ImageSet
from hemobench.datasets.names import normal, part_name
from hemobench.datasets.readers.bone_marrow import MLL, recognise
from hemobench.datasets.verify import verify
from hemobench.errors import BenchmarkError

NUMBERS = iter(range(1_000_000))


def pictures(folder: Path, count: int = 2, name: str = "cell_{}.png") -> list[Path]:
    """Small images, no two alike."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for _ in range(count):
        number = next(NUMBERS)
        pixels = np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        files.append(folder / name.format(number))
        Image.fromarray(pixels).save(files[-1])
    return files


def counts(images: ImageSet) -> dict[str, int]:
    """Class -> images."""
    return {name: int((images.labels == label).sum()) for label, name in enumerate(images.classes)}


def by_part(images: ImageSet) -> Mapping[str, int]:
    return Counter(images.parts.tolist())


def plain(root: Path) -> None:
    pictures(root / "blast", 3)
    pictures(root / "lymphocyte")


def split(root: Path, names: tuple[str, ...] = ("train", "val", "test")) -> None:
    for part in names:
        plain(root / part)


# What is read, and as what: the folder, then images by class.


def nested(root: Path) -> None:
    plain(root / "archive" / "cells")
    (root / "archive" / "README.txt").write_text("see there")


def spaces_and_case(root: Path) -> None:
    pictures(root / "Blast ", 3)
    pictures(root / "lymphocyte")


def leftovers(root: Path) -> None:
    plain(root)
    for inner in (".ipynb_checkpoints", "thumbnails", ".git", "__MACOSX", "@eaDir"):
        pictures(root / "blast" / inner)
        pictures(root / inner)
    for name in (".DS_Store", "Thumbs.db", "._cell_1.png", "desktop.ini"):
        (root / "blast" / name).write_bytes(b"junk")


def subfolders(root: Path) -> None:
    pictures(root / "blast" / "patient_1", 2)
    pictures(root / "blast" / "patient_2", 1)
    pictures(root / "lymphocyte" / "patient_1", 2)


def links(root: Path) -> None:
    away = root.parent / "away"
    plain(away)
    root.mkdir()
    (root / "blast").symlink_to(away / "blast", target_is_directory=True)
    (root / "lymphocyte").mkdir()
    (root / "lymphocyte" / "more").symlink_to(away / "lymphocyte", target_is_directory=True)
    (root / "lymphocyte" / "loop").symlink_to(root, target_is_directory=True)


def upper_case_suffixes(root: Path) -> None:
    pictures(root / "blast", 3, "CELL{}.PNG")
    pictures(root / "lymphocyte", 2, "cell #{}.TIFF")


@pytest.mark.parametrize(
    "make",
    [plain, nested, leftovers, subfolders, upper_case_suffixes],
    ids=lambda make: make.__name__,
)
@pytest.mark.parametrize("name", ["cells", "bone-marrow"])
def test_what_is_read(tmp_path: Path, make: Callable[[Path], None], name: str) -> None:
    make(tmp_path / "cells")
    assert counts(open_images(name, tmp_path / "cells")) == {"blast": 3, "lymphocyte": 2}


def test_links_are_followed_once_and_not_upwards(tmp_path: Path) -> None:
    links(tmp_path / "cells")
    assert counts(open_images("cells", tmp_path / "cells")) == {"blast": 3, "lymphocyte": 2}


def test_a_class_is_named_without_spaces_at_the_ends(tmp_path: Path) -> None:
    spaces_and_case(tmp_path)
    images = open_images("cells", tmp_path)
    assert counts(images) == {"Blast": 3, "lymphocyte": 2}
    assert any("'Blast ' is read as class Blast" in note for note in images.notes)


@pytest.mark.parametrize("number", [2, 3, 23])
def test_any_number_of_classes(tmp_path: Path, number: int) -> None:
    wanted = {f"class {i:02}": 1 + i % 3 for i in range(number)}
    for label, count in wanted.items():
        pictures(tmp_path / label, count)
    images = open_images("cells", tmp_path)
    assert images.name == "cells"
    assert counts(images) == wanted
    assert by_part(images) == {"": len(images)}
    assert any("has 1 images: in 6 folds, some are without it" in note for note in images.notes)


# Folders that are split in advance.


@pytest.mark.parametrize(
    "names",
    [
        ("train", "val", "test"),
        ("Training", "Validation", "Testing"),
        ("TRAIN", "valid ", "TEST"),
        ("train_data", "dev", "test-set"),
        ("data_train", "data_val", "holdout"),
    ],
)
def test_a_split_is_honoured(tmp_path: Path, names: tuple[str, ...]) -> None:
    split(tmp_path, names)
    images = open_images("cells", tmp_path)
    assert counts(images) == {"blast": 9, "lymphocyte": 6}
    assert by_part(images) == {"train": 5, "validation": 5, "test": 5}
    assert verify("cells", tmp_path).counts["validation"] == {"blast": 3, "lymphocyte": 2}


def test_a_split_below_the_classes_is_honoured(tmp_path: Path) -> None:
    for label in ("blast", "lymphocyte"):
        for part in ("train", "test"):
            pictures(tmp_path / label / part)
    images = open_images("cells", tmp_path)
    assert counts(images) == {"blast": 4, "lymphocyte": 4}
    assert by_part(images) == {"train": 4, "test": 4}


def test_one_class_spelt_differently_in_two_parts(tmp_path: Path) -> None:
    split(tmp_path, ("train", "test"))
    (tmp_path / "train" / "blast").rename(tmp_path / "train" / "Blast")
    assert counts(open_images("cells", tmp_path)) == {"blast": 6, "lymphocyte": 4}


def test_an_unlabelled_test_part_is_left_out_and_said(tmp_path: Path) -> None:
    split(tmp_path, ("train",))
    pictures(tmp_path / "test", 4)
    images = open_images("cells", tmp_path)
    assert by_part(images) == {"": 5}  # a split into one part is none
    assert any("4 unlabelled images of the part 'test'" in note for note in images.notes)


def test_one_part_alone_can_be_pointed_at(tmp_path: Path) -> None:
    split(tmp_path)
    images = open_images("bone-marrow", tmp_path / "train")
    assert counts(images) == {"blast": 3, "lymphocyte": 2}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train", "train"),
        (" Validation", "validation"),
        ("trainset", "train"),
        ("test images", "test"),
        ("TEST_SIMPLE", ""),
        ("testis", ""),
        ("value", ""),
        ("development", ""),
        ("set", ""),
    ],
)
def test_names_of_parts(name: str, part: str) -> None:
    assert part_name(name) == part


def test_names_are_compared_without_what_people_vary() -> None:
    assert normal("Band-Neutrophil ") == normal("band neutrophil") == "band_neutrophil"
    assert normal("Zelle\u0308") == normal("Zell\u00eb")


def test_one_image_in_two_classes_is_said(tmp_path: Path) -> None:
    plain(tmp_path)
    twin = next((tmp_path / "blast").iterdir())
    shutil.copyfile(twin, tmp_path / "lymphocyte" / "twin.png")
    assert "2 images have the same pixels as one of another class" in open_images("cells", tmp_path).notes
    assert any(finding.kind == "two labels" for finding in verify("cells", tmp_path).findings)


# What is refused, and how.


def one_class(root: Path) -> None:
    pictures(root / "blast")


def images_without_classes(root: Path) -> None:
    pictures(root)


def beside(root: Path) -> None:
    plain(root)
    pictures(root, 1, "overview.png")


def beside_in_a_part(root: Path) -> None:
    split(root)
    pictures(root / "val", 1, "overview.png")


def empty_class(root: Path) -> None:
    plain(root)
    (root / "plasma").mkdir()


def other_format(root: Path) -> None:
    plain(root)
    pictures(root / "plasma", 2, "cell_{}.webp")


def two_spellings(root: Path) -> None:
    plain(root)
    pictures(root / "Blast")


def one_folder_twice(root: Path) -> None:
    plain(root)
    (root / "monocyte").symlink_to(root / "blast", target_is_directory=True)


def part_and_classes(root: Path) -> None:
    plain(root)
    plain(root / "train")


def part_of_another_name(root: Path) -> None:
    split(root, ("TRAIN", "TEST", "TEST_SIMPLE"))


def part_twice(root: Path) -> None:
    split(root, ("train", "val", "validation"))


def nothing_to_train_on(root: Path) -> None:
    split(root, ("val", "test"))


def class_that_is_not_trained(root: Path) -> None:
    split(root)
    pictures(root / "test" / "unknown")


def partly_split(root: Path) -> None:
    plain(root)
    pictures(root / "blast" / "train")


def folds(root: Path) -> None:
    split(root, ("fold_0", "fold_1", "fold_2"))


def sites(root: Path) -> None:
    split(root, ("Aachen", "Munich"))


def sites_with_data(root: Path) -> None:
    plain(root / "Aachen" / "data")
    plain(root / "Munich" / "data")


def sites_that_are_split(root: Path) -> None:
    split(root / "Aachen")
    split(root / "Munich")


def converted_copies(root: Path) -> None:
    plain(root)
    original = next((root / "blast").iterdir())
    Image.open(original).save(original.with_suffix(".jpg"))


def masks_beside(root: Path) -> None:
    plain(root)
    pictures(root / "blast", 1, "eosinophil.png")
    pictures(root / "blast", 1, "eosinophil_mask.png")


def masks(root: Path) -> None:
    split(root, ("images", "masks"))
    (root / "docs").mkdir()


def archive_in_it(root: Path) -> None:
    root.mkdir()
    (root / "cells.zip").write_bytes(b"PK")


def dead_link(root: Path) -> None:
    plain(root)
    (root / "blast" / "gone.png").symlink_to(root / "nowhere.png")


def name_of_bytes(root: Path) -> None:
    plain(root)
    file = pictures(root / "blast", 1)[0]
    os.rename(os.fsencode(file), os.fsencode(root / "blast") + b"/Z\xe4hlung.png")


REFUSED = [
    (one_class, "images of one class only"),
    (images_without_classes, "not a folder of class folders"),
    (beside, "1 images lie beside the class folders, overview.png"),
    (beside_in_a_part, "val: 1 images lie beside the class folders"),
    (empty_class, "no image of class plasma"),
    (other_format, "no image of class plasma"),
    (two_spellings, "the same class as 'Blast', spelt differently"),
    (one_folder_twice, "a link to what blast is, too"),
    (part_and_classes, r"parts of a split \(train\) beside other folders \(blast, lymphocyte\)"),
    (
        part_of_another_name,
        r"parts of a split \(TEST, TRAIN\) beside other folders \(TEST_SIMPLE\)",
    ),
    (part_twice, "two folders for one part of a split"),
    (nothing_to_train_on, "nothing to train on"),
    (class_that_is_not_trained, "no image of class unknown in the part train"),
    (partly_split, r"no part of the split that others lie in \(5 of 7"),
    (folds, r"fold_0 and fold_1 hold the same folders \(blast, lymphocyte\)"),
    (sites, "the classes seem to lie one level below"),
    (masks, "images and masks hold the same folders"),
    (sites_with_data, "Aachen and Munich hold the same folders"),
    (sites_that_are_split, "Aachen and Munich hold the same folders"),
    (converted_copies, "has the name of cell_.* beside it: a copy or a mask"),
    (masks_beside, "eosinophil_mask.png: has the name of eosinophil.png beside it"),
    (archive_in_it, "not a folder of class folders.*\n.*unpack the archive"),
    (dead_link, r"gone.png.*cannot be decoded|gone.png: No such file"),
    (name_of_bytes, "name is not valid UTF-8"),
]


@pytest.mark.parametrize(("make", "says"), REFUSED, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("name", ["cells", "bone-marrow"])
def test_what_is_refused(tmp_path: Path, make: Callable[[Path], None], says: str, name: str) -> None:
    root = tmp_path / "cells"
    make(root)
    split_refused = "is split in advance" if name == "bone-marrow" else says
    with pytest.raises(BenchmarkError, match=f"(?s){says}|{split_refused}") as caught:
        open_images(name, root)
    assert "\n  -> " in str(caught.value)


MAKERS = [plain, nested, spaces_and_case, leftovers, links, split, *(make for make, _ in REFUSED)]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("name", ["cells", "bone-marrow", "c-nmc"])
def test_verify_promises_what_the_reader_does(tmp_path: Path, make: Callable[[Path], None], name: str) -> None:
    make(tmp_path / "cells")
    try:
        promised = verify(name, tmp_path / "cells").ok
    except BenchmarkError:
        promised = False
    try:
        open_images(name, tmp_path / "cells")
    except BenchmarkError:
        assert not promised
    else:
        assert promised


@pytest.mark.parametrize(("make", "code"), [(plain, 0), (one_class, 1), (folds, 2)])
def test_exit_codes_of_verify(tmp_path: Path, make: Callable[[Path], None], code: int) -> None:
    make(tmp_path / "cells")
    done = CliRunner().invoke(app, ["data", "verify", "cells", str(tmp_path / "cells")])
    shown = getattr(done.exception, "exit_code", done.exit_code)
    assert shown == code
    assert code or "cells reads this folder" in done.stdout
    assert code != 1 or "cells refuses this folder" in done.stdout


def test_other_formats_and_hidden_files_are_named(tmp_path: Path) -> None:
    leftovers(tmp_path)
    pictures(tmp_path / "blast", 2, "cell_{}.webp")
    report = verify("cells", tmp_path)
    assert report.ok
    strays = {finding.path.as_posix(): finding.detail for finding in report.findings if finding.kind == "stray"}
    assert strays["blast/.ipynb_checkpoints"] == "2 files in a hidden folder; ignored"
    assert "blast/Thumbs.db" in strays
    assert any("2 files of a type that is not read: .webp" in note for note in open_images("cells", tmp_path).notes)


def test_options_that_a_data_set_lacks(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="cells has no option 'mapping'"):
        verify("cells", tmp_path, mapping="folders")
    with pytest.raises(BenchmarkError, match="c-nmc has no option 'table'"):
        open_images("c-nmc", tmp_path, table=tmp_path)


# Public sets, whole or in part, by people's hands.


def mll(root: Path, codes: list[str]) -> None:
    for code in codes:
        pictures(root / code / "0001-1000", 1, f"{code.strip().upper()}_{{}}.png")


def test_a_foreign_folder_does_not_lose_the_mapping(tmp_path: Path) -> None:
    mll(tmp_path, [*MLL, "ART"])
    (tmp_path / "docs").mkdir()
    assert len(open_images("bone-marrow", tmp_path).classes) == 10
    pictures(tmp_path / "mine")
    with pytest.raises(BenchmarkError, match=r"mine: not a class folder of the MLL set.*\n.*mapping=folders"):
        open_images("bone-marrow", tmp_path)
    shutil.rmtree(tmp_path / "docs")
    assert len(open_images("bone-marrow", tmp_path, mapping="folders").classes) == len(MLL) + 2


def test_codes_may_be_spelt_in_lower_case(tmp_path: Path) -> None:
    mll(tmp_path, [code.lower() if code < "M" else f"{code} " for code in MLL])
    assert len(open_images("bone-marrow", tmp_path).classes) == 10


def test_a_part_of_the_mll_set_can_be_read_as_it_is(tmp_path: Path) -> None:
    mll(tmp_path, ["BLA", "LYT", "EOS"])
    with pytest.raises(BenchmarkError, match=r"no image of class .*\n.*mapping=folders"):
        open_images("bone-marrow", tmp_path)
    assert open_images("bone-marrow", tmp_path, mapping="folders").classes == ("BLA", "EOS", "LYT")
    assert verify("bone-marrow", tmp_path, mapping="folders").ok
    assert open_images("cells", tmp_path).classes == ("BLA", "EOS", "LYT")


def test_everybodys_names_are_not_the_barcelona_set(tmp_path: Path) -> None:
    for label in ("basophil", "eosinophil", "lymphocyte", "monocyte", "neutrophil"):
        pictures(tmp_path / label, 1, "_0_{}.png")
    assert recognise(tmp_path) == "folders"
    assert len(open_images("bone-marrow", tmp_path).classes) == 5


def test_a_misspelt_folder_of_the_barcelona_set_is_named(tmp_path: Path) -> None:
    prefixes = {
        "ig": "PMY",
        "Neutrophils": "SNE",
        "eosinophil": "EO",
        "Basophil": "BA",
        "platelet": "PLATELET",
    }
    for folder, prefix in prefixes.items():
        pictures(tmp_path / folder, 1, f"{prefix}_{{}}.png")
    with pytest.raises(BenchmarkError, match="Neutrophils: not a class folder of the Barcelona set"):
        open_images("bone-marrow", tmp_path)


@pytest.mark.parametrize("name", ["bone-marrow", "cells"])
@pytest.mark.parametrize("part", ["", "training_data", "training_data/fold_0"])
def test_c_nmc_is_not_read_as_anything_else(c_nmc: Path, name: str, part: str) -> None:
    with pytest.raises(BenchmarkError, match=r"holds images of C-NMC.*\n.*as c-nmc"):
        open_images(name, c_nmc / part)
