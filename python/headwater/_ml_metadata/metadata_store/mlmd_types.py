"""The types that every store has from the start, to base types of one's own on: give a type
`base_type=mlmd_types.Dataset().system_type`.
"""

from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2

_ARTIFACT_TYPES = metadata_store_pb2.ArtifactType.SystemDefinedBaseType
_EXECUTION_TYPES = metadata_store_pb2.ExecutionType.SystemDefinedBaseType


class _SystemType:
    """A type that every store has from the start."""

    # The enum of system types, and the message of such a type.
    _system_types = None
    _message = None

    def __init__(self, system_type):
        """Raises `NotFoundError` for `UNSET`, which names no type."""
        value = self._system_types.DESCRIPTOR.values_by_number[system_type]
        if value.name == "UNSET":
            raise errors.NotFoundError("`UNSET` stands for no type")
        extension = metadata_store_pb2.system_type_extension
        self._system_type = system_type
        self._type = self._message(name=value.GetOptions().Extensions[extension].type_name)

    @property
    def name(self) -> str:
        """The name of the type in a store, such as `mlmd.Dataset`."""
        return self._type.name


class ArtifactType(_SystemType):
    """An artifact type that every store has from the start."""

    _system_types = _ARTIFACT_TYPES
    _message = metadata_store_pb2.ArtifactType

    def __init__(self, system_type: _ARTIFACT_TYPES):
        super().__init__(system_type)

    @property
    def system_type(self) -> _ARTIFACT_TYPES:
        """The value for `ArtifactType.base_type`."""
        return self._system_type


class ExecutionType(_SystemType):
    """An execution type that every store has from the start."""

    _system_types = _EXECUTION_TYPES
    _message = metadata_store_pb2.ExecutionType

    def __init__(self, system_type: _EXECUTION_TYPES):
        super().__init__(system_type)

    @property
    def system_type(self) -> _EXECUTION_TYPES:
        """The value for `ExecutionType.base_type`."""
        return self._system_type


class Dataset(ArtifactType):
    """`mlmd.Dataset`: data to train on, to evaluate with or to make predictions for."""

    def __init__(self):
        super().__init__(metadata_store_pb2.ArtifactType.DATASET)


class Model(ArtifactType):
    """`mlmd.Model`: a trained model."""

    def __init__(self):
        super().__init__(metadata_store_pb2.ArtifactType.MODEL)


class Statistics(ArtifactType):
    """`mlmd.Statistics`: what is known about a dataset as a whole."""

    def __init__(self):
        super().__init__(metadata_store_pb2.ArtifactType.STATISTICS)


class Metrics(ArtifactType):
    """`mlmd.Metrics`: how well a model does."""

    def __init__(self):
        super().__init__(metadata_store_pb2.ArtifactType.METRICS)


class Train(ExecutionType):
    """`mlmd.Train`: makes a model."""

    def __init__(self):
        super().__init__(metadata_store_pb2.ExecutionType.TRAIN)


class Transform(ExecutionType):
    """`mlmd.Transform`: makes other data of data."""

    def __init__(self):
        super().__init__(metadata_store_pb2.ExecutionType.TRANSFORM)


class Process(ExecutionType):
    """`mlmd.Process`: any step that none of the others describes."""

    def __init__(self):
        super().__init__(metadata_store_pb2.ExecutionType.PROCESS)


class Evaluate(ExecutionType):
    """`mlmd.Evaluate`: measures a model."""

    def __init__(self):
        super().__init__(metadata_store_pb2.ExecutionType.EVALUATE)


class Deploy(ExecutionType):
    """`mlmd.Deploy`: puts a model to use."""

    def __init__(self):
        super().__init__(metadata_store_pb2.ExecutionType.DEPLOY)
