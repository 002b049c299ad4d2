"""Ten classes of bone-marrow cells: class folders, or a public set mapped to ten classes.

The set of the bone-marrow paper is not public. Read instead are:

- `folders`: any folder of class folders, as `cells` reads it; the classes are their names, sorted.
- `mll`: the Munich set (TCIA, 10.7937/TCIA.AXH3-T579),
    `BM_cytomorphology_data/<CODE>/[0001-1000/]<CODE>_00001.jpg`.
- `barcelona`: the peripheral-blood set (Mendeley, 10.17632/snkd93bnjr.1),
  `PBC_dataset_normal_DIB/<folder>/<PREFIX>_<id>.jpg`.

The two mappings are ours, not the paper's. The sets are never mixed: the camera gives the class
away. Neither has patient ids, so groups join equal pixels only; a subject table joins subjects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from hemobench.datasets.files import existing_folder, folders, images_below
from hemobench.datasets.names import normal, text
from hemobench.datasets.readers import cells
from hemobench.datasets.readers.class_folders import ClassFolder, entries, layout, unwrapped
from hemobench.datasets.scan import Entry, Finding, Scan
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
    {
        "basophil",
        "eosinophil",
        "erythroblast",
        "ig",
        "lymphocyte",
        "monocyte",
        "neutrophil",
        "platelet",
    }
)
PUBLIC_SETS = {"mll": "MLL", "barcelona": "Barcelona"}
AS_THEY_ARE = "mapping=folders, or the data set cells, reads every folder as a class"
WRAPPERS = ("BM_cytomorphology_data", "PBC_dataset_normal_DIB")


def scan(root: Path, *, mapping: Mapping | None = None, table: Path | None = None) -> Scan:
    """Find the labelled images, and what is wrong or left out.

    Args:
        root: The folder, or one that holds it alone.
        mapping: How files become classes; by default told from the names of folders and files.
        table: A subject table, which only `folders` can have; see `cells.scan`.

    Raises:
        BenchmarkError: If the folder is missing, empty, holds no class folders, is laid out like
            C-NMC, or is split in advance: the six folds are dealt here.
    """
    base = _base(existing_folder(root))
    known = mapping or recognise(base)
    match known:
        case "folders":
            return _as_they_are(root, base, table)
        case "mll" | "barcelona" if table is not None:
            raise BenchmarkError(f"the mapping '{known}' takes no subject table", AS_THEY_ARE)
        case "mll" | "barcelona":
            return _mapped(root, base, known)
    raise BenchmarkError(f"there is no mapping '{known}'", "choose one of: folders, mll, barcelona")


def recognise(base: Path) -> Mapping:
    """The layout: a public set's where most class folders have its names, `folders` else.

    The Barcelona set's names are everybody's, so that its files' prefixes must be there, too.
    """
    tops = folders(base)
    codes = [top for top in tops if _code(top) in MLL.keys() | MLL_DROPPED]
    if 2 * len(codes) > len(tops):
        return "mll"
    named = [top for top in tops if normal(top.name) in BARCELONA_FOLDERS]
    prefixed = [top for top in named if _has_prefix(top)]
    telling = {"ig", "neutrophil", "platelet"} & {normal(top.name) for top in named}
    if telling and 2 * len(named) > len(tops) and 2 * len(prefixed) > len(named):
        return "barcelona"
    return "folders"


def _code(folder: Path) -> str:
    return text(folder.name).upper()


def _prefix(file: Path) -> str:
    return file.stem.partition("_")[0].upper()


def _has_prefix(folder: Path) -> bool:
    first = next(images_below(folder), None)
    return first is not None and _prefix(first) in BARCELONA.keys() | BARCELONA_DROPPED


def _base(root: Path) -> Path:
    """The folder of class folders: under a public set's name, or what lies in the root alone."""
    named = [root / name for name in WRAPPERS if (root / name).is_dir()]
    return unwrapped(named[0] if named else root)


def _as_they_are(root: Path, base: Path, table: Path | None) -> Scan:
    """Every folder a class, as any cells are read."""
    scanned = replace(cells.scan_below(root, base, table), name="bone-marrow")
    _refuse_split(root, scanned.entries)
    return scanned


def _mapped(root: Path, base: Path, known: Mapping) -> Scan:
    """A public set, mapped to ten classes."""
    found = layout(root, base)
    images = list(entries(found))
    _refuse_split(root, images)
    name = PUBLIC_SETS[known]
    label, classes = (_mll, MLL.values()) if known == "mll" else (_barcelona, BARCELONA.values())
    strangers = [folder for folder in found.class_folders if not _belongs(folder.path, known)]
    foreign = {folder.label for folder in strangers}
    items = [label(image) for image in images if image.label not in foreign]
    findings = [
        *found.findings,
        *(_foreign(root, folder, name) for folder in strangers),
        *(item for item in items if isinstance(item, Finding)),
        *_dropped(Counter(item for item in items if isinstance(item, str))),
    ]
    kept = tuple(item for item in items if isinstance(item, Entry))
    return Scan(
        "bone-marrow",
        known,
        root,
        tuple(sorted(set(classes))),
        kept,
        tuple(findings),
        advice=AS_THEY_ARE,
    )


def _refuse_split(root: Path, images: Iterable[Entry]) -> None:
    parts = sorted({image.part for image in images if image.part})
    if parts:
        raise BenchmarkError(
            f"{root} is split in advance ({', '.join(parts)}), and bone-marrow deals six folds of its own",
            "read it as cells, which keeps the split, or name the folder of one part alone",
        )


def _belongs(folder: Path, known: Mapping) -> bool:
    if known == "mll":
        return _code(folder) in MLL.keys() | MLL_DROPPED
    return normal(folder.name) in BARCELONA_FOLDERS


def _foreign(root: Path, folder: ClassFolder, name: str) -> Finding:
    """Of a folder that a public set does not have; a hindrance if it holds images."""
    path = folder.path.relative_to(root)
    if next(images_below(folder.path), None) is None:
        return Finding("unknown", path, "holds no image; not read", "note")
    detail = f"not a class folder of the {name} set, which the others are of"
    return Finding("unknown", path, detail, "error", f"rename it or move it away; {AS_THEY_ARE}")


def _mll(image: Entry) -> Entry | Finding | str:
    """The image with its class, what is wrong with it, or the code of a class that is dropped."""
    folder = text(image.label).upper()
    code = _prefix(image.path)
    if folder in MLL_DROPPED:
        return folder
    if code in MLL and code != folder:
        detail = f"lies in the class folder '{folder}' and is named '{code}'"
        return Finding("mislabelled", image.path, detail, "error", AS_THEY_ARE)
    return replace(image, label=MLL[folder])


def _barcelona(image: Entry) -> Entry | Finding | str:
    """Likewise; the file's prefix tells more than the folder."""
    prefix = _prefix(image.path)
    if prefix in BARCELONA_DROPPED:
        return prefix
    if prefix not in BARCELONA:
        detail = f"the prefix '{prefix}' is not one of the Barcelona set"
        return Finding("mislabelled", image.path, detail, "error", AS_THEY_ARE)
    return replace(image, label=BARCELONA[prefix])


def _dropped(counts: Counter[str]) -> Iterator[Finding]:
    if counts:
        each = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        yield Finding("dropped", Path(), f"not of the ten classes and not read: {each}", "note")
