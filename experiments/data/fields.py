"""What one split of a data set in memory is."""

import numpy as np

Fields = dict[str, np.ndarray]
"""An array per field, all with the samples along the first axis."""
