"""Records a pipeline run in an ML Metadata store, through the unmodified `ml-metadata` client.

The vocabulary stands at the top: which types there are, on which system type each is based, and
what each says about itself. Below it, `Recorder` turns a `with` block into one execution.
"""

import argparse
import contextlib
import getpass
import secrets
import sys
import time

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

STRING, INT, DOUBLE = mlmd.STRING, mlmd.INT, mlmd.DOUBLE
STRUCT, BOOLEAN = mlmd.STRUCT, mlmd.BOOLEAN

# The base types carry the meaning: a reader who has never seen these names still knows what a
# data set, a training or a deployment is.
ARTIFACT_TYPES = {
    "TabularDataset": (
        mlmd.ArtifactType.DATASET,
        {"split": STRING, "sha256": STRING, "rows": INT, "columns": STRUCT},
    ),
    "SklearnModel": (
        mlmd.ArtifactType.MODEL,
        {
            "model_name": STRING,
            "version": INT,
            "model_type": STRING,
            "framework": STRING,
            "framework_version": STRING,
            "format": STRING,
            "sha256": STRING,
            "size_bytes": INT,
        },
    ),
    "ClassificationMetrics": (
        mlmd.ArtifactType.METRICS,
        {"accuracy": DOUBLE, "f1": DOUBLE, "roc_auc": DOUBLE, "confusion_matrix": STRUCT},
    ),
}

# What every execution and every run says about the code that ran.
CODE = {
    "seed": INT,
    "code_sha256": STRING,
    "git_sha": STRING,
    "git_dirty": BOOLEAN,
    "packages": STRUCT,
}

EXECUTION_TYPES = {
    "IngestData": (mlmd.ExecutionType.PROCESS, {"source": STRING}),
    "SplitData": (mlmd.ExecutionType.TRANSFORM, {"test_size": DOUBLE}),
    "TrainModel": (mlmd.ExecutionType.TRAIN, {"model_type": STRING}),
    "EvaluateModel": (mlmd.ExecutionType.EVALUATE, {}),
    "DeployModel": (
        mlmd.ExecutionType.DEPLOY,
        {
            "environment": STRING,
            "endpoint": STRING,
            "selection_metric": STRING,
            "selection_value": DOUBLE,
            "candidates": INT,
        },
    ),
}

CONTEXT_TYPES = {
    "Pipeline": {},
    "PipelineRun": {"status": STRING, **CODE},
    "RegisteredModel": {"owner": STRING},
}


def host_and_port(text):
    """The `--server` argument: HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not (host and port.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)


@contextlib.contextmanager
def connect(server):
    """A store over gRPC. An absent server or Ctrl-C ends the program without a stack trace."""
    host, port = server
    config = mlmd.MetadataStoreClientConfig(host=host, port=port, client_timeout_sec=30)
    try:
        yield metadata_store.MetadataStore(config)
    except errors.UnavailableError as error:
        sys.exit(f"error: no metadata store answers at {host}:{port}\n{error}")
    except KeyboardInterrupt:
        sys.exit(130)


def register_types(store):
    """Registers every type and returns name -> type id. Harmless to repeat.

    Fields may be added and omitted, so older and newer editions of this file share a store.
    """
    rule = {"can_add_fields": True, "can_omit_fields": True}
    ids = {}
    for name, (base, properties) in ARTIFACT_TYPES.items():
        kind = mlmd.ArtifactType(name=name, base_type=base, properties=properties)
        ids[name] = store.put_artifact_type(kind, **rule)
    for name, (base, properties) in EXECUTION_TYPES.items():
        kind = mlmd.ExecutionType(name=name, base_type=base, properties={**CODE, **properties})
        ids[name] = store.put_execution_type(kind, **rule)
    for name, properties in CONTEXT_TYPES.items():
        kind = mlmd.ContextType(name=name, properties=properties)
        ids[name] = store.put_context_type(kind, **rule)
    return ids


def set_values(target, values):
    """Writes Python values into a property map, each as the MLMD type of its Python type."""
    for name, value in values.items():
        if isinstance(value, bool):  # before int: a bool is one
            target[name].bool_value = value
        elif isinstance(value, int):
            target[name].int_value = value
        elif isinstance(value, float):
            target[name].double_value = value
        elif isinstance(value, dict):
            target[name].struct_value.update(value)
        else:
            target[name].string_value = value


def event(kind, key):
    """An event whose path names the role in which the execution used or made the artifact."""
    steps = [mlmd.Event.Path.Step(key=key), mlmd.Event.Path.Step(index=0)]
    return mlmd.Event(type=kind, path=mlmd.Event.Path(steps=steps))


class Step:
    """An execution in progress: what it has produced so far, and what to print about it."""

    def __init__(self, execution):
        self.execution = execution
        self.outputs = []  # (artifact, event)
        self.notes = []

    def output(self, key, artifact):
        self.outputs.append((artifact, event(mlmd.Event.OUTPUT, key)))

    def note(self, text):
        self.notes.append(text)


class Recorder:
    """One run of a pipeline: its contexts, and a way to record steps in them."""

    def __init__(self, store, pipeline, model, code, steps_total):
        self.store = store
        self.code = code
        self.steps_total = steps_total
        self.steps_done = 0
        self.type_ids = register_types(store)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        name = f"{pipeline}/{stamp}-{secrets.token_hex(2)}"
        self.pipeline = self._context("Pipeline", pipeline, {})
        self.model = self._context("RegisteredModel", model, {"owner": getpass.getuser()})
        self.run = self._context("PipelineRun", name, {"status": "RUNNING", **code})
        parent = mlmd.ParentContext(parent_id=self.pipeline.id, child_id=self.run.id)
        store.put_parent_contexts([parent])

    def _context(self, type_name, name, properties):
        """Creates a context, or returns the one that already has this name."""
        context = mlmd.Context(type_id=self.type_ids[type_name], name=name)
        set_values(context.properties, properties)
        try:
            [context.id] = self.store.put_contexts([context])
            return context
        except errors.AlreadyExistsError:
            return self.store.get_context_by_type_and_name(type_name, name)

    def finish(self, status):
        """Sets the status of the run."""
        self.run.properties["status"].string_value = status
        self.store.put_contexts([self.run])

    def new_artifact(self, type_name, **fields):
        return mlmd.Artifact(type_id=self.type_ids[type_name], **fields)

    def is_known(self, external_id):
        """Whether an artifact with this external id is stored already."""
        try:
            return bool(self.store.get_artifacts_by_external_ids([external_id]))
        except errors.NotFoundError:
            return False

    @contextlib.contextmanager
    def step(self, type_name, name, inputs=(), properties=None, params=None):
        """Records the body of the `with` as an execution: RUNNING, then COMPLETE or FAILED.

        `inputs` is a list of (role, artifact); `params` are hyperparameters, which differ from one
        kind of model to the next and so become custom properties, `param_<name>`.
        """
        execution = mlmd.Execution(
            type_id=self.type_ids[type_name],
            name=f"{self.run.name}/{name}",
            last_known_state=mlmd.Execution.RUNNING,
        )
        set_values(execution.properties, {**self.code, **(properties or {})})
        params = {f"param_{key}": value for key, value in (params or {}).items()}
        set_values(execution.custom_properties, params)
        started = time.monotonic()
        self._put(execution, [(artifact, event(mlmd.Event.INPUT, key)) for key, artifact in inputs])
        step = Step(execution)
        self.steps_done += 1
        heading = f"[{self.steps_done:2}/{self.steps_total}] {type_name:13}"
        try:
            yield step
            execution.last_known_state = mlmd.Execution.COMPLETE
            ids = self._put(execution, step.outputs)
        except BaseException as error:
            print(f"{heading}  {error!r}", flush=True)
            self._fail(step, error)
            raise
        # Later steps hand these artifacts back as inputs, and a put replaces what is stored: take
        # the store's own copy, so that using an artifact never changes it.
        stored = {artifact.id: artifact for artifact in self.store.get_artifacts_by_id(ids)}
        for artifact_id, (artifact, _) in zip(ids, step.outputs):
            artifact.CopyFrom(stored[artifact_id])
        notes = "  ".join(step.notes)
        print(f"{heading}  {notes}  ({time.monotonic() - started:.2f} s)", flush=True)

    def _put(self, execution, artifacts_and_events):
        """Writes execution, artifacts, events and their links to both contexts in one call."""
        contexts = [
            mlmd.Context(type_id=context.type_id, name=context.name)
            for context in (self.pipeline, self.run)
        ]
        execution.id, artifact_ids, _ = self.store.put_execution(
            execution,
            artifacts_and_events,
            contexts,
            reuse_context_if_already_exist=True,
            reuse_artifact_if_already_exist_by_external_id=True,
        )
        return artifact_ids

    def _fail(self, step, error):
        """Records why a step ended early. Never hides the error that ended it."""
        state = "CANCELED" if isinstance(error, KeyboardInterrupt) else "FAILED"
        step.execution.last_known_state = mlmd.Execution.State.Value(state)
        step.execution.custom_properties["error"].string_value = repr(error)
        reserved = [(artifact, event) for artifact, event in step.outputs if artifact.id]
        for artifact, _ in reserved:
            artifact.state = mlmd.Artifact.ABANDONED
        try:
            self._put(step.execution, reserved)
            self.finish(state)
        except errors.StatusError as lost:
            print(f"could not record the failure: {lost}", file=sys.stderr)

    def reserve_model(self, step):
        """Takes the next free version of the model: a PENDING artifact, to be LIVE when trained.

        A name is unique within its type, so two runs at once cannot get the same version.
        """
        versions = self.store.get_artifacts_by_context(self.model.id)
        version = 1 + max((a.properties["version"].int_value for a in versions), default=0)
        artifact = self.new_artifact("SklearnModel", state=mlmd.Artifact.PENDING)
        while not artifact.id:
            artifact.name = f"{self.model.name}@{version}"
            values = {"model_name": self.model.name, "version": version}
            set_values(artifact.properties, values)
            try:
                [artifact.id] = self.store.put_artifacts([artifact])
            except errors.AlreadyExistsError:
                version += 1
        attribution = mlmd.Attribution(artifact_id=artifact.id, context_id=self.model.id)
        self.store.put_attributions_and_associations([attribution], [])
        self.link_to_model(step)
        step.output("model", artifact)
        return artifact

    def link_to_model(self, step):
        """Associates an execution with the registered model that it trains or deploys."""
        association = mlmd.Association(execution_id=step.execution.id, context_id=self.model.id)
        self.store.put_attributions_and_associations([], [association])
