//! The table of the whole surface: name, read or write, messages, and what it means.
//!
//! Every door is a projection of it: gRPC, `headwater call`, metric labels, and the test that
//! nothing is missing.

use std::fmt::Debug;

#[allow(clippy::wildcard_imports)]
use headwater_proto::ml_metadata::*;
use prost::Message;

use crate::backend::Access;
use crate::error::{Result, invalid, unimplemented};
use crate::json;
use crate::ops::nodes::{self, PutOptions};
use crate::ops::page::Scope;
use crate::ops::types::{self, Evolution};
use crate::ops::{events, links, steps};
use crate::sql::queries::{
    EVENT_SELECT_BY_ARTIFACTS, EVENT_SELECT_BY_EXECUTIONS, PARENT_CONTEXT_SELECT_BY_CHILDREN,
    PARENT_CONTEXT_SELECT_BY_PARENTS,
};
use crate::store::{Session, Store, check_size};
use crate::validate::{Mask, Validate};

/// A request message: which method it belongs to and what it is answered with.
pub trait Call: Message + Validate + Default + Debug {
    /// The message that answers it.
    type Response: Message + Debug;
    /// The method it calls.
    const METHOD: Method;

    #[doc(hidden)]
    fn run(&self, session: &mut Session<'_>) -> Result<Self::Response>;
}

macro_rules! methods {
    ($(
        $access:ident $name:ident($request:ident) -> $response:ident
        |$session:ident, $r:ident| $body:block
    )*) => {
        /// A method of the service.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Method { $($name),* }

        impl Method {
            /// Every method, in the order of the table.
            pub const ALL: &'static [Method] = &[$(Method::$name),*];

            /// Its name in the contract.
            pub fn name(self) -> &'static str {
                match self { $(Method::$name => stringify!($name)),* }
            }

            /// Whether it reads only.
            pub fn access(self) -> Access {
                match self { $(Method::$name => Access::$access),* }
            }

            /// The method of this name.
            pub fn from_name(name: &str) -> Option<Method> {
                match name { $(stringify!($name) => Some(Method::$name),)* _ => None }
            }

            pub(crate) fn call_bytes(self, store: &Store, request: &[u8]) -> Result<Vec<u8>> {
                match self { $(Method::$name => call_bytes::<$request>(store, request)),* }
            }
        }

        $(impl Call for $request {
            type Response = $response;
            const METHOD: Method = Method::$name;

            fn run(&self, $session: &mut Session<'_>) -> Result<$response> {
                let $r = self;
                $body
            }
        })*
    };
}

impl Method {
    /// Encodes a request that is given as canonical JSON. What is not in the contract is refused
    /// by name.
    pub fn request_from_json(self, json: &str) -> Result<Vec<u8>> {
        json::to_bytes(&format!("{}Request", self.name()), json)
    }

    /// The canonical JSON of an encoded response, made for reading.
    pub fn response_to_json(self, response: &[u8]) -> Result<String> {
        json::from_bytes(&format!("{}Response", self.name()), response, true)
    }
}

fn call_bytes<R: Call>(store: &Store, request: &[u8]) -> Result<Vec<u8>> {
    check_size("request", request.len())?;
    R::validate_wire(request)?;
    let request =
        R::decode(request).map_err(|e| invalid(format!("the request cannot be decoded: {e}")))?;
    let response = store.call(&request)?;
    check_size("answer", response.encoded_len())?;
    Ok(response.encode_to_vec())
}

/// The flags of a request that puts types.
macro_rules! evolution {
    ($r:ident) => {
        Evolution { can_add_fields: $r.can_add_fields(), can_omit_fields: $r.can_omit_fields() }
    };
}

/// The mask of a request that puts nodes.
macro_rules! mask {
    ($r:ident) => {
        Mask($r.update_mask.as_ref().map_or(&[], |mask| &mask.paths))
    };
}

methods! {
    Write PutArtifactType(PutArtifactTypeRequest) -> PutArtifactTypeResponse |s, r| {
        let type_id = types::put_one(s, r.artifact_type.as_ref(), evolution!(r))?;
        Ok(PutArtifactTypeResponse { type_id })
    }
    Write PutExecutionType(PutExecutionTypeRequest) -> PutExecutionTypeResponse |s, r| {
        let type_id = types::put_one(s, r.execution_type.as_ref(), evolution!(r))?;
        Ok(PutExecutionTypeResponse { type_id })
    }
    Write PutContextType(PutContextTypeRequest) -> PutContextTypeResponse |s, r| {
        let type_id = types::put_one(s, r.context_type.as_ref(), evolution!(r))?;
        Ok(PutContextTypeResponse { type_id })
    }
    Write PutTypes(PutTypesRequest) -> PutTypesResponse |s, r| {
        Ok(PutTypesResponse {
            artifact_type_ids: types::put(s, &r.artifact_types, evolution!(r))?,
            execution_type_ids: types::put(s, &r.execution_types, evolution!(r))?,
            context_type_ids: types::put(s, &r.context_types, evolution!(r))?,
        })
    }
    Write PutArtifacts(PutArtifactsRequest) -> PutArtifactsResponse |s, r| {
        let abort_if_changed =
            r.options.unwrap_or_default().abort_if_latest_updated_time_changed();
        let options = PutOptions { mask: mask!(r), abort_if_changed, ..PutOptions::default() };
        Ok(PutArtifactsResponse { artifact_ids: nodes::put(s, &r.artifacts, &options)? })
    }
    Write PutExecutions(PutExecutionsRequest) -> PutExecutionsResponse |s, r| {
        let options = PutOptions { mask: mask!(r), ..PutOptions::default() };
        Ok(PutExecutionsResponse { execution_ids: nodes::put(s, &r.executions, &options)? })
    }
    Write PutContexts(PutContextsRequest) -> PutContextsResponse |s, r| {
        let options = PutOptions { mask: mask!(r), ..PutOptions::default() };
        Ok(PutContextsResponse { context_ids: nodes::put(s, &r.contexts, &options)? })
    }
    Write PutEvents(PutEventsRequest) -> PutEventsResponse |s, r| {
        events::put(s, &r.events)?;
        Ok(PutEventsResponse {})
    }
    Write PutExecution(PutExecutionRequest) -> PutExecutionResponse |s, r| {
        steps::put_execution(s, r)
    }
    Write PutLineageSubgraph(PutLineageSubgraphRequest) -> PutLineageSubgraphResponse |s, r| {
        steps::put_lineage_subgraph(s, r)
    }
    Write PutAttributionsAndAssociations(PutAttributionsAndAssociationsRequest)
        -> PutAttributionsAndAssociationsResponse |s, r|
    {
        links::put(s, &r.attributions, &r.associations)?;
        Ok(PutAttributionsAndAssociationsResponse {})
    }
    Write PutParentContexts(PutParentContextsRequest) -> PutParentContextsResponse |s, r| {
        links::put_parents(s, &r.parent_contexts)?;
        Ok(PutParentContextsResponse {})
    }

    Read GetArtifactType(GetArtifactTypeRequest) -> GetArtifactTypeResponse |s, r| {
        let artifact_type = types::get(s, r.type_name(), r.type_version())?;
        Ok(GetArtifactTypeResponse { artifact_type })
    }
    Read GetArtifactTypesByID(GetArtifactTypesByIdRequest) -> GetArtifactTypesByIdResponse |s, r| {
        Ok(GetArtifactTypesByIdResponse { artifact_types: types::get_by_ids(s, &r.type_ids)? })
    }
    Read GetArtifactTypes(GetArtifactTypesRequest) -> GetArtifactTypesResponse |s, _r| {
        Ok(GetArtifactTypesResponse { artifact_types: types::get_all(s)? })
    }
    Read GetArtifactTypesByExternalIds(GetArtifactTypesByExternalIdsRequest)
        -> GetArtifactTypesByExternalIdsResponse |s, r|
    {
        let artifact_types = types::get_by_external_ids(s, &r.external_ids)?;
        Ok(GetArtifactTypesByExternalIdsResponse { artifact_types })
    }
    Read GetExecutionType(GetExecutionTypeRequest) -> GetExecutionTypeResponse |s, r| {
        let execution_type = types::get(s, r.type_name(), r.type_version())?;
        Ok(GetExecutionTypeResponse { execution_type })
    }
    Read GetExecutionTypesByID(GetExecutionTypesByIdRequest)
        -> GetExecutionTypesByIdResponse |s, r|
    {
        Ok(GetExecutionTypesByIdResponse { execution_types: types::get_by_ids(s, &r.type_ids)? })
    }
    Read GetExecutionTypes(GetExecutionTypesRequest) -> GetExecutionTypesResponse |s, _r| {
        Ok(GetExecutionTypesResponse { execution_types: types::get_all(s)? })
    }
    Read GetExecutionTypesByExternalIds(GetExecutionTypesByExternalIdsRequest)
        -> GetExecutionTypesByExternalIdsResponse |s, r|
    {
        let execution_types = types::get_by_external_ids(s, &r.external_ids)?;
        Ok(GetExecutionTypesByExternalIdsResponse { execution_types })
    }
    Read GetContextType(GetContextTypeRequest) -> GetContextTypeResponse |s, r| {
        let context_type = types::get(s, r.type_name(), r.type_version())?;
        Ok(GetContextTypeResponse { context_type })
    }
    Read GetContextTypesByID(GetContextTypesByIdRequest) -> GetContextTypesByIdResponse |s, r| {
        Ok(GetContextTypesByIdResponse { context_types: types::get_by_ids(s, &r.type_ids)? })
    }
    Read GetContextTypes(GetContextTypesRequest) -> GetContextTypesResponse |s, _r| {
        Ok(GetContextTypesResponse { context_types: types::get_all(s)? })
    }
    Read GetContextTypesByExternalIds(GetContextTypesByExternalIdsRequest)
        -> GetContextTypesByExternalIdsResponse |s, r|
    {
        let context_types = types::get_by_external_ids(s, &r.external_ids)?;
        Ok(GetContextTypesByExternalIdsResponse { context_types })
    }

    Read GetArtifacts(GetArtifactsRequest) -> GetArtifactsResponse |s, r| {
        let listed = nodes::list(s, r.options.as_ref(), Scope::All)?;
        let next_page_token = listed.next_page_token;
        Ok(GetArtifactsResponse { artifacts: listed.nodes, next_page_token })
    }
    Read GetArtifactsByID(GetArtifactsByIdRequest) -> GetArtifactsByIdResponse |s, r| {
        let artifacts: Vec<Artifact> = nodes::get_by_ids(s, &r.artifact_ids)?;
        let artifact_types = if r.populate_artifact_types() {
            let type_ids = artifacts.iter().filter_map(|artifact| artifact.type_id).collect();
            types::get_of_nodes(s, &nodes::distinct(type_ids))?
        } else {
            Vec::new()
        };
        Ok(GetArtifactsByIdResponse { artifacts, artifact_types })
    }
    Read GetArtifactsByType(GetArtifactsByTypeRequest) -> GetArtifactsByTypeResponse |s, r| {
        let listed =
            nodes::list_by_type(s, r.type_name(), r.type_version(), r.options.as_ref())?;
        let next_page_token = listed.next_page_token;
        Ok(GetArtifactsByTypeResponse { artifacts: listed.nodes, next_page_token })
    }
    Read GetArtifactByTypeAndName(GetArtifactByTypeAndNameRequest)
        -> GetArtifactByTypeAndNameResponse |s, r|
    {
        let (name, version) = (r.type_name(), r.type_version());
        let artifact = nodes::get_by_type_and_name(s, name, version, r.artifact_name())?;
        Ok(GetArtifactByTypeAndNameResponse { artifact })
    }
    Read GetArtifactsByURI(GetArtifactsByUriRequest) -> GetArtifactsByUriResponse |s, r| {
        let uris = r.uris.iter().map(String::as_str).collect();
        let artifacts = nodes::get_linked(s, "uri", crate::backend::Value::Texts(uris))?;
        Ok(GetArtifactsByUriResponse { artifacts })
    }
    Read GetArtifactsByExternalIds(GetArtifactsByExternalIdsRequest)
        -> GetArtifactsByExternalIdsResponse |s, r|
    {
        let artifacts = nodes::get_by_external_ids(s, &r.external_ids)?;
        Ok(GetArtifactsByExternalIdsResponse { artifacts })
    }
    Read GetArtifactsByContext(GetArtifactsByContextRequest)
        -> GetArtifactsByContextResponse |s, r|
    {
        let listed = nodes::list(s, r.options.as_ref(), Scope::InContext(r.context_id()))?;
        let next_page_token = listed.next_page_token;
        Ok(GetArtifactsByContextResponse { artifacts: listed.nodes, next_page_token })
    }

    Read GetExecutions(GetExecutionsRequest) -> GetExecutionsResponse |s, r| {
        let listed = nodes::list(s, r.options.as_ref(), Scope::All)?;
        let next_page_token = listed.next_page_token;
        Ok(GetExecutionsResponse { executions: listed.nodes, next_page_token })
    }
    Read GetExecutionsByID(GetExecutionsByIdRequest) -> GetExecutionsByIdResponse |s, r| {
        Ok(GetExecutionsByIdResponse { executions: nodes::get_by_ids(s, &r.execution_ids)? })
    }
    Read GetExecutionsByType(GetExecutionsByTypeRequest) -> GetExecutionsByTypeResponse |s, r| {
        let listed =
            nodes::list_by_type(s, r.type_name(), r.type_version(), r.options.as_ref())?;
        let next_page_token = listed.next_page_token;
        Ok(GetExecutionsByTypeResponse { executions: listed.nodes, next_page_token })
    }
    Read GetExecutionByTypeAndName(GetExecutionByTypeAndNameRequest)
        -> GetExecutionByTypeAndNameResponse |s, r|
    {
        let (name, version) = (r.type_name(), r.type_version());
        let execution = nodes::get_by_type_and_name(s, name, version, r.execution_name())?;
        Ok(GetExecutionByTypeAndNameResponse { execution })
    }
    Read GetExecutionsByExternalIds(GetExecutionsByExternalIdsRequest)
        -> GetExecutionsByExternalIdsResponse |s, r|
    {
        let executions = nodes::get_by_external_ids(s, &r.external_ids)?;
        Ok(GetExecutionsByExternalIdsResponse { executions })
    }
    Read GetExecutionsByContext(GetExecutionsByContextRequest)
        -> GetExecutionsByContextResponse |s, r|
    {
        let listed = nodes::list(s, r.options.as_ref(), Scope::InContext(r.context_id()))?;
        Ok(GetExecutionsByContextResponse {
            executions: listed.nodes,
            next_page_token: listed.next_page_token,
            transaction_options: None,
        })
    }

    Read GetContexts(GetContextsRequest) -> GetContextsResponse |s, r| {
        let listed = nodes::list(s, r.options.as_ref(), Scope::All)?;
        let next_page_token = listed.next_page_token;
        Ok(GetContextsResponse { contexts: listed.nodes, next_page_token })
    }
    Read GetContextsByID(GetContextsByIdRequest) -> GetContextsByIdResponse |s, r| {
        Ok(GetContextsByIdResponse { contexts: nodes::get_by_ids(s, &r.context_ids)? })
    }
    Read GetContextsByType(GetContextsByTypeRequest) -> GetContextsByTypeResponse |s, r| {
        let listed =
            nodes::list_by_type(s, r.type_name(), r.type_version(), r.options.as_ref())?;
        let next_page_token = listed.next_page_token;
        Ok(GetContextsByTypeResponse { contexts: listed.nodes, next_page_token })
    }
    Read GetContextByTypeAndName(GetContextByTypeAndNameRequest)
        -> GetContextByTypeAndNameResponse |s, r|
    {
        let (name, version) = (r.type_name(), r.type_version());
        let context = nodes::get_by_type_and_name(s, name, version, r.context_name())?;
        Ok(GetContextByTypeAndNameResponse { context })
    }
    Read GetContextsByExternalIds(GetContextsByExternalIdsRequest)
        -> GetContextsByExternalIdsResponse |s, r|
    {
        let contexts = nodes::get_by_external_ids(s, &r.external_ids)?;
        Ok(GetContextsByExternalIdsResponse { contexts })
    }
    Read GetContextsByArtifact(GetContextsByArtifactRequest)
        -> GetContextsByArtifactResponse |s, r|
    {
        let contexts = links::contexts_of(s, "artifact", r.artifact_id())?;
        Ok(GetContextsByArtifactResponse { contexts })
    }
    Read GetContextsByExecution(GetContextsByExecutionRequest)
        -> GetContextsByExecutionResponse |s, r|
    {
        let contexts = links::contexts_of(s, "execution", r.execution_id())?;
        Ok(GetContextsByExecutionResponse { contexts })
    }
    Read GetParentContextsByContext(GetParentContextsByContextRequest)
        -> GetParentContextsByContextResponse |s, r|
    {
        let query = PARENT_CONTEXT_SELECT_BY_CHILDREN;
        let contexts = links::relatives_of_one(s, query, r.context_id())?;
        Ok(GetParentContextsByContextResponse { contexts })
    }
    Read GetChildrenContextsByContext(GetChildrenContextsByContextRequest)
        -> GetChildrenContextsByContextResponse |s, r|
    {
        let query = PARENT_CONTEXT_SELECT_BY_PARENTS;
        let contexts = links::relatives_of_one(s, query, r.context_id())?;
        Ok(GetChildrenContextsByContextResponse { contexts })
    }
    Read GetParentContextsByContexts(GetParentContextsByContextsRequest)
        -> GetParentContextsByContextsResponse |s, r|
    {
        use get_parent_contexts_by_contexts_response::ParentContextsPerChild as PerChild;
        let query = PARENT_CONTEXT_SELECT_BY_CHILDREN;
        let contexts = links::relatives_of_many(s, query, &r.context_ids)?
            .into_iter()
            .map(|(id, parent_contexts)| (id, PerChild { parent_contexts }))
            .collect();
        Ok(GetParentContextsByContextsResponse { contexts })
    }
    Read GetChildrenContextsByContexts(GetChildrenContextsByContextsRequest)
        -> GetChildrenContextsByContextsResponse |s, r|
    {
        use get_children_contexts_by_contexts_response::ChildrenContextsPerParent as PerParent;
        let query = PARENT_CONTEXT_SELECT_BY_PARENTS;
        let contexts = links::relatives_of_many(s, query, &r.context_ids)?
            .into_iter()
            .map(|(id, children_contexts)| (id, PerParent { children_contexts }))
            .collect();
        Ok(GetChildrenContextsByContextsResponse { contexts })
    }

    Read GetEventsByExecutionIDs(GetEventsByExecutionIDsRequest)
        -> GetEventsByExecutionIDsResponse |s, r|
    {
        let events = events::get(s, EVENT_SELECT_BY_EXECUTIONS, &r.execution_ids)?;
        Ok(GetEventsByExecutionIDsResponse { events })
    }
    Read GetEventsByArtifactIDs(GetEventsByArtifactIDsRequest)
        -> GetEventsByArtifactIDsResponse |s, r|
    {
        let events = events::get(s, EVENT_SELECT_BY_ARTIFACTS, &r.artifact_ids)?;
        Ok(GetEventsByArtifactIDsResponse { events })
    }
    Read GetLineageGraph(GetLineageGraphRequest) -> GetLineageGraphResponse |_s, _r| {
        Err(unimplemented("GetLineageGraph is gone").hint("use GetLineageSubgraph"))
    }
    Read GetLineageSubgraph(GetLineageSubgraphRequest) -> GetLineageSubgraphResponse |_s, _r| {
        Err(unimplemented("GetLineageSubgraph is not supported yet")
            .hint("it comes with the next release; follow GetEventsByArtifactIDs and \
                   GetEventsByExecutionIDs until then"))
    }
}
