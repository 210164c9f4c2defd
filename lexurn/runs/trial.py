"""A trial of the parts of a run that come from outside this library, before anything is trained.

What a task, a backbone or a vocabulary must do is tried on a few sequences. The tests of the
library hold its own parts to the same.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lexurn import models, tasks
from lexurn.base import seeding
from lexurn.base.errors import ParameterError
from lexurn.base.shapes import check_causal, check_log_probs, check_tokens
from lexurn.models.backbone import Backbone
from lexurn.settings import Settings, registry

N_SEQUENCES = 4

VOCABULARY_NAMES = {"is_random", "draw", "row", "embed", "unembed"}
"""What every vocabulary has; one that is random also has `has_new_tables`."""

TOLERANCE = 1e-3
"""The largest difference between equal outputs of a backbone, which are about of unit size."""


def require(settings: Settings) -> None:
    """Raise ParameterError if a part from outside does not do what such a part must do.

    An error inside a part is raised as it is, with a note that says which part was tried.
    """
    trials = {"task": _try_task, "vocabulary": _try_model, "backbone": _try_model}
    for section, name in settings.part_names.items():
        if registry.outside_modules({section: name}):
            target = registry.entries(section)[name].target
            try:
                trials[section](settings, f"{section} {name} ({target})")
            except Exception as error:
                error.add_note(
                    f"This came up when {section} {name} ({target}) was tried on {N_SEQUENCES} "
                    "sequences before training."
                )
                raise


def _try_task(settings: Settings, part: str) -> None:
    task = tasks.build(settings)
    shape = (N_SEQUENCES, task.length)
    sample, again = (task.sample(*shape, generator=task.stream("trial")) for _ in range(2))
    if not (isinstance(sample, Tensor) and sample.shape == shape):
        raise ParameterError(
            f"{part}: sample(n, length, generator=...) must return a tensor of shape (n, length) = "
            f"{shape}, got {getattr(sample, 'shape', type(sample).__name__)}"
        )
    if not torch.equal(sample, again):
        raise ParameterError(
            f"{part}: sample must draw from its generator alone, but equal generators gave "
            "different tokens; pass generator=generator to every torch function that draws"
        )
    held_out, references = task.held_out(), task.references()
    if held_out.keys() != set(task.splits):
        raise ParameterError(
            f"{part}: held_out must return the splits {', '.join(task.splits)}, got "
            f"{', '.join(held_out)}; give both the same names"
        )
    for split, tokens in {"sample": sample, **held_out}.items():
        _check(f"{part}, {split}", check_tokens, tokens, task.vocab_size)
        if tokens.shape[1] > task.length:
            raise ParameterError(
                f"{part}, {split}: sequences may have context_length + 1 = {task.length} tokens, "
                f"got {tokens.shape[1]}; cut them with tokens[:, :self.length]"
            )
    if task.optimum not in ("", *references):
        raise ParameterError(
            f"{part}: optimum must be one of the references {', '.join(references)}, got "
            f"{task.optimum!r}; use '' if the best predictor is unknown"
        )
    for name, reference in references.items():
        place = f"{part}, reference {name}"
        predicted = reference(sample)
        _check(place, check_log_probs, predicted, {"": torch.empty(*shape, task.vocab_size)})
        _check(place, check_causal, reference, sample, vocab_size=task.vocab_size)


def _try_model(settings: Settings, part: str) -> None:
    section = part.partition(" ")[0]
    built = registry.load_target(section, settings.part_names[section])
    if section == "backbone" and not (isinstance(built, type) and issubclass(built, Backbone)):
        raise ParameterError(f"{part}: derive it from lexurn.models.backbone.Backbone")
    task = tasks.build(settings)
    model = models.build(settings, generator=seeding.generator(0, "trial")).eval()
    if missing := VOCABULARY_NAMES - {*dir(model.vocabulary)}:
        raise ParameterError(
            f"vocabulary {settings.vocabulary.name} needs {', '.join(sorted(missing))}; see "
            "lexurn.models.vocabulary"
        )
    sample = task.sample(N_SEQUENCES, task.length, generator=task.stream("trial"))
    with torch.no_grad():
        if section == "backbone":
            _try_backbone(model.backbone, settings, part)
        predicted = model(sample, generator=seeding.generator(0, "tables"))
    _check(part, check_log_probs, predicted, {"": torch.empty(*sample.shape, model.vocab_size)})


def _try_backbone(backbone: torch.nn.Module, settings: Settings, part: str) -> None:
    n_rows, d_model = settings.task.context_length + 1, settings.backbone.d_model
    x = torch.randn(2, n_rows, d_model, generator=seeding.generator(0, "rows"))
    out, wanted = backbone(x), (2, n_rows, settings.backbone.d_out)
    if out.shape != wanted:
        raise ParameterError(
            f"{part}: the output must have the shape (batch, time, d_out) = {wanted}, got "
            f"{tuple(out.shape)}; its width is d_out of the settings class"
        )
    half = n_rows // 2
    changed = backbone(torch.cat([x[:, :half], x[:, half:] + 1], 1))[:, :half]
    if (changed - out[:, :half]).abs().amax() > TOLERANCE:
        raise ParameterError(
            f"{part}: row t of the output may depend on rows 0 to t of the input only, but rows "
            f"before {half} change when only later rows change; make it causal, for example by "
            "padding a convolution on the left"
        )
    state: dict[str, Any] = {}
    try:
        rows = torch.cat([backbone(x[:, t : t + 1], state) for t in range(n_rows)], 1)
        is_same = rows.shape == wanted and (rows - out).abs().amax() <= TOLERANCE
    except Exception as error:
        is_same, problem = False, f"{type(error).__name__}: {error}"
    else:
        problem = "the rows differ"
    if not is_same:
        print(
            f"warning: {part}: forward(x, state), one row at a time, must give the rows of "
            f"forward(x) ({problem}); training works, but generating strings does not",
            file=sys.stderr,
        )


def _check(place: str, check: Callable[..., None], *arguments: Any, **keywords: Any) -> None:
    """Run a check of `lexurn.base.shapes`; its error names the place."""
    try:
        check(*arguments, **keywords)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{place}: {error}") from None
