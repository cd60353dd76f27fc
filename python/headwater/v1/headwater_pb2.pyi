from ml_metadata.proto import metadata_store_pb2 as _metadata_store_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
DIRECTION_UNSPECIFIED: Direction
DOWNSTREAM: Direction
UPSTREAM: Direction

class BeginStepRequest(_message.Message):
    __slots__ = ["age_ms_max", "claimant", "lease_ms", "name", "parts", "refused_execution_ids"]
    class PartsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    AGE_MS_MAX_FIELD_NUMBER: _ClassVar[int]
    CLAIMANT_FIELD_NUMBER: _ClassVar[int]
    LEASE_MS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_EXECUTION_IDS_FIELD_NUMBER: _ClassVar[int]
    age_ms_max: int
    claimant: str
    lease_ms: int
    name: str
    parts: _containers.ScalarMap[str, str]
    refused_execution_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, name: _Optional[str] = ..., parts: _Optional[_Mapping[str, str]] = ..., claimant: _Optional[str] = ..., lease_ms: _Optional[int] = ..., age_ms_max: _Optional[int] = ..., refused_execution_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class BeginStepResponse(_message.Message):
    __slots__ = ["artifacts", "events", "execution", "fingerprint", "is_claimed", "wait_ms"]
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    IS_CLAIMED_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    artifacts: _containers.RepeatedCompositeFieldContainer[_metadata_store_pb2.Artifact]
    events: _containers.RepeatedCompositeFieldContainer[_metadata_store_pb2.Event]
    execution: _metadata_store_pb2.Execution
    fingerprint: str
    is_claimed: bool
    wait_ms: int
    def __init__(self, fingerprint: _Optional[str] = ..., execution: _Optional[_Union[_metadata_store_pb2.Execution, _Mapping]] = ..., events: _Optional[_Iterable[_Union[_metadata_store_pb2.Event, _Mapping]]] = ..., artifacts: _Optional[_Iterable[_Union[_metadata_store_pb2.Artifact, _Mapping]]] = ..., is_claimed: bool = ..., wait_ms: _Optional[int] = ...) -> None: ...

class DifferentPart(_message.Message):
    __slots__ = ["here", "name", "there"]
    HERE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    THERE_FIELD_NUMBER: _ClassVar[int]
    here: str
    name: str
    there: str
    def __init__(self, name: _Optional[str] = ..., here: _Optional[str] = ..., there: _Optional[str] = ...) -> None: ...

class ExplainStepRequest(_message.Message):
    __slots__ = ["execution_id"]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    execution_id: int
    def __init__(self, execution_id: _Optional[int] = ...) -> None: ...

class ExplainStepResponse(_message.Message):
    __slots__ = ["different", "execution", "nearest", "text"]
    DIFFERENT_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    NEAREST_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    different: _containers.RepeatedCompositeFieldContainer[DifferentPart]
    execution: _metadata_store_pb2.Execution
    nearest: _metadata_store_pb2.Execution
    text: str
    def __init__(self, execution: _Optional[_Union[_metadata_store_pb2.Execution, _Mapping]] = ..., nearest: _Optional[_Union[_metadata_store_pb2.Execution, _Mapping]] = ..., different: _Optional[_Iterable[_Union[DifferentPart, _Mapping]]] = ..., text: _Optional[str] = ...) -> None: ...

class FinishStepRequest(_message.Message):
    __slots__ = ["claimant", "execution_id", "fingerprint"]
    CLAIMANT_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    claimant: str
    execution_id: int
    fingerprint: str
    def __init__(self, fingerprint: _Optional[str] = ..., claimant: _Optional[str] = ..., execution_id: _Optional[int] = ...) -> None: ...

class FinishStepResponse(_message.Message):
    __slots__ = ["is_stored"]
    IS_STORED_FIELD_NUMBER: _ClassVar[int]
    is_stored: bool
    def __init__(self, is_stored: bool = ...) -> None: ...

class ForgetStepsRequest(_message.Message):
    __slots__ = ["fingerprint", "name"]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    fingerprint: str
    name: str
    def __init__(self, fingerprint: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class ForgetStepsResponse(_message.Message):
    __slots__ = ["steps"]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    steps: int
    def __init__(self, steps: _Optional[int] = ...) -> None: ...

class GetContentRequest(_message.Message):
    __slots__ = ["digest"]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: str
    def __init__(self, digest: _Optional[str] = ...) -> None: ...

class GetContentResponse(_message.Message):
    __slots__ = ["content"]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    def __init__(self, content: _Optional[bytes] = ...) -> None: ...

class GetMetricsRequest(_message.Message):
    __slots__ = ["execution_id", "first_step", "last_step", "names", "points_max"]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_STEP_FIELD_NUMBER: _ClassVar[int]
    LAST_STEP_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    POINTS_MAX_FIELD_NUMBER: _ClassVar[int]
    execution_id: int
    first_step: int
    last_step: int
    names: _containers.RepeatedScalarFieldContainer[str]
    points_max: int
    def __init__(self, execution_id: _Optional[int] = ..., names: _Optional[_Iterable[str]] = ..., first_step: _Optional[int] = ..., last_step: _Optional[int] = ..., points_max: _Optional[int] = ...) -> None: ...

class GetMetricsResponse(_message.Message):
    __slots__ = ["points", "series"]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedScalarFieldContainer[int]
    series: _containers.RepeatedCompositeFieldContainer[MetricSeries]
    def __init__(self, series: _Optional[_Iterable[_Union[MetricSeries, _Mapping]]] = ..., points: _Optional[_Iterable[int]] = ...) -> None: ...

class ListArtifactsRequest(_message.Message):
    __slots__ = ["filter", "order_by", "page_size", "page_token"]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    filter: str
    order_by: str
    page_size: int
    page_token: str
    def __init__(self, filter: _Optional[str] = ..., order_by: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListArtifactsResponse(_message.Message):
    __slots__ = ["artifacts", "next_page_token"]
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    artifacts: _containers.RepeatedCompositeFieldContainer[_metadata_store_pb2.Artifact]
    next_page_token: str
    def __init__(self, artifacts: _Optional[_Iterable[_Union[_metadata_store_pb2.Artifact, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListContentsRequest(_message.Message):
    __slots__ = ["digests"]
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, digests: _Optional[_Iterable[str]] = ...) -> None: ...

class ListContentsResponse(_message.Message):
    __slots__ = ["digests", "sizes"]
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    SIZES_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedScalarFieldContainer[str]
    sizes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, digests: _Optional[_Iterable[str]] = ..., sizes: _Optional[_Iterable[int]] = ...) -> None: ...

class ListContextsRequest(_message.Message):
    __slots__ = ["filter", "order_by", "page_size", "page_token"]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    filter: str
    order_by: str
    page_size: int
    page_token: str
    def __init__(self, filter: _Optional[str] = ..., order_by: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListContextsResponse(_message.Message):
    __slots__ = ["contexts", "next_page_token"]
    CONTEXTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    contexts: _containers.RepeatedCompositeFieldContainer[_metadata_store_pb2.Context]
    next_page_token: str
    def __init__(self, contexts: _Optional[_Iterable[_Union[_metadata_store_pb2.Context, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListExecutionsRequest(_message.Message):
    __slots__ = ["filter", "order_by", "page_size", "page_token"]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    filter: str
    order_by: str
    page_size: int
    page_token: str
    def __init__(self, filter: _Optional[str] = ..., order_by: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListExecutionsResponse(_message.Message):
    __slots__ = ["executions", "next_page_token"]
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    executions: _containers.RepeatedCompositeFieldContainer[_metadata_store_pb2.Execution]
    next_page_token: str
    def __init__(self, executions: _Optional[_Iterable[_Union[_metadata_store_pb2.Execution, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class LogMetricsRequest(_message.Message):
    __slots__ = ["execution_id", "sequence", "series", "writer"]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    WRITER_FIELD_NUMBER: _ClassVar[int]
    execution_id: int
    sequence: int
    series: _containers.RepeatedCompositeFieldContainer[MetricSeries]
    writer: str
    def __init__(self, execution_id: _Optional[int] = ..., writer: _Optional[str] = ..., sequence: _Optional[int] = ..., series: _Optional[_Iterable[_Union[MetricSeries, _Mapping]]] = ...) -> None: ...

class LogMetricsResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class MetricSeries(_message.Message):
    __slots__ = ["name", "steps", "times_ms", "values"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TIMES_MS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    name: str
    steps: _containers.RepeatedScalarFieldContainer[int]
    times_ms: _containers.RepeatedScalarFieldContainer[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, name: _Optional[str] = ..., steps: _Optional[_Iterable[int]] = ..., times_ms: _Optional[_Iterable[int]] = ..., values: _Optional[_Iterable[float]] = ...) -> None: ...

class PageToken(_message.Message):
    __slots__ = ["hops", "id", "is_execution", "keys", "order_by"]
    HOPS_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    IS_EXECUTION_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    hops: int
    id: int
    is_execution: bool
    keys: _containers.RepeatedCompositeFieldContainer[_metadata_store_pb2.Value]
    order_by: str
    def __init__(self, order_by: _Optional[str] = ..., keys: _Optional[_Iterable[_Union[_metadata_store_pb2.Value, _Mapping]]] = ..., id: _Optional[int] = ..., hops: _Optional[int] = ..., is_execution: bool = ...) -> None: ...

class PutContentsRequest(_message.Message):
    __slots__ = ["contents"]
    CONTENTS_FIELD_NUMBER: _ClassVar[int]
    contents: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, contents: _Optional[_Iterable[bytes]] = ...) -> None: ...

class PutContentsResponse(_message.Message):
    __slots__ = ["digests"]
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, digests: _Optional[_Iterable[str]] = ...) -> None: ...

class RegisterVersionRequest(_message.Message):
    __slots__ = ["artifact", "context_type_id", "default_name", "digest", "name"]
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    artifact: _metadata_store_pb2.Artifact
    context_type_id: int
    default_name: str
    digest: str
    name: str
    def __init__(self, artifact: _Optional[_Union[_metadata_store_pb2.Artifact, _Mapping]] = ..., context_type_id: _Optional[int] = ..., name: _Optional[str] = ..., default_name: _Optional[str] = ..., digest: _Optional[str] = ...) -> None: ...

class RegisterVersionResponse(_message.Message):
    __slots__ = ["artifact_id", "context_id", "is_new", "name", "number"]
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_ID_FIELD_NUMBER: _ClassVar[int]
    IS_NEW_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    artifact_id: int
    context_id: int
    is_new: bool
    name: str
    number: int
    def __init__(self, artifact_id: _Optional[int] = ..., context_id: _Optional[int] = ..., name: _Optional[str] = ..., number: _Optional[int] = ..., is_new: bool = ...) -> None: ...

class TraceLineageRequest(_message.Message):
    __slots__ = ["counts_only", "direction", "hops_max", "keep_artifacts", "keep_executions", "nodes_max", "page_token", "start_artifacts", "start_executions", "stop_artifacts", "stop_executions"]
    COUNTS_ONLY_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    HOPS_MAX_FIELD_NUMBER: _ClassVar[int]
    KEEP_ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    KEEP_EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    NODES_MAX_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    START_ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    START_EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    STOP_ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    STOP_EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    counts_only: bool
    direction: Direction
    hops_max: int
    keep_artifacts: str
    keep_executions: str
    nodes_max: int
    page_token: str
    start_artifacts: _containers.RepeatedScalarFieldContainer[str]
    start_executions: _containers.RepeatedScalarFieldContainer[str]
    stop_artifacts: str
    stop_executions: str
    def __init__(self, start_artifacts: _Optional[_Iterable[str]] = ..., start_executions: _Optional[_Iterable[str]] = ..., direction: _Optional[_Union[Direction, str]] = ..., hops_max: _Optional[int] = ..., stop_artifacts: _Optional[str] = ..., stop_executions: _Optional[str] = ..., keep_artifacts: _Optional[str] = ..., keep_executions: _Optional[str] = ..., counts_only: bool = ..., nodes_max: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class TraceLineageResponse(_message.Message):
    __slots__ = ["counts", "events", "next_page_token", "nodes"]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedCompositeFieldContainer[TracedCount]
    events: _containers.RepeatedCompositeFieldContainer[_metadata_store_pb2.Event]
    next_page_token: str
    nodes: _containers.RepeatedCompositeFieldContainer[TracedNode]
    def __init__(self, counts: _Optional[_Iterable[_Union[TracedCount, _Mapping]]] = ..., nodes: _Optional[_Iterable[_Union[TracedNode, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[_metadata_store_pb2.Event, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class TracedCount(_message.Message):
    __slots__ = ["hops", "nodes", "of_artifacts", "type"]
    HOPS_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    OF_ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    hops: int
    nodes: int
    of_artifacts: bool
    type: str
    def __init__(self, hops: _Optional[int] = ..., of_artifacts: bool = ..., type: _Optional[str] = ..., nodes: _Optional[int] = ...) -> None: ...

class TracedNode(_message.Message):
    __slots__ = ["artifact", "execution", "hops"]
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    HOPS_FIELD_NUMBER: _ClassVar[int]
    artifact: _metadata_store_pb2.Artifact
    execution: _metadata_store_pb2.Execution
    hops: int
    def __init__(self, hops: _Optional[int] = ..., artifact: _Optional[_Union[_metadata_store_pb2.Artifact, _Mapping]] = ..., execution: _Optional[_Union[_metadata_store_pb2.Execution, _Mapping]] = ...) -> None: ...

class Direction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
