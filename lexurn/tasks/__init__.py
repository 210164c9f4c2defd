"""Tasks: what a model is trained on, judged on, and compared with, as objects.

    task = tasks.build(parameters.check({"n_tasks": 4}))
    task.sample(8, 33, generator=...), task.held_out(), task.references(), task.optimum

`base.Task` says what a task has; `urns`, `language` and `text` hold the three of this book. Others
register their settings and their class (`lexurn.register`), from inside or outside the repository.
"""

from collections.abc import Mapping

from torch import Tensor

from lexurn.settings import Settings
from lexurn.settings.registry import load_target
from lexurn.tasks.base import Task

__all__ = ["Task", "build"]


def build(settings: Settings, *, tensors: Mapping[str, Tensor] | None = None) -> Task:
    """Return the task of these settings.

    `tensors` are those of a stored run (`Task.tensors`), which was checked when it was trained.
    Without them, they are drawn from the seed, and ParameterError is raised where there is nothing
    to train or to judge on.
    """
    task = load_target("task", settings.task.name)(settings, tensors=tensors)
    if tensors is None:
        task.check()
    return task
