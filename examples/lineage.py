#!/usr/bin/env python3
"""Shows where the deployed model comes from, and which models it was chosen from.

    lineage.py --server HOST:PORT [--model NAME] [--all]

Reads with plain gets only, and goes by the base types (`mlmd.Model`, `mlmd.Train`, ...) instead of
the names of the types, so it also walks graphs that other pipelines have recorded.
"""

import argparse
import collections
import contextlib
import pathlib
import sys
import textwrap
import time
import urllib.parse

from google.protobuf.json_format import MessageToDict
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2 as mlmd

from recorder import CODE, connect, host_and_port

INPUTS = (mlmd.Event.INPUT, mlmd.Event.DECLARED_INPUT)
OUTPUTS = (mlmd.Event.OUTPUT, mlmd.Event.DECLARED_OUTPUT)
PARAM = "param_"  # recorder.py writes hyperparameters as custom properties with this prefix
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


class Graph:
    """The models, what used them, and everything upstream: read a generation at a time.

    Each read asks for a whole list of ids at once, so the number of calls grows with the depth of
    the lineage and not with the number of models.
    """

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
        frontier = set(self.artifacts)
        edges = (self.makers, self.users)
        while frontier:
            for event in store.get_events_by_artifact_ids(sorted(frontier)):
                edge = self.users if event.type in INPUTS else self.makers
                edge[event.artifact_id].add(event.execution_id)
            found = set().union(*(edge[artifact] for edge in edges for artifact in frontier))
            frontier = self._read_executions(found - set(self.executions))
            edges = (self.makers,)  # from here on only upstream

    def _read_executions(self, ids):
        """Reads executions with their artifacts. Returns the ids of artifacts unseen so far."""
        if not ids:
            return set()
        ids = sorted(ids)
        self.executions.update((e.id, e) for e in self.store.get_executions_by_id(ids))
        found = set()
        for event in self.store.get_events_by_execution_ids(ids):
            edge = self.inputs if event.type in INPUTS else self.outputs
            edge[event.execution_id].add(event.artifact_id)
            found.add(event.artifact_id)
        found -= set(self.artifacts)
        if found:
            unseen = self.store.get_artifacts_by_id(sorted(found))
            self.artifacts.update((artifact.id, artifact) for artifact in unseen)
        return found

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
    models = []
    for kind in store.get_artifact_types():
        if kind.base_type == mlmd.ArtifactType.MODEL:
            models += store.get_artifacts_by_type(kind.name, kind.version or None)
    return sorted(models, key=lambda model: model.id)


def family(model):
    """The name that all versions of a model share."""
    return values_of(model).get("model_name", name_of(model))


def find_run(store, deploy):
    """The run of a deployment and its pipeline: a context that has a parent, and the parent."""
    # The store answers NOT_FOUND for an execution that is in no context.
    with contextlib.suppress(errors.NotFoundError):
        for context in store.get_contexts_by_execution(deploy.id):
            for parent in store.get_parent_contexts_by_context(context.id):
                return context, parent
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
