"""The data of formal languages: words as training has them, words that it never has, longer ones, and exact references.

Some words may be kept from training (`unseen`): those of at least `FEWEST_LETTERS` letters, as shorter ones are too
common to be missed, whose hash falls into a share of all hashes. Half of these words choose the best weights, and the
other half are the split `unseen`. Where letters have no names, a word is kept together with its renamings. The
references do not know which words are missing, as no model could.
"""

import hashlib
from collections.abc import Callable

import torch

from lexurn.base.errors import ParameterError
from lexurn.base.seeding import generator
from lexurn.base.shapes import Pool, Predictor, Tokens
from lexurn.generators.languages import LANGUAGES
from lexurn.generators.prompts import prompts, split_prompts
from lexurn.generators.strings import EOS, FIRST_LETTER, PAD, string_lengths
from lexurn.predictors.grammars import oracle
from lexurn.predictors.relabelled import RenamingMixture
from lexurn.settings import Settings

FEWEST_LETTERS = 8
"""Words that may be kept from training have as many letters, or more."""

N_COMPLETED = 0.1
"""Share of the training sequences that are completed prompts, where these are asked for."""

MOST_DRAWS = 200
"""How often words, or completions, are drawn anew, at most, until there are enough of a kind."""

DRAWN_AT_ONCE = 4096
"""Completions, most of which do not obey, or break, rule 1."""

Chosen = Callable[[Tokens], torch.Tensor]


def training_pool(settings: Settings) -> Pool | None:
    """There are no urns."""
    return None


def weights(settings: Settings) -> None:
    """All words count alike."""
    return None


def sample_like_training(
    settings: Settings, pool: Pool | None, n: int, stream: torch.Generator
) -> Tokens:
    """`n` words with EOS and PAD, of context_length + 1 tokens, as training has them."""
    tokens = _words(settings, n, stream, where=_trained(settings))
    if settings.task.completions != "none":
        tokens[: int(N_COMPLETED * n)] = completed_prompts(settings, int(N_COMPLETED * n), stream)
        tokens = tokens[torch.randperm(n, generator=stream)]
    return _renamed(settings, tokens, stream) if settings.task.label_permuted else tokens


def completed_prompts(settings: Settings, n: int, stream: torch.Generator) -> Tokens:
    """`n` prompts that begin no word, of the half that may be trained on, each with a random completion: one
    by which rule 1 holds (`oracle`), or one by which it does not (`adversarial`)."""
    task, language = settings.task, LANGUAGES[settings.task.language]
    given, _ = split_prompts(prompts(task.language)["out_of_distribution"])
    room = task.longest - given.shape[1]
    found, n_found = [], 0
    for _ in range(MOST_DRAWS):
        chosen = given[torch.randint(len(given), (DRAWN_AT_ONCE,), generator=stream)]
        more = torch.randint(
            FIRST_LETTER, language.vocab_size, (DRAWN_AT_ONCE, room + 1), generator=stream
        )
        ends, places = (
            torch.randint(room + 1, (DRAWN_AT_ONCE, 1), generator=stream),
            torch.arange(room + 1),
        )
        words = torch.cat(
            [chosen, torch.where(places < ends, more, torch.where(places == ends, EOS, PAD))], 1
        )
        found.append(words[language.obeys_rules(words)[:, 0] == (task.completions == "oracle")])
        n_found += len(found[-1])
        if n_found >= n:
            words = torch.cat(found)[:n]
            return torch.nn.functional.pad(
                words, (0, task.context_length + 1 - words.shape[1]), value=PAD
            )
    raise ParameterError(
        f"completions={task.completions}: of {MOST_DRAWS * DRAWN_AT_ONCE} drawn only {n_found} do for {task.language}, "
        f"and {n} are needed; use fewer training samples"
    )


def references(settings: Settings, pool: Pool | None) -> dict[str, Predictor]:
    """The oracle, and what is best where letters have been renamed."""
    task = settings.task
    exact = oracle(task.language, max_length=task.longest)
    n_words = task.vocab_size - task.n_special
    return {
        "oracle": exact,
        "relabelled": RenamingMixture(exact, n_permuted=n_words, n_special=task.n_special),
    }


def optimum(settings: Settings) -> str:
    """The oracle for who knows the letters by name."""
    return "oracle" if settings.kind == "normal" else "relabelled"


def held_out(settings: Settings, pool: Pool | None) -> dict[str, Tokens]:
    """Words of the language, as training has them (no completed prompts); words that it never has, and longer ones, if
    there are; and where training renames letters, words like those of the first kind, with renamed letters."""
    task, n, seed = settings.task, settings.training.n_test_samples, settings.training.seed

    def draw(name: str, where: Chosen, *, longest: int = 0) -> Tokens:
        return _words(settings, n, generator(seed, "held out", name), where=where, longest=longest)

    splits = {"in_distribution": draw("in distribution", _trained(settings))}
    if task.unseen:
        splits["unseen"] = draw("unseen", lambda tokens: _share(settings, tokens) < task.unseen / 2)
    if task.longest < task.context_length:
        splits["longer"] = draw(
            "longer", lambda t: string_lengths(t) > task.longest, longest=task.context_length
        )
    if task.label_permuted:
        splits["relabelled"] = _renamed(
            settings, draw("relabelled", _trained(settings)), generator(seed, "names")
        )
    return splits


def validation(settings: Settings, pool: Pool | None) -> Tokens:
    """Words that training never has, where some are kept from it, or else words like those of training."""
    task, stream = settings.task, generator(settings.training.seed, "validation")
    if not task.unseen:
        return sample_like_training(settings, pool, settings.training.n_test_samples, stream)

    def chosen(tokens: Tokens) -> torch.Tensor:
        share = _share(settings, tokens)
        return (share >= task.unseen / 2) & (share < task.unseen)

    tokens = _words(settings, settings.training.n_test_samples, stream, where=chosen)
    return _renamed(settings, tokens, stream) if task.label_permuted else tokens


def fingerprint(settings: Settings) -> dict[str, str]:
    """There is nothing else to tell: words are drawn from their settings."""
    return {}


def require_data(settings: Settings) -> None:
    """Raise ParameterError unless there are words of this length, to train on, and to keep from it where asked for."""
    task, language = settings.task, LANGUAGES[settings.task.language]
    if task.completions != "none" and len(language.rules) < 2:
        raise ParameterError(
            f"completions={task.completions} is for languages of two rules, one of which a prompt may break; "
            f"{language.name} has one"
        )
    if task.completions != "none" and task.longest <= (
        n := prompts(language.name)["out_of_distribution"].shape[1]
    ):
        raise ParameterError(
            f"completions={task.completions} needs words longer than the prompts' {n} letters, got at most "
            f"{task.longest}; raise context_length or max_length"
        )
    try:
        language.check_length(task.longest)
    except ValueError as error:
        name = "max_length" if task.max_length else "context_length"
        raise ParameterError(str(error).replace("max_length", name)) from None
    if not task.unseen:
        return
    tokens = language.sample(
        10_000, max_length=task.longest, generator=generator(0, "are there words")
    )
    share = _share(settings, tokens)
    parts = {
        "to train on": share >= task.unseen,
        "to choose weights by": (share >= task.unseen / 2) & (share < task.unseen),
        "never seen": share < task.unseen / 2,
    }
    for part, there in parts.items():
        if not there.any():
            raise ParameterError(
                f"unseen={task.unseen} leaves no words {part}: there are {len(tokens.unique(dim=0))} words of "
                f"{task.language} with at most {task.longest} letters; use another share, or unseen 0"
            )


def _trained(settings: Settings) -> Chosen:
    """The words that are not kept from training."""
    unseen = settings.task.unseen
    return lambda tokens: (
        _share(settings, tokens) >= unseen if unseen else (tokens[:, 0] == tokens[:, 0])
    )


def _words(
    settings: Settings, n: int, stream: torch.Generator, *, where: Chosen, longest: int = 0
) -> Tokens:
    """`n` words that are chosen so, drawn anew until there are enough."""
    language, task = LANGUAGES[settings.task.language], settings.task
    length, found, n_found = longest or task.longest, [], 0
    for _ in range(MOST_DRAWS):
        tokens = language.sample(n, max_length=length, generator=stream)
        found.append(tokens[where(tokens)])
        n_found += len(found[-1])
        if n_found >= n:
            tokens = torch.cat(found)[:n]
            return torch.nn.functional.pad(tokens, (0, task.context_length - length), value=PAD)
    raise ParameterError(
        f"of {n * MOST_DRAWS} words of {task.language} with at most {length} letters only {n_found} can be used, and "
        f"{n} are needed; change unseen, max_length or context_length"
    )


def _share(settings: Settings, tokens: Tokens) -> torch.Tensor:
    """A number from 0 to 1 for each word, from its hash; 1 for short ones, which are never kept from training.

    Without names (lexical, label-permuted) it is that of the word with its letters numbered as they first come.
    """
    if settings.kind != "normal":
        tokens = _numbered(tokens)
    rows = tokens.to(torch.uint8).numpy()
    sizes = string_lengths(tokens).tolist()
    found = [
        int.from_bytes(hashlib.blake2b(row[:size].tobytes(), digest_size=6).digest(), "little")
        / 2**48
        if size >= FEWEST_LETTERS
        else 1.0
        for row, size in zip(rows, sizes, strict=True)
    ]
    return torch.tensor(found, dtype=torch.float64)


def _numbered(tokens: Tokens) -> Tokens:
    """Every word with its letters renamed in the order in which they first come."""
    places = torch.arange(tokens.shape[1])
    n_letters = int(tokens.max()) - FIRST_LETTER + 1
    first = [
        torch.where(tokens == FIRST_LETTER + letter, places, tokens.shape[1]).amin(-1)
        for letter in range(n_letters)
    ]
    new = torch.stack(first, -1).argsort(dim=-1, stable=True).argsort(-1) + FIRST_LETTER
    return torch.cat([torch.arange(FIRST_LETTER).expand(len(tokens), -1), new], 1).gather(1, tokens)


def _renamed(settings: Settings, tokens: Tokens, stream: torch.Generator) -> Tokens:
    """Every word with its letters renamed by a uniform permutation of its own."""
    n_letters = settings.task.vocab_size - FIRST_LETTER
    new = torch.rand(len(tokens), n_letters, generator=stream).argsort(-1) + FIRST_LETTER
    new = torch.cat([torch.arange(FIRST_LETTER).expand(len(tokens), -1), new], 1)
    return new.gather(1, tokens)
