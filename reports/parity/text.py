"""What a parity check found, in words. Points are hundredths of the task's score: 100 * (1 - loss)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hemobench.benchmarks.parity.retraining import INCUMBENT
from hemobench.benchmarks.parity.searches import Searches
from hemobench.benchmarks.parity.setup import TABLE
from hemobench.benchmarks.surrogates.support import support_limit
from hemobench.benchmarks.tables.schema import Table
from hemobench.reports.parity.agreement import Agreement, Members, Span
from hemobench.reports.parity.calibration import Calibration, Mean, Retraining, unlike
from hemobench.reports.parity.foresight import Foreseen
from hemobench.reports.parity.rankings import Parity, SourceComparison
from hemobench.reports.statistics.pairwise import ROPE

FEW_SEEDS, FEW_CONFIGURATIONS = 5, 10
LOW = 0.05


def in_words(parity: Parity) -> list[str]:
    """The answer, a sentence or two a line."""
    lines = [*_source_comparison(parity.cached)]
    if parity.live is not None:
        lines += [f"Live, searches of {parity.live.max_trials} trials:", *_source_comparison(parity.live)]
    if parity.worth is not None:
        times = f"trained again {parity.live_repeats} times each; on the surrogate, without noise"
        lines += [f"Live, by what the incumbents are worth ({times}):", *_source_comparison(parity.worth)]
    if parity.retraining is not None:
        lines += _retraining(parity.retraining)
    for strategy, figures in parity.foreseen.items():
        lines += _foreseen(strategy, figures)
    return lines


def notes(
    table: Table, cached: Searches, live: Searches | None = None, retraining: Retraining | None = None
) -> tuple[str, ...]:
    """What a reader must know to read the figures right.

    Args:
        table: What was recorded.
        cached: The searches on table, pool and surrogate.
        live: The live searches.
        retraining: Re-trainings.
    """
    found = [
        "Searches of the table share the noise that was recorded: intervals there are of the strategies' own "
        "randomness, given the table. The surrogate was fitted to the same table, so agreement of the two shows how "
        "well it stands in for it; only live training shows how well for the truth.",
        _distances(table, cached),
    ]
    for name, searches in (("The cached comparison", cached), ("The live comparison", live)):
        found += list(_failures(searches)) if searches else []
        if searches and len(next(iter(searches.found.values()))) < FEW_SEEDS:
            found.append(f"{name} has fewer than {FEW_SEEDS} seeds: its intervals are too narrow.")
    if retraining is not None:
        different = unlike(table.header.source, retraining.source)
        if different:
            found.append(f"Re-trainings differ from the recording in {'; '.join(different)}.")
    return tuple(found)


def _distances(table: Table, searches: Searches) -> str:
    means = [run.distance for runs in searches.found[TABLE] for run in runs]
    return (
        f"On the table and the pool a proposal is replaced by the nearest recorded configuration not trained yet: "
        f"{sum(means) / len(means):.2f} away on average in the unit cube, where recorded points lie up to "
        f"{support_limit(table):.2f} apart."
    )


def _failures(searches: Searches) -> Iterator[str]:
    for source, seeds in searches.found.items():
        for k, name in enumerate(searches.strategies):
            errors = [error for runs in seeds if (error := runs[k].error)]
            missing = sum(runs[k].loss is None for runs in seeds)
            if missing:
                why = f": {errors[0][:200]}" if errors else ""
                yield f"{name} has no result in {missing} of {len(seeds)} searches of the {source}{why}."


def _source_comparison(compared: SourceComparison) -> Iterator[str]:
    for agreement in compared.agreements:
        yield from _agreement(agreement)
    if compared.members is not None:
        yield _members(compared.members)


def _agreement(found: Agreement) -> Iterator[str]:
    names = f"{found.one} and {found.other}"
    if found.tau is None:
        yield f"{names}: all strategies are equal in one of the two, so there is no ranking to compare."
        return
    said = f"{names}: Kendall's tau {_figure(found.tau)}"
    if found.expected is not None and found.p is not None:
        verdict = "hardly chance" if found.p < LOW else "no sign of a difference"
        said += f"; were the true means equal, {_figure(found.expected)} (p {found.p:.3f}: {verdict})"
    certain = [swap for swap in found.swaps if swap.certain]
    yield (
        f"{said}. The same strategy is best with probability {found.same_best:.2f}. Of {found.pairs} pairs "
        f"{found.alike} certainly keep their order and {len(found.swaps)} swap it, {len(certain)} certainly."
    )
    yield (
        f"  Of {found.apart} pairs that lie more than {ROPE:g} points apart on {found.one}, {found.kept} have the same "
        f"order on {found.other}; of {found.near} that lie nearer, {found.both_near} do so there too."
    )
    for swap in certain:
        yield (
            f"  {swap.first} is better than {swap.second} by {_points(swap.in_one)} points on {found.one}, "
            f"and worse by {_points(swap.in_other, -1)} on {found.other}."
        )


def _members(found: Members) -> str:
    firsts = ", ".join(f"{name} in {count}" for name, count in found.best.items())
    return (
        f"members of the ensemble, {found.count} x {found.seeds} seeds: mean tau between two {_number(found.tau)} "
        f"(lowest {_number(found.lowest)}), where seeds alone leave {_number(found.repeatability)}; a strategy's mean "
        f"differs by {100 * found.deviation:.2f} points between members, and a single search's by "
        f"{100 * found.seed_deviation:.2f} between seeds. Best: {firsts}."
    )


def _retraining(found: Retraining) -> Iterator[str]:
    incumbents = found.groups.get(INCUMBENT, {})
    same = _score_is_validation(incumbents)
    for group, figures in found.groups.items():
        for name, one in figures.items():
            if same and name == "score":
                continue
            yield f"{group}s, {name}: {_calibration(one)}."
    for name, mean in found.optimism.items():
        if same and name == "score":
            continue
        yield f"optimism of searching the surrogate, {name}: {_mean(mean)} points beyond that of random configurations."
    if any(one.configurations < FEW_CONFIGURATIONS for one in incumbents.values()):
        yield f"  (fewer than {FEW_CONFIGURATIONS} distinct incumbents: take these as hints)"


def _score_is_validation(figures: Mapping[str, Calibration]) -> bool:
    """Whether the headline metric is the score, so that both would say the same."""
    biases = [round(figures[name].bias.value, 6) for name in ("score", "validation") if name in figures]
    return len(biases) == 2 and biases[0] == biases[1]


def _foreseen(strategy: str, figures: Mapping[str, Foreseen]) -> Iterator[str]:
    """Nobody had searched the surrogate for what live searches tried."""
    same = _score_is_validation({name: one.calibration for name, one in figures.items()})
    for name, one in figures.items():
        if same and name == "score":
            continue
        order = f"; rank correlation {_interval(one.order)}" if one.order is not None else ""
        error = f"; {100 * one.error:.2f} points apart on average"
        yield f"what {strategy} tried live, {name}: {_calibration(one.calibration)}{error}{order}."


def _calibration(one: Calibration) -> str:
    share = f"{100 * one.inside.value:.0f} %"
    if one.inside.low is not None and one.inside.high is not None:
        share += f" [{100 * one.inside.low:.0f}, {100 * one.inside.high:.0f}]"
    luck = f"; what the search saw less live {_mean(one.luck)}" if one.luck else ""
    return (
        f"{share} of {one.trainings} trainings of {one.configurations} configurations lie in the predicted 90 % "
        f"interval; predicted less live {_mean(one.bias)} points{luck}"
    )


def _interval(mean: Mean) -> str:
    return _figure(Span(mean.value, mean.low, mean.high))


def _figure(span: Span) -> str:
    return f"{span.value:.2f}" + ("" if span.low is None else f" [{span.low:.2f}, {span.high:.2f}]")


def _points(span: Span, sign: int = 1) -> str:
    ends = sorted([sign * (span.low or 0.0), sign * (span.high or 0.0)])
    return f"{100 * sign * span.value:.2f} [{100 * ends[0]:.2f}, {100 * ends[1]:.2f}]"


def _mean(mean: Mean) -> str:
    ends = "" if mean.low is None or mean.high is None else f" [{100 * mean.low:+.2f}, {100 * mean.high:+.2f}]"
    return f"{100 * mean.value:+.2f}{ends}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
