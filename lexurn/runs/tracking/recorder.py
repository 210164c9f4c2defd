"""Record a run to Weights & Biases: the process that follows the files of a training.

`weights_and_biases.Wandb` starts this script in the folder of the run. Standard input ends when the
training ends, also when the training is killed. A line of standard output is a message to the user.

wandb has a service process of its own, but wandb 0.31 inside the training process would break three
promises. It reports which machine-learning packages are imported; a service that hangs blocks
`Run.log` and the exit of the interpreter; and uploads stop when the process ends.
"""

import json
import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pandas as pd
import wandb

SECONDS_TO_UPLOAD = 600
"""Limit on the time that uploads take after the end of the training."""

FOLDER = Path.cwd()
MESSAGES = os.fdopen(os.dup(1), "w", buffering=1)


def main() -> None:
    os.dup2(2, 1)  # wandb and its service may print to stdout: send that where stderr goes, nowhere
    try:
        record()
    except Exception as error:
        say(f"recording ended ({type(error).__name__}: {error}); the metrics are in {FOLDER}")
    os._exit(0)  # a regular exit would wait for the network once more


def record() -> None:
    """Send each row of `metrics.jsonl` when it appears, and the tables and weights at the end."""
    run = init_run()
    unfinished_line = ""
    with open("metrics.jsonl") as file:
        is_training = True
        while is_training:
            is_training = not select.select([sys.stdin], [], [], 0.5)[0]
            *lines, unfinished_line = (unfinished_line + file.read()).split("\n")
            for line in lines:
                metrics = json.loads(line)
                step = metrics.pop("step")
                run.log(metrics, step=step, commit=True)  # W&B ignores a step that it has already
    is_complete = Path("results.json").exists()
    if is_complete:
        log_tables_and_weights(run)
    signal.alarm(SECONDS_TO_UPLOAD + 60)  # ends this process even if `finish` ignores its timeout
    run.finish(exit_code=0 if is_complete else 1)
    if run.offline:
        say(f"recorded offline; upload it at any time with: wandb sync {run.settings.sync_dir}")


def init_run() -> wandb.Run:
    """Return the W&B run: online if there is a key and the server answers in time, else offline."""
    config = json.loads(Path("wandb.json").read_text())["config"]
    mode = os.environ["WANDB_MODE"]
    if mode != "offline":
        try:
            run = wandb.init(config=config, settings=settings(mode))
            say(f"this run is at {run.url}")
            return run
        except Exception as error:
            say(f"not online ({type(error).__name__}: {error}); recording offline")
            wandb.teardown()  # else the id of the run is in use
    return wandb.init(config=config, settings=settings("offline"))


def settings(mode: str) -> wandb.Settings:
    """Return settings that switch off every look at the machine, the code and the console."""
    return wandb.Settings(
        mode=mode,
        api_key=os.environ.pop("WANDB_API_KEY", "") or None,
        project=os.environ.get("WANDB_PROJECT") or "lexurn",
        run_name=FOLDER.name,
        resume="allow",
        allow_val_change=True,  # a training may go on with another device or number of threads
        root_dir=str(FOLDER),
        use_dot_wandb=False,
        finish_timeout=SECONDS_TO_UPLOAD,
        host="",
        program="lexurn",
        console="off",
        silent=True,
        quiet=True,
        symlink=False,
        save_code=False,
        disable_code=True,
        disable_git=True,
        label_disable=True,
        x_disable_stats=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )


def log_tables_and_weights(run: wandb.Run) -> None:
    """Send each file `tables/<name>.csv`, and the best weights as a model artifact."""
    for path in sorted(Path("tables").rglob("*.csv")):
        table = pd.read_csv(path, keep_default_na=False, na_values=[""])
        name = path.relative_to("tables").with_suffix("").as_posix()
        run.log({name: wandb.Table(dataframe=table, allow_mixed_types=True)})
    artifact = wandb.Artifact(FOLDER.name, type="model")
    artifact.add_file(str(FOLDER / "model.safetensors"), policy="immutable")  # not copied
    run.log_artifact(artifact)


def say(text: str) -> None:
    with suppress(BrokenPipeError):  # nobody listens any more: the training was killed
        print(" ".join(text.split()), file=MESSAGES)


if __name__ == "__main__":
    main()
