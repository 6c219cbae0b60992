"""Figure 2: how MMPareto integrates two gradients, without and in conflict."""

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

import mmpareto_jax as mmp
from experiments.markdown import grid
from experiments.reports.archive import Records
from experiments.reports.paper.evidence import GAMMA, Item
from experiments.reports.paper.exhibit import Exhibit, Scope
from experiments.reports.paper.magnitudes import COLORS as GRADIENT_COLORS
from experiments.reports.pictures import color_of, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CASES = {
    "no conflict": ((0.8, 0.3), (0.6, 1.6)),
    "conflict": ((0.8, 0.1), (-1.0, 1.5)),
}
"""By case, a joint and a longer unimodal gradient, each a vector ``[2]``."""

COLORS = {
    "uniform": color_of("uniform"),
    "conventional Pareto": color_of("pareto"),
    "MMPareto": color_of("mmpareto"),
}

METHODS = {
    "uniform": mmp.weightings.uniform(),
    "conventional Pareto": mmp.weightings.min_norm(),
    "MMPareto": mmp.weightings.mmpareto(gamma=GAMMA),
}


def needs(scope: Scope) -> list[Item]:
    """Return an empty list: the figure is computed when it is drawn."""
    del scope
    return []


def integrated(case: str) -> dict[str, np.ndarray]:
    """Combine the two gradients of a case by each of the three methods.

    Args:
      case: A key of ``CASES``.

    Returns:
      The combined gradient ``[2]``, by title of the method.
    """
    gradients = jnp.array(CASES[case])
    found = {}
    for name, weighting in METHODS.items():
        weights, _ = weighting.update(gradients @ gradients.T, weighting.init(2))
        found[name] = np.asarray(weights @ gradients)
    return found


def text(scope: Scope, records: Records) -> str:
    """Return a table of each combined gradient's norm and inner products with the two gradients."""
    del scope, records
    rows = [
        [
            case,
            name,
            f"{np.linalg.norm(vector):.2f}",
            *(f"{vector @ np.array(gradient):+.2f}" for gradient in CASES[case]),
        ]
        for case in CASES
        for name, vector in integrated(case).items()
    ]
    return (
        "An illustration, computed by the library: two gradients and what three methods make of "
        "them. A negative inner product means that the step is uphill on that loss.\n\n"
        + grid(["case", "method", "norm", "times joint", "times unimodal"], rows)
    )


def draw(scope: Scope, records: Records) -> "Figure":
    """Return the figure with a panel for each case, all vectors as arrows from the origin."""
    del scope, records
    figure, axes = panels(len(CASES))
    for panel, (case, (joint, unimodal)) in zip(axes, CASES.items(), strict=True):
        _arrow(panel, joint, GRADIENT_COLORS["joint"], "joint gradient")
        _arrow(panel, unimodal, GRADIENT_COLORS["unimodal"], "unimodal gradient")
        for name, vector in integrated(case).items():
            linestyle = "--" if name == "uniform" else "-"
            _arrow(panel, vector, COLORS[name], name, linestyle)
        panel.set_title(case)
        panel.set_aspect("equal")
        panel.set_xlim(-1.4, 2.6)
        panel.set_ylim(-0.4, 3.2)
        panel.set_xlabel("first parameter")
    axes[0].set_ylabel("second parameter")
    axes[0].legend(fontsize="small", frameon=False, loc="upper left")
    return figure


def _arrow(panel: "Axes", vector: Any, color: str, label: str, linestyle: str = "-") -> None:
    panel.annotate(
        "",
        xy=tuple(vector),
        xytext=(0, 0),
        arrowprops={"arrowstyle": "->", "color": color, "lw": 1.8, "ls": linestyle},
    )
    panel.plot([], [], color=color, ls=linestyle, label=label)


EXHIBIT = Exhibit("How MMPareto integrates two gradients", needs, text, draw)
