"""The readers: layouts, names, groups, and the messages for what is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemobench.datasets import open_images
from hemobench.datasets.images import ImageSet, subset
from hemobench.datasets.readers.bone_marrow import BARCELONA, MLL, recognise
from hemobench.datasets.readers.c_nmc import parse_name, person
from hemobench.datasets.scan import connected
from hemobench.errors import BenchmarkError

Get = Callable[[str], Path]


def picture(path: Path, value: int) -> None:
    """A small image, different for each value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(value).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(array).save(path)


def sound(images: ImageSet) -> None:
    """What holds for every image set."""
    n = len(images)
    assert n == len(set(images.paths)) > 0
    columns = (images.labels, images.subjects, images.groups, images.folds, images.test, images.contents)
    assert all(len(column) == n for column in columns)
    assert [p.as_posix() for p in images.paths] == sorted(p.as_posix() for p in images.paths)
    assert set(images.labels) == set(range(len(images.classes)))
    assert images.labels.dtype == images.groups.dtype == images.folds.dtype == np.int64
    assert all((images.root / p).is_file() for p in images.paths)


def test_original_bmp_files_load_in_the_public_layout(real: Get) -> None:
    images = open_images("c-nmc", real("c-nmc-sample"))
    sound(images)
    assert images.classes == ("hem", "all")
    assert len(images) == 19
    assert "2 preliminary test images" in images.notes[0]  # they came without their table
    assert (images.subjects == "H3").sum() == 2  # spelt h3
    assert {s.startswith("H") for s in images.subjects[images.labels == 0]} == {True}


def test_all_21_originals_load_once_the_table_is_there(real: Get, tmp_path: Path) -> None:
    root = Path(shutil.copytree(real("c-nmc-sample"), tmp_path / "copy", copy_function=shutil.copyfile))
    validation = root / "C-NMC_Leukemia" / "validation_data"
    validation.chmod(0o755)
    table = validation / "C-NMC_test_prelim_phase_data_labels.csv"
    rows = ["Patient_ID,new_names,labels", "UID_57_29_1_all.bmp,1105.bmp,1", "UID_H30_6_2_hem.bmp,1843.bmp,0"]
    table.write_text("\n".join([*rows, "UID_57_1_1_all.bmp,1.bmp,1", ""]))
    images = open_images("c-nmc", root)
    sound(images)
    assert len(images) == 21
    assert sorted(images.subjects[images.test]) == ["57", "H30"]
    assert set(images.folds[images.test]) == {-1}
    assert len(open_images("c-nmc", root, prelim=False)) == 19


def test_real_counts(real: Get) -> None:
    ten = open_images("bone-marrow", real("pbc-10"))
    sound(ten)
    assert len(ten) == 3988
    assert dict(zip(ten.classes, np.bincount(ten.labels), strict=True))["promyelocyte"] == 162


def test_real_subjects_and_groups(real: Get) -> None:
    images = open_images("c-nmc", real("c-nmc"))
    sound(images)
    assert len(images) == 7835
    assert np.bincount(images.labels).tolist() == [1130 + 1163 + 307, 2397 + 2418 + 420]
    assert (images.subjects == "H3").any()
    assert not (images.subjects == "h3").any()
    for ids in (["51", "75", "78"], ["H10", "H3"], ["H2", "H4", "H5", "H6"]):
        assert len(np.unique(images.groups[np.isin(images.subjects, ids)])) == 1


@pytest.mark.parametrize("name", ["c-nmc", "bone-marrow"])
def test_synthetic_sets_load(drawn: Get, name: str) -> None:
    images = open_images(name, drawn(name))
    sound(images)
    assert len(images) == 120
    assert (images.subjects != "").all() == (name == "c-nmc")


def test_checksum_tells_content_and_names(c_nmc: Path, drawn: Get) -> None:
    before = open_images("c-nmc", drawn("c-nmc")).checksum
    assert open_images("c-nmc", c_nmc).checksum == before
    first, second = sorted((c_nmc / "training_data/fold_0/hem").iterdir())[:2]
    shutil.copyfile(first, second)
    assert open_images("c-nmc", c_nmc).checksum != before


@pytest.mark.parametrize("depth", ["", "C-NMC_Leukemia", "C-NMC_Leukemia/C-NMC_Leukemia"])
def test_nesting_of_the_root(c_nmc: Path, tmp_path: Path, depth: str) -> None:
    root = tmp_path / "outer"
    target = root / depth
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(c_nmc, target)
    inner = target / "validation_data" / "C-NMC_test_prelim_phase_data"
    if depth:  # some copies nest these twice
        shutil.move(inner, target / "moved")
        inner.mkdir()
        shutil.move(target / "moved", inner / inner.name)
    assert open_images("c-nmc", root).test.sum() > 0


def test_training_data_itself_and_any_subset_of_folds(c_nmc: Path) -> None:
    shutil.rmtree(c_nmc / "training_data" / "fold_1")
    images = open_images("c-nmc", c_nmc / "training_data")
    assert set(images.folds) == {0, 2}
    assert not images.test.any()


def test_no_csv_is_the_labels_table_for_being_the_first(c_nmc: Path) -> None:
    folder = c_nmc / "validation_data"
    (folder / "A_submission.csv").write_text("name,score\n1.bmp,0.5\n")
    assert open_images("c-nmc", c_nmc).test.any()
    (folder / "C-NMC_test_prelim_phase_data_labels.csv").rename(folder / "labels_of_mine.csv")
    assert open_images("c-nmc", c_nmc).test.any()  # known by its header
    (folder / "labels_of_mine.csv").unlink()
    images = open_images("c-nmc", c_nmc)
    assert not images.test.any()
    assert any("are not read" in note for note in images.notes)


def test_folders_of_c_nmc_as_people_have_them(c_nmc: Path, tmp_path: Path) -> None:
    training = c_nmc / "training_data"
    hem = training / "fold_0" / "hem"
    shutil.copytree(hem, hem / ".ipynb_checkpoints")
    hem.rename(hem.parent / "HEM ")
    (training / "fold_1").rename(training / "Fold 1")
    (tmp_path / "download" / "archive").mkdir(parents=True)
    shutil.move(c_nmc, tmp_path / "download" / "archive" / "leukemia")
    images = open_images("c-nmc", tmp_path / "download")
    sound(images)
    assert len(images) == 120
    assert set(images.folds) == {-1, 0, 1, 2}


def test_final_test_set_is_counted_and_not_read(c_nmc: Path) -> None:
    picture(c_nmc / "testing_data" / "C-NMC_test_final_phase_data" / "1.bmp", 1)
    images = open_images("c-nmc", c_nmc)
    assert len(images) == 120
    assert any("1 unlabelled images of the final test set" in note for note in images.notes)


def test_names() -> None:
    assert parse_name("UID_h3_4_1_hem") == ("H3", "hem")
    assert parse_name("UID_11_10_2_all") == ("11", "all")
    assert person("78") == person("51")
    assert person("H3") == person("H10")
    assert person("3") == "3"
    for wrong in ("UID_3_4_1_hem", "UID_H3_4_1_all", "cell_1", "UID_3_4_all"):
        with pytest.raises(ValueError, match=wrong):
            parse_name(wrong)


def test_merged_subjects_share_a_group(tmp_path: Path) -> None:
    names = {"fold_0/all": "UID_20_1_1_all", "fold_2/all": "UID_21_1_1_all", "fold_1/hem": "UID_H10_1_1_hem"}
    names |= {"fold_2/hem": "UID_h3_1_1_hem", "fold_0/hem": "UID_H7_1_1_hem"}
    for i, (folder, name) in enumerate(names.items()):
        picture(tmp_path / "training_data" / folder / f"{name}.jpeg", i)
    images = open_images("c-nmc", tmp_path)
    group = dict(zip(images.subjects.tolist(), images.groups.tolist(), strict=True))
    assert set(group) == {"20", "21", "H10", "H3", "H7"}
    assert group["20"] == group["21"] != group["H3"] == group["H10"] != group["H7"]


def test_equal_pixels_join_groups_whatever_the_header(c_nmc: Path) -> None:
    one = next((c_nmc / "training_data/fold_0/all").iterdir())
    Image.open(one).save(c_nmc / "training_data/fold_2/all" / "UID_999_1_1_all.bmp")
    images = open_images("c-nmc", c_nmc)
    names = [p.name for p in images.paths]
    assert images.groups[names.index(one.name)] == images.groups[names.index("UID_999_1_1_all.bmp")]


def test_connected_is_transitive() -> None:
    numbers = connected(["a", "a", "b", "", "c", ""], ["1", "2", "2", "3", "4", "4"])
    assert numbers.tolist() == [0, 0, 0, 1, 2, 2]


def spoil(root: Path, how: str) -> None:
    """Plant one fault into a C-NMC folder."""
    hem = root / "training_data" / "fold_0" / "hem"
    table = root / "validation_data" / "C-NMC_test_prelim_phase_data_labels.csv"
    first = sorted(hem.iterdir())[0]
    match how:
        case "truncated":
            first.write_bytes(first.read_bytes()[:300])
        case "not an image":
            first.write_text("hello")
        case "unknown class":
            picture(hem.parent / "blast" / "UID_1_1_1_all.png", 3)
        case "unknown fold":
            picture(root / "training_data" / "fold_7" / "all" / "UID_1_1_1_all.png", 3)
        case "wrong folder":
            first.rename(hem.parent / "all" / first.name)
        case "odd name":
            first.rename(hem / "cell.png")
        case "bad header":
            table.write_text("a,b,c\n")
        case "bad line":
            table.write_text(table.read_text().replace("_all.bmp,1.bmp,1", "_all.bmp,1.bmp,0"))
        case "unlisted":
            picture(root / "validation_data" / "C-NMC_test_prelim_phase_data" / "9999.png", 4)
        case "contradiction":
            line = table.read_text().splitlines()[1]
            table.write_text(f"{table.read_text()}UID_7777_1_1_all.bmp,{line.split(',')[1]},1\n")
        case "second table":
            (table.parent / "old").mkdir()
            lines = table.read_text().splitlines()
            (table.parent / "old" / table.name).write_text("\n".join(lines[:-1]))
        case "beside":
            picture(hem.parent / "overview.png", 5)
        case "no class":
            for part in (root / "training_data").glob("fold_*/hem"):
                shutil.rmtree(part)
            shutil.rmtree(root / "validation_data")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("truncated", r"fold_0/hem/UID_.*cannot be decoded"),
        ("not an image", r"fold_0/hem/UID_.*cannot be decoded"),
        ("unknown class", r"fold_0/blast: not one of the class folders"),
        ("unknown fold", r"fold_7: not one of the folders"),
        ("wrong folder", r"fold_0/all/UID_H.*lies in the class folder 'all' and is named 'hem'"),
        ("odd name", r"cell.png: the name 'cell'"),
        ("bad header", r"labels.csv, line 1"),
        ("bad line", r"labels.csv, line 2: label '0' does not go with"),
        ("unlisted", r"9999.png: not listed"),
        ("contradiction", r"labels.csv, line \d+: contradicts an earlier line on '1'"),
        ("second table", r"several tables give labels, and they differ"),
        ("beside", r"fold_0/overview.png: lies beside the class folders"),
        ("no class", r"no image of class hem"),
    ],
)
def test_one_clear_message(c_nmc: Path, how: str, message: str) -> None:
    spoil(c_nmc, how)
    with pytest.raises(BenchmarkError, match=message) as caught:
        open_images("c-nmc", c_nmc)
    assert caught.value.hint


def test_wrong_roots(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="does not exist"):
        open_images("c-nmc", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BenchmarkError, match="is empty"):
        open_images("bone-marrow", tmp_path / "empty")
    (tmp_path / "file").write_text("x")
    with pytest.raises(BenchmarkError, match="is a file"):
        open_images("bone-marrow", tmp_path / "file")
    with pytest.raises(BenchmarkError, match="not laid out like C-NMC"):
        open_images("c-nmc", tmp_path)
    with pytest.raises(BenchmarkError, match="not a folder of class folders"):
        open_images("bone-marrow", tmp_path)
    with pytest.raises(BenchmarkError, match="did you mean 'c-nmc'"):
        open_images("cnmc", tmp_path)


def test_stray_files_are_ignored(bone_marrow: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "._ERB_1.jpg"):
        (bone_marrow / "erythroblast" / name).write_bytes(b"junk")
    (bone_marrow / "__MACOSX").mkdir()
    assert len(open_images("bone-marrow", bone_marrow)) == 120


def test_mll_is_recognised_and_mapped(tmp_path: Path) -> None:
    root = tmp_path / "BM_cytomorphology_data"
    for i, code in enumerate(MLL):
        picture(root / code / "0001-1000" / f"{code}_00001.png", i)
    picture(root / "ART" / "ART_00001.png", 99)
    images = open_images("bone-marrow", tmp_path)
    sound(images)
    assert len(images.classes) == 10
    assert len(images) == len(MLL)
    assert "blast" in images.classes
    assert "basophil" not in images.classes
    assert any("ART 1" in note for note in images.notes)
    assert len(open_images("bone-marrow", root, mapping="folders").classes) == len(MLL) + 1


def test_barcelona_is_recognised_and_mapped_by_prefix(tmp_path: Path) -> None:
    root = tmp_path / "PBC_dataset_normal_DIB"
    folder = {"PMY": "ig", "MY": "ig", "MMY": "ig", "IG": "ig", "BNE": "neutrophil", "SNE": "neutrophil"}
    folder |= {"NEUTROPHIL": "neutrophil", "EO": "eosinophil", "BA": "basophil", "LY": "lymphocyte"}
    folder |= {"MO": "monocyte", "ERB": "erythroblast", "PLATELET": "platelet"}
    for i, (prefix, name) in enumerate(folder.items()):
        picture(root / name / f"{prefix}_{i}.png", i)
    images = open_images("bone-marrow", tmp_path)
    sound(images)
    assert images.classes == tuple(sorted(BARCELONA.values()))
    assert len(images) == 10
    picture(root / "ig" / "XYZ_1.png", 50)
    with pytest.raises(BenchmarkError, match="the prefix 'XYZ'"):
        open_images("bone-marrow", tmp_path)


def test_own_folders_stay_as_they_are(drawn: Get) -> None:
    assert recognise(drawn("bone-marrow")) == "folders"
    with pytest.raises(BenchmarkError, match="no mapping 'munich'"):
        open_images("bone-marrow", drawn("bone-marrow"), mapping="munich")


def test_an_empty_class_folder_is_an_error(bone_marrow: Path) -> None:
    (bone_marrow / "plasma_cell").mkdir()
    with pytest.raises(BenchmarkError, match="no image of class plasma_cell"):
        open_images("bone-marrow", bone_marrow)


@pytest.mark.parametrize("n", [10, 37, 80])
def test_subset_keeps_proportions_and_fields(drawn: Get, n: int) -> None:
    whole = open_images("bone-marrow", drawn("bone-marrow"))
    part = subset(whole, n, seed=3)
    sound(part)
    assert len(part) == n
    assert part.classes == whole.classes
    assert part.checksum != whole.checksum
    exact = np.bincount(whole.labels) * n / len(whole)
    assert (np.abs(np.bincount(part.labels) - np.maximum(exact, 1)) < 3).all()
    where = [whole.paths.index(p) for p in part.paths]
    assert (whole.contents[where] == part.contents).all()
    again, other = subset(whole, n, seed=3), subset(whole, n, seed=4)
    assert again.paths == part.paths
    assert again.checksum == part.checksum
    assert other.paths != part.paths


def test_subset_spreads_over_folds_and_subjects(drawn: Get) -> None:
    whole = open_images("c-nmc", drawn("c-nmc"))
    part = subset(whole, 60, seed=0)
    assert set(part.folds) == set(whole.folds)
    assert len(set(part.subjects)) > 0.6 * len(set(whole.subjects))
    assert subset(whole, 1000, seed=0) is whole
    with pytest.raises(BenchmarkError, match="cannot show 2 classes"):
        subset(whole, 1, seed=0)
