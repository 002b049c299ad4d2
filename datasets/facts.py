"""What is true of the public downloads: counts and checksums, to hold a folder against."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from hemobench.errors import BenchmarkError

C_NMC_COUNTS = {
    "fold_0": {"all": 2397, "hem": 1130},
    "fold_1": {"all": 2418, "hem": 1163},
    "fold_2": {"all": 2457, "hem": 1096},
    "prelim": {"all": 1219, "hem": 648},
}
"""Labelled images of the public C-NMC download, counted in its file list."""

MLL_COUNTS = {
    "blast": 11973,
    "promyelocyte": 11994,
    "myelocyte": 6557,
    "metamyelocyte": 3055,
    "band_neutrophil": 9968,
    "segmented_neutrophil": 29424,
    "eosinophil": 5891,
    "lymphocyte": 26307,
    "monocyte": 4040,
    "erythroblast": 30135,
}
"""Images of the MLL set after the mapping to ten classes (TCIA, 10.7937/TCIA.AXH3-T579)."""

IMAGE_SIZES = {"C-NMC 2019": (450, 450), "mll": (250, 250), "barcelona": (360, 363)}
"""Width and height of the originals; a Barcelona image may differ by some pixels."""

C_NMC_MANIFEST = Path(__file__).parent / "c-nmc-manifest.tsv.gz"
"""Path, SHA-256 and size of all 15,115 files of the public C-NMC download."""


LARGEST = 64 << 20
"""Bytes that a manifest has at most, unpacked."""


def expected_counts(layout: str) -> dict[str, dict[str, int]]:
    """Part -> class -> images, for a layout that is known; empty otherwise."""
    return {"C-NMC 2019": C_NMC_COUNTS, "mll": {"": MLL_COUNTS}}.get(layout, {})


def load_manifest(path: Path = C_NMC_MANIFEST) -> dict[str, tuple[str, int]]:
    """Path below the download's top folder -> (SHA-256, size in bytes).

    A line is path, checksum and size, split by tabs; the file may be gzipped.

    Raises:
        BenchmarkError: If it cannot be read, or a line is not of that form.
    """
    hint = "a line is <path> TAB <sha256> TAB <bytes>"
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise ValueError(f"larger than {LARGEST >> 20} MiB")
        text = raw.decode("utf-8")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise BenchmarkError(f"the manifest {path} cannot be read: {error}", hint) from error
    manifest = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match line.split("\t"):
            case [name, sha256, size] if len(sha256) == 64 and size.isdecimal() and len(size) < 16:
                manifest[name.removeprefix("C-NMC_Leukemia/")] = (sha256, int(size))
            case _:
                raise BenchmarkError(f"the manifest {path}, line {number}: '{line[:60]}'", hint)
    return manifest
