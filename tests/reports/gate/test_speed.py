"""Ratios of speed from pytest-benchmark's files, and the gate as JUnit and Markdown."""

from __future__ import annotations

import copy
from xml.etree import ElementTree

import pytest

from hemobench.errors import BenchmarkError
from hemobench.reports.gate.junit import to_junit
from hemobench.reports.gate.speed import is_speed_file, judge_speed
from hemobench.reports.gate.text import EXIT_CODES, Judgement, as_json, headline, to_markdown


def timing(name, fastest, median=None, group="loop", **extra):
    stats = {"min": fastest, "median": median or 1.1 * fastest, "rounds": 5}
    return {"name": name, "fullname": f"tests/x.py::{name}", "group": group, "extra_info": extra, "stats": stats}


def file(*timings):
    return {"machine_info": {}, "version": "5", "benchmarks": list(timings)}


BEFORE = file(timing("test_bare_loop", 1.0), timing("test_ours", 1.04))


def verdict(now, before=BEFORE, **more):
    (found,) = judge_speed(before, now, ("before.json", "now.json"), **more)
    return found


def test_a_machine_that_is_ten_times_slower_changes_nothing():
    found = verdict(file(timing("test_bare_loop", 10.0), timing("test_ours", 10.4)))
    assert (found.verdict, found.now.fastest) == ("pass", pytest.approx(1.04))


def test_a_ratio_that_grew_is_red_and_the_margin_is_said():
    now = file(timing("test_bare_loop", 1.0), timing("test_ours", 1.5))
    found = verdict(now)
    assert found.verdict == "regress"
    assert found.why == "+44% by the fastest rounds, +44% by the median; +25% is allowed"
    assert verdict(now, margin=0.5).verdict == "pass"


def test_where_fastest_and_median_disagree_nothing_is_concluded():
    assert verdict(file(timing("test_bare_loop", 1.0), timing("test_ours", 1.05, 2.0))).verdict == "inconclusive"


def test_a_benchmark_s_own_limit_is_kept():
    now = file(timing("test_bare_loop", 1.0), timing("test_ours", 1.08, at_most=1.05))
    assert (verdict(now).verdict, verdict(now).why) == ("regress", "at most 1.05 is allowed")
    torn = file(timing("test_bare_loop", 1.0, 1.1), timing("test_ours", 1.04, 1.3, at_most=1.05))
    assert verdict(torn).verdict == "inconclusive"


def test_what_was_not_measured_is_inconclusive_and_what_is_new_passes():
    assert verdict(file(timing("test_bare_loop", 1.0))).verdict == "inconclusive"
    new = judge_speed(BEFORE, file(*BEFORE["benchmarks"], timing("test_other", 9.0)), ("a", "b"))
    assert {(found.name, found.verdict) for found in new} == {("test_ours", "pass"), ("test_other", "pass")}


def test_the_reference_may_be_named_by_the_test():
    marked = file(timing("test_a", 2.0, reference=True), timing("test_b", 1.0))
    assert judge_speed(marked, marked, ("a", "b"))[0].reference == "test_a"
    with pytest.raises(BenchmarkError, match="no group of benchmarks has a reference"):
        judge_speed(file(timing("test_a", 2.0), timing("test_b", 1.0)), marked, ("a", "b"))


def test_damaged_timings_are_refused_with_their_place():
    damaged = copy.deepcopy(BEFORE)
    damaged["benchmarks"][1]["stats"]["min"] = -1
    with pytest.raises(BenchmarkError, match=r"now\.json: benchmarks\.1\.stats\.min"):
        verdict(damaged)
    assert is_speed_file(BEFORE)
    assert not is_speed_file({"kind": "hemobench-baseline"})


def judgement():
    now = file(timing("test_bare_loop", 1.0), timing("test_ours", 1.5))
    return Judgement("before.json", None, speed=tuple(judge_speed(BEFORE, now, ("before.json", "now.json"))))


def test_in_junit_red_is_a_failure_with_its_reason():
    suite = ElementTree.fromstring(to_junit(judgement()))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("1", "1", "0")
    assert "+44% by the fastest rounds" in suite.find("testcase/failure").get("message")


def test_in_markdown_and_json_the_verdict_comes_first():
    found = judgement()
    assert headline(found) == "REGRESS: 1 regress, held against before.json"
    assert to_markdown(found).splitlines()[0] == f"**{headline(found)}**"
    plain = as_json(found)
    assert (plain["verdict"], plain["exit_code"]) == ("regress", EXIT_CODES["regress"])
    assert plain["speed"][0]["now"]["fastest"] == 1.5
