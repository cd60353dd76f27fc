"""A store of many nodes behind a server: all of it listed, traced, added to, in bounded memory."""

import contextlib
import pathlib
import subprocess

import graph
import sides
import writes
from report import Record, Target

BACKENDS = ("sqlite", "postgres")
SERVER_MIB_MAX = 300
PAGE_SIZE = 1000
TRACE_HOPS = 20
TRACE_LANES_MAX = 4000  # 480,000 nodes within the hops; a trace holds up to 1,000,000
LOAD_CALLS = 500  # of 100 artifacts
CALL_SECONDS_MAX = 3600


def run(options, say):
    """Measures every backend at every size; hands out the records."""
    for size in options.sizes:
        for backend in BACKENDS:
            name = f"scale, {writes.BACKENDS[backend]}"
            if options.only not in name:
                continue
            if reason := sides.objection(backend):
                raise SystemExit(reason)
            with contextlib.ExitStack() as stack:
                say(f"making or finding {size:,} artifacts on {writes.BACKENDS[backend]}")
                place = stored(stack, backend, size, options)
                for phase, work_of in WORKS.items():
                    say(f"{phase}, {size:,} artifacts on {writes.BACKENDS[backend]}")
                    # A new server each time: what one phase left in memory is not the next one's.
                    with contextlib.closing(sides.Worker("grpc", place)) as worker:
                        work = work_of(worker, size)
                        yield measured(worker, f"{name}: {phase}", backend, size, work)


def stored(stack, backend, size, options):
    """A copy of the graph, as it will be added to."""
    place = stack.enter_context(sides.database(backend, options.data))
    if backend == "sqlite":
        path = graph.prepare(options.graphs, size)
        copy = ["cp", "--reflink=auto", path, place.removeprefix("sqlite:")]
        subprocess.run(copy, check=True)
    else:
        name = graph.prepare_postgres(options.graphs, size)
        copy = f"CREATE DATABASE {place.rpartition('/')[2]} TEMPLATE {name}"
        sides.rows(sides.SERVERS[backend], copy)
    return place


def list_all(_worker, _size):
    return {"work": "list", "page_size": PAGE_SIZE}


def trace(_worker, size):
    """What came of the sources of all lanes, or of as many as a trace can hold."""
    lanes = (size - 1 - graph.FAN_RUNS * graph.ARTIFACTS_PER_RUN) // graph.ARTIFACTS_PER_LANE
    sources = 1 + graph.ARTIFACTS_PER_RUN * min(lanes, TRACE_LANES_MAX)
    return {"work": "trace", "start": f"id <= {sources}", "hops": TRACE_HOPS}


def load(worker, _size):
    template = writes.template("put_artifacts", writes.make_types(worker), 1)
    numbers = {"first": 0, "count": LOAD_CALLS + 1, "steps_per_commit": 1}
    return {"work": "put", "template": template, **numbers}


WORKS = {"list all": list_all, "trace": trace, "load": load}


def measured(worker, name, backend, size, work):
    target = Target("grpc", "memory_mib", at_most=SERVER_MIB_MAX)
    record = Record(name, "scale", backend, size, [target])
    status = pathlib.Path(f"/proc/{worker.server.process.pid}")
    worker.ask("prepare", seconds_max=CALL_SECONDS_MAX, **work)
    (status / "clear_refs").write_text("5")  # the peak counts from now on
    done = worker.run(CALL_SECONDS_MAX)
    peak = next(line for line in (status / "status").open() if line.startswith("VmHWM"))
    done["memory_mib"] = int(peak.split()[1]) / 1024
    done["nodes"] = done.pop("rows") or 100 * len(done["times_us"])
    traced = min(size // 10, TRACE_HOPS * TRACE_LANES_MAX)
    least = {"list": size, "trace": traced}.get(work["work"], 1)
    assert done["nodes"] >= least, f"{name}: {done['nodes']} nodes, not {least}"
    record.add("grpc", done)
    return record.finished()
