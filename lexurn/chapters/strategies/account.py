"""The account: after N steps, a model predicts like a mixture of strategies with these weights:

    w_i ∝ exp(−ln 2 · K_i^β − γ N^{1−α} L_i)

K_i is the complexity of strategy i: the compressed bits of its data and of its source code. L_i is
its mean excess loss over the truth in distribution, in nats per row. So for two strategies with ΔL
= L_G − L_M, the log odds of M are γ N^{1−α} ΔL − ln 2 (K_M^β − K_G^β), and they are zero at the
transition N*. Source: Wurgaft et al. 2025 (arXiv 2506.17859).
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
from lexurn.predictors import Generalizing, Memorizing, Uniform, symmetrized

STRATEGIES = {"u": "uniform", "g": "generalizing", "m": "memorizing"}
"""Letters of the strategies in the columns of a map (`l_u`). For lexical models, `m` is S."""

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "lzma": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    "bz2": lambda data: bz2.compress(data, 9),
    "brotli": lambda data: brotli.compress(data, quality=11),
    "zstd": lambda data: zstandard.ZstdCompressor(level=22).compress(data),
}


Columns = pd.DataFrame | Mapping[str, np.ndarray]
"""Columns of cells: a table, or arrays by name, from which a fit reads them much faster."""


def compressed_bits(data: bytes) -> int:
    """Return the size of `data` in bits under the best of several compressors."""
    return 8 * min(len(compress(data)) for compress in COMPRESSORS.values())


# The code that counts as the source of each strategy. The shortest program for S is M with all
# relabelings of the pool. The faster program, which computes S here, is listed for comparison.
PROGRAMS: dict[str, tuple[Callable, ...]] = {
    "uniform": (Uniform,),
    "generalizing": (Generalizing,),
    "memorizing": (Memorizing,),
    "symmetrized": (symmetrized.relabelings, Memorizing),
    "symmetrized, fast": (
        symmetrized.Symmetrized,
        symmetrized._mixture,
        symmetrized._extend,
        symmetrized._join,
        symmetrized._subsets,
        symmetrized._steps,
    ),
}


def complexity(program: str, prior: Float64[Tensor, "..."]) -> int:
    """Return K: the bits of the prior that a strategy stores, as float64, and of its source."""
    return compressed_bits(prior.double().numpy().tobytes()) + source_bits(program)


def source_bits(program: str) -> int:
    """Return the compressed bits of a program's source."""
    source = "".join(normalized_source(part) for part in PROGRAMS[program])
    return compressed_bits(source.encode())


def normalized_source(code: Callable) -> str:
    """Return the source of a class or function without comments, docstrings and white space.

    The published complexities use the same normalization.
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(code)))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return "".join(ast.unparse(tree).split())


def losses(
    predictors: Mapping[str, Predictor], urns: Pool, tokens: Tokens
) -> dict[str, Float64[Tensor, "batch"]]:
    """Return L of several strategies per sequence: KL(true urn ‖ predictor), mean over rows 1 … C.

    urns[i] is the urn of tokens[i]. All strategies see the same sequences, so differences of losses
    have smaller errors than the losses. The published values are medians of means over groups of
    sequences. We use means: the values have no heavy tail, and means of differences are differences
    of means.
    """
    truth = urns.log()[:, None]
    return {
        name: divergences.kl(truth, predictor(tokens))[:, 1:].mean(-1)
        for name, predictor in predictors.items()
    }


@dataclass(frozen=True)
class Account:
    """The three parameters: the exponents of steps (1 − α) and complexity (β), and their rate γ."""

    alpha: float
    beta: float
    gamma: float

    def log_weights(
        self, cells: Columns, strategies: str = "ugm"
    ) -> Float[np.ndarray, "cells strategies"]:
        """Return the normalized ln w of some strategies.

        `cells` are the columns step, l_<letter> and k_<letter>, as a table or as arrays by name.
        """
        losses = np.stack([cells[f"l_{letter}"] for letter in strategies], -1, dtype=float)
        complexities = np.stack([cells[f"k_{letter}"] for letter in strategies], -1, dtype=float)
        effective_steps = np.asarray(cells["step"], float)[:, None] ** (1 - self.alpha)
        scores = -log(2) * complexities**self.beta - self.gamma * effective_steps * losses
        return scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True)

    def log_odds(self, cells: Columns) -> Float[np.ndarray, "cells"]:
        """Return the log odds of the memorizer against G."""
        scores = self.log_weights(cells, "gm")
        return scores[:, 1] - scores[:, 0]

    def transition(self, cells: pd.DataFrame) -> Float[np.ndarray, "cells"]:
        """Return N*, the step at which the memorizer and G have equal weight, for each cell.

        It is infinite if the memorizer never leads and 0 if it leads from the start.
        """
        loss_gap = (cells["l_g"] - cells["l_m"]).to_numpy(float)
        k_m, k_g = (cells[name].to_numpy(float) ** self.beta for name in ("k_m", "k_g"))
        complexity_gap = log(2) * (k_m - k_g)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratios = np.maximum(complexity_gap, 0.0) / (self.gamma * loss_gap)
            steps = ratios ** (1 / (1 - self.alpha))
        return np.where(loss_gap > 0, steps, np.inf)
