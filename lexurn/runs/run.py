"""One run: a trained model in a folder of its own, found again by its settings.

    run = runs.get({"lex": True, "n_steps": 200})     load it, or train it
    run.settings, run.metrics, run.results, run.predictor

The folder `RUNS/<name>-<key>/` holds

    settings.json        the settings
    metrics.jsonl        scalars along training, one line per evaluation
    results.json         the final, tidy table of distances, best step, first losses
    provenance.json      commit, versions, device, date, seconds, command
    urns.safetensors     what the task keeps with a run, such as its pool of urns
    model.safetensors    best weights;   last.safetensors: weights of the last step
    tables/              what the model predicts on sequences of each split
    wandb/, wandb.json   only with Weights & Biases: its recording, the run's id and settings there

    state-*              only during training: where to resume (see `lexurn.runs.checkpoints`)

`results.json` is written last: a folder without it holds no run yet, and `get` resumes its training
(see `lexurn.runs.recording`). Published runs (`book/results/`) are found like one's own, and never
written. `table`, `find` and `unfinished` say which runs there are, `delete` deletes one (see
`lexurn.runs.store`), and `write_table` and `read_table` keep tables beside them.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors.torch import load_file

from lexurn import models, predictors, tasks
from lexurn.base import files, paths, session
from lexurn.base.errors import StoreError
from lexurn.base.seeding import generator
from lexurn.base.shapes import Pool, Predictor, Tokens
from lexurn.runs import fit, recording, snapshots, store, tracking
from lexurn.runs.store import delete, find, unfinished
from lexurn.runs.tables import read_table, write_table
from lexurn.runs.tracking import MultiTracker, ProgressLines, Tracker, terminal_progress
from lexurn.settings import Settings, StudySettings, resolver
from lexurn.tasks import Task

__all__ = [
    "Run",
    "delete",
    "find",
    "get",
    "is_stored",
    "load",
    "read_table",
    "unfinished",
    "write_table",
]


@dataclass(frozen=True)
class Run:
    """A trained model and everything known about it."""

    path: Path
    evaluated: recording.Evaluated | None = field(default=None, repr=False, compare=False)
    """The splits and references of a training that has just ended, which remember their answers."""

    @cached_property
    def settings(self) -> Settings:
        return store.settings_of(self.path)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Scalars along training, a row per evaluation: step, learning_rate, train_loss,
        validation_loss, distances."""
        return pd.DataFrame(tracking.read_metrics(self.path / "metrics.jsonl"))

    @cached_property
    def results(self) -> pd.DataFrame:
        """Tidy table of the best weights' distances: step, split, row, reference, measure, mean,
        sem, n."""
        return pd.DataFrame(json.loads(files.read(self.path / "results.json"))["table"])

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """What the run was made with; see `lexurn.runs.provenance`."""
        return json.loads((self.path / "provenance.json").read_text())

    @cached_property
    def task(self) -> Task:
        """The task, with the tensors that the run was trained with, such as its pool of urns."""
        path = self.path / store.TASK_TENSORS
        return tasks.build(self.settings, tensors=load_file(path) if path.exists() else {})

    def require_data(self) -> None:
        """Raise StoreError if the run was trained on another text, or with another tokenizer."""
        for name, value in self.provenance.get("data", {}).items():
            present = self.task.fingerprint.get(name)
            if present != value:
                raise StoreError(
                    f"{self.path.name} was trained with the {name} {value}, and here it is "
                    f"{present}; bring that back, or delete the run and train it anew"
                )

    @property
    def pool(self) -> Pool | None:
        """The training urns (tasks colors); None where every sequence had a fresh one."""
        return self.task.tensors.get("urns")

    @cached_property
    def first_losses(self) -> list[float]:
        """The training losses of the first steps, to compare a repeated training with."""
        return json.loads(files.read(self.path / "results.json"))["first_losses"]

    @cached_property
    def model(self) -> models.LanguageModel:
        """The network with its best weights, on the CPU.

        Raises StoreError where the run was published without them.
        """
        self.require_data()
        path = self.path / store.WEIGHTS
        session.current().used_files.add(f"{self.path.name}/{store.WEIGHTS}")
        if not path.exists():
            raise StoreError(
                f"{self.path} has no weights; LEXURN_FRESH=1, or --fresh for the book, trains them"
            )
        model = self._new_model()
        model.load_state_dict(load_file(path))
        return model.eval()

    def checkpoints(self) -> Iterator[tuple[int, models.LanguageModel]]:
        """Yield each checkpoint's step (`n_checkpoints`) with the model as it was then.

        It is one model, which holds the weights of a step until the next one is asked for. Raises
        FileNotFoundError where there are no checkpoints.
        """
        model = self._new_model().eval()
        for step, weights in snapshots.read(self.path):
            model.load_state_dict(weights)
            yield step, model

    def predictors_along_training(self) -> Iterator[tuple[int, Predictor]]:
        """Yield each checkpoint's step with the model of that step as a predictor."""
        for step, model in self.checkpoints():
            yield step, fit.as_predictor(model, self.settings)

    @cached_property
    def predictor(self) -> Predictor:
        """The best weights as a predictor; a lexical model is averaged over random tables."""
        return fit.as_predictor(self.model, self.settings)

    @cached_property
    def references(self) -> dict[str, Predictor]:
        """The exact predictors that `results` compares with; they remember their answers on
        `splits`."""
        if self.evaluated:
            return self.evaluated.references
        return predictors.cache_predictions(self.task.references(), self.splits)

    @cached_property
    def splits(self) -> dict[str, Tokens]:
        """The held-out sequences that `results` was computed on."""
        if self.evaluated:
            return self.evaluated.splits
        self.require_data()
        return self.task.held_out()

    def _new_model(self) -> models.LanguageModel:
        seed = self.settings.training.seed
        return models.build(self.settings, generator=generator(seed, "weights"))


def get(
    settings: Settings | Mapping[str, Any],
    *,
    tracker: Tracker | None = None,
    wandb_key: str | None = None,
) -> Run:
    """Return the run with these settings: loaded if it is stored, else trained or resumed.

    Flat names are checked strictly. One process trains a run; another that asks for it waits, says
    so, and loads it. `tracker` gets the metrics in addition to the run's own files (default:
    progress lines on stderr); with the setting `tracker=wandb` Weights & Biases gets them too, by
    `wandb_key` or a key that is found elsewhere. Raises ParameterError for bad settings and for a
    device that is not available, and StoreError where the store cannot be written, which is tried
    before anything is trained.
    """
    settings = settings if isinstance(settings, Settings) else resolver.check(settings)
    # What a chapter averages over does not belong to a single run.
    settings = settings.replace(**StudySettings().model_dump(mode="json"))
    fit.resolve_device(settings.machine.device)
    if is_stored(settings):
        return _load_for_use(settings)
    tasks.build(settings)  # raises if there is nothing to train on
    folder = paths.runs() / settings.name
    with files.lock(folder, notify=tracker.report_wait if tracker else files.print_to_stderr):
        if is_stored(settings):
            return _load_for_use(settings)
        files.remove_leftovers(folder)
        files.write(folder / "settings.json", settings.model_dump_json(indent=2))
        n_steps = settings.training.n_steps
        tracker = tracker or ProgressLines(n_steps)
        with MultiTracker(tracker, *terminal_progress(n_steps)) as trackers:
            evaluated = recording.train(settings, folder, trackers, wandb_key=wandb_key)
    return Run(load(folder).path, evaluated)


def is_stored(settings: Settings) -> bool:
    """Return whether `get` would load the run rather than train it."""
    return store.finished_folder(settings.name) is not None


def load(name: str | Path) -> Run:
    """Return the finished run that a path, a name, a key or the beginning of a key means.

    Raises FileNotFoundError where there is none or more than one, and StoreError where a published
    one was altered.
    """
    path = find(name)
    if not store.is_finished(path):
        raise FileNotFoundError(
            f"{path} holds no finished run (no results.json); runs.get trains one"
        )
    store.check(path)
    session.current().used_files.add(f"{path.name}/results.json")
    return Run(path)


def _load_for_use(settings: Settings) -> Run:
    """Return a stored run, whose data must still be what it was trained on."""
    run = load(settings.name)
    run.require_data()
    return run
