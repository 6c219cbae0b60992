"""Files in the layout and format of each data set, small, for tests and benchmarks."""
