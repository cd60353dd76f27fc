from headwater._ml_metadata.proto.metadata_store_service_pb2 import *
