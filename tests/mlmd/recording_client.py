"""One client process: records steps as fast as it can and notes what the server acknowledged.

Arguments: address, number of this client, ids of the three types, id of the shared input
artifact, calls to make (0: until told to stop by the end of stdin), file for the notes.
Each line of the notes is `name execution_id artifact_ids context_ids`, or `! name code`.
"""

import select
import sys
import time

import grpc
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service
from ml_metadata.proto import metadata_store_service_pb2_grpc

CHANNEL_OPTIONS = [
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.min_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 100),
]
EVENTS_PER_STEP = 3
ARTIFACTS_PER_STEP = 2
CONTEXTS_PER_STEP = 2
RUNS = 7


def step(name, number, artifact_type, execution_type, context_type, shared_artifact):
    """An execution that reads the shared artifact and writes two, in two shared contexts."""
    request = service.PutExecutionRequest()
    request.options.reuse_context_if_already_exist = True
    request.execution.type_id, request.execution.name = execution_type, name
    request.execution.properties["number"].int_value = number
    request.execution.custom_properties["name"].string_value = name
    used = request.artifact_event_pairs.add().event
    used.artifact_id, used.type = shared_artifact, pb.Event.INPUT
    for index in range(ARTIFACTS_PER_STEP):
        pair = request.artifact_event_pairs.add()
        pair.artifact.type_id, pair.artifact.name = artifact_type, f"{name}/{index}"
        pair.artifact.properties["number"].int_value = number
        pair.event.type = pb.Event.OUTPUT
        pair.event.path.steps.add().key = "models"
        pair.event.path.steps.add().index = index
    for run in ("pipeline", f"run-{number % RUNS}"):
        request.contexts.add(type_id=context_type, name=run)
    return request


def is_told_to_stop():
    return bool(select.select([sys.stdin], [], [], 0)[0]) and not sys.stdin.read(1)


def main(address, client, artifact_type, execution_type, context_type, shared, calls, notes):
    ids = int(artifact_type), int(execution_type), int(context_type), int(shared)
    number, is_endless = 0, int(calls) == 0
    with (
        grpc.insecure_channel(address, options=CHANNEL_OPTIONS) as channel,
        open(notes, "w", buffering=1, encoding="ascii") as file,
    ):
        # On a busy machine to connect takes longer than the options above give it.
        grpc.channel_ready_future(channel).result(60)
        put = metadata_store_service_pb2_grpc.MetadataStoreServiceStub(channel).PutExecution
        while number < int(calls) or (is_endless and not is_told_to_stop()):
            name = f"client-{client}-step-{number}"
            try:
                answer = put(step(name, number, *ids), timeout=60)
            except grpc.RpcError as error:
                file.write(f"! {name} {error.code().name}\n")
                time.sleep(0.02)
            else:
                artifacts = ",".join(map(str, answer.artifact_ids))
                contexts = ",".join(map(str, answer.context_ids))
                file.write(f"{name} {answer.execution_id} {artifacts} {contexts}\n")
            number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
