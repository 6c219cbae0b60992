"""Pairs of gradients at given angles, and what `mmp.mmpareto` makes of them."""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gramians import log_uniform
from reference import mmpareto_pair

import mmpareto_jax as mmp

GAMMA = 1.5
WIDE, NARROW = -0.9, -0.999  # cosines down to which the two accuracies are promised
ACCURACY = {("float32", WIDE): 1e-5, ("float32", NARROW): 1e-3}
ACCURACY |= {("float64", WIDE): 1e-10, ("float64", NARROW): 1e-8}
OPPOSITION = {"float32": 1e-3, "float64": 1e-8}
# how many pairs of each length, for 1,000 in all
LENGTHS = {10: 300, 32: 250, 100: 200, 316: 120, 1_000: 80, 10_000: 40}
LENGTHS |= {100_000: 8, 1_000_000: 2}
NAMES = ("joint", "uni", "third", "fourth", "fifth")


class Outcome(NamedTuple):
    """What the library made of one stack of gradients."""

    update: np.ndarray
    report: object  # the diagnostics of the encoder


@cache
def transformation(count, rescale="encoder"):
    """MMPareto of one encoder with so many objectives."""
    encoder = mmp.Encoder(params="enc", objectives=NAMES[:count])
    return mmp.mmpareto({"enc": encoder}, gamma=GAMMA, rescale=rescale)


@cache
def step(count, rescale):
    """A compiled step from gradients to the update and the diagnostics."""
    tx = transformation(count, rescale)

    @jax.jit
    def run(gradients):
        params = jax.tree.map(lambda leaf: jnp.zeros_like(leaf[0]), gradients)
        updates, state = tx.update(gradients, tx.init(params), params)
        return updates, mmp.diagnostics(state)["enc"]

    return run


def integrate_tree(tree, rescale="encoder"):
    """The update and the diagnostics for one encoder with leaves `[K, ...]`."""
    first = jax.tree.leaves(tree)[0]
    with jax.enable_x64(first.dtype == np.float64):
        updates, report = step(len(first), rescale)({"enc": tree})
        return Outcome(jax.tree.map(np.asarray, updates["enc"]), jax.tree.map(np.asarray, report))


def integrate(gradients):
    """The update and the diagnostics for gradients `[K, P]` of one tensor."""
    updates, report = integrate_tree({"w": gradients})
    return Outcome(updates["w"], report)


def controlled_pair(rng, length, cosine, ratio, dtype="float32", scale=1.0):
    """Two gradients `[2, length]` at a given cosine, the second `ratio` times as long."""
    first, second = rng.standard_normal((2, length))
    first /= np.linalg.norm(first)
    second -= (second @ first) * first
    second /= np.linalg.norm(second)
    other = cosine * first + np.sqrt((1.0 - cosine) * (1.0 + cosine)) * second
    return (scale * np.stack([first, ratio * other])).astype(dtype)


def random_pairs(dtype, floor):
    """Pairs that share 1,000 between the two ranges of the cosine, as (rng, length) -> pair."""
    rng = np.random.default_rng(int(-floor * 1000))
    for length, count in LENGTHS.items():
        for _ in range(count // 2):
            if floor == WIDE:
                cosine = rng.uniform(WIDE, 1.0)
                cosine = np.copysign(max(abs(cosine), 1e-3), cosine)  # the rule jumps at zero
            else:
                cosine = log_uniform(rng, 1.0 + NARROW, 1.0 + WIDE) - 1.0
            ratio, scale = log_uniform(rng, 1e-4, 1e4), log_uniform(rng, 1e-3, 1e3)
            yield controlled_pair(rng, length, cosine, ratio, dtype, scale)


def expected_pair(pair):
    """What Algorithm 1 makes of a pair, in float64."""
    return mmpareto_pair(pair[0].astype(np.float64), pair[1].astype(np.float64), GAMMA)
