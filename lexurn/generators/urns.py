"""Balls & urns: a task is an urn, and a sequence is balls drawn from the urn with replacement.

    urn      θ ~ Dirichlet(α, …, α)                   sample_tasks -> (tasks, colors)
    sequence x_0, x_1, … i.i.d. ~ Categorical(θ)      sample       -> (batch, time)

A pool of D urns is drawn once. Every training or in-distribution sequence comes from a uniformly
chosen urn of the pool; every out-of-distribution sequence comes from a fresh urn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Generator, Tensor

from lexurn.base.seeding import numpy_generator
from lexurn.base.shapes import Pool, Tokens


@dataclass(frozen=True)
class Urns:
    """The distribution of urns over `n_colors` colours with Dirichlet concentration `alpha`.

    `alpha` is one number for all colours, or one number per colour.
    """

    n_colors: int
    alpha: float | Sequence[float] = 1.0

    def __post_init__(self):
        if self.n_colors < 2:
            raise ValueError(f"n_colors must be at least 2, got {self.n_colors}; use 2 for coins")
        if min(self.alphas) <= 0:
            raise ValueError(
                f"alpha must be positive, got {self.alpha}; use 1.0 for the uniform prior"
            )
        if len(self.alphas) != self.n_colors:
            raise ValueError(
                f"alpha must be one number or {self.n_colors} numbers, got {len(self.alphas)}; "
                "give one number per colour"
            )

    @property
    def alphas(self) -> list[float]:
        """The concentration of each colour."""
        is_one = isinstance(self.alpha, int | float)
        return [float(self.alpha)] * self.n_colors if is_one else list(self.alpha)

    def log_evidence(self, tokens: Tokens) -> Float64[Tensor, "batch"]:
        """Return ln p(x_0, …, x_{T−1}), in nats, with the urn integrated out:

        p(x) = Π_v Γ(n_v + α_v) / Γ(α_v) · Γ(Σ α) / Γ(T + Σ α)
        """
        counts = torch.nn.functional.one_hot(tokens, self.n_colors).sum(1).double()
        alphas = torch.tensor(self.alphas, dtype=torch.float64, device=tokens.device)
        terms = (counts + alphas).lgamma() - alphas.lgamma()  # batch colors
        return terms.sum(-1) + alphas.sum().lgamma() - (tokens.shape[1] + alphas.sum()).lgamma()

    def sample_tasks(self, n: int, *, generator: Generator) -> Pool:
        """Draw `n` fresh urns: float64 (tasks, colors) on the generator's device."""
        urns = numpy_generator(generator).dirichlet(self.alphas, n)
        return torch.from_numpy(urns).to(generator.device)

    def sample(
        self, tasks: Float64[Tensor, "batch colors"], length: int, *, generator: Generator
    ) -> Tokens:
        """Draw one sequence of `length` balls from each row of `tasks`: tokens (batch, length)."""
        uniform = torch.rand(
            len(tasks), length, generator=generator, device=tasks.device, dtype=torch.float64
        )
        thresholds = tasks.cumsum(-1)[:, :-1].contiguous()  # the last colour gets the rest
        return torch.searchsorted(thresholds, uniform, right=True)

    def in_distribution(self, pool: Pool, n: int, length: int, *, generator: Generator) -> Tokens:
        """Draw `n` sequences, each from a uniformly chosen urn of the pool."""
        tasks = torch.randint(len(pool), (n,), generator=generator, device=pool.device)
        return self.sample(pool[tasks], length, generator=generator)

    def out_of_distribution(self, n: int, length: int, *, generator: Generator) -> Tokens:
        """Draw `n` sequences, each from a fresh urn, as if there were infinitely many tasks."""
        return self.sample(self.sample_tasks(n, generator=generator), length, generator=generator)

    def low_entropy(self, length: int) -> Tokens:
        """Return the constant sequences, one per colour."""
        return torch.arange(self.n_colors).repeat_interleave(length).view(self.n_colors, length)
