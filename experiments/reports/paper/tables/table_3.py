"""Table 3: multi-task methods on multimodal data."""

from experiments.reports.paper.comparison_table import JOINT, Block, exhibit
from experiments.reports.paper.tables import table_4

METHODS = ("joint", *table_4.METHODS)

PUBLISHED = {
    "cg-mnist": {
        "joint": (60.50, 59.89),
        "uniform": (75.68, 75.66),
        "pareto": (62.00, 61.85),
        "gradnorm": (76.16, 76.12),
        "pcgrad": (79.35, 77.14),
        "metabalance": (79.18, 77.87),
        "mmpareto": (81.88, 81.69),
    },
    "modelnet40": {
        "joint": (87.88, 83.32),
        "uniform": (89.18, 84.69),
        "pareto": (88.05, 83.01),
        "gradnorm": (88.98, 83.79),
        "pcgrad": (89.59, 84.44),
        "metabalance": (89.63, 84.87),
        "mmpareto": (89.95, 85.15),
    },
    "kinetics-sounds": {
        "joint": (64.61, 64.12),
        "uniform": (68.31, 68.13),
        "pareto": (66.64, 66.17),
        "gradnorm": (65.84, 65.14),
        "pcgrad": (69.11, 68.75),
        "metabalance": (68.90, 68.62),
        "mmpareto": (70.13, 70.18),
    },
}
"""By setting, by method: accuracy and macro F1."""

TITLES = {
    "cg-mnist": "CG-MNIST",
    "modelnet40": "ModelNet40",
    "kinetics-sounds": "Kinetics Sounds",
}

EXHIBIT = exhibit(
    "Multi-task methods on multimodal data",
    tuple(
        Block(title, setting, JOINT, METHODS, PUBLISHED[setting])
        for setting, title in TITLES.items()
    ),
)
