"""The vocabulary of a language model: how tokens are embedded, and how hidden vectors become logits.

    LearnedVocabulary   one learned row per token
    RandomVocabulary    lexical invariance: a new random table for every sequence, so that no weight knows a token's
                        name (Huang et al. 2023, arXiv 2305.16349)

Both work on a *table*: `draw` gives one, `embed` and `unembed` use it. With the table of a sequence passed in,
relabelling the tokens and the table's rows together relabels the prediction and changes nothing else. A table
(1 words d_model) serves all sequences of a batch.

Of the tokens, `n_special` come first that are no words (SOS, EOS, PAD); their rows are learned in any case, and a
random table has those of the words alone.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from lexurn.base.shapes import Hidden, Table, Tokens
from lexurn.settings import VocabularySettings

Logits = Float[Tensor, "batch time vocab"]


class LearnedVocabulary(nn.Module):
    """A learned embedding table; tied, it reads the logits out too, untied, a linear map does.

    What is read out has the width `d_out`, which is `d_model` where tied.
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
        """The one learned table (vocab d_model), the same for all sequences."""
        return self.embedding

    def row(self, token: int) -> Float[Tensor, "1 d_model"]:
        """The learned row of a token."""
        return self.embedding[token : token + 1]

    def embed(self, tokens: Tokens, table: Table) -> Hidden:
        return nn.functional.embedding(tokens, table)

    def unembed(self, hidden: Float[Tensor, "batch time d_out"], table: Table) -> Logits:
        logits = hidden @ table.T if self.readout is None else self.readout(hidden)
        return self.logit_scale * logits


class RandomVocabulary(nn.Module):
    """A random table per sequence; tied, it reads the logits out too, untied, its learned linear image does."""

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
        self.n_words, self.d_model = vocab_size - n_special, d_model
        self.family = FAMILIES[settings.name]
        self.special = nn.Parameter(torch.empty(n_special, d_model)) if n_special else None
        self.readout = None if settings.tied else nn.Linear(d_model, d_out, bias=False)
        self.logit_scale = settings.logit_scale

    def draw(self, n_sequences: int, *, generator: Generator) -> Table:
        """Fresh tables (batch words d_model) on the generator's device."""
        return self.family((n_sequences, self.n_words, self.d_model), generator)

    def row(self, token: int) -> Float[Tensor, "1 d_model"]:
        """The learned row of a special token."""
        return self.special[token : token + 1]

    def embed(self, tokens: Tokens, table: Table) -> Hidden:
        table = self.whole(table).expand(len(tokens), -1, -1)
        return table.gather(1, tokens[..., None].expand(-1, -1, table.shape[-1]))

    def unembed(self, hidden: Float[Tensor, "batch time d_out"], table: Table) -> Logits:
        table = self.whole(table)
        table = table if self.readout is None else self.readout(table)
        return self.logit_scale * (hidden @ table.mT)

    def whole(self, table: Table) -> Float[Tensor, "#batch vocab d_model"]:
        """A table of words with the rows of special tokens before them."""
        if self.special is None:
            return table
        return torch.cat([self.special.expand(len(table), -1, -1), table], 1)


def build_vocabulary(
    vocab_size: int, d_model: int, settings: VocabularySettings, *, n_special: int, d_out: int
) -> LearnedVocabulary | RandomVocabulary:
    """Return random embeddings where `lex` asks for them, else learned ones."""
    vocabulary = RandomVocabulary if settings.lex else LearnedVocabulary
    return vocabulary(vocab_size, d_model, settings, n_special=n_special, d_out=d_out)


def gaussian(shape: tuple[int, int, int], generator: Generator) -> Table:
    """N(0, 1) entries: rows of norm about √d_model, and logits that start with that standard deviation."""
    return torch.randn(shape, generator=generator, device=generator.device)


def gaussian_scaled(shape: tuple[int, int, int], generator: Generator) -> Table:
    """N(0, 1/d_model) entries: rows of norm about 1."""
    return gaussian(shape, generator) / shape[-1] ** 0.5


def orthonormal(shape: tuple[int, int, int], generator: Generator) -> Table:
    """Orthonormal rows, uniform over rotations. Needs vocab ≤ d_model."""
    factors = torch.linalg.qr(gaussian(shape, generator).mT)
    signs = factors.R.diagonal(
        dim1=-2, dim2=-1
    ).sign()  # makes the factorization unique, hence the law uniform
    return factors.Q.mT * signs[..., None]


def one_hot(shape: tuple[int, int, int], generator: Generator) -> Table:
    """Different unit vectors of the standard basis, uniformly chosen. Needs vocab ≤ d_model."""
    n_sequences, vocab_size, d_model = shape
    chosen = torch.rand(n_sequences, d_model, generator=generator, device=generator.device).argsort(
        -1
    )
    return nn.functional.one_hot(chosen[:, :vocab_size], d_model).float()


FAMILIES: dict[str, Callable[[tuple[int, int, int], Generator], Table]] = {
    "gaussian": gaussian,
    "gaussian_scaled": gaussian_scaled,
    "orthonormal": orthonormal,
    "one_hot": one_hot,
    "original": gaussian,  # with tied read-out, no scale and no bias, which its settings insist on
}
