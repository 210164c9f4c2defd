"""The process that speaks to Weights & Biases: a child of the training's, so that nothing of wandb's can touch it.

It is run as a script. Standard input gives JSON lines: first how to begin, `{"settings": ..., "config": ...}`, then what
to record, `[method, argument, ...]`; its end is the end of the run. Standard output gives JSON lines, `{"at": folder,
"url": ...}` once recording has begun, and `{"error": text}` for the first thing that failed.
"""

import json
import os
import signal
import sys

SECONDS = 600
"""Longest time that uploading may go on after the end of the training."""


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1), os.dup2(nowhere, 2)  # wandb, and the program that it starts, are silent

    def answer(**about: str | None) -> None:
        try:
            print(json.dumps(about), file=answers)
        except OSError:
            pass  # the training has left

    try:
        record(answer)
    except Exception as error:
        answer(error=f"{type(error).__name__}: {error}")
    os._exit(0)  # at a regular exit wandb would wait for the network once more


def record(answer) -> None:
    first = json.loads(sys.stdin.readline())
    import wandb

    run = wandb.init(settings=wandb.Settings(**first["settings"]), config=first["config"])
    answer(at=run.settings.sync_dir, url=run.url)
    failed, whole = False, False
    for line in sys.stdin:
        try:
            match json.loads(line):
                case ["log", metrics, step]:  # steps that the run has already, after a resume, are ignored by wandb
                    run.log(metrics, step=step, commit=True)
                case ["log_table", name, {"columns": columns, "data": rows}]:
                    run.log({name: wandb.Table(columns=columns, data=rows, allow_mixed_types=True)})
                case ["log_weights", path]:
                    artifact = wandb.Artifact(first["settings"]["run_name"], type="model")
                    artifact.add_file(path, policy="immutable")  # not copied
                    run.log_artifact(artifact)
                    whole = True
        except Exception as error:
            if not failed:
                answer(error=f"{type(error).__name__}: {error}")
            failed = True
    signal.alarm(SECONDS + 60)  # the last resort: it ends this process
    run.finish(exit_code=0 if whole else 1)


if __name__ == "__main__":
    main()
