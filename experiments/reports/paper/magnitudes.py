"""The histogram of the norms of mini-batch gradients, a panel of Figures 1d and 4b."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.reports.pictures import OTHER_COLORS, not_run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 30

COLORS = dict(zip(("joint", "unimodal"), OTHER_COLORS[2:], strict=False))


def draw(panel: "Axes", measured: Mapping[str, Any] | None, title: str) -> None:
    """Draw histograms of the norms of the joint and the unimodal gradients of an encoder.

    Both have the same 30 bins. Mini-batches whose norm is not finite are left out.

    Args:
      panel: The panel to draw in.
      measured: The dict that :func:`experiments.reports.paper.measurements.gradients.gradients`
        returns for the encoder; for None the panel says that it was not run.
      title: The title of the panel, such as "gray encoder". Behind it stands k, the variance of the
        unimodal over that of the joint gradient, if it is known.
    """
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_xlabel("gradient magnitude")
    panel.set_ylabel("mini-batches")
    if measured is None:
        panel.set_title(title)
        not_run(panel)
        return
    norms = {
        name: [norm for norm in measured["norms"][name] if norm is not None] for name in COLORS
    }
    edges = np.histogram_bin_edges([norm for each in norms.values() for norm in each], BINS)
    for name, color in COLORS.items():
        panel.hist(norms[name], bins=list(edges), color=color, alpha=0.6, label=name)
    panel.locator_params(axis="y", integer=True)
    k = measured["k"]
    panel.set_title(f"{title}, k = {k:.2g}" if k is not None else title)
    panel.legend(fontsize="small", frameon=False)
