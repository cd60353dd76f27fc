"""Random operations, continued: events, links, whole steps, every read, and the mix of them all."""

from ml_metadata.proto import metadata_store_pb2 as pb

from filter_operations import FilterGenerator, Scope
from operations import (
    ARTIFACT,
    CONTEXT,
    EXECUTION,
    KINDS,
    SYSTEM_TYPES,
    UNKNOWN_ID,
    Generator,
    Operation,
    new_request,
)

LISTS = {
    "GetArtifacts": ARTIFACT,
    "GetExecutions": EXECUTION,
    "GetContexts": CONTEXT,
    "GetArtifactsByType": ARTIFACT,
    "GetExecutionsByType": EXECUTION,
    "GetContextsByType": CONTEXT,
    "GetArtifactsByContext": ARTIFACT,
    "GetExecutionsByContext": EXECUTION,
}
ORDER = pb.ListOperationOptions.OrderByField
GARBAGE_TOKENS = ("garbage!", "%%%", "AAAA", "_____w", "Cg==", "é")
PAGE_BY_UPDATE_TIME_MIN = 6  # more than one operation writes


class GraphGenerator(FilterGenerator):
    """All operations; `next` draws one of them."""

    # Events and links.

    def some_id(self, kind):
        nodes = self.nodes[kind]
        return self.choice(nodes) if nodes else UNKNOWN_ID

    def path(self):
        path = pb.Event.Path()
        for _ in range(self.random.randint(0, 3)):
            step = path.steps.add()
            form = self.random.random()
            if form < 0.4:
                step.index = self.choice((0, 1, -1, 2**40))
            elif form < 0.8:
                step.key = self.choice(("", "k", "é's"))
        return path

    def event(self, artifact_id=None, execution_id=None):
        event = pb.Event(type=self.random.randint(1, 7))
        if artifact_id is not None:
            event.artifact_id = artifact_id
        if execution_id is not None:
            event.execution_id = execution_id
        if self.chance(0.6):
            event.path.CopyFrom(self.path())
        if self.chance(0.5):
            event.milliseconds_since_epoch = self.choice((0, 1, 77, 123_456, -5))
        if self.chance(0.05):
            event.system_metadata.CopyFrom(self.packed())
        return event

    def new_event(self):
        """An event that the store does not have yet, as far as is known."""
        for _ in range(20):
            event = self.event(self.some_id(ARTIFACT), self.some_id(EXECUTION))
            if (event.artifact_id, event.execution_id, event.type) not in self.events:
                return event
        return None

    EVENT_FLAWS = (
        "no artifact",
        "no execution",
        "no event type",
        "unknown event type",
        "unknown artifact",
        "unknown execution",
        "event exists",
        "event twice",
    )

    def put_events(self):
        events, seen = [], set()
        for _ in range(self.random.randint(0, 3)):
            event = self.new_event()
            if event and (key := (event.artifact_id, event.execution_id, event.type)) not in seen:
                seen.add(key)
                events.append(event)
        note = "valid"
        if events and self.chance(0.35):
            note = self.choice(self.EVENT_FLAWS)
            event = events.pop()
            if note == "no artifact":
                event.ClearField("artifact_id")
            elif note == "no execution":
                event.ClearField("execution_id")
            elif note == "no event type":
                event.ClearField("type")
            elif note == "unknown event type":
                event.type = pb.Event.UNKNOWN
            elif note == "unknown artifact":
                event.artifact_id = self.choice((UNKNOWN_ID, 0, -1))
            elif note == "unknown execution":
                event.execution_id = self.choice((UNKNOWN_ID, 0, -1))
            elif note == "event exists" and self.events:
                event.artifact_id, event.execution_id, event.type = self.choice(self.events)
            else:
                events.append(event)
            events.append(event)
        return Operation("PutEvents", new_request("PutEvents", events=events), note)

    def put_links(self):
        method, note = "PutAttributionsAndAssociations", "valid"
        request = new_request(method)
        for _ in range(self.random.randint(0, 3)):
            request.attributions.add(
                artifact_id=self.some_id(ARTIFACT), context_id=self.some_id(CONTEXT)
            )
            request.associations.add(
                execution_id=self.some_id(EXECUTION), context_id=self.some_id(CONTEXT)
            )
        if self.chance(0.35):
            flaws = ("no node", "no context", "unknown node", "unknown context")
            note = self.choice(flaws)
            kind, links = self.choice(
                ((ARTIFACT, request.attributions), (EXECUTION, request.associations))
            )
            ids = {f"{kind.name}_id": self.some_id(kind), "context_id": self.some_id(CONTEXT)}
            name = "context_id" if note.endswith("context") else f"{kind.name}_id"
            if note.startswith("no"):
                del ids[name]
            else:
                ids[name] = self.choice((UNKNOWN_ID, 0, -1))
            links.add(**ids)
        return Operation(method, request, note)

    def descendants(self, context_id):
        found, frontier = {context_id}, [context_id]
        while frontier:
            parent = frontier.pop()
            for above, child in self.parents:
                if above == parent and child not in found:
                    found.add(child)
                    frontier.append(child)
        return found

    def put_parents(self):
        request, note = new_request("PutParentContexts"), "valid"
        parent, child = self.some_id(CONTEXT), self.some_id(CONTEXT)
        if parent not in self.descendants(child) and (parent, child) not in self.parents:
            request.parent_contexts.add(parent_id=parent, child_id=child)
        if self.chance(0.4):
            note = self.choice(
                ("self", "no parent", "no child", "unknown parent", "unknown child", "link exists")
                + ("cycle",) * 3
            )
            link = request.parent_contexts.add(parent_id=parent, child_id=child)
            if note == "self":
                link.child_id = link.parent_id
            elif note == "no parent":
                link.ClearField("parent_id")
            elif note == "no child":
                link.ClearField("child_id")
            elif note == "unknown parent":
                link.parent_id = UNKNOWN_ID
            elif note == "unknown child":
                link.child_id = UNKNOWN_ID
            elif self.parents:
                link.parent_id, link.child_id = self.choice(self.parents)
                if note == "cycle":
                    link.child_id = link.parent_id
                    link.parent_id = self.choice(sorted(self.descendants(link.child_id)))
        return Operation("PutParentContexts", request, note)

    # Whole steps.

    def context_of_step(self, options):
        stored = self.pick(CONTEXT)
        form = self.random.random()
        if stored is not None and form < 0.4:
            context = CONTEXT.node(type_id=stored.type_id, name=stored.name)
            if getattr(options, "force_reuse_context", False):
                return CONTEXT.node(id=stored.id)
            if not options.reuse_context_if_already_exist:
                context.CopyFrom(stored)
            return context
        return self.node(CONTEXT, whole=True)

    def artifact_of_step(self, options):
        if options.reuse_artifact_if_already_exist_by_external_id and self.chance(0.5):
            stored = self.pick(ARTIFACT, "external_id")
            if stored is not None and stored.external_id:
                artifact = self.new_node(ARTIFACT)
                artifact.properties.clear()
                artifact.type_id = stored.type_id
                artifact.external_id = stored.external_id
                return artifact
        return self.node(ARTIFACT, whole=True)

    def step_options(self, request):
        options = request.options
        for name in [field.name for field in options.DESCRIPTOR.fields]:
            if self.chance(0.4):
                setattr(options, name, self.chance(0.8))
        return options

    STEP_FLAWS = (
        "no execution",
        "other execution in event",
        "other artifact in event",
        "event without artifact",
        "event without type",
        "event twice",
        "context without type",
        "context without name",
        "unknown context to reuse",
        "reuse collides",
        "external id twice",
        "external id moves on",
    )

    def put_step(self):
        request, note = new_request("PutExecution"), "valid"
        options = self.step_options(request)
        request.execution.CopyFrom(self.node(EXECUTION, whole=True))
        seen = set()
        for _ in range(self.random.randint(0, 3)):
            self._add_pair(request, options, seen)
        for _ in range(self.random.randint(0, 2)):
            request.contexts.add().CopyFrom(self.context_of_step(options))
        if not request.contexts and self.chance(0.2):
            request.artifact_event_pairs.add()
        if self.chance(0.3):
            note = self.choice(self.STEP_FLAWS)
            self._flaw_step(request, note)
        elif self.chance(0.2):
            note = self._flaw_node_of_step(request)
        return Operation("PutExecution", request, note)

    def _add_pair(self, request, options, seen):
        form = self.random.random()
        stored = self.pick(ARTIFACT)
        event = self.event()
        if self.chance(0.2) and request.execution.HasField("id"):
            event.execution_id = request.execution.id
        if form < 0.3 and stored is not None:
            key = (stored.id, event.type)
            known = (stored.id, request.execution.id, event.type) in self.events
            if key not in seen and not known:
                seen.add(key)
                event.artifact_id = stored.id
                request.artifact_event_pairs.add().event.CopyFrom(event)
            return
        artifact = self.artifact_of_step(options)
        pair = request.artifact_event_pairs.add(artifact=artifact)
        is_new = not artifact.HasField("id") and not artifact.HasField("external_id")
        if form < 0.85 and is_new:
            pair.event.CopyFrom(event)

    def _flaw_step(self, request, flaw):
        new = self.new_node(ARTIFACT)
        if flaw == "no execution":
            request.ClearField("execution")
        elif flaw == "other execution in event":
            request.artifact_event_pairs.add(event=self.event(None, UNKNOWN_ID), artifact=new)
        elif flaw == "other artifact in event":
            request.artifact_event_pairs.add(event=self.event(UNKNOWN_ID), artifact=new)
        elif flaw == "event without artifact":
            request.artifact_event_pairs.add(event=self.event())
        elif flaw == "event without type":
            request.artifact_event_pairs.add(event=pb.Event(), artifact=new)
        elif flaw == "event twice" and self.nodes[ARTIFACT]:
            event = self.event(self.some_id(ARTIFACT))
            request.artifact_event_pairs.add(event=event)
            request.artifact_event_pairs.add(event=event)
        elif flaw in ("context without type", "context without name"):
            context = self.new_node(CONTEXT)
            context.ClearField("type_id" if flaw.endswith("type") else "name")
            request.contexts.add().CopyFrom(context)
        elif flaw == "unknown context to reuse":
            request.options.force_reuse_context = True
            request.contexts.add(id=UNKNOWN_ID)
        elif flaw == "reuse collides":
            taken = self.pick(CONTEXT, "external_id")
            if taken is not None:
                context = self.new_node(CONTEXT)
                context.external_id = taken.external_id
                request.options.reuse_context_if_already_exist = True
                request.contexts.add().CopyFrom(context)
        elif flaw == "external id twice":
            request.options.reuse_artifact_if_already_exist_by_external_id = True
            new.external_id = self.fresh("x")
            request.artifact_event_pairs.add(artifact=new)
            request.artifact_event_pairs.add(artifact=new)
        elif flaw == "external id moves on":
            for artifact in self._moving_external_id(request):
                request.artifact_event_pairs.add(artifact=artifact)
        while request.contexts and any(
            not pair.HasField("artifact") and not pair.HasField("event")
            for pair in request.artifact_event_pairs
        ):
            request.contexts.pop()

    def _moving_external_id(self, request):
        """A stored artifact gives its external id up, and the next artifact asks to reuse it."""
        request.options.reuse_artifact_if_already_exist_by_external_id = True
        stored = self.pick(ARTIFACT, "external_id")
        if stored is None or not stored.external_id:
            return []
        taking = ARTIFACT.node(type_id=stored.type_id, external_id=stored.external_id)
        giving = ARTIFACT.node(id=stored.id, type_id=stored.type_id, external_id=self.fresh("x"))
        return [giving, taking]

    def _flaw_node_of_step(self, request):
        kind, flaw = self.choice(KINDS), self.choice(self.NODE_FLAWS)
        node = self.flawed_node(kind, flaw)
        if node is None:
            return "valid"
        if kind is EXECUTION:
            request.execution.CopyFrom(node)
            for pair in request.artifact_event_pairs:
                pair.event.ClearField("execution_id")
                if pair.event == pb.Event():
                    pair.ClearField("event")
        elif kind is ARTIFACT:
            request.artifact_event_pairs.add(artifact=node)
        elif all(
            p.HasField("artifact") or p.HasField("event") for p in request.artifact_event_pairs
        ):
            request.contexts.add().CopyFrom(node)
        return f"{kind.name}: {flaw}"

    SUBGRAPH_FLAWS = (
        "execution index too large",
        "artifact index too large",
        "negative execution index",
        "negative artifact index",
        "no event",
        "edge without execution",
        "edge without artifact",
        "other execution in edge",
        "other artifact in edge",
        "id for a new execution",
        "id for a new artifact",
        "event without type",
        "edge twice",
        "reuse collides",
        "external id twice",
        "external id moves on",
    )

    def put_subgraph(self):
        request, note = new_request("PutLineageSubgraph"), "valid"
        options = self.step_options(request)
        for _ in range(self.random.randint(0, 2)):
            request.executions.add().CopyFrom(self.node(EXECUTION, whole=True))
        for _ in range(self.random.randint(0, 3)):
            request.artifacts.add().CopyFrom(self.artifact_of_step(options))
        for _ in range(self.random.randint(0, 2)):
            request.contexts.add().CopyFrom(self.context_of_step(options))
        seen = set()
        for _ in range(self.random.randint(0, 4)):
            self._add_edge(request, seen)
        if self.chance(0.3):
            note = self.choice(self.SUBGRAPH_FLAWS)
            self._flaw_subgraph(request, note)
        elif self.chance(0.25):
            kind, flaw = self.choice(KINDS), self.choice(self.NODE_FLAWS)
            node = self.flawed_node(kind, flaw)
            if node is not None:
                note = f"{kind.name}: {flaw}"
                getattr(request, kind.plural).add().CopyFrom(node)
        return Operation("PutLineageSubgraph", request, note)

    def _add_edge(self, request, seen):
        """An edge between new nodes by index, or from a stored artifact to a new execution."""
        new = [i for i, e in enumerate(request.executions) if not e.HasField("id")]
        if not new:
            return
        execution, event = self.choice(new), self.event()
        fresh = [
            i
            for i, a in enumerate(request.artifacts)
            if not a.HasField("id") and not a.HasField("external_id")
        ]
        if fresh and self.chance(0.6):
            artifact = self.choice(fresh)
            edge = {"execution_index": execution, "artifact_index": artifact}
            key = ("index", execution, artifact, event.type)
        elif self.nodes[ARTIFACT]:
            event.artifact_id = self.some_id(ARTIFACT)
            edge = {"execution_index": execution}
            key = ("id", execution, event.artifact_id, event.type)
        else:
            return
        if key not in seen:
            seen.add(key)
            request.event_edges.add(event=event, **edge)

    def _flaw_subgraph(self, request, flaw):
        new = len(request.executions), len(request.artifacts)
        request.executions.add().CopyFrom(self.new_node(EXECUTION))
        request.artifacts.add().CopyFrom(self.new_node(ARTIFACT))
        edge = request.event_edges.add(
            execution_index=new[0], artifact_index=new[1], event=self.event()
        )
        if flaw == "execution index too large":
            edge.execution_index += 1
        elif flaw == "artifact index too large":
            edge.artifact_index += 1
        elif flaw == "negative execution index":
            edge.execution_index = -1
        elif flaw == "negative artifact index":
            edge.artifact_index = -1
        elif flaw == "no event":
            edge.ClearField("event")
        elif flaw == "edge without execution":
            edge.ClearField("execution_index")
        elif flaw == "edge without artifact":
            edge.ClearField("artifact_index")
        elif flaw == "id for a new execution":
            edge.event.execution_id = self.some_id(EXECUTION)
        elif flaw == "id for a new artifact":
            edge.event.artifact_id = self.some_id(ARTIFACT)
        elif flaw in ("other execution in edge", "other artifact in edge"):
            self._mismatch(request, edge, EXECUTION if "execution" in flaw else ARTIFACT)
        elif flaw == "event without type":
            edge.event.ClearField("type")
        elif flaw == "edge twice":
            request.event_edges.add().CopyFrom(edge)
        elif flaw == "reuse collides":
            taken = self.pick(CONTEXT, "external_id")
            if taken is not None:
                context = self.new_node(CONTEXT)
                context.external_id = taken.external_id
                request.options.reuse_context_if_already_exist = True
                request.contexts.add().CopyFrom(context)
        elif flaw == "external id moves on":
            request.artifacts.extend(self._moving_external_id(request))
        elif flaw == "external id twice":
            request.artifacts[-1].external_id = self.fresh("x")
            request.artifacts.add(
                type_id=request.artifacts[-1].type_id, external_id=request.artifacts[-1].external_id
            )

    def _mismatch(self, request, edge, kind):
        stored = self.pick(kind)
        if stored is None:
            return
        nodes = getattr(request, kind.plural)
        nodes[-1].CopyFrom(kind.node(id=stored.id, type_id=stored.type_id))
        setattr(edge.event, f"{kind.name}_id", UNKNOWN_ID)

    # Reads.

    def ids(self, known):
        ids = [self.choice(known) for _ in range(self.random.randint(0, 4)) if known]
        if self.chance(0.3):
            ids.insert(0, self.choice((UNKNOWN_ID, 0, -1)))
        if ids and self.chance(0.3):
            ids.append(ids[0])
        return ids

    def get_by_id(self):
        kind = self.choice(KINDS)
        if self.chance(0.4):
            method = f"Get{kind.title}TypesByID"
            known = list(self.types[kind]) + [1, 9]
            return Operation(method, new_request(method, type_ids=self.ids(known)))
        method = f"Get{kind.title}sByID"
        request = new_request(method, **{f"{kind.name}_ids": self.ids(self.nodes[kind])})
        if kind is ARTIFACT and self.chance(0.5):
            request.populate_artifact_types = True
        return Operation(method, request)

    def get_by_external_ids(self):
        kind, infix = self.choice(KINDS), self.choice(("Type", ""))
        method = f"Get{kind.title}{infix}sByExternalIds"
        stored = self.types[kind] if infix else self.nodes[kind]
        known = [s.external_id for s in stored.values() if s.external_id] + ["nobody"]
        ids = [self.choice(known) for _ in range(self.random.randint(0, 3))]
        if self.chance(0.2):
            ids.append("")
        return Operation(method, new_request(method, external_ids=ids))

    def type_identity(self, kind):
        """Name and version of a type, mostly of a known one."""
        fields = {}
        stored = self.choice(self.types[kind].values())
        names = (stored.name, stored.name, "no such type", *SYSTEM_TYPES[kind][:1])
        fields["type_name"] = self.choice(names)
        if stored.version or self.chance(0.2):
            fields["type_version"] = self.choice((stored.version, "", "v9"))
        if self.chance(0.03):
            del fields["type_name"]
        return fields

    def get_type(self):
        kind = self.choice(KINDS)
        if self.chance(0.2):
            method = f"Get{kind.title}Types"
            return Operation(method, new_request(method))
        method = f"Get{kind.title}Type"
        return Operation(method, new_request(method, **self.type_identity(kind)))

    def get_by_name(self):
        kind = self.choice(KINDS)
        method = f"Get{kind.title}ByTypeAndName"
        stored = self.pick(kind, "name")
        fields = self.type_identity(kind)
        if stored is not None and self.chance(0.8):
            node_type = self.types[kind][stored.type_id]
            fields = {"type_name": node_type.name, "type_version": node_type.version}
        name = stored.name if stored is not None and self.chance(0.8) else "nobody"
        if self.chance(0.95):
            fields[f"{kind.name}_name"] = name
        return Operation(method, new_request(method, **fields))

    def get_by_uri(self):
        uris = [self.choice(("", "/data/1", "/DATA/1", "/data", "s3://b/ü?x=1")) for _ in range(2)]
        request, note = new_request("GetArtifactsByURI", uris=uris[: self.random.randint(0, 2)]), ""
        if self.chance(0.15):
            request.MergeFromString(b"\x0a\x03abc")
            note = "field of an old client"
        return Operation("GetArtifactsByURI", request, note or "valid")

    def get_links(self):
        near = (UNKNOWN_ID, -1)
        context = self.choice((self.some_id(CONTEXT),) * 4 + near)
        artifact = self.choice((self.some_id(ARTIFACT),) * 4 + near)
        execution = self.choice((self.some_id(EXECUTION),) * 4 + near)
        contexts = self.ids([n for pair in self.parents for n in pair] + [context])
        requests = {
            "GetContextsByArtifact": {"artifact_id": artifact},
            "GetContextsByExecution": {"execution_id": execution},
            "GetParentContextsByContext": {"context_id": context},
            "GetChildrenContextsByContext": {"context_id": context},
            "GetParentContextsByContexts": {"context_ids": contexts},
            "GetChildrenContextsByContexts": {"context_ids": contexts},
            "GetEventsByExecutionIDs": {"execution_ids": self.ids(self.nodes[EXECUTION])},
            "GetEventsByArtifactIDs": {"artifact_ids": self.ids(self.nodes[ARTIFACT])},
        }
        method = self.choice(requests)
        return Operation(method, new_request(method, **requests[method]))

    def list_request(self, method):
        request = new_request(method)
        if method.endswith("ByType"):
            for name, given in self.type_identity(LISTS[method]).items():
                setattr(request, name, given)
        elif method.endswith("ByContext"):
            request.context_id = self.some_id(CONTEXT) if self.chance(0.9) else UNKNOWN_ID
        return request

    def list_page(self):
        method, note = self.choice(LISTS), "valid"
        request = self.list_request(method)
        if self.chance(0.15):
            return Operation(method, request, "no options")
        options = request.options
        options.SetInParent()
        if self.chance(0.7):
            options.max_result_size = self.choice((1, 2, 3, 5, 20, 100))
        if self.chance(0.6):
            options.order_by_field.field = self.choice((ORDER.ID, ORDER.CREATE_TIME))
        if self.chance(0.5):
            options.order_by_field.is_asc = self.chance(0.5)
        if self.chance(0.1):
            options.filter_query = ""
            options.next_page_token = ""
        elif self.chance(0.5):
            options.filter_query, note = self.filter_query(LISTS[method])
            if note == "filter" and self.chance(0.3):
                note += ", " + self._give_token(method, options)
        elif self.chance(0.4):
            note = self._give_token(method, options)
        elif self.chance(0.2):
            note = self.choice(("page size zero", "page size negative", "order unspecified"))
            if note == "order unspecified":
                options.order_by_field.field = ORDER.FIELD_UNSPECIFIED
            else:
                options.max_result_size = 0 if note.endswith("zero") else -7
        return Operation(method, request, note)

    def _give_token(self, method, options):
        """A token of an earlier answer, perhaps of another list or order; or no token at all."""
        if self.chance(0.25):
            options.next_page_token = self.choice(GARBAGE_TOKENS)
            return "garbage token"
        usable = [t for t in self.tokens if LISTS[t[1]] is LISTS[method]]
        if not usable:
            return "valid"
        number, _, field, is_asc = self.choice(usable)
        options.next_page_token = f"@{number}"
        if self.chance(0.7):
            options.order_by_field.field, options.order_by_field.is_asc = field, is_asc
            return "earlier token"
        return "token of any order"

    def walk_pages(self):
        method = self.choice(LISTS)
        request = self.list_request(method)
        order = request.options.order_by_field
        order.field = self.choice((ORDER.ID, ORDER.CREATE_TIME, ORDER.LAST_UPDATE_TIME))
        order.is_asc = self.chance(0.5)
        smallest = PAGE_BY_UPDATE_TIME_MIN if order.field == ORDER.LAST_UPDATE_TIME else 3
        request.options.max_result_size = self.random.randint(smallest, 25)
        if self.chance(0.5):
            scope = Scope(LISTS[method])
            request.options.filter_query = self.condition(scope, self.random.randint(0, 2))
        return Operation(method, request, "walk", walk=True)

    def everything(self):
        """Reads that together show the whole store, in every way there is to find a thing."""
        for kind in KINDS:
            yield self._read(f"Get{kind.title}Types")
            yield self._read(f"Get{kind.title}s")
            yield self._read(f"Get{kind.title}TypesByID", type_ids=self.types[kind])
            for put in self.types[kind].values():
                identity = {"type_name": put.name, "type_version": put.version}
                yield self._read(f"Get{kind.title}Type", **identity)
                yield self._read(f"Get{kind.title}sByType", **identity)
            for node in self.nodes[kind].values():
                if node.external_id:
                    found = {"external_ids": [node.external_id]}
                    yield self._read(f"Get{kind.title}sByExternalIds", **found)
                node_type = self.types[kind][node.type_id]
                identity = {"type_name": node_type.name, "type_version": node_type.version}
                identity[f"{kind.name}_name"] = node.name
                yield self._read(f"Get{kind.title}ByTypeAndName", **identity)
        for kind in (ARTIFACT, EXECUTION):
            ids = {f"{kind.name}_ids": self.nodes[kind]}
            yield self._read(f"GetEventsBy{kind.title}IDs", **ids)
            for node_id in self.nodes[kind]:
                yield self._read(f"GetContextsBy{kind.title}", **{f"{kind.name}_id": node_id})
            for context_id in self.nodes[CONTEXT]:
                yield self._read(f"Get{kind.title}sByContext", context_id=context_id)
        for context_id in self.nodes[CONTEXT]:
            yield self._read("GetParentContextsByContext", context_id=context_id)
            yield self._read("GetChildrenContextsByContext", context_id=context_id)

    @staticmethod
    def _read(method, **fields):
        return Operation(method, new_request(method, **fields), "everything")

    MIX = (
        (put_step, 14),
        (put_subgraph, 14),
        (Generator.put_nodes, 16),
        (Generator.put_artifacts_unless_changed, 3),
        (Generator.put_type, 8),
        (Generator.put_types, 3),
        (put_events, 5),
        (put_links, 4),
        (put_parents, 6),
        (get_by_id, 6),
        (get_by_external_ids, 5),
        (get_type, 5),
        (get_by_name, 5),
        (get_by_uri, 2),
        (get_links, 10),
        (list_page, 20),
        (walk_pages, 4),
        (FilterGenerator.get_lineage, 8),
    )

    def start(self):
        """The first operations of a run: types of each kind to build on."""
        for kind in KINDS:
            types = [self.new_type(kind) for _ in range(2)]
            for put, name in zip(types, ("T0", "T1"), strict=True):
                put.name, put.version = name, ""
            yield Operation("PutTypes", new_request("PutTypes", **{f"{kind.name}_types": types}))

    def next(self):
        operations, weights = zip(*self.MIX, strict=True)
        return self.random.choices(operations, weights)[0](self)
