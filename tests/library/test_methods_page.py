"""docs/methods.md says of every method what is so."""

import inspect
import re

import jax
import jax.numpy as jnp
import pytest
from methods_page import COORDINATEWISE_ROWS, WEIGHTING_ROWS
from promises import COORDINATEWISE, PROMISES, WEIGHTINGS, make

import mmpareto_jax as mmp

FACTORIES = {
    name: factory
    for name, factory in inspect.getmembers(mmp.weightings, inspect.isfunction)
    if name not in mmp.weightings.COMBINATORS
} | {
    "grad_drop": mmp.grad_drop,
    "trimmed_mean": mmp.trimmed_mean,
}
ROWS = WEIGHTING_ROWS | COORDINATEWISE_ROWS
all_methods = pytest.mark.parametrize("name", ROWS)
all_weightings = pytest.mark.parametrize("name", WEIGHTINGS)


def test_the_page_has_a_row_for_every_method_and_no_other():
    assert set(ROWS) == set(FACTORIES)
    assert list(WEIGHTING_ROWS) == sorted(WEIGHTING_ROWS) == list(WEIGHTINGS)
    assert list(COORDINATEWISE_ROWS) == list(COORDINATEWISE)


@all_weightings
def test_the_row_has_the_promises_that_the_tests_hold(name):
    assert ROWS[name].promises == PROMISES[name]


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


DEFAULTS = {
    "aligned_mtl": {"scale": "min", "preference": None},
    "cagrad": {"c": 0.5},
    "config": {"preference": None},
    "constant": {},
    "dual_proj": {"preference": None},
    "dwa": {"temperature": 2.0, "period": 1},
    "fairgrad": {"alpha": 1.0},
    "famo": {"learning_rate": 0.025, "weight_decay": 1e-3},
    "geometric_mean": {},
    "grad_drop": {"leak": 0.0},
    "gradnorm": {"alpha": 1.5, "learning_rate": 0.025},
    "gradvac": {"beta": 0.01},
    "imtl_g": {},
    "krum": {"n_byzantine": 0, "n_selected": 1},
    "mean": {},
    "metabalance": {"relax": 0.7, "decay": 0.9},
    "min_norm": {},
    "mmpareto": {"gamma": 1.5},
    "moco": {"gamma": 0.1, "gamma_decay": 0.5, "rho": 0.0},
    "nash_mtl": {"max_norm": 1.0, "update_every": 1},
    "pcd": {"tau": 0.02, "beta": 0.999, "eps": 1e-8},
    "pcgrad": {},
    "random": {},
    "sdmgrad": {
        "lam": 0.3,
        "iterations": 20,
        "learning_rate": 10.0,
        "momentum": 0.5,
        "preference": None,
    },
    "stch": {"mu": 1.0, "preference": None, "ideal": None},
    "trimmed_mean": {"fraction": 0.2},
    "uncertainty": {"learning_rate": 2.5e-3},
    "uniform": {"scale": 1.0},
    "upgrad": {"preference": None},
}
"""The published values: of the paper, or else of the released code; the docstrings say whose."""

OURS = {"encoders", "num_objectives", "seed"}


@all_methods
def test_the_defaults_are_the_published_ones(name):
    parameters = inspect.signature(FACTORIES[name]).parameters.values()
    found = {p.name: p.default for p in parameters if p.default is not p.empty}
    assert {key: value for key, value in found.items() if key not in OURS} == DEFAULTS[name]
