"""ML Metadata's Python library, working on Headwater.

Use it as Google's `ml-metadata` 1.17: the names are the same, the implementation is Headwater's.
"""

# The only file of ours in this directory. Google's distribution puts its files here too, and pip
# lets either overwrite the other; so all the rest lies with `headwater`, where nothing mixes.
import importlib.util
import os
import warnings

_HERE = os.path.dirname(os.path.abspath(__file__))
_HEADWATER = importlib.util.find_spec("headwater").submodule_search_locations[0]
__path__ = [os.path.join(_HEADWATER, "_ml_metadata")]

if os.path.exists(os.path.join(_HERE, "version.py")) or os.path.exists(
    os.path.join(_HERE, "metadata_store")
):
    warnings.warn(
        "Google's ml-metadata is installed beside Headwater's ml_metadata. Headwater's is used, "
        "whole. To be rid of this warning run `pip uninstall ml-metadata` and then "
        "`pip install --force-reinstall --no-deps headwater`.",
        stacklevel=2,
    )

from ml_metadata import errors as errors  # noqa: E402
from ml_metadata import proto as proto  # noqa: E402
from ml_metadata.metadata_store import (  # noqa: E402
    ListOptions,
    MetadataStore,
    OrderByField,
    downgrade_schema,
)
from ml_metadata.version import __version__ as __version__  # noqa: E402

__all__ = ["ListOptions", "MetadataStore", "OrderByField", "downgrade_schema"]
