"""Balls & urns: pools, sequences as training has them, held-out splits, and exact references."""

from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor

from lexurn import predictors
from lexurn.base.errors import ParameterError
from lexurn.base.seeding import generator as stream
from lexurn.base.shapes import Pool, Predictor, Tokens
from lexurn.generators.urns import Urns
from lexurn.settings import Settings
from lexurn.tasks.base import Task

MAX_OPERATIONS = 4e10
"""Operations of the sums over subsets that S may take: about a minute."""


class UrnsTask(Task):
    """A pool of urns drawn from a prior, or a fresh urn for every sequence.

    `prior` is where training urns come from, `target` where the fresh urns come from on which a
    model is judged: the same prior, unless losses are weighted to another one (`target_alpha`).
    """

    def __init__(self, settings: Settings, *, tensors: Mapping[str, Tensor] | None = None):
        super().__init__(settings)
        urns = settings.task
        self.prior = Urns(urns.n_colors, urns.alpha)
        self.target = Urns(urns.n_colors, urns.target_alpha or urns.alpha)
        self.pool = tensors["urns"] if tensors and "urns" in tensors else self._draw_pool()

    def _draw_pool(self) -> Pool | None:
        """Return the training urns (tasks colors); None where every sequence has a fresh one."""
        urns = self.settings.task
        if urns.n_tasks == 0:
            return None
        if urns.thetas:
            heads = torch.tensor(urns.thetas, dtype=torch.float64)
            return torch.stack([1 - heads, heads], -1)
        seed = self.settings.training.seed
        return self.prior.sample_tasks(urns.n_tasks, generator=stream(seed, "urns"))

    @property
    def splits(self) -> tuple[str, ...]:
        inside = () if self.pool is None else ("in_distribution",)
        return ("out_of_distribution", *inside, "low_entropy")

    @property
    def tensors(self) -> dict[str, Tensor]:
        return {} if self.pool is None else {"urns": self.pool}

    def sample(self, n: int, length: int, *, generator: Generator) -> Tokens:
        if self.pool is None:
            tokens = self.prior.out_of_distribution(n, length, generator=generator)
        else:
            tokens = self.prior.in_distribution(self.pool, n, length, generator=generator)
        if self.settings.task.label_permuted:
            tokens = self.prior.relabel(tokens, generator=generator)
        return tokens

    def held_out(self) -> dict[str, Tokens]:
        """Return new sequences of the pool, a fresh urn for every sequence, and the constant
        sequences, one per colour."""
        n = self.settings.training.n_test_samples
        seed = self.settings.training.seed
        length = self.settings.task.context_length + 1
        fresh = stream(seed, "held out", "out of distribution")
        tokens = {
            "out_of_distribution": self.target.out_of_distribution(n, length, generator=fresh),
            "low_entropy": self.target.low_entropy(length),
        }
        if self.pool is not None:
            inside = stream(seed, "held out", "in distribution")
            pool = self.target.in_distribution(self.pool, n, length, generator=inside)
            tokens = {"in_distribution": pool, **tokens}
        return tokens

    def validation(self) -> Tokens:
        if not self.settings.task.target_alpha:
            return super().validation()
        training = self.settings.training
        return self.target.out_of_distribution(
            training.n_test_samples,
            self.settings.task.context_length + 1,
            generator=stream(training.seed, "validation"),
        )

    def references(self) -> dict[str, Predictor]:
        """Return G always, and M and S where there is a pool.

        S is left out above `predictors.MAX_COLORS` colours, and where it would take longer than
        about a minute.
        """
        n_colors = self.settings.task.n_colors
        references: dict[str, Predictor] = {
            "generalizing": predictors.Generalizing(n_colors, self.target.alpha)
        }
        if self.pool is not None:
            references["memorizing"] = predictors.Memorizing(self.pool)
            n_rows = (
                2 * self.settings.training.n_test_samples * (self.settings.task.context_length + 1)
            )
            operations = n_rows * len(self.pool) * n_colors * 2**n_colors
            if n_colors <= predictors.MAX_COLORS and operations < MAX_OPERATIONS:
                references["symmetrized"] = predictors.Symmetrized(self.pool)
        return references

    def require_references(self) -> None:
        """Raise ParameterError unless both M and S are there to compare with."""
        urns = self.settings.task
        if self.pool is None:
            raise ParameterError(
                "n_tasks=0 leaves no pool to memorize, and nothing to compare with but G; use "
                "n_tasks 1 or more"
            )
        if "symmetrized" not in self.references():
            raise ParameterError(
                f"S takes too long for n_colors={urns.n_colors}, n_tasks={urns.n_tasks} and "
                f"n_test_samples={self.settings.training.n_test_samples}, and this chapter "
                "compares with it; lower one of them"
            )

    @property
    def optimum(self) -> str:
        """The Bayes optimum of the training data.

        Without names (lexical, label-permuted) it is S, which for fresh urns is G only if the prior
        is symmetric.
        """
        has_names = self.settings.kind == "normal"
        if self.pool is None and (has_names or len(set(self.target.alphas)) == 1):
            return "generalizing"
        return "memorizing" if has_names else "symmetrized"

    @property
    def sequence_weights(self) -> Callable[[Tokens], Tensor] | None:
        """Importance weights, under which a loss over training sequences is one under `target`.

        p_target(x) / p_prior(x) with the urn integrated out: the mean of the ratio of densities
        given the sequence, and so with less variance.
        """
        if not self.settings.task.target_alpha:
            return None

        def weights(tokens: Tokens) -> Tensor:
            log_ratio = self.target.log_evidence(tokens) - self.prior.log_evidence(tokens)
            return log_ratio.exp().float()

        return weights
