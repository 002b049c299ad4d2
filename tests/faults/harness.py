"""Hundreds of seeded faults: `python tests/faults/harness.py --scenarios 300 --seed 0`.

Each scenario starts `hemobench run` as a user would, injures it, and gives the same command again until it ends well;
then the results must be those of an undisturbed suite, and the ledgers must add up. A line for each, a table at the
end; exit code 1 if one failed. A scenario is repeated by its seed: `--scenarios 1 --seed 217`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults import disks, inside, kills, messages
from faults.checks import same_results
from faults.scenarios import KINDS, PLAYED_WITHOUT_A_SUITE, Scenario, scenario
from faults.stage import Failure, Skip, Stage, require, undisturbed

INJURIES: dict[str, Callable[[Stage], None]] = {
    "kill-coordinator": kills.killed,
    "terminate-coordinator": kills.terminated,
    "interrupt": kills.interrupted,
    "interrupt-everybody": kills.interrupted_together,
    "kill-worker": kills.killed_worker,
    "kill-dask-worker": kills.killed_dask_worker,
    "several-kills": kills.killed_often,
    "two-at-once": kills.two_at_once,
    "second-refused": kills.second_refused,
    "disk-full": disks.full,
    "file-limit": disks.limited,
    "read-only": disks.read_only,
    "half-a-line": disks.half_a_line,
    "garbage-at-the-end": disks.garbage,
    "damaged-line": disks.damaged_line,
    "lost-lines": disks.lost_lines,
    "doubled-line": disks.doubled_line,
    "damaged-header": disks.damaged_header,
    "damaged-end": disks.damaged_end,
    "leftovers": disks.leftovers,
    "clock": inside.clock,
    "memory-error": inside.memory_error,
    "out-of-memory-in-training": inside.out_of_memory_in_training,
    "messages": messages.late_and_doubled,
}
_grounds = Lock()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a scenario.

    Attributes:
        scenario: What was played.
        result: `passed`, `skipped` or `failed`.
        why: If it did not pass; or what should be known though it did.
        shares: How much of the suite was done at each injury.
        seconds: It took.
    """

    scenario: Scenario
    result: str
    why: str
    shares: tuple[float, ...]
    seconds: float


def play(chosen: Scenario, grounds: Path) -> Verdict:
    """Play one scenario in a temporary folder.

    Args:
        chosen: The scenario.
        grounds: Where undisturbed results are kept.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fault-", ignore_cleanup_errors=True) as name:
        stage = Stage(chosen, Path(name), Path(name))
        result, why = "passed", ""
        try:
            _play(stage, grounds)
            why = stage.note
        except Skip as reason:
            result, why = "skipped", str(reason)
        except Failure as failure:
            result, why = "failed", str(failure)
        except Exception:
            result, why = "failed", traceback.format_exc()
        finally:
            stage.close()
    return Verdict(chosen, result, why, tuple(stage.shares), time.monotonic() - started)


def _play(stage: Stage, grounds: Path) -> None:
    chosen = stage.scenario
    if chosen.kind not in PLAYED_WITHOUT_A_SUITE:
        with _grounds:
            stage.undisturbed = undisturbed(chosen.ground, grounds)
        (stage.folder / "suite.toml").write_text(chosen.ground.toml)
    INJURIES[chosen.kind](stage)
    if chosen.kind not in PLAYED_WITHOUT_A_SUITE:
        stage.finish()
        same_results(stage)
    require(not any(command.orphans() for command in stage.commands), "processes were left behind")


def line(verdict: Verdict) -> str:
    """A scenario as one line."""
    chosen = verdict.scenario
    shares = " ".join(f"{share:.2f}" for share in verdict.shares)
    what = f"{chosen.seed:6d} {chosen.kind:26s} {'+'.join(chosen.ground.strategies):28s} {chosen.jobs} jobs"
    why = f"  {' | '.join(verdict.why.strip()[-700:].splitlines())}" if verdict.why else ""
    return f"{what} {verdict.result:8s} {verdict.seconds:5.1f} s  at {shares or '-'}{why}"


def table(verdicts: Sequence[Verdict]) -> str:
    """All scenarios by kind, and how many injuries found a suite half done."""
    found: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        found[verdict.scenario.kind].append(verdict)
    rows = [f"{'kind':26s} {'scenarios':>9s} {'passed':>7s} {'skipped':>8s} {'failed':>7s} {'half done':>10s}"]
    for kind in [*sorted(found), "all"]:
        some = found[kind] if kind != "all" else list(verdicts)
        counts = [sum(verdict.result == result for verdict in some) for result in ("passed", "skipped", "failed")]
        shares = [share for verdict in some for share in verdict.shares]
        half = f"{sum(0 < share < 1 for share in shares)}/{len(shares)}" if shares else "-"
        rows.append(f"{kind:26s} {len(some):9d} {counts[0]:7d} {counts[1]:8d} {counts[2]:7d} {half:>10s}")
    said = Counter((v.result, v.scenario.kind, v.why) for v in verdicts if v.result != "failed" and v.why)
    notes = [f"{count} {result}, {kind}: {why}" for (result, kind, why), count in sorted(said.items())]
    return "\n".join([*rows, *notes])


def main() -> int:
    """Play scenarios and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0, help="of the first scenario; the others follow")
    parser.add_argument("--kind", choices=sorted(KINDS), help="play only this kind")
    parser.add_argument("--jobs", type=int, default=1, help="scenarios at once")
    given = parser.parse_args()
    started, verdicts, screen = time.monotonic(), [], sys.stdout  # which is another one while a leaderboard is asked
    chosen = [scenario(seed, given.kind) for seed in range(given.seed, given.seed + given.scenarios)]
    with tempfile.TemporaryDirectory(prefix="grounds-") as grounds, ThreadPoolExecutor(given.jobs) as pool:
        for verdict in pool.map(lambda one: play(one, Path(grounds)), chosen):
            verdicts.append(verdict)
            screen.write(line(verdict) + "\n")
            screen.flush()
    screen.write(f"\n{table(verdicts)}\n{len(verdicts)} scenarios in {time.monotonic() - started:.0f} s\n")
    return int(any(verdict.result == "failed" for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
