"""Tasks: generators that are known exactly. Each has `vocab_size`, `sample_tasks` and `sample`."""

from lexurn.generators.urns import Urns

__all__ = ["Urns"]
