"""`pcd`: the first gradient, as far as the progress of the others allows."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gramians import gramian_of
from properties import assert_float32_stays_near_float64
from scipy.optimize import LinearConstraint, minimize
from stepping import close, in_float64, random_steps, run

import mmpareto_jax as mmp

SEQUENCES = Path(__file__).parents[2] / "golden" / "sequences.npz"


def golden(method):
    """Pairs of four Jacobians and the updates that TorchJD 0.18 makes of them."""
    with np.load(SEQUENCES) as archive:
        for number in range(20):
            jacobians = archive[f"q{number}/jacobians"]
            weights = archive[f"q{number}/{method}"]
            yield jacobians, np.einsum("tk,tkp->tp", weights, jacobians)


def updates(weighting, jacobians, dtype=np.float64):
    weights = run(weighting, gramian_of(jacobians, dtype))
    return np.einsum("tk,tkp->tp", weights, jacobians)


@pytest.mark.parametrize(
    ("method", "options"), [("pcd", {}), ("pcd_tau_0.3", {"tau": 0.3, "beta": 0.9})]
)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 2e-3)])
def test_the_golden_sequences(method, options, dtype, tolerance):
    weighting = mmp.weightings.pcd(**options)
    for jacobians, expected in golden(method):
        found = updates(weighting, jacobians, dtype)
        size = np.linalg.norm(expected, axis=1).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * size)


def by_scipy(gradients, squares, tau):
    """The direction of one step, from the definition, in coordinates of the parameters."""
    scaled = gradients / np.sqrt(squares + 1e-8)[:, None]
    first, others = scaled[0], scaled[1:]
    lower = tau * np.sum(others**2, axis=1)
    result = minimize(
        lambda d: 0.5 * np.sum((d - first) ** 2),
        np.zeros_like(first),
        jac=lambda d: d - first,
        constraints=[LinearConstraint(others, lower)],
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    assert result.success
    return result.x * np.linalg.norm(gradients[0]) / np.linalg.norm(result.x)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("tau", [0.02, 0.5])
def test_every_step_is_the_solution_that_scipy_finds(count, tau):
    beta = 0.9
    steps = random_steps(count, length=8, seed=7)
    weights = in_float64(mmp.weightings.pcd(tau=tau, beta=beta), steps)
    means = np.zeros(count)
    for t, (gradients, _) in enumerate(steps):
        means = beta * means + (1 - beta) * np.sum(gradients**2, axis=1)
        expected = by_scipy(gradients, means / (1 - beta ** (t + 1)), tau)
        close(weights[t] @ gradients, expected, rtol=1e-6)


def test_an_auxiliary_objective_gets_its_share_and_the_first_its_norm():
    for gradients, _ in random_steps(4, length=8, seed=8):
        weights = run(mmp.weightings.pcd(tau=0.1), gramian_of(gradients[None]))[0]
        update, norms = weights @ gradients, np.linalg.norm(gradients, axis=1)
        np.testing.assert_allclose(np.linalg.norm(update), norms[0], rtol=1e-10)
        # In the first step all scaled gradients have length 1, and the first has weight 1 in the
        # direction that satisfies the constraints.
        direction = update / (weights[0] * norms[0])
        assert (gradients[1:] @ direction / norms[1:] >= 0.1 - 1e-6).all()


def first_step(gradients, dtype=np.float64, **options):
    return run(mmp.weightings.pcd(**options), gramian_of(np.array([gradients]), dtype))[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_special_cases(dtype):
    assert (first_step([[0.0, 0.0], [1.0, 2.0]], dtype) == 0).all()
    # Opposed auxiliary gradients cannot both progress: their constraints are dropped.
    opposed = first_step([[3.0, 4.0], [1.0, 0.0], [-2.0, 0.0]], dtype)
    np.testing.assert_allclose(opposed, [1, 0, 0], rtol=1e-6)
    # Nothing is left of a direction that must not harm its opposite.
    assert (first_step([[1.0, 2.0], [-2.0, -4.0]], dtype, tau=0.0) == 0).all()
    np.testing.assert_allclose(first_step([[3.0, 4.0]], dtype), [1], rtol=1e-6)
    np.testing.assert_allclose(first_step([[3.0, 4.0], [0.0, 0.0]], dtype), [1, 0], rtol=1e-6)
    agreeing = first_step([[1.0, 0.0], [1.0, 1.0]], dtype)
    np.testing.assert_allclose(agreeing, [1, 0], rtol=1e-6)


def test_one_fraction_for_each_auxiliary_objective():
    gradients = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    weights = first_step(gradients, tau=[0.3, 0.4])
    np.testing.assert_allclose(weights[1:] / weights[0], [0.3, 0.4], rtol=1e-6)
    with pytest.raises(ValueError, match=r"tau has shape \(2,\), expected \(1,\)"):
        mmp.weightings.pcd(tau=[0.3, 0.4]).init(2)
    with pytest.raises(ValueError, match=r"tau must be in \[0, 1\]"):
        mmp.weightings.pcd(tau=[0.3, 1.4])


def test_a_gradient_that_is_not_finite_shows():
    for bad in (np.nan, np.inf):
        gramian = np.eye(3, dtype=np.float32)
        gramian[1, 1] = bad
        weighting = mmp.weightings.pcd()
        assert np.isnan(weighting.update(gramian, weighting.init(3))[0]).all()


def test_a_float32_run_stays_near_the_float64_one():
    assert_float32_stays_near_float64(mmp.weightings.pcd())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tau": -0.1}, r"tau must be in \[0, 1\], got -0\.1"),
        ({"beta": 1.0}, r"beta must be in \[0, 1\), got 1\.0"),
        ({"eps": -1e-8}, r"eps must be finite and at least 0, got -1e-08"),
    ],
)
def test_hyper_parameters_out_of_range_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        mmp.weightings.pcd(**options)


def test_the_weights_have_a_derivative():
    weighting = mmp.weightings.pcd()
    gramian = jnp.array([[1.0, -0.5], [-0.5, 2.0]])
    slope = jax.grad(lambda m: weighting.update(m, weighting.init(2))[0].sum())(gramian)
    assert np.isfinite(slope).all()
