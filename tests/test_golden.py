"""The notebook's figures, from nnexp's own config."""

from __future__ import annotations

import json

import notebook_reference as reference
import numpy as np
import pytest
from commands import here, runs

from nnexp.sweep.compose.jobs import compose
from nnexp.training import train

RANDOM = [0, 5, 8, 10, 19, 843, 1034, 1199, 8190]


def trained(*overrides):
    (config,) = compose([overrides])
    (run,) = train(config, config.tracking.log_every, config.tracking.snapshots)
    return run


def test_random_search():
    run = trained("+experiment=notebook", "optimizer=random")
    assert [candidate for candidate, _ in run.improvements] == RANDOM
    assert run.history.loss[-1] == pytest.approx(1.0982414, abs=1e-6)
    assert run.history.accuracy[-1] == pytest.approx(0.41, abs=1e-6)


def test_perturbation():
    run = trained("+experiment=notebook", "optimizer=perturb")
    assert len(run.improvements) == 53
    assert run.improvements[-1][0] == 9974
    assert run.history.loss[-1] == pytest.approx(1.0777574, abs=1e-6)
    assert run.history.accuracy[-1] == pytest.approx(0.413333, abs=1e-6)


def test_one_neuron():
    run = trained("+experiment=notebook_neuron")
    named = run.prepared.problem.network.layout.named(run.final_theta)
    np.testing.assert_allclose(named["dense_0/weights"], [[-3.3990955, -0.2018090, 0.8027135]], atol=1e-6)
    np.testing.assert_allclose(named["dense_0/biases"], [0.6009045], atol=1e-6)
    # The notebook prints the loss of the 200th pass, which is that of the weights after 199 updates.
    assert run.history.loss[run.history.iteration == 199][0] == pytest.approx(1.956376e-4, abs=1e-9)


def test_a_layer_of_three():
    run = trained("+experiment=notebook_layer")
    biases = run.prepared.problem.network.layout.named(run.final_theta)["dense_0/biases"]
    np.testing.assert_allclose(biases, [-0.00698895, -0.04024714, -0.06451539], atol=1e-8)


@pytest.mark.parametrize(
    ("seed", "samples", "classes", "iterations"), [(0, 40, 3, 400), (7, 100, 2, 300), (1, 30, 4, 500)]
)
@pytest.mark.parametrize("method", ["random", "perturb"])
def test_other_seeds_and_sizes(method, seed, samples, classes, iterations):
    run = trained(
        "+experiment=notebook", f"optimizer={method}", f"seed={seed}", f"dataset.samples={samples}",
        f"dataset.classes={classes}", f"budget.iterations={iterations}",
    )  # fmt: skip
    if method == "random":
        expected = reference.random_search(seed, samples, classes, iterations)
    else:
        expected = reference.perturbation(seed, samples, classes, iterations, iterations)
    assert [candidate for candidate, _ in run.improvements] == [row[0] for row in expected]
    np.testing.assert_allclose(
        [loss for _, loss in run.improvements], [row[1] for row in expected], atol=1e-6
    )
    assert run.history.accuracy[-1] == pytest.approx(expected[-1][2], abs=1e-6)


def test_from_the_command_line(tmp_path):
    done = here(tmp_path, "-m", "+experiment=notebook", "optimizer=random,perturb", "tracking=lean")
    assert done.returncode == 0, done.stderr
    random, perturb = runs(tmp_path)
    assert json.loads(random.data.tags["nnexp.improvements"]) == RANDOM
    assert random.data.metrics["loss"] == pytest.approx(1.0982414, abs=1e-6)
    assert perturb.data.metrics["loss"] == pytest.approx(1.0777574, abs=1e-6)
    assert perturb.data.metrics["accuracy"] == pytest.approx(0.413333, abs=1e-6)
    improvements = json.loads(perturb.data.tags["nnexp.improvements"])
    assert (len(improvements), improvements[-1]) == (53, 9974)
