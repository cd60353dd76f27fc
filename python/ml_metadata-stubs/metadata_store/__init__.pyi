from headwater._ml_metadata.metadata_store import *
from ml_metadata.metadata_store import metadata_store as metadata_store
from ml_metadata.metadata_store import mlmd_types as mlmd_types
