"""Infected or not: what is tuned."""

from ConfigSpace import Categorical, ConfigurationSpace, Float

from hemobench.benchmarks.tasks.base import Objective, Task


def space() -> ConfigurationSpace:
    """A learning rate, a dropout and an optimizer."""
    return ConfigurationSpace(
        space=[
            Float("learning_rate", (1e-5, 1e-1), log=True, default=1e-3),
            Float("dropout", (0.0, 0.5), default=0.1),
            Categorical("optimizer", ["sgd", "adam"], default="sgd"),
        ]
    )


TASK = Task(
    name="smears",
    title="Malaria smears: infected or not",
    space=space,
    objective=Objective({"accuracy": 1.0}),
    headline="accuracy",
    headline_label="accuracy",
    epochs=8,
    reference_device="a GPU",
    dataset="smears",
)
