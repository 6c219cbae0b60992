"""Weightings: from the Gramian of the objectives' gradients to their weights, one method a file."""

from mmpareto_jax.weightings._weighting import Weighting
from mmpareto_jax.weightings.aligned_mtl import aligned_mtl
from mmpareto_jax.weightings.cagrad import cagrad
from mmpareto_jax.weightings.config import config
from mmpareto_jax.weightings.constant import constant
from mmpareto_jax.weightings.dual_proj import dual_proj
from mmpareto_jax.weightings.dwa import dwa
from mmpareto_jax.weightings.fairgrad import fairgrad
from mmpareto_jax.weightings.famo import famo
from mmpareto_jax.weightings.geometric_mean import geometric_mean
from mmpareto_jax.weightings.gradnorm import gradnorm
from mmpareto_jax.weightings.gradvac import gradvac
from mmpareto_jax.weightings.imtl_g import imtl_g
from mmpareto_jax.weightings.krum import krum
from mmpareto_jax.weightings.mean import mean
from mmpareto_jax.weightings.metabalance import metabalance
from mmpareto_jax.weightings.min_norm import min_norm
from mmpareto_jax.weightings.mmpareto import mmpareto
from mmpareto_jax.weightings.moco import moco
from mmpareto_jax.weightings.nash_mtl import nash_mtl
from mmpareto_jax.weightings.pcgrad import pcgrad
from mmpareto_jax.weightings.random import random
from mmpareto_jax.weightings.sdmgrad import sdmgrad
from mmpareto_jax.weightings.stch import stch
from mmpareto_jax.weightings.uncertainty import uncertainty
from mmpareto_jax.weightings.uniform import uniform
from mmpareto_jax.weightings.upgrad import upgrad

__all__ = [
    "Weighting",
    "aligned_mtl",
    "cagrad",
    "config",
    "constant",
    "dual_proj",
    "dwa",
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
    "pcgrad",
    "random",
    "sdmgrad",
    "stch",
    "uncertainty",
    "uniform",
    "upgrad",
]
