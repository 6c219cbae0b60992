"""Training of every modality by itself, for the unimodal rows of the tables."""

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.errors import NotApplicableError
from experiments.methods._method import Losses, Method, Pass, Problem, State
from experiments.methods._multimodal import modalities
from experiments.models import MODELS


def unimodal(config: Config) -> Method:
    """Train the encoder and the head of each modality on its own loss, without a joint loss.

    These are the audio-only and video-only models of the MMPareto paper (Table 1). With late fusion
    the encoders are independent, so one run trains all of them at once. The joint head is not
    trained.

    A model whose encoders exchange information, such as the bottleneck transformer, is an error:
    its representation of a modality depends on the inputs of all, so it has no unimodal head.

    Raises:
      UserError: If the encoders of the model exchange information; from ``init`` and
        ``trained_heads``, if the data set has no joint head.

    References:
      Wei & Hu, `MMPareto <https://arxiv.org/abs/2405.17730>`_, 2024, Table 1.
    """
    if config.model in MODELS and MODELS[config.model].exchanges:
        raise NotApplicableError(
            f"method unimodal trains modalities by themselves, and in model {config.model} they "
            "exchange: choose a model that fuses late"
        )

    def single(heads: tuple[str, ...]) -> tuple[str, ...]:
        return modalities("unimodal", heads)

    def objectives(forward: Pass, state: State) -> tuple[Losses, tuple[()]]:
        del state
        return {name: forward.losses[name] for name in single(tuple(forward.losses))}, ()

    def init(problem: Problem) -> tuple[()]:
        single(problem.heads)
        return ()

    return Method(
        objectives=objectives,
        encoder_objectives=single,
        aggregator=lambda encoders, problem: mmp.aggregate(mmp.weightings.uniform(), encoders),
        trained_heads=single,
        init=init,
    )
