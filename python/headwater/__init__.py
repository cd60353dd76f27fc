"""Headwater: an ML metadata and lineage store.

>>> import headwater
>>> with headwater.open("sqlite::memory:") as store:
...     made = store.put_artifact_type(artifact_type={"name": "Model"})
...     [type.name for type in store.get_artifact_types().artifact_types]
['Model']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater import errors
from headwater._native import __version__
from headwater.store import Store, open  # noqa: A004, the name that users expect
from headwater.tables import to_arrow, to_pandas
from headwater.values import value

if TYPE_CHECKING:
    from headwater.autolog import autolog
    from headwater.recorder import Run, current_run, init, run

__all__ = [
    "Run",
    "Store",
    "__version__",
    "autolog",
    "current_run",
    "errors",
    "init",
    "open",
    "run",
    "to_arrow",
    "to_pandas",
    "value",
]


def __getattr__(name: str) -> Any:
    """The recorder, which takes a while to import: clients of MLMD do not need it."""
    if name in ("Run", "current_run", "init", "run"):
        from headwater import recorder

        return getattr(recorder, name)
    if name == "autolog":
        from headwater.autolog import autolog

        return autolog
    raise AttributeError(f"module 'headwater' has no attribute {name!r}")
