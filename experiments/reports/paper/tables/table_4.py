"""Table 4: multi-task methods on NYUv2."""

from experiments.reports.paper.comparison_table import Block, Column, exhibit

METHODS = (
    "uniform",
    "uniform-gamma",
    "pareto",
    "gradnorm",
    "pcgrad",
    "metabalance",
    "mmpareto",
    "mmpareto-released",
)

NYUV2 = Block(
    "NYUv2",
    "nyuv2",
    (
        Column("mean IoU", "segmentation", "mean_iou"),
        Column("pixel acc.", "segmentation", "pixel_accuracy"),
        Column("absolute error", "depth", "absolute_error", scale=1, digits=3),
        Column("relative error", "depth", "relative_error", scale=1, digits=3),
    ),
    METHODS,
    {
        "uniform": (25.80, 52.68, 0.6309, 0.2680),
        "pareto": (27.66, 53.91, 0.6284, 0.2685),
        "gradnorm": (26.17, 53.41, 0.6219, 0.2738),
        "pcgrad": (26.44, 53.93, 0.6337, 0.2658),
        "metabalance": (27.04, 53.99, 0.6258, 0.2677),
        "mmpareto": (26.35, 53.48, 0.6216, 0.2656),
    },
)

EXHIBIT = exhibit("Multi-task methods on NYUv2", (NYUV2,))
