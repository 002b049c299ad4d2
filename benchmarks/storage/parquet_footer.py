"""What a Parquet file says of itself in its footer, read without Arrow.

Arrow's own view of a damaged footer ends the process with a C++ exception, so what limits are checked on is parsed
here: Thrift's compact protocol, and of Parquet's `FileMetaData` what matters.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_DEPTH, MAX_ITEMS = 16, 1_000_000
STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(13)


@dataclass(frozen=True, slots=True)
class Footer:
    """What is judged before anything is decompressed.

    Attributes:
        rows: In all row groups.
        columns: Leaves of the schema, of the row group with the most.
        groups: Row groups.
        values: In all columns.
        decompressed: Bytes of all columns.
        elsewhere: Whether a column's data lies in another file.
        metadata: Key-value metadata.
    """

    rows: int
    columns: int
    groups: int
    values: int
    decompressed: int
    elsewhere: bool
    metadata: Mapping[bytes, bytes]


def read_footer(content: bytes) -> Footer:
    """Parse a footer.

    Raises:
        ValueError: If it is none.
    """
    try:
        document = _Reader(content).structure(0)
        groups = document[4]
        chunks = [chunk for group in groups for chunk in group[1]]
        figures = [chunk[3] for chunk in chunks]
        for figure in figures:
            _natural(figure[5], figure[6], figure[7])
        _natural(document[3], *(group[3] for group in groups))
        return Footer(
            rows=max(document[3], sum(group[3] for group in groups)),
            columns=max((len(group[1]) for group in groups), default=0),
            groups=len(groups),
            values=sum(figure[5] for figure in figures),
            decompressed=sum(figure[6] for figure in figures),
            elsewhere=any(1 in chunk for chunk in chunks),
            metadata={pair[1]: pair.get(2, b"") for pair in document.get(5, [])},
        )
    except (KeyError, TypeError, AttributeError, IndexError, struct.error, OverflowError) as problem:
        raise ValueError(f"its footer cannot be read ({type(problem).__name__})") from None


def _natural(*values: Any) -> None:
    if any(type(value) is not int or value < 0 for value in values):
        raise ValueError("its footer counts with what is no natural number")


class _Reader:
    """Reads Thrift's compact protocol: structures as dicts by field number, of built-in values."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at, self._items = content, 0, 0

    def structure(self, depth: int) -> dict[int, Any]:
        found: dict[int, Any] = {}
        field = 0
        while (head := self._byte()) != STOP:
            field = field + (head >> 4) if head >> 4 else self._zigzag()
            kind = head & 15
            found[field] = kind == TRUE if kind in (TRUE, FALSE) else self._value(kind, depth + 1)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        self._items += 1
        if depth > MAX_DEPTH or self._items > MAX_ITEMS:
            raise ValueError("its footer is too deep or too long")
        match kind:
            case 1 | 2:  # in a list, a truth value is a byte
                return self._byte() == TRUE
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._zigzag()
            case 7:
                return struct.unpack("<d", self._take(8))[0]
            case 8:
                return self._take(self._varint())
            case 9 | 10:
                return self._list(depth)
            case 12:
                return self.structure(depth)
        raise ValueError(f"its footer has a value of kind {kind}")  # Parquet has no maps

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._varint()
        return [self._value(head & 15, depth + 1) for _ in range(size)]

    def _byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def _take(self, size: int) -> bytes:
        self._at += size
        if self._at > len(self._content):
            raise ValueError("its footer ends too soon")
        return self._content[self._at - size : self._at]

    def _varint(self) -> int:
        result = shift = 0
        while True:
            byte = self._byte()
            result |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return result
            if shift > 63:
                raise ValueError("its footer has a number of more than 64 bits")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
