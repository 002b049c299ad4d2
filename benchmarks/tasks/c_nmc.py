"""Leukaemic blasts against normal cells, as in the C-NMC paper (Swastika, Setiyono and Zen)."""

from __future__ import annotations

from ConfigSpace import Categorical, ConfigurationSpace, Float

from hemobench.benchmarks.tasks.base import Objective, Task


def space() -> ConfigurationSpace:
    """The paper's Table 1.

    The defaults are those of the libraries (AdamW's learning rate and weight decay, EfficientNet-B2's dropout)
    and, for the head, the paper's architecture section; they are where the manual analysis starts.
    """
    return ConfigurationSpace(
        space=[
            Float("learning_rate", (1e-5, 1e-2), log=True, default=1e-3),
            Float("weight_decay", (1e-6, 1e-2), log=True, default=1e-2),
            Float("dropout_1", (0.1, 0.5), default=0.3),
            Float("dropout_2", (0.1, 0.4), default=0.3),
            Categorical("hidden_size", [256, 512, 768, 1024], default=512),
            Categorical("batch_size", [32, 40, 48, 56, 64], default=32),
        ]
    )


TASK = Task(
    name="c-nmc",
    title="C-NMC: leukaemic blasts against normal cells",
    space=space,
    # The paper's accuracy = precision = recall = F1 is micro-averaging, where the four are one number.
    objective=Objective({"accuracy": 1.0}),
    headline="accuracy",
    headline_label="accuracy",
    epochs=10,
    reference_device="NVIDIA RTX 3060",
    dataset="c-nmc",
    training="hemobench.benchmarks.training.protocols.c_nmc:make",
    options=("backbone", "split", "fold", "split_seed", "share_features"),
)
