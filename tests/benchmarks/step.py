"""Timings, run by hand on an idle machine: `python tests/benchmarks/step.py [--threads 1]`.

1. A training step (forward, backward, clipping, AdamW) of our transformer against a plain PyTorch
   model of the same shape, in turn, normal and lexical; a step of the whole training loop, with its
   data; and the share of the machine's matmul peak, measured in the same run. Floating-point
   operations are those of the matrix products, attention counted where it is causal.
2. `Memorizing` and `Symmetrized` against straightforward versions, on fewer sequences where these
   are slow.

All times are CPU seconds of the process, which a busy machine disturbs less than the clock.
"""

import statistics
import time
from collections.abc import Callable
from itertools import permutations

import click
import torch
from torch import nn

from lexurn import models, training
from lexurn.base.divergences import negative_log_likelihood
from lexurn.base.seeding import generator
from lexurn.base.wording import counted
from lexurn.generators.urns import Urns
from lexurn.predictors import Memorizing, Symmetrized
from lexurn.predictors.counting import prefix_counts
from lexurn.runs import fit
from lexurn.settings.resolver import check

SHAPES = [
    {"d_model": 128, "n_layers": 4, "n_heads": 8, "context_length": 128, "batch_size": 32},
    {"d_model": 64, "n_layers": 2, "n_heads": 4, "context_length": 64, "batch_size": 64},
    {"d_model": 32, "n_layers": 1, "n_heads": 2, "context_length": 32, "batch_size": 32},
]


class PlainBlock(nn.Module):
    def __init__(self, d_model: int, n_heads: int):
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(d_model), nn.LayerNorm(d_model)])
        self.attention = nn.MultiheadAttention(d_model, n_heads, batch_first=True)
        self.up, self.gate = (nn.Linear(d_model, 4 * d_model, bias=False) for _ in range(2))
        self.down = nn.Linear(4 * d_model, d_model, bias=False)

    def forward(self, x, mask):
        y = self.norms[0](x)
        x = x + self.attention(y, y, y, attn_mask=mask, need_weights=False)[0]
        y = self.norms[1](x)
        return x + self.down(nn.functional.gelu(self.up(y)) * self.gate(y))


class Plain(nn.Module):
    """What one would write first, with a table per sequence where `lex`."""

    def __init__(self, vocab_size, d_model, n_layers, n_heads, context_length, lex):
        super().__init__()
        self.vocab_size, self.d_model, self.lex = vocab_size, d_model, lex
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(context_length + 1, d_model)
        self.start = nn.Parameter(torch.zeros(1, 1, d_model))
        self.blocks = nn.ModuleList([PlainBlock(d_model, n_heads) for _ in range(n_layers)])
        self.norm = nn.LayerNorm(d_model)

    def forward(self, tokens, generator=None):
        n, length = tokens.shape
        table = self.embedding.weight.expand(n, -1, -1)
        if self.lex:
            table = torch.randn(n, self.vocab_size, self.d_model) / self.d_model**0.5
        x = table[torch.arange(n)[:, None], tokens[:, :-1]]
        x = torch.cat([self.start.expand(n, -1, -1), x], 1) + self.positions(torch.arange(length))
        mask = torch.ones(length, length, dtype=torch.bool).triu(1)
        for block in self.blocks:
            x = block(x, mask)
        return (self.norm(x) @ table.transpose(1, 2)).log_softmax(-1)


def plain_model(settings) -> Plain:
    """Return the plain model of the same shape."""
    shape = settings.backbone
    return Plain(
        settings.task.n_colors,
        shape.d_model,
        shape.n_layers,
        shape.n_heads,
        settings.task.context_length,
        settings.vocabulary.lex,
    )


def seconds_in_loop(settings, n_steps: int) -> float:
    """Return the seconds per step of the training loop, data included and evaluation excluded."""
    settings = settings.replace(n_steps=n_steps, eval_every=n_steps)
    setup = fit.prepare(settings)
    callbacks = training.Callbacks(lambda model: {"validation_loss": 0.0}, lambda *_: None)
    start = time.process_time()
    fit.fit(setup, settings.training, fit.training_batches(setup.task), callbacks)
    return (time.process_time() - start) / n_steps


def stepper(model: nn.Module, tokens) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    stream = generator(0, "tables")

    def step():
        loss = negative_log_likelihood(model(tokens, generator=stream), tokens).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def in_turn(first: Callable, second: Callable, *, rounds: int) -> tuple[float, float, list[float]]:
    """Median seconds of each, and the ratios second / first round by round."""
    seconds = [], []
    for function in (first, second):
        function()
    for _ in range(rounds):
        for function, of in zip((first, second), seconds, strict=True):
            began = time.process_time()
            function()
            of.append(time.process_time() - began)
    ratios = [b / a for a, b in zip(*seconds, strict=True)]
    return statistics.median(seconds[0]), statistics.median(seconds[1]), ratios


def peak(size: int = 2048, rounds: int = 5) -> float:
    """Most floating-point operations a second in a square matrix product, fp32."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        a @ b
        best = min(best, time.process_time() - began)
    return 2 * size**3 / best


def operations(settings) -> float:
    """Return the operations of the matrix products of one step: three times the forward pass."""
    rows, d = settings.task.context_length + 1, settings.backbone.d_model
    weights = settings.backbone.n_layers * 16 * d**2 + d * settings.task.n_colors
    attention = settings.backbone.n_layers * d * (rows + 1)  # QKᵀ and AV, half of each
    return 3 * settings.training.batch_size * rows * 2 * (weights + attention)


def quartiles(ratios: list[float]) -> str:
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.2f}× (quartiles {low:.2f} … {high:.2f}, n = {len(ratios)})"


def time_steps(rounds: int) -> None:
    for shape in SHAPES:
        for lex in (False, True):
            settings = check(
                {**shape, "lex": lex} | ({"vocabulary": "gaussian_scaled"} if lex else {})
            )
            n = settings.training.batch_size
            tokens = torch.randint(
                4, (n, settings.task.context_length + 1), generator=generator(0, "tokens")
            )
            ours = models.build(settings, generator=generator(0, "weights"))
            of = settings.backbone
            plain = plain_model(settings)
            fast, slow, ratios = in_turn(
                stepper(ours, tokens), stepper(plain, tokens), rounds=rounds
            )
            in_loop = seconds_in_loop(settings, 2 * rounds)
            top = peak()
            print(
                f"step d {of.d_model}, {of.n_layers} layers, C {settings.task.context_length}, "
                f"batch {n}, "
                f"{'lexical' if lex else 'normal'}: ours {fast * 1e3:.1f} ms, plain "
                f"{slow * 1e3:.1f} ms, "
                f"{quartiles(ratios)}; "
                f"in the loop with data {in_loop * 1e3:.1f} ms, {slow / in_loop:.2f}×; "
                f"{operations(settings) / fast / 1e9:.0f} GFLOP/s, "
                f"{operations(settings) / fast / top:.0%} of the matmul peak ({top / 1e9:.0f})"
            )


def time_predictors() -> None:
    urns = Urns(8)
    tokens = urns.out_of_distribution(500, 128, generator=generator(0, "tokens"))

    pool = urns.sample_tasks(4096, generator=generator(0, "pool"))

    def plain_memorizing(few):
        counts = prefix_counts(few, 8)
        log_likelihood = (counts[:, :, None] * pool.log()).sum(
            -1
        )  # batch time tasks colors before the sum
        return torch.einsum("btd,dv->btv", log_likelihood.softmax(-1), pool).log()

    compare("Memorizing, V 8, D 4096", Memorizing(pool), plain_memorizing, tokens, n_plain=5)

    few_urns = pool[:16]
    orders = list(permutations(range(8)))

    def plain_symmetrized(few):
        counts, total, parts = prefix_counts(few, 8), 0.0, 0.0
        for order in orders:
            urn = few_urns[:, list(order)]
            likelihood = (counts[:, :, None] * urn.log()).sum(-1).exp()
            total = total + likelihood.sum(-1)
            parts = parts + likelihood @ urn
        return (parts / total[..., None]).log()

    compare("Symmetrized, V 8, D 16", Symmetrized(few_urns), plain_symmetrized, tokens, n_plain=1)


def compare(name, ours, plain, tokens, *, n_plain) -> None:
    seconds = []
    for _ in range(3):
        began = time.process_time()
        ours(tokens)
        seconds.append(time.process_time() - began)
    few = tokens[:n_plain]
    began = time.process_time()
    wanted = plain(few)
    each = (time.process_time() - began) / n_plain
    gap = (ours(few) - wanted).abs().max().item()
    print(
        f"{name}, {len(tokens)} × {tokens.shape[1]}: {statistics.median(seconds):.2f} s "
        f"({min(seconds):.2f} … {max(seconds):.2f}, n = 3); plainly {each * len(tokens):.0f} s "
        f"(extrapolated from {n_plain} sequences), "
        f"{each * len(tokens) / statistics.median(seconds):.0f}×; "
        f"largest difference {gap:.0e}"
    )


@click.command()
@click.option("--threads", default=1, help="CPU threads")
@click.option("--rounds", default=15, help="pairs of steps per shape")
def main(threads: int, rounds: int) -> None:
    torch.set_num_threads(threads)
    print(f"torch {torch.__version__}, {counted(threads, 'thread')}")
    time_steps(rounds)
    time_predictors()


if __name__ == "__main__":
    main()
