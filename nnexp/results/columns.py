"""The columns that every table of runs or measurements has."""

MEASURES = ("loss", "accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy")
"""Of training data, validation data and test data; where one set of samples is held out, it is under ``val_`` alone."""

ADDED = ("test_loss", "test_accuracy")
"""Measures that records of earlier versions do not have."""

AXES = ("iteration", "evaluations", "seconds")
ALL_AXES = (*AXES, "epochs")
"""The axes along which a history can be read; an epoch is one pass over the training data."""

COSTS = ("evaluations", "seconds")
KEYS = (
    *("run_id", "name", "status", "stopped", "sweep_id", "group", "code", "git_commit"),
    *("method", "seed", "started", "artifact_uri"),
)
RECORDED = (*AXES, *MEASURES)
HISTORY = ("run_id", "method", "seed", *ALL_AXES, *MEASURES)

GIVEN = ("dataset.inputs", "dataset.targets")
PATH = "dataset.path"
DIGEST = "dataset.digest"
"""The content of given data, in place of their numbers."""
