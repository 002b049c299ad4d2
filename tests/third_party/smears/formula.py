"""A source of answers: a formula with noise, which knows its own truth."""

import math

from hemobench.benchmarks import noise
from hemobench.benchmarks.benchmark import Benchmark
from hemobench.benchmarks.evaluator import Cost, Outcome, Truth
from hemobench.benchmarks.published import Reference
from hemobench.strategies.base import Proposal, Status
from smears.task import TASK

SECONDS = 30.0
"""What an epoch costs."""


def accuracy(config, epochs):
    """Best at a learning rate of 1e-3, without dropout, with Adam."""
    lost = 0.04 * (math.log10(config["learning_rate"]) + 3) ** 2
    lost += 0.2 * config["dropout"] ** 2 + 0.02 * (config["optimizer"] == "sgd")
    return 0.5 + (0.45 - min(lost, 0.45)) * (1 - math.exp(-epochs / 2))


class Formula:
    """An evaluator (see `hemobench.benchmarks.evaluator.Evaluator`)."""

    def __init__(self, benchmark):
        self._benchmark = benchmark
        self.provenance = {"source": "formula"}

    def evaluate(self, proposal: Proposal, seed, *, trained=0, limit=math.inf) -> Outcome:
        """The formula with noise that benchmark, seed and configuration decide."""
        epochs = proposal.epochs or TASK.epochs
        drawn = noise.draw(self._benchmark.name, self._benchmark.version, seed, proposal.config, epochs)
        curve = [
            accuracy(proposal.config, epoch + 1) + 0.005 * (drawn.trial[0] + drawn.epoch[epoch])
            for epoch in range(epochs)
        ]
        shown = tuple(round(min(max(float(value), 0.0), 1.0), 6) for value in curve)
        metrics = {"accuracy": shown[-1]}
        cost = Cost(SECONDS * (epochs - trained), "predicted", TASK.reference_device, 0.0)
        return Outcome(Status.OK, metrics, metrics, shown, cost)

    def truth(self, config, seed=None) -> Truth:
        """The formula without noise."""
        metrics = {"accuracy": round(accuracy(config, TASK.epochs), 6)}
        return Truth(TASK.objective.loss(metrics), metrics, metrics)


def make(benchmark):
    """The evaluator; it takes no settings."""
    return Formula(benchmark)


def reference(task):
    """What regret is normalised by: the formula's optimum, and random search's expected best."""
    best = {"learning_rate": 1e-3, "dropout": 0.0, "optimizer": "adam"}
    loss = round(1 - accuracy(best, TASK.epochs), 6)
    hours = TASK.epochs * SECONDS / 3600
    random = ((hours, loss + 0.1), (10 * hours, loss + 0.03), (100 * hours, loss + 0.005))
    return Reference(best_loss=loss, best_config=best, trial_gpu_hours=hours, random=random)


BENCHMARK = Benchmark(
    name="smears@formula",
    version=1,
    about="a formula with noise",
    make="smears.formula:make",
    refer="smears.formula:reference",
)
