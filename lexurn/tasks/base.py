"""What a task is: a known generator, with everything that a model of it is judged by.

Each answer is a function of the settings alone, through random streams of its own. So evaluating
never changes training, and models with equal task and seed are compared on the same sequences.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor

from lexurn.base import seeding
from lexurn.base.shapes import Predictor, Tokens
from lexurn.settings import Settings


class Task(ABC):
    """A generator, its held-out splits, and its exact references. Derive from it to add a task.

    A class needs `splits`, `sample`, `held_out`, `references` and `optimum`; everything else has a
    default. It is built from the run's settings, of which `settings.task` are its own, and
    building it is cheap: `check` reads what has to be read.

    measure            the distance to references that is finite here: `symmetrized_kl`, or `regret`
                       where a reference knows that some tokens cannot come
    tracks_mixture     whether the mixture of references that is nearest to a model is followed
                       along training
    first_row          the first row of means over rows: 1 where row 0 is the same everywhere
    sequence_weights   the weight of each sequence (batch) in the training loss; None: all are alike
    """

    measure: str = "symmetrized_kl"
    tracks_mixture: bool = True
    first_row: int = 1
    sequence_weights: Callable[[Tokens], Tensor] | None = None

    def __init__(self, settings: Settings, *, tensors: Mapping[str, Tensor] | None = None):
        self.settings = settings

    @property
    @abstractmethod
    def splits(self) -> tuple[str, ...]:
        """Names of the held-out splits. A model is judged on the first one."""

    @abstractmethod
    def sample(self, n: int, length: int, *, generator: Generator) -> Tokens:
        """Return `n` sequences (n, length) as training has them."""

    @abstractmethod
    def held_out(self) -> dict[str, Tokens]:
        """Return the sequences of each split, the same at every call; at most context_length + 1
        tokens each."""

    @abstractmethod
    def references(self) -> dict[str, Predictor]:
        """Return the exact predictors that a model is compared with, by name."""

    @property
    @abstractmethod
    def optimum(self) -> str:
        """The reference that no model can beat on average on training data; empty if unknown."""

    def check(self) -> None:
        """Raise ParameterError unless there is something to train and to judge on."""
        self.settings.require_width(self.vocab_size - self.settings.task.n_special)

    def validation(self) -> Tokens:
        """Return the sequences that choose the best weights, and nothing else."""
        return self.sample(
            self.settings.training.n_test_samples,
            self.length,
            generator=self.stream("validation"),
        )

    @property
    def fingerprint(self) -> dict[str, str]:
        """Hashes of data that do not come from a generator: a text, a tokenizer."""
        return {}

    @property
    def tensors(self) -> dict[str, Tensor]:
        """What is stored with a run and handed to the task again, such as a pool of urns."""
        return {}

    @property
    def length(self) -> int:
        """The number of tokens of a whole sequence: context_length + 1."""
        return self.settings.task.context_length + 1

    @property
    def vocab_size(self) -> int:
        """The number of tokens, special ones included."""
        return self.settings.task.vocab_size

    @property
    def token_names(self) -> list[str]:
        """Names of the tokens for figures; empty where a token is called by its number."""
        return []

    def stream(self, *name: str) -> Generator:
        """Return the random stream of this name under the run's seed."""
        return seeding.generator(self.settings.training.seed, *name)

    def rename(self, tokens: Tokens, *, generator: Generator) -> Tokens:
        """Return every sequence with its symbols renamed by a uniform permutation of its own.

        Only with `label_permuted`; the names of special tokens stay.
        """
        if not self.settings.task.label_permuted:
            return tokens
        n_special = self.settings.task.n_special
        shape = (len(tokens), self.vocab_size - n_special)
        order = torch.rand(shape, generator=generator, device=tokens.device).argsort(-1)
        special = torch.arange(n_special, device=tokens.device).expand(len(tokens), -1)
        return torch.cat([special, order + n_special], 1).gather(1, tokens)
