//! Whole steps of a pipeline in one transaction: an execution with its artifacts, events and
//! contexts, or a subgraph of them.

use std::collections::{HashMap, HashSet};

use headwater_proto::ml_metadata::{
    Artifact, Context, Event, Execution, PutExecutionRequest, PutExecutionResponse,
    PutLineageSubgraphRequest, PutLineageSubgraphResponse, put_execution_request,
};

use crate::backend::{Row, Value};
use crate::error::{ErrorKind, Result, internal, invalid, not_found};
use crate::kinds::Node;
use crate::ops::nodes::{self, New, PutOptions, distinct};
use crate::ops::{events, links, types};
use crate::rows;
use crate::sql::build::Query;
use crate::store::Session;
use crate::validate;

/// Puts an execution, the artifacts it used or made, their events, and the contexts of all.
pub(crate) fn put_execution(
    session: &mut Session<'_>,
    request: &PutExecutionRequest,
) -> Result<PutExecutionResponse> {
    let options = request.options.unwrap_or_default();
    let pairs = &request.artifact_event_pairs;
    let artifacts: Vec<Artifact> = pairs.iter().filter_map(|pair| pair.artifact.clone()).collect();
    let (found, put, execution_id) = match make_nodes(session, request, &artifacts)? {
        Some(made) => made,
        None => put_nodes(session, request, artifacts)?,
    };
    let artifact_ids = put_pair_events(session, pairs, put, execution_id, &found)?;
    let context_ids = put_contexts(
        session,
        &request.contexts,
        options.reuse_context_if_already_exist(),
        options.force_reuse_context().then_some(&found.contexts),
        found.named,
    )?;
    let members = distinct(artifact_ids.clone());
    links::put_all(session, &distinct(context_ids.clone()), &members, &[execution_id])?;
    Ok(PutExecutionResponse { execution_id: Some(execution_id), artifact_ids, context_ids })
}

/// Makes the artifacts and the execution of a step that are all new, together with reading what it
/// names. Answers nothing if they are not, or if one is to be refused: that is said in its order.
fn make_nodes(
    session: &mut Session<'_>,
    request: &PutExecutionRequest,
    artifacts: &[Artifact],
) -> Result<Option<(Found, Vec<i64>, i64)>> {
    let options = request.options.unwrap_or_default();
    let reuse = options.reuse_artifact_if_already_exist_by_external_id();
    let executions = request.execution.as_slice();
    if executions.iter().any(|execution| execution.id.is_some())
        || artifacts.iter().any(|of| of.id.is_some() || reuse && reusable_id(of).is_some())
    {
        return Ok(None);
    }
    let (artifacts, no_artifact) = New::check(session, artifacts)?;
    let (executions, no_execution) = New::check(session, executions)?;
    if no_artifact.and(no_execution).is_err() {
        return Ok(None);
    }
    let mut found = Found::default();
    let wanted = Wanted::of(request);
    let queries = wanted.queries();
    let rows = [artifacts.rows(session), executions.rows(session)];
    let made = session.flight(queries, &mut |at, row| found.take(wanted.asked[at], row), &rows);
    let ids = made.map_err(|refused| match refused.insertion {
        Some(0) => artifacts.exists_already(refused.error),
        Some(_) => executions.exists_already(refused.error),
        None => refused.error,
    })?;
    let [artifact_ids, execution_ids] =
        <[Vec<i64>; 2]>::try_from(ids).map_err(|_| internal("an insertion has no answer"))?;
    artifacts.put_properties(session, &artifact_ids)?;
    executions.put_properties(session, &execution_ids)?;
    let execution_id = put_one(&execution_ids)?;
    Ok(Some((found, artifact_ids, execution_id)))
}

/// Puts the artifacts and the execution of a step in their order.
fn put_nodes(
    session: &mut Session<'_>,
    request: &PutExecutionRequest,
    artifacts: Vec<Artifact>,
) -> Result<(Found, Vec<i64>, i64)> {
    let options = request.options.unwrap_or_default();
    let mut found = Found::default();
    let wanted = Wanted::of(request);
    let queries = wanted.queries();
    if !queries.is_empty() {
        session.queries(queries, &mut |at, row| found.take(wanted.asked[at], row))?;
    }
    let reuse = options.reuse_artifact_if_already_exist_by_external_id();
    let put = put_artifacts(session, artifacts, reuse)?;
    let force =
        PutOptions { force_update_time: options.force_update_time(), ..PutOptions::default() };
    let execution_ids = nodes::put(session, request.execution.as_slice(), &force)?;
    Ok((found, put, put_one(&execution_ids)?))
}

fn put_one(ids: &[i64]) -> Result<i64> {
    ids.first().copied().ok_or_else(|| internal("the execution was not put"))
}

/// Puts artifacts in their order. With `reuse`, one whose external id is stored already updates
/// that artifact, also when the request itself has stored it a moment before.
fn put_artifacts(
    session: &mut Session<'_>,
    mut artifacts: Vec<Artifact>,
    reuse: bool,
) -> Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(artifacts.len());
    let mut rest = &mut artifacts[..];
    while !rest.is_empty() {
        let length = if reuse { lookup_run(rest) } else { rest.len() };
        let (run, later) = rest.split_at_mut(length);
        if reuse {
            reuse_by_external_id(session, run)?;
        }
        ids.extend(put_reused(session, run, reuse)?);
        rest = later;
    }
    Ok(ids)
}

/// Puts artifacts that may be there already, if they are looked for by their external ids.
fn put_reused(session: &mut Session<'_>, artifacts: &[Artifact], reuse: bool) -> Result<Vec<i64>> {
    let put = nodes::put(session, artifacts, &PutOptions::default());
    put.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists if reuse => session.lost_race(error),
        _ => error,
    })
}

/// How many artifacts can be looked up by external id before any of them is written: up to one
/// whose external id an earlier one may take or, being an update by id, let go.
fn lookup_run(artifacts: &[Artifact]) -> usize {
    let mut seen = HashSet::new();
    let mut updates = false;
    artifacts
        .iter()
        .take_while(|artifact| {
            updates |= artifact.id.is_some();
            reusable_id(artifact).is_none_or(|id| !updates && seen.insert(id))
        })
        .count()
}

/// The external id under which an artifact may be stored already.
fn reusable_id(artifact: &Artifact) -> Option<&str> {
    let new = artifact.id.is_none();
    artifact.external_id.as_deref().filter(|id| new && !id.is_empty())
}

/// Gives artifacts the ids of those that are stored under their external ids.
fn reuse_by_external_id(session: &mut Session<'_>, artifacts: &mut [Artifact]) -> Result<()> {
    let external_ids: Vec<&str> = artifacts.iter().filter_map(reusable_id).collect();
    let stored: HashMap<String, i64> =
        nodes::find_by_external_ids::<Artifact>(session, &external_ids)?
            .into_iter()
            .filter_map(|artifact| Some((artifact.external_id?, artifact.id?)))
            .collect();
    for artifact in artifacts {
        if let Some(id) = reusable_id(artifact).and_then(|id| stored.get(id)) {
            artifact.id = Some(*id);
        }
    }
    Ok(())
}

/// Records the events of the pairs and answers the artifact of each pair; an empty pair has −1.
fn put_pair_events(
    session: &mut Session<'_>,
    pairs: &[put_execution_request::ArtifactAndEvent],
    put: Vec<i64>,
    execution_id: i64,
    found: &Found,
) -> Result<Vec<i64>> {
    let mut put = put.into_iter();
    let mut artifact_ids = Vec::with_capacity(pairs.len());
    let mut recorded: Vec<Event> = Vec::with_capacity(pairs.len());
    for (at, pair) in pairs.iter().enumerate() {
        let put_id = pair.artifact.as_ref().and_then(|_| put.next());
        let Some(event) = &pair.event else {
            artifact_ids.push(put_id.unwrap_or(-1));
            continue;
        };
        if event.execution_id.is_some_and(|id| id != execution_id) {
            return Err(invalid(format!(
                "the event of artifact_event_pairs[{at}] belongs to execution {}, not to \
                 execution {execution_id} of the request",
                event.execution_id()
            )));
        }
        let artifact_id = match (put_id, event.artifact_id) {
            (Some(id), None) => id,
            (Some(id), Some(named)) if id == named => id,
            (Some(id), Some(named)) => {
                return Err(invalid(format!(
                    "the event of artifact_event_pairs[{at}] belongs to artifact {named}, not to \
                     artifact {id} of the pair"
                )));
            }
            (None, Some(named)) => {
                nodes::check_found::<Artifact>(&found.artifacts, named)?;
                named
            }
            (None, None) => {
                return Err(invalid(format!("artifact_event_pairs[{at}] names no artifact"))
                    .hint("set the artifact of the pair or the artifact_id of the event"));
            }
        };
        artifact_ids.push(artifact_id);
        let event = Event {
            artifact_id: Some(artifact_id),
            execution_id: Some(execution_id),
            ..event.clone()
        };
        validate::event(&event)?;
        recorded.push(event);
    }
    events::insert(session, &recorded)?;
    Ok(artifact_ids)
}

/// What is stored of the nodes that a request names and does not put.
#[derive(Default)]
struct Found {
    artifacts: HashSet<i64>,
    contexts: HashSet<i64>,
    /// The contexts that new ones of the request stand for, by type and name.
    named: HashMap<(i64, String), i64>,
}

impl Found {
    fn take(&mut self, what: What, row: &dyn Row) -> Result<()> {
        match what {
            What::Artifacts => drop(self.artifacts.insert(rows::int(row, 0)?)),
            What::Contexts => drop(self.contexts.insert(rows::int(row, 0)?)),
            What::Named => self.named.extend(keyed(rows::node(row)?)),
        }
        Ok(())
    }
}

/// What is looked for.
#[derive(Clone, Copy)]
enum What {
    Artifacts,
    Contexts,
    Named,
}

/// What a request names and does not put.
struct Wanted<'r> {
    artifacts: Vec<i64>,
    contexts: Vec<i64>,
    types: Vec<i64>,
    names: Vec<&'r str>,
    /// What each of the queries asks for.
    asked: Vec<What>,
}

impl<'r> Wanted<'r> {
    fn of(request: &'r PutExecutionRequest) -> Self {
        let options = request.options.unwrap_or_default();
        let pairs = request.artifact_event_pairs.iter().filter(|pair| pair.artifact.is_none());
        let artifacts = pairs.filter_map(|pair| pair.event.as_ref()?.artifact_id);
        let artifacts = distinct(artifacts.collect());
        let contexts = request.contexts.iter().filter_map(|context| context.id);
        let contexts = distinct(contexts.filter(|_| options.force_reuse_context()).collect());
        let (types, names) =
            names_of_new(&request.contexts, options.reuse_context_if_already_exist());
        let asked = [
            (!artifacts.is_empty(), What::Artifacts),
            (!contexts.is_empty(), What::Contexts),
            (!names.is_empty() && !types.is_empty(), What::Named),
        ];
        let asked = asked.into_iter().filter_map(|(is_asked, what)| is_asked.then_some(what));
        let asked = asked.collect();
        Self { artifacts, contexts, types, names, asked }
    }

    fn queries(&self) -> Vec<(Query, Vec<Value<'_>>)> {
        let (of_artifact, of_context) = (Artifact::KIND.queries, Context::KIND.queries);
        let query = |what: &What| match what {
            What::Artifacts => (of_artifact.select_existing_ids, vec![self.artifacts[..].into()]),
            What::Contexts => (of_context.select_existing_ids, vec![self.contexts[..].into()]),
            What::Named => {
                let names = Value::Texts(self.names.clone());
                (of_context.select_by_type_and_name, vec![self.types[..].into(), names])
            }
        };
        self.asked.iter().map(query).collect()
    }
}

/// Puts contexts in their order and answers their ids. `forced` has those that exist of the ones
/// that are taken as they are, `named` the ids by which new ones are known.
fn put_contexts(
    session: &mut Session<'_>,
    contexts: &[Context],
    reuse: bool,
    forced: Option<&HashSet<i64>>,
    mut named: HashMap<(i64, String), i64>,
) -> Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(contexts.len());
    let mut rest = contexts;
    while let Some(context) = rest.first() {
        if let (Some(existing), Some(id)) = (forced, context.id) {
            if !existing.contains(&id) {
                return Err(not_found(format!("there is no context with id {id}")));
            }
            ids.push(id);
            rest = &rest[1..];
            continue;
        }
        let key = context_key(context)?;
        if let Some(id) = named.get(&key).filter(|_| reuse && context.id.is_none()) {
            ids.push(*id);
            rest = &rest[1..];
            continue;
        }
        let (run, later) = rest.split_at(new_run(rest, &named));
        let put = nodes::put(session, run, &PutOptions::default());
        let put = put.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists if reuse => session.lost_race(error.reworded(
                ErrorKind::Aborted,
                "a context of the request was made by somebody else at the same time",
            )),
            _ => error,
        })?;
        // An update by id may have renamed the context.
        named.retain(|_, id| !put.contains(id));
        for (context, id) in run.iter().zip(&put) {
            named.insert(context_key(context)?, *id);
        }
        ids.extend(put);
        rest = later;
    }
    Ok(ids)
}

/// How many contexts from the first on can be put together: one that is updated, or new ones of
/// different names.
fn new_run(contexts: &[Context], named: &HashMap<(i64, String), i64>) -> usize {
    let mut seen = HashSet::new();
    let is_new = |context: &&Context| {
        context.id.is_none()
            && context_key(context).is_ok_and(|key| !named.contains_key(&key) && seen.insert(key))
    };
    contexts.iter().take_while(is_new).count().max(1)
}

/// What makes a context the same.
fn context_key(context: &Context) -> Result<(i64, String)> {
    match (context.type_id, &context.name) {
        (Some(type_id), Some(name)) => Ok((type_id, name.clone())),
        _ => Err(invalid("a context of the request has no type_id or no name")
            .hint("both are needed, also to update a context by its id")),
    }
}

fn keyed(context: Context) -> Option<((i64, String), i64)> {
    Some(((context.type_id?, context.name?), context.id?))
}

/// Types and names of the contexts of a request that may be stored already.
fn names_of_new(contexts: &[Context], reuse: bool) -> (Vec<i64>, Vec<&str>) {
    let new = || contexts.iter().filter(|context| reuse && context.id.is_none());
    let types = distinct(new().filter_map(|context| context.type_id).collect());
    (types, new().filter_map(|context| context.name.as_deref()).collect())
}

/// The stored contexts that new ones of the request stand for, by type and name.
fn find_contexts(
    session: &mut Session<'_>,
    contexts: &[Context],
    reuse: bool,
) -> Result<HashMap<(i64, String), i64>> {
    let (types, names) = names_of_new(contexts, reuse);
    let found = nodes::find_by_types_and_names::<Context>(session, &types, &names)?;
    Ok(found.into_iter().filter_map(keyed).collect())
}

/// Puts contexts, artifacts and executions, all linked with each other, and their events.
pub(crate) fn put_lineage_subgraph(
    session: &mut Session<'_>,
    request: &PutLineageSubgraphRequest,
) -> Result<PutLineageSubgraphResponse> {
    let options = request.options.unwrap_or_default();
    check_nodes(session, &request.artifacts)?;
    check_nodes(session, &request.executions)?;
    check_nodes(session, &request.contexts)?;

    let reuse_contexts = options.reuse_context_if_already_exist();
    let named = find_contexts(session, &request.contexts, reuse_contexts)?;
    let context_ids = put_contexts(session, &request.contexts, reuse_contexts, None, named)?;
    let mut artifacts = request.artifacts.clone();
    let reuse = options.reuse_artifact_if_already_exist_by_external_id();
    if reuse {
        reuse_by_external_id(session, &mut artifacts)?;
    }
    let artifact_ids = put_reused(session, &artifacts, reuse)?;
    let execution_ids = nodes::put(session, &request.executions, &PutOptions::default())?;
    links::put_all(
        session,
        &distinct(context_ids.clone()),
        &distinct(artifact_ids.clone()),
        &distinct(execution_ids.clone()),
    )?;
    put_edge_events(session, request, &artifact_ids, &execution_ids)?;
    Ok(PutLineageSubgraphResponse { execution_ids, artifact_ids, context_ids })
}

/// Checks types and properties of all nodes before any is written, also of those to be updated.
fn check_nodes<N: Node>(session: &mut Session<'_>, nodes: &[N]) -> Result<()> {
    let type_ids = distinct(nodes.iter().filter_map(Node::type_id).collect());
    let mut known = types::known::<N::Type>(session, &type_ids)?;
    nodes.iter().try_for_each(|node| nodes::check_type_and_properties(session, node, &mut known))
}

fn put_edge_events(
    session: &mut Session<'_>,
    request: &PutLineageSubgraphRequest,
    artifact_ids: &[i64],
    execution_ids: &[i64],
) -> Result<()> {
    let at = |ids: &[i64], index: Option<i32>| {
        index.and_then(|index| usize::try_from(index).ok()).and_then(|at| ids.get(at).copied())
    };
    let mut recorded = Vec::with_capacity(request.event_edges.len());
    for edge in &request.event_edges {
        let mut event = edge.event.clone().unwrap_or_default();
        event.artifact_id = event.artifact_id.or(at(artifact_ids, edge.artifact_index));
        event.execution_id = event.execution_id.or(at(execution_ids, edge.execution_index));
        validate::event(&event)?;
        recorded.push(event);
    }
    let put: HashSet<i64> = artifact_ids.iter().copied().collect();
    let named = recorded.iter().map(Event::artifact_id).filter(|id| !put.contains(id)).collect();
    nodes::require::<Artifact>(session, named)?;
    let put: HashSet<i64> = execution_ids.iter().copied().collect();
    let named = recorded.iter().map(Event::execution_id).filter(|id| !put.contains(id)).collect();
    nodes::require::<Execution>(session, named)?;
    events::insert(session, &recorded)
}
