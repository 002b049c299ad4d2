"""Files as they might be handed to us: bytes flipped, lost, doubled or put in, and strange structures."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of some bytes.

    Attributes:
        kind: What is done.
        place: Where, as a fraction of the file.
        length: Of the slice.
        stuff: Bytes that are put in.
    """

    kind: str
    place: float
    length: int
    stuff: bytes

    def of(self, content: bytes) -> bytes:
        """The content, changed."""
        at = int(self.place * len(content))
        slice_ = content[at : at + self.length]
        if self.kind == "flip":
            return content[:at] + bytes(byte ^ (1 << self.length % 8) for byte in slice_[:1]) + content[at + 1 :]
        if self.kind == "truncate":
            return content[:at]
        if self.kind == "lose":
            return content[:at] + content[at + self.length :]
        if self.kind == "double":
            return content[:at] + slice_ + content[at:]
        return content[:at] + self.stuff + content[at:]


edits = st.lists(
    st.builds(
        Edit,
        kind=st.sampled_from(["flip", "truncate", "lose", "double", "insert"]),
        place=st.floats(0, 1, exclude_max=True),
        length=st.integers(1, 200),
        stuff=st.binary(min_size=1, max_size=40),
    ),
    min_size=1,
    max_size=4,
)

HOSTILE: list[Any] = [
    None, True, -1, 0, 2**63, 10**400, -(10**30), 0.5, -0.0, 1e308, math.nan, math.inf, "", "x", "\x00", "nan", "../..",
    "1" * 5000, [], {}, [[]], {"": None},
]  # fmt: skip
values = st.sampled_from(HOSTILE) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a JSON document, the whole first."""
    yield path
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in inner:
        yield from places(value, (*path, key))


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at a place; the original stays as it is."""
    if not path:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = replaced(document[path[0]], path[1:], value)
    return copy


def restructured(content: bytes, draw: st.DataObject, most: int = 400) -> bytes:
    """A JSON document with a value, or a key, that does not belong there."""
    document = json.loads(content)
    found = [path for path, _ in zip(places(document), range(most), strict=False)]
    path = draw.draw(st.sampled_from(found), label="place")
    if path and isinstance(path[-1], str) and draw.draw(st.booleans(), label="lose it"):
        return json.dumps(replaced(document, path[:-1], _without(document, path))).encode()
    return json.dumps(replaced(document, path, draw.draw(values, label="value"))).encode()


def _without(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        document = document[key]
    return {key: value for key, value in document.items() if key != path[-1]}


TOML_VALUES = [
    "-1", "0", "1e999", "nan", "inf", '""', '"x"', "[]", "{}", "true", "9" * 30, "9" * 5000, "1979-05-27", "[[1]]",
    '["random", 3]', '{ name = 3 }', '"../../x"', '":"', '"x:y"', '"os:path"',
    '[{ name = "random", label = "a/b" }]', '"\\u0000"',
]  # fmt: skip


def other_value(content: bytes, draw: st.DataObject) -> bytes:
    """A TOML file with another value after one of its equals signs."""
    text = content.decode()
    found = list(re.finditer(r"= (.+)$", text, re.MULTILINE))
    one = draw.draw(st.sampled_from(found), label="place")
    return (text[: one.start(1)] + draw.draw(st.sampled_from(TOML_VALUES), label="value") + text[one.end(1) :]).encode()
