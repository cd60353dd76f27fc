"""A method for each call of a store. Written by ``generate.py`` from ``proto/``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional, Protocol, Union, cast

from google.protobuf import field_mask_pb2

from headwater.v1 import headwater_pb2
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2

# The methods of Headwater's own service, and those that answer with many messages.
OWN = (
    "ListArtifacts",
    "ListExecutions",
    "ListContexts",
    "TraceLineage",
    "LogMetrics",
    "GetMetrics",
    "RegisterVersion",
    "PutContents",
    "GetContent",
    "ListContents",
    "BeginStep",
    "FinishStep",
    "ExplainStep",
    "ForgetSteps",
)
STREAMS = ("TraceLineage",)


class Transport(Protocol):
    """Where calls go: a store in this process, or a server."""

    def call(self, method: str, request: bytes) -> bytes:
        """Answers an encoded request; an exception of ``headwater.errors`` if it fails."""

    def close(self) -> None:
        """Lets go of files and connections."""


def _texts(name: str, values: Optional[Iterable[str]]) -> Optional[Iterable[str]]:
    """Refuses a text where a list of texts is wanted: it would be a list of its characters."""
    if isinstance(values, str):
        raise TypeError(f"{name} is a list of strings: give [{values!r}]")
    return values


class Methods:
    """Every call. Arguments are the fields of the request; a message may be given as a mapping."""

    _transport: Transport

    def put_artifact_type(
        self,
        *,
        artifact_type: Optional[Union[metadata_store_pb2.ArtifactType, Mapping[str, Any]]] = None,
        can_add_fields: Optional[bool] = None,
        can_omit_fields: Optional[bool] = None,
        can_delete_fields: Optional[bool] = None,
        all_fields_match: Optional[bool] = None,
    ) -> metadata_store_service_pb2.PutArtifactTypeResponse:
        """Creates a type, or extends the stored one of the same name and version.
        INVALID_ARGUMENT: no name, a property that is UNKNOWN, a base_type that leads back to the
        type. ALREADY_EXISTS: a property changes its kind, is added or left out without leave, or
        the external_id is taken. UNIMPLEMENTED: all_fields_match is false, base_type is UNSET or
        changes.
        """
        request = metadata_store_service_pb2.PutArtifactTypeRequest(
            artifact_type=artifact_type,
            can_add_fields=cast(bool, can_add_fields),
            can_omit_fields=cast(bool, can_omit_fields),
            can_delete_fields=cast(bool, can_delete_fields),
            all_fields_match=cast(bool, all_fields_match),
        )
        answer = self._transport.call("PutArtifactType", request.SerializeToString())
        return metadata_store_service_pb2.PutArtifactTypeResponse.FromString(answer)

    def put_execution_type(
        self,
        *,
        execution_type: Optional[Union[metadata_store_pb2.ExecutionType, Mapping[str, Any]]] = None,
        can_add_fields: Optional[bool] = None,
        can_omit_fields: Optional[bool] = None,
        can_delete_fields: Optional[bool] = None,
        all_fields_match: Optional[bool] = None,
    ) -> metadata_store_service_pb2.PutExecutionTypeResponse:
        """Like PutArtifactType, for an execution type."""
        request = metadata_store_service_pb2.PutExecutionTypeRequest(
            execution_type=execution_type,
            can_add_fields=cast(bool, can_add_fields),
            can_omit_fields=cast(bool, can_omit_fields),
            can_delete_fields=cast(bool, can_delete_fields),
            all_fields_match=cast(bool, all_fields_match),
        )
        answer = self._transport.call("PutExecutionType", request.SerializeToString())
        return metadata_store_service_pb2.PutExecutionTypeResponse.FromString(answer)

    def put_context_type(
        self,
        *,
        context_type: Optional[Union[metadata_store_pb2.ContextType, Mapping[str, Any]]] = None,
        can_add_fields: Optional[bool] = None,
        can_omit_fields: Optional[bool] = None,
        can_delete_fields: Optional[bool] = None,
        all_fields_match: Optional[bool] = None,
    ) -> metadata_store_service_pb2.PutContextTypeResponse:
        """Like PutArtifactType, for a context type."""
        request = metadata_store_service_pb2.PutContextTypeRequest(
            context_type=context_type,
            can_add_fields=cast(bool, can_add_fields),
            can_omit_fields=cast(bool, can_omit_fields),
            can_delete_fields=cast(bool, can_delete_fields),
            all_fields_match=cast(bool, all_fields_match),
        )
        answer = self._transport.call("PutContextType", request.SerializeToString())
        return metadata_store_service_pb2.PutContextTypeResponse.FromString(answer)

    def put_types(
        self,
        *,
        artifact_types: Optional[
            Iterable[Union[metadata_store_pb2.ArtifactType, Mapping[str, Any]]]
        ] = None,
        execution_types: Optional[
            Iterable[Union[metadata_store_pb2.ExecutionType, Mapping[str, Any]]]
        ] = None,
        context_types: Optional[
            Iterable[Union[metadata_store_pb2.ContextType, Mapping[str, Any]]]
        ] = None,
        can_add_fields: Optional[bool] = None,
        can_omit_fields: Optional[bool] = None,
        can_delete_fields: Optional[bool] = None,
        all_fields_match: Optional[bool] = None,
    ) -> metadata_store_service_pb2.PutTypesResponse:
        """Like PutArtifactType, for many types of all kinds at once."""
        request = metadata_store_service_pb2.PutTypesRequest(
            artifact_types=artifact_types,
            execution_types=execution_types,
            context_types=context_types,
            can_add_fields=cast(bool, can_add_fields),
            can_omit_fields=cast(bool, can_omit_fields),
            can_delete_fields=cast(bool, can_delete_fields),
            all_fields_match=cast(bool, all_fields_match),
        )
        answer = self._transport.call("PutTypes", request.SerializeToString())
        return metadata_store_service_pb2.PutTypesResponse.FromString(answer)

    def put_artifacts(
        self,
        *,
        artifacts: Optional[Iterable[Union[metadata_store_pb2.Artifact, Mapping[str, Any]]]] = None,
        options: Optional[
            Union[metadata_store_service_pb2.PutArtifactsRequest.Options, Mapping[str, Any]]
        ] = None,
        update_mask: Optional[Union[field_mask_pb2.FieldMask, Mapping[str, Any]]] = None,
    ) -> metadata_store_service_pb2.PutArtifactsResponse:
        """Creates and updates artifacts. INVALID_ARGUMENT: unknown id, missing or changed
        type_id, bad properties. NOT_FOUND: no such type. ALREADY_EXISTS: a new artifact has a
        name or external_id that is taken. FAILED_PRECONDITION:
        abort_if_latest_updated_time_changed is set and the time differs.
        """
        request = metadata_store_service_pb2.PutArtifactsRequest(
            artifacts=artifacts, options=options, update_mask=update_mask
        )
        answer = self._transport.call("PutArtifacts", request.SerializeToString())
        return metadata_store_service_pb2.PutArtifactsResponse.FromString(answer)

    def put_executions(
        self,
        *,
        executions: Optional[
            Iterable[Union[metadata_store_pb2.Execution, Mapping[str, Any]]]
        ] = None,
        update_mask: Optional[Union[field_mask_pb2.FieldMask, Mapping[str, Any]]] = None,
    ) -> metadata_store_service_pb2.PutExecutionsResponse:
        """Creates and updates executions. Codes as for PutArtifacts, except that
        FAILED_PRECONDITION does not arise.
        """
        request = metadata_store_service_pb2.PutExecutionsRequest(
            executions=executions, update_mask=update_mask
        )
        answer = self._transport.call("PutExecutions", request.SerializeToString())
        return metadata_store_service_pb2.PutExecutionsResponse.FromString(answer)

    def put_events(
        self,
        *,
        events: Optional[Iterable[Union[metadata_store_pb2.Event, Mapping[str, Any]]]] = None,
    ) -> metadata_store_service_pb2.PutEventsResponse:
        """Records events. INVALID_ARGUMENT: an id or the type is missing, or an id does not
        exist. ALREADY_EXISTS: there is an event of this artifact, execution and type.
        """
        request = metadata_store_service_pb2.PutEventsRequest(events=events)
        answer = self._transport.call("PutEvents", request.SerializeToString())
        return metadata_store_service_pb2.PutEventsResponse.FromString(answer)

    def put_execution(
        self,
        *,
        execution: Optional[Union[metadata_store_pb2.Execution, Mapping[str, Any]]] = None,
        artifact_event_pairs: Optional[
            Iterable[
                Union[
                    metadata_store_service_pb2.PutExecutionRequest.ArtifactAndEvent,
                    Mapping[str, Any],
                ]
            ]
        ] = None,
        contexts: Optional[Iterable[Union[metadata_store_pb2.Context, Mapping[str, Any]]]] = None,
        options: Optional[
            Union[metadata_store_service_pb2.PutExecutionRequest.Options, Mapping[str, Any]]
        ] = None,
    ) -> metadata_store_service_pb2.PutExecutionResponse:
        """Puts an execution with its artifacts, events and contexts, and joins them.
        INVALID_ARGUMENT: no execution, events that do not fit, and what PutArtifacts refuses.
        NOT_FOUND: unknown type, or context under force_reuse_context. ALREADY_EXISTS: node or
        event is there already. ABORTED: a context to reuse could not be created (see Options).
        """
        request = metadata_store_service_pb2.PutExecutionRequest(
            execution=execution,
            artifact_event_pairs=artifact_event_pairs,
            contexts=contexts,
            options=options,
        )
        answer = self._transport.call("PutExecution", request.SerializeToString())
        return metadata_store_service_pb2.PutExecutionResponse.FromString(answer)

    def put_lineage_subgraph(
        self,
        *,
        executions: Optional[
            Iterable[Union[metadata_store_pb2.Execution, Mapping[str, Any]]]
        ] = None,
        artifacts: Optional[Iterable[Union[metadata_store_pb2.Artifact, Mapping[str, Any]]]] = None,
        contexts: Optional[Iterable[Union[metadata_store_pb2.Context, Mapping[str, Any]]]] = None,
        event_edges: Optional[
            Iterable[
                Union[
                    metadata_store_service_pb2.PutLineageSubgraphRequest.EventEdge,
                    Mapping[str, Any],
                ]
            ]
        ] = None,
        options: Optional[
            Union[metadata_store_service_pb2.PutLineageSubgraphRequest.Options, Mapping[str, Any]]
        ] = None,
    ) -> metadata_store_service_pb2.PutLineageSubgraphResponse:
        """Puts many executions, artifacts, contexts and the events between them. OUT_OF_RANGE:
        an index is beyond its list. INVALID_ARGUMENT: an edge lacks an end, an event or its
        type, ids do not fit, or a node has no type_id. NOT_FOUND, ALREADY_EXISTS, ABORTED: as
        for PutExecution.
        """
        request = metadata_store_service_pb2.PutLineageSubgraphRequest(
            executions=executions,
            artifacts=artifacts,
            contexts=contexts,
            event_edges=event_edges,
            options=options,
        )
        answer = self._transport.call("PutLineageSubgraph", request.SerializeToString())
        return metadata_store_service_pb2.PutLineageSubgraphResponse.FromString(answer)

    def put_contexts(
        self,
        *,
        contexts: Optional[Iterable[Union[metadata_store_pb2.Context, Mapping[str, Any]]]] = None,
        update_mask: Optional[Union[field_mask_pb2.FieldMask, Mapping[str, Any]]] = None,
    ) -> metadata_store_service_pb2.PutContextsResponse:
        """Creates and updates contexts. Codes as for PutExecutions; a missing or empty name is
        INVALID_ARGUMENT too.
        """
        request = metadata_store_service_pb2.PutContextsRequest(
            contexts=contexts, update_mask=update_mask
        )
        answer = self._transport.call("PutContexts", request.SerializeToString())
        return metadata_store_service_pb2.PutContextsResponse.FromString(answer)

    def put_attributions_and_associations(
        self,
        *,
        attributions: Optional[
            Iterable[Union[metadata_store_pb2.Attribution, Mapping[str, Any]]]
        ] = None,
        associations: Optional[
            Iterable[Union[metadata_store_pb2.Association, Mapping[str, Any]]]
        ] = None,
    ) -> metadata_store_service_pb2.PutAttributionsAndAssociationsResponse:
        """Puts artifacts and executions into contexts. Links that exist already are OK.
        INVALID_ARGUMENT: an id is missing or does not exist.
        """
        request = metadata_store_service_pb2.PutAttributionsAndAssociationsRequest(
            attributions=attributions, associations=associations
        )
        answer = self._transport.call("PutAttributionsAndAssociations", request.SerializeToString())
        return metadata_store_service_pb2.PutAttributionsAndAssociationsResponse.FromString(answer)

    def put_parent_contexts(
        self,
        *,
        parent_contexts: Optional[
            Iterable[Union[metadata_store_pb2.ParentContext, Mapping[str, Any]]]
        ] = None,
    ) -> metadata_store_service_pb2.PutParentContextsResponse:
        """Puts contexts below others. INVALID_ARGUMENT: an id is missing or does not exist, a
        context is its own parent, or a cycle would arise. ALREADY_EXISTS: a link is there
        already.
        """
        request = metadata_store_service_pb2.PutParentContextsRequest(
            parent_contexts=parent_contexts
        )
        answer = self._transport.call("PutParentContexts", request.SerializeToString())
        return metadata_store_service_pb2.PutParentContextsResponse.FromString(answer)

    def get_artifact_type(
        self, *, type_name: Optional[str] = None, type_version: Optional[str] = None
    ) -> metadata_store_service_pb2.GetArtifactTypeResponse:
        """Reads a type by name and version, built-in ones too. NOT_FOUND: there is none."""
        request = metadata_store_service_pb2.GetArtifactTypeRequest(
            type_name=type_name, type_version=type_version
        )
        answer = self._transport.call("GetArtifactType", request.SerializeToString())
        return metadata_store_service_pb2.GetArtifactTypeResponse.FromString(answer)

    def get_artifact_types_by_id(
        self, *, type_ids: Optional[Iterable[int]] = None
    ) -> metadata_store_service_pb2.GetArtifactTypesByIDResponse:
        """Reads types by id, built-in ones too. Unknown ids are skipped; nothing found is OK."""
        request = metadata_store_service_pb2.GetArtifactTypesByIDRequest(type_ids=type_ids)
        answer = self._transport.call("GetArtifactTypesByID", request.SerializeToString())
        return metadata_store_service_pb2.GetArtifactTypesByIDResponse.FromString(answer)

    def get_artifact_types(self) -> metadata_store_service_pb2.GetArtifactTypesResponse:
        """Reads all types but the built-in ones. None is OK."""
        request = metadata_store_service_pb2.GetArtifactTypesRequest()
        answer = self._transport.call("GetArtifactTypes", request.SerializeToString())
        return metadata_store_service_pb2.GetArtifactTypesResponse.FromString(answer)

    def get_execution_type(
        self, *, type_name: Optional[str] = None, type_version: Optional[str] = None
    ) -> metadata_store_service_pb2.GetExecutionTypeResponse:
        """Reads a type by name and version, built-in ones too. NOT_FOUND: there is none."""
        request = metadata_store_service_pb2.GetExecutionTypeRequest(
            type_name=type_name, type_version=type_version
        )
        answer = self._transport.call("GetExecutionType", request.SerializeToString())
        return metadata_store_service_pb2.GetExecutionTypeResponse.FromString(answer)

    def get_execution_types_by_id(
        self, *, type_ids: Optional[Iterable[int]] = None
    ) -> metadata_store_service_pb2.GetExecutionTypesByIDResponse:
        """Reads types by id, built-in ones too. Unknown ids are skipped; nothing found is OK."""
        request = metadata_store_service_pb2.GetExecutionTypesByIDRequest(type_ids=type_ids)
        answer = self._transport.call("GetExecutionTypesByID", request.SerializeToString())
        return metadata_store_service_pb2.GetExecutionTypesByIDResponse.FromString(answer)

    def get_execution_types(self) -> metadata_store_service_pb2.GetExecutionTypesResponse:
        """Reads all types but the built-in ones. None is OK."""
        request = metadata_store_service_pb2.GetExecutionTypesRequest()
        answer = self._transport.call("GetExecutionTypes", request.SerializeToString())
        return metadata_store_service_pb2.GetExecutionTypesResponse.FromString(answer)

    def get_context_type(
        self, *, type_name: Optional[str] = None, type_version: Optional[str] = None
    ) -> metadata_store_service_pb2.GetContextTypeResponse:
        """Reads a type by name and version. NOT_FOUND: there is none."""
        request = metadata_store_service_pb2.GetContextTypeRequest(
            type_name=type_name, type_version=type_version
        )
        answer = self._transport.call("GetContextType", request.SerializeToString())
        return metadata_store_service_pb2.GetContextTypeResponse.FromString(answer)

    def get_context_types_by_id(
        self, *, type_ids: Optional[Iterable[int]] = None
    ) -> metadata_store_service_pb2.GetContextTypesByIDResponse:
        """Reads types by id. Unknown ids are skipped; nothing found is OK."""
        request = metadata_store_service_pb2.GetContextTypesByIDRequest(type_ids=type_ids)
        answer = self._transport.call("GetContextTypesByID", request.SerializeToString())
        return metadata_store_service_pb2.GetContextTypesByIDResponse.FromString(answer)

    def get_context_types(self) -> metadata_store_service_pb2.GetContextTypesResponse:
        """Reads all types. None is OK."""
        request = metadata_store_service_pb2.GetContextTypesRequest()
        answer = self._transport.call("GetContextTypes", request.SerializeToString())
        return metadata_store_service_pb2.GetContextTypesResponse.FromString(answer)

    def get_artifacts(
        self,
        *,
        options: Optional[Union[metadata_store_pb2.ListOperationOptions, Mapping[str, Any]]] = None,
    ) -> metadata_store_service_pb2.GetArtifactsResponse:
        """Lists artifacts. None is OK. INVALID_ARGUMENT: options that are not valid."""
        request = metadata_store_service_pb2.GetArtifactsRequest(options=options)
        answer = self._transport.call("GetArtifacts", request.SerializeToString())
        return metadata_store_service_pb2.GetArtifactsResponse.FromString(answer)

    def get_executions(
        self,
        *,
        options: Optional[Union[metadata_store_pb2.ListOperationOptions, Mapping[str, Any]]] = None,
    ) -> metadata_store_service_pb2.GetExecutionsResponse:
        """Lists executions. None is OK. INVALID_ARGUMENT: options that are not valid."""
        request = metadata_store_service_pb2.GetExecutionsRequest(options=options)
        answer = self._transport.call("GetExecutions", request.SerializeToString())
        return metadata_store_service_pb2.GetExecutionsResponse.FromString(answer)

    def get_contexts(
        self,
        *,
        options: Optional[Union[metadata_store_pb2.ListOperationOptions, Mapping[str, Any]]] = None,
    ) -> metadata_store_service_pb2.GetContextsResponse:
        """Lists contexts. None is OK. INVALID_ARGUMENT: options that are not valid."""
        request = metadata_store_service_pb2.GetContextsRequest(options=options)
        answer = self._transport.call("GetContexts", request.SerializeToString())
        return metadata_store_service_pb2.GetContextsResponse.FromString(answer)

    def get_artifacts_by_id(
        self,
        *,
        artifact_ids: Optional[Iterable[int]] = None,
        populate_artifact_types: Optional[bool] = None,
    ) -> metadata_store_service_pb2.GetArtifactsByIDResponse:
        """Reads artifacts by id. Unknown ids are skipped; nothing found is OK."""
        request = metadata_store_service_pb2.GetArtifactsByIDRequest(
            artifact_ids=artifact_ids, populate_artifact_types=cast(bool, populate_artifact_types)
        )
        answer = self._transport.call("GetArtifactsByID", request.SerializeToString())
        return metadata_store_service_pb2.GetArtifactsByIDResponse.FromString(answer)

    def get_executions_by_id(
        self, *, execution_ids: Optional[Iterable[int]] = None
    ) -> metadata_store_service_pb2.GetExecutionsByIDResponse:
        """Reads executions by id. Unknown ids are skipped; nothing found is OK."""
        request = metadata_store_service_pb2.GetExecutionsByIDRequest(execution_ids=execution_ids)
        answer = self._transport.call("GetExecutionsByID", request.SerializeToString())
        return metadata_store_service_pb2.GetExecutionsByIDResponse.FromString(answer)

    def get_contexts_by_id(
        self, *, context_ids: Optional[Iterable[int]] = None
    ) -> metadata_store_service_pb2.GetContextsByIDResponse:
        """Reads contexts by id. Unknown ids are skipped; nothing found is OK."""
        request = metadata_store_service_pb2.GetContextsByIDRequest(context_ids=context_ids)
        answer = self._transport.call("GetContextsByID", request.SerializeToString())
        return metadata_store_service_pb2.GetContextsByIDResponse.FromString(answer)

    def get_artifacts_by_type(
        self,
        *,
        type_name: Optional[str] = None,
        type_version: Optional[str] = None,
        options: Optional[Union[metadata_store_pb2.ListOperationOptions, Mapping[str, Any]]] = None,
    ) -> metadata_store_service_pb2.GetArtifactsByTypeResponse:
        """Lists the artifacts of a type. None is OK, and so is an unknown type.
        INVALID_ARGUMENT: options that are not valid.
        """
        request = metadata_store_service_pb2.GetArtifactsByTypeRequest(
            type_name=type_name, type_version=type_version, options=options
        )
        answer = self._transport.call("GetArtifactsByType", request.SerializeToString())
        return metadata_store_service_pb2.GetArtifactsByTypeResponse.FromString(answer)

    def get_executions_by_type(
        self,
        *,
        type_name: Optional[str] = None,
        type_version: Optional[str] = None,
        options: Optional[Union[metadata_store_pb2.ListOperationOptions, Mapping[str, Any]]] = None,
    ) -> metadata_store_service_pb2.GetExecutionsByTypeResponse:
        """Lists the executions of a type. None is OK, and so is an unknown type.
        INVALID_ARGUMENT: options that are not valid.
        """
        request = metadata_store_service_pb2.GetExecutionsByTypeRequest(
            type_name=type_name, type_version=type_version, options=options
        )
        answer = self._transport.call("GetExecutionsByType", request.SerializeToString())
        return metadata_store_service_pb2.GetExecutionsByTypeResponse.FromString(answer)

    def get_contexts_by_type(
        self,
        *,
        type_name: Optional[str] = None,
        options: Optional[Union[metadata_store_pb2.ListOperationOptions, Mapping[str, Any]]] = None,
        type_version: Optional[str] = None,
    ) -> metadata_store_service_pb2.GetContextsByTypeResponse:
        """Lists the contexts of a type. None is OK, and so is an unknown type. INVALID_ARGUMENT:
        options that are not valid.
        """
        request = metadata_store_service_pb2.GetContextsByTypeRequest(
            type_name=type_name, options=options, type_version=type_version
        )
        answer = self._transport.call("GetContextsByType", request.SerializeToString())
        return metadata_store_service_pb2.GetContextsByTypeResponse.FromString(answer)

    def get_artifact_by_type_and_name(
        self,
        *,
        type_name: Optional[str] = None,
        type_version: Optional[str] = None,
        artifact_name: Optional[str] = None,
    ) -> metadata_store_service_pb2.GetArtifactByTypeAndNameResponse:
        """Reads the artifact of a type and name. Nothing found is OK, also if the type does not
        exist.
        """
        request = metadata_store_service_pb2.GetArtifactByTypeAndNameRequest(
            type_name=type_name, type_version=type_version, artifact_name=artifact_name
        )
        answer = self._transport.call("GetArtifactByTypeAndName", request.SerializeToString())
        return metadata_store_service_pb2.GetArtifactByTypeAndNameResponse.FromString(answer)

    def get_execution_by_type_and_name(
        self,
        *,
        type_name: Optional[str] = None,
        type_version: Optional[str] = None,
        execution_name: Optional[str] = None,
    ) -> metadata_store_service_pb2.GetExecutionByTypeAndNameResponse:
        """Reads the execution of a type and name. Nothing found is OK, also if the type does not
        exist.
        """
        request = metadata_store_service_pb2.GetExecutionByTypeAndNameRequest(
            type_name=type_name, type_version=type_version, execution_name=execution_name
        )
        answer = self._transport.call("GetExecutionByTypeAndName", request.SerializeToString())
        return metadata_store_service_pb2.GetExecutionByTypeAndNameResponse.FromString(answer)

    def get_context_by_type_and_name(
        self,
        *,
        type_name: Optional[str] = None,
        type_version: Optional[str] = None,
        context_name: Optional[str] = None,
    ) -> metadata_store_service_pb2.GetContextByTypeAndNameResponse:
        """Reads the context of a type and name. Nothing found is OK, also if the type does not
        exist.
        """
        request = metadata_store_service_pb2.GetContextByTypeAndNameRequest(
            type_name=type_name, type_version=type_version, context_name=context_name
        )
        answer = self._transport.call("GetContextByTypeAndName", request.SerializeToString())
        return metadata_store_service_pb2.GetContextByTypeAndNameResponse.FromString(answer)

    def get_artifacts_by_uri(
        self, *, uris: Optional[Iterable[str]] = None
    ) -> metadata_store_service_pb2.GetArtifactsByURIResponse:
        """Reads the artifacts that have one of the URIs. None is OK. INVALID_ARGUMENT: the field
        of old clients.
        """
        request = metadata_store_service_pb2.GetArtifactsByURIRequest(uris=_texts("uris", uris))
        answer = self._transport.call("GetArtifactsByURI", request.SerializeToString())
        return metadata_store_service_pb2.GetArtifactsByURIResponse.FromString(answer)

    def get_events_by_execution_ids(
        self, *, execution_ids: Optional[Iterable[int]] = None
    ) -> metadata_store_service_pb2.GetEventsByExecutionIDsResponse:
        """Reads all events of the executions. None is OK; unknown ids are skipped."""
        request = metadata_store_service_pb2.GetEventsByExecutionIDsRequest(
            execution_ids=execution_ids
        )
        answer = self._transport.call("GetEventsByExecutionIDs", request.SerializeToString())
        return metadata_store_service_pb2.GetEventsByExecutionIDsResponse.FromString(answer)

    def get_events_by_artifact_ids(
        self, *, artifact_ids: Optional[Iterable[int]] = None
    ) -> metadata_store_service_pb2.GetEventsByArtifactIDsResponse:
        """Reads all events of the artifacts. None is OK; unknown ids are skipped."""
        request = metadata_store_service_pb2.GetEventsByArtifactIDsRequest(
            artifact_ids=artifact_ids
        )
        answer = self._transport.call("GetEventsByArtifactIDs", request.SerializeToString())
        return metadata_store_service_pb2.GetEventsByArtifactIDsResponse.FromString(answer)

    def get_artifacts_by_external_ids(
        self, *, external_ids: Optional[Iterable[str]] = None
    ) -> metadata_store_service_pb2.GetArtifactsByExternalIdsResponse:
        """Reads artifacts by external id. Unknown ones are skipped, but if none is found:
        NOT_FOUND. An empty request is OK. INVALID_ARGUMENT: one of them is "".
        """
        request = metadata_store_service_pb2.GetArtifactsByExternalIdsRequest(
            external_ids=_texts("external_ids", external_ids)
        )
        answer = self._transport.call("GetArtifactsByExternalIds", request.SerializeToString())
        return metadata_store_service_pb2.GetArtifactsByExternalIdsResponse.FromString(answer)

    def get_executions_by_external_ids(
        self, *, external_ids: Optional[Iterable[str]] = None
    ) -> metadata_store_service_pb2.GetExecutionsByExternalIdsResponse:
        """Reads executions by external id. Unknown ones are skipped, but if none is found:
        NOT_FOUND. An empty request is OK. INVALID_ARGUMENT: one of them is "".
        """
        request = metadata_store_service_pb2.GetExecutionsByExternalIdsRequest(
            external_ids=_texts("external_ids", external_ids)
        )
        answer = self._transport.call("GetExecutionsByExternalIds", request.SerializeToString())
        return metadata_store_service_pb2.GetExecutionsByExternalIdsResponse.FromString(answer)

    def get_contexts_by_external_ids(
        self, *, external_ids: Optional[Iterable[str]] = None
    ) -> metadata_store_service_pb2.GetContextsByExternalIdsResponse:
        """Reads contexts by external id. Unknown ones are skipped, but if none is found:
        NOT_FOUND. An empty request is OK. INVALID_ARGUMENT: one of them is "".
        """
        request = metadata_store_service_pb2.GetContextsByExternalIdsRequest(
            external_ids=_texts("external_ids", external_ids)
        )
        answer = self._transport.call("GetContextsByExternalIds", request.SerializeToString())
        return metadata_store_service_pb2.GetContextsByExternalIdsResponse.FromString(answer)

    def get_artifact_types_by_external_ids(
        self, *, external_ids: Optional[Iterable[str]] = None
    ) -> metadata_store_service_pb2.GetArtifactTypesByExternalIdsResponse:
        """Reads artifact types by external id. Codes as for GetArtifactsByExternalIds."""
        request = metadata_store_service_pb2.GetArtifactTypesByExternalIdsRequest(
            external_ids=_texts("external_ids", external_ids)
        )
        answer = self._transport.call("GetArtifactTypesByExternalIds", request.SerializeToString())
        return metadata_store_service_pb2.GetArtifactTypesByExternalIdsResponse.FromString(answer)

    def get_execution_types_by_external_ids(
        self, *, external_ids: Optional[Iterable[str]] = None
    ) -> metadata_store_service_pb2.GetExecutionTypesByExternalIdsResponse:
        """Reads execution types by external id. Codes as for GetExecutionsByExternalIds."""
        request = metadata_store_service_pb2.GetExecutionTypesByExternalIdsRequest(
            external_ids=_texts("external_ids", external_ids)
        )
        answer = self._transport.call("GetExecutionTypesByExternalIds", request.SerializeToString())
        return metadata_store_service_pb2.GetExecutionTypesByExternalIdsResponse.FromString(answer)

    def get_context_types_by_external_ids(
        self, *, external_ids: Optional[Iterable[str]] = None
    ) -> metadata_store_service_pb2.GetContextTypesByExternalIdsResponse:
        """Reads context types by external id. Codes as for GetContextsByExternalIds."""
        request = metadata_store_service_pb2.GetContextTypesByExternalIdsRequest(
            external_ids=_texts("external_ids", external_ids)
        )
        answer = self._transport.call("GetContextTypesByExternalIds", request.SerializeToString())
        return metadata_store_service_pb2.GetContextTypesByExternalIdsResponse.FromString(answer)

    def get_contexts_by_artifact(
        self, *, artifact_id: Optional[int] = None
    ) -> metadata_store_service_pb2.GetContextsByArtifactResponse:
        """Reads the contexts that the artifact is in. NOT_FOUND: it is in none, or does not
        exist.
        """
        request = metadata_store_service_pb2.GetContextsByArtifactRequest(artifact_id=artifact_id)
        answer = self._transport.call("GetContextsByArtifact", request.SerializeToString())
        return metadata_store_service_pb2.GetContextsByArtifactResponse.FromString(answer)

    def get_contexts_by_execution(
        self, *, execution_id: Optional[int] = None
    ) -> metadata_store_service_pb2.GetContextsByExecutionResponse:
        """Reads the contexts that the execution is in. NOT_FOUND: it is in none, or does not
        exist.
        """
        request = metadata_store_service_pb2.GetContextsByExecutionRequest(
            execution_id=execution_id
        )
        answer = self._transport.call("GetContextsByExecution", request.SerializeToString())
        return metadata_store_service_pb2.GetContextsByExecutionResponse.FromString(answer)

    def get_parent_contexts_by_context(
        self, *, context_id: Optional[int] = None
    ) -> metadata_store_service_pb2.GetParentContextsByContextResponse:
        """Reads the direct parents of a context. None is OK, and so is an unknown context."""
        request = metadata_store_service_pb2.GetParentContextsByContextRequest(
            context_id=context_id
        )
        answer = self._transport.call("GetParentContextsByContext", request.SerializeToString())
        return metadata_store_service_pb2.GetParentContextsByContextResponse.FromString(answer)

    def get_children_contexts_by_context(
        self, *, context_id: Optional[int] = None
    ) -> metadata_store_service_pb2.GetChildrenContextsByContextResponse:
        """Reads the direct children of a context. None is OK, and so is an unknown context."""
        request = metadata_store_service_pb2.GetChildrenContextsByContextRequest(
            context_id=context_id
        )
        answer = self._transport.call("GetChildrenContextsByContext", request.SerializeToString())
        return metadata_store_service_pb2.GetChildrenContextsByContextResponse.FromString(answer)

    def get_parent_contexts_by_contexts(
        self, *, context_ids: Optional[Iterable[int]] = None
    ) -> metadata_store_service_pb2.GetParentContextsByContextsResponse:
        """Reads the direct parents of many contexts. None is OK. INVALID_ARGUMENT: no context is
        given.
        """
        request = metadata_store_service_pb2.GetParentContextsByContextsRequest(
            context_ids=context_ids
        )
        answer = self._transport.call("GetParentContextsByContexts", request.SerializeToString())
        return metadata_store_service_pb2.GetParentContextsByContextsResponse.FromString(answer)

    def get_children_contexts_by_contexts(
        self, *, context_ids: Optional[Iterable[int]] = None
    ) -> metadata_store_service_pb2.GetChildrenContextsByContextsResponse:
        """Reads the direct children of many contexts. None is OK. INVALID_ARGUMENT: no context
        is given.
        """
        request = metadata_store_service_pb2.GetChildrenContextsByContextsRequest(
            context_ids=context_ids
        )
        answer = self._transport.call("GetChildrenContextsByContexts", request.SerializeToString())
        return metadata_store_service_pb2.GetChildrenContextsByContextsResponse.FromString(answer)

    def get_artifacts_by_context(
        self,
        *,
        context_id: Optional[int] = None,
        options: Optional[Union[metadata_store_pb2.ListOperationOptions, Mapping[str, Any]]] = None,
    ) -> metadata_store_service_pb2.GetArtifactsByContextResponse:
        """Lists the artifacts in a context. None is OK, and so is an unknown context.
        INVALID_ARGUMENT: options that are not valid.
        """
        request = metadata_store_service_pb2.GetArtifactsByContextRequest(
            context_id=context_id, options=options
        )
        answer = self._transport.call("GetArtifactsByContext", request.SerializeToString())
        return metadata_store_service_pb2.GetArtifactsByContextResponse.FromString(answer)

    def get_executions_by_context(
        self,
        *,
        context_id: Optional[int] = None,
        options: Optional[Union[metadata_store_pb2.ListOperationOptions, Mapping[str, Any]]] = None,
    ) -> metadata_store_service_pb2.GetExecutionsByContextResponse:
        """Lists the executions in a context. None is OK, and so is an unknown context.
        INVALID_ARGUMENT: options that are not valid.
        """
        request = metadata_store_service_pb2.GetExecutionsByContextRequest(
            context_id=context_id, options=options
        )
        answer = self._transport.call("GetExecutionsByContext", request.SerializeToString())
        return metadata_store_service_pb2.GetExecutionsByContextResponse.FromString(answer)

    def get_lineage_graph(
        self,
        *,
        options: Optional[
            Union[metadata_store_pb2.LineageGraphQueryOptions, Mapping[str, Any]]
        ] = None,
    ) -> metadata_store_service_pb2.GetLineageGraphResponse:
        """UNIMPLEMENTED, always. Use GetLineageSubgraph."""
        request = metadata_store_service_pb2.GetLineageGraphRequest(options=options)
        answer = self._transport.call("GetLineageGraph", request.SerializeToString())
        return metadata_store_service_pb2.GetLineageGraphResponse.FromString(answer)

    def get_lineage_subgraph(
        self,
        *,
        lineage_subgraph_query_options: Optional[
            Union[metadata_store_pb2.LineageSubgraphQueryOptions, Mapping[str, Any]]
        ] = None,
        read_mask: Optional[Union[field_mask_pb2.FieldMask, Mapping[str, Any]]] = None,
    ) -> metadata_store_service_pb2.GetLineageSubgraphResponse:
        """Follows events from the starting nodes and returns what it meets. INVALID_ARGUMENT: no
        starting nodes, an empty or invalid filter, max_num_hops below 0. NOT_FOUND: no node to
        start from.
        """
        request = metadata_store_service_pb2.GetLineageSubgraphRequest(
            lineage_subgraph_query_options=lineage_subgraph_query_options, read_mask=read_mask
        )
        answer = self._transport.call("GetLineageSubgraph", request.SerializeToString())
        return metadata_store_service_pb2.GetLineageSubgraphResponse.FromString(answer)

    def list_artifacts(
        self, *, filter: str = "", order_by: str = "", page_size: int = 0, page_token: str = ""
    ) -> headwater_pb2.ListArtifactsResponse:
        """Lists artifacts that match a filter, in any order."""
        request = headwater_pb2.ListArtifactsRequest(
            filter=filter, order_by=order_by, page_size=page_size, page_token=page_token
        )
        answer = self._transport.call("ListArtifacts", request.SerializeToString())
        return headwater_pb2.ListArtifactsResponse.FromString(answer)

    def list_executions(
        self, *, filter: str = "", order_by: str = "", page_size: int = 0, page_token: str = ""
    ) -> headwater_pb2.ListExecutionsResponse:
        """Lists executions that match a filter, in any order."""
        request = headwater_pb2.ListExecutionsRequest(
            filter=filter, order_by=order_by, page_size=page_size, page_token=page_token
        )
        answer = self._transport.call("ListExecutions", request.SerializeToString())
        return headwater_pb2.ListExecutionsResponse.FromString(answer)

    def list_contexts(
        self, *, filter: str = "", order_by: str = "", page_size: int = 0, page_token: str = ""
    ) -> headwater_pb2.ListContextsResponse:
        """Lists contexts that match a filter, in any order."""
        request = headwater_pb2.ListContextsRequest(
            filter=filter, order_by=order_by, page_size=page_size, page_token=page_token
        )
        answer = self._transport.call("ListContexts", request.SerializeToString())
        return headwater_pb2.ListContextsResponse.FromString(answer)

    def trace_lineage(
        self,
        *,
        start_artifacts: Optional[Iterable[str]] = None,
        start_executions: Optional[Iterable[str]] = None,
        direction: Optional[Union[headwater_pb2.Direction, str]] = None,
        hops_max: Optional[int] = None,
        stop_artifacts: str = "",
        stop_executions: str = "",
        keep_artifacts: str = "",
        keep_executions: str = "",
        counts_only: bool = False,
        nodes_max: int = 0,
        page_token: str = "",
    ) -> headwater_pb2.TraceLineageResponse:
        """Follows the events away from some nodes, and streams the nodes found, nearest first."""
        request = headwater_pb2.TraceLineageRequest(
            start_artifacts=_texts("start_artifacts", start_artifacts),
            start_executions=_texts("start_executions", start_executions),
            direction=direction,
            hops_max=hops_max,
            stop_artifacts=stop_artifacts,
            stop_executions=stop_executions,
            keep_artifacts=keep_artifacts,
            keep_executions=keep_executions,
            counts_only=counts_only,
            nodes_max=nodes_max,
            page_token=page_token,
        )
        answer = self._transport.call("TraceLineage", request.SerializeToString())
        return headwater_pb2.TraceLineageResponse.FromString(answer)

    def log_metrics(
        self,
        *,
        execution_id: int = 0,
        writer: str = "",
        sequence: int = 0,
        series: Optional[Iterable[Union[headwater_pb2.MetricSeries, Mapping[str, Any]]]] = None,
    ) -> headwater_pb2.LogMetricsResponse:
        """Appends points to metrics of an execution, and brings their summaries up to date."""
        request = headwater_pb2.LogMetricsRequest(
            execution_id=execution_id, writer=writer, sequence=sequence, series=series
        )
        answer = self._transport.call("LogMetrics", request.SerializeToString())
        return headwater_pb2.LogMetricsResponse.FromString(answer)

    def get_metrics(
        self,
        *,
        execution_id: int = 0,
        names: Optional[Iterable[str]] = None,
        first_step: Optional[int] = None,
        last_step: Optional[int] = None,
        points_max: int = 0,
    ) -> headwater_pb2.GetMetricsResponse:
        """Reads the points of metrics."""
        request = headwater_pb2.GetMetricsRequest(
            execution_id=execution_id,
            names=_texts("names", names),
            first_step=first_step,
            last_step=last_step,
            points_max=points_max,
        )
        answer = self._transport.call("GetMetrics", request.SerializeToString())
        return headwater_pb2.GetMetricsResponse.FromString(answer)

    def register_version(
        self,
        *,
        artifact: Optional[Union[metadata_store_pb2.Artifact, Mapping[str, Any]]] = None,
        context_type_id: int = 0,
        name: str = "",
        default_name: str = "",
        digest: str = "",
    ) -> headwater_pb2.RegisterVersionResponse:
        """Finds the version of a dataset, a model or anything else that has a digest, or makes
        it.
        """
        request = headwater_pb2.RegisterVersionRequest(
            artifact=artifact,
            context_type_id=context_type_id,
            name=name,
            default_name=default_name,
            digest=digest,
        )
        answer = self._transport.call("RegisterVersion", request.SerializeToString())
        return headwater_pb2.RegisterVersionResponse.FromString(answer)

    def put_contents(
        self, *, contents: Optional[Iterable[bytes]] = None
    ) -> headwater_pb2.PutContentsResponse:
        """Keeps bytes, equal ones once."""
        request = headwater_pb2.PutContentsRequest(contents=contents)
        answer = self._transport.call("PutContents", request.SerializeToString())
        return headwater_pb2.PutContentsResponse.FromString(answer)

    def get_content(self, *, digest: str = "") -> headwater_pb2.GetContentResponse:
        """Reads bytes that were kept."""
        request = headwater_pb2.GetContentRequest(digest=digest)
        answer = self._transport.call("GetContent", request.SerializeToString())
        return headwater_pb2.GetContentResponse.FromString(answer)

    def list_contents(
        self, *, digests: Optional[Iterable[str]] = None
    ) -> headwater_pb2.ListContentsResponse:
        """Says which bytes are kept."""
        request = headwater_pb2.ListContentsRequest(digests=_texts("digests", digests))
        answer = self._transport.call("ListContents", request.SerializeToString())
        return headwater_pb2.ListContentsResponse.FromString(answer)

    def begin_step(
        self,
        *,
        name: str = "",
        parts: Optional[Mapping[str, str]] = None,
        claimant: str = "",
        lease_ms: int = 0,
        age_ms_max: Optional[int] = None,
        refused_execution_ids: Optional[Iterable[int]] = None,
    ) -> headwater_pb2.BeginStepResponse:
        """Finds what a step made when it ran on the same before; else the step is the caller's
        to run.
        """
        request = headwater_pb2.BeginStepRequest(
            name=name,
            parts=parts,
            claimant=claimant,
            lease_ms=lease_ms,
            age_ms_max=age_ms_max,
            refused_execution_ids=refused_execution_ids,
        )
        answer = self._transport.call("BeginStep", request.SerializeToString())
        return headwater_pb2.BeginStepResponse.FromString(answer)

    def finish_step(
        self, *, fingerprint: str = "", claimant: str = "", execution_id: Optional[int] = None
    ) -> headwater_pb2.FinishStepResponse:
        """Says how a step ended that was the caller's to run."""
        request = headwater_pb2.FinishStepRequest(
            fingerprint=fingerprint, claimant=claimant, execution_id=execution_id
        )
        answer = self._transport.call("FinishStep", request.SerializeToString())
        return headwater_pb2.FinishStepResponse.FromString(answer)

    def explain_step(self, *, execution_id: int = 0) -> headwater_pb2.ExplainStepResponse:
        """Says why a step ran, or was skipped."""
        request = headwater_pb2.ExplainStepRequest(execution_id=execution_id)
        answer = self._transport.call("ExplainStep", request.SerializeToString())
        return headwater_pb2.ExplainStepResponse.FromString(answer)

    def forget_steps(
        self, *, fingerprint: str = "", name: str = ""
    ) -> headwater_pb2.ForgetStepsResponse:
        """Forgets what steps made, so that they run again."""
        request = headwater_pb2.ForgetStepsRequest(fingerprint=fingerprint, name=name)
        answer = self._transport.call("ForgetSteps", request.SerializeToString())
        return headwater_pb2.ForgetStepsResponse.FromString(answer)
