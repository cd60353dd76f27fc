from ml_metadata import errors as errors
from ml_metadata import proto as proto
from ml_metadata.metadata_store import ListOptions as ListOptions
from ml_metadata.metadata_store import MetadataStore as MetadataStore
from ml_metadata.metadata_store import OrderByField as OrderByField
from ml_metadata.metadata_store import downgrade_schema as downgrade_schema

__version__: str
