"""The two papers' figures, as printed."""

from __future__ import annotations

METRICS = {"micro_f1": "micro F1", "macro_f1": "macro F1", "precision": "precision", "recall": "recall"}
FOLDS = 6
TABLE_1 = {  # percent, mean and deviation over six folds
    "manual": ((82.9, 1.1), (81.6, 1.4), (81.3, 1.9), (82.5, 0.9)),
    "random": ((83.4, 0.5), (82.0, 0.7), (82.2, 0.5), (82.2, 1.0)),
    "sssr": ((83.4, 0.5), (82.0, 0.7), (82.2, 0.5), (82.2, 1.0)),
}
EFFECTS = {  # section 4.1: points of micro F1 between the best and the worst value
    "sampling": 7.3,
    "initialization": 5.6,
    "frozen_blocks": 4.3,
    "rotation": 3.6,
    "batch_size": 2.1,
    "learning_rate": 1.6,
}
USEFUL = {"learning_rate": 1e-5, "batch_size": 2}
"""Least values that effects are read from: 1.6 points cannot be over all of 1e-7 to 1e-3, and 4.1 leaves out batch
size 1."""
TRIALS = {"random": 100, "sssr": 48}
FOURTH_DIGIT = 0.1
"""Section 4.1: 6-fold and 6 x 5-fold means of micro F1 differ in the fourth digit, so by less than 0.1 points."""

PHASES = {"exploration": (88.84, 4.12), "exploitation": (95.21, 1.28)}
"""Section III: mean accuracy and deviation, in percent, of trials 0 to 9 and 10 to 19."""
FIRST_LATE, LENGTH = 10, 20
TOP_FIVE = {12: 96.86, 14: 96.81, 11: 95.73, 19: 95.73, 16: 95.78}  # Table 2: percent, by the trial's number
SHARES = {  # section III: percent of the variance; the last three are given as 1 to 3
    "learning_rate": 55.0,
    "dropout_1": 34.0,
    "weight_decay": 5.0,
    "batch_size": 2.0,
    "hidden_size": 2.0,
    "dropout_2": 2.0,
}
THREE_RUNS = (86.72, 82.64, 85.17)  # Table 3: test accuracy in percent, after 40 epochs
THREE_RUNS_DEVIATION, THREE_RUNS_CV, THREE_RUNS_EPOCHS = 1.66, 1.96, 40  # as printed
