"""Balls & urns: pools, sequences as training has them, held-out splits, and exact references."""

from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor

from lexurn import predictors
from lexurn.base.errors import ParameterError
from lexurn.base.shapes import Pool, Predictor, Tokens
from lexurn.base.wording import duration
from lexurn.generators.urns import Urns
from lexurn.predictors import compiled
from lexurn.settings import Settings
from lexurn.tasks.base import Task

MAX_SECONDS = 60  # that S may take on one core


class UrnsTask(Task):
    """A pool of urns drawn from a prior, or a fresh urn for every sequence.

    `prior` is where training urns come from, `target` the prior that losses are weighted to
    (`target_alpha`; else the same prior), and `test` where the fresh urns of the evaluation come
    from (`test_alpha`; else `target`). G is an optimum of training, so it has the target's α.
    """

    def __init__(self, settings: Settings, *, tensors: Mapping[str, Tensor] | None = None):
        super().__init__(settings)
        urns = settings.task
        self.prior = Urns(urns.n_colors, urns.alpha)
        self.target = Urns(urns.n_colors, urns.target_alpha or urns.alpha)
        self.test = Urns(urns.n_colors, urns.test_alpha or self.target.alpha)
        # the training urns (tasks colors); None where every sequence has a fresh one
        self.pool: Pool | None = (tensors or {}).get("urns")
        if self.pool is None and urns.thetas:
            heads = torch.tensor(urns.thetas, dtype=torch.float64)
            self.pool = torch.stack([1 - heads, heads], -1)
        elif self.pool is None and urns.n_tasks:
            self.pool = self.prior.sample_tasks(urns.n_tasks, generator=self.stream("urns"))

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
        return self.rename(tokens, generator=generator)

    def held_out(self) -> dict[str, Tokens]:
        """Return new sequences of the pool, a fresh urn for every sequence, and the constant
        sequences, one per colour."""
        n = self.settings.training.n_test_samples
        tokens = {}
        if self.pool is not None:
            tokens["in_distribution"] = self.target.in_distribution(
                self.pool, n, self.length, generator=self.stream("held out", "in distribution")
            )
        tokens["out_of_distribution"] = self.test.out_of_distribution(
            n, self.length, generator=self.stream("held out", "out of distribution")
        )
        tokens["low_entropy"] = self.target.low_entropy(self.length)
        return tokens

    def validation(self) -> Tokens:
        if not self.settings.task.target_alpha:
            return super().validation()
        n = self.settings.training.n_test_samples
        return self.target.out_of_distribution(n, self.length, generator=self.stream("validation"))

    def references(self) -> dict[str, Predictor]:
        """Return G always, and M and S where there is a pool.

        S is left out above `predictors.MAX_COLORS` colours, and where it would take longer than a
        minute on one core.
        """
        n_colors = self.settings.task.n_colors
        references: dict[str, Predictor] = {
            "generalizing": predictors.Generalizing(n_colors, self.target.alpha)
        }
        if self.pool is not None:
            references["memorizing"] = predictors.Memorizing(self.pool)
            if n_colors <= predictors.MAX_COLORS and self.symmetrized_seconds() < MAX_SECONDS:
                references["symmetrized"] = predictors.Symmetrized(self.pool)
        return references

    def symmetrized_seconds(self) -> float:
        """Return about how long S takes for two held-out splits on one core."""
        n_rows = 2 * self.settings.training.n_test_samples * self.length
        return compiled.foretell_seconds(n_rows, *self.pool.shape)

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
                f"n_test_samples={self.settings.training.n_test_samples}, about "
                f"{duration(self.symmetrized_seconds())}, and this chapter compares with it; lower "
                f"one of them (n_colors is at most {predictors.MAX_COLORS})"
            )

    @property
    def optimum(self) -> str:
        """The Bayes optimum of the training data.

        Without names (lexical, label-permuted) it is S, which for fresh urns is G only if the prior
        is symmetric. With tables that sequences share, or with some names, it is no reference here.
        """
        if self.settings.vocabulary.lex and not self.settings.vocabulary.is_invariant:
            return ""
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
