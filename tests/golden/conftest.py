"""The scripts that make golden files need other packages and are no tests."""

collect_ignore_glob = ["make_*.py"]
