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
    wandb/               only with Weights & Biases: what was recorded, and the run's id there
    state-*              only during training: where to resume (see `lexurn.runs.checkpoints`)

`results.json` is written last: where it is missing, `get` resumes the training. Published runs
(`book/results/`) are found like one's own and never written (see `lexurn.runs.contents`).
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors.torch import load_file

from lexurn import models, predictors, tasks
from lexurn.base import columns, files, paths, seeding, session
from lexurn.base.shapes import Pool, Predictor, Tokens
from lexurn.runs import (
    checkpoints,
    contents,
    fit,
    integrity,
    memory,
    recording,
    store,
    tracking,
    trial,
)
from lexurn.settings import Settings, StudySettings, resolver

N_TABLES_BEFORE = 8
"""Tables that were averaged along the training of lexical models whose metrics do not say it."""


@dataclass(frozen=True)
class Run:
    """A trained model and everything known about it."""

    path: Path

    @cached_property
    def settings(self) -> Settings:
        return store.settings_of(self.path)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Scalars along training, a row per evaluation: step, learning_rate, train_loss,
        validation_loss, n_tables, and the means of `lexurn.measures.evaluation.evaluate_means`.

        A lexical model is evaluated along training with one random table per sequence, as it is
        trained. Its final table averages probabilities over several tables, which is another
        quantity: an average is nearer to every reference than its members are. The column
        `n_tables` says how many tables were averaged: 0 for a model without random tables.
        """
        metrics = pd.DataFrame(contents.read(self.path, "metrics"))
        n_tables = metrics.get("n_tables", pd.Series(float("nan"), metrics.index))
        n_tables = n_tables.fillna(N_TABLES_BEFORE * self.settings.vocabulary.lex)
        return metrics.assign(n_tables=n_tables.astype(int))

    @cached_property
    def results(self) -> pd.DataFrame:
        """Tidy table of the best weights' distances: step, split, row, reference, measure, mean,
        sem, n. The row is `mean`, over all rows but the first, or `last`."""
        table = pd.DataFrame(contents.read(self.path, "results")["table"])
        return table[table["row"].isin(["mean", "last"])].reset_index(drop=True)

    @cached_property
    def results_by_row(self) -> pd.DataFrame:
        """`results`, and the same at every row.

        Raises StoreError if the run was published without single rows.
        """
        session.current().used_files.add(f"{self.path.name}/{contents.ROWS}")
        results = contents.read(self.path, "results")
        if "left_out" not in results:
            return pd.DataFrame(results["table"])
        packed = contents.locate(self.path, contents.ROWS)
        if not packed.exists():
            raise files.StoreError(
                f"{self.path} was published without {results['left_out']}; train it: "
                f"LEXURN_FRESH=1 {self.provenance['command']}"
            )
        return pd.DataFrame(columns.unpack(packed.read_bytes()))

    @property
    def results_hash(self) -> str:
        """12 digits of the hash of all means and errors of `results_by_row`."""
        results = contents.read(self.path, "results")
        numbers = pd.DataFrame(results["table"])[["mean", "sem"]].to_numpy(float)
        return results.get("hash") or files.hash_bytes(numbers.tobytes(), 12)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """What the run was made with; see `lexurn.runs.provenance`."""
        return contents.read(self.path, "provenance")

    @cached_property
    def task(self) -> tasks.Task:
        """The task, with the tensors that the run was trained with, such as its pool of urns."""
        path = contents.locate(self.path, store.TASK_TENSORS)
        return tasks.build(self.settings, tensors=load_file(path) if path.exists() else {})

    def require_data(self) -> None:
        """Raise StoreError if the run was trained on another text, or with another tokenizer."""
        for name, value in self.provenance.get("data", {}).items():
            present = self.task.fingerprint.get(name)
            if present != value:
                raise files.StoreError(
                    f"{self.path.name} was trained with the {name} {value}, and here it is "
                    f"{present}; bring that back, or delete the run and train it anew"
                )

    @property
    def pool(self) -> Pool | None:
        """The training urns (tasks colors); None where every sequence had a fresh one."""
        return self.task.tensors.get("urns")

    @cached_property
    def model(self) -> models.LanguageModel:
        """The network with its best weights, on the CPU.

        A run that was published without weights is trained again, into one's own store. Raises
        StoreError if the weights of another run are missing."""
        self.require_data()
        path = contents.locate(self.path, store.WEIGHTS)
        session.current().used_files.add(f"{self.path.name}/{store.WEIGHTS}")
        if not path.exists():
            if not store.is_published(self.path):
                remedy = contents.remedy(self.path)
                raise files.StoreError(f"{path} is missing; {remedy}: {self.provenance['command']}")
            with paths.ignoring_published():
                return get(self.settings).model
        model = self._new_model()
        model.load_state_dict(load_file(path))
        return model.eval()

    def checkpoints(self) -> Iterator[tuple[int, models.LanguageModel]]:
        """Yield each checkpoint's step (`n_checkpoints`) with the model as it was then.

        It is one model, which holds the weights of a step until the next one is asked for. Raises
        FileNotFoundError where there are no checkpoints.
        """
        model = self._new_model().eval()
        for step, weights in checkpoints.read_snapshots(self.path):
            model.load_state_dict(weights)
            yield step, model

    @cached_property
    def predictor(self) -> Predictor:
        """The best weights as a predictor; a lexical model is averaged over random tables."""
        return fit.as_predictor(self.model, self.settings)

    @cached_property
    def references(self) -> dict[str, Predictor]:
        """The exact predictors that `results` compares with; they remember their answers on
        `splits`."""
        return predictors.cache_predictions(self.task.references(), self.splits)

    @cached_property
    def splits(self) -> dict[str, Tokens]:
        """The held-out sequences that `results` was computed on."""
        self.require_data()
        return self.task.held_out()

    def _new_model(self) -> models.LanguageModel:
        seed = self.settings.training.seed
        return models.build(self.settings, generator=seeding.generator(seed, "weights"))


def get(
    settings: Settings | Mapping[str, Any],
    *,
    tracker: tracking.Tracker | None = None,
    wandb_key: str | None = None,
) -> Run:
    """Return the run with these settings: loaded if it is stored, else trained or resumed.

    Flat names are checked strictly. One process trains a run; another that asks for it waits, says
    so, and loads it. `tracker` gets the metrics in addition to the run's own files (default:
    `tracking.ProgressLines`); with the setting `tracker=wandb` Weights & Biases gets them too, by
    `wandb_key` or a key that is found elsewhere. Raises ParameterError for bad settings, for a
    device that is not available, for a part from outside this library that fails its trial
    (`lexurn.runs.trial`), and where memory does not suffice; and StoreError where the store cannot
    be written. All of this is tried before anything is trained.
    """
    settings = settings if isinstance(settings, Settings) else resolver.check(settings)
    # What a chapter averages over does not belong to a single run.
    settings = settings.replace(**StudySettings().model_dump(mode="json"))
    device = fit.resolve_device(settings.machine.device)
    evaluated: dict[str, Any] = {}
    if not is_stored(settings):
        trial.require(settings)
        free = memory.free_memory(device)
        memory.require(settings, free)
        tasks.build(settings)  # raises if there is nothing to train on
        folder = paths.runs() / settings.name
        tracker = tracker or tracking.ProgressLines(settings.training.n_steps)
        with files.lock(folder, notify=tracker.report_wait):
            if not is_stored(settings):  # no other process has trained it in the meantime
                files.remove_leftovers(folder)
                files.write(folder / "settings.json", settings.model_dump_json(indent=2))
                with ExitStack() as at_end, memory.explain_shortage(settings, free):
                    at_end.callback(tracker.finish)
                    evaluated = recording.train(
                        settings, folder, tracker, at_end=at_end, wandb_key=wandb_key
                    )
    run = load(settings.name)
    integrity.require_same(run.settings, settings, run.path)
    checkpoints.remove_states(run.path)  # of this training, or of one that was killed at its end
    run.require_data()
    vars(run).update(evaluated)  # splits and references, which remember their answers
    return run


def is_stored(settings: Settings) -> bool:
    """Return whether `get` would load the run rather than train it."""
    return store.finished_folder(settings.name) is not None


def load(name: str | Path) -> Run:
    """Return the finished run that a path, a name, a key or the beginning of a key means.

    Raises FileNotFoundError where there is none or more than one, and StoreError where a published
    one was altered.
    """
    path = store.find(name)
    if not store.is_finished(path):
        raise FileNotFoundError(
            f"{path} holds no finished run (no results.json); runs.get trains one"
        )
    integrity.check_run(path)
    session.current().used_files.add(f"{path.name}/results.json")
    return Run(path)
