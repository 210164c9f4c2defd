"""The best predictions for the dials between learned embeddings and a table for every sequence.

    some names kept    M over the renamings of the other colours               keeping_names
    K shared tables    M in terms of names: a table makes an urn over names    shared_tables
    redrawn, share p   the table is the shared one or any: a mixture of        redrawing
                       whole sequences from M (1 − p) and from S (p)

With K tables of vectors that no two of them share, the first token tells the table and all names,
so that the optimum is M from row 1 on for every finite K. `shared_tables` is for one-hot tables,
which share their vectors, and does not know which names a sequence uses before it sees them.
"""

from jaxtyping import Int64
from torch import Tensor

from lexurn.base.shapes import Pool
from lexurn.predictors import Memorizing, RenamingMixture, SequenceMixture, Symmetrized


def keeping_names(pool: Pool, n_named: int) -> RenamingMixture:
    """Return the optimum where the first `n_named` colours keep their names."""
    n_permuted = pool.shape[1] - n_named
    return RenamingMixture(Memorizing(pool), n_permuted=n_permuted, n_special=n_named)


def shared_tables(
    pool: Pool, tables: Int64[Tensor, "tables colors"], *, n_names: int
) -> Memorizing:
    """Return the optimum as a predictor of names, where `tables[k, v]` is colour v's name.

    Its tokens are names 0 … n_names − 1.
    """
    n_tasks, n_colors = pool.shape
    urns = pool.new_zeros(len(tables), n_tasks, n_names)
    index = tables[:, None].expand(-1, n_tasks, n_colors)
    return Memorizing(urns.scatter(2, index, pool.expand(len(tables), -1, -1)).flatten(0, 1))


def redrawing(pool: Pool, redraw: float) -> SequenceMixture:
    """Return the optimum in terms of names, where colour v has name v or, with probability
    `redraw`, the names of the colours are any permutation."""
    return SequenceMixture([Memorizing(pool), Symmetrized(pool)], [1 - redraw, redraw])
