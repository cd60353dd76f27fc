from headwater._ml_metadata.errors import *
