"""A random vocabulary with a fixed set of names: N vectors, of which a sequence uses an alphabet.

    names      (N, d_model)       one-hot, random unit vectors drawn once, or learned
    alphabets  (K, V)             the sets of names that sequences may use; all C(N, V) if K = 0
    table      (batch, V, N)      which name each token of a sequence has: rows are one-hot

Each sequence draws one alphabet, and assigns its names to the V tokens by a uniform permutation.
For every N ≥ V and every choice of alphabets the optimum is S, because the assignment says nothing
about the urn.
"""

import itertools
from math import comb

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn

from lexurn.base.shapes import Hidden, Tokens
from lexurn.models.vocabulary import Logits, RandomVocabulary, one_hot
from lexurn.settings import NamesSettings
from lexurn.settings.vocabulary import block_sizes

Assignment = Float[Tensor, "#batch symbols names"]
Alphabets = Int64[Tensor, "alphabets symbols"]


class NamesVocabulary(RandomVocabulary):
    """Tables that select rows of a fixed matrix of names."""

    def __init__(
        self,
        vocab_size: int,
        d_model: int,
        settings: NamesSettings,
        *,
        n_special: int,
        d_out: int,
    ):
        super().__init__(vocab_size, d_model, settings, n_special=n_special, d_out=d_out)
        self.kind, self.vectors = settings.alphabets, settings.name_vectors
        self.width = settings.count_names(d_model)
        n_sets = settings.count_alphabets(self.n_symbols, d_model)
        self.n_alphabets = settings.n_alphabets or n_sets
        self.uses_all = self.n_alphabets == comb(self.width, self.n_symbols)
        if self.vectors == "learned":
            self.names = nn.Parameter(torch.empty(self.width, d_model))
        else:
            self.register_buffer("names", torch.eye(self.width, d_model))
        if not self.uses_all:
            shape = (self.n_alphabets, self.n_symbols)
            self.register_buffer("alphabets", torch.zeros(shape, dtype=torch.int64))

    def draw_fixed(self, generator: Generator) -> None:
        """Draw the vectors of names, the alphabets and the tables that sequences share."""
        if self.vectors == "unit":
            vectors = torch.randn(self.names.shape, generator=generator)
            self.names.copy_(vectors / vectors.norm(dim=-1, keepdim=True))
        if not self.uses_all:
            sets = DRAWS[self.kind](self.width, self.n_symbols, self.n_alphabets, generator)
            self.alphabets.copy_(sets)
        super().draw_fixed(generator)

    @property
    def has_new_tables(self) -> bool:
        return bool(self.n_tables) or not self.uses_all

    def draw_fresh(self, n_sequences: int, generator: Generator) -> Assignment:
        """Return an assignment of the names of one alphabet for each sequence."""
        if self.uses_all:
            return one_hot((n_sequences, self.n_symbols, self.width), generator)
        device = generator.device
        choice = torch.randint(self.n_alphabets, (n_sequences,), generator=generator, device=device)
        keys = torch.rand(n_sequences, self.n_symbols, generator=generator, device=device)
        names = self.alphabets.to(device)[choice].gather(1, keys.argsort(-1))
        return nn.functional.one_hot(names, self.width).float()

    def draw_new(self, n_sequences: int, *, generator: Generator) -> Assignment:
        """Return assignments of alphabets that training has not used: uniform over all others.

        Where training uses all alphabets, its shared tables are all that is not new.
        """
        if self.uses_all:
            return self.draw_fresh(n_sequences, generator)
        known = nn.functional.one_hot(self.alphabets, self.width).sum(1).to(generator.device)
        tables: list[Tensor] = []
        while sum(map(len, tables)) < n_sequences:
            drawn = one_hot((n_sequences, self.n_symbols, self.width), generator)
            is_known = (drawn.sum(1)[:, None] == known).all(-1).any(-1)
            tables.append(drawn[~is_known])
        return torch.cat(tables)[:n_sequences]

    def embed(self, tokens: Tokens, table: Assignment) -> Hidden:
        return super().embed(tokens, table @ self.names)

    def unembed(self, hidden: Float[Tensor, "batch time d_out"], table: Assignment) -> Logits:
        return super().unembed(hidden, table @ self.names)


def random_sets(n_names: int, size: int, n_sets: int, generator: Generator) -> Alphabets:
    """Draw `n_sets` different sets of `size` names, uniformly without replacement."""
    sets: dict[tuple[int, ...], None] = {}
    while len(sets) < n_sets:
        order = torch.randperm(n_names, generator=generator, device=generator.device)
        sets[tuple(order[:size].sort().values.tolist())] = None
    return torch.tensor(list(sets))


def disjoint_groups(n_names: int, size: int, n_sets: int, generator: Generator) -> Alphabets:
    """Return the first `n_sets` groups of `size` names: 0 … V−1, V … 2V−1, and so on."""
    return torch.arange(n_sets * size).view(n_sets, size)


def blocks(n_names: int, size: int, n_sets: int, generator: Generator) -> Alphabets:
    """Return all sets of `size` names within equal blocks of names that make `n_sets` sets."""
    block = block_sizes(n_names, size)[n_sets]
    sets = torch.combinations(torch.arange(block), size)
    return torch.cat([sets + start for start in range(0, n_names, block)])


def lines(n_names: int, size: int, n_sets: int, generator: Generator) -> Alphabets:
    """Return `n_sets` lines of the affine plane AG(2, V), all V² + V of them or a random choice.

    Names are the points (x, y) over the field of V elements. Every two names lie on exactly one
    line, so that with all lines every pair of names meets equally often.
    """
    add, multiply = field_tables(size)
    elements = range(size)
    points = [[(c, y) for y in elements] for c in elements]
    for slope, shift in itertools.product(elements, elements):
        points.append([(x, add[multiply[slope][x]][shift]) for x in elements])
    names = torch.tensor([[size * x + y for x, y in line] for line in points])
    order = torch.randperm(len(names), generator=generator, device=generator.device)
    return names[order[:n_sets].cpu()]


def field_tables(size: int) -> tuple[list[list[int]], list[list[int]]]:
    """Return the tables of addition and multiplication of the field of `size` elements.

    For a prime they are those of whole numbers modulo `size`. The field of 4 elements has the
    elements 0, 1, w and w + 1, written as 0 … 3, with w² = w + 1.
    """
    elements = range(size)
    if size == 4:
        products = [[0, 0, 0, 0], [0, 1, 2, 3], [0, 2, 3, 1], [0, 3, 1, 2]]
        return [[a ^ b for b in elements] for a in elements], products
    return (
        [[(a + b) % size for b in elements] for a in elements],
        [[a * b % size for b in elements] for a in elements],
    )


DRAWS = {"random": random_sets, "groups": disjoint_groups, "design": lines, "blocks": blocks}
