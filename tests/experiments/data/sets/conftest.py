"""What tests of a data set begin from: a module names its ``miniature`` and its ``DATASET``."""

import shutil

import pytest
from prepared_sets import prepare, stored


@pytest.fixture(scope="module")
def archive(request, tmp_path_factory):
    """The files of the miniature."""
    folder = tmp_path_factory.mktemp("archive")
    request.module.miniature.write(folder)
    return folder


@pytest.fixture
def files(archive, tmp_path):
    """The files of the miniature, which the test may change."""
    return shutil.copytree(archive, tmp_path / "files")


@pytest.fixture(scope="module")
def opened(request, archive, tmp_path_factory):
    """The set, prepared from the files."""
    return prepare(request.module.DATASET, tmp_path_factory.mktemp("prepared"), archive)


@pytest.fixture(scope="module")
def examples(request, opened):
    """The stored examples, by split."""
    return {split: stored(request.module.DATASET, opened, split) for split in ("train", "test")}
