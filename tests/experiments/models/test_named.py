"""Models by name: what a configuration may ask of them."""

import pytest

from experiments import models
from experiments.config import Config
from experiments.errors import UserError

WRONG = {
    "unknown model 'vgg'": {"model": "vgg"},
    "unknown data set 'imagenet'": {"dataset": "imagenet"},
    "cg-cnn does not fit the frames of crema-d: choose mbt, mbt-small, resnet18": {
        "dataset": "crema-d"
    },
    "unknown fusion 'magic': choose one of concatenation": {"fusion": "magic"},
    "mbt does not fuse late": {"dataset": "crema-d", "model": "mbt", "fusion": "sum"},
    "would change the updates of mbt": {"dataset": "crema-d", "model": "mbt", "diagnose": True},
    "no pretrained weights for cg-cnn": {"weights": "weights.pth"},
    "no file of weights nowhere.pth": {
        "dataset": "crema-d",
        "model": "resnet18",
        "weights": "nowhere.pth",
    },
}


@pytest.mark.parametrize("message", WRONG)
def test_what_a_model_cannot_do_is_an_error_before_it_is_built(message):
    with pytest.raises(UserError, match=message):
        models.named(Config(**WRONG[message]))


def test_a_model_that_fits_is_found(tmp_path):
    weights = tmp_path / "weights.pth"
    weights.touch()
    config = Config(dataset="crema-d", model="resnet18", fusion="film", weights=str(weights))
    assert models.named(config) is models.MODELS["resnet18"]
