"""How a run is written on the graph: the names of types and properties, defined once.

`docs/concepts/model.md` says the same for readers. A client of MLMD sees ordinary types, nodes and
properties; what they mean comes from the base types of the contract.
"""

from __future__ import annotations

from ml_metadata.proto import metadata_store_pb2 as pb

_Base = pb.ExecutionType

# Kinds of run: the type of the execution, and its base type in the contract.
RUN_KINDS = {
    "run": ("headwater.Run", _Base.UNSET),
    "train": ("headwater.Train", _Base.TRAIN),
    "transform": ("headwater.Transform", _Base.TRANSFORM),
    "process": ("headwater.Process", _Base.PROCESS),
    "evaluate": ("headwater.Evaluate", _Base.EVALUATE),
    "deploy": ("headwater.Deploy", _Base.DEPLOY),
}

# Contexts that runs are in. A run of a pipeline is a child of its pipeline.
EXPERIMENT = "headwater.Experiment"
PIPELINE = "headwater.Pipeline"
PIPELINE_RUN = "headwater.PipelineRun"

# Custom properties of a run. Times are milliseconds since the Unix epoch.
RUN_NAME = "run.name"  # as the caller said it; the execution's own name is unique
RUN_PARENT = "run.parent"  # id of the run that it is a part of
RUN_STARTED = "run.started_ms"
RUN_ENDED = "run.ended_ms"
RUN_HEARTBEAT = "run.heartbeat_ms"  # rises while the process lives
RUN_USER = "run.user"
RUN_HOST = "run.host"
RUN_PID = "run.pid"
RUN_NOTE = "run.note"
RUN_ERROR = "run.error"  # kind and text of what ended it
RUN_TRACEBACK = "run.traceback"
PARAM = "params."  # and the name; of a nested one the names with dots between
TAG = "tag."
