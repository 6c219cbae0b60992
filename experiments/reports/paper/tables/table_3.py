"""Table 3: multi-task methods on multimodal data."""

from experiments.reports.paper.comparison_table import JOINT, blocks_of, exhibit
from experiments.reports.paper.tables import table_4

METHODS = ("joint", *table_4.METHODS)

TITLES = {
    "cg-mnist": "CG-MNIST",
    "modelnet40": "ModelNet40",
    "kinetics-sounds": "Kinetics Sounds",
}

PUBLISHED = {
    "joint": ((60.50, 59.89), (87.88, 83.32), (64.61, 64.12)),
    "uniform": ((75.68, 75.66), (89.18, 84.69), (68.31, 68.13)),
    "pareto": ((62.00, 61.85), (88.05, 83.01), (66.64, 66.17)),
    "gradnorm": ((76.16, 76.12), (88.98, 83.79), (65.84, 65.14)),
    "pcgrad": ((79.35, 77.14), (89.59, 84.44), (69.11, 68.75)),
    "metabalance": ((79.18, 77.87), (89.63, 84.87), (68.90, 68.62)),
    "mmpareto": ((81.88, 81.69), (89.95, 85.15), (70.13, 70.18)),
}
"""The paper's accuracy and macro F1 (percent) by method, in each setting in the order of
``TITLES``."""

EXHIBIT = exhibit(
    "Multi-task methods on multimodal data",
    blocks_of(TITLES, JOINT, METHODS, PUBLISHED),
)
