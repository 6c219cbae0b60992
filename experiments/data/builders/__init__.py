"""The TFDS builders: how each data set is written to disk, one per file.

Images are handed over as encoded bytes, because TFDS asks for TensorFlow to encode an array.
Importing a module of this package imports `tensorflow_datasets`.
"""
