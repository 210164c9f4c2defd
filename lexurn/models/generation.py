"""Sequences that a model goes on with, token by token, from the state of its backbone.

Every step predicts one row for all sequences at once and keeps what the next needs (keys and values, or a recurrent
state), so that nothing is computed twice.
"""

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor

from lexurn.base.shapes import Predictor, Table, Tokens
from lexurn.generators.strings import EOS, FIRST_LETTER, PAD
from lexurn.models.language_model import LanguageModel, evaluating


def complete(
    model: LanguageModel,
    prompts: Tokens,
    *,
    limit: int,
    table: Table | None = None,
    generator: Generator | None = None,
) -> Int64[Tensor, "batch limit"]:
    """Prompts (batch time) of equal length, possibly 0, with what the model goes on with: tokens (batch limit).

    Greedy, or sampled where there is a `generator` (on the CPU, so that every device samples the same from the same
    probabilities). Where tokens are words, one ends with EOS, with PAD behind it; one that has not ended at `limit`
    tokens holds no EOS. A model with a random vocabulary needs a `table` (1 or batch, words d_model). Raises ValueError
    for prompts longer than `limit`, for a limit longer than the model's context_length + 1, and for foreign tokens.
    """
    most = model.context_length + 1
    if not prompts.shape[1] <= limit <= most:
        raise ValueError(
            f"limit must be at least the prompts' {prompts.shape[1]} tokens and at most context_length + 1 = {most}, "
            f"got {limit}"
        )
    _check_prompts(model, prompts)
    if table is None and model.vocabulary.is_random:
        raise ValueError(
            "a model with a random vocabulary needs a table; use table=model.vocabulary.draw(1, generator=…)"
        )
    table = model.vocabulary.draw(1) if table is None else table
    tokens = torch.full((len(prompts), limit), PAD if model.has_words else 0, device=model.device)
    tokens[:, : prompts.shape[1]] = prompts
    state = model.begin()
    over = torch.zeros(len(prompts), 1, dtype=torch.bool, device=model.device)
    with evaluating(model):
        for row in range(limit):
            log_probs = model.step(
                tokens[:, row - 1 : row] if row else tokens[:, :1], row, state, table=table
            )
            if row < prompts.shape[1]:
                continue
            chosen = (
                log_probs.argmax(-1) if generator is None else _sampled(log_probs[:, 0], generator)
            )
            if model.has_words:
                tokens[:, row : row + 1] = torch.where(over, PAD, chosen)
                over |= chosen == EOS
                if over.all():
                    break
            else:
                tokens[:, row : row + 1] = chosen
    return tokens.to(prompts.device)


@torch.no_grad()
def go_on(
    predictor: Predictor, prompts: Tokens, *, limit: int, generator: Generator | None = None
) -> Int64[Tensor, "batch limit"]:
    """The same for any predictor of words, which is asked anew about everything for each token."""
    tokens = torch.full((len(prompts), limit), PAD)
    tokens[:, : prompts.shape[1]] = prompts
    for row in range(prompts.shape[1], limit):
        log_probs = predictor(tokens[:, : row + 1])[:, row]
        tokens[:, row] = (
            log_probs.argmax(-1) if generator is None else _sampled(log_probs, generator)[:, 0]
        )
    return tokens


def _sampled(
    log_probs: Float[Tensor, "batch vocab"], generator: Generator
) -> Int64[Tensor, "batch 1"]:
    probs = (
        log_probs.double().exp()
        if log_probs.device.type != "mps"
        else log_probs.cpu().double().exp()
    )
    uniform = torch.rand(len(probs), 1, generator=generator, dtype=torch.float64).to(probs.device)
    thresholds = probs.cumsum(-1)
    chosen = torch.searchsorted(thresholds, uniform * thresholds[:, -1:], right=True)
    return chosen.to(log_probs.device)


def _check_prompts(model: LanguageModel, prompts: Tokens) -> None:
    lowest = FIRST_LETTER if model.has_words else 0
    if (
        prompts.numel()
        and not lowest <= int(prompts.min()) <= int(prompts.max()) < model.vocab_size
    ):
        raise ValueError(
            f"the tokens of a prompt must lie in {lowest} … {model.vocab_size - 1}, got {int(prompts.min())} … "
            f"{int(prompts.max())}; was the prompt written for another language?"
        )
