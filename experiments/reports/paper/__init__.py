"""The paper's tables and figures, measured again: one file each."""
