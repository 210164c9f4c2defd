"""The data of urns: pools, sequences like those of training, splits and references.

The functions that every task's module has (see `lexurn.runs.fit`), and two of its own: `urns` and `target`.
"""

from collections.abc import Callable

import torch

from lexurn import predictors as exact
from lexurn.base.errors import ParameterError
from lexurn.base.seeding import generator
from lexurn.base.shapes import Pool, Predictor, Tokens
from lexurn.generators.urns import Urns
from lexurn.settings import Settings


def training_pool(settings: Settings) -> Pool | None:
    """The urns a model is trained on; None where every sequence has a fresh one."""
    task = settings.task
    if task.n_tasks == 0:
        return None
    if task.thetas:
        heads = torch.tensor(task.thetas, dtype=torch.float64)
        return torch.stack([1 - heads, heads], -1)
    return urns(settings).sample_tasks(
        task.n_tasks, generator=generator(settings.training.seed, "urns")
    )


def fingerprint(settings: Settings) -> dict[str, str]:
    """There is nothing else to tell: urns are drawn from their settings."""
    return {}


def require_data(settings: Settings) -> None:
    """Whatever the settings, there are sequences of balls."""


def urns(settings: Settings) -> Urns:
    """Where training urns come from."""
    return Urns(settings.task.n_colors, settings.task.alpha)


def target(settings: Settings) -> Urns:
    """Where fresh urns come from when a model is judged: where training urns do, but for losses that are weighted."""
    return Urns(settings.task.n_colors, settings.task.target_alpha or settings.task.alpha)


def weights(settings: Settings) -> Callable[[Tokens], torch.Tensor] | None:
    """Importance weights of training sequences, so that a loss over them is one under the target prior; or None.

    p_target(x) / p_alpha(x) with the urn integrated out: what the ratio of the priors' densities is on average, given
    the sequence, and so with less variance.
    """
    if not settings.task.target_alpha:
        return None
    towards, at = target(settings), urns(settings)
    return lambda tokens: (towards.log_evidence(tokens) - at.log_evidence(tokens)).exp().float()


def sample_like_training(
    settings: Settings, pool: Pool | None, n: int, stream: torch.Generator
) -> Tokens:
    """`n` sequences of context_length + 1 balls of the kind that the model is trained on."""
    task, length = urns(settings), settings.task.context_length + 1
    if pool is None:
        tokens = task.out_of_distribution(n, length, generator=stream)
    else:
        tokens = task.in_distribution(pool, n, length, generator=stream)
    return task.relabel(tokens, generator=stream) if settings.task.label_permuted else tokens


def references(settings: Settings, pool: Pool | None) -> dict[str, Predictor]:
    """The exact predictors a run is compared with: G always; M and S where there is a pool.

    S is left out beyond `MAX_COLORS` and where its sums over subsets would take longer than about a minute.
    """
    task, n_colors = settings.task, settings.task.n_colors
    predictors: dict[str, Predictor] = {
        "generalizing": exact.Generalizing(n_colors, target(settings).alpha)
    }
    if pool is not None:
        predictors["memorizing"] = exact.Memorizing(pool)
        n_rows = 2 * settings.training.n_test_samples * (task.context_length + 1)
        if n_colors <= exact.MAX_COLORS and n_rows * len(pool) * n_colors * 2**n_colors < 4e10:
            predictors["symmetrized"] = exact.Symmetrized(pool)
    return predictors


def require_references(settings: Settings) -> None:
    """Raise ParameterError unless both M and S are there to compare with."""
    task = settings.task
    if task.n_tasks == 0:
        raise ParameterError(
            "n_tasks=0 leaves no pool to memorize, and nothing to compare with but G; use n_tasks 1 or more"
        )
    if "symmetrized" not in references(settings, training_pool(settings)):
        raise ParameterError(
            f"S takes too long for n_colors={task.n_colors}, n_tasks={task.n_tasks} and n_test_samples="
            f"{settings.training.n_test_samples}, and this chapter compares with it; lower one of them"
        )


def optimum(settings: Settings) -> str:
    """The reference that no model with these settings can beat on average: the Bayes optimum of its training data.

    Without names (lexical, label-permuted) it is symmetrized, which for fresh urns is G only if the prior is symmetric.
    """
    names_count, alphas = settings.kind == "normal", target(settings).alphas
    if settings.task.n_tasks == 0 and (names_count or len(set(alphas)) == 1):
        return "generalizing"
    return "memorizing" if names_count else "symmetrized"


def held_out(settings: Settings, pool: Pool | None) -> dict[str, Tokens]:
    """The evaluation splits of a run, the same at every evaluation and for every model with this task and seed."""
    task, n, length = (
        target(settings),
        settings.training.n_test_samples,
        settings.task.context_length + 1,
    )
    seed = settings.training.seed

    def stream(name: str) -> torch.Generator:
        return generator(seed, "held out", name)

    tokens = {
        "out_of_distribution": task.out_of_distribution(
            n, length, generator=stream("out of distribution")
        ),
        "low_entropy": task.low_entropy(length),
    }
    if pool is not None:
        inside = task.in_distribution(pool, n, length, generator=stream("in distribution"))
        tokens = {"in_distribution": inside, **tokens}
    return tokens


def validation(settings: Settings, pool: Pool | None) -> Tokens:
    """Sequences like those of training that choose the best weights, and nothing else."""
    stream = generator(settings.training.seed, "validation")
    if settings.task.target_alpha:
        return target(settings).out_of_distribution(
            settings.training.n_test_samples, settings.task.context_length + 1, generator=stream
        )
    return sample_like_training(settings, pool, settings.training.n_test_samples, stream)
