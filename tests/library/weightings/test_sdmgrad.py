"""`sdmgrad`: descent to the min-norm point, drawn to a preference."""

import numpy as np
import pytest
import rivals_reference as reference
from properties import assert_float32_stays_near_float64
from stepping import close, in_float64, random_steps, run

import mmpareto_jax as mmp


@pytest.mark.parametrize(
    "options",
    [
        {"lam": 0.3, "iterations": 20, "learning_rate": 10.0, "momentum": 0.5},
        {"lam": 0.0, "iterations": 3, "learning_rate": 0.1, "momentum": 0.0},
        {"lam": 2.0, "iterations": 7, "learning_rate": 0.3, "momentum": 0.9},
    ],
)
@pytest.mark.parametrize("count", [2, 4])
def test_sdmgrad(count, options):
    steps = random_steps(count, length=12)
    found = in_float64(mmp.weightings.sdmgrad(**options), steps)
    close(found, reference.sdmgrad(steps, **options), rtol=1e-8)
    close(found.sum(axis=1), np.ones(len(steps)))
    assert (found >= 0.0).all()


def test_sdmgrad_takes_the_products_of_two_batches():
    """Some of their diagonal may be negative; it counts as zero in the mean norm, as in LibMTL."""
    products = np.array([[1.0, 0.3, -0.2], [0.5, -0.4, 0.1], [-0.3, 0.2, 4.0]])
    options = {"lam": 0.3, "iterations": 3, "learning_rate": 0.1, "momentum": 0.5}
    found = run(mmp.weightings.sdmgrad(**options), products[None])[0]
    w, velocity = np.full(3, 1 / 3), np.zeros(3)
    for _ in range(3):  # of mean norm (1 + 0 + 2) / 3
        velocity = 0.5 * velocity + products @ (w + 0.3 / 3)
        w = reference.project_on_simplex(w - 0.1 * velocity)
    close(found, (w + 0.3 / 3) / 1.3)


def test_sdmgrad_is_drawn_to_its_preference():
    steps = random_steps(3, length=12)
    options = {"lam": 0.3, "iterations": 20, "learning_rate": 0.1, "momentum": 0.5}
    preference = np.array([0.7, 0.0, 0.3])
    found = in_float64(mmp.weightings.sdmgrad(preference=preference, **options), steps)
    close(found, reference.sdmgrad(steps, preference=preference, **options), rtol=1e-8)


def test_a_float32_run_stays_near_the_float64_one():
    # At its own rate of 10 the descent is chaotic: in the reference too, gradients changed by 6e-8
    # change weights by 0.2.
    assert_float32_stays_near_float64(mmp.weightings.sdmgrad(learning_rate=0.5))
