"""The process that speaks to Weights & Biases: a child of the training's, so that nothing of wandb's can touch it.

It is run as a script. Standard input gives JSON lines: first how to begin, `{"settings": ..., "config": ...}`, then
what to record, `[method, argument, ...]`; its end is the end of the run. Standard output gives JSON lines, `{"at":
folder, "url": ...}` once recording has begun, and `{"error": text}` for the first thing that failed.
"""

import json
import os
import signal
import sys
from collections.abc import Callable


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1), os.dup2(nowhere, 2)  # wandb, and the program that it starts, are silent
    said: list[str] = []

    def answer(**about: str | None) -> None:
        if not said:
            print(json.dumps(about), file=answers)

    def fail(error: Exception) -> None:
        answer(error=f"{type(error).__name__}: {error}".strip(": "))
        said.append("error")

    try:
        record(answer, fail)
    except Exception as error:
        fail(error)
    os._exit(0)  # at a regular exit wandb would wait for the network once more


def record(answer: Callable[..., None], fail: Callable[[Exception], None]) -> None:
    first = json.loads(sys.stdin.readline())
    import wandb

    run = wandb.init(settings=wandb.Settings(**first["settings"]), config=first["config"])
    answer(at=run.settings.sync_dir, url=run.url)
    whole = False
    for line in sys.stdin:
        try:
            match json.loads(line):
                case [
                    "log",
                    metrics,
                    step,
                ]:  # steps that the run has already, after a resume, are ignored by wandb
                    run.log(metrics, step=step, commit=True)
                case ["log_table", name, {"columns": columns, "data": rows}]:
                    run.log({name: wandb.Table(columns=columns, data=rows, allow_mixed_types=True)})
                case ["log_weights", path]:
                    artifact = wandb.Artifact(first["settings"]["run_name"], type="model")
                    artifact.add_file(path, policy="immutable")  # not copied
                    run.log_artifact(artifact)
                    whole = True
        except Exception as error:  # what comes after it may still be recorded
            fail(error)
    signal.alarm(
        int(first["settings"]["finish_timeout"]) + 60
    )  # the last resort: it ends this process
    run.finish(exit_code=0 if whole else 1)


if __name__ == "__main__":
    main()
