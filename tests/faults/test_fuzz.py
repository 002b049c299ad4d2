"""Every file that we read, damaged: it loads, or it is refused by one message that names it. Nothing else happens.

Tables, archives and surrogates are fuzzed where they are tested, under `tests/benchmarks/`: `tables/test_io.py`,
`storage/test_archive_reader.py`, `surrogates/test_surrogate.py`. `FUZZ=5000` looks longer than the normal suite does.
"""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from faults.mutations import Edit, edits, other_value, restructured
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hemobench.benchmarks import published as surfaces
from hemobench.benchmarks import recorded
from hemobench.benchmarks.benchmark import load_benchmark
from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.recording.journal import read_rows
from hemobench.benchmarks.storage.load import load_results
from hemobench.benchmarks.storage.run_folder import (
    END,
    RUN,
    TRIALS,
    RunFolder,
    find_runs,
    read_end,
    read_header,
    read_trials,
)
from hemobench.benchmarks.suite import load_suite, narrowed
from hemobench.benchmarks.tables.schema import Row
from hemobench.datasets.facts import load_manifest
from hemobench.datasets.pixels import scaled
from hemobench.datasets.readers.c_nmc import prelim_labels
from hemobench.errors import BenchmarkError
from hemobench.reports.gate import baseline
from hemobench.reports.validation import repeats as validation
from hemobench.strategies.base import Status
from hemobench.strategies.space import random_stream

TIMES = int(os.environ.get("FUZZ", "20"))
PROFILE = {
    "max_examples": TIMES,
    "deadline": None,
    "database": None,
    "derandomize": "FUZZ" not in os.environ,
    "suppress_health_check": list(HealthCheck),
}
TWO_GIB = 2 << 20  # in the units of ru_maxrss
SUITE = Path(__file__).parents[1] / "published.toml"
LABELS = b"Patient_ID,new_names,labels\nUID_57_29_1_all.bmp,1.bmp,1\nUID_H22_31_15_hem.bmp,2.bmp,0\n"
HOPELESS = [b"", b"\x00" * 100, b"[" * 100_000, b"{" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b"9" * 10_000, b"null"]


@dataclass(frozen=True, slots=True)
class Reader:
    """A kind of file.

    Attributes:
        name: Of the file.
        whole: A real one.
        read: Loads it from a path.
        form: Whose structure may be changed too: `json`, `lines`, `toml`; empty for bytes.
    """

    name: str
    whole: bytes
    read: Callable[[Path], Any]
    form: str = ""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, one of them without an end."""
    out = tmp_path_factory.mktemp("results")
    for plan in plans(narrowed(load_suite(str(SUITE)), benchmarks=["c-nmc@published"], strategies=["random"], seeds=2)):
        execute(plan, out, "test")
    (next(find_runs(out)) / END).unlink()
    return out


def picture(format_: str) -> bytes:
    content = io.BytesIO()
    Image.radial_gradient("L").resize((40, 30)).convert("RGB").save(content, format_)
    return content.getvalue()


def row() -> bytes:
    """A line of a recording's journal."""
    config = next(random_stream(load_benchmark("c-nmc@published").task.space(), 0))
    one = Row(
        config=config,
        seed=0,
        fold=1,
        origin="sobol",
        epochs=(5, 10),
        seconds=(1.0, 2.0),
        evaluation_seconds=(0.1, 0.2),
        validation={"accuracy": (0.5, 0.75)},
        test={"accuracy": (0.5, 0.75)},
        curve=(0.5, 0.75),
        status=Status.OK,
    )
    return json.dumps(asdict(one)).encode() + b"\n"


def shipped_card(path: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorded, "FOLDER", path.parent)
        recorded.document.cache_clear()
        task = path.stem
        found = recorded.card(task), recorded.reference(task)
        recorded.document.cache_clear()
        return found


def shipped_surface(path: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surfaces, "FOLDER", path.parent)
        return surfaces.stored.__wrapped__(path.stem)


def concluded() -> bytes:
    sides = {side: {"random": [90.0, 91.0], "sssr": [92.0, 91.5]} for side in validation.SIDES}
    return json.dumps(validation.as_json(validation.concluded(sides, "c-nmc@live", "accuracy", 10))).encode()


@pytest.fixture(scope="module")
def readers(results: Path) -> dict[str, Reader]:
    ended = list(find_runs(results))[1]

    def trials(path: Path) -> Any:
        return read_trials(path), load_results(path.parent)

    def header(path: Path) -> Any:
        read_header(path)
        return load_results(path.parent)

    def end(path: Path) -> Any:
        return read_end(path.parent), load_results(path.parent)

    found = [
        Reader(RUN, (ended / RUN).read_bytes(), header, "json"),
        Reader(END, (ended / END).read_bytes(), end, "json"),
        Reader(TRIALS, (ended / TRIALS).read_bytes(), trials, "lines"),
        Reader("suite.toml", SUITE.read_bytes(), lambda path: plans(load_suite(str(path))), "toml"),
        Reader("journal.jsonl", row() * 3, read_rows, "lines"),
        Reader("gate.json.gz", (baseline.SHIPPED / "gate.json.gz").read_bytes(), lambda path: baseline.load(str(path))),
        Reader("validation.json", concluded(), validation.load, "json"),
        Reader("labels.csv", LABELS, prelim_labels),
        Reader("manifest.tsv.gz", _manifest(), load_manifest),
        Reader("c-nmc.json", (recorded.FOLDER / "c-nmc.json").read_bytes(), shipped_card, "json"),
        Reader("bone-marrow.json", (surfaces.FOLDER / "bone-marrow.json").read_bytes(), shipped_surface, "json"),
        *(Reader(f"cell.{end}", picture(end), lambda path: scaled(path, 16)) for end in ("bmp", "png", "jpeg", "tiff")),
    ]
    return {reader.name: reader for reader in found}


def _manifest() -> bytes:
    from hemobench.datasets.facts import C_NMC_MANIFEST

    return C_NMC_MANIFEST.read_bytes()


NAMES = [
    RUN, END, TRIALS, "suite.toml", "journal.jsonl", "gate.json.gz", "validation.json", "labels.csv", "manifest.tsv.gz",
    "c-nmc.json", "bone-marrow.json", "cell.bmp", "cell.png", "cell.jpeg", "cell.tiff",
]  # fmt: skip
STRUCTURED = [RUN, END, TRIALS, "suite.toml", "journal.jsonl", "validation.json", "c-nmc.json", "bone-marrow.json"]


@pytest.fixture(scope="module", autouse=True)
def _within_memory() -> Iterator[None]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < TWO_GIB


def place(reader: Reader, results: Path, folder: Path) -> Path:
    """Where a file of that kind lies; the files of a run among the others of one."""
    if reader.name in (RUN, END, TRIALS):
        for name in (RUN, END, TRIALS):
            shutil.copy(list(find_runs(results))[1] / name, folder / name)
    return folder / reader.name


def loads_or_is_refused(reader: Reader, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused = refusal(lambda: reader.read(path))
    if refused is not None:  # of a suite that can be read, what is wrong is named: a strategy, a benchmark
        assert path.name in refused.problem or reader.form == "toml"
        assert refused.hint


def refusal(action: Callable[[], Any]) -> BenchmarkError | None:
    """The one error that is allowed, or none; anything else fails the test."""
    try:
        action()
    except BenchmarkError as problem:
        return problem
    return None


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_one_loads(name, readers, results, tmp_path):
    reader = readers[name]
    path = place(reader, results, tmp_path)
    path.write_bytes(reader.whole)
    assert reader.read(path) is not None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", HOPELESS, ids=range(len(HOPELESS)))
def test_what_is_something_else(name, content, readers, results, tmp_path):
    loads_or_is_refused(readers[name], place(readers[name], results, tmp_path), content)


@pytest.mark.parametrize("name", NAMES)
def test_damaged_bytes(name, readers, results, tmp_path):
    reader, path = readers[name], place(readers[name], results, tmp_path)

    @settings(**PROFILE)
    @given(edits)
    def damaged(found: list[Edit]) -> None:
        content = reader.whole
        for edit in found:
            content = edit.of(content)
        loads_or_is_refused(reader, path, content)

    damaged()


@pytest.mark.parametrize("name", STRUCTURED)
def test_strange_structures(name, readers, results, tmp_path):
    reader, path = readers[name], place(readers[name], results, tmp_path)

    @settings(**PROFILE)
    @given(st.data())
    def strange(draw: st.DataObject) -> None:
        if reader.form == "toml":
            content = other_value(reader.whole, draw)
        elif reader.form == "json":
            content = restructured(reader.whole, draw)
        else:
            lines = reader.whole.splitlines()
            at = draw.draw(st.integers(0, len(lines) - 1))
            content = b"\n".join([*lines[:at], restructured(lines[at], draw), *lines[at + 1 :], b""])
        loads_or_is_refused(reader, path, content)

    strange()


def test_a_damaged_run_is_gone_on_with_or_refused(readers, results, tmp_path):
    """The same through the door by which a run goes on: what it takes for whole it can write again."""
    header = json.loads(readers[RUN].whole)

    @settings(**PROFILE)
    @given(st.sampled_from([RUN, END, TRIALS]), edits)
    def damaged(name: str, found: list[Edit]) -> None:
        path = place(readers[name], results, tmp_path)
        content = readers[name].whole
        for edit in found:
            content = edit.of(content)
        path.write_bytes(content)
        opened: list[RunFolder] = []
        refused = refusal(lambda: opened.append(RunFolder(tmp_path, header)))
        assert refused is None or str(tmp_path) in refused.problem
        for folder in opened:
            folder.close()
            assert read_trials(tmp_path / TRIALS) == folder.records
            assert not folder.ended or read_end(tmp_path) is not None
            assert (tmp_path / TRIALS).read_bytes()[-1:] in (b"", b"\n")

    damaged()
