"""What is written is what `docs/results-format.md` and its schema say: nothing else, and nothing less."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from hemobench.benchmarks.execution.execute import execute
from hemobench.benchmarks.execution.plan import plans
from hemobench.benchmarks.storage.run_folder import END, RUN, TRIALS, find_runs
from hemobench.benchmarks.suite import Suite
from hemobench.strategies.random_search import RandomSearch

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "docs" / "results-format.schema.json").read_text())
PAGE = (ROOT / "docs" / "results-format.md").read_text()
PARTS = {"run": RUN, "trial": TRIALS, "end": END}


class Raises(RandomSearch):
    """Raises at its fourth ask."""

    asked = 0

    def ask(self):
        self.asked += 1
        if self.asked == 4:
            raise ValueError("enough")
        return super().ask()


def validator(part):
    return Draft202012Validator({**SCHEMA, "$ref": f"#/$defs/{part}"})


def require_valid(folder):
    """Every file of a run folder, line by line."""
    validator("run").validate(json.loads((folder / RUN).read_text()))
    validator("end").validate(json.loads((folder / END).read_text()))
    lines = (folder / TRIALS).read_text().splitlines()
    for line in lines:
        validator("trial").validate(json.loads(line))
    return len(lines)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Runs of every kind: failed, cut and resumed trials, with and without a truth, limits, settings and an error."""
    out = tmp_path_factory.mktemp("results")
    suite = Suite(
        seeds=2,
        default_first=True,
        strategies=["manual", "asha", {"name": "optuna-tpe", "max_trials": 4}, f"{__name__}:Raises"],
        benchmarks=[
            {"name": "c-nmc@recorded", "gpu_hours": [0.004], "settings": {"member": "mean"}, "max_trials": 12},
            {"name": "bone-marrow-micro@recorded", "gpu_hours": [0.1], "horizon": 9},
            {"name": "bone-marrow-full@published", "gpu_hours": [900.0]},
        ],
    )
    for plan in plans(suite):
        execute(plan, out, "test")
    return out


def test_all_that_is_written_keeps_to_the_schema(written):
    trials = sum(require_valid(folder) for folder in find_runs(written))
    assert trials > 150
    text = "".join(path.read_text() for path in written.rglob("*.json*"))
    kinds = ('"status": ?"cut"', '"truth": ?{', r'"resume_from": ?\d', '"traceback"', '"limits"', '"default_first"')
    for kind in kinds:
        assert re.search(kind, text), f"there is no {kind}, so nothing is shown of it"


@pytest.mark.parametrize("version", sorted(folder.name for folder in (ROOT / "tests" / "historic").glob("v*")))
def test_so_do_the_trials_and_ends_of_earlier_versions(version):
    for folder in find_runs(ROOT / "tests" / "historic" / version):
        assert require_valid(folder) > 0


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("trial", {"loss": None}),
        ("trial", {"status": "lost"}),
        ("trial", {"status": "diverged"}),
        ("trial", {"number": -1}),
        ("trial", {"colour": "red"}),
        ("run", {"seed": "3"}),
        ("run", {"budget": {"gpu_hours": 1.0}}),
        ("run", {"colour": "red"}),
        ("end", {"status": "unfinished"}),
        ("end", {"ledger": {"train": 1.0}}),
    ],
)
def test_the_schema_refuses_what_is_not_so(part, change, written):
    folder = next(folder for folder in find_runs(written) if "asha" in str(folder))
    content = json.loads((folder / PARTS[part]).read_text().splitlines()[0] if part == "trial" else
                         (folder / PARTS[part]).read_text())  # fmt: skip
    validator(part).validate(content)
    with pytest.raises(ValidationError):
        validator(part).validate({**content, **change})


@pytest.mark.parametrize("part", PARTS)
def test_the_page_tells_every_key(part):
    section = PAGE.partition(f"## {PARTS[part]}\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"`([a-z_]+)`", section))
    assert set(SCHEMA["$defs"][part]["properties"]) <= told
