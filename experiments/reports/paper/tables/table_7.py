"""Table 7: more than two modalities."""

from experiments.methods import TABLE_1
from experiments.reports.paper.comparison_table import ABLATION, JOINT, Block, exhibit
from experiments.reports.paper.tables import table_3

METHODS = (*TABLE_1[TABLE_1.index("joint") :], ABLATION)
"""The methods of Table 1 without the two that train each modality by itself, and our ablation."""

MOSI = Block(
    "CMU-MOSI, three modalities",
    "cmu-mosi",
    JOINT,
    METHODS,
    {
        "joint": (75.07, 73.16),
        "uniform": (75.95, 73.93),
        "g-blending": (76.16, 74.65),
        "ogm-ge": (75.80, 74.71),
        "pmr": (76.28, 75.06),
        "agm": (76.08, 74.98),
        "mmpareto": (76.53, 75.59),
    },
)

VIEWS = Block(
    "Six views of digits, which the paper does not have",
    "uci-mfeat",
    JOINT,
    tuple(dict.fromkeys(METHODS + table_3.METHODS)),
    {},
)

EXHIBIT = exhibit(
    "More than two modalities",
    (MOSI, VIEWS),
    "/: the method does not admit so many modalities.",
)
