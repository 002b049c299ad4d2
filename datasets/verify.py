"""Hold a folder of images against what is known of the public data set, and name every fault.

Whether a reader takes the folder is decided in `scan`, by what the reader itself asks (`faults_of_names`, `broken`).
What is found here beside that are warnings and notes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hemobench.datasets import scanned
from hemobench.datasets.contact_sheet import contact_sheet
from hemobench.datasets.facts import IMAGE_SIZES, expected_counts, load_manifest
from hemobench.datasets.files import hidden, images_below, is_image, walk
from hemobench.datasets.fingerprints import Fingerprint, Progress, fingerprints
from hemobench.datasets.names import PARTS, printable
from hemobench.datasets.scan import Entry, Finding, Scan, broken, faults_of_names

__all__ = ["Finding", "Report", "contact_sheet", "verify"]

T = TypeVar("T")
Manifest = Mapping[str, tuple[str, int]]
SYNTHETIC = "SYNTHETIC.txt"
EXPECTED = frozenset({SYNTHETIC, "C-NMC_test_prelim_phase_data_labels.csv"})
"""Files that are no images and belong there."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in a folder.

    Attributes:
        name: `c-nmc`, `bone-marrow` or `cells`.
        layout: Which public layout it was read as.
        root: The folder.
        images: Labelled images.
        counts: Part (`fold_0`, `prelim`, `train`; empty where there are none) -> class -> images.
        sizes: (width, height) -> images that decode.
        checked: Files whose checksum was compared with the manifest.
        findings: All that there is to say, errors first.
    """

    name: str
    layout: str
    root: Path
    images: int
    counts: Mapping[str, Mapping[str, int]]
    sizes: Mapping[tuple[int, int], int]
    checked: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether a reader takes the folder: there are no errors."""
        return not any(f.severity == "error" for f in self.findings)


def verify(
    name: str,
    root: Path,
    manifest: Path | None = None,
    *,
    sample: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> Report:
    """Check a folder without refusing it for the first fault.

    Looked for are broken, missing, duplicated, doubly labelled, mislabelled, altered and stray files, unknown and
    missing classes and folds, counts and image sizes other than the public set's.

    Args:
        name: `c-nmc`, `bone-marrow` or `cells`.
        root: The folder.
        manifest: Checksums of the originals (path, SHA-256, bytes); by default the packaged ones of C-NMC, which
            BMP files are compared with.
        sample: Decode only this many images, drawn at random; all by default. Duplicates outside it go unseen.
        seed: Which sample.
        progress: Told how many images are done.
        **options: The reader's own, as for `open_images`.

    Raises:
        BenchmarkError: If the folder is missing, empty, or of an unknown layout.
    """
    root = Path(root)
    scan = scanned(name, root, **options)
    known = load_manifest(manifest) if manifest else load_manifest() if name == "c-nmc" else {}
    entries = _drawn(scan.entries, sample, seed)
    paths = [e.path for e in entries] + _drawn(_unread(scan, known), sample, seed)
    prints = dict(zip(paths, fingerprints(root, paths, progress=progress), strict=True))
    labelled = [(e, prints[e.path]) for e in entries]
    counts, sizes = _counts(scan.entries), Counter((f.width, f.height) for _, f in labelled if not f.error)
    synthetic = (root / SYNTHETIC).exists()
    findings = [
        *faults_of_names(scan),
        *broken(paths, list(prints.values())),
        *(finding for finding in scan.findings if finding.severity != "error"),
        *_duplicates(labelled),
        *([] if synthetic else _missing_files(scan, known)),
        *([] if synthetic else _count_findings(scan.layout, counts)),
        *([] if synthetic else _size_findings(scan.layout, sizes)),
        *_altered(prints, known),
        *_stray(scan),
    ]
    if synthetic:
        findings.append(Finding("synthetic", Path(SYNTHETIC), "these are drawn, not photographed", "note"))
    findings = [replace(f, path=Path(printable(f.path)), detail=printable(f.detail)) for f in findings]
    order = ("error", "warning", "note")
    findings.sort(key=lambda f: (order.index(f.severity), f.kind, f.path.as_posix()))
    checked = sum(_in_manifest(path, known) is not None for path in paths)
    return Report(name, scan.layout, root, len(scan.entries), counts, dict(sizes), checked, tuple(findings))


def _drawn(items: Sequence[T], sample: int | None, seed: int) -> list[T]:
    if sample is None or sample >= len(items):
        return list(items)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    return [items[i] for i in np.sort(rng.choice(len(items), size=sample, replace=False))]


def _unread(scan: Scan, manifest: Manifest) -> list[Path]:
    """Unlabelled images of the public download: no reader takes them, but they can be held against the manifest."""
    read = {e.path for e in scan.entries}
    files = (file.relative_to(scan.root) for file in images_below(scan.root))
    return [path for path in files if path not in read and _in_manifest(path, manifest)]


def part_of(entry: Entry) -> str:
    """As in `fold_0`, `prelim` or `train`; empty where the set has no parts."""
    return "prelim" if entry.test else f"fold_{entry.fold}" if entry.fold >= 0 else entry.part


def _counts(entries: Sequence[Entry]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        counts[part_of(entry)][entry.label] += 1
    in_order = sorted(counts, key=lambda part: (PARTS.index(part) if part in PARTS else 0, part))
    return {part: dict(sorted(counts[part].items())) for part in in_order}


def _duplicates(labelled: Sequence[tuple[Entry, Fingerprint]]) -> Iterator[Finding]:
    same: dict[str, list[Entry]] = defaultdict(list)
    for entry, found in labelled:
        if found.pixels:
            same[found.pixels].append(entry)
    for first, *others in same.values():
        for other in others:
            if other.label != first.label:
                detail = f"same pixels as {first.path.as_posix()}, labelled {other.label} here and {first.label} there"
                yield Finding("two labels", other.path, detail, "warning")
            else:
                across = part_of(other) != part_of(first)
                where = ", in another part" if other.part else ", in another fold"
                detail = f"same pixels as {first.path.as_posix()}" + (where if across else "")
                yield Finding("duplicate", other.path, detail, "warning" if across else "note")


def _count_findings(layout: str, counts: Mapping[str, Mapping[str, int]]) -> Iterator[Finding]:
    for part, classes in expected_counts(layout).items():
        if part not in counts:
            yield Finding("missing", Path(part), f"{sum(classes.values())} images of the public set", "warning")
            continue
        for label, wanted in classes.items():
            have = counts[part].get(label, 0)
            if have != wanted:
                yield Finding(
                    "count", Path(part), f"{have} images of class {label}; the public set: {wanted}", "warning"
                )


def _size_findings(layout: str, sizes: Mapping[tuple[int, int], int]) -> Iterator[Finding]:
    wanted = IMAGE_SIZES.get(layout)
    for (width, height), number in sorted(sizes.items()):
        if wanted and max(abs(width - wanted[0]), abs(height - wanted[1])) > 10:
            detail = f"{number} images of {width} x {height} pixels; the originals: {wanted[0]} x {wanted[1]}"
            yield Finding("size", Path(), detail, "note")


def _in_manifest(path: Path, manifest: Manifest) -> tuple[str, int] | None:
    """The manifest's line for a file, found by the longest end of its path; `None` if there is none."""
    return next((manifest[end] for end in _ends(path) if end in manifest), None)


def _ends(path: Path) -> list[str]:
    """The path, and what is left of it without its first folder, its first two, ..."""
    return ["/".join(path.parts[i:]) for i in range(len(path.parts))]


def _missing_files(scan: Scan, manifest: Manifest) -> Iterator[Finding]:
    """Name what a folder of the download lacks, if that is less than half of it; counts tell the rest.

    Names are compared without their suffixes: images may have been converted.
    """
    have = {stem for e in scan.entries for stem in _ends(e.path.with_suffix(""))}
    wanted: dict[str, list[str]] = defaultdict(list)
    for name in manifest:
        wanted[name.rpartition("/")[0]].append(name)
    for names in wanted.values():
        lost = [name for name in names if name.rpartition(".")[0] not in have]
        if 2 * len(lost) < len(names):
            yield from (Finding("missing", Path(name), "in the public set, and not here", "warning") for name in lost)


def _altered(prints: Mapping[Path, Fingerprint], manifest: Manifest) -> Iterator[Finding]:
    for path, found in prints.items():
        expected = _in_manifest(path, manifest)
        if expected and found.sha256 and found.sha256 != expected[0]:
            yield Finding("altered", path, "differs from the public download (SHA-256)", "warning")


def _stray(scan: Scan) -> Iterator[Finding]:
    """Files that are not read: each by its name, but those in a hidden folder by their number."""
    below_hidden: Counter[Path] = Counter()
    expected = {scan.table.resolve()} if scan.table else set()
    for file in walk(scan.root):
        path = file.relative_to(scan.root)
        folder = _hidden_folder(path)
        if folder is not None:
            below_hidden[folder] += 1
        elif not is_image(file) and file.name not in EXPECTED and file.resolve() not in expected:
            yield Finding("stray", path, "no image of the data set; ignored", "note")
    for folder, count in below_hidden.items():
        yield Finding("stray", folder, f"{count} files in a hidden folder; ignored", "note")


def _hidden_folder(path: Path) -> Path | None:
    """The outermost hidden folder that a file lies in."""
    outward = list(path.parents)[-2::-1]
    return next((folder for folder in outward if hidden(folder)), None)
