"""The file: it comes back as it was, and what is damaged, hostile or of other data is refused with the place."""

from __future__ import annotations

import gzip
import json
import pickle

import pytest

from hemobench.benchmarks.suite import Suite
from hemobench.errors import BenchmarkError
from hemobench.reports.gate.baseline import Baseline, Terms, load, require_same_benchmarks, save
from hemobench.reports.gate.provenance import another_kernel, changed_versions

SOURCE = {"c-nmc@published": {"sha256": "aa"}}


@pytest.fixture
def baseline(arm):
    suite = Suite(seeds=4, strategies=["random"], benchmarks=[{"name": "c-nmc@published", "gpu_hours": [5.0]}])
    arms = (arm([0.5, 0.25, 1 / 3, 2.0], "random"),)
    return Baseline(name="x", suite=suite, terms=Terms(), versions={"numpy": "2.0"}, sources=SOURCE, arms=arms)


@pytest.mark.parametrize("name", ["b.json", "b.json.gz"])
def test_it_comes_back_as_it_was(baseline, tmp_path, name):
    path = tmp_path / name
    save(baseline, path)
    first = path.read_bytes()
    assert load(str(path)) == baseline
    save(load(str(path)), path)
    assert path.read_bytes() == first
    assert first.startswith(b"\x1f\x8b") == name.endswith(".gz")
    assert len(list(tmp_path.iterdir())) == 1


def changed(baseline, tmp_path, change):
    content = json.loads(baseline.model_dump_json())
    change(content)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(content))
    return str(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(kind="other"), "kind"),
        (lambda c: c.update(schema_version=99), "schema 99"),
        (lambda c: c.update(hook="import os"), "hook"),
        (lambda c: c["terms"].update(margin=-1), "terms.margin"),
        (lambda c: c["arms"][0]["runs"][1].update(regret="much"), "arms.0.runs.1.regret"),
        (lambda c: c["arms"][0]["runs"].pop(0), "seeds are missing"),
        (lambda c: c.pop("suite"), "suite"),
        (lambda c: c.update(arms=[]), "arms"),
    ],
)
def test_what_is_damaged_is_refused_with_its_place(baseline, tmp_path, change, says):
    path = changed(baseline, tmp_path, change)
    with pytest.raises(BenchmarkError, match=says) as caught:
        load(path)
    assert "changed.json" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1f\x8b broken", pickle.dumps({"a": 1}), b"[1]", b"{" * 100_000, gzip.compress(b" " * (65 << 20))],
    ids=["empty", "broken gzip", "pickle", "list", "deep", "bomb"],
)
def test_what_is_no_baseline_is_refused(content, tmp_path):
    path = tmp_path / "hostile.json.gz"
    path.write_bytes(content)
    with pytest.raises(BenchmarkError, match=r"hostile\.json\.gz"):
        load(str(path))


def test_an_unknown_name_is_said(tmp_path):
    with pytest.raises(BenchmarkError, match="no such baseline"):
        load("nowhere.json")


def test_versions_that_changed():
    before, now = {"optuna": "4.5.0", "numpy": "2.0"}, {"optuna": "5.0.0", "numpy": "2.0", "smac": "2.4"}
    assert changed_versions(before, now) == ["optuna 4.5.0 -> 5.0.0", "smac absent -> 2.4"]


HASWELL = {"simd": "X86_V2 X86_V3", "blas": "openblas 0.3.30 Haswell, openblas 0.3.31 Haswell"}


def test_another_numerical_kernel_is_named_and_is_no_version():
    skylake = {"simd": "X86_V2 X86_V3 X86_V4", "blas": HASWELL["blas"].replace("Haswell", "SkylakeX")}
    assert another_kernel(HASWELL, HASWELL) == ""
    assert another_kernel(HASWELL, {**HASWELL, "blas": HASWELL["blas"].replace("Haswell", "Zen")}) == (
        "another numerical kernel: Haswell -> Zen"
    )
    assert another_kernel(skylake, HASWELL) == "another numerical kernel: SkylakeX -> Haswell, X86_V4 -> X86_V3"
    assert "0.3.30 Haswell" in another_kernel(HASWELL, {**HASWELL, "blas": "openblas 0.3.32 Haswell"})
    assert another_kernel({}, HASWELL) == ""  # a baseline of before it was recorded says nothing
    assert changed_versions({"numpy": "2.0", **skylake}, {"numpy": "2.0", **HASWELL}) == []


def test_a_baseline_of_before_fingerprints_and_truth_still_loads(baseline, tmp_path):
    def older(content):
        del content["numerics"], content["arms"][0]["judged_by"]
        content["schema_version"] = 1

    found = load(changed(baseline, tmp_path, older))
    assert (found.numerics, found.arms[0].judged_by) == ({}, "loss")


def test_another_benchmark_is_refused(baseline):
    require_same_benchmarks(baseline, SOURCE)
    with pytest.raises(BenchmarkError, match="rests on other data"):
        require_same_benchmarks(baseline, {"c-nmc@published": {"sha256": "bb"}})
    arms = tuple(
        type(arm)(type(arm.key)("c-nmc@published", 99, "random", 5.0, 1), arm.runs, {}) for arm in baseline.arms
    )
    with pytest.raises(BenchmarkError, match="v99"):
        require_same_benchmarks(baseline.model_copy(update={"arms": arms}), SOURCE)
