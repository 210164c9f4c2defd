"""The vocabulary of a language model: tokens to embeddings, and hidden vectors to logits.

    LearnedVocabulary   one learned embedding per token
    RandomVocabulary    lexical invariance: a fresh random embedding table for every sequence, so
                        that the weights cannot store anything about a particular token
                        (Huang et al. 2023, arXiv 2305.16349)
    names, canonical    other ways to the same invariance, in `lexurn.models.names` and `canonical`

Two dials lead from the second to the first: `n_tables` tables that are drawn once and shared by all
sequences, and `n_named` tokens that keep a learned embedding.

Vocabularies work on an embedding *table*: `draw` returns it, `embed` and `unembed` use it.
Relabelling the tokens and the rows of a sequence's table together relabels the prediction and
changes nothing else. A table (1 symbols d_model) serves all sequences of a batch.

The first `n_special` tokens are special (SOS, EOS, PAD). Their embeddings are always learned, and
so are those of the `n_named` tokens behind them. A random table has rows for the other tokens.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from lexurn.base.shapes import Hidden, Table, Tokens
from lexurn.settings import VocabularySettings

Logits = Float[Tensor, "batch time vocab"]

Shape = tuple[int, int, int]
"""(sequences, symbols, d_model) of a table."""


class LearnedVocabulary(nn.Module):
    """A learned embedding table. If tied, the table is also the read-out; if not, a linear map is.

    The read-out takes hidden vectors of width `d_out`, which equals `d_model` if tied.
    """

    is_random = False

    def __init__(
        self,
        vocab_size: int,
        d_model: int,
        settings: VocabularySettings,
        *,
        n_special: int,
        d_out: int,
    ):
        super().__init__()
        self.embedding = nn.Parameter(torch.empty(vocab_size, d_model))
        self.readout = (
            None if settings.tied else nn.Linear(d_out, vocab_size, bias=settings.readout_bias)
        )
        self.logit_scale = settings.logit_scale

    def draw(self, n_sequences: int, *, generator: Generator | None = None) -> Table:
        """Return the learned table (vocab d_model), which all sequences share."""
        return self.embedding

    def row(self, token: int) -> Float[Tensor, "1 d_model"]:
        """Return the learned embedding of a token."""
        return self.embedding[token : token + 1]

    def embed(self, tokens: Tokens, table: Table) -> Hidden:
        return nn.functional.embedding(tokens, table)

    def unembed(self, hidden: Float[Tensor, "batch time d_out"], table: Table) -> Logits:
        logits = hidden @ table.T if self.readout is None else self.readout(hidden)
        return self.logit_scale * logits


class RandomVocabulary(nn.Module):
    """A random table per sequence.

    If tied, the table is also the read-out; if not, a learned linear map of the table is.
    """

    is_random = True

    def __init__(
        self,
        vocab_size: int,
        d_model: int,
        settings: VocabularySettings,
        *,
        n_special: int,
        d_out: int,
    ):
        super().__init__()
        n_learned = n_special + settings.n_named
        self.n_symbols = vocab_size - n_learned
        self.width = d_model
        self.sample_table = TABLE_SAMPLERS.get(settings.name)
        self.special = nn.Parameter(torch.empty(n_learned, d_model)) if n_learned else None
        self.n_tables, self.redraw = settings.n_tables, settings.redraw
        self.readout = None if settings.tied else nn.Linear(d_model, d_out, bias=False)
        self.logit_scale = settings.logit_scale

    def draw_fixed(self, generator: Generator) -> None:
        """Draw the tables that sequences share, which are stored with the weights."""
        if self.n_tables:
            self.register_buffer("tables", self.draw_fresh(self.n_tables, generator))

    def draw(self, n_sequences: int, *, generator: Generator) -> Table:
        """Return a table for each sequence (batch symbols width), on the generator's device.

        The width is d_model. With `n_tables`, sequences choose among these tables, but for a share
        `redraw` of the sequences.
        """
        if not self.n_tables:
            return self.draw_fresh(n_sequences, generator)
        device = generator.device
        choice = torch.randint(self.n_tables, (n_sequences,), generator=generator, device=device)
        tables = self.tables.to(device)[choice]
        if self.redraw:
            is_fresh = torch.rand(n_sequences, generator=generator, device=device) < self.redraw
            fresh = self.draw_fresh(n_sequences, generator)
            tables = torch.where(is_fresh[:, None, None], fresh.to(tables.dtype), tables)
        return tables

    def draw_fresh(self, n_sequences: int, generator: Generator) -> Table:
        """Return new tables, whatever tables the sequences share in training."""
        return self.sample_table((n_sequences, self.n_symbols, self.width), generator)

    @property
    def has_new_tables(self) -> bool:
        """Whether there are tables that training never uses."""
        return bool(self.n_tables)

    def draw_new(self, n_sequences: int, *, generator: Generator) -> Table:
        """Return tables as training never uses them, where it does not use all."""
        return self.draw_fresh(n_sequences, generator)

    def row(self, token: int) -> Float[Tensor, "1 d_model"]:
        """Return the learned embedding of a special token, or of one that keeps its name."""
        return self.special[token : token + 1]

    def embed(self, tokens: Tokens, table: Table) -> Hidden:
        table = self.with_special_tokens(table).expand(len(tokens), -1, -1)
        return table.gather(1, tokens[..., None].expand(-1, -1, table.shape[-1]))

    def unembed(self, hidden: Float[Tensor, "batch time d_out"], table: Table) -> Logits:
        table = self.with_special_tokens(table)
        table = table if self.readout is None else self.readout(table)
        return self.logit_scale * (hidden @ table.mT)

    def with_special_tokens(self, table: Table) -> Float[Tensor, "#batch vocab d_model"]:
        """Return a table with the embeddings of special tokens in front of it."""
        if self.special is None:
            return table
        return torch.cat([self.special.expand(len(table), -1, -1), table], 1)


def build_vocabulary(
    vocab_size: int, d_model: int, settings: VocabularySettings, *, n_special: int, d_out: int
) -> LearnedVocabulary | RandomVocabulary:
    """Return random embeddings if `lex` asks for them, else learned ones."""
    vocabulary = RandomVocabulary if settings.lex else LearnedVocabulary
    return vocabulary(vocab_size, d_model, settings, n_special=n_special, d_out=d_out)


def gaussian(shape: Shape, generator: Generator) -> Table:
    """Draw entries from N(0, 1): rows have norm about √d_model, and initial logits that standard
    deviation."""
    return torch.randn(shape, generator=generator, device=generator.device)


def gaussian_scaled(shape: Shape, generator: Generator) -> Table:
    """Draw entries from N(0, 1/d_model): rows have norm about 1."""
    return gaussian(shape, generator) / shape[-1] ** 0.5


def orthonormal(shape: Shape, generator: Generator) -> Table:
    """Draw orthonormal rows, uniformly over rotations. Needs symbols ≤ d_model."""
    factors = torch.linalg.qr(gaussian(shape, generator).mT)
    signs = factors.R.diagonal(dim1=-2, dim2=-1).sign()  # make the factorization unique
    return factors.Q.mT * signs[..., None]


def one_hot(shape: Shape, generator: Generator) -> Table:
    """Draw distinct unit vectors of the standard basis. Needs symbols ≤ d_model."""
    n_sequences, n_symbols, d_model = shape
    keys = torch.rand(n_sequences, d_model, generator=generator, device=generator.device)
    return nn.functional.one_hot(keys.argsort(-1)[:, :n_symbols], d_model).float()


TABLE_SAMPLERS: dict[str, Callable[[Shape, Generator], Table]] = {
    "gaussian": gaussian,
    "gaussian_scaled": gaussian_scaled,
    "orthonormal": orthonormal,
    "one_hot": one_hot,
    "original": gaussian,  # its settings enforce a tied read-out without scale and bias
}
