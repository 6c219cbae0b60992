"""All tables and figures, in the order of the report."""

from experiments.reports.paper.exhibit import Exhibit
from experiments.reports.paper.figures import figure_1, figure_2, figure_3, figure_4, figure_5
from experiments.reports.paper.tables import (
    correlation,
    flatness,
    gamma,
    noise,
    table_1,
    table_2,
    table_3,
    table_4,
    table_5,
    table_7,
    table_8,
    table_9,
)

EXHIBITS: dict[str, Exhibit] = {
    "table 1": table_1.EXHIBIT,
    "table 2": table_2.EXHIBIT,
    "table 3": table_3.EXHIBIT,
    "table 4": table_4.EXHIBIT,
    "table 5": table_5.EXHIBIT,
    "table 7": table_7.EXHIBIT,
    "table 8": table_8.EXHIBIT,
    "table 9": table_9.EXHIBIT,
    "figure 1": figure_1.EXHIBIT,
    "figure 2": figure_2.EXHIBIT,
    "figure 3": figure_3.EXHIBIT,
    "figure 4": figure_4.EXHIBIT,
    "figure 5": figure_5.EXHIBIT,
    "table noise": noise.EXHIBIT,
    "table flatness": flatness.EXHIBIT,
    "table gamma": gamma.EXHIBIT,
    "table correlation": correlation.EXHIBIT,
}
