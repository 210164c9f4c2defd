"""Completion of prompts by a language model.

The model predicts one row at a time for all sequences and keeps the state of its backbone (keys and
values, or a recurrent state), so that nothing is computed twice.
"""

import torch
from jaxtyping import Int64
from torch import Generator, Tensor

from lexurn.base.shapes import Table, Tokens
from lexurn.generators.strings import EOS, FIRST_LETTER, PAD
from lexurn.measures.rules import choose_tokens
from lexurn.models.language_model import LanguageModel, evaluating


def complete(
    model: LanguageModel,
    prompts: Tokens,
    *,
    limit: int,
    table: Table | None = None,
    generator: Generator | None = None,
) -> Int64[Tensor, "batch limit"]:
    """Return prompts of equal length, possibly 0, each completed to `limit` tokens.

    Decoding is greedy, or sampled if there is a `generator`, which is on the CPU. Strings end with
    EOS, followed by PAD; a string that has not ended within `limit` tokens contains no EOS. A model
    with a random vocabulary needs a `table` (1 or batch, symbols, d_model).

    Raises ValueError if `limit` is smaller than the prompts' length or larger than the model's
    context_length + 1, if a needed table is missing, and for tokens outside the vocabulary.
    """
    max_limit = model.context_length + 1
    n_prompt = prompts.shape[1]
    if not n_prompt <= limit <= max_limit:
        raise ValueError(
            f"limit must be at least the prompts' {n_prompt} tokens and at most "
            f"context_length + 1 = {max_limit}, got {limit}"
        )
    _check_prompts(model, prompts)
    if table is None and model.vocabulary.is_random:
        raise ValueError(
            "a model with a random vocabulary needs a table; "
            "use table=model.vocabulary.draw(1, generator=…)"
        )
    table = model.vocabulary.draw(1) if table is None else table
    fill = PAD if model.has_special_tokens else 0
    tokens = torch.full((len(prompts), limit), fill, device=model.device)
    tokens[:, :n_prompt] = prompts
    state = {}
    has_ended = torch.zeros(len(prompts), 1, dtype=torch.bool, device=model.device)
    with evaluating(model):
        for row in range(limit):
            previous = tokens[:, max(row - 1, 0)][:, None]
            log_probs = model.step(previous, row, state, table=table)
            if row < n_prompt:
                continue
            chosen = choose_tokens(log_probs[:, 0], generator)
            if model.has_special_tokens:
                chosen = torch.where(has_ended, PAD, chosen)
                has_ended |= chosen == EOS
            tokens[:, row : row + 1] = chosen
            if has_ended.all():
                break
    return tokens.to(prompts.device)


def _check_prompts(model: LanguageModel, prompts: Tokens) -> None:
    lowest = FIRST_LETTER if model.has_special_tokens else 0
    if prompts.numel() and not lowest <= prompts.min() <= prompts.max() < model.vocab_size:
        raise ValueError(
            f"the tokens of a prompt must lie in {lowest} … {model.vocab_size - 1}, got "
            f"{int(prompts.min())} … {int(prompts.max())}; was the prompt written for another "
            "language?"
        )
