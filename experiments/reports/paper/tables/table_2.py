"""Table 2: methods of Table 1 on the transformer MBT, from scratch and from pretrained weights."""

from experiments.methods import TABLE_1
from experiments.reports.paper.comparison_table import ABLATION, JOINT, blocks_of, exhibit

METHODS = (*TABLE_1[TABLE_1.index("joint") :], ABLATION)
"""The methods of Table 1 without the two that train each modality by itself, and our ablation."""

TITLES = {
    "crema-d-mbt": "CREMA-D, from scratch",
    "crema-d-mbt-pretrained": "CREMA-D, with pretraining",
    "kinetics-sounds-mbt": "Kinetics Sounds, from scratch",
    "kinetics-sounds-mbt-pretrained": "Kinetics Sounds, with pretraining",
}

PUBLISHED = {
    "joint": ((44.96, 42.78), (66.69, 67.26), (42.51, 41.56), (68.30, 69.31)),
    "uniform": ((45.30, 43.74), (69.89, 70.11), (43.31, 43.08), (69.40, 69.60)),
    "g-blending": ((46.38, 45.16), (69.91, 70.01), (44.69, 44.19), (69.41, 69.47)),
    "ogm-ge": ((42.88, 39.34), (65.73, 65.88), (41.79, 41.09), (69.55, 69.53)),
    "greedy": ((44.49, 42.76), (66.67, 67.26), (43.31, 43.08), (69.62, 69.75)),
    "pmr": ((44.76, 42.95), (65.59, 66.07), (43.75, 43.21), (69.67, 69.87)),
    "agm": ((45.36, 43.81), (66.54, 67.75), (43.65, 43.57), (69.59, 69.14)),
    "mmpareto": ((48.66, 48.17), (70.43, 71.17), (45.20, 45.26), (70.28, 70.11)),
}
"""The paper's accuracy and macro F1 (percent) by method, in each setting in the order of
``TITLES``."""

EXHIBIT = exhibit(
    "Methods against imbalanced multimodal learning, on the transformer MBT",
    blocks_of(TITLES, JOINT, METHODS, PUBLISHED),
)
