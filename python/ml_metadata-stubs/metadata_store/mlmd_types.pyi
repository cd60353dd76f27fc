from headwater._ml_metadata.metadata_store.mlmd_types import *
