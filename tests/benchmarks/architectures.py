"""One training step of our Mamba and xLSTM against those of transformers and xlstm.

    python tests/benchmarks/architectures.py [--threads 1] [--rounds 7]

It needs `pip install -e ".[agreement]"`. Both are timed alternately, in one process.

The settings are the original ones of rule extrapolation, with batches of 32 sequences of 34 rows
(words of 32 letters) and of 128 rows. The output is the median over the rounds, and the ratio of
theirs to ours: the median over the rounds, with its quartiles.
"""

import statistics
import sys
import time
from pathlib import Path

import click
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
import test_agreement as agreement

MAMBA = {"d_model": 64, "n_layers": 8, "d_state": 32, "d_conv": 8}
XLSTM = {"d_model": 128, "n_layers": 7, "n_heads": 4, "d_conv": 4, "slstm_at": [1]}


class Last(nn.Module):
    """Their Mamba as a map of hidden vectors."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(inputs_embeds=x, use_cache=False)[0]


def seconds(model: nn.Module, x: torch.Tensor) -> float:
    begun = time.perf_counter()
    model(x).square().mean().backward()
    model.zero_grad()
    return time.perf_counter() - begun


@click.command()
@click.option("--threads", default=1, show_default=True)
@click.option("--rounds", default=7, show_default=True)
def main(threads: int, rounds: int) -> None:
    torch.set_num_threads(threads)
    for n_rows in (34, 128):
        x = {width: torch.randn(32, n_rows, width) for width in (64, 128)}
        flat = {"context_length": n_rows}
        pairs = {
            f"mamba, {agreement.version('transformers')}": (
                agreement.ours({"backbone": "mamba", **MAMBA} | flat, 64)[0],
                Last(agreement.mamba_of_transformers(MAMBA)),
                x[64],
            ),
            f"xlstm, {agreement.version('xlstm')}": (
                agreement.ours({"backbone": "xlstm", **XLSTM} | flat, 128)[0],
                agreement.xlstm_of_the_package(XLSTM, context_length=n_rows),
                x[128],
            ),
        }
        for name, (mine, theirs, given) in pairs.items():
            taken = [(seconds(mine, given), seconds(theirs, given)) for _ in range(rounds + 1)][1:]
            ours, other = (statistics.median(each) * 1e3 for each in zip(*taken, strict=True))
            low, ratio, high = statistics.quantiles([b / a for a, b in taken], n=4)
            print(
                f"{name}, {n_rows} rows: ours {ours:.0f} ms, theirs {other:.0f} ms; "
                f"theirs / ours {ratio:.2f} "
                f"({low:.2f} to {high:.2f}, n = {len(taken)} rounds, {threads} thread)"
            )


if __name__ == "__main__":
    main()
