"""A side of the benchmarks in Python: `ml_metadata`, whichever is installed, in this process.

Run by `run.py` as `python worker.py STORE`. Reads questions, a line of JSON each, and answers each
with a line; the worker in Rust (`src/main.rs`) takes the same ones. Work is prepared first, which
makes its messages and warms up, so that a run is nothing but the calls.
"""

import base64
import json
import sys
import time
from urllib.parse import urlsplit

BEGAN = time.perf_counter()
from ml_metadata.metadata_store import metadata_store  # noqa: E402
from ml_metadata.proto import metadata_store_pb2 as pb  # noqa: E402
from ml_metadata.proto import metadata_store_service_pb2 as service  # noqa: E402

IMPORT_SECONDS = time.perf_counter() - BEGAN


def config_of(place):
    """MLMD's words for a store; a call that is aborted is not made again."""
    config = pb.ConnectionConfig()
    config.retry_options.max_num_retries = 1
    url = urlsplit(place)
    if url.scheme == "sqlite":
        config.sqlite.filename_uri = url.path
        config.sqlite.connection_mode = config.sqlite.READWRITE_OPENCREATE
    elif url.scheme == "mysql":
        where = config.mysql
        where.host, where.port, where.user = url.hostname, url.port, url.username
        where.password, where.database = url.password or "", url.path.strip("/")
    else:
        where = config.postgresql
        where.host, where.port, where.user = url.hostname, str(url.port), url.username
        where.password, where.dbname = url.password or "", url.path.strip("/")
    return config


class Worker:
    """Answers questions about one store."""

    def __init__(self, place):
        began = time.perf_counter()
        self.store = metadata_store.MetadataStore(config_of(place))
        self.store.get_artifacts_by_id([1])
        self.open_seconds = time.perf_counter() - began
        self.prepared = None

    def facts(self):
        """What it took to begin, and the memory that this process has now."""
        with open("/proc/self/status") as status:
            rows = dict(line.split(":", 1) for line in status)
        return {
            "import_ms": IMPORT_SECONDS * 1000,
            "open_ms": self.open_seconds * 1000,
            "memory_mib": int(rows["VmRSS"].split()[0]) / 1024,
        }

    def call(self, method, request):
        """One call, for its answer."""
        return encoded(answer_of(method, self.call_of(method, decoded(method, request))()))

    def prepare(self, work, **given):
        self.prepared = getattr(self, f"prepare_{work}")(**given)

    def run(self):
        prepared, self.prepared = self.prepared, None
        return prepared()

    def prepare_ask(self, method, request, count, native=False):
        """The same call, `count` times."""
        request = decoded(method, request)
        call = self.native_call_of(method, request) if native else self.call_of(method, request)
        call()
        return lambda: timed([call] * count)

    def prepare_put(self, template, first, count, steps_per_commit):
        """Steps with the numbers from `first` on; the first is put now."""
        assert steps_per_commit == 1
        numbers = range(first, first + count)
        calls = [self.put_of(template, number) for number in numbers]
        calls[0]()
        return lambda: timed(calls[1:])

    def prepare_load(self, template, firsts, begin_at, seconds):
        """As many steps as there are in some time; other processes do the same meanwhile."""
        (first,) = firsts
        return lambda: self.load(template, first, begin_at, seconds)

    def load(self, template, first, begin_at, seconds):
        times_us, failures, last = [], [], begin_at
        time.sleep(max(0, begin_at - time.time()))
        number = first
        while True:
            call = self.put_of(template, number)
            number += 1
            if time.time() >= begin_at + seconds:
                break
            began = time.perf_counter()
            try:
                call()
                times_us.append(since_us(began))
            except Exception as failure:  # whatever it is, the step is lost
                failures.append(f"{type(failure).__name__}: {failure}")
            last = time.time()
        return {
            "times_us": times_us,
            "failed": len(failures),
            "seconds": last - begin_at,
            "failure": failures[0] if failures else None,
        }

    def put_of(self, template, number):
        """The call that puts the step of this number."""
        request = decoded(template["method"], template["request"])
        if template["method"] == "PutArtifacts":
            for at, artifact in enumerate(request.artifacts):
                fill(artifact, 100 * number + at)
            artifacts = list(request.artifacts)
            return lambda: self.store.put_artifacts(artifacts)
        fill(request.execution, number)
        for pair in request.artifact_event_pairs:
            if pair.HasField("artifact"):
                fill(pair.artifact, number)
            if pair.event.HasField("artifact_id"):
                stored = (pair.event.artifact_id + 2 * number) % template["inputs"]
                pair.event.artifact_id = 1 + stored
        for context in request.contexts:  # ten steps are one run
            fill(context, number // 10)
        pairs = [
            (pair.artifact if pair.HasField("artifact") else None, pair.event)
            for pair in request.artifact_event_pairs
        ]
        execution, contexts = request.execution, list(request.contexts)
        return lambda: self.store.put_execution(
            execution, pairs, contexts, reuse_context_if_already_exist=True
        )

    def call_of(self, method, request):
        """The call of the Python API that asks for this; what it has no name for, as it is."""
        store = self.store
        if method == "GetArtifactsByID":
            ids = list(request.artifact_ids)
            return lambda: store.get_artifacts_by_id(ids)
        if method == "GetExecutionsByContext" and not request.HasField("options"):
            return lambda: store.get_executions_by_context(request.context_id)
        if method == "GetContextsByExecution":
            return lambda: store.get_contexts_by_execution(request.execution_id)
        if method == "GetLineageSubgraph":
            options = request.lineage_subgraph_query_options
            return lambda: store.get_lineage_subgraph(options)
        if method == "GetArtifacts" and not request.options.next_page_token:
            options = list_options(request.options)
            return lambda: store.get_artifacts(options)
        response_class = getattr(service, f"{method}Response")

        def call():
            response = response_class()
            store._call(method, request, response)
            return response

        return call

    def native_call_of(self, method, request):
        """What Python and protobuf add to: bytes in, bytes out."""
        native, request = self.store._metadata_store, request.SerializeToString()
        return lambda: native.call(method, request)


def list_options(options):
    order_by = None
    if options.HasField("order_by_field"):
        order_by = metadata_store.OrderByField(options.order_by_field.field)
    return metadata_store.ListOptions(
        limit=options.max_result_size,
        order_by=order_by,
        is_asc=options.order_by_field.is_asc,
        filter_query=options.filter_query or None,
    )


def answer_of(method, answer):
    """What the Python API answered, as the message that it was made of."""
    response = getattr(service, f"{method}Response")
    if isinstance(answer, response):
        return answer
    if isinstance(answer, pb.LineageGraph):
        return response(lineage_subgraph=answer)
    field = next(field for field in response.DESCRIPTOR.fields if field.message_type)
    return response(**{field.name: answer})


def fill(node, number):
    """Makes a node of the step `number` from one of the template, as `src/steps.rs` does."""
    if node.name.endswith("-"):
        node.name += str(number)
    if isinstance(node, pb.Artifact) and node.uri.endswith("-"):
        node.uri += str(number)
    if isinstance(node, pb.Context):
        return
    for values in (node.properties, node.custom_properties):
        for value in values.values():
            if value.HasField("int_value"):
                value.int_value += number
            elif value.HasField("double_value"):
                value.double_value += number / 4


def timed(calls):
    times_us = []
    for call in calls:
        began = time.perf_counter()
        call()
        times_us.append(since_us(began))
    return {"times_us": times_us}


def since_us(began):
    return round((time.perf_counter() - began) * 1e6, 1)


def decoded(method, request):
    return getattr(service, f"{method}Request").FromString(base64.b64decode(request))


def encoded(message):
    return base64.b64encode(message.SerializeToString()).decode()


def main():
    worker = Worker(sys.argv[1])
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = {"value": getattr(worker, question.pop("op"))(**question)}
        except Exception as failure:
            answer = {"failure": f"{type(failure).__name__}: {failure}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
