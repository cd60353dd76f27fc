from headwater._ml_metadata.proto.metadata_store_pb2 import *
