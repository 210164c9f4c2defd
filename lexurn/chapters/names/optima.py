"""What a predictor can do that knows all shared one-hot tables, and where it stands.

If no two tables share a vector, the first token tells the table and all names, so that the optimum
is M from row 1 on. One-hot tables share their vectors, and it takes a few tokens to recognize one.

If a share p of the sequences has a redrawn table, the optimum is the mixture of whole sequences
(`SequenceMixture`) from the fixed tables (1 − p) and from all tables (p), where the second part is
S for one alphabet. It switches at the first token only where vectors tell redrawn tables from fixed
ones.
"""

from collections.abc import Sequence

import pandas as pd
import torch
from jaxtyping import Int64
from torch import Generator, Tensor

from lexurn.base import divergences
from lexurn.base.seeding import generator
from lexurn.base.shapes import Pool, Tokens
from lexurn.predictors import Memorizing, Symmetrized
from lexurn.runs.run import Run


def shared_tables(
    pool: Pool, tables: Int64[Tensor, "tables colors"], *, n_names: int
) -> Memorizing:
    """Return the best predictor of names, where `tables[k, v]` is colour v's name.

    Its tokens are names 0 … n_names − 1. It does not know which names a sequence uses before it
    sees them.
    """
    n_tasks, n_colors = pool.shape
    urns = pool.new_zeros(len(tables), n_tasks, n_names)
    index = tables[:, None].expand(-1, n_tasks, n_colors)
    return Memorizing(urns.scatter(2, index, pool.expand(len(tables), -1, -1)).flatten(0, 1))


def position(
    pool: Pool, tokens: Tokens, *, n_tables: int, n_names: int, stream: Generator
) -> float:
    """Return where a predictor that knows `n_tables` random tables stands between S −1 and M +1.

    It predicts by `shared_tables`, and gives all probability to the names of the sequence's own
    table, as a model does whose logits are read out by that table. A model may do better still, by
    logits that are made for this read-out.
    """
    tables = torch.rand(n_tables, n_names, generator=stream).argsort(1)[:, : pool.shape[1]]
    own = tables[torch.randint(n_tables, (len(tokens),), generator=stream)]  # batch colors
    log_probs = shared_tables(pool, tables, n_names=n_names)(own.gather(1, tokens))
    readout = own[:, None].expand(-1, log_probs.shape[1], -1)
    known = log_probs.gather(2, readout).log_softmax(-1)  # batch time colors
    s, m = Symmetrized(pool)(tokens), Memorizing(pool)(tokens)

    def distance(first: Tensor, second: Tensor) -> float:
        return divergences.symmetrized_kl(first, second)[:, 1:].mean().item()

    return (distance(known, s) - distance(known, m)) / distance(s, m)


def positions(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the `position` with the number of one-hot tables of each run: tables, toward_m."""
    rows = []
    for run in runs:
        n_tables = run.settings.vocabulary.n_tables
        options = {"n_names": run.settings.backbone.d_model, "n_tables": n_tables}
        stream = generator(run.settings.training.seed, "known tables")
        place = position(run.pool, run.splits["in_distribution"], stream=stream, **options)
        rows.append({"tables": n_tables, "toward_m": place})
    return pd.DataFrame(rows)
