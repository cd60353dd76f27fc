"""The store and the options of its lists."""

from ml_metadata.metadata_store.metadata_store import (
    ListOptions,
    MetadataStore,
    OrderByField,
    downgrade_schema,
)

__all__ = ["ListOptions", "MetadataStore", "OrderByField", "downgrade_schema"]
