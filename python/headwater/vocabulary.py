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

# Kinds of version: the type of the artifact, its base type, and the type of the context that counts
# the versions of one name.
VERSION_KINDS = {
    "dataset": ("headwater.Dataset", pb.ArtifactType.DATASET, "headwater.RegisteredDataset"),
    "model": ("headwater.Model", pb.ArtifactType.MODEL, "headwater.RegisteredModel"),
    "artifact": ("headwater.Artifact", pb.ArtifactType.UNSET, "headwater.RegisteredArtifact"),
}
# Other artifacts.
METRICS = ("headwater.Metrics", pb.ArtifactType.METRICS)
CODE = ("headwater.Code", pb.ArtifactType.UNSET)
ENVIRONMENT = ("headwater.Environment", pb.ArtifactType.UNSET)

# Custom properties of versions.
DIGEST_SHA256 = "digest.sha256"
DIGEST_MD5 = "digest.md5"
DIGEST_FRAME = "digest.frame"
SIZE_BYTES = "size_bytes"
FILES = "files"
FORMAT = "format"
SAVED = "saved"  # how an object in memory was written to the place of the version
ROWS = "rows"
COLUMN = "column."  # and the name: its type
PROFILE = "profile"  # digest of a content
FRAMEWORK = "framework"
FRAMEWORK_VERSION = "framework_version"
MODEL_TYPE = "model_type"
FEATURES = "features"  # the ordered names of what a model reads, as a JSON list
FEATURES_OUT = "features_out"  # what the steps before it make of them
IMPORTANCE = "importance."  # and the name of the feature, as the library computes it
ARCHITECTURE = "architecture"  # of layers, for people
STEP = "step"  # of a checkpoint
METRIC = "metrics."  # and the name
SLICE = "slice."  # and the slice, `.metrics.` and the name

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
RUN_ARGV = "run.argv"
RUN_FOLDER = "run.folder"
RUN_PROBLEMS = "run.problems"
VARIABLE = "env."
SEED = "seed."

# Custom properties of a step that may be skipped.
STEP_NAME = "step.name"
STEP_FINGERPRINT = "step.fingerprint"
STEP_PART = "step.part."  # and the name
STEP_SAME_AS = "step.same_as"  # id of the execution whose outputs it has
STEP_RETURNS = "step.returns"  # how what it returned is put together, as JSON
STEP_MISS = "step.miss"  # why it ran though its parts were the same before
