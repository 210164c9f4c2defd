"""Train a stored run again, as far as its first losses."""

import contextlib

from lexurn import runs, tasks, training
from lexurn.runs import contents, fit


def stored_first_losses(run: runs.Run) -> list[float]:
    """Return the training losses of the first steps, to compare a repeated training with."""
    return contents.read(run.path, "results")["first_losses"]


def recompute_first_losses(name: str) -> list[float]:
    """Return the first losses of a stored run after training it again.

    Trains on the same kind of device as the run, because that device draws the random tables.
    Raises ParameterError if the machine has no such device.
    """
    run = runs.load(name)
    device = run.provenance["device"] if run.provenance["device"] in ("cpu", "mps") else "cuda"
    settings = run.settings.replace(device=device, eval_every=1)
    setup = fit.prepare(settings)
    n_losses = min(training.N_FIRST_LOSSES, settings.training.n_steps)
    losses: list[float] = []

    def log(metrics: training.Metrics, step: int) -> None:
        losses.extend([metrics["train_loss"]] if step else [])
        if len(losses) == n_losses:
            raise StopIteration

    callbacks = training.Callbacks(lambda _: {"validation_loss": 0.0}, log)
    with fit.threads(settings.machine.threads), contextlib.suppress(StopIteration):
        batches = fit.training_batches(tasks.build(settings), device=setup.device)
        fit.fit(setup, settings.training, batches, callbacks)
    return losses
