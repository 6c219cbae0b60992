"""Table 1: methods against imbalanced multimodal learning."""

from experiments.methods import TABLE_1
from experiments.reports.paper.comparison_table import ABLATION, Block, Column, blocks_of, exhibit

ROWS = (*TABLE_1, ABLATION)

TITLES = {"crema-d": "CREMA-D", "kinetics-sounds": "Kinetics Sounds"}

SOUND_AND_SIGHT = (
    Column("acc.", "joint"),
    Column("acc. audio", "audio"),
    Column("acc. video", "video"),
)

PUBLISHED = {
    "unimodal": ((None, 61.69, 56.05), (None, 53.63, 49.20)),
    "pretrain-finetune": ((71.51, 60.08, 60.22), (68.75, 53.49, 50.07)),
    "joint": ((66.13, 59.27, 36.56), (64.61, 52.03, 35.47)),
    "uniform": ((71.10, 63.44, 51.34), (68.31, 53.20, 40.55)),
    "g-blending": ((72.01, 60.62, 52.23), (68.90, 52.11, 41.35)),
    "ogm-ge": ((69.19, 56.99, 40.05), (66.79, 51.09, 37.86)),
    "greedy": ((67.61, 60.69, 38.17), (65.32, 50.58, 35.97)),
    "pmr": ((66.32, 59.95, 32.53), (65.70, 52.47, 34.52)),
    "agm": ((70.06, 60.38, 37.54), (66.17, 51.31, 34.83)),
    "mmpareto": ((75.13, 65.46, 55.24), (70.13, 56.40, 53.05)),
}
"""The paper's three accuracies (percent) by method, in each setting in the order of ``TITLES``;
None where it prints none."""

DIGITS = Block(
    "Colored-and-gray digits, which the paper does not have here",
    "cg-digits",
    (
        Column("acc.", "joint"),
        Column("macro F1", "joint", "macro_f1"),
        Column("acc. gray", "gray"),
        Column("acc. color", "color"),
    ),
    (*ROWS, "pareto"),
    {},
)

EXHIBIT = exhibit(
    "Methods against imbalanced multimodal learning",
    (*blocks_of(TITLES, SOUND_AND_SIGHT, ROWS, PUBLISHED), DIGITS),
    "\\*: a linear probe on the frozen encoder, where the method trains no head for the modality "
    "(the paper fine-tunes a linear classifier there).",
)
