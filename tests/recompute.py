"""Train a stored run again, as far as its first losses."""

import contextlib

from lexurn import runs, training
from lexurn.runs import fit


def recompute_first_losses(name: str) -> list[float]:
    """Return the first losses of a stored run after training it again; see `Run.first_losses`.

    Trains on the same kind of device as the run, because that device draws the random tables.
    Raises ParameterError if the machine has no such device.
    """
    run = runs.load(name)
    device = run.provenance["device"] if run.provenance["device"] in ("cpu", "mps") else "cuda"
    machine = run.settings.machine.model_copy(update={"device": device})
    settings = run.settings.model_copy(update={"machine": machine})
    ready = fit.prepare(settings)
    n_losses = min(training.N_FIRST, settings.training.n_steps)
    losses: list[float] = []

    def log(metrics: training.Metrics, step: int) -> None:
        losses.extend([metrics["train_loss"]] if step else [])
        if len(losses) == n_losses:
            raise StopIteration

    # The number of steps stays, because the learning-rate schedule depends on it.
    train = settings.training.model_copy(update={"eval_every": 1})
    with fit.threads(settings.machine.threads), contextlib.suppress(StopIteration):
        batches = fit.batches(settings, ready.pool, device=ready.device)
        fit.fit(ready, train, batches, evaluate=lambda _: {"validation_loss": 0.0}, log=log)
    return losses
