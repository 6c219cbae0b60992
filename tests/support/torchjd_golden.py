"""What TorchJD 0.18 made of some Jacobians, in float64: `tests/golden/reference.npz`."""

from functools import cache
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parents[1] / "golden" / "reference.npz"


@cache
def archive():
    with np.load(GOLDEN) as archive:
        return dict(archive)


def golden_cases(method, count=None):
    """`(name, Jacobian, update)` of each case of this method, of `count` objectives or any."""
    names = [key.removesuffix("/jacobian") for key in archive() if key.endswith("/jacobian")]
    cases = [
        (name, archive()[f"{name}/jacobian"], archive()[f"{name}/{method}"])
        for name in names
        if f"{name}/{method}" in archive()
    ]
    return [case for case in cases if count in (None, len(case[1]))]
