"""`rescale="leaf"` against outputs of the authors' released code (float64, gamma 1.5)."""

from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference import released_rule

import mmpareto_jax as mmp

GAMMA = 1.5
GOLDEN = Path(__file__).parents[1] / "golden" / "reference.npz"
TENSORS = ("conv", "scale", "dense")
CASES = [f"official_{i}" for i in range(12)]

cases = pytest.mark.parametrize("case", CASES)


@cache
def golden():
    with np.load(GOLDEN) as archive:
        return {key: archive[key] for key in archive.files if key.startswith("official_")}


def tensors(case, kind):
    return {name: golden()[f"{case}/{kind}/{name}"] for name in TENSORS}


@cache
def step(rescale):
    encoder = mmp.Encoder(params="enc", objectives=("joint", "uni"))
    tx = mmp.mmpareto({"enc": encoder}, gamma=GAMMA, rescale=rescale)

    @jax.jit
    def run(gradients):
        params = jax.tree.map(lambda leaf: jnp.zeros_like(leaf[0]), gradients)
        updates, state = tx.update(gradients, tx.init(params), params)
        return updates["enc"], mmp.diagnostics(state)["enc"]

    return run


def integrate(gm, gu, rescale="leaf"):
    """The library's update of one encoder, and its diagnostics, in float64."""
    gradients = {"enc": {name: np.stack([gm[name], gu[name]]) for name in gm}}
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, step(rescale)(gradients))


def vectors(*values):
    return {f"tensor_{i}": np.array(value, np.float64) for i, value in enumerate(values)}


def test_every_golden_case_is_tested():
    assert {key.split("/")[0] for key in golden()} == set(CASES)


@cases
def test_transcription_equals_the_released_code(case):
    update, alpha, cosine = released_rule(tensors(case, "gm"), tensors(case, "gu"), GAMMA)
    np.testing.assert_allclose(alpha, golden()[f"{case}/weights"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(cosine, golden()[f"{case}/cosine"], rtol=0, atol=1e-12)
    for name, expected in tensors(case, "update").items():
        np.testing.assert_allclose(update[name], expected, rtol=1e-12, atol=1e-12)


@cases
def test_leaf_rescaling_equals_the_released_code(case):
    updates, _ = integrate(tensors(case, "gm"), tensors(case, "gu"))
    for name, expected in tensors(case, "update").items():
        np.testing.assert_allclose(updates[name], expected, rtol=1e-10, atol=1e-10)


@cases
def test_cosine_is_that_of_the_whole_encoder(case):
    _, report = integrate(tensors(case, "gm"), tensors(case, "gu"))
    np.testing.assert_allclose(report.cosine, golden()[f"{case}/cosine"], rtol=0, atol=1e-10)
    assert bool(report.conflict) == (golden()[f"{case}/cosine"] < 0)


def test_golden_cases_hold_a_tensor_that_is_not_enlarged():
    # alpha favors the objective that is long in this tensor: the plain sum is the shorter
    gm, gu = tensors("official_8", "gm")["scale"], tensors("official_8", "gu")["scale"]
    update = tensors("official_8", "update")["scale"]
    assert np.linalg.norm(update) > 1.01 * GAMMA * np.linalg.norm(gm + gu)


@pytest.mark.parametrize(
    ("rescale", "expected"),
    [("encoder", [1.5, 3.0]), ("leaf", [3.0, 1.5])],
)
def test_a_cosine_of_zero_is_a_conflict_for_the_released_code_only(rescale, expected):
    # Eq. 5 gives alpha = (0.8, 0.2): (1.6, 0.8), enlarged by sqrt(5) / sqrt(3.2) = 1.25
    updates, _ = integrate(vectors([1, 0]), vectors([0, 2]), rescale)
    np.testing.assert_allclose(updates["tensor_0"], expected, rtol=1e-12)


def test_a_tensor_without_gradients_gets_a_zero_update():
    updates, _ = integrate(vectors([0, 0], [1, 0]), vectors([0, 0], [-1, 1]))
    assert not updates["tensor_0"].any()
    assert np.isfinite(updates["tensor_1"]).all()


def test_a_tensor_where_the_weighted_gradients_cancel_stays_finite():
    # alpha = (0.8, 0.2) for the encoder, and 0.8 * 1 = 0.2 * 4 in its first tensor
    updates, _ = integrate(vectors([1], [1, 0]), vectors([-4], [0, 2]))
    assert abs(updates["tensor_0"][0]) <= GAMMA * 3 * (1 + 1e-12)
    assert np.isfinite(updates["tensor_1"]).all()


def test_opposite_gradients_are_stationary():
    updates, report = integrate(vectors([1, 2], [3]), vectors([-2, -4], [-6]))
    assert report.stationary
    assert not any(update.any() for update in updates.values())


@pytest.mark.parametrize("zero", [0, 1])
def test_one_zero_gradient_leaves_gamma_times_the_other(zero):
    # the released solver stops at alpha = 0.999 here, and its rescaling undoes the 0.001
    pair = [vectors([0, 0], [0]), vectors([1, 2], [3])]
    updates, _ = integrate(pair[zero], pair[1 - zero])
    for name, gradient in pair[1].items():
        np.testing.assert_allclose(updates[name], GAMMA * gradient, rtol=1e-12)
