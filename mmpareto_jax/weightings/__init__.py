"""Weightings, which turn the Gramian of gradients into weights, and combinators of them."""

from mmpareto_jax.weightings._aligned_mtl import aligned_mtl
from mmpareto_jax.weightings._cagrad import cagrad
from mmpareto_jax.weightings._config import config
from mmpareto_jax.weightings._constant import constant
from mmpareto_jax.weightings._dual_proj import dual_proj
from mmpareto_jax.weightings._dwa import DWAState, dwa
from mmpareto_jax.weightings._ema import EMAState, ema
from mmpareto_jax.weightings._every import EveryState, every
from mmpareto_jax.weightings._fairgrad import fairgrad
from mmpareto_jax.weightings._famo import FAMOState, famo
from mmpareto_jax.weightings._geometric_mean import geometric_mean
from mmpareto_jax.weightings._gradnorm import GradNormState, gradnorm
from mmpareto_jax.weightings._gradvac import GradVacState, gradvac
from mmpareto_jax.weightings._imtl_g import imtl_g
from mmpareto_jax.weightings._krum import krum
from mmpareto_jax.weightings._mean import mean
from mmpareto_jax.weightings._metabalance import MetaBalanceState, metabalance
from mmpareto_jax.weightings._min_norm import min_norm
from mmpareto_jax.weightings._mmpareto import MMParetoState, mmpareto
from mmpareto_jax.weightings._moco import MoCoState, moco
from mmpareto_jax.weightings._nash_mtl import NashMTLState, nash_mtl
from mmpareto_jax.weightings._normalized import normalized
from mmpareto_jax.weightings._pcd import PCDState, pcd
from mmpareto_jax.weightings._pcgrad import PCGradState, pcgrad
from mmpareto_jax.weightings._random import RandomState, random
from mmpareto_jax.weightings._rescale import rescale
from mmpareto_jax.weightings._sdmgrad import SDMGradState, sdmgrad
from mmpareto_jax.weightings._stch import stch
from mmpareto_jax.weightings._uncertainty import UncertaintyState, uncertainty
from mmpareto_jax.weightings._uniform import uniform
from mmpareto_jax.weightings._upgrad import upgrad
from mmpareto_jax.weightings._weighting import Weighting

COMBINATORS = ("ema", "every", "normalized", "rescale")
"""Names of the functions from a weighting to a weighting; the others make one from numbers."""

__all__ = [
    "DWAState",
    "EMAState",
    "EveryState",
    "FAMOState",
    "GradNormState",
    "GradVacState",
    "MMParetoState",
    "MetaBalanceState",
    "MoCoState",
    "NashMTLState",
    "PCDState",
    "PCGradState",
    "RandomState",
    "SDMGradState",
    "UncertaintyState",
    "Weighting",
    "aligned_mtl",
    "cagrad",
    "config",
    "constant",
    "dual_proj",
    "dwa",
    "ema",
    "every",
    "fairgrad",
    "famo",
    "geometric_mean",
    "gradnorm",
    "gradvac",
    "imtl_g",
    "krum",
    "mean",
    "metabalance",
    "min_norm",
    "mmpareto",
    "moco",
    "nash_mtl",
    "normalized",
    "pcd",
    "pcgrad",
    "random",
    "rescale",
    "sdmgrad",
    "stch",
    "uncertainty",
    "uniform",
    "upgrad",
]
