"""Table 5: multi-task methods on MultiMNIST."""

from experiments.reports.paper.comparison_table import Block, Column, exhibit
from experiments.reports.paper.tables.table_4 import METHODS

MULTI_MNIST = Block(
    "MultiMNIST with 50 % salt-and-pepper noise on the right digit",
    "multi-mnist",
    (
        Column("task 1 (left)", "left"),
        Column("task 2 (right)", "right"),
        Column("macro F1, left", "left", "macro_f1"),
        Column("macro F1, right", "right", "macro_f1"),
    ),
    METHODS,
    {
        "uniform": (86.63, 78.42, None, None),
        "pareto": (86.95, 77.04, None, None),
        "gradnorm": (85.95, 79.52, None, None),
        "pcgrad": (84.74, 76.44, None, None),
        "metabalance": (87.07, 79.53, None, None),
        "mmpareto": (87.72, 80.64, None, None),
    },
)

EXHIBIT = exhibit("Multi-task methods on MultiMNIST", (MULTI_MNIST,))
