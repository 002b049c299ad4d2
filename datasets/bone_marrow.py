"""Ten classes of bone-marrow cells: a folder of class folders, or one of two public sets mapped to ten classes.

The set of the bone-marrow paper is not public. Read instead are:

- `folders`: any folder of class folders; the classes are their names, sorted.
- `mll`: the Munich set (TCIA, 10.7937/TCIA.AXH3-T579), `BM_cytomorphology_data/<CODE>/[0001-1000/]<CODE>_00001.jpg`.
- `barcelona`: the peripheral-blood set (Mendeley, 10.17632/snkd93bnjr.1),
  `PBC_dataset_normal_DIB/<folder>/<PREFIX>_<id>.jpg`.

The two mappings are ours, not the paper's. The sets are never mixed: the camera gives the class away.
None has patient ids, so groups join equal pixels only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from hemobench.datasets.files import existing_folder, folders, is_image, walk
from hemobench.datasets.images import ImageSet
from hemobench.datasets.scan import Entry, Finding, Scan, image_set
from hemobench.errors import BenchmarkError

Mapping = Literal["folders", "mll", "barcelona"]

MLL = {
    "BLA": "blast",
    "PMO": "promyelocyte",
    "MYB": "myelocyte",
    "MMZ": "metamyelocyte",
    "NGB": "band_neutrophil",
    "NGS": "segmented_neutrophil",
    "EOS": "eosinophil",
    "ABE": "eosinophil",  # abnormal eosinophil: 8 images
    "LYT": "lymphocyte",
    "LYI": "lymphocyte",  # immature lymphocyte: 65 images
    "MON": "monocyte",
    "EBO": "erythroblast",
    "PEB": "erythroblast",  # proerythroblast
}
MLL_DROPPED = frozenset({"ART", "BAS", "FGC", "HAC", "KSC", "NIF", "OTH", "PLM"})

BARCELONA = {
    "PMY": "promyelocyte",
    "MY": "myelocyte",
    "MMY": "metamyelocyte",
    "BNE": "band_neutrophil",
    "SNE": "segmented_neutrophil",
    "EO": "eosinophil",
    "BA": "basophil",
    "LY": "lymphocyte",
    "MO": "monocyte",
    "ERB": "erythroblast",
}
BARCELONA_DROPPED = frozenset({"IG", "NEUTROPHIL", "PLATELET"})
BARCELONA_FOLDERS = frozenset(
    {"basophil", "eosinophil", "erythroblast", "ig", "lymphocyte", "monocyte", "neutrophil", "platelet"}
)
WRAPPERS = ("BM_cytomorphology_data", "PBC_dataset_normal_DIB")


def read(root: Path, *, mapping: Mapping | None = None, jobs: int | None = None) -> ImageSet:
    """The labelled images of a folder; see `hemobench.datasets.open_images`.

    Args:
        root: The folder, or one that holds it alone.
        mapping: How files become classes; by default told from the folders' names.
        jobs: Threads that decode; all cores by default.
    """
    return image_set(scan(root, mapping=mapping), jobs)


def scan(root: Path, *, mapping: Mapping | None = None) -> Scan:
    """Find the labelled images, and what is wrong or left out.

    Raises:
        BenchmarkError: If the folder is missing, empty, or holds no class folders.
    """
    base = _locate(existing_folder(root))
    parts = folders(base)
    if not any(is_image(p) for part in parts for p in walk(part)):
        raise BenchmarkError(f"{base} is not a folder of class folders with images", "lay images out as <class>/<file>")
    match mapping or recognise(base):
        case "mll":
            found, classes = list(_mll(root, parts)), sorted(set(MLL.values()))
        case "barcelona":
            found, classes = list(_barcelona(root, parts)), sorted(set(BARCELONA.values()))
        case "folders":
            found, classes = list(_folders(root, parts)), [part.name for part in parts]
        case unknown:
            raise BenchmarkError(f"there is no mapping '{unknown}'", "choose one of: folders, mll, barcelona")
    entries = tuple(e for e in found if isinstance(e, Entry))
    findings = tuple(f for f in found if isinstance(f, Finding))
    return Scan("bone-marrow", mapping or recognise(base), root, tuple(classes), entries, findings)


def recognise(base: Path) -> Mapping:
    """The layout, told from the names of the class folders; `folders` where they are neither public set's."""
    names = {p.name for p in folders(base)}
    if names <= set(MLL) | MLL_DROPPED:
        return "mll"
    if names <= BARCELONA_FOLDERS and names & {"ig", "neutrophil"}:
        return "barcelona"
    return "folders"


def _locate(root: Path) -> Path:
    """The folder of class folders: the root, or what lies in it alone, or under a public set's name."""
    base = root
    for _ in range(3):
        named = [base / name for name in WRAPPERS if (base / name).is_dir()]
        parts = folders(base)
        if named:
            base = named[0]
        elif len(parts) == 1 and folders(parts[0]) and not any(is_image(p) for p in parts[0].iterdir()):
            base = parts[0]
    return base


def _folders(root: Path, parts: list[Path]) -> Iterator[Entry | Finding]:
    for part in parts:
        for file in filter(is_image, walk(part)):
            yield Entry(file.relative_to(root), part.name)


def _mll(root: Path, parts: list[Path]) -> Iterator[Entry | Finding]:
    dropped: Counter[str] = Counter()
    for part in parts:
        if part.name not in MLL and part.name not in MLL_DROPPED:
            yield Finding("unknown", part.relative_to(root), "not a class code of the MLL set", "error")
            continue
        for file in filter(is_image, walk(part)):
            code = file.stem.partition("_")[0]
            if part.name in MLL_DROPPED:
                dropped[part.name] += 1
            elif code in MLL and code != part.name:
                detail = f"lies in the class folder '{part.name}' and is named '{code}'"
                yield Finding("mislabelled", file.relative_to(root), detail, "error")
            else:
                yield Entry(file.relative_to(root), MLL[part.name])
    yield from _dropped(dropped)


def _barcelona(root: Path, parts: list[Path]) -> Iterator[Entry | Finding]:
    dropped: Counter[str] = Counter()
    for part in parts:
        if part.name not in BARCELONA_FOLDERS:
            yield Finding("unknown", part.relative_to(root), "not a folder of the Barcelona set", "error")
            continue
        for file in filter(is_image, walk(part)):
            prefix = file.stem.partition("_")[0].upper()
            if prefix in BARCELONA_DROPPED:
                dropped[prefix] += 1
            elif prefix in BARCELONA:
                yield Entry(file.relative_to(root), BARCELONA[prefix])
            else:
                detail = f"the prefix '{prefix}' is not one of the Barcelona set"
                yield Finding("mislabelled", file.relative_to(root), detail, "error")
    yield from _dropped(dropped)


def _dropped(counts: Counter[str]) -> Iterator[Finding]:
    if counts:
        each = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        yield Finding("dropped", Path(), f"not of the ten classes and not read: {each}", "note")
