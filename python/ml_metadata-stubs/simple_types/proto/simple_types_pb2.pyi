from headwater._ml_metadata.simple_types.proto.simple_types_pb2 import *
