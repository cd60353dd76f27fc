"""Headwater: an ML metadata and lineage store.

>>> import headwater
>>> with headwater.open("sqlite::memory:") as store:
...     made = store.put_artifact_type(artifact_type={"name": "Model"})
...     [type.name for type in store.get_artifact_types().artifact_types]
['Model']
"""

from headwater import errors
from headwater._native import __version__
from headwater.store import Store, open  # noqa: A004, the name that users expect
from headwater.tables import to_arrow, to_pandas
from headwater.values import value

__all__ = ["Store", "__version__", "errors", "open", "to_arrow", "to_pandas", "value"]
