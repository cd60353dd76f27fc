"""The metadata store: types, nodes and what links them."""

from collections.abc import Iterable, Sequence
from typing import Optional

from headwater import _native
from ml_metadata import errors, proto
from ml_metadata.metadata_store.connection import Connection, require_database
from ml_metadata.metadata_store.list_options import (
    MAX_NUM_RESULT,
    ListOptions,
    OrderByField,
    read_pages,
)
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2

__all__ = [
    "MAX_NUM_RESULT",
    "ExtraOptions",
    "ListOptions",
    "MetadataStore",
    "OrderByField",
    "downgrade_schema",
    "errors",
    "metadata_store_pb2",
    "metadata_store_service_pb2",
    "proto",
]

service = metadata_store_service_pb2


class ExtraOptions:
    """Accepted by every method, and without effect."""

    def __init__(self, euc=None):
        """Forgets `euc`."""


class MetadataStore(Connection):
    """A store of artifacts, executions and contexts, their types and their links.

    Every call is one transaction: all of it happens or nothing does. A call that fails raises the
    class of `ml_metadata.errors` that belongs to its status code; when it answers ABORTED, because
    another writer was in the way, it is repeated after a wait, 5 times in all unless the
    `retry_options` of the configuration say otherwise.

    A node without an id is created, one with an id is updated. An update replaces the whole node:
    properties that are left out are deleted. With `field_mask_paths` it changes only the fields
    they name: a field, `properties`, or `properties.KEY`; creation ignores them.

    `extra_options` has no effect anywhere.
    """

    @property
    def pipeline_asset(self) -> None:
        """None: only a store inside Google belongs to a pipeline."""
        return None

    # Types.

    def put_artifact_type(
        self,
        artifact_type: proto.ArtifactType,
        can_add_fields: bool = False,
        can_omit_fields: bool = False,
        extra_options: Optional[ExtraOptions] = None,
    ) -> int:
        """Creates a type, or extends the one of the same name and version.

        Args:
            artifact_type: The type, with the properties that its artifacts may have.
            can_add_fields: Whether it may have properties that the stored type lacks.
            can_omit_fields: Whether it may lack properties of the stored type; they stay.

        Returns:
            The id of the type.

        Raises:
            errors.AlreadyExistsError: The stored type differs in a way that was not allowed.
            errors.InvalidArgumentError: A name is missing, or the kind of a property.
        """
        request = service.PutArtifactTypeRequest(
            artifact_type=artifact_type,
            can_add_fields=can_add_fields,
            can_omit_fields=can_omit_fields,
        )
        return self._call("PutArtifactType", request).type_id

    def put_execution_type(
        self,
        execution_type: proto.ExecutionType,
        can_add_fields: bool = False,
        can_omit_fields: bool = False,
        extra_options: Optional[ExtraOptions] = None,
    ) -> int:
        """Creates or extends an execution type, as `put_artifact_type` does for artifacts."""
        request = service.PutExecutionTypeRequest(
            execution_type=execution_type,
            can_add_fields=can_add_fields,
            can_omit_fields=can_omit_fields,
        )
        return self._call("PutExecutionType", request).type_id

    def put_context_type(
        self,
        context_type: proto.ContextType,
        can_add_fields: bool = False,
        can_omit_fields: bool = False,
        extra_options: Optional[ExtraOptions] = None,
    ) -> int:
        """Creates or extends a context type, as `put_artifact_type` does for artifacts."""
        request = service.PutContextTypeRequest(
            context_type=context_type,
            can_add_fields=can_add_fields,
            can_omit_fields=can_omit_fields,
        )
        return self._call("PutContextType", request).type_id

    def get_artifact_type(
        self,
        type_name: str,
        type_version: Optional[str] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> proto.ArtifactType:
        """The artifact type of a name and version; without version, the one that has none.

        Raises:
            errors.NotFoundError: There is none.
        """
        request = _of_type(service.GetArtifactTypeRequest(), type_name, type_version)
        return self._call("GetArtifactType", request).artifact_type

    def get_execution_type(
        self,
        type_name: str,
        type_version: Optional[str] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> proto.ExecutionType:
        """The execution type of a name and version; see `get_artifact_type`."""
        request = _of_type(service.GetExecutionTypeRequest(), type_name, type_version)
        return self._call("GetExecutionType", request).execution_type

    def get_context_type(
        self,
        type_name: str,
        type_version: Optional[str] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> proto.ContextType:
        """The context type of a name and version; see `get_artifact_type`."""
        request = _of_type(service.GetContextTypeRequest(), type_name, type_version)
        return self._call("GetContextType", request).context_type

    def get_artifact_types(
        self, extra_options: Optional[ExtraOptions] = None
    ) -> list[proto.ArtifactType]:
        """All artifact types, except those that every store has from the start."""
        request = service.GetArtifactTypesRequest()
        return list(self._call("GetArtifactTypes", request).artifact_types)

    def get_execution_types(
        self, extra_options: Optional[ExtraOptions] = None
    ) -> list[proto.ExecutionType]:
        """All execution types, except those that every store has from the start."""
        request = service.GetExecutionTypesRequest()
        return list(self._call("GetExecutionTypes", request).execution_types)

    def get_context_types(
        self, extra_options: Optional[ExtraOptions] = None
    ) -> list[proto.ContextType]:
        """All context types."""
        request = service.GetContextTypesRequest()
        return list(self._call("GetContextTypes", request).context_types)

    def get_artifact_types_by_id(
        self,
        type_ids: Iterable[int],
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.ArtifactType]:
        """The artifact types with these ids, in their order; unknown ids are skipped."""
        request = service.GetArtifactTypesByIDRequest()
        request.type_ids.extend(type_ids)
        return list(self._call("GetArtifactTypesByID", request).artifact_types)

    def get_execution_types_by_id(
        self,
        type_ids: Iterable[int],
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.ExecutionType]:
        """The execution types with these ids, in their order; unknown ids are skipped."""
        request = service.GetExecutionTypesByIDRequest()
        request.type_ids.extend(type_ids)
        return list(self._call("GetExecutionTypesByID", request).execution_types)

    def get_context_types_by_id(
        self,
        type_ids: Iterable[int],
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.ContextType]:
        """The context types with these ids, in their order; unknown ids are skipped."""
        request = service.GetContextTypesByIDRequest()
        request.type_ids.extend(type_ids)
        return list(self._call("GetContextTypesByID", request).context_types)

    def get_artifact_types_by_external_ids(
        self,
        external_ids: Iterable[str],
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.ArtifactType]:
        """The artifact types with these external ids.

        Raises:
            errors.NotFoundError: None of them is known.
            errors.InvalidArgumentError: One of them is empty.
        """
        request = service.GetArtifactTypesByExternalIdsRequest(external_ids=external_ids)
        return list(self._call("GetArtifactTypesByExternalIds", request).artifact_types)

    def get_execution_types_by_external_ids(
        self,
        external_ids: Iterable[str],
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.ExecutionType]:
        """The execution types with these external ids; see `get_artifact_types_by_external_ids`."""
        request = service.GetExecutionTypesByExternalIdsRequest(external_ids=external_ids)
        return list(self._call("GetExecutionTypesByExternalIds", request).execution_types)

    def get_context_types_by_external_ids(
        self,
        external_ids: Iterable[str],
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.ContextType]:
        """The context types with these external ids; see `get_artifact_types_by_external_ids`."""
        request = service.GetContextTypesByExternalIdsRequest(external_ids=external_ids)
        return list(self._call("GetContextTypesByExternalIds", request).context_types)

    # Nodes.

    def put_artifacts(
        self,
        artifacts: Sequence[proto.Artifact],
        field_mask_paths: Optional[Sequence[str]] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[int]:
        """Creates artifacts (without id) and updates artifacts (with id).

        Returns:
            Their ids, in the same order.

        Raises:
            errors.AlreadyExistsError: Another artifact of the type has the name, or another
                artifact the external id.
            errors.InvalidArgumentError: An id is unknown, or a property is not of its type's kind.
            errors.NotFoundError: A type id is unknown.
        """
        request = service.PutArtifactsRequest()
        request.artifacts.extend(artifacts)
        _mask(request, field_mask_paths)
        return list(self._call("PutArtifacts", request).artifact_ids)

    def put_executions(
        self,
        executions: Sequence[proto.Execution],
        field_mask_paths: Optional[Sequence[str]] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[int]:
        """Creates and updates executions, as `put_artifacts` does artifacts."""
        request = service.PutExecutionsRequest()
        request.executions.extend(executions)
        _mask(request, field_mask_paths)
        return list(self._call("PutExecutions", request).execution_ids)

    def put_contexts(
        self,
        contexts: Sequence[proto.Context],
        field_mask_paths: Optional[Sequence[str]] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[int]:
        """Creates and updates contexts, as `put_artifacts` does artifacts; each needs a name."""
        request = service.PutContextsRequest()
        request.contexts.extend(contexts)
        _mask(request, field_mask_paths)
        return list(self._call("PutContexts", request).context_ids)

    def get_artifacts(
        self,
        list_options: Optional[ListOptions] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.Artifact]:
        """Lists artifacts: all of them, or those that the options leave.

        Raises:
            errors.InvalidArgumentError: The limit is negative, or the filter is not valid.
        """
        request = service.GetArtifactsRequest()
        return read_pages(self, "GetArtifacts", "artifacts", request, list_options)

    def get_executions(
        self,
        list_options: Optional[ListOptions] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.Execution]:
        """Lists executions, as `get_artifacts` does artifacts."""
        request = service.GetExecutionsRequest()
        return read_pages(self, "GetExecutions", "executions", request, list_options)

    def get_contexts(
        self,
        list_options: Optional[ListOptions] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.Context]:
        """Lists contexts, as `get_artifacts` does artifacts."""
        request = service.GetContextsRequest()
        return read_pages(self, "GetContexts", "contexts", request, list_options)

    def get_artifacts_by_id(
        self,
        artifact_ids: Iterable[int],
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.Artifact]:
        """The artifacts with these ids, each once, in no promised order; unknown are skipped."""
        request = service.GetArtifactsByIDRequest()
        request.artifact_ids.extend(artifact_ids)
        return list(self._call("GetArtifactsByID", request).artifacts)

    def get_artifacts_and_types_by_artifact_ids(
        self,
        artifact_ids: Iterable[int],
        extra_options: Optional[ExtraOptions] = None,
    ) -> tuple[list[proto.Artifact], list[proto.ArtifactType]]:
        """The artifacts with these ids, and each of their types once."""
        request = service.GetArtifactsByIDRequest(
            artifact_ids=artifact_ids, populate_artifact_types=True
        )
        response = self._call("GetArtifactsByID", request)
        return list(response.artifacts), list(response.artifact_types)

    def get_executions_by_id(
        self,
        execution_ids: Iterable[int],
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.Execution]:
        """The executions with these ids; see `get_artifacts_by_id`."""
        request = service.GetExecutionsByIDRequest()
        request.execution_ids.extend(execution_ids)
        return list(self._call("GetExecutionsByID", request).executions)

    def get_contexts_by_id(
        self,
        context_ids: Iterable[int],
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.Context]:
        """The contexts with these ids; see `get_artifacts_by_id`."""
        request = service.GetContextsByIDRequest()
        request.context_ids.extend(context_ids)
        return list(self._call("GetContextsByID", request).contexts)

    def get_artifacts_by_type(
        self,
        type_name: str,
        type_version: Optional[str] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.Artifact]:
        """All artifacts of a type; none if there is no such type."""
        request = _of_type(service.GetArtifactsByTypeRequest(), type_name, type_version)
        return list(self._call("GetArtifactsByType", request).artifacts)

    def get_executions_by_type(
        self,
        type_name: str,
        type_version: Optional[str] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.Execution]:
        """All executions of a type; none if there is no such type."""
        request = _of_type(service.GetExecutionsByTypeRequest(), type_name, type_version)
        return list(self._call("GetExecutionsByType", request).executions)

    def get_contexts_by_type(
        self,
        type_name: str,
        type_version: Optional[str] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.Context]:
        """All contexts of a type; none if there is no such type."""
        request = _of_type(service.GetContextsByTypeRequest(), type_name, type_version)
        return list(self._call("GetContextsByType", request).contexts)

    def get_artifact_by_type_and_name(
        self,
        type_name: str,
        artifact_name: str,
        type_version: Optional[str] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> Optional[proto.Artifact]:
        """The artifact of a type with a name, or None."""
        request = _of_type(service.GetArtifactByTypeAndNameRequest(), type_name, type_version)
        request.artifact_name = artifact_name
        response = self._call("GetArtifactByTypeAndName", request)
        return response.artifact if response.HasField("artifact") else None

    def get_execution_by_type_and_name(
        self,
        type_name: str,
        execution_name: str,
        type_version: Optional[str] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> Optional[proto.Execution]:
        """The execution of a type with a name, or None."""
        request = _of_type(service.GetExecutionByTypeAndNameRequest(), type_name, type_version)
        request.execution_name = execution_name
        response = self._call("GetExecutionByTypeAndName", request)
        return response.execution if response.HasField("execution") else None

    def get_context_by_type_and_name(
        self,
        type_name: str,
        context_name: str,
        type_version: Optional[str] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> Optional[proto.Context]:
        """The context of a type with a name, or None."""
        request = _of_type(service.GetContextByTypeAndNameRequest(), type_name, type_version)
        request.context_name = context_name
        response = self._call("GetContextByTypeAndName", request)
        return response.context if response.HasField("context") else None

    def get_artifacts_by_uri(
        self, uri: str, extra_options: Optional[ExtraOptions] = None
    ) -> list[proto.Artifact]:
        """All artifacts with exactly this uri."""
        request = service.GetArtifactsByURIRequest()
        request.uris.append(uri)
        return list(self._call("GetArtifactsByURI", request).artifacts)

    def get_artifacts_by_external_ids(
        self,
        external_ids: Iterable[str],
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.Artifact]:
        """The artifacts with these external ids.

        Raises:
            errors.NotFoundError: None of them is known.
            errors.InvalidArgumentError: One of them is empty.
        """
        request = service.GetArtifactsByExternalIdsRequest(external_ids=external_ids)
        return list(self._call("GetArtifactsByExternalIds", request).artifacts)

    def get_executions_by_external_ids(
        self,
        external_ids: Iterable[str],
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.Execution]:
        """The executions with these external ids; see `get_artifacts_by_external_ids`."""
        request = service.GetExecutionsByExternalIdsRequest(external_ids=external_ids)
        return list(self._call("GetExecutionsByExternalIds", request).executions)

    def get_contexts_by_external_ids(
        self,
        external_ids: Iterable[str],
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.Context]:
        """The contexts with these external ids; see `get_artifacts_by_external_ids`."""
        request = service.GetContextsByExternalIdsRequest(external_ids=external_ids)
        return list(self._call("GetContextsByExternalIds", request).contexts)

    # Events and links.

    def put_events(
        self,
        events: Sequence[proto.Event],
        extra_options: Optional[ExtraOptions] = None,
    ) -> None:
        """Records what executions did to artifacts; both are stored already.

        Raises:
            errors.AlreadyExistsError: The pair has an event of the type already.
            errors.InvalidArgumentError: An id is missing or unknown, or the type is.
        """
        request = service.PutEventsRequest()
        request.events.extend(events)
        self._call("PutEvents", request)

    def get_events_by_execution_ids(
        self,
        execution_ids: Iterable[int],
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.Event]:
        """All events of these executions."""
        request = service.GetEventsByExecutionIDsRequest()
        request.execution_ids.extend(execution_ids)
        return list(self._call("GetEventsByExecutionIDs", request).events)

    def get_events_by_artifact_ids(
        self,
        artifact_ids: Iterable[int],
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.Event]:
        """All events of these artifacts."""
        request = service.GetEventsByArtifactIDsRequest()
        request.artifact_ids.extend(artifact_ids)
        return list(self._call("GetEventsByArtifactIDs", request).events)

    def put_attributions_and_associations(
        self,
        attributions: Sequence[proto.Attribution],
        associations: Sequence[proto.Association],
        extra_options: Optional[ExtraOptions] = None,
    ) -> None:
        """Puts artifacts and executions into contexts; where they are already, nothing happens.

        Raises:
            errors.InvalidArgumentError: An id is missing or unknown.
        """
        request = service.PutAttributionsAndAssociationsRequest()
        request.attributions.extend(attributions)
        request.associations.extend(associations)
        self._call("PutAttributionsAndAssociations", request)

    def put_parent_contexts(
        self,
        parent_contexts: Sequence[proto.ParentContext],
        extra_options: Optional[ExtraOptions] = None,
    ) -> None:
        """Makes contexts the parents of other contexts.

        Raises:
            errors.AlreadyExistsError: It is the parent already.
            errors.InvalidArgumentError: An id is missing or unknown, or a context would be its own
                ancestor.
        """
        request = service.PutParentContextsRequest()
        request.parent_contexts.extend(parent_contexts)
        self._call("PutParentContexts", request)

    def get_contexts_by_artifact(
        self, artifact_id: int, extra_options: Optional[ExtraOptions] = None
    ) -> list[proto.Context]:
        """The contexts that an artifact is in.

        Raises:
            errors.NotFoundError: It is in none.
        """
        request = service.GetContextsByArtifactRequest()
        request.artifact_id = artifact_id
        return list(self._call("GetContextsByArtifact", request).contexts)

    def get_contexts_by_execution(
        self, execution_id: int, extra_options: Optional[ExtraOptions] = None
    ) -> list[proto.Context]:
        """The contexts that an execution is in.

        Raises:
            errors.NotFoundError: It is in none.
        """
        request = service.GetContextsByExecutionRequest()
        request.execution_id = execution_id
        return list(self._call("GetContextsByExecution", request).contexts)

    def get_artifacts_by_context(
        self,
        context_id: int,
        list_options: Optional[ListOptions] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.Artifact]:
        """Lists the artifacts in a context; see `get_artifacts`."""
        request = service.GetArtifactsByContextRequest()
        request.context_id = context_id
        return read_pages(self, "GetArtifactsByContext", "artifacts", request, list_options)

    def get_executions_by_context(
        self,
        context_id: int,
        list_options: Optional[ListOptions] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> list[proto.Execution]:
        """Lists the executions in a context, without options the latest first."""
        if list_options is None:
            list_options = ListOptions(order_by=OrderByField.CREATE_TIME, is_asc=False)
        request = service.GetExecutionsByContextRequest()
        request.context_id = context_id
        return read_pages(self, "GetExecutionsByContext", "executions", request, list_options)

    def get_parent_contexts_by_context(
        self, context_id: int, extra_options: Optional[ExtraOptions] = None
    ) -> list[proto.Context]:
        """The parents of a context."""
        request = service.GetParentContextsByContextRequest()
        request.context_id = context_id
        return list(self._call("GetParentContextsByContext", request).contexts)

    def get_children_contexts_by_context(
        self, context_id: int, extra_options: Optional[ExtraOptions] = None
    ) -> list[proto.Context]:
        """The children of a context."""
        request = service.GetChildrenContextsByContextRequest()
        request.context_id = context_id
        return list(self._call("GetChildrenContextsByContext", request).contexts)

    # Steps and lineage.

    def put_execution(
        self,
        execution: proto.Execution,
        artifact_and_events: Sequence[tuple[proto.Artifact, Optional[proto.Event]]],
        contexts: Optional[Sequence[proto.Context]],
        reuse_context_if_already_exist: bool = False,
        reuse_artifact_if_already_exist_by_external_id: bool = False,
        force_reuse_context: bool = False,
        force_update_time: bool = False,
        extra_options: Optional[ExtraOptions] = None,
    ) -> tuple[int, list[int], list[int]]:
        """Puts an execution with its artifacts and events, all of them into the contexts.

        Args:
            execution: Created or updated, like all nodes here.
            artifact_and_events: Artifacts, each with its event or without. An event needs no ids;
                those it has are to be those of its artifact and of the execution.
            contexts: Each is to have a type and a name, even if it has an id.
            reuse_context_if_already_exist: A context without id whose type and name are taken is
                the stored one, unchanged. Otherwise that is an error.
            reuse_artifact_if_already_exist_by_external_id: An artifact whose external id is taken
                updates the stored one. Otherwise that is an error.
            force_reuse_context: A context with an id is the stored one, unchanged.
            force_update_time: The update time of the execution moves even if nothing else does.

        Returns:
            The id of the execution, those of the artifacts and those of the contexts.

        Raises:
            errors.AlreadyExistsError: A name, external id or event is taken.
            errors.InvalidArgumentError: An id is unknown, or two ids do not fit together.
        """
        request = service.PutExecutionRequest(
            execution=execution,
            contexts=contexts,
            options=service.PutExecutionRequest.Options(
                reuse_context_if_already_exist=reuse_context_if_already_exist,
                reuse_artifact_if_already_exist_by_external_id=(
                    reuse_artifact_if_already_exist_by_external_id
                ),
                force_reuse_context=force_reuse_context,
                force_update_time=force_update_time,
            ),
        )
        for pair in artifact_and_events:
            if pair:
                event = pair[1] if len(pair) > 1 else None
                request.artifact_event_pairs.add(artifact=pair[0], event=event)
        response = self._call("PutExecution", request)
        return response.execution_id, list(response.artifact_ids), list(response.context_ids)

    def put_lineage_subgraph(
        self,
        executions: Sequence[proto.Execution],
        artifacts: Sequence[proto.Artifact],
        contexts: Sequence[proto.Context],
        event_edges: Sequence[tuple[Optional[int], Optional[int], proto.Event]],
        reuse_context_if_already_exist: bool = False,
        reuse_artifact_if_already_exist_by_external_id: bool = False,
        extra_options: Optional[ExtraOptions] = None,
    ) -> tuple[list[int], list[int], list[int]]:
        """Puts executions, artifacts and the events between them, all of them into the contexts.

        Args:
            event_edges: For each event the index of its execution in `executions`, that of its
                artifact in `artifacts`, and the event. An index may be None if the event has the
                id.
            reuse_context_if_already_exist: As for `put_execution`.
            reuse_artifact_if_already_exist_by_external_id: As for `put_execution`.

        Returns:
            The ids of the executions, of the artifacts and of the contexts, in the given order.

        Raises:
            errors.AlreadyExistsError: A name, external id or event is taken.
            errors.InvalidArgumentError: An id is unknown, or two ids do not fit together.
            errors.OutOfRangeError: There is no node at an index.
        """
        request = service.PutLineageSubgraphRequest(
            executions=executions,
            artifacts=artifacts,
            contexts=contexts,
            options=service.PutLineageSubgraphRequest.Options(
                reuse_context_if_already_exist=reuse_context_if_already_exist,
                reuse_artifact_if_already_exist_by_external_id=(
                    reuse_artifact_if_already_exist_by_external_id
                ),
            ),
        )
        for execution_index, artifact_index, event in event_edges:
            request.event_edges.add(
                execution_index=execution_index, artifact_index=artifact_index, event=event
            )
        response = self._call("PutLineageSubgraph", request)
        return (
            list(response.execution_ids),
            list(response.artifact_ids),
            list(response.context_ids),
        )

    def get_lineage_subgraph(
        self,
        query_options: metadata_store_pb2.LineageSubgraphQueryOptions,
        field_mask_paths: Optional[Sequence[str]] = None,
        extra_options: Optional[ExtraOptions] = None,
    ) -> metadata_store_pb2.LineageGraph:
        """Traces lineage from some nodes through events.

        Args:
            query_options: Where to start (100 nodes at most), which way, how far, and where to end.
            field_mask_paths: Fields of the graph to fill in, such as `artifacts` or
                `execution_types`; all of them if absent or empty.

        Returns:
            The graph, with whole nodes, and with the types that they have.

        Raises:
            errors.InvalidArgumentError: The query says no start, or less than 0 hops.
            errors.NotFoundError: It starts at no node that is stored.
        """
        fields = [field.name for field in metadata_store_pb2.LineageGraph.DESCRIPTOR.fields]
        wanted = list(field_mask_paths or fields)
        request = service.GetLineageSubgraphRequest(lineage_subgraph_query_options=query_options)
        # The method gives nodes by id only, and all types there are: both are asked for below.
        request.read_mask.paths.extend(path for path in wanted if not path.endswith("_types"))
        graph = self._call("GetLineageSubgraph", request).lineage_subgraph
        for kind in ("artifact", "execution", "context"):
            self._fill_in_nodes(graph, kind, wanted)
        for links in ("events", "associations", "attributions"):
            if links not in wanted:
                graph.ClearField(links)
        return graph

    def _fill_in_nodes(self, graph, kind, wanted):
        """Replaces the ids of one kind of node by the nodes and their types, as far as wanted."""
        nodes_field, types_field = f"{kind}s", f"{kind}_types"
        ids = [node.id for node in getattr(graph, nodes_field)]
        graph.ClearField(nodes_field)
        # There are some if the mask names nothing but types: then the method gives everything.
        graph.ClearField(types_field)
        if not ids or (nodes_field not in wanted and types_field not in wanted):
            return
        if kind == "artifact":
            nodes, types = self.get_artifacts_and_types_by_artifact_ids(ids)
        else:
            nodes, types = getattr(self, f"get_{kind}s_by_id")(ids), []
            if types_field in wanted:
                types = getattr(self, f"get_{kind}_types_by_id")({node.type_id for node in nodes})
        if nodes_field in wanted:
            getattr(graph, nodes_field).extend(nodes)
        if types_field in wanted:
            getattr(graph, types_field).extend(types)


def _of_type(request, type_name, type_version):
    """`request` with a type in it; an empty version is none."""
    request.type_name = type_name
    if type_version:
        request.type_version = type_version
    return request


def _mask(request, field_mask_paths):
    if field_mask_paths:
        request.update_mask.paths.extend(field_mask_paths)


def downgrade_schema(config: proto.ConnectionConfig, downgrade_to_schema_version: int) -> None:
    """Takes a database back to an older schema version, for an older library to open.

    What the older version has no place for is lost: see Headwater's `headwater migrate`.

    Args:
        config: Where the database is. No store on it may be open.
        downgrade_to_schema_version: 0 for release 0.13.2 and so on, up to the present version.

    Raises:
        errors.InvalidArgumentError: There is no such version, or none that is older.
        RuntimeError: The database cannot be opened or downgraded; it is as it was.
    """
    if downgrade_to_schema_version < 0:
        raise errors.InvalidArgumentError(
            f"`downgrade_to_schema_version` is `{downgrade_to_schema_version}`, less than 0"
        )
    require_database(config)
    try:
        _native.downgrade(config.SerializeToString(), downgrade_to_schema_version)
    except errors.InvalidArgumentError:
        raise
    except errors.StatusError as error:
        raise RuntimeError(error.message) from error
