"""The account: a model after N steps predicts like a mixture of strategies, weighed by loss and complexity.

    w_i ∝ exp(−ln 2 · K_i^β − γ N^{1−α} L_i)

K_i: bits of the strategy, those of its data and of its source, each as short as compressors make it. L_i: its mean loss
beyond the truth, nats a row, in distribution. So for two strategies with ΔL = L_G − L_M the log odds of M are
γ N^{1−α} ΔL − ln 2 (K_M^β − K_G^β), and the transition N* is where they are zero. Source: Wurgaft et al. 2025
(arXiv 2506.17859).
"""

import ast
import bz2
import inspect
import lzma
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log

import brotli
import numpy as np
import pandas as pd
import zstandard
from jaxtyping import Float, Float64
from torch import Tensor

from lexurn.base import divergences
from lexurn.base.shapes import Pool, Predictor, Tokens
from lexurn.predictors import Generalizing, Memorizing, Uniform
from lexurn.predictors import symmetrized as of_s

STRATEGIES = {"u": "uniform", "g": "generalizing", "m": "memorizing"}
"""Letters of strategies in the columns of a map (`l_u`, `k_m` …). That of lexical models which memorizes is S."""

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "lzma": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    "bz2": lambda data: bz2.compress(data, 9),
    "brotli": lambda data: brotli.compress(data, quality=11),
    "zstd": lambda data: zstandard.ZstdCompressor(level=22).compress(data),
}


def bits(data: bytes) -> int:
    """The least compressed size over several compressors."""
    return 8 * min(len(compress(data)) for compress in COMPRESSORS.values())


# What is counted as the source of a strategy. S by its shortest program, M for all relabelings of the pool; beside it
# the one that computes it here, which a model is as little obliged to be.
PROGRAMS: dict[str, tuple[Callable, ...]] = {
    "uniform": (Uniform,),
    "generalizing": (Generalizing,),
    "memorizing": (Memorizing,),
    "symmetrized": (of_s.relabelings, Memorizing),
    "symmetrized, fast": (
        of_s.Symmetrized,
        of_s._mixture,
        of_s._extend,
        of_s._join,
        of_s._subsets,
        of_s._steps,
    ),
}


def complexity(program: str, prior: Float64[Tensor, "..."]) -> int:
    """K: the bits of the prior that a strategy stores, as float64, and of its source."""
    text = "".join(source(each) for each in PROGRAMS[program])
    return bits(prior.double().numpy().tobytes()) + bits(text.encode())


def source(thing: Callable) -> str:
    """The source of a class or function without comments, docstrings and white space, as published."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return "".join(ast.unparse(tree).split())


def losses(
    predictors: Mapping[str, Predictor], urns: Pool, tokens: Tokens
) -> dict[str, Float64[Tensor, "batch"]]:
    """L of several strategies, a value for each sequence: KL(true urn ‖ predictor), mean over rows 1 … C.

    urns[i] is that of tokens[i]. As all see the same sequences, their differences are surer than they are. (Published
    is the median of means over groups of sequences. These values have no heavy tail, and means of differences are
    differences of means.)
    """
    truth = urns.log()[:, None]
    return {
        name: divergences.kl(truth, each(tokens))[:, 1:].mean(-1)
        for name, each in predictors.items()
    }


@dataclass(frozen=True)
class Account:
    """The three parameters: how much N counts (α), how much complexity does (β), and the rate between them (γ)."""

    alpha: float
    beta: float
    gamma: float

    def log_weights(
        self, cells: pd.DataFrame, strategies: str = "ugm"
    ) -> Float[np.ndarray, "cells strategies"]:
        """ln w of some strategies, normalized. `cells`: step, and l_i and k_i of each."""
        losses = cells[[f"l_{each}" for each in strategies]].to_numpy(float)
        complexities = cells[[f"k_{each}" for each in strategies]].to_numpy(float)
        effective = cells["step"].to_numpy(float)[:, None] ** (1 - self.alpha)
        scores = -log(2) * complexities**self.beta - self.gamma * effective * losses
        return scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True)

    def log_odds(self, cells: pd.DataFrame) -> Float[np.ndarray, "cells"]:
        """Of memorizing against generalizing."""
        scores = self.log_weights(cells, "gm")
        return scores[:, 1] - scores[:, 0]

    def transition(self, cells: pd.DataFrame) -> Float[np.ndarray, "cells"]:
        """N*, the step at which both have equal weight, for each line: infinite where never, 0 where at once."""
        ahead = (cells["l_g"] - cells["l_m"]).to_numpy(float)
        costs = log(2) * (
            cells["k_m"].to_numpy(float) ** self.beta - cells["k_g"].to_numpy(float) ** self.beta
        )
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            steps = (np.maximum(costs, 0.0) / (self.gamma * ahead)) ** (1 / (1 - self.alpha))
        return np.where(ahead > 0, steps, np.inf)
