"""What folders' names mean, however they are spelt."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Part = Literal["", "train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")

_PART_NAMES: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "tst": "test",
    "holdout": "test",
    "held_out": "test",
}
_DECORATION = re.compile(r"^(data|dataset|images|imgs|split)_|_?(data|dataset|images|imgs|split|set)$")


def normal(name: str) -> str:
    """A name without what people vary: case, spaces at the ends, spaces or hyphens for underscores.

    `Band-Neutrophil ` and `band_neutrophil` are one. Accented letters are composed (macOS takes
    them apart).
    """
    return re.sub(r"[\s_-]+", "_", text(name).casefold())


def part_name(name: str) -> Part:
    """Which part of a split a folder's name says: `Train`, `val`, `test_set`; empty if none."""
    key = normal(name)
    return _PART_NAMES.get(key) or _PART_NAMES.get(_DECORATION.sub("", key), "")


def text(name: str) -> str:
    """A name as it is shown: accents composed, no spaces at the ends, escapes for what is no text."""
    return printable(composed(name).strip())


def composed(name: str) -> str:
    """A name with letters and accents as one character: macOS writes them as two."""
    return unicodedata.normalize("NFC", name)


def printable(name: object) -> str:
    """A path or a name for a screen or a file, with escapes for what is no text in it."""
    return str(name).encode("utf-8", "backslashreplace").decode()
