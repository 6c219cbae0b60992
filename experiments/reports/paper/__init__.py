"""Our versions of the paper's tables and figures, one file each, beside the paper's numbers."""
