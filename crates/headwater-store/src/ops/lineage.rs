//! Lineage: what nodes come from and what came of them, hop by hop along the events. One statement
//! reads a hop, however many nodes it leaves from.

use std::collections::BTreeSet;

use headwater_proto::ml_metadata::event::Type;
use headwater_proto::ml_metadata::lineage_subgraph_query_options::{
    Direction, EndingNodes, StartingNodesOneOf,
};
use headwater_proto::ml_metadata::{
    Artifact, Association, Attribution, Context, Event, Execution, GetLineageSubgraphRequest,
    GetLineageSubgraphResponse, LineageGraph, LineageSubgraphQueryOptions,
};
use prost::Message as _;

use crate::backend::Value;
use crate::error::{Error, ErrorKind, Result, invalid, not_found};
use crate::filter::{Filter, Language, Trace};
use crate::kinds::Node;
use crate::limits::{LINEAGE_HOPS_MAX, LINEAGE_STARTS_MAX, TRACED_NODES_MAX};
use crate::ops::selection::{Scope, Selection};
use crate::ops::{events, nodes, types};
use crate::rows;
use crate::sql::build::Query;
use crate::sql::queries::{
    ASSOCIATION_SELECT_BY_EXECUTIONS, ATTRIBUTION_SELECT_BY_ARTIFACTS, EVENT_SELECT_BY_ARTIFACTS,
    EVENT_SELECT_BY_ARTIFACTS_AND_TYPES, EVENT_SELECT_BY_EXECUTIONS,
    EVENT_SELECT_BY_EXECUTIONS_AND_TYPES,
};
use crate::store::{Session, check_size};

/// Events that lead from an execution to an artifact.
const OUTPUTS: &[Type] =
    &[Type::DeclaredOutput, Type::Output, Type::InternalOutput, Type::PendingOutput];
/// Events that lead from an artifact to an execution.
const INPUTS: &[Type] = &[Type::DeclaredInput, Type::Input, Type::InternalInput];

/// The two kinds of node that events lie between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Side {
    Artifacts,
    Executions,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Side::Artifacts => Side::Executions,
            Side::Executions => Side::Artifacts,
        }
    }

    /// The end of an event on this side.
    pub(crate) fn of(self, event: &Event) -> i64 {
        match self {
            Side::Artifacts => event.artifact_id(),
            Side::Executions => event.execution_id(),
        }
    }
}

/// The events that lead away from nodes of one side in a direction, without their paths, and the
/// ids of their rows.
pub(crate) fn hop(
    session: &mut Session<'_>,
    from: Side,
    direction: Direction,
    ids: &[i64],
) -> Result<Vec<(i64, Event)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (all, by_type) = match from {
        Side::Artifacts => (EVENT_SELECT_BY_ARTIFACTS, EVENT_SELECT_BY_ARTIFACTS_AND_TYPES),
        Side::Executions => (EVENT_SELECT_BY_EXECUTIONS, EVENT_SELECT_BY_EXECUTIONS_AND_TYPES),
    };
    let types = match (direction, from) {
        (Direction::Upstream, Side::Artifacts) | (Direction::Downstream, Side::Executions) => {
            OUTPUTS
        }
        (Direction::Downstream, Side::Artifacts) | (Direction::Upstream, Side::Executions) => {
            INPUTS
        }
        (Direction::Unspecified | Direction::Bidirectional, _) => {
            return events::heads(session, all, vec![ids.into()]);
        }
    };
    let types: Vec<i64> = types.iter().map(|of| i64::from(*of as i32)).collect();
    events::heads(session, by_type, vec![ids.into(), Value::Ints(types.into())])
}

/// The nodes of one side at which a search ends.
struct Ending {
    selection: Option<Selection>,
    /// Whether they are in the answer, and the events that lead to them.
    included: bool,
    found: BTreeSet<i64>,
}

impl Ending {
    fn parse<N: Node>(session: &mut Session<'_>, nodes: Option<&EndingNodes>) -> Result<Self> {
        let text = nodes.and_then(|nodes| nodes.filter_query.as_deref());
        let selection = match text {
            None => None,
            // MLMD lists with this filter, and an empty one is none.
            Some("") => Some(Selection::from(Scope::All)),
            Some(text) => {
                let filter = Filter::parse(text, N::KIND.noun, Language::Contract)?;
                Some(Selection::matching::<N>(session, Scope::All, filter)?)
            }
        };
        let included = nodes.is_some_and(EndingNodes::include_ending_nodes);
        Ok(Self { selection, included, found: BTreeSet::new() })
    }

    /// Moves those of `ids` at which the search ends out of them.
    fn take<N: Node>(&mut self, session: &mut Session<'_>, ids: &mut BTreeSet<i64>) -> Result<()> {
        let Some(selection) = &self.selection else { return Ok(()) };
        let of = selection.only(ids.iter().copied().collect());
        for id in of.ids::<N>(session, None)? {
            ids.remove(&id);
            self.found.insert(id);
        }
        Ok(())
    }
}

fn filtered<N: Node>(session: &mut Session<'_>, text: &str) -> Result<Selection> {
    let filter = Filter::parse(text, N::KIND.noun, Language::Contract)?;
    Selection::filtered::<N>(session, Scope::All, filter)
}

/// A search in progress.
struct Search {
    direction: Direction,
    endings: [Ending; 2],
    visited: [BTreeSet<i64>; 2],
    events: Vec<(i64, Event)>,
    bytes: usize,
}

impl Search {
    /// Goes one hop, and answers the nodes that were not seen before.
    fn expand(&mut self, session: &mut Session<'_>, from: Side, ids: &[i64]) -> Result<Vec<i64>> {
        let to = from.other();
        let found = hop(session, from, self.direction, ids)?;
        let visited = &self.visited[to as usize];
        let ending = &mut self.endings[to as usize];
        let mut new: BTreeSet<i64> = found.iter().map(|(_, event)| to.of(event)).collect();
        new.retain(|id| !visited.contains(id) && !ending.found.contains(id));
        match to {
            Side::Artifacts => ending.take::<Artifact>(session, &mut new)?,
            Side::Executions => ending.take::<Execution>(session, &mut new)?,
        }
        let is_directed = matches!(self.direction, Direction::Upstream | Direction::Downstream);
        for (row, event) in found {
            let id = to.of(&event);
            // In both directions the way back to where the search came from is not a second event.
            let kept = if ending.found.contains(&id) {
                ending.included
            } else {
                is_directed || !visited.contains(&id)
            };
            if kept {
                self.bytes += event.encoded_len();
                check_size("answer", self.bytes)?;
                self.events.push((row, event));
            }
        }
        self.visited[to as usize].extend(&new);
        Ok(new.into_iter().collect())
    }

    /// The nodes of one side that are in the answer.
    fn nodes(&self, side: Side) -> Vec<i64> {
        let ending = &self.endings[side as usize];
        let ended = ending.found.iter().filter(|_| ending.included);
        self.visited[side as usize].iter().chain(ended).copied().collect()
    }
}

/// The graph around the nodes that a filter finds. Nodes have their ids only.
pub(crate) fn subgraph(
    session: &mut Session<'_>,
    request: &GetLineageSubgraphRequest,
) -> Result<GetLineageSubgraphResponse> {
    let options = request.lineage_subgraph_query_options.as_ref();
    let options = options.ok_or_else(|| missing("`lineage_subgraph_query_options`"))?;
    let hops = match options.max_num_hops {
        Some(hops) if hops < 0 => {
            return Err(invalid(format!("max_num_hops is {hops}, which is negative")));
        }
        hops => hops.unwrap_or(LINEAGE_HOPS_MAX).min(LINEAGE_HOPS_MAX),
    };
    let (start, text) = match &options.starting_nodes {
        Some(StartingNodesOneOf::StartingArtifacts(nodes)) => {
            (Side::Artifacts, nodes.filter_query())
        }
        Some(StartingNodesOneOf::StartingExecutions(nodes)) => {
            (Side::Executions, nodes.filter_query())
        }
        None => return Err(missing("starting nodes")),
    };
    if text.is_empty() {
        return Err(missing("`filter_query` for the starting nodes"));
    }
    let mut search = search(session, options)?;
    let mut frontier = starts(session, &mut search, start, text)
        .map_err(|error| error.of_field("starting nodes"))?;
    let mut from = start;
    for _ in 0..hops {
        if frontier.is_empty() {
            break;
        }
        frontier = search.expand(session, from, &frontier)?;
        from = from.other();
    }
    let mask = request.read_mask.as_ref().map_or(&[][..], |mask| &mask.paths);
    let graph = graph(session, search, |path| mask.is_empty() || mask.iter().any(|of| of == path))?;
    Ok(GetLineageSubgraphResponse { lineage_subgraph: Some(graph) })
}

fn missing(what: &str) -> Error {
    invalid(format!("the request has no {what}")).hint(
        "name where the lineage starts, such as `starting_artifacts { filter_query: \"id = 1\" }`",
    )
}

fn search(session: &mut Session<'_>, options: &LineageSubgraphQueryOptions) -> Result<Search> {
    let endings = [
        Ending::parse::<Artifact>(session, options.ending_artifacts.as_ref())
            .map_err(|error| error.of_field("ending_artifacts"))?,
        Ending::parse::<Execution>(session, options.ending_executions.as_ref())
            .map_err(|error| error.of_field("ending_executions"))?,
    ];
    let direction = options.direction();
    let visited = [BTreeSet::new(), BTreeSet::new()];
    Ok(Search { direction, endings, visited, events: Vec::new(), bytes: 0 })
}

/// The nodes that the search starts from, of which MLMD takes the first 101.
fn starts(
    session: &mut Session<'_>,
    search: &mut Search,
    side: Side,
    text: &str,
) -> Result<Vec<i64>> {
    let found = match side {
        Side::Artifacts => {
            let of = filtered::<Artifact>(session, text)?;
            of.ids::<Artifact>(session, Some(LINEAGE_STARTS_MAX))?
        }
        Side::Executions => {
            let of = filtered::<Execution>(session, text)?;
            of.ids::<Execution>(session, Some(LINEAGE_STARTS_MAX))?
        }
    };
    if found.is_empty() {
        return Err(not_found("no node matches the filter"));
    }
    let mut starts: BTreeSet<i64> = found.into_iter().collect();
    let ending = &mut search.endings[side as usize];
    match side {
        Side::Artifacts => ending.take::<Artifact>(session, &mut starts)?,
        Side::Executions => ending.take::<Execution>(session, &mut starts)?,
    }
    search.visited[side as usize].extend(&starts);
    Ok(starts.into_iter().collect())
}

/// What a search found, as far as the mask asks for it.
fn graph(
    session: &mut Session<'_>,
    search: Search,
    asked: impl Fn(&str) -> bool,
) -> Result<LineageGraph> {
    let artifacts = search.nodes(Side::Artifacts);
    let executions = search.nodes(Side::Executions);
    let mut graph = LineageGraph::default();
    let mut attributions = Vec::new();
    let mut associations = Vec::new();
    if asked("contexts") || asked("attributions") {
        attributions = pairs(session, ATTRIBUTION_SELECT_BY_ARTIFACTS, &artifacts)?;
    }
    if asked("contexts") || asked("associations") {
        associations = pairs(session, ASSOCIATION_SELECT_BY_EXECUTIONS, &executions)?;
    }
    if asked("contexts") {
        let contexts = attributions.iter().chain(&associations).map(|(context, _)| *context);
        graph.contexts = nodes::distinct(contexts.collect())
            .into_iter()
            .map(|id| Context { id: Some(id), ..Context::default() })
            .collect();
    }
    if asked("attributions") {
        let link = |(context, artifact)| Attribution {
            context_id: Some(context),
            artifact_id: Some(artifact),
            ..Attribution::default()
        };
        graph.attributions = attributions.into_iter().map(link).collect();
    }
    if asked("associations") {
        let link = |(context, execution)| Association {
            context_id: Some(context),
            execution_id: Some(execution),
            ..Association::default()
        };
        graph.associations = associations.into_iter().map(link).collect();
    }
    if asked("artifacts") {
        let node = |id| Artifact { id: Some(id), ..Artifact::default() };
        graph.artifacts = artifacts.into_iter().map(node).collect();
    }
    if asked("executions") {
        let node = |id| Execution { id: Some(id), ..Execution::default() };
        graph.executions = executions.into_iter().map(node).collect();
    }
    if asked("events") {
        graph.events = events::complete(session, search.events)?;
    }
    if asked("artifact_types") {
        graph.artifact_types = types::get_all_with_system_types(session)?;
    }
    if asked("execution_types") {
        graph.execution_types = types::get_all_with_system_types(session)?;
    }
    if asked("context_types") {
        graph.context_types = types::get_all_with_system_types(session)?;
    }
    Ok(graph)
}

/// Links of contexts to some nodes: the context and the node.
fn pairs(session: &mut Session<'_>, query: Query, ids: &[i64]) -> Result<Vec<(i64, i64)>> {
    let mut pairs = Vec::new();
    if ids.is_empty() {
        return Ok(pairs);
    }
    session.query(query, vec![ids.into()], &mut |row| {
        pairs.push((rows::int(row, 0)?, rows::int(row, 1)?));
        // A link takes some ten bytes in an answer.
        check_size("answer", pairs.len() * 10)
    })?;
    Ok(pairs)
}

/// The nodes of kind `N` that have a node which a trace's filter matches on the way that the trace
/// goes.
pub(crate) fn reached<N: Node>(session: &mut Session<'_>, trace: &Trace) -> Result<Vec<i64>> {
    let filter = (*trace.filter).clone();
    let (mut from, mut frontier) = if trace.kind.of_artifacts {
        let of = Selection::filtered::<Artifact>(session, Scope::All, filter)?;
        (Side::Artifacts, of.ids::<Artifact>(session, None)?)
    } else {
        let of = Selection::filtered::<Execution>(session, Scope::All, filter)?;
        (Side::Executions, of.ids::<Execution>(session, None)?)
    };
    let wanted =
        if N::KIND.noun == Artifact::KIND.noun { Side::Artifacts } else { Side::Executions };
    // What has something upstream is downstream of that.
    let direction = if trace.kind.upstream { Direction::Downstream } else { Direction::Upstream };
    let mut visited = [BTreeSet::new(), BTreeSet::new()];
    visited[from as usize].extend(frontier.iter().copied());
    let mut reached = BTreeSet::new();
    let mut hops = 0;
    while !frontier.is_empty() && trace.hops.is_none_or(|most| hops < most) {
        hops += 1;
        let to = from.other();
        let found: BTreeSet<i64> = hop(session, from, direction, &frontier)?
            .iter()
            .map(|(_, event)| to.of(event))
            .collect();
        if to == wanted {
            reached.extend(&found);
        }
        frontier = found.into_iter().filter(|id| visited[to as usize].insert(*id)).collect();
        if visited[0].len() + visited[1].len() > TRACED_NODES_MAX {
            let message =
                format!("a trace of the filter goes to more than {TRACED_NODES_MAX} nodes");
            return Err(Error::new(ErrorKind::ResourceExhausted, message).hint(
                "limit its hops, as in `upstream(name = 'x', hops <= 4)`, or name fewer nodes",
            ));
        }
        from = to;
    }
    Ok(reached.into_iter().collect())
}
