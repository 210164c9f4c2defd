"""Where an experiment can distinguish G, M and S: exact predictors scored on each other, no model.

    kl_from_truth        KL(true urn ‖ predictor), mean over rows 0 … C−1, on both splits
    kl_grid              the same for several numbers of colours, context lengths and pool sizes
    pairwise_distances   distance between two predictors out of distribution, row by row
    pairwise_grid        the same for several numbers of colours and pool sizes
    headline             KL(empirical frequencies ‖ predictor) at the last row, as published

`n` counts pools (in `headline`: sets of urns). `sd` is the standard deviation over them: the
typical deviation of a single pool or set.
"""

import itertools
from collections.abc import Iterator, Sequence

import pandas as pd
import torch
from torch import Generator, Tensor

from lexurn.base import divergences
from lexurn.base.seeding import generator
from lexurn.base.shapes import Pool, Predictor
from lexurn.generators.urns import Urns
from lexurn.measures import comparison
from lexurn.predictors import Generalizing, Memorizing, Symmetrized


def exact_predictors(pool: Pool, alpha: float | Sequence[float] = 1.0) -> dict[str, Predictor]:
    """Return the predictors G, M and S for a pool by their names."""
    return {
        "generalizing": Generalizing(pool.shape[1], alpha),
        "memorizing": Memorizing(pool),
        "symmetrized": Symmetrized(pool),
    }


def kl_from_truth(
    task: Urns, *, context_length: int, n_tasks: int, n_pools: int, n_sequences: int, seed: int
) -> pd.DataFrame:
    """Return split, reference, mean, sem, n and sd of KL(true urn ‖ predictor) in nats."""
    means: dict[tuple[str, str], list[float]] = {}
    for stream, pool in _pools(task, n_tasks, n_pools, seed):
        pool_urns = pool[torch.randint(n_tasks, (n_sequences,), generator=stream)]
        fresh_urns = task.sample_tasks(n_sequences, generator=stream)
        for split, urns in (("in_distribution", pool_urns), ("out_of_distribution", fresh_urns)):
            tokens = task.sample(urns, context_length, generator=stream)
            for name, predictor in exact_predictors(pool, task.alpha).items():
                kl = divergences.kl(urns.log()[:, None], predictor(tokens))  # batch time
                means.setdefault((split, name), []).append(kl.mean().item())
    rows = [
        {"split": split, "reference": name, **_summarize(torch.tensor(values))}
        for (split, name), values in means.items()
    ]
    return pd.DataFrame(rows).assign(
        n_colors=task.n_colors, context_length=context_length, n_tasks=n_tasks
    )


def pairwise_distances(
    task: Urns, *, context_length: int, n_tasks: int, n_pools: int, n_sequences: int, seed: int
) -> pd.DataFrame:
    """Return pair (such as `d(G, S)`), row, mean, sem, n and sd of distances out of distribution.

    `row` is the number of balls seen. `mean_to` (with `sem_to`) is the mean over rows 1 … row: the
    distance in an experiment with this context length.
    """
    distances: dict[str, list[Tensor]] = {}
    for stream, pool in _pools(task, n_tasks, n_pools, seed):
        tokens = task.out_of_distribution(n_sequences, context_length + 1, generator=stream)
        predictors = exact_predictors(pool, task.alpha)
        log_probs = {name: predictor(tokens) for name, predictor in predictors.items()}
        for first, second in itertools.combinations(log_probs, 2):
            by_row = divergences.symmetrized_kl(log_probs[first], log_probs[second]).mean(0)
            pair = f"d({first[0].upper()}, {second[0].upper()})"
            distances.setdefault(pair, []).append(by_row)
    n_balls = torch.arange(1, context_length + 1)
    tables = []
    for pair, by_pool in distances.items():
        values = torch.stack(by_pool)[:, 1:]  # pools rows
        mean_to = values.cumsum(1) / n_balls
        columns = {"pair": pair, "row": n_balls, **_summarize(values), "mean_to": mean_to.mean(0)}
        tables.append(pd.DataFrame({**columns, "sem_to": mean_to.std(0) / n_pools**0.5}))
    table = pd.concat(tables, ignore_index=True)
    return table.assign(n_colors=task.n_colors, n_tasks=n_tasks)


def kl_grid(cells: Sequence[Sequence[int]], n_pools: int, seed: int) -> pd.DataFrame:
    """Return `kl_from_truth` for α = 1 and several designs.

    A cell is the number of colours, the context length, the number of urns and the number of
    sequences per pool.
    """
    tables = [
        kl_from_truth(
            Urns(n_colors),
            context_length=context_length,
            n_tasks=n_tasks,
            n_pools=n_pools,
            n_sequences=n_sequences,
            seed=seed,
        )
        for n_colors, context_length, n_tasks, n_sequences in cells
    ]
    return pd.concat(tables, ignore_index=True)


def pairwise_grid(
    colors: Sequence[int], sizes: Sequence[int], alpha: float, length: int, n_pools: int, seed: int
) -> pd.DataFrame:
    """Return `pairwise_distances` for several numbers of colours and sizes of the pool.

    `length` is the context length; each pool has 16 sequences.
    """
    tables = [
        pairwise_distances(
            Urns(n_colors, alpha),
            context_length=length,
            n_tasks=n_tasks,
            n_pools=n_pools,
            n_sequences=16,
            seed=seed,
        )
        for n_colors in colors
        for n_tasks in sizes
    ]
    return pd.concat(tables, ignore_index=True)


def headline(
    urn: Tensor,
    *,
    n_balls: int,
    n_sets: int,
    n_urns: int = 10,
    n_sequences: int = 25,
    generator: Generator,
) -> pd.DataFrame:
    """Return reference, mean, sem, n, sd and `sd_sequences` of KL(empirical ‖ predictor) in nats.

    The original's protocol has one training urn and a set of `n_urns` fresh urns with `n_sequences`
    sequences each, and scores the last row alone, after `n_balls` balls. By it a normal model
    scored 0.54 ± 0.28 and a lexical model 0.14 ± 0.11 (± over sequences). Here there are `n` such
    sets; `sd` is over the means of sets, so it is the typical deviation of one published figure.
    """
    tokens = comparison.headline_sequences(
        Urns(len(urn)),
        n_balls=n_balls,
        n_urns=n_sets * n_urns,
        n_sequences=n_sequences,
        generator=generator,
    )
    rows = []
    for name, predictor in exact_predictors(urn[None]).items():
        kl = comparison.headline_scores(predictor, tokens)
        set_means = kl.view(n_sets, n_urns * n_sequences).mean(1)
        rows.append({"reference": name, **_summarize(set_means), "sd_sequences": kl.std().item()})
    return pd.DataFrame(rows)


def _pools(task: Urns, n_tasks: int, n_pools: int, seed: int) -> Iterator[tuple[Generator, Pool]]:
    """Yield pools, each with its own random stream, which also draws the sequences of the pool."""
    for number in range(n_pools):
        stream = generator(seed, "exact", task.n_colors, n_tasks, number)
        yield stream, task.sample_tasks(n_tasks, generator=stream)


def _summarize(values: Tensor) -> dict[str, float | Tensor]:
    """Return the mean, standard error, n and standard deviation over the first axis."""
    n, sd = len(values), values.std(0)
    size = torch.tensor(n).expand(sd.shape)
    columns = {"mean": values.mean(0), "sem": sd / n**0.5, "n": size, "sd": sd}
    return {name: value.item() if value.ndim == 0 else value for name, value in columns.items()}
