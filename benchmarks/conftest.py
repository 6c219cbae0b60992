"""Skip doctests that need torch if torch is not installed."""

import importlib.util

collect_ignore_glob = (
    [] if importlib.util.find_spec("torchjd") else ["_problems/torch_*.py", "_problems/libmtl.py"]
)
