"""One run: a trained model in a folder of its own, found again by its settings.

    run = runs.get({"lex": True, "n_steps": 200})     load it, or train it
    run.settings, run.metrics, run.results, run.predictor

The folder `RUNS/<name>-<key>/` holds

    settings.json        what was asked for
    metrics.jsonl        scalars along training, one line per evaluation
    results.json         the final, tidy table of distances (see `lexurn.measures.evaluation`), best step, first losses
    provenance.json      commit, versions, device, date, seconds, the papermill line that makes it again
    urns.safetensors     the training pool (no such file where every sequence has a fresh urn)
    model.safetensors    best weights;   last.safetensors: those of the last step
    tables/              what the model predicts on sequences of each split
    wandb/, wandb.json   only where Weights & Biases was asked for: what it recorded, and the run's id there

    state-*              only while it is trained: where to go on (see `lexurn.runs.checkpoints`)

`results.json` is written last: a folder without it is no run yet, and `get` trains on from its last state (see
`lexurn.runs.recording`). Published runs (`book/results/`) are found like one's own, and never written. Which runs there are
is told by `table`, `find` and `unfinished`; `delete` deletes one (see `lexurn.runs.store`), and `write_table` and
`read_table` keep tables beside them (see `lexurn.runs.tables`).
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors.torch import load_file

from lexurn import models, predictors
from lexurn.base import files, paths
from lexurn.base.seeding import generator
from lexurn.base.shapes import Pool, Predictor, Tokens
from lexurn.measures import evaluation
from lexurn.runs import fit, recording, snapshots, store, tracking
from lexurn.runs.store import delete, find, unfinished
from lexurn.runs.tables import read_table, write_table
from lexurn.runs.tracking import Lines, Several, Tracker
from lexurn.settings import FLAT, Settings, StudySettings, resolver

__all__ = [
    "Run",
    "delete",
    "find",
    "get",
    "is_stored",
    "load",
    "read_table",
    "table",
    "unfinished",
    "write_table",
]


@dataclass(frozen=True)
class Run:
    """A trained model and everything known about it."""

    path: Path

    @cached_property
    def settings(self) -> Settings:
        return Settings.model_validate_json((self.path / "settings.json").read_text())

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Scalars along training, a row per evaluation: step, learning_rate, train_loss, validation_loss, distances."""
        return pd.DataFrame(tracking.read(self.path / "metrics.jsonl"))

    @cached_property
    def results(self) -> pd.DataFrame:
        """Tidy table of the best weights' distances: step, split, row, reference, measure, mean, sem, n."""
        return pd.DataFrame(json.loads(files.read(self.path / "results.json"))["table"])

    @cached_property
    def provenance(self) -> dict[str, Any]:
        return json.loads((self.path / "provenance.json").read_text())

    @cached_property
    def pool(self) -> Pool | None:
        """The training urns (tasks colors); None where every sequence had a fresh one."""
        path = self.path / "urns.safetensors"
        return load_file(path)["urns"] if path.exists() else None

    @cached_property
    def first_losses(self) -> list[float]:
        """The training losses of the first steps, one by one: what a training computed anew can be compared with."""
        return json.loads(files.read(self.path / "results.json"))["first_losses"]

    @cached_property
    def model(self) -> models.LanguageModel:
        """The network with its best weights, on the CPU. Raises StoreError where it was published without them."""
        self.require_its_data()
        store.used.add(f"{self.path.name}/{store.WEIGHTS}")
        if not (self.path / store.WEIGHTS).exists():
            raise files.StoreError(
                f"{self.path} has no weights; LEXURN_FRESH=1, or --fresh for the book, trains them"
            )
        model = models.build(
            self.settings, generator=generator(self.settings.training.seed, "weights")
        )
        model.load_state_dict(load_file(self.path / store.WEIGHTS))
        return model.eval()

    def require_its_data(self) -> None:
        """Raise StoreError where it was trained on a text, or with a tokenizer, that is another by now."""
        then, now = self.provenance.get("data", {}), fit.fingerprint(self.settings)
        for what in then:
            if then[what] != now.get(what):
                raise files.StoreError(
                    f"{self.path.name} was trained with the {what} {then[what]}, and here it is {now.get(what)}; bring "
                    "that back, or delete the run and train it anew"
                )

    def checkpoints(self) -> Iterator[tuple[int, models.LanguageModel]]:
        """Each kept step (`n_checkpoints`) with the model as it was then, until the next is asked for.

        Raises FileNotFoundError where none were kept.
        """
        model = models.build(
            self.settings, generator=generator(self.settings.training.seed, "weights")
        ).eval()
        for step, weights in snapshots.read(self.path):
            model.load_state_dict(weights)
            yield step, model

    def along(self) -> Iterator[tuple[int, Predictor]]:
        """Each kept step with the predictor that the model was then; see `checkpoints`."""
        for step, model in self.checkpoints():
            yield step, fit.as_predictor(model, self.settings)

    @cached_property
    def predictor(self) -> Predictor:
        """The best weights as a predictor; a lexical model's probabilities are averaged over `N_TABLES`."""
        return fit.as_predictor(self.model, self.settings)

    @cached_property
    def references(self) -> dict[str, Predictor]:
        """The exact predictors that `results` compares with; on `splits` they remember their answers."""
        return predictors.remembered(fit.references(self.settings, self.pool), self.splits)

    @cached_property
    def splits(self) -> dict[str, Tokens]:
        """The held-out sequences that `results` was computed on."""
        self.require_its_data()
        return fit.held_out(self.settings, self.pool)


def get(
    settings: Settings | Mapping[str, Any],
    *,
    tracker: Tracker | None = None,
    wandb_key: str | None = None,
) -> Run:
    """The run with these settings: loaded where it is stored, else trained, from where an earlier try was cut off.

    Flat names are checked strictly. One process trains a run; another that asks for it waits, says so, and loads it.
    `tracker` gets the metrics beside the run's own files (default: progress lines on stderr); with the setting
    `tracker=wandb` Weights & Biases gets them too, by `wandb_key` or a key that is found elsewhere. Raises
    `ParameterError` for bad settings and for a device that is not there, and `files.StoreError` where the
    store cannot be written, which is tried before anything is trained.
    """
    settings = settings if isinstance(settings, Settings) else resolver.check(settings)
    settings = settings.model_copy(
        update={"study": StudySettings()}
    )  # what a chapter averages over is not this run's
    fit.resolve_device(settings.machine.device)
    fit.require_data(settings)
    if is_stored(settings):
        run = load(settings.name)
        run.require_its_data()
        return run
    folder = paths.runs() / settings.name
    with files.lock(folder, notify=tracker.wait if tracker else files.print_to_stderr):
        if is_stored(settings):
            return load(settings.name)
        files.remove_leftovers(folder)
        files.write(folder / "settings.json", settings.model_dump_json(indent=2))
        with Several(tracker or Lines(settings.training.n_steps)) as trackers:
            at_hand = recording.train(settings, folder, trackers, wandb_key=wandb_key)
    run = load(folder)
    run.__dict__.update(at_hand)  # cached properties, S's predictions among them
    return run


def is_stored(settings: Settings) -> bool:
    """Whether `get` would load rather than train."""
    return any(store.is_finished(root / settings.name) for root in paths.roots())


def load(name: str | Path) -> Run:
    """The finished run that a path, a name, a key or the beginning of one means.

    Raises FileNotFoundError where there is none or more than one, and StoreError where a published one was altered.
    """
    path = find(name)
    if not store.is_finished(path):
        raise FileNotFoundError(
            f"{path} holds no finished run (no results.json); runs.get trains one"
        )
    store.check(path)
    store.used.add(f"{path.name}/results.json")
    return Run(path)


def table(**flat: Any) -> pd.DataFrame:
    """The finished runs of the store with these settings, one a line, e.g. `table(kind="lexical", n_tasks=1)`.

    Columns: name (for `load`), published, kind, every flat setting (missing where the run's task or backbone has
    none), best_step, validation_loss there, seconds of training, and `d_<reference>` with its standard error
    `d_<reference>_sem`, the out-of-distribution distance. A run that cannot be read is named on stderr. Raises
    ParameterError for a name or a value that no setting has.
    """
    kind = flat.pop("kind", None)
    wanted = resolver.check_each(flat)
    lines = []
    for path in store.finished():
        run = Run(path)
        try:
            settings = run.settings.flat()
            fits = all(
                name in settings and settings[name] == value for name, value in wanted.items()
            )
            if fits and kind in (None, run.settings.kind):
                lines.append(_line(run))
        except (OSError, ValueError, LookupError) as error:
            print(f"{path.name} is left out: {' '.join(str(error).split())}", file=sys.stderr)
    distances = [
        f"d_{name}{of}"
        for name in ("generalizing", "memorizing", "symmetrized")
        for of in ("", "_sem")
    ]
    first = ["name", "published", "kind", *FLAT, "best_step", "validation_loss", "seconds"]
    return pd.DataFrame(lines, columns=[*first, *distances])


def _line(run: Run) -> dict[str, Any]:
    """A run's line in the table."""
    best_step = run.results["step"].iloc[0]
    distances = evaluation.select(run.results, split="out_of_distribution")
    line = {
        "name": run.path.name,
        "published": store.is_published(run.path),
        "kind": run.settings.kind,
        **(dict.fromkeys(FLAT, pd.NA) | run.settings.flat()),
        "best_step": best_step,
        "validation_loss": run.metrics.set_index("step").loc[best_step, "validation_loss"],
        "seconds": run.provenance["seconds"],
    }
    for reference, mean, sem in distances[["mean", "sem"]].itertuples():
        line |= {f"d_{reference}": mean, f"d_{reference}_sem": sem}
    return line
