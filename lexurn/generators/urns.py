"""Balls & urns: a task is an urn, a sequence is balls drawn from it with replacement.

    urn      θ ~ Dirichlet(α, …, α)                   sample_tasks -> (tasks, colors)
    sequence x_0, x_1, … i.i.d. ~ Categorical(θ)      sample       -> (batch, time)

A pool of D urns is drawn once; training and in-distribution sequences choose one of them uniformly. Out of
distribution, every sequence has a fresh urn.
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
    """Urns over `n_colors` colours with Dirichlet concentration `alpha`, a number or one per colour."""

    n_colors: int
    alpha: float | Sequence[float] = 1.0

    def __post_init__(self):
        if self.n_colors < 2:
            raise ValueError(f"n_colors must be at least 2, got {self.n_colors}")
        if min(self.alphas) <= 0:
            raise ValueError(
                f"alpha must be positive, got {self.alpha}; use 1.0 for the uniform prior"
            )
        if len(self.alphas) != self.n_colors:
            raise ValueError(
                f"alpha must be one number or {self.n_colors} of them, got {len(self.alphas)}"
            )

    @property
    def vocab_size(self) -> int:
        return self.n_colors

    @property
    def alphas(self) -> list[float]:
        """The concentration of each colour."""
        return (
            [float(self.alpha)] * self.n_colors
            if isinstance(self.alpha, int | float)
            else list(self.alpha)
        )

    def log_evidence(self, tokens: Tokens) -> Float64[Tensor, "batch"]:
        """ln p(x_0, …, x_{T−1}) with the urn integrated out: Π_v Γ(n_v + α_v) / Γ(α_v) · Γ(Σ α) / Γ(T + Σ α)."""
        counts = torch.nn.functional.one_hot(tokens, self.n_colors).sum(1).double()
        alphas = torch.tensor(self.alphas, dtype=torch.float64, device=tokens.device)
        each = (counts + alphas).lgamma() - alphas.lgamma()
        return each.sum(-1) + alphas.sum().lgamma() - (tokens.shape[1] + alphas.sum()).lgamma()

    def sample_tasks(self, n: int, *, generator: Generator) -> Pool:
        """`n` fresh urns: probabilities (tasks, colors) in float64 on the generator's device."""
        urns = numpy_generator(generator).dirichlet(self.alphas, n)
        return torch.from_numpy(urns).to(generator.device)

    def sample(
        self, tasks: Float64[Tensor, "batch colors"], length: int, *, generator: Generator
    ) -> Tokens:
        """One sequence of `length` balls from each row of `tasks`: tokens (batch, length)."""
        uniform = torch.rand(
            len(tasks), length, generator=generator, device=tasks.device, dtype=torch.float64
        )
        thresholds = tasks.cumsum(-1)[:, :-1].contiguous()  # the last colour takes what is left
        return torch.searchsorted(thresholds, uniform, right=True)

    def in_distribution(self, pool: Pool, n: int, length: int, *, generator: Generator) -> Tokens:
        """`n` new sequences, each from a uniformly chosen urn of the pool."""
        chosen = torch.randint(len(pool), (n,), generator=generator, device=pool.device)
        return self.sample(pool[chosen], length, generator=generator)

    def out_of_distribution(self, n: int, length: int, *, generator: Generator) -> Tokens:
        """`n` sequences, each from an urn of its own; training on these is training on infinitely many tasks."""
        return self.sample(self.sample_tasks(n, generator=generator), length, generator=generator)

    def relabel(self, tokens: Tokens, *, generator: Generator) -> Tokens:
        """Every sequence with its colours renamed by a uniform permutation of its own."""
        scores = torch.rand(len(tokens), self.n_colors, generator=generator, device=tokens.device)
        return scores.argsort(-1).gather(1, tokens)

    def low_entropy(self, length: int) -> Tokens:
        """The constant sequences, one per colour."""
        return torch.arange(self.n_colors).repeat_interleave(length).view(self.n_colors, length)

    def single_sequence(self, pool: Pool, n: int, length: int, *, generator: Generator) -> Tokens:
        """One sequence from the pool, `n` times."""
        return self.in_distribution(pool, 1, length, generator=generator).repeat(n, 1)
