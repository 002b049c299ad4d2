"""The loop: what is run when, what leaves early, and with which verdict and reason."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from simulated import INCONCLUSIVE, PASS, REGRESS, gates

from hemobench.reports.gate.baseline import Terms
from hemobench.reports.gate.runs import ArmRuns
from hemobench.reports.gate.sequential import Pair, judge, judge_at_once
from hemobench.reports.gate.text import Judgement, in_words, reasons, render, to_markdown

CODES = {"pass": PASS, "regress": REGRESS, "inconclusive": INCONCLUSIVE}


class Bench:
    """Gives the runs of arms that are there, seed by seed, and keeps what was asked for."""

    def __init__(self, *arms):
        self.arms, self.asked, self.until = {arm.key: arm for arm in arms}, [], {}

    def __call__(self, wanted):
        self.asked.append({key.strategy: (seeds.start, seeds.stop) for key, seeds in wanted.items()})
        self.until.update({key: seeds.stop for key, seeds in wanted.items()})
        return [replace(self.arms[key], runs=self.arms[key].runs[:end]) for key, end in self.until.items()]


def judged(before, now, **terms):
    bench = Bench(now)
    (found,) = judge([Pair(before, now.key.strategy)], Terms(**terms), bench)
    return found, bench.asked


@pytest.fixture
def regrets():
    return np.random.default_rng(0).gamma(2.0, 0.3, 60)


def other_asks(arm: ArmRuns, trial: int = 1) -> ArmRuns:
    runs = tuple(replace(r, asks=r.asks[: 8 * trial] + "f" * 8 + r.asks[8 * trial + 8 :]) for r in arm.runs)
    return replace(arm, runs=runs)


def test_what_is_bit_identical_passes_after_three_seeds_without_statistics(arm, regrets):
    found, asked = judged(arm(regrets), arm(regrets))
    assert (found.verdict, found.identical, found.seeds, found.of) == ("pass", True, 3, 60)
    assert found.measures == ()
    assert asked == [{"tpe": (0, 3)}]
    assert reasons(found) == ["bit-identical in 3 seeds"]


def test_what_raises_is_red_at_once(arm, regrets):
    found, asked = judged(arm(regrets), arm(regrets, errors={1: "trial 4: ValueError: no"}))
    assert (found.verdict, found.seeds) == ("regress", 3)
    assert reasons(found)[0] == "strategy-error, seed 1: trial 4: ValueError: no"
    assert len(asked) == 1


def test_one_cause_is_said_once(arm, regrets):
    """Of an arm that fails alike on several benchmarks; the table has a row for each."""
    found, _ = judged(arm(regrets), arm(regrets, errors={0: "trial 4: ValueError: no"}))
    elsewhere = replace(found, key=replace(found.key, benchmark="bone-marrow@published"))
    judgement = Judgement("small", None, (found, elsewhere))
    for said in (in_words(judgement), rendered(judgement)):
        assert said.count("ValueError: no") == 1
        assert said.count("bone-marrow@published, 5 GPU-hours") >= 1
        assert said.count("c-nmc@published, 5 GPU-hours") >= 1
    assert to_markdown(judgement).count("| tpe |") == 2


def rendered(judgement: Judgement) -> str:
    console = Console(file=io.StringIO(), width=200)
    render(judgement, console)
    return console.file.getvalue()


def test_a_later_error_is_red_too(arm, regrets):
    found, _ = judged(arm(regrets), other_asks(arm(regrets, errors={9: "told: KeyError: 3"})))
    assert (found.verdict, found.seeds) == ("regress", 15)


def test_what_is_far_worse_is_red_after_a_quarter_of_the_seeds(arm, regrets):
    found, asked = judged(arm(regrets), other_asks(arm(regrets + 1.0)))
    assert (found.verdict, found.seeds) == ("regress", 15)
    assert asked == [{"tpe": (0, 3)}, {"tpe": (3, 15)}]
    regret = found.measures[0]
    assert (regret.shown, regret.estimate) == ("worse", pytest.approx(1.0))
    assert reasons(found)[0] == "regret at the end worse by 1.00, at least +1.00"
    assert "first differing ask at trial 1 (seed 0)" in reasons(found)[2]


def test_what_is_better_or_as_good_passes(arm, regrets):
    rng = np.random.default_rng(1)
    for now in (regrets - 0.2, rng.permutation(regrets)):
        found, _ = judged(arm(regrets), other_asks(arm(now)), margin=0.8)
        assert found.verdict == "pass"
        assert not found.identical


def test_a_small_certain_worsening_is_within_the_margin(arm, regrets):
    found, _ = judged(arm(regrets), other_asks(arm(regrets + 0.1)), margin=0.3)
    assert found.verdict == "pass"
    assert found.measures[0].low == pytest.approx(0.1)


def test_either_measure_suffices_for_red_and_both_are_needed_for_green(arm, regrets):
    worse_area = other_asks(arm(regrets, areas=regrets + 1.0))
    found, _ = judged(arm(regrets), worse_area)
    assert found.verdict == "regress"
    assert [measure.shown for measure in found.measures] == ["not worse", "worse"]


def test_noise_with_few_seeds_is_inconclusive_and_says_what_it_could_have_seen(arm):
    rng = np.random.default_rng(2)
    before, now = rng.gamma(2.0, 0.3, (2, 10))
    found, _ = judged(arm(before), other_asks(arm(now)), margin=0.05)
    assert (found.verdict, found.seeds) == ("inconclusive", 10)
    assert 0.3 < found.measures[0].smallest < 3.0
    few, _ = judged(arm(before[:5]), other_asks(arm(now[:5])))
    assert few.verdict == "inconclusive"
    assert "too few" in reasons(few)[0]


def test_what_is_decided_costs_nothing_more(arm, regrets):
    same, worse = arm(regrets, "same"), other_asks(arm(regrets + 1.0, "worse"))
    noisy = other_asks(arm(np.random.default_rng(3).permutation(regrets), "noisy"))
    bench = Bench(same, worse, noisy)
    pairs = [Pair(replace(now, runs=arm(regrets).runs), now.key.strategy) for now in (same, worse, noisy)]
    verdicts = judge(pairs, Terms(margin=0.15), bench)
    assert [verdict.seeds for verdict in verdicts] == [3, 15, 60]
    assert set(bench.asked[1]) == {"worse", "noisy"}
    assert set(bench.asked[2]) == {"noisy"}
    assert Judgement("x", Terms(), tuple(verdicts)).verdict == "regress"


def test_the_loop_judges_as_the_simulation_does(arm):
    rng = np.random.default_rng(4)
    for _ in range(12):
        before, now = rng.gamma(2.0, 0.3, (2, 2, 40))
        now = now + rng.choice([0.0, 0.2, 0.4])
        found, _ = judged(arm(before[0], areas=before[1]), other_asks(arm(now[0], areas=now[1])))
        codes, seeds = gates(np.round(now - before, 9)[None, None])
        assert (CODES[found.verdict], found.seeds) == (codes[0, 0], seeds[0, 0])


def test_answers_that_changed_are_not_the_strategy_s_doing(arm, regrets):
    now = arm(regrets)
    now = replace(now, runs=tuple(replace(run, answers="abcd" + "0" * 8) for run in now.runs))
    found, _ = judged(arm(regrets), now)
    assert not found.identical
    assert any("not the strategy's doing: from trial 1 (seed 0)" in reason for reason in reasons(found))


def test_remarks_name_repeated_points_and_clipped_ranges(arm, regrets):
    before = arm(regrets, coverage={"rate": 0.98, "width": 0.5})
    asks = ["0000000a" * 3] * 60
    found, _ = judged(before, arm(regrets + 1, asks=asks, coverage={"rate": 0.2, "width": 0.45}))
    said = "; ".join(reasons(found))
    assert "67% of its asks repeat an earlier one of the same run (0% in the baseline)" in said
    assert "rate is asked over 20% of its range (98% in the baseline)" in said
    assert "width" not in said


def test_results_that_are_there_are_judged_in_one_look_on_common_seeds(arm, regrets):
    before, now = arm(regrets), other_asks(arm(regrets[:30] + 1.0))
    (found,) = judge_at_once([Pair(before, "tpe")], Terms(), [now])
    assert (found.verdict, found.seeds) == ("regress", 30)
