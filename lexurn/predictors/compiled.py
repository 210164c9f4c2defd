"""S as users get it: in compiled loops where they are faster, otherwise in torch."""

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from lexurn.base.shapes import LogProbs, Pool, Tokens
from lexurn.base.wording import duration
from lexurn.predictors import symmetrized
from lexurn.predictors.counting import floored_log, prefix_counts

CHUNK = 2**18  # sums that a thread holds in memory, about
MIN_SECONDS = 0.15  # in loops; below, loading numba (0.7 s) takes longer than the torch form
LOOPS_PER_SECOND = 2e9  # operations of the compiled loops on one core
ENUMERATED_PER_SECOND = 5e8  # the same for so few colours that all relabelings are enumerated


def foretell_seconds(n_rows: int, n_tasks: int, n_colors: int) -> float:
    """Return about how long S takes on one core: rows · urns · V 2^V operations."""
    is_enumerated = n_colors <= symmetrized.ENUMERABLE
    per_second = ENUMERATED_PER_SECOND if is_enumerated else LOOPS_PER_SECOND
    # more colours than these take longer than anybody waits, and 2.0**1024 is no number
    return n_rows * n_tasks * n_colors * 2.0 ** min(n_colors, 64) / per_second


class Symmetrized(symmetrized.Symmetrized):
    """S: Bayes under the uniform prior over every relabeling of every urn of a pool.

    S depends on counts alone, and gives colours with equal counts equal probability. The loops
    in `permanents` compute large problems on the CPU, with as many threads as torch uses.
    `symmetrized.Symmetrized` computes all other problems, and every problem where numba is missing.
    Raises ValueError for more than `MAX_COLORS` colours, where sums over 2^V subsets take too long.
    """

    def __init__(self, urns: Pool):
        n_colors = urns.shape[1]
        if n_colors > symmetrized.MAX_COLORS:
            raise ValueError(
                f"Symmetrized takes at most {symmetrized.MAX_COLORS} colours, got {n_colors}, for "
                f"which 500 sequences of 128 tokens would take about "
                f"{duration(foretell_seconds(64_000, 1, n_colors))} per urn and "
                f"{2**n_colors * 512 / 2**20:.0f} MiB per thread; use fewer colours"
            )
        super().__init__(urns)

    def __call__(self, tokens: Tokens) -> LogProbs:
        n_tasks, n_colors = self.urns.shape
        seconds = foretell_seconds(tokens.numel(), n_tasks, n_colors)
        is_small = n_colors <= symmetrized.ENUMERABLE or seconds < MIN_SECONDS
        loops = None if is_small or tokens.device.type != "cpu" else load_loops()
        if loops is None:
            return super().__call__(tokens)

        counts = prefix_counts(tokens, n_colors)
        falling, order = counts.flatten(0, 1).sort(-1, descending=True)  # rows colors
        urns = self.urns.cpu().sort(-1, descending=True).values
        log_urns = floored_log(urns).numpy()
        exponents = np.arange(falling.max().item() + 1)
        powers = np.exp(np.diff(log_urns)[..., None] * exponents)  # tasks ratios exponents

        def mix(counts: np.ndarray) -> np.ndarray:
            permanents = np.empty((n_tasks, counts.shape[1]))
            sums = np.zeros((n_tasks, *counts.shape))
            for urn in zip(urns.numpy(), powers, permanents, sums, strict=True):
                loops(counts, *urn)
            log_evidence = np.log(permanents) + np.einsum(
                "dv,vr->dr", log_urns, counts
            )  # tasks rows
            weights = np.exp(log_evidence - log_evidence.max(0))
            return (sums * (weights / permanents)[:, None]).sum(0) / weights.sum(0)  # colors rows

        # the chunks do not depend on the number of threads, so neither do the results
        chunks = falling.long().T.split(max(CHUNK // (n_tasks * n_colors), 1), 1)
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            mixed = list(pool.map(mix, [chunk.contiguous().numpy() for chunk in chunks]))
        probs = torch.from_numpy(np.concatenate(mixed, 1)).T
        return torch.empty_like(falling).scatter_(-1, order, probs).log_().view_as(counts)


def load_loops() -> Callable | None:
    """Return the compiled loops, or None where numba is missing."""
    try:
        from lexurn.predictors.permanents import sum_relabelings
    except ImportError as error:
        warnings.warn(
            f"S is computed several times slower than possible, because numba is missing ({error});"
            " install it with `pip install numba`",
            stacklevel=3,
        )
        return None
    return sum_relabelings
