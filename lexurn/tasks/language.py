"""Formal languages: strings as training has them, strings that it never has, longer ones, oracles.

Some strings may be kept from training (`unseen`): those of at least `MIN_HELD_LETTERS` letters, as
shorter ones are too common to be missed, whose hash falls into a share of all hashes. Half of these
strings choose the best weights, the other half are the split `unseen`. Where letters have no names,
a string is kept together with its renamings. The references do not know which strings are missing,
as no model could.
"""

import hashlib

import torch
from jaxtyping import Int64
from torch import Generator

from lexurn.base.errors import ParameterError
from lexurn.base.shapes import Predictor, Tokens
from lexurn.generators.languages import LANGUAGES, Language
from lexurn.generators.prompts import prompts, split_prompts
from lexurn.generators.strings import EOS, FIRST_LETTER, PAD, string_lengths
from lexurn.predictors import RenamingMixture
from lexurn.predictors.grammars import oracle
from lexurn.tasks.base import Task

MIN_HELD_LETTERS = 8  # of the shortest strings that may be kept from training
N_CHECKED = 50  # strings of each kind that a task must be able to draw
MAX_DRAWS = 200  # attempts to draw enough strings of a kind
N_COMPLETIONS = 4096  # drawn in one attempt; most of them are of the other kind
N_JUDGED = 256  # of these at a time, until there are enough
MAX_COMPLETION_DRAWS = 2000  # attempts to draw enough completions


class LanguageTask(Task):
    """Strings with EOS and PAD, of context_length + 1 tokens."""

    measure = "regret"  # an oracle knows which letters cannot come
    tracks_mixture = False
    first_row = 0  # the first letter of a string counts

    @property
    def language(self) -> Language:
        return LANGUAGES[self.settings.task.language]

    @property
    def splits(self) -> tuple[str, ...]:
        task = self.settings.task
        is_present = {
            "in_distribution": True,
            "unseen": task.unseen > 0,
            "longer": task.longest < task.context_length,
            "relabelled": task.label_permuted,
        }
        return tuple(name for name in is_present if is_present[name])

    @property
    def token_names(self) -> list[str]:
        return ["S", "E", "·", *self.language.letters]

    def sample(self, n: int, length: int, *, generator: Generator) -> Tokens:
        """Return `n` strings as training has them, some of them perhaps completed prompts."""
        tokens = self._strings(n, generator)
        if self.settings.task.completions != "none":
            n_completed = int(self.settings.task.completed_share * n)
            completed = self.completed_prompts(n_completed, generator)
            tokens[:n_completed, : completed.shape[1]] = completed
            tokens = tokens[torch.randperm(n, generator=generator)]
        return self.rename(_pad_to(tokens, length), generator=generator)

    def completed_prompts(self, n: int, generator: Generator) -> Tokens:
        """Return `n` prompts that begin no string, each with a random completion.

        The prompts are from those that may be trained on (`split_prompts`). With the completion,
        of the letters that prompts have, rule 1 holds (`oracle`), or it does not (`adversarial`).
        Prompts are as frequent as their random completions are of this kind.
        """
        task = self.settings.task
        outside = prompts(task.language)["out_of_distribution"]
        seed = self.settings.training.seed
        known, _ = split_prompts(outside, n_completed=task.n_completed, seed=seed)
        n_tokens = int(outside.max()) + 1
        n_free = task.longest - known.shape[1]
        positions = torch.arange(n_free + 1)
        accepted = []
        for _ in range(MAX_COMPLETION_DRAWS):
            size = (N_COMPLETIONS, n_free + 1)
            numbers = torch.randint(len(known), size[:1], generator=generator)
            letters = torch.randint(FIRST_LETTER, n_tokens, size, generator=generator)
            lengths = torch.randint(n_free + 1, (N_COMPLETIONS, 1), generator=generator)
            parts = (drawn.split(N_JUDGED) for drawn in (numbers, letters, lengths))
            for chosen, completions, ends in zip(*parts, strict=True):
                completions = completions.where(positions != ends, EOS)
                completions = completions.where(positions <= ends, PAD)
                strings = torch.cat([known[chosen], completions], 1)
                obeys_rule_1 = self.language.obeys_rules(strings)[:, 0]
                accepted.append(strings[obeys_rule_1 == (task.completions == "oracle")])
                if sum(map(len, accepted)) >= n:
                    return torch.cat(accepted)[:n]
        raise ParameterError(
            f"completions={task.completions}: of {MAX_COMPLETION_DRAWS * N_COMPLETIONS} drawn only "
            f"{sum(map(len, accepted))} can be used for {task.language}, and {n} are needed; lower "
            "completed_share, or raise n_completed or max_length"
        )

    def held_out(self) -> dict[str, Tokens]:
        """Return strings as training has them (but no completed prompts), and where there are such:
        strings that it never has, longer strings, and renamed strings like the first ones."""
        n = self.settings.training.n_test_samples
        tokens = {}
        for split in self.splits:
            part = "in_distribution" if split == "relabelled" else split
            draws = self.stream("held out", split.replace("_", " "))
            tokens[split] = self._strings(n, draws, part=part)
        if "relabelled" in tokens:
            tokens["relabelled"] = self.rename(tokens["relabelled"], generator=self.stream("names"))
        return tokens

    def validation(self) -> Tokens:
        """Return strings that training never has, where some are kept from it, or else strings like
        those of training."""
        if not self.settings.task.unseen:
            return super().validation()
        draws = self.stream("validation")
        tokens = self._strings(self.settings.training.n_test_samples, draws, part="validation")
        return self.rename(tokens, generator=draws)

    def references(self) -> dict[str, Predictor]:
        """Return the oracle, and the best predictor for letters without names."""
        task = self.settings.task
        exact = oracle(task.language, max_length=task.longest)
        without_names = RenamingMixture(
            exact, n_permuted=len(self.language.letters), n_special=task.n_special
        )
        return {"oracle": exact, "relabelled": without_names}

    @property
    def optimum(self) -> str:
        return "oracle" if self.settings.kind == "normal" else "relabelled"

    def check(self) -> None:
        super().check()
        task = self.settings.task
        if task.completions != "none":
            n_prompts, n_prompt = prompts(task.language)["out_of_distribution"].shape
            if task.n_completed > n_prompts // 2:
                raise ParameterError(
                    f"n_completed must be at most {n_prompts // 2}, half of the {n_prompts} "
                    f"prompts that begin no string of {task.language}, got {task.n_completed}; "
                    "use 0 for this half"
                )
            if task.longest <= n_prompt:
                raise ParameterError(
                    f"completions={task.completions} needs strings longer than the prompts' "
                    f"{n_prompt} letters, got at most {task.longest}; raise context_length or "
                    "max_length"
                )
        name = "max_length" if task.max_length else "context_length"
        self.language.check_length(task.longest, name=name)
        if task.completions != "none":
            self.completed_prompts(N_CHECKED, self.stream("check", "completed prompts"))
        if task.unseen:
            for part in ("in_distribution", "validation", "unseen"):
                self._strings(N_CHECKED, self.stream("check", part), part=part)

    def _strings(self, n: int, generator: Generator, *, part: str = "in_distribution") -> Tokens:
        """Return `n` strings of one part of the language, drawn again until there are enough."""
        task = self.settings.task
        longest = task.context_length if part == "longer" else task.longest
        accepted = []
        for _ in range(MAX_DRAWS):
            tokens = self.language.sample(n, max_length=longest, generator=generator)
            sizes = string_lengths(tokens).tolist()
            strings = [row[:size] for row, size in zip(tokens.tolist(), sizes, strict=True)]
            is_in_part = torch.tensor([self._part(string) == part for string in strings])
            accepted.append(tokens[is_in_part])
            if sum(map(len, accepted)) >= n:
                return _pad_to(torch.cat(accepted)[:n], self.length)
        raise ParameterError(
            f"of {n * MAX_DRAWS} strings of {task.language} with at most {longest} letters only "
            f"{sum(map(len, accepted))} are for {part.replace('_', ' ')}, and {n} are needed, with "
            f"unseen={task.unseen}; change unseen, max_length or context_length"
        )

    def _part(self, string: list[int]) -> str:
        """Return `in_distribution` for a string, given as tokens, that is trained on.

        Other strings are `longer`, or their hash keeps them from training: `validation` strings
        choose the best weights, `unseen` ones are held out. Without names (lexical, label-permuted)
        it is the hash of the string with its letters numbered in the order of their first
        occurrence.
        """
        task = self.settings.task
        if len(string) > task.longest:
            return "longer"
        if not task.unseen or len(string) < MIN_HELD_LETTERS:
            return "in_distribution"
        if self.settings.kind != "normal":
            letters = list(dict.fromkeys(string))
            string = [FIRST_LETTER + letters.index(letter) for letter in string]
        digest = hashlib.blake2b(bytes(string), digest_size=6).digest()
        share = int.from_bytes(digest, "little") / 2**48
        if share >= task.unseen:
            return "in_distribution"
        return "validation" if share >= task.unseen / 2 else "unseen"


def _pad_to(tokens: Tokens, length: int) -> Int64[torch.Tensor, "batch length"]:
    return torch.nn.functional.pad(tokens, (0, length - tokens.shape[1]), value=PAD)
