from headwater._ml_metadata.proto import *
from ml_metadata.proto import metadata_store_pb2 as metadata_store_pb2
from ml_metadata.proto import metadata_store_service_pb2 as metadata_store_service_pb2
