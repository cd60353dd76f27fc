#!/usr/bin/env python3
"""Shows where the deployed model comes from, and which models it was chosen from.

    lineage.py --server HOST:PORT [--model NAME] [--all]

Asks with filters and lineage queries, and goes by the base types (`mlmd.Model`, `mlmd.Train`, ...)
instead of the names of the types, so it also walks graphs that other pipelines have recorded.
"""

import argparse
import collections
import contextlib
import itertools
import pathlib
import sys
import textwrap
import time
import urllib.parse

from google.protobuf.json_format import MessageToDict
from ml_metadata.metadata_store import ListOptions
from ml_metadata.proto import metadata_store_pb2 as mlmd

from recorder import CODE, connect, host_and_port

INPUTS = (mlmd.Event.INPUT, mlmd.Event.DECLARED_INPUT)
OUTPUTS = (mlmd.Event.OUTPUT, mlmd.Event.DECLARED_OUTPUT)
PARAM = "param_"  # recorder.py writes hyperparameters as custom properties with this prefix
STARTS_MAX = 100  # nodes that one lineage query may start from
Lineage = mlmd.LineageSubgraphQueryOptions
VERBS = {
    mlmd.ExecutionType.TRAIN: "trained by",
    mlmd.ExecutionType.TRANSFORM: "transformed by",
    mlmd.ExecutionType.EVALUATE: "evaluated by",
    mlmd.ExecutionType.DEPLOY: "deployed by",
}
NOUNS = {
    mlmd.ArtifactType.DATASET: "data set",
    mlmd.ArtifactType.MODEL: "model",
    mlmd.ArtifactType.METRICS: "metrics",
}


def values_of(node):
    """Properties and custom properties of a node, as one dict of Python values."""
    values = {}
    for properties in (node.properties, node.custom_properties):
        for name in sorted(properties):
            field = properties[name].WhichOneof("value")
            if field:
                value = getattr(properties[name], field)
                values[name] = MessageToDict(value) if field == "struct_value" else value
    return values


def name_of(node):
    return node.name or f"{node.type} #{node.id}"


def when(milliseconds):
    """A time of the store, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(milliseconds / 1000))


def location(uri):
    """A URI, or for a file its path, relative to the current folder where that is shorter."""
    parts = urllib.parse.urlsplit(uri)
    if parts.scheme != "file":
        return uri
    path = pathlib.Path(urllib.parse.unquote(parts.path))
    with contextlib.suppress(ValueError):
        path = path.relative_to(pathlib.Path.cwd())
    return str(path)


def params_of(execution):
    values = values_of(execution).items()
    return ", ".join(f"{k[len(PARAM) :]}={v}" for k, v in values if k.startswith(PARAM))


def measures_of(artifact):
    """The measures in a metrics artifact, whatever their names."""
    return {k: v for k, v in values_of(artifact).items() if isinstance(v, float)}


def literal(string):
    """A string as a literal of a filter."""
    escaped = string.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def one_of(values):
    return f"IN ({', '.join(values)})"


class Graph:
    """The models, what used them, and everything upstream, by three lineage queries."""

    def __init__(self, store, models):
        self.store = store
        self.base_of_artifact = {t.id: t.base_type for t in store.get_artifact_types()}
        self.base_of_execution = {t.id: t.base_type for t in store.get_execution_types()}
        self.artifacts = {model.id: model for model in models}
        self.executions = {}
        self.makers = collections.defaultdict(set)  # artifact id -> execution ids
        self.users = collections.defaultdict(set)
        self.inputs = collections.defaultdict(set)  # execution id -> artifact ids
        self.outputs = collections.defaultdict(set)
        # What made or used the models; what that came from; and what each of them put out.
        self._read("starting_artifacts", self.artifacts, Lineage.BIDIRECTIONAL, 1)
        self._read("starting_executions", self.executions, Lineage.UPSTREAM, None)
        self._read("starting_executions", self.executions, Lineage.DOWNSTREAM, 1)

    def _read(self, start, ids, direction, hops):
        """Takes over the graph around some nodes."""
        ids = iter(sorted(ids))
        while chunk := list(itertools.islice(ids, STARTS_MAX)):
            options = Lineage(direction=direction, max_num_hops=hops)
            getattr(options, start).filter_query = f"id {one_of(map(str, chunk))}"
            found = self.store.get_lineage_subgraph(options, ["artifacts", "executions", "events"])
            self.artifacts.update((artifact.id, artifact) for artifact in found.artifacts)
            self.executions.update((execution.id, execution) for execution in found.executions)
            for event in found.events:
                artifact, execution = event.artifact_id, event.execution_id
                if event.type in INPUTS:
                    self.users[artifact].add(execution)
                    self.inputs[execution].add(artifact)
                elif event.type in OUTPUTS:
                    self.makers[artifact].add(execution)
                    self.outputs[execution].add(artifact)

    def noun(self, artifact):
        return NOUNS.get(self.base_of_artifact.get(artifact.type_id), artifact.type)

    def base(self, execution):
        return self.base_of_execution.get(execution.type_id)

    def maker(self, artifact, user=None, run=()):
        """The execution that made an artifact, for one that used it.

        Data that every run finds again has as many makers as there are runs: the one in the run
        at hand counts, or else the last that started before the user did.
        """
        makers = {m for m in self.makers[artifact.id] if user is None or m < user.id}
        chosen = max((makers & set(run)) or makers, default=None)
        return self.executions.get(chosen)

    def users_of(self, artifact, base):
        """Executions of one base type that completed with the artifact as input, oldest first."""
        users = (self.executions[user] for user in sorted(self.users[artifact.id]))
        complete = (mlmd.Execution.COMPLETE, mlmd.Execution.CACHED)
        return [u for u in users if self.base(u) == base and u.last_known_state in complete]

    def evaluations(self, model):
        return self.users_of(model, mlmd.ExecutionType.EVALUATE)

    def measures(self, execution):
        """The measures that an evaluation produced."""
        measures = {}
        for artifact in sorted(self.outputs[execution.id]):
            measures.update(measures_of(self.artifacts[artifact]))
        return measures


class Tree:
    """Builds the lineage of a deployment as nested (lines, children)."""

    def __init__(self, graph, run):
        self.graph = graph
        self.run = run  # ids of the executions in the run of the deployment
        self.shown = set()

    def deployment(self, deploy):
        values = values_of(deploy)
        lines = [
            f"deployed by {deploy.type} #{deploy.id}, {when(deploy.create_time_since_epoch)} UTC"
        ]
        if "environment" in values:
            lines.append(f"environment      {values['environment']}")
        if "endpoint" in values:
            lines.append(f"endpoint         {location(values['endpoint'])}")
        if "selection_metric" in values:
            measure = f"{values['selection_metric']} {values.get('selection_value', 0):.4f}"
            lines.append(f"chosen for       {measure}, best of {values.get('candidates')} models")
        inputs = [self.graph.artifacts[i] for i in sorted(self.graph.inputs[deploy.id])]
        models = [a for a in inputs if self.graph.noun(a) == "model"]
        return lines, [self.artifact(model, deploy) for model in models]

    def artifact(self, artifact, user):
        values = values_of(artifact)
        lines = [f"{self.graph.noun(artifact)} {name_of(artifact)}"]
        if artifact.id in self.shown:
            return [lines[0] + "  (see above)"], []
        self.shown.add(artifact.id)
        if "model_type" in values:
            framework = f"{values.get('framework', '')} {values.get('framework_version', '')}"
            lines.append(f"model type       {values['model_type']} of {framework.strip()}")
        if "rows" in values:
            lines.append(f"rows             {values['rows']}")
        schema = values.get("columns")
        if isinstance(schema, dict) and "features" in schema:
            features = schema["features"]
            shown = ", ".join([*features[:3], "..."])
            lines.append(f"columns          {len(features)} features: {shown}")
            lines.append(f"target           {schema.get('target')}")
        if "sha256" in values:
            lines.append(f"sha256           {values['sha256']}")
        if artifact.uri:
            lines.append(f"uri              {location(artifact.uri)}")
        maker = self.graph.maker(artifact, user, self.run)
        children = [self.execution(maker)] if maker else []
        if self.graph.noun(artifact) == "model":
            children += [self.execution(e, skip=artifact) for e in self.graph.evaluations(artifact)]
        return lines, children

    def execution(self, execution, skip=None):
        values = values_of(execution)
        verb = VERBS.get(self.graph.base(execution), "made by")
        state = mlmd.Execution.State.Name(execution.last_known_state)
        started = when(execution.create_time_since_epoch)
        lines = [f"{verb} {execution.type} #{execution.id}, {state}, {started} UTC"]
        if params_of(execution):
            lines.append(f"hyperparameters  {params_of(execution)}")
        for name, value in values.items():
            told = name in CODE or name == "model_type" or name.startswith(PARAM)
            if not told and isinstance(value, (str, int, float)):
                lines.append(f"{name:15}  {value}")
        for name, value in self.graph.measures(execution).items():
            lines.append(f"{name:15}  {value:.4f}")
        if self.graph.base(execution) == mlmd.ExecutionType.TRAIN:
            lines += self.code(values)
        inputs = [self.graph.artifacts[i] for i in sorted(self.graph.inputs[execution.id])]
        return lines, [self.artifact(a, execution) for a in inputs if a is not skip]

    @staticmethod
    def code(values):
        """How to run the same code again."""
        if "seed" in values:
            yield f"seed             {values['seed']}"
        if "git_sha" in values:
            dirty = " with uncommitted changes" if values.get("git_dirty") else ""
            yield f"git              {values['git_sha']}{dirty}"
        if "code_sha256" in values:
            yield f"code sha256      {values['code_sha256']}"
        if isinstance(values.get("packages"), dict):
            packages = sorted(values["packages"].items())
            text = ", ".join(f"{name} {version}" for name, version in packages)
            yield from textwrap.wrap(
                text, 84, initial_indent=f"{'versions':15}  ", subsequent_indent=" " * 17
            )


def draw(node, first="", rest=""):
    """The lines of a tree. Plain ASCII where the terminal cannot show more."""
    fancy = (sys.stdout.encoding or "").lower().startswith("utf")
    fork, last, bar = ("├─ ", "└─ ", "│  ") if fancy else ("+- ", "`- ", "|  ")
    (head, *details), children = node
    yield first + head
    for detail in details:
        yield rest + (bar if children else "   ") + detail
    for child in children[:-1]:
        yield from draw(child, rest + fork, rest + bar)
    for child in children[-1:]:
        yield from draw(child, rest + last, rest + "   ")


def table(rows):
    """Rows of strings in aligned columns; the first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    rows = [rows[0], ["-" * width for width in widths], *rows[1:]]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()


def candidate_rows(graph, models, deployments):
    """One row for each model: what it is, its measures, and when it was deployed."""
    measures = [
        {k: v for e in graph.evaluations(model) for k, v in graph.measures(e).items()}
        for model in models
    ]
    names = sorted(set().union(*measures))
    yield ["", "model", "type", "hyperparameters", *names, "deployed (UTC)"]
    deployed = {}
    for deploy, model in deployments:
        deployed[model.id] = when(deploy.create_time_since_epoch)
    for model, measured in zip(models, measures):
        maker = graph.maker(model)
        kind = values_of(model).get("model_type", model.type)
        if model.state == mlmd.Artifact.ABANDONED:
            kind += " (abandoned)"
        yield [
            "*" if deployments and model.id == deployments[-1][1].id else "",
            name_of(model),
            kind,
            params_of(maker) if maker else "",
            *(f"{measured[name]:.4f}" if name in measured else "" for name in names),
            deployed.get(model.id, ""),
        ]


def deployment_rows(deployments):
    """The history, newest first: a deployment lasts until the next one to its environment."""
    yield ["model", "environment", "from (UTC)", "until (UTC)"]
    until = {}
    for deploy, model in reversed(deployments):
        environment = values_of(deploy).get("environment", "")
        since = when(deploy.create_time_since_epoch)
        yield [name_of(model), environment, since, until.get(environment, "now")]
        until[environment] = since


def find_models(store):
    """The artifacts of every type that is based on mlmd.Model, oldest first."""
    based = {t.name for t in store.get_artifact_types() if t.base_type == mlmd.ArtifactType.MODEL}
    if not based:
        return []
    models = ListOptions(filter_query=f"type {one_of(map(literal, sorted(based)))}")
    return sorted(store.get_artifacts(models), key=lambda model: model.id)


def family(model):
    """The name that all versions of a model share."""
    return values_of(model).get("model_name", name_of(model))


def find_run(store, deploy):
    """The run of a deployment and its pipeline: a context that has a parent, and the parent."""
    # A filter finds only what has each neighbour that it mentions.
    of_deploy = f"executions_e.id = {deploy.id} AND parent_contexts_p.id > 0"
    for run in store.get_contexts(ListOptions(filter_query=of_deploy)):
        of_run = ListOptions(filter_query=f"child_contexts_c.id = {run.id}")
        for pipeline in store.get_contexts(of_run):
            return run, pipeline
    return None, None


def report(store, name, show_all):
    """The lines to print about the model `name`, or about the one that was deployed last."""
    models = find_models(store)
    asked = [m for m in models if name in (None, m.name, family(m))]
    if not asked:
        sys.exit(f"error: there is no model {name or 'yet'}; examples/pipeline.py makes one")
    families = {family(m) for m in asked}
    models = [m for m in models if family(m) in families]
    graph = Graph(store, models)
    deployments = [(d, m) for m in models for d in graph.users_of(m, mlmd.ExecutionType.DEPLOY)]
    deployments.sort(key=lambda pair: pair[0].id)
    chosen = [(deploy, model) for deploy, model in deployments if model in asked]
    if not chosen:
        yield f"No version of {name or 'any model'} has been deployed."
        yield ""
        yield from table(list(candidate_rows(graph, asked, deployments)))
        return
    deploy, deployed = chosen[-1]
    models = [m for m in models if family(m) == family(deployed)]
    deployments = [(d, m) for d, m in deployments if family(m) == family(deployed)]
    run, pipeline = find_run(store, deploy)
    members = {e.id for e in store.get_executions_by_context(run.id)} if run else set()
    rivals = [m for m in models if show_all or not members or graph.makers[m.id] & members]

    yield f"LINEAGE OF {name_of(deployed)}"
    if run:
        yield f"pipeline {name_of(pipeline)}, run {name_of(run)}"
    yield ""
    yield from draw(Tree(graph, members).deployment(deploy))
    yield ""
    yield "CANDIDATES  (* was deployed last)"
    yield ""
    yield from table(list(candidate_rows(graph, rivals, deployments)))
    if len(rivals) < len(models):
        yield f"and {len(models) - len(rivals)} from other runs: see them with --all"
    yield ""
    yield "DEPLOYMENTS"
    yield ""
    yield from table(list(deployment_rows(deployments)))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--server", type=host_and_port, required=True, metavar="HOST:PORT")
    parser.add_argument("--model", metavar="NAME", help="a model, or one version: NAME@VERSION")
    parser.add_argument("--all", action="store_true", help="list the candidates of every run")
    options = parser.parse_args()
    with connect(options.server) as store:
        for line in report(store, options.model, options.all):
            print(line)


if __name__ == "__main__":
    main()
