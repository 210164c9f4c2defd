"""A list of all parameters, for people who look for one."""

from lexurn.base.errors import ParameterError
from lexurn.settings.names import allowed_values, error_message, schema_of
from lexurn.settings.registry import CHOICES, entries, flat_names


def parameters(*, task: str = "") -> list[dict[str, str]]:
    """Return all parameters in the order of the settings, or those that apply to one task.

    Each has the keys name, type, default, allowed, applies to, and meaning. Raises ParameterError
    for a task that does not exist.
    """
    if task and task not in entries("task"):
        raise ParameterError(error_message("task", task))
    rows = []
    for name, section in flat_names().items():
        owners = {
            owner
            for owner, entry in (entries(section).items() if section in CHOICES else ())
            if name == section or name in entry.settings.model_fields
        }
        if task and section == "task" and task not in owners:
            continue
        schema = schema_of(name)
        if section == "study":
            applies_to = "chapters that average"
        elif not owners or owners == set(entries(section)):
            applies_to = "every run"
        else:
            applies_to = f"{section} {', '.join(sorted(owners))}"
        rows.append(
            {
                "name": name,
                "type": type(schema["default"]).__name__,
                "default": repr(schema["default"]),
                "allowed": allowed_values(schema).removeprefix("one of "),
                "applies to": applies_to,
                "meaning": schema["description"],
            }
        )
    return rows
