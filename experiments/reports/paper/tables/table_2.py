"""Table 2: methods of Table 1 on the transformer MBT, from scratch and from pretrained weights."""

from experiments.methods import TABLE_1
from experiments.reports.paper.comparison_table import ABLATION, JOINT, Block, exhibit

METHODS = (*TABLE_1[TABLE_1.index("joint") :], ABLATION)
"""Those of Table 1 but for the two that train each modality by itself."""

PUBLISHED = {
    "crema-d-mbt": {
        "joint": (44.96, 42.78),
        "uniform": (45.30, 43.74),
        "g-blending": (46.38, 45.16),
        "ogm-ge": (42.88, 39.34),
        "greedy": (44.49, 42.76),
        "pmr": (44.76, 42.95),
        "agm": (45.36, 43.81),
        "mmpareto": (48.66, 48.17),
    },
    "crema-d-mbt-pretrained": {
        "joint": (66.69, 67.26),
        "uniform": (69.89, 70.11),
        "g-blending": (69.91, 70.01),
        "ogm-ge": (65.73, 65.88),
        "greedy": (66.67, 67.26),
        "pmr": (65.59, 66.07),
        "agm": (66.54, 67.75),
        "mmpareto": (70.43, 71.17),
    },
    "kinetics-sounds-mbt": {
        "joint": (42.51, 41.56),
        "uniform": (43.31, 43.08),
        "g-blending": (44.69, 44.19),
        "ogm-ge": (41.79, 41.09),
        "greedy": (43.31, 43.08),
        "pmr": (43.75, 43.21),
        "agm": (43.65, 43.57),
        "mmpareto": (45.20, 45.26),
    },
    "kinetics-sounds-mbt-pretrained": {
        "joint": (68.30, 69.31),
        "uniform": (69.40, 69.60),
        "g-blending": (69.41, 69.47),
        "ogm-ge": (69.55, 69.53),
        "greedy": (69.62, 69.75),
        "pmr": (69.67, 69.87),
        "agm": (69.59, 69.14),
        "mmpareto": (70.28, 70.11),
    },
}
"""By setting, by method: accuracy and macro F1."""

TITLES = {
    "crema-d-mbt": "CREMA-D, from scratch",
    "crema-d-mbt-pretrained": "CREMA-D, with pretraining",
    "kinetics-sounds-mbt": "Kinetics Sounds, from scratch",
    "kinetics-sounds-mbt-pretrained": "Kinetics Sounds, with pretraining",
}

EXHIBIT = exhibit(
    "Methods against imbalanced multimodal learning, on the transformer MBT",
    tuple(
        Block(title, setting, JOINT, METHODS, PUBLISHED[setting])
        for setting, title in TITLES.items()
    ),
)
