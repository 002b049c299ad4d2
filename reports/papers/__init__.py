"""The two papers' tables and figures beside ours: what agrees, and what does not, in words.

The papers' figures are theirs as printed. Ours come from whatever runs there are, of each source (published, recorded,
surrogate, live) by itself. On a published surface some agreement is by construction, since it was calibrated to
these figures; a benchmark's card says to which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hemobench.benchmarks.benchmark import Reference
from hemobench.benchmarks.storage.results import Results
from hemobench.reports.papers import bone_marrow, c_nmc, folds, three_runs
from hemobench.reports.papers.claims import BONE_MARROW, C_NMC, Claim
from hemobench.reports.papers.measured import Measured, measured, of_comparisons
from hemobench.reports.papers.render import PAPERS, PaperFigure, as_json, beside, in_words, readings
from hemobench.reports.validation.repeats import Validation

__all__ = [
    "BONE_MARROW",
    "C_NMC",
    "Claim",
    "Measured",
    "PaperFigure",
    "as_json",
    "beside",
    "claims_of",
    "compare_with_papers",
    "in_words",
    "measured",
    "of_comparisons",
    "readings",
]


def compare_with_papers(
    results: Results,
    reference_of: Callable[[str], Reference | None],
    *,
    validations: Sequence[Validation] = (),
    extended: Results | None = None,
    seed: int = 0,
) -> list[Claim]:
    """Every figure of the two papers that these runs can be held against, for each source by itself.

    Args:
        results: Runs and trials; the largest budget of each benchmark counts, with one worker where there is.
        reference_of: Gives the reference of a benchmark, or `None`.
        validations: What `hemobench validate` wrote, for the C-NMC paper's Table 3.
        extended: Results of the same configurations under 6 x 5-fold cross-validation (`extended = true`), if any.
        seed: Of bootstraps and forests.
    """
    return claims_of(measured(results, reference_of, seed=seed), validations=validations, extended=extended, seed=seed)


def claims_of(
    found: Sequence[Measured],
    *,
    validations: Sequence[Validation] = (),
    extended: Results | None = None,
    seed: int = 0,
) -> list[Claim]:
    """The same of what has been measured already."""
    claims = [claim for mine in found for claim in _of_task(mine, extended)]
    claims += [claim for validation in validations for claim in three_runs.claims(validation)]
    claims += [claim for mine in found for claim in c_nmc.alternatives(mine, seed)]
    return sorted(claims, key=lambda claim: PAPERS.index(claim.paper))  # stable: else in the order of the paper


def _of_task(mine: Measured, extended: Results | None) -> Iterator[Claim]:
    task = mine.comparison.task
    if task.dataset == "bone-marrow":
        yield from folds.claims(mine, extended)
        yield from bone_marrow.effect_claims(mine)
    if task.name in bone_marrow.SEARCHED:
        yield from bone_marrow.claims(mine)
    if task.name == c_nmc.TASK:
        yield from c_nmc.claims(mine)
