"""Every planted fault is named."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from hemobench.datasets import open_images
from hemobench.datasets.facts import C_NMC_COUNTS, load_manifest
from hemobench.datasets.verify import Report, contact_sheet, verify
from hemobench.errors import BenchmarkError

Get = Callable[[str], Path]


def named(report: Report, kind: str) -> list[str]:
    return [f.path.as_posix() for f in report.findings if f.kind == kind]


def first(folder: Path) -> Path:
    return min(p for p in folder.iterdir() if p.is_file())


def test_a_sound_folder(drawn: Get) -> None:
    report = verify("c-nmc", drawn("c-nmc"))
    assert report.ok
    assert report.images == 120
    assert [f.kind for f in report.findings] == ["synthetic"]
    assert sum(sum(classes.values()) for classes in report.counts.values()) == 120
    assert report.sizes == {(48, 48): 120}


def test_every_planted_fault_is_found_at_once(c_nmc: Path) -> None:
    folds = c_nmc / "training_data"
    cut = first(folds / "fold_0" / "all")
    cut.write_bytes(cut.read_bytes()[:200])
    hem = first(folds / "fold_1" / "hem")
    moved = hem.rename(folds / "fold_1" / "all" / hem.name)
    twin = folds / "fold_2" / "hem" / "UID_H999_1_1_hem.png"
    shutil.copyfile(first(folds / "fold_0" / "hem"), twin)
    two = folds / "fold_2" / "all" / "UID_999_1_1_all.png"
    shutil.copyfile(first(folds / "fold_1" / "hem"), two)
    (folds / "fold_0" / ".DS_Store").write_bytes(b"\0")
    (folds / "fold_0" / "all" / "._UID_1_1_1_all.png").write_bytes(b"\0")
    (folds / "fold_0" / "other").mkdir()
    report = verify("c-nmc", c_nmc)
    assert not report.ok
    assert named(report, "broken") == [cut.relative_to(c_nmc).as_posix()]
    assert named(report, "mislabelled") == [moved.relative_to(c_nmc).as_posix()]
    assert named(report, "duplicate") == [twin.relative_to(c_nmc).as_posix()]
    assert named(report, "unknown") == ["training_data/fold_0/other"]
    assert len(named(report, "two labels")) == 1
    assert named(report, "stray") == [
        "training_data/fold_0/.DS_Store",
        "training_data/fold_0/all/._UID_1_1_1_all.png",
    ]
    across = next(f for f in report.findings if f.kind == "duplicate")
    assert "another fold" in across.detail
    assert across.severity == "warning"


def test_missing_fold_class_and_prelim(c_nmc: Path) -> None:
    (c_nmc / "SYNTHETIC.txt").unlink()  # or counts would not be compared
    shutil.rmtree(c_nmc / "training_data" / "fold_1")
    shutil.rmtree(c_nmc / "validation_data")
    report = verify("c-nmc", c_nmc)
    assert {"fold_1", "prelim"} <= set(named(report, "missing"))
    assert set(named(report, "count")) == {"fold_0", "fold_2"}
    assert "450 x 450" in next(f.detail for f in report.findings if f.kind == "size")
    for fold in (0, 2):
        shutil.rmtree(c_nmc / "training_data" / f"fold_{fold}" / "hem")
    report = verify("c-nmc", c_nmc)
    assert not report.ok
    assert "no image of class hem" in {f.detail for f in report.findings}


def test_packaged_facts_agree_with_the_packaged_manifest() -> None:
    manifest = load_manifest()
    assert len(manifest) == 15_115
    for fold in ("fold_0", "fold_1", "fold_2"):
        for label, count in C_NMC_COUNTS[fold].items():
            assert sum(name.startswith(f"training_data/{fold}/{label}/") for name in manifest) == count


def test_originals_match_the_manifest_and_altered_ones_do_not(real: Get, tmp_path: Path) -> None:
    root = real("c-nmc-sample")
    report = verify("c-nmc", root)
    assert report.ok
    assert report.checked == 21
    assert not named(report, "altered")
    copy = Path(shutil.copytree(root, tmp_path / "copy", copy_function=shutil.copyfile))
    file = next(copy.rglob("UID_1_2_2_all.bmp"))
    image = Image.open(file).convert("RGB")
    image.putpixel((225, 225), (1, 2, 3))
    image.save(file)
    assert named(verify("c-nmc", copy), "altered") == [file.relative_to(copy).as_posix()]


def test_files_of_the_manifest_that_are_not_there(tmp_path: Path, c_nmc: Path) -> None:
    (c_nmc / "SYNTHETIC.txt").unlink()
    files = list((c_nmc / "training_data").rglob("*.png"))
    lines = [
        f"C-NMC_Leukemia/{p.relative_to(c_nmc).as_posix()}\t{hashlib.sha256(p.read_bytes()).hexdigest()}\t1"
        for p in files
    ]
    manifest = tmp_path / "manifest.tsv"
    manifest.write_text("\n".join(lines))
    assert verify("c-nmc", c_nmc, manifest).checked == len(files)
    files[3].unlink()
    assert files[3].relative_to(c_nmc).as_posix() in named(verify("c-nmc", c_nmc, manifest), "missing")
    manifest.write_text("path without columns\n")
    with pytest.raises(BenchmarkError, match=r"manifest.tsv, line 1"):
        verify("c-nmc", c_nmc, manifest)
    with pytest.raises(BenchmarkError, match="cannot be read"):
        verify("c-nmc", c_nmc, tmp_path / "nowhere")


def test_sample_looks_at_fewer_files(bone_marrow: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = verify("bone-marrow", bone_marrow, sample=30, progress=lambda done, whole: seen.append((done, whole)))
    assert sum(report.sizes.values()) == 30
    assert report.images == 120
    assert seen[-1] == (30, 30)


def test_real_sets(real: Get) -> None:
    report = verify("c-nmc", real("c-nmc"))
    assert report.ok
    assert report.counts["fold_1"] == C_NMC_COUNTS["fold_1"]
    assert len(named(report, "duplicate")) == 32
    assert not named(report, "two labels")
    assert set(named(report, "count")) == {"fold_2"}
    ten = verify("bone-marrow", real("pbc-10"))
    assert ten.ok
    assert ten.findings == ()
    assert ten.images == 3988


def test_contact_sheet(drawn: Get, tmp_path: Path) -> None:
    images = open_images("bone-marrow", drawn("bone-marrow"))
    contact_sheet(images, tmp_path / "sheet.png", per_class=3, size=40)
    sheet = Image.open(tmp_path / "sheet.png")
    assert sheet.width == 6 + 3 * 46
    assert sheet.height == 6 + 10 * (18 + 40 + 6)
    assert len(sheet.getcolors(1 << 20) or []) > 1000
