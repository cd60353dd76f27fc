"""Headwater: an ML metadata and lineage store.

>>> import headwater
>>> with headwater.open("sqlite::memory:") as store:
...     made = store.put_artifact_type(artifact_type={"name": "Model"})
...     [type.name for type in store.get_artifact_types().artifact_types]
['Model']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from headwater import errors
from headwater._native import __version__
from headwater.store import Store, open  # noqa: A004, the name that users expect
from headwater.tables import to_arrow, to_pandas
from headwater.values import value

if TYPE_CHECKING:
    from headwater.artifacts import Artifact, artifact, dataset, load, model
    from headwater.autolog import autolog
    from headwater.evaluations import evaluation
    from headwater.recorder import Run, current_run, init, run
    from headwater.steps import explain, forget, step
    from headwater.syncing import sync

__all__ = [
    "Artifact",
    "Run",
    "Store",
    "__version__",
    "artifact",
    "autolog",
    "current_run",
    "dataset",
    "errors",
    "evaluation",
    "explain",
    "forget",
    "init",
    "load",
    "model",
    "open",
    "run",
    "step",
    "sync",
    "to_arrow",
    "to_pandas",
    "value",
]


# What takes a while to import, and clients of MLMD do not need.
_LATER = {
    "artifacts": ("Artifact", "artifact", "dataset", "load", "model"),
    "autolog": ("autolog",),
    "evaluations": ("evaluation",),
    "recorder": ("Run", "current_run", "init", "run"),
    "steps": ("explain", "forget", "step"),
    "syncing": ("sync",),
}


def __getattr__(name: str) -> Any:
    for module, names in _LATER.items():
        if name in names:
            return getattr(importlib.import_module(f"headwater.{module}"), name)
    raise AttributeError(f"module 'headwater' has no attribute {name!r}")
