"""Complex parameters count as two real ones, their real and their imaginary part.

``jax.grad`` of a real loss gives ``dL/dx - i dL/dy`` for a parameter ``x + i y``.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiling import quick_jit
from promises import WEIGHTINGS, make

import mmpareto_jax as mmp

COUNT = 2
STEPS = 3


def gradients():
    """Gradients of some steps: of a complex and a real tensor, and of three real ones."""
    rng = np.random.default_rng(0)
    x, y, real = (rng.standard_normal((STEPS, COUNT, 4)).astype(np.float32) for _ in range(3))
    for part in (x, y, real):
        part[:, 1] -= 0.8 * part[:, 0]  # in conflict
    return {"z": x + 1j * y, "real": real}, {"x": x, "y": y, "real": real}


LOSSES = np.random.default_rng(1).uniform(0.2, 2, (STEPS, COUNT)).astype(np.float32)


def updates_of(tx, grads):
    params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape[2:], leaf.dtype), grads)

    def step(state, inputs):
        updates, state = tx.update(inputs[0], state, params, losses=inputs[1])
        return state, updates

    return jax.lax.scan(step, tx.init(params), (grads, LOSSES))[1]


@pytest.mark.parametrize(
    "tx",
    [
        *(pytest.param(mmp.aggregate(make(name, COUNT)), id=name) for name in WEIGHTINGS),
        pytest.param(mmp.track_gradients(rate=0.3), id="track_gradients"),
        pytest.param(mmp.trimmed_mean(), id="trimmed_mean"),
    ],
)
def test_a_complex_tensor_counts_as_two_real_ones(tx):
    in_complex, in_real = gradients()
    found, expected = quick_jit(lambda: (updates_of(tx, in_complex), updates_of(tx, in_real)))()
    assert found["z"].dtype == jnp.complex64
    np.testing.assert_allclose(found["z"].real, expected["x"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["z"].imag, expected["y"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["real"], expected["real"], rtol=1e-4, atol=1e-5)


def test_the_released_rule_rescales_a_complex_tensor_as_one():
    tx = mmp.mmpareto(rescale="leaf")
    in_complex, _ = gradients()

    def stacked(z):
        return jnp.concatenate([z.real, z.imag], axis=-1)

    both = {"z": stacked(in_complex["z"]), "real": in_complex["real"]}
    found, expected = quick_jit(lambda: (updates_of(tx, in_complex), updates_of(tx, both)))()
    np.testing.assert_allclose(stacked(found["z"]), expected["z"], rtol=1e-5)
    np.testing.assert_allclose(found["real"], expected["real"], rtol=1e-5)


def test_grad_drop_draws_a_sign_for_each_part():
    given = gradients()[0]
    found = np.asarray(quick_jit(lambda: updates_of(mmp.grad_drop(), given)["z"])())
    positive = {}
    for part in ("real", "imag"):
        entries, kept = getattr(given["z"], part), getattr(found, part)
        positive[part] = np.isclose(kept, np.clip(entries, 0, None).sum(1))
        assert np.all(positive[part] | np.isclose(kept, np.clip(entries, None, 0).sum(1)))
    assert np.any(positive["real"] != positive["imag"])


def test_the_sum_keeps_its_imaginary_part():
    tx = mmp.aggregate(mmp.weightings.uniform())
    grads = jnp.array([[1 + 1j, 0], [0, 2j]], jnp.complex64)
    updates, state = tx.update(grads, tx.init(jnp.zeros(2, jnp.complex64)))
    np.testing.assert_array_equal(updates, [1 + 1j, 2j])
    seen = mmp.diagnostics(state)["all"]
    assert seen.gramian.dtype == seen.weights.dtype == jnp.float32
    np.testing.assert_array_equal(seen.gramian, [[2, 0], [0, 4]])


def test_double_precision_is_kept_beside_single():
    with jax.enable_x64(True):
        params = {"z": jnp.zeros(2, jnp.complex128), "real": jnp.zeros(2, jnp.float32)}
        grads = jax.tree.map(lambda leaf: jnp.stack([leaf + 1, leaf + 1e-9]), params)
        tx = mmp.mmpareto()
        updates, state = jax.eval_shape(lambda: tx.update(grads, tx.init(params)))
    assert state.partition.inner_states["all"].inner_state.gramian.dtype == np.float64
    assert updates["z"].dtype == np.complex128
    assert updates["real"].dtype == np.float32


def test_complex_gradients_on_shards():
    z = jnp.asarray(gradients()[0]["z"][0])

    def update(grads, **where):
        tx = mmp.mmpareto(**where)
        return tx.update(grads, tx.init(grads[0]))[0]

    expected = update(z)
    parts = jnp.stack([z[:, :2], z[:, 2:]])
    found = jax.vmap(lambda z: update(z, axis_name="model"), axis_name="model")(parts)
    np.testing.assert_allclose(jnp.concatenate(found), expected, rtol=1e-5)
    scattered = jax.shard_map(
        lambda z: update(z, average_over="data"),
        mesh=jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,)),
        in_specs=jax.P(),
        out_specs=jax.P(),
        check_vma=False,
    )
    np.testing.assert_allclose(scattered(z), expected, rtol=1e-5)


# ---------------------------------------------------------------- from losses


ENCODERS = {"net": mmp.Encoder(params="net", objectives=("joint", "own"))}


def encode(params, data):
    return {"net": data @ params["net"]}


def losses(params, features, data):
    del data
    z = features["net"]
    return {
        "joint": jnp.mean(jnp.abs(z @ params["head"] - 1) ** 2),
        "own": jnp.mean(jnp.abs(z + 2j) ** 2),
    }


def from_parts(params):
    return params | {"net": jax.lax.complex(*params["net"])}


@pytest.fixture(scope="module")
def in_complex_and_in_parts():
    """Gradients of one step by each way to them, of a complex network and of its two parts."""
    rng = np.random.default_rng(2)
    x, y, real, imaginary = rng.standard_normal((4, 3, 3)).astype(np.float32)
    data, head = real + 1j * imaginary, jnp.array([1, 1j, -1], jnp.complex64)
    weighting = mmp.weightings.mmpareto()

    def gradients(params, encode, losses):
        def whole(params, data):
            return losses(params, encode(params, data), data)

        def integrated(strategy):
            given = mmp.Features(encode, losses) if strategy == "features" else whole
            integrator = mmp.integrate(given, ENCODERS, weighting, strategy=strategy)
            return integrator.value_and_grad(params, integrator.init(params), data)[1]

        tx = mmp.mmpareto(ENCODERS)
        by_objective = mmp.value_and_objective_grads(whole, ENCODERS)
        accumulated = mmp.accumulate(by_objective, 3)(params, data)[1]
        return {
            **{name: integrated(name) for name in ("stacked", "gramian", "features")},
            "aggregate": tx.update(by_objective(params, data)[1], tx.init(params))[0],
            "accumulate": tx.update(accumulated, tx.init(params))[0],
            "jax.grad": jax.grad(lambda params: sum(whole(params, data).values()))(params),
        }

    def encode_parts(params, data):
        z = encode(from_parts(params), data)["net"]
        return {"net": (z.real, z.imag)}

    def losses_of_parts(params, features, data):
        return losses(from_parts(params), from_parts(features), data)

    return quick_jit(
        lambda: (
            gradients({"net": jax.lax.complex(x, y), "head": head}, encode, losses),
            gradients({"net": (x, y), "head": head}, encode_parts, losses_of_parts),
        )
    )()


@pytest.mark.parametrize(
    "way", ["stacked", "gramian", "features", "aggregate", "accumulate", "jax.grad"]
)
def test_every_way_from_losses_gives_the_gradient_of_both_parts(in_complex_and_in_parts, way):
    found, expected = (gradients[way] for gradients in in_complex_and_in_parts)
    x, y = expected["net"]
    assert np.any(np.abs(y) > 0.1)
    np.testing.assert_allclose(found["net"], np.asarray(x) - 1j * np.asarray(y), rtol=1e-4)
    np.testing.assert_allclose(found["head"], expected["head"], rtol=1e-4)
    if way != "jax.grad":
        plain = in_complex_and_in_parts[0]["jax.grad"]["head"]
        np.testing.assert_allclose(found["head"], plain, rtol=1e-6)  # sums in another order


def given_and_gradients():
    """Linear losses of tensors of several dtypes, and the gradients that `jax.grad` has of them."""
    rng = np.random.default_rng(4)
    rows = {
        "half": rng.integers(-3, 4, (COUNT, 5)).astype(jnp.bfloat16),
        "single": rng.standard_normal((COUNT, 2, 2)).astype(np.float32),
        "complex": (rng.standard_normal((COUNT, 3)) + 1j * rng.standard_normal((COUNT, 3))).astype(
            np.complex64
        ),
    }

    def losses(params):
        def value(index):
            terms = [
                jnp.sum((leaf * row[index]).real.astype("f"))
                for leaf, row in zip(jax.tree.leaves(params), jax.tree.leaves(rows), strict=True)
            ]
            return sum(terms[1:], terms[0])

        return {"joint": value(0), "own": value(1)}

    return losses, rows


@pytest.mark.parametrize("way", ["stacked", "gramian", "features", "aggregate"])
def test_tensors_of_several_dtypes_keep_them_and_share_a_gramian(way):
    losses, rows = given_and_gradients()
    params = {"net": jax.tree.map(lambda row: jnp.ones(row.shape[1:], row.dtype), rows)}
    encoders = {"net": mmp.Encoder("net", ("joint", "own"))}
    weighting = mmp.weightings.constant([1.0, 2.0])
    whole = lambda params: losses(params["net"])
    if way == "aggregate":
        tx = mmp.aggregate(weighting, encoders)
        _, grads = mmp.value_and_objective_grads(whole, encoders)(params)
        grads, state = tx.update(grads, tx.init(params))
    else:
        given = whole
        if way == "features":
            given = mmp.Features(dict, lambda _, features: losses(features["net"]))
        integrator = mmp.integrate(given, encoders, weighting, strategy=way)
        _, grads, state = integrator.value_and_grad(params, integrator.init(params))
    flat = [np.reshape(row, (COUNT, -1)).astype(complex) for row in jax.tree.leaves(rows)]
    gramian = sum((row @ row.conj().T).real for row in flat)
    np.testing.assert_allclose(mmp.diagnostics(state)["net"].gramian, gramian, rtol=1e-6)
    for name, row in rows.items():
        assert grads["net"][name].dtype == row.dtype
        expected = row[0].astype(complex) + 2 * row[1].astype(complex)
        np.testing.assert_allclose(grads["net"][name].astype(complex), expected, rtol=1e-6)


def test_tracked_means_of_complex_parameters_stay_complex_for_real_gradients():
    tx = mmp.track_gradients(rate=0.5)
    params = jnp.ones(2, jnp.complex64)
    first = jnp.array([[1 + 2j, 3 - 1j], [2j, 1]], jnp.complex64)
    second = jnp.array([[4.0, 2.0], [0.0, -2.0]])
    _, state = tx.update(first, tx.init(params), params)
    updates, _ = tx.update(second, state, params)
    expected = np.asarray(first) / 4 + np.asarray(second) / 2
    np.testing.assert_allclose(updates, expected, rtol=1e-6)
    assert updates.dtype == jnp.complex64
