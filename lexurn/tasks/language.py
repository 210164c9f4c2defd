"""Formal languages: strings as training has them, strings that it never has, longer ones, oracles.

Some strings may be kept from training (`unseen`): those of at least `MIN_HELD_LETTERS` letters, as
shorter ones are too common to be missed, whose hash falls into a share of all hashes. Half of these
strings choose the best weights, the other half are the split `unseen`. Where letters have no names,
a string is kept together with its renamings. The references do not know which strings are missing,
as no model could.
"""

import hashlib
from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor

from lexurn.base.errors import ParameterError
from lexurn.base.seeding import generator as stream
from lexurn.base.shapes import Predictor, Tokens
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.prompts import prompts, split_prompts
from lexurn.generators.strings import EOS, FIRST_LETTER, PAD, string_lengths
from lexurn.predictors.grammars import oracle
from lexurn.predictors.relabelled import RenamingMixture
from lexurn.settings import LETTERS, Settings
from lexurn.tasks.base import Task

MIN_HELD_LETTERS = 8
"""Letters of the shortest strings that may be kept from training."""

COMPLETED_SHARE = 0.1
"""Share of the training sequences that are completed prompts, where these are asked for."""

MAX_DRAWS = 200
"""Attempts to draw enough strings, or completions, of a kind."""

N_COMPLETIONS = 4096
"""Completions drawn in one attempt, most of which are of the other kind."""

Condition = Callable[[Tokens], Tensor]
"""Whether each string (batch) may be used."""


class LanguageTask(Task):
    """Strings with EOS and PAD, of context_length + 1 tokens."""

    measure = "regret"  # an oracle knows which letters cannot come
    tracks_mixture = False
    first_row = 0  # the first letter of a string counts

    def __init__(self, settings: Settings, *, tensors: Mapping[str, Tensor] | None = None):
        super().__init__(settings)
        self.language = LANGUAGES[settings.task.language]

    @property
    def splits(self) -> tuple[str, ...]:
        task = self.settings.task
        conditions = {
            "in_distribution": True,
            "unseen": bool(task.unseen),
            "longer": task.longest < task.context_length,
            "relabelled": task.label_permuted,
        }
        return tuple(name for name, is_present in conditions.items() if is_present)

    @property
    def token_names(self) -> list[str]:
        return ["S", "E", "·", *LETTERS[self.settings.task.language]]

    def sample(self, n: int, length: int, *, generator: Generator) -> Tokens:
        """Return `n` strings as training has them, some of them perhaps completed prompts."""
        tokens = self._strings(n, generator, where=self._is_trained_on)
        if self.settings.task.completions != "none":
            n_completed = int(COMPLETED_SHARE * n)
            tokens[:n_completed] = self.completed_prompts(n_completed, generator)
            tokens = tokens[torch.randperm(n, generator=generator)]
        tokens = self._with_length(tokens, length)
        return self._relabel(tokens, generator) if self.settings.task.label_permuted else tokens

    def completed_prompts(self, n: int, generator: Generator) -> Tokens:
        """Return `n` prompts that begin no string, each with a random completion.

        The prompts are from the half that may be trained on. With the completion rule 1 holds
        (`oracle`), or it does not (`adversarial`).
        """
        task = self.settings.task
        known, _ = split_prompts(prompts(task.language)["out_of_distribution"])
        n_free = task.longest - known.shape[1]
        positions = torch.arange(n_free + 1)
        accepted = []
        for _ in range(MAX_DRAWS):
            chosen = known[torch.randint(len(known), (N_COMPLETIONS,), generator=generator)]
            size = (N_COMPLETIONS, n_free + 1)
            letters = torch.randint(FIRST_LETTER, self.vocab_size, size, generator=generator)
            ends = torch.randint(n_free + 1, (N_COMPLETIONS, 1), generator=generator)
            behind = torch.where(positions == ends, EOS, PAD)
            strings = torch.cat([chosen, torch.where(positions < ends, letters, behind)], 1)
            rule_1 = self.language.obeys_rules(strings)[:, 0]
            accepted.append(strings[rule_1 == (task.completions == "oracle")])
            if sum(map(len, accepted)) >= n:
                return self._with_length(torch.cat(accepted)[:n], task.context_length + 1)
        raise ParameterError(
            f"completions={task.completions}: of {MAX_DRAWS * N_COMPLETIONS} drawn only "
            f"{sum(map(len, accepted))} can be used for {task.language}, and {n} are needed; use "
            "fewer training samples"
        )

    def held_out(self) -> dict[str, Tokens]:
        """Return strings as training has them (but no completed prompts), and where there are such:
        strings that it never has, longer strings, and renamed strings like the first ones."""
        task = self.settings.task
        conditions: dict[str, Condition] = {
            "in_distribution": self._is_trained_on,
            "unseen": lambda tokens: self._hash_share(tokens) < task.unseen / 2,
            "longer": lambda tokens: string_lengths(tokens) > task.longest,
            "relabelled": self._is_trained_on,
        }
        tokens = {}
        for split in self.splits:
            name = split.replace("_", " ")
            draws = stream(self.settings.training.seed, "held out", name)
            longest = task.context_length if split == "longer" else 0
            n = self.settings.training.n_test_samples
            tokens[split] = self._strings(n, draws, where=conditions[split], longest=longest)
        if task.label_permuted:
            names = stream(self.settings.training.seed, "names")
            tokens["relabelled"] = self._relabel(tokens["relabelled"], names)
        return tokens

    def validation(self) -> Tokens:
        """Return strings that training never has, where some are kept from it, or else strings like
        those of training."""
        task = self.settings.task
        if not task.unseen:
            return super().validation()

        def chooses_weights(tokens: Tokens) -> Tensor:
            share = self._hash_share(tokens)
            return (share >= task.unseen / 2) & (share < task.unseen)

        draws = stream(self.settings.training.seed, "validation")
        n = self.settings.training.n_test_samples
        tokens = self._strings(n, draws, where=chooses_weights)
        return self._relabel(tokens, draws) if task.label_permuted else tokens

    def references(self) -> dict[str, Predictor]:
        """Return the oracle, and the best predictor for letters without names."""
        task = self.settings.task
        exact = oracle(task.language, max_length=task.longest)
        n_letters = len(LETTERS[task.language])
        without_names = RenamingMixture(exact, n_permuted=n_letters, n_special=task.n_special)
        return {"oracle": exact, "relabelled": without_names}

    @property
    def optimum(self) -> str:
        return "oracle" if self.settings.kind == "normal" else "relabelled"

    def check(self) -> None:
        super().check()
        task = self.settings.task
        if task.completions != "none":
            self._require_room_for_completions()
        try:
            self.language.check_length(task.longest)
        except ValueError as error:
            name = "max_length" if task.max_length else "context_length"
            raise ParameterError(str(error).replace("max_length", name)) from None
        if not task.unseen:
            return
        draws = stream(0, "are there words")
        tokens = self.language.sample(10_000, max_length=task.longest, generator=draws)
        share = self._hash_share(tokens)
        parts = {
            "to train on": share >= task.unseen,
            "to choose weights by": (share >= task.unseen / 2) & (share < task.unseen),
            "never seen": share < task.unseen / 2,
        }
        for part, is_in_part in parts.items():
            if not is_in_part.any():
                raise ParameterError(
                    f"unseen={task.unseen} leaves no strings {part}: there are "
                    f"{len(tokens.unique(dim=0))} strings of {task.language} with at most "
                    f"{task.longest} letters; use another share, or unseen 0"
                )

    def _require_room_for_completions(self) -> None:
        task = self.settings.task
        if len(self.language.rules) < 2:
            raise ParameterError(
                f"completions={task.completions} is for languages of two rules, one of which a "
                f"prompt may break; {self.language.name} has one"
            )
        n_prompt = prompts(self.language.name)["out_of_distribution"].shape[1]
        if task.longest <= n_prompt:
            raise ParameterError(
                f"completions={task.completions} needs strings longer than the prompts' {n_prompt} "
                f"letters, got at most {task.longest}; raise context_length or max_length"
            )

    def _is_trained_on(self, tokens: Tokens) -> Tensor:
        unseen = self.settings.task.unseen
        if not unseen:
            return torch.ones(len(tokens), dtype=torch.bool)
        return self._hash_share(tokens) >= unseen

    def _strings(
        self, n: int, generator: Generator, *, where: Condition, longest: int = 0
    ) -> Tokens:
        """Return `n` strings that meet the condition, drawn again until there are enough."""
        task = self.settings.task
        length = longest or task.longest
        accepted = []
        for _ in range(MAX_DRAWS):
            tokens = self.language.sample(n, max_length=length, generator=generator)
            accepted.append(tokens[where(tokens)])
            if sum(map(len, accepted)) >= n:
                return self._with_length(torch.cat(accepted)[:n], task.context_length + 1)
        raise ParameterError(
            f"of {n * MAX_DRAWS} strings of {task.language} with at most {length} letters only "
            f"{sum(map(len, accepted))} can be used, and {n} are needed; change unseen, max_length "
            "or context_length"
        )

    def _with_length(self, tokens: Tokens, length: int) -> Tokens:
        return torch.nn.functional.pad(tokens, (0, length - tokens.shape[1]), value=PAD)

    def _hash_share(self, tokens: Tokens) -> Tensor:
        """Return a number from 0 to 1 for each string (batch), from its hash; 1 for short strings.

        Without names (lexical, label-permuted) it is the hash of the string with its letters
        numbered in the order of their first occurrence.
        """
        if self.settings.kind != "normal":
            tokens = _number_by_first_occurrence(tokens)
        shares = []
        for row, size in zip(
            tokens.to(torch.uint8).numpy(), string_lengths(tokens).tolist(), strict=True
        ):
            digest = hashlib.blake2b(row[:size].tobytes(), digest_size=6).digest()
            share = int.from_bytes(digest, "little") / 2**48
            shares.append(share if size >= MIN_HELD_LETTERS else 1.0)
        return torch.tensor(shares, dtype=torch.float64)

    def _relabel(self, tokens: Tokens, generator: Generator) -> Tokens:
        """Return every string with its letters renamed by a uniform permutation of its own."""
        scores = torch.rand(len(tokens), self.vocab_size - FIRST_LETTER, generator=generator)
        return _rename(tokens, scores.argsort(-1) + FIRST_LETTER)


def _number_by_first_occurrence(tokens: Tokens) -> Tokens:
    n_letters = int(tokens.max()) - FIRST_LETTER + 1
    positions = torch.arange(tokens.shape[1])
    first = [
        torch.where(tokens == FIRST_LETTER + letter, positions, tokens.shape[1]).amin(-1)
        for letter in range(n_letters)
    ]
    ranks = torch.stack(first, -1).argsort(dim=-1, stable=True).argsort(-1)
    return _rename(tokens, ranks + FIRST_LETTER)


def _rename(tokens: Tokens, new_letters: Tensor) -> Tokens:
    """Return the tokens with letter i of each string replaced by `new_letters` (batch letters)."""
    special = torch.arange(FIRST_LETTER).expand(len(tokens), -1)
    return torch.cat([special, new_letters], 1).gather(1, tokens)
