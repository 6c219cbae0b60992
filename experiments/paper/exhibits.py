"""All tables and figures, in the order of the report."""

from experiments.paper import (
    figure_1,
    figure_2,
    figure_3,
    figure_4,
    figure_5,
    table_1,
    table_2,
    table_3,
    table_4,
    table_5,
    table_7,
    table_8,
    table_9,
    table_correlation,
    table_flatness,
    table_gamma,
    table_noise,
)
from experiments.paper.exhibit import Exhibit

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
    "table noise": table_noise.EXHIBIT,
    "table flatness": table_flatness.EXHIBIT,
    "table gamma": table_gamma.EXHIBIT,
    "table correlation": table_correlation.EXHIBIT,
}
