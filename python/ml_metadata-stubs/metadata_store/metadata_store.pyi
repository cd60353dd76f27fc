from headwater._ml_metadata.metadata_store.metadata_store import *
