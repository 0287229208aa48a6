"""Metrics: equal to scikit-learn's, and the same from a run's rows to the verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as theirs

from nnexp.config.schema import Config, Sweep, digest
from nnexp.config.settings import ConfigError
from nnexp.data import Data
from nnexp.data.batches import Batches
from nnexp.data.streams import streams
from nnexp.data.table import Table
from nnexp.losses import BinaryCrossEntropy, CrossEntropy, target
from nnexp.losses.metrics import AUROC, F1, R2, RMSE, Accuracy, BalancedAccuracy, Metric
from nnexp.network import MLP, Network, Sigmoid
from nnexp.optim import SGD, RandomSearch
from nnexp.sweep.trial import objective
from nnexp.testing import SMALL, check_metric
from nnexp.tracking.recorder import RunResult
from nnexp.training import Budget, Problem, train

RNG = np.random.default_rng(0)


def outputs(classes: int, samples: int, ties: bool) -> np.ndarray[Any, Any]:
    a = RNG.random((5, classes, samples)).astype(np.float32)
    a = np.round(a, 1) + 1e-3 if ties else a
    return a / a.sum(axis=-2, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("ties", [False, True])
def test_metrics_of_classes_are_scikit_learns(classes: int, ties: bool) -> None:
    y = np.concatenate([np.arange(classes), RNG.integers(0, classes, 60 - classes)])
    a, to = outputs(classes, 60, ties), target(y, classes, "float32")
    several = {"multi_class": "ovr", "average": "macro"} if classes > 2 else {}
    for run, own in enumerate(a):
        taken, scores = own.argmax(axis=0), own.T if classes > 2 else own[1]
        for metric, expected in (
            (Accuracy(), theirs.accuracy_score(y, taken)),
            (BalancedAccuracy(), theirs.balanced_accuracy_score(y, taken)),
            (F1(), theirs.f1_score(y, taken, average="macro")),
            (F1(average="weighted"), theirs.f1_score(y, taken, average="weighted")),
            (AUROC(), theirs.roc_auc_score(y, scores, **several)),
        ):
            assert metric.value(a, to)[run] == pytest.approx(expected, rel=1e-12)


def test_metrics_of_one_output_are_scikit_learns() -> None:
    y, a = RNG.integers(0, 2, 50), RNG.random((3, 1, 50))
    to = target(y[None].astype(float), 1, "float64")
    for run, own in enumerate(a[:, 0]):
        for metric, expected in (
            (F1(average="binary"), theirs.f1_score(y, own > 0.5)),
            (BalancedAccuracy(), theirs.balanced_accuracy_score(y, own > 0.5)),
            (AUROC(), theirs.roc_auc_score(y, own)),
        ):
            assert metric.value(a, to)[run] == pytest.approx(expected, rel=1e-12)


def test_classes_that_do_not_occur_count_as_in_scikit_learn() -> None:
    # The second class occurs and is not predicted, the third is predicted and does not occur, the fourth neither.
    y, taken = np.array([0, 0, 1, 1]), np.array([0, 2, 0, 2])
    a, to = np.eye(4)[:, taken], target(y, 4, "float64")
    assert F1().value(a, to) == theirs.f1_score(y, taken, average="macro", zero_division=0)
    with pytest.warns(UserWarning, match="y_pred"):
        assert BalancedAccuracy().value(a, to) == theirs.balanced_accuracy_score(y, taken)
    assert np.isnan(AUROC().value(a, target(np.zeros(4, int), 4, "float64")))


@pytest.mark.parametrize("constant", [False, True])
def test_metrics_of_numbers_are_scikit_learns(constant: bool) -> None:
    t, a = RNG.standard_normal((2, 40)), RNG.standard_normal((4, 2, 40)).astype(np.float32)
    if constant:
        t[0] = 2
    to = target(t, 2, "float32")
    for run, own in enumerate(a):
        wanted = to.values.astype(float).T
        expected = theirs.root_mean_squared_error(wanted, own.T.astype(float))
        assert RMSE().value(a, to)[run] == pytest.approx(expected, rel=1e-12)
        assert R2().value(a, to)[run] == pytest.approx(theirs.r2_score(wanted, own.T.astype(float)), rel=1e-9)
    assert R2().value(to.values, to) == 1


@dataclass(frozen=True)
class Sureness(Metric):
    """The mean of the largest outputs, as somebody may write it."""

    label = "mean of the largest outputs"
    higher_is_better = False

    def value(self, a: np.ndarray[Any, Any], to: Any) -> np.ndarray[Any, Any]:
        return a.max(axis=-2).mean(axis=-1)


CHOSEN = replace(SMALL, metrics=[F1(), AUROC(), Accuracy(), Sureness()])


@pytest.mark.parametrize("optimizer", [SGD(0.5), SGD(0.5, batch_size=5), RandomSearch()])
def test_chosen_metrics_are_columns_and_change_nothing_else(optimizer: Any) -> None:
    (plain,), (run,) = (train(replace(one, optimizer=optimizer), log_every=10) for one in (SMALL, CHOSEN))
    added = set(run.history) - set(plain.history)
    assert added == {
        f"{kind}{name}" for kind in ("", "val_", "test_") for name in ("f1", "auroc", "sureness")
    }
    for name in set(plain.history) - {"seconds"}:
        np.testing.assert_array_equal(run.history[name], plain.history[name])
    np.testing.assert_array_equal(run.final_theta, plain.final_theta)
    problem = run.prepared.problem
    for data, kind in ((problem.train, ""), (problem.held_out, "val_")):
        assert data is not None
        taken = problem.network.forward(run.final_theta, data.x).argmax(axis=0)
        assert run.history[f"{kind}f1"][-1] == pytest.approx(theirs.f1_score(data.y, taken, average="macro"))
    assert np.isnan(run.history["test_f1"]).all()


@pytest.mark.parametrize("every", [1, 4, 16])
def test_mini_batches_report_the_mean_of_their_losses(every: int) -> None:
    one = replace(
        SMALL, optimizer=SGD(0.5, momentum=0.5, batch_size=5), dtype="float64", budget=Budget(iterations=16)
    )
    (run,), (steps,) = (train(one, log_every=e, snapshots=99) for e in (every, 1))
    assert list(steps.snapshots.iteration) == list(range(17))
    problem, draws = steps.prepared.problem, streams(one.seed, vars(one.seeds))["batches"]
    batches, losses = Batches([draws], problem.samples, 5), []
    for theta in steps.snapshots.theta[:-1]:
        losses.append(problem.score(theta[None], batch=batches.next()).loss[0])
    expected = [np.mean(losses[at : at + every][::8]) for at in range(0, 16, every)]
    assert np.isnan(run.history["batch_loss"][0])
    np.testing.assert_allclose(run.history["batch_loss"][1:], expected, rtol=1e-12)


def test_accuracy_as_a_part_is_what_losses_count() -> None:
    x, y = RNG.standard_normal((2, 30)), RNG.integers(0, 3, 30)
    problem = Problem(Network(2, [5], 3), CrossEntropy(), Data(x, y))
    theta = RNG.standard_normal((6, problem.network.layout.size))
    a = np.stack([problem.network.forward(own, x) for own in theta])
    np.testing.assert_array_equal(
        Accuracy().value(a, target(y, 3, "float32")), problem.evaluate(theta).accuracy
    )


def test_metrics_look_at_all_samples_of_many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = RNG.standard_normal((2, 300)), RNG.integers(0, 3, 300)
    theta = RNG.standard_normal((7, Network(2, [5], 3).layout.size))
    seen = []
    for small in (False, True):
        if small:
            monkeypatch.setattr("nnexp.training.problem.SAMPLE_BYTES", 2000)
            monkeypatch.setattr("nnexp.training.problem.OUTPUT_BYTES", 10_000)
        problem = Problem(Network(2, [5], 3), CrossEntropy(), Data(x, y), metrics=[AUROC(), F1()])
        seen.append(problem.evaluate(theta))
    assert len(problem._train_pieces) > 1
    for name in ("auroc", "f1", "accuracy"):
        np.testing.assert_allclose(seen[0][name], seen[1][name], rtol=1e-6)


def test_outputs_that_are_not_numbers_have_no_metric() -> None:
    problem = Problem(
        Network(2, [], 3), CrossEntropy(), Data(np.ones((2, 4)), np.array([0, 1, 2, 0])), metrics=[F1()]
    )
    theta = np.stack([np.full(9, np.nan), np.ones(9)])
    assert np.isnan(problem.evaluate(theta)["f1"]).tolist() == [True, False]


def test_a_run_stops_and_keeps_its_best_weights_by_a_metric() -> None:
    budget = Budget(iterations=300, measure="f1", target=0.4)
    (run,) = train(replace(CHOSEN, budget=budget), log_every=1)
    assert run.stop_reason == "target"
    assert run.history["f1"][-1] >= 0.4 > run.history["f1"][:-1].max()
    (lower,) = train(
        replace(CHOSEN, budget=replace(budget, measure="val_sureness", target=0.0)), log_every=10
    )
    best = lower.prepared.problem.evaluate(lower.best_theta)["val_sureness"]
    assert best == np.nanmin(lower.history["val_sureness"])


def test_trials_are_judged_by_a_metric() -> None:
    config = Config(metrics=[F1(), Sureness()], sweep=Sweep(measure="val_f1"))
    result = RunResult("", "", "finished", {"loss": 2.0, "val_f1": 0.75, "val_sureness": 0.5}, 1, 1, 1.0, "")
    assert objective(config, result) == -0.75
    assert objective(replace(config, sweep=Sweep(measure="val_sureness")), result) == 0.5
    assert objective(replace(config, sweep=Sweep()), result) == 2.0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"metrics": [F1(), F1(average="weighted")]}, r"metrics\[1\].name=f1: expected a name"),
        ({"metrics": [Sureness(name="val_x")]}, r"metrics\[0\].name=val_x"),
        ({"metrics": ["f2"]}, r"metrics\[0\]=f2: expected one of accuracy, auroc"),
        ({"budget": {"iterations": 3, "measure": "val_f1"}}, "budget.measure=val_f1: expected one of auto, loss"),
        ({"metrics": ["f1"], "sweep": {"measure": "test_f1"}}, "sweep.measure=test_f1: expected one of auto, .*val_f1"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_said(settings: dict[str, Any], said: str) -> None:
    from nnexp.config.schema import from_mapping

    with pytest.raises(ConfigError, match=said):
        from_mapping(settings)


def test_a_metric_that_does_not_fit_the_targets_is_refused() -> None:
    table = Table.of({"a": np.arange(99.0), "b": np.linspace(0, 1, 99)}, target="b")
    numbers = replace(
        SMALL, dataset=table, architecture=MLP(hidden=[3], output=Sigmoid()), loss=BinaryCrossEntropy()
    )
    with pytest.raises(ConfigError, match="metrics=f1: expected a dataset whose targets are classes"):
        train(replace(numbers, metrics=[F1()]))
    with pytest.raises(ConfigError, match="expected two classes, the dataset has 3"):
        train(replace(SMALL, metrics=[F1(average="binary")]))


def test_a_contract_finds_a_wrong_direction() -> None:
    class Backwards(F1):
        higher_is_better = False

    with pytest.raises(AssertionError, match="is higher_is_better right"):
        check_metric(Backwards())


def test_metrics_are_in_a_config_s_hash() -> None:
    assert len({digest(Config(metrics=chosen)) for chosen in ([], [F1()], [F1(average="weighted")])}) == 3
