"""Anybody's cells: the bone-marrow recipe on a folder of class folders, its classes from there."""

from __future__ import annotations

from hemobench.benchmarks.tasks.base import Task
from hemobench.benchmarks.tasks.bone_marrow import criterion, lite_space

TASK = Task(
    name="cells",
    title="Your own cells: EfficientNet-Lite, fine-tuned on the classes of a folder",
    space=lite_space,
    objective=criterion(),
    headline="micro_f1",
    headline_label="micro F1",
    epochs=20,
    reference_device="your own",
    dataset="cells",
    training="hemobench.benchmarks.training.protocols.bone_marrow:make",
    options=("fold", "folds", "extended", "split_seed"),
)
"""A split that the folder or its subject table gives is the only one; without, six folds as in the paper."""
