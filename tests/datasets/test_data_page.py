"""The messages that docs/data.md explains are those that the readers give."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "data.md"
ROWS = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| *")]
MESSAGES = [message for row in ROWS for message in re.findall(r"\*([^*|]+)\*", row.split("|")[1])]


@cache
def said() -> str:
    """All texts of the readers' source, with a line for what is filled in."""
    sources = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "datasets").rglob("*.py"))]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_there_are_messages() -> None:
    assert len(MESSAGES) > 25


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_that_is_explained_is_given(message: str) -> None:
    texts = said()
    assert [part for part in message.split("…") if part not in texts] == []
