"""The methods of the library, and what each promises.

docs/methods.md says the same in words, which test_methods_page.py compares; test_conformance.py
holds every method to it.
"""

from enum import StrEnum

import mmpareto_jax as mmp


class Promise(StrEnum):
    """A property of a weighting, in the words of docs/methods.md."""

    LINEAR = "linear"
    EQUIVARIANT = "equivariant"
    UNIT_FREE = "unit-free"
    UNIT_FREE_UP_TO_SIGN = "unit-free up to sign if independent"
    NO_CONFLICT = "no conflict"
    NO_CONFLICT_IF_INDEPENDENT = "no conflict if independent"
    NO_CONFLICT_OF_TWO = "no conflict at K = 2"
    NO_CONFLICT_IN_A_WIDE_BALL = "no conflict for c >= 1"


P = Promise
PROMISES: dict[str, set[Promise]] = {
    "aligned_mtl": {P.LINEAR, P.EQUIVARIANT},
    "cagrad": {P.NO_CONFLICT_IN_A_WIDE_BALL, P.LINEAR, P.EQUIVARIANT},
    "config": {P.NO_CONFLICT_IF_INDEPENDENT, P.LINEAR, P.UNIT_FREE, P.EQUIVARIANT},
    "constant": {P.LINEAR},
    "dual_proj": {P.NO_CONFLICT, P.LINEAR, P.EQUIVARIANT},
    "dwa": {P.LINEAR, P.EQUIVARIANT},
    "fairgrad": {P.NO_CONFLICT, P.UNIT_FREE, P.EQUIVARIANT},
    "famo": {P.LINEAR, P.EQUIVARIANT},
    "geometric_mean": {P.LINEAR, P.EQUIVARIANT},
    "gradnorm": {P.EQUIVARIANT},
    "gradvac": {P.NO_CONFLICT_OF_TWO, P.LINEAR},
    "imtl_g": {P.LINEAR, P.UNIT_FREE_UP_TO_SIGN, P.EQUIVARIANT},
    "krum": {P.LINEAR},
    "mean": {P.LINEAR, P.EQUIVARIANT},
    "metabalance": {P.LINEAR},
    "min_norm": {P.NO_CONFLICT, P.LINEAR, P.EQUIVARIANT},
    "mmpareto": {P.NO_CONFLICT, P.LINEAR, P.EQUIVARIANT},
    "moco": {P.EQUIVARIANT},
    "nash_mtl": {P.NO_CONFLICT, P.UNIT_FREE, P.EQUIVARIANT},
    "pcd": {P.UNIT_FREE},
    "pcgrad": {P.NO_CONFLICT_OF_TWO, P.LINEAR},
    "random": {P.LINEAR},
    "sdmgrad": {P.LINEAR, P.EQUIVARIANT},
    "stch": {P.LINEAR, P.EQUIVARIANT},
    "uncertainty": {P.LINEAR, P.EQUIVARIANT},
    "uniform": {P.LINEAR, P.EQUIVARIANT},
    "upgrad": {P.NO_CONFLICT, P.LINEAR, P.EQUIVARIANT},
}
WEIGHTINGS = tuple(PROMISES)
COORDINATEWISE = ("grad_drop", "trimmed_mean")
"""Aggregators that work coordinate by coordinate."""


def make(name, num_objectives):
    """The weighting with its defaults."""
    if name == "constant":
        return mmp.weightings.constant([1.0 + i for i in range(num_objectives)])
    return getattr(mmp.weightings, name)()


def make_variant(name):
    """The weighting that a promise speaks of, or that makes it visible."""
    return {
        "cagrad": mmp.weightings.cagrad(c=1.0),  # a wide ball
        # At the published rate each call multiplies rounding errors by a thousand.
        "sdmgrad": mmp.weightings.sdmgrad(learning_rate=0.5),
    }[name]
