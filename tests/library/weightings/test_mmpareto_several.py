"""`mmpareto` of more than two objectives."""

import numpy as np
import pytest
from gramians import dtypes
from pairs import ACCURACY, GAMMA, OPPOSITION, WIDE, controlled_pair, integrate
from properties import assert_opposes_none, relative_error
from reference import mmpareto_pair, mmpareto_stack

several = pytest.mark.parametrize("count", [3, 4, 5])


def random_stacks(count, dtype):
    """In conflict and not, with no product so near to zero that rounding decides its sign."""
    rng = np.random.default_rng(count)
    stacks = []
    while len(stacks) < 60:
        stack = rng.standard_normal((count, 16)) + rng.choice([0.0, 0.3, 2.0])
        stack *= np.exp(rng.uniform(-1.0, 1.0, (count, 1)))
        unit = stack / np.linalg.norm(stack, axis=1, keepdims=True)
        if np.abs(unit @ unit.T).min() >= 1e-3:
            stacks.append(stack.astype(dtype))
    return stacks


@dtypes
@several
def test_several_objectives_are_integrated_by_our_reading(dtype, count):
    conflicts = []
    for stack in random_stacks(count, dtype):
        update, report = integrate(stack)
        assert relative_error(update, mmpareto_stack(stack, GAMMA)) <= ACCURACY[dtype, WIDE]
        conflict = bool((stack.astype(np.float64) @ stack.T < 0).any())
        assert bool(report.conflict) == conflict
        assert not report.stationary
        conflicts.append(conflict)
    assert 10 <= sum(conflicts) <= 50  # the sample holds both cases


@dtypes
@several
def test_several_objectives_are_never_opposed(dtype, count):
    for stack in random_stacks(count, dtype):
        assert_opposes_none(integrate(stack).update, stack, OPPOSITION[dtype])


@dtypes
@several
def test_permuting_several_objectives_changes_nothing(dtype, count):
    rng = np.random.default_rng(9)
    for stack in random_stacks(count, dtype)[:20]:
        update = integrate(stack).update
        permuted = integrate(stack[rng.permutation(count)]).update
        assert relative_error(permuted, update) <= ACCURACY[dtype, WIDE]


@dtypes
def test_gradients_that_surround_zero_are_stationary(dtype):
    rng = np.random.default_rng(10)
    first, second = rng.integers(-8, 9, (2, 10)).astype(np.float64)
    stack = np.stack([first, second, -(first + second)]).astype(dtype)
    update, report = integrate(stack)
    assert report.stationary
    assert not update.any()


@dtypes
def test_two_of_three_equal_gradients_are_integrated(dtype):
    pair = controlled_pair(np.random.default_rng(11), 16, -0.5, 2.0, dtype)
    stack = pair[[0, 1, 1]]
    direction = mmpareto_pair(*pair.astype(np.float64), 1.0).update
    norm = GAMMA * np.linalg.norm(stack.astype(np.float64).sum(axis=0))
    expected = direction / np.linalg.norm(direction) * norm
    assert relative_error(integrate(stack).update, expected) <= ACCURACY[dtype, WIDE]
