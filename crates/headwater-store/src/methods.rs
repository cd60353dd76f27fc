//! The table of the whole surface: name, read or write, messages, and what it means.
//!
//! Every door is a projection of it: gRPC, `headwater call`, metric labels, and the test that
//! nothing is missing.

use std::fmt::Debug;

use get_children_contexts_by_contexts_response::ChildrenContextsPerParent;
use get_parent_contexts_by_contexts_response::ParentContextsPerChild;
#[allow(clippy::wildcard_imports)]
use headwater_proto::headwater::v1::*;
#[allow(clippy::wildcard_imports)]
use headwater_proto::ml_metadata::*;
use prost::Message;

use crate::backend::{Access, Caller, Value};
use crate::error::{Result, invalid, unimplemented};
use crate::json;
use crate::kinds::Node as _;
use crate::ops::drafts::{Draft as _, Encoded, Sink};
use crate::ops::listing::{self, Listed};
use crate::ops::nodes::{self, PutOptions};
use crate::ops::selection::Scope;
use crate::ops::types::{self, Evolution};
use crate::ops::{
    contents, events, lineage, links, memo, metrics, ordering, steps, trace, versions,
};
use crate::sql::queries::{
    EVENT_SELECT_BY_ARTIFACTS, EVENT_SELECT_BY_EXECUTIONS,
    PARENT_CONTEXT_SELECT_BY_CHILDREN as PARENTS, PARENT_CONTEXT_SELECT_BY_PARENTS as CHILDREN,
};
use crate::store::{Session, Store, check_size};
use crate::validate::{Mask, Validate};

/// A request message: which method it belongs to and what it is answered with.
pub trait Call: Message + Validate + Default + Debug {
    /// The message that answers it.
    type Response: Message + Default + Debug;
    /// The method it calls.
    const METHOD: Method;

    #[doc(hidden)]
    fn run(&self, session: &mut Session<'_>) -> Result<Self::Response>;

    /// Runs the call and encodes the answer. A list does so node by node, so that memory holds the
    /// encoded answer and a few nodes, not all of them.
    #[doc(hidden)]
    fn run_encoded(&self, session: &mut Session<'_>) -> Result<Vec<u8>> {
        Ok(self.run(session)?.encode_to_vec())
    }
}

/// A request message of a method that answers with a stream.
pub trait StreamCall: Message + Validate + Default + Debug {
    /// A message of the stream.
    type Response: Message + Debug;
    /// The method it calls.
    const METHOD: Method;

    /// Runs the call and hands over each message as it is ready.
    #[doc(hidden)]
    fn run(&self, session: &mut Session<'_>, emit: Emit<'_, Self::Response>) -> Result<()>;
}

/// Takes the messages of an answer, encoded if nothing else is said. An error of it ends the call.
pub type Emit<'e, M = Vec<u8>> = &'e mut dyn FnMut(M) -> Result<()>;

macro_rules! methods {
    (
        contract {$(
            $access:ident $name:ident($request:ident) -> $response:ident
            |$session:ident, $r:ident| $answer:tt
        )*}
        own {$(
            $own_access:ident $own_name:ident($own_request:ident) -> $own_response:ident
            |$own_session:ident, $own_r:ident| $own_answer:tt
        )*}
        streams {$(
            $stream_access:ident $stream_name:ident($stream_request:ident)
            -> $stream_response:ident
            |$stream_session:ident, $stream_r:ident, $emit:ident| $stream_answer:expr;
        )*}
    ) => {
        /// A method of one of the services.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Method { $($name,)* $($own_name,)* $($stream_name),* }

        impl Method {
            /// Every method, in the order of the table.
            pub const ALL: &'static [Method] = &[
                $(Method::$name,)* $(Method::$own_name,)* $(Method::$stream_name),*
            ];

            /// Its name in the contract.
            pub fn name(self) -> &'static str {
                match self {
                    $(Method::$name => stringify!($name),)*
                    $(Method::$own_name => stringify!($own_name),)*
                    $(Method::$stream_name => stringify!($stream_name),)*
                }
            }

            /// The service that it belongs to.
            pub fn service(self) -> &'static str {
                match self { $(Method::$name => CONTRACT_SERVICE,)* _ => OWN_SERVICE }
            }

            /// Whether it reads only.
            pub fn access(self) -> Access {
                match self {
                    $(Method::$name => Access::$access,)*
                    $(Method::$own_name => Access::$own_access,)*
                    $(Method::$stream_name => Access::$stream_access,)*
                }
            }

            /// The method of this name.
            pub fn from_name(name: &str) -> Option<Method> {
                match name {
                    $(stringify!($name) => Some(Method::$name),)*
                    $(stringify!($own_name) => Some(Method::$own_name),)*
                    $(stringify!($stream_name) => Some(Method::$stream_name),)*
                    _ => None,
                }
            }

            /// Whether it reads many nodes, and so must not take the place of small reads.
            pub fn is_list(self) -> bool {
                match self {
                    $(Method::$name => is_list!($answer),)*
                    $(Method::$own_name => is_list!($own_answer),)*
                    $(Method::$stream_name => true,)*
                }
            }

            /// Whether it answers with any number of messages, instead of one.
            pub fn is_stream(self) -> bool {
                match self { $(Method::$stream_name => true,)* _ => false }
            }

            pub(crate) fn run(
                self,
                store: &Store,
                request: &[u8],
                caller: &Caller,
                emit: Emit<'_>,
            ) -> Result<()> {
                match self {
                    $(Method::$name => emit(call_bytes::<$request>(store, request, caller)?),)*
                    $(Method::$own_name => {
                        emit(call_bytes::<$own_request>(store, request, caller)?)
                    })*
                    $(Method::$stream_name => {
                        stream_bytes::<$stream_request>(store, request, caller, emit)
                    })*
                }
            }
        }

        $(call!($request, $response, $name, $session, $r, $answer);)*
        $(call!($own_request, $own_response, $own_name, $own_session, $own_r, $own_answer);)*

        $(impl StreamCall for $stream_request {
            type Response = $stream_response;
            const METHOD: Method = Method::$stream_name;

            fn run(
                &self,
                $stream_session: &mut Session<'_>,
                $emit: Emit<'_, $stream_response>,
            ) -> Result<()> {
                let $stream_r = self;
                $stream_answer
            }
        })*
    };
}

macro_rules! call {
    ($request:ident, $response:ident, $name:ident, $session:ident, $r:ident, $answer:tt) => {
        impl Call for $request {
            type Response = $response;
            const METHOD: Method = Method::$name;

            fn run(&self, $session: &mut Session<'_>) -> Result<$response> {
                let $r = self;
                answer!($response $answer)
            }

            encoded_answer!($session $r $answer);
        }
    };
}

/// The ways to answer: the fields of the response, a page of nodes, some nodes, or a whole result.
macro_rules! answer {
    ($response:ident (nodes $nodes:ident: $node:ident = $found:expr)) => {{
        let found: Vec<$node> = $found;
        let mut response = $response::default();
        response.$nodes = found;
        Ok(response)
    }};
    ($response:ident (nodes $nodes:ident, $types:ident: $node:ident = $found:expr)) => {{
        let found: (Vec<$node>, _) = $found;
        let mut response = $response::default();
        (response.$nodes, response.$types) = found;
        Ok(response)
    }};
    ($response:ident { $($fields:tt)* }) => { Ok($response { $($fields)* }) };
    ($response:ident [$nodes:ident: $node:ident = $listed:expr]) => {{
        let listed: Listed<Vec<$node>> = $listed;
        let mut response = $response::default();
        response.$nodes = listed.nodes;
        response.next_page_token = listed.next_page_token;
        Ok(response)
    }};
    ($response:ident ($whole:expr)) => { $whole };
}

macro_rules! is_list {
    ([$($listed:tt)*]) => {
        true
    };
    ($other:tt) => {
        false
    };
}

/// The same for an answer that is encoded at once: nodes are in field 1, the token of a list or
/// the types in field 2.
macro_rules! encoded_answer {
    ($session:ident $r:ident (nodes $nodes:ident: $node:ident = $found:expr)) => {
        fn run_encoded(&self, $session: &mut Session<'_>) -> Result<Vec<u8>> {
            let $r = self;
            let found: Encoded<$node> = $found;
            Ok(found.into_bytes())
        }
    };
    ($session:ident $r:ident (nodes $nodes:ident, $types:ident: $node:ident = $found:expr)) => {
        fn run_encoded(&self, $session: &mut Session<'_>) -> Result<Vec<u8>> {
            let $r = self;
            let (found, types): (Encoded<$node>, _) = $found;
            let mut bytes = found.into_bytes();
            prost::encoding::message::encode_repeated(2, &types, &mut bytes);
            Ok(bytes)
        }
    };
    ($session:ident $r:ident [$nodes:ident: $node:ident = $listed:expr]) => {
        fn run_encoded(&self, $session: &mut Session<'_>) -> Result<Vec<u8>> {
            let $r = self;
            let listed: Listed<Encoded<$node>> = $listed;
            let mut bytes = listed.nodes.into_bytes();
            if let Some(token) = &listed.next_page_token {
                prost::encoding::string::encode(2, token, &mut bytes);
            }
            Ok(bytes)
        }
    };
    ($session:ident $r:ident $other:tt) => {};
}

/// A list of all nodes, of those of a type, or of those in a context, as a request asks for it.
macro_rules! list {
    ($s:ident, $r:ident) => {
        listing::list($s, $r.options.as_ref(), Scope::All)?
    };
    ($s:ident, $r:ident, of_type) => {
        listing::list_by_type($s, $r.type_name(), $r.type_version(), $r.options.as_ref())?
    };
    ($s:ident, $r:ident, in_context) => {
        listing::list($s, $r.options.as_ref(), Scope::InContext($r.context_id()))?
    };
}

/// The order by and the filter of a list, as an own method has them.
macro_rules! ordered {
    ($s:ident, $r:ident) => {
        ordering::list($s, &$r.filter, &$r.order_by, $r.page_size, &$r.page_token)?
    };
}

const CONTRACT_SERVICE: &str = "ml_metadata.MetadataStoreService";
const OWN_SERVICE: &str = "headwater.v1.Headwater";

impl Method {
    /// The full names of the services.
    pub const SERVICES: [&'static str; 2] = [CONTRACT_SERVICE, OWN_SERVICE];

    /// Encodes a request that is given as canonical JSON. What is not in the contract is refused
    /// by name.
    pub fn request_from_json(self, json: &str) -> Result<Vec<u8>> {
        json::to_bytes(&self.message("Request"), json)
    }

    /// The canonical JSON of an encoded response, made for reading.
    pub fn response_to_json(self, response: &[u8]) -> Result<String> {
        json::from_bytes(&self.message("Response"), response, true)
    }

    /// Full name of its request or response.
    fn message(self, of: &str) -> String {
        let package = self.service().rsplit_once('.').map_or("", |(package, _)| package);
        format!("{package}.{}{of}", self.name())
    }
}

fn decode<R: Message + Default + Validate>(request: &[u8]) -> Result<R> {
    check_size("request", request.len())?;
    R::validate_wire(request)?;
    R::decode(request).map_err(|e| invalid(format!("the request cannot be decoded: {e}")))
}

fn call_bytes<R: Call>(store: &Store, request: &[u8], caller: &Caller) -> Result<Vec<u8>> {
    let response = store.call_encoded(&decode::<R>(request)?, caller)?;
    check_size("answer", response.len())?;
    Ok(response)
}

fn stream_bytes<R: StreamCall>(
    store: &Store,
    request: &[u8],
    caller: &Caller,
    emit: Emit<'_>,
) -> Result<()> {
    let request = decode::<R>(request)?;
    store.stream(&request, caller, &mut |response| emit(response.encode_to_vec()))
}

/// The flags of a request that puts types.
macro_rules! evolution {
    ($r:ident) => {
        Evolution { can_add_fields: $r.can_add_fields(), can_omit_fields: $r.can_omit_fields() }
    };
}

/// The options of a request that puts nodes.
macro_rules! masked {
    ($r:ident) => {{
        let mask = Mask::new($r.update_mask.as_ref().map_or(&[], |mask| &mask.paths));
        PutOptions { mask, ..PutOptions::default() }
    }};
}

fn artifact_options(r: &PutArtifactsRequest) -> PutOptions<'_> {
    let abort_if_changed = r.options.unwrap_or_default().abort_if_latest_updated_time_changed();
    PutOptions { abort_if_changed, ..masked!(r) }
}

fn get_artifacts_with_types<S: Sink<Artifact>>(
    session: &mut Session<'_>,
    r: &GetArtifactsByIdRequest,
) -> Result<(S, Vec<ArtifactType>)> {
    let mut artifact_types = Vec::new();
    let query = Artifact::KIND.queries.select_by_ids;
    let artifacts = nodes::whole::<Artifact, S::Draft>(session, query, &r.artifact_ids)?;
    if r.populate_artifact_types() {
        let ids = artifacts.iter().filter_map(|artifact| artifact.head().type_id).collect();
        artifact_types = types::get_of_nodes(session, &nodes::distinct(ids))?;
    }
    Ok((nodes::all(artifacts), artifact_types))
}

methods! { contract {
    // Types.
    Write PutTypes(PutTypesRequest) -> PutTypesResponse |s, r| {
        artifact_type_ids: types::put(s, &r.artifact_types, evolution!(r))?,
        execution_type_ids: types::put(s, &r.execution_types, evolution!(r))?,
        context_type_ids: types::put(s, &r.context_types, evolution!(r))?,
    }
    Write PutArtifactType(PutArtifactTypeRequest) -> PutArtifactTypeResponse |s, r| {
        type_id: types::put_one(s, r.artifact_type.as_ref(), evolution!(r))?
    }
    Read GetArtifactType(GetArtifactTypeRequest) -> GetArtifactTypeResponse |s, r| {
        artifact_type: types::get(s, r.type_name(), r.type_version())?
    }
    Read GetArtifactTypes(GetArtifactTypesRequest) -> GetArtifactTypesResponse |s, _r| {
        artifact_types: types::get_all(s)?
    }
    Read GetArtifactTypesByID(GetArtifactTypesByIdRequest)
        -> GetArtifactTypesByIdResponse |s, r| {
        artifact_types: types::get_by_ids(s, &r.type_ids)?
    }
    Read GetArtifactTypesByExternalIds(GetArtifactTypesByExternalIdsRequest)
        -> GetArtifactTypesByExternalIdsResponse |s, r| {
        artifact_types: types::get_by_external_ids(s, &r.external_ids)?
    }
    Write PutExecutionType(PutExecutionTypeRequest) -> PutExecutionTypeResponse |s, r| {
        type_id: types::put_one(s, r.execution_type.as_ref(), evolution!(r))?
    }
    Read GetExecutionType(GetExecutionTypeRequest) -> GetExecutionTypeResponse |s, r| {
        execution_type: types::get(s, r.type_name(), r.type_version())?
    }
    Read GetExecutionTypes(GetExecutionTypesRequest) -> GetExecutionTypesResponse |s, _r| {
        execution_types: types::get_all(s)?
    }
    Read GetExecutionTypesByID(GetExecutionTypesByIdRequest)
        -> GetExecutionTypesByIdResponse |s, r| {
        execution_types: types::get_by_ids(s, &r.type_ids)?
    }
    Read GetExecutionTypesByExternalIds(GetExecutionTypesByExternalIdsRequest)
        -> GetExecutionTypesByExternalIdsResponse |s, r| {
        execution_types: types::get_by_external_ids(s, &r.external_ids)?
    }
    Write PutContextType(PutContextTypeRequest) -> PutContextTypeResponse |s, r| {
        type_id: types::put_one(s, r.context_type.as_ref(), evolution!(r))?
    }
    Read GetContextType(GetContextTypeRequest) -> GetContextTypeResponse |s, r| {
        context_type: types::get(s, r.type_name(), r.type_version())?
    }
    Read GetContextTypes(GetContextTypesRequest) -> GetContextTypesResponse |s, _r| {
        context_types: types::get_all(s)?
    }
    Read GetContextTypesByID(GetContextTypesByIdRequest)
        -> GetContextTypesByIdResponse |s, r| {
        context_types: types::get_by_ids(s, &r.type_ids)?
    }
    Read GetContextTypesByExternalIds(GetContextTypesByExternalIdsRequest)
        -> GetContextTypesByExternalIdsResponse |s, r| {
        context_types: types::get_by_external_ids(s, &r.external_ids)?
    }

    // Artifacts.
    Write PutArtifacts(PutArtifactsRequest) -> PutArtifactsResponse |s, r| {
        artifact_ids: nodes::put(s, &r.artifacts, &artifact_options(r))?
    }
    Read GetArtifacts(GetArtifactsRequest)
        -> GetArtifactsResponse |s, r| [artifacts: Artifact = list!(s, r)]
    Read GetArtifactsByID(GetArtifactsByIdRequest) -> GetArtifactsByIdResponse |s, r| (
        nodes artifacts, artifact_types: Artifact = get_artifacts_with_types(s, r)?
    )
    Read GetArtifactsByURI(GetArtifactsByUriRequest) -> GetArtifactsByUriResponse |s, r| (
        nodes artifacts: Artifact = nodes::get_linked(s, "uri", Value::texts(&r.uris))?
    )
    Read GetArtifactsByType(GetArtifactsByTypeRequest)
        -> GetArtifactsByTypeResponse |s, r| [artifacts: Artifact = list!(s, r, of_type)]
    Read GetArtifactByTypeAndName(GetArtifactByTypeAndNameRequest)
        -> GetArtifactByTypeAndNameResponse |s, r| {
        artifact: nodes::get_by_name(s, r.type_name(), r.type_version(), r.artifact_name())?
    }
    Read GetArtifactsByExternalIds(GetArtifactsByExternalIdsRequest)
        -> GetArtifactsByExternalIdsResponse |s, r| (
        nodes artifacts: Artifact = nodes::get_by_external_ids(s, &r.external_ids)?
    )
    Read GetArtifactsByContext(GetArtifactsByContextRequest)
        -> GetArtifactsByContextResponse |s, r| [artifacts: Artifact = list!(s, r, in_context)]

    // Executions.
    Write PutExecutions(PutExecutionsRequest) -> PutExecutionsResponse |s, r| {
        execution_ids: nodes::put(s, &r.executions, &masked!(r))?
    }
    Read GetExecutions(GetExecutionsRequest)
        -> GetExecutionsResponse |s, r| [executions: Execution = list!(s, r)]
    Read GetExecutionsByID(GetExecutionsByIdRequest) -> GetExecutionsByIdResponse |s, r| (
        nodes executions: Execution = nodes::get_by_ids(s, &r.execution_ids)?
    )
    Read GetExecutionsByType(GetExecutionsByTypeRequest)
        -> GetExecutionsByTypeResponse |s, r| [executions: Execution = list!(s, r, of_type)]
    Read GetExecutionByTypeAndName(GetExecutionByTypeAndNameRequest)
        -> GetExecutionByTypeAndNameResponse |s, r| {
        execution: nodes::get_by_name(s, r.type_name(), r.type_version(), r.execution_name())?
    }
    Read GetExecutionsByExternalIds(GetExecutionsByExternalIdsRequest)
        -> GetExecutionsByExternalIdsResponse |s, r| (
        nodes executions: Execution = nodes::get_by_external_ids(s, &r.external_ids)?
    )
    Read GetExecutionsByContext(GetExecutionsByContextRequest)
        -> GetExecutionsByContextResponse |s, r| [executions: Execution = list!(s, r, in_context)]

    // Contexts.
    Write PutContexts(PutContextsRequest) -> PutContextsResponse |s, r| {
        context_ids: nodes::put(s, &r.contexts, &masked!(r))?
    }
    Read GetContexts(GetContextsRequest)
        -> GetContextsResponse |s, r| [contexts: Context = list!(s, r)]
    Read GetContextsByID(GetContextsByIdRequest) -> GetContextsByIdResponse |s, r| (
        nodes contexts: Context = nodes::get_by_ids(s, &r.context_ids)?
    )
    Read GetContextsByType(GetContextsByTypeRequest)
        -> GetContextsByTypeResponse |s, r| [contexts: Context = list!(s, r, of_type)]
    Read GetContextByTypeAndName(GetContextByTypeAndNameRequest)
        -> GetContextByTypeAndNameResponse |s, r| {
        context: nodes::get_by_name(s, r.type_name(), r.type_version(), r.context_name())?
    }
    Read GetContextsByExternalIds(GetContextsByExternalIdsRequest)
        -> GetContextsByExternalIdsResponse |s, r| (
        nodes contexts: Context = nodes::get_by_external_ids(s, &r.external_ids)?
    )
    Read GetContextsByArtifact(GetContextsByArtifactRequest)
        -> GetContextsByArtifactResponse |s, r| (
        nodes contexts: Context = links::contexts_of(s, "artifact", r.artifact_id())?
    )
    Read GetContextsByExecution(GetContextsByExecutionRequest)
        -> GetContextsByExecutionResponse |s, r| (
        nodes contexts: Context = links::contexts_of(s, "execution", r.execution_id())?
    )

    // Events and links.
    Write PutEvents(PutEventsRequest) -> PutEventsResponse |s, r| (
        events::put(s, &r.events).map(|()| PutEventsResponse {})
    )
    Read GetEventsByArtifactIDs(GetEventsByArtifactIDsRequest)
        -> GetEventsByArtifactIDsResponse |s, r| {
        events: events::get(s, EVENT_SELECT_BY_ARTIFACTS, &r.artifact_ids)?
    }
    Read GetEventsByExecutionIDs(GetEventsByExecutionIDsRequest)
        -> GetEventsByExecutionIDsResponse |s, r| {
        events: events::get(s, EVENT_SELECT_BY_EXECUTIONS, &r.execution_ids)?
    }
    Write PutAttributionsAndAssociations(PutAttributionsAndAssociationsRequest)
        -> PutAttributionsAndAssociationsResponse |s, r| (
        links::put(s, &r.attributions, &r.associations)
            .map(|()| PutAttributionsAndAssociationsResponse {})
    )
    Write PutParentContexts(PutParentContextsRequest) -> PutParentContextsResponse |s, r| (
        links::put_parents(s, &r.parent_contexts).map(|()| PutParentContextsResponse {})
    )
    Read GetParentContextsByContext(GetParentContextsByContextRequest)
        -> GetParentContextsByContextResponse |s, r| {
        contexts: links::relatives_of_one(s, PARENTS, r.context_id())?
    }
    Read GetChildrenContextsByContext(GetChildrenContextsByContextRequest)
        -> GetChildrenContextsByContextResponse |s, r| {
        contexts: links::relatives_of_one(s, CHILDREN, r.context_id())?
    }
    Read GetParentContextsByContexts(GetParentContextsByContextsRequest)
        -> GetParentContextsByContextsResponse |s, r| {
        contexts: links::relatives_of_many(s, PARENTS, &r.context_ids)?
            .into_iter()
            .map(|(id, parent_contexts)| (id, ParentContextsPerChild { parent_contexts }))
            .collect()
    }
    Read GetChildrenContextsByContexts(GetChildrenContextsByContextsRequest)
        -> GetChildrenContextsByContextsResponse |s, r| {
        contexts: links::relatives_of_many(s, CHILDREN, &r.context_ids)?
            .into_iter()
            .map(|(id, children_contexts)| (id, ChildrenContextsPerParent { children_contexts }))
            .collect()
    }

    // Whole steps, and lineage.
    Write PutExecution(PutExecutionRequest) -> PutExecutionResponse |s, r| (
        steps::put_execution(s, r)
    )
    Write PutLineageSubgraph(PutLineageSubgraphRequest) -> PutLineageSubgraphResponse |s, r| (
        steps::put_lineage_subgraph(s, r)
    )
    Read GetLineageGraph(GetLineageGraphRequest) -> GetLineageGraphResponse |_s, _r| (
        Err(unimplemented("GetLineageGraph is gone").hint("use GetLineageSubgraph"))
    )
    Read GetLineageSubgraph(GetLineageSubgraphRequest) -> GetLineageSubgraphResponse |s, r| (
        lineage::subgraph(s, r)
    )
}

own {
    Read ListArtifacts(ListArtifactsRequest)
        -> ListArtifactsResponse |s, r| [artifacts: Artifact = ordered!(s, r)]
    Read ListExecutions(ListExecutionsRequest)
        -> ListExecutionsResponse |s, r| [executions: Execution = ordered!(s, r)]
    Read ListContexts(ListContextsRequest)
        -> ListContextsResponse |s, r| [contexts: Context = ordered!(s, r)]
    Write LogMetrics(LogMetricsRequest) -> LogMetricsResponse |s, r| (
        metrics::log(s, r).map(|()| LogMetricsResponse {})
    )
    Read GetMetrics(GetMetricsRequest) -> GetMetricsResponse |s, r| (metrics::get(s, r))
    Write RegisterVersion(RegisterVersionRequest)
        -> RegisterVersionResponse |s, r| (versions::register(s, r))
    Write PutContents(PutContentsRequest) -> PutContentsResponse |s, r| (contents::put(s, r))
    Read GetContent(GetContentRequest) -> GetContentResponse |s, r| (contents::get(s, r))
    Read ListContents(ListContentsRequest) -> ListContentsResponse |s, r| (contents::list(s, r))
    Write BeginStep(BeginStepRequest) -> BeginStepResponse |s, r| (memo::begin(s, r))
    Write FinishStep(FinishStepRequest) -> FinishStepResponse |s, r| (memo::finish(s, r))
    Read ExplainStep(ExplainStepRequest) -> ExplainStepResponse |s, r| (memo::explain(s, r))
    Write ForgetSteps(ForgetStepsRequest) -> ForgetStepsResponse |s, r| (memo::forget(s, r))
}

streams {
    Read TraceLineage(TraceLineageRequest)
        -> TraceLineageResponse |s, r, emit| trace::trace(s, r, emit);
} }
