"""The house stays one that reads: no circle of imports, no folder that is too full to be read."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("hemobench", "strategies", "datasets", "benchmarks", "reports")
MOST_ENTRIES = 18


def module_of(file: Path) -> str:
    parts = list(file.relative_to(ROOT).with_suffix("").parts)
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts if parts[0] == "hemobench" else ["hemobench", *parts])


def imports_of(source: str, modules: set[str]) -> set[str]:
    """Modules of ours that a file imports anywhere in it, also inside of functions and for types alone."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in modules else node.module)
    return found & modules


def circle(imports: dict[str, set[str]]) -> list[str]:
    """A circle of imports, if there is one."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as problem:
        return list(problem.args[1])
    return []


def test_no_file_imports_itself_by_way_of_others():
    files = {module_of(file): file for layer in LAYERS for file in (ROOT / layer).rglob("*.py")}
    imports = {name: imports_of(file.read_text(encoding="utf-8"), set(files)) for name, file in files.items()}
    assert sum(map(len, imports.values())) > 500
    assert circle(imports) == []


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}
    source = "from hemobench.a import b\ndef f():\n    from hemobench import c"
    assert imports_of(source, {"hemobench.a", "hemobench.c", "hemobench"}) == {"hemobench.a", "hemobench.c"}


@pytest.mark.parametrize("layer", LAYERS)
def test_no_folder_has_too_many_entries(layer):
    folders = [ROOT / layer, *(path for path in (ROOT / layer).rglob("*") if path.is_dir())]
    for folder in folders:
        entries = [path.name for path in folder.iterdir() if path.name not in ("__pycache__", "__init__.py")]
        name = folder.relative_to(ROOT).as_posix()
        if any(entry.endswith(".py") for entry in entries):
            assert len(entries) <= MOST_ENTRIES, f"{name}: {sorted(entries)}"
