"""docs/methods.md says of every method what is so."""

import re

import jax
import jax.numpy as jnp
import pytest
from methods_page import COORDINATEWISE, WEIGHTINGS, make

import mmpareto_jax as mmp

FACTORIES = {name: getattr(mmp.weightings, name) for name in mmp.weightings.__all__} | {
    "grad_drop": mmp.grad_drop,
    "trimmed_mean": mmp.trimmed_mean,
}
del FACTORIES["Weighting"]
ROWS = WEIGHTINGS | COORDINATEWISE
all_methods = pytest.mark.parametrize("name", ROWS)
all_weightings = pytest.mark.parametrize("name", WEIGHTINGS)


def test_the_page_has_a_row_for_every_method_and_no_other():
    assert set(ROWS) == set(FACTORIES)
    assert list(WEIGHTINGS) == sorted(WEIGHTINGS)
    assert set(COORDINATEWISE) == {"grad_drop", "trimmed_mean"}


@all_methods
def test_the_reference_is_that_of_the_docstring(name):
    for link in re.findall(r"\]\((\S+)\)", ROWS[name].reference):
        assert f"<{link}>" in FACTORIES[name].__doc__
    assert ("References:" in FACTORIES[name].__doc__) == (ROWS[name].reference != "–")


@all_weightings
def test_the_state_has_the_fields_of_the_row(name):
    state = make(name, 3).init(3)
    assert getattr(state, "_fields", ()) == ROWS[name].state


@pytest.mark.parametrize("name", COORDINATEWISE)
def test_the_coordinatewise_state_has_the_fields_of_the_row(name):
    state = FACTORIES[name]().init(jnp.zeros(2)).partition.inner_states["all"].inner_state
    assert state._fields == ROWS[name].state


def used_inputs(function, *arguments):
    """Which of the arguments, flattened, the results depend on."""
    jaxpr = jax.make_jaxpr(function)(*arguments).jaxpr
    needed = {var for var in jaxpr.outvars if not hasattr(var, "val")}
    for equation in reversed(jaxpr.eqns):
        if needed & set(equation.outvars):
            needed |= {var for var in equation.invars if not hasattr(var, "val")}
    return [var in needed for var in jaxpr.invars]


@all_weightings
def test_the_row_lists_what_the_weighting_reads(name):
    weighting = make(name, 3)
    # The state too: what a step puts there, the next one uses.
    gramian, losses, *_ = used_inputs(
        lambda gramian, losses, state: weighting.update(gramian, state, losses=losses),
        jnp.eye(3),
        jnp.ones(3),
        weighting.init(3),
    )
    key = "key" in getattr(weighting.init(3), "_fields", ())
    used = {"Gramian": gramian, "losses": losses, "key": key}
    assert ROWS[name].needs == {what for what, is_used in used.items() if is_used}


@all_weightings
def test_a_weighting_that_needs_losses_says_how_to_pass_them(name):
    weighting = make(name, 2)
    if "losses" in ROWS[name].needs:
        with pytest.raises(ValueError, match=rf"^{name} needs the losses: .*losses="):
            weighting.update(jnp.eye(2), weighting.init(2))
    else:
        weighting.update(jnp.eye(2), weighting.init(2))
