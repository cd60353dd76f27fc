//! Whole lineage: the nodes that a trace finds, nearest first, in as many messages as it takes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use headwater_proto::headwater::v1::{
    Direction, PageToken, TraceLineageRequest, TraceLineageResponse, TracedCount, TracedNode,
    traced_node,
};
use headwater_proto::ml_metadata::lineage_subgraph_query_options::Direction as Hops;
use headwater_proto::ml_metadata::{Artifact, Event, Execution};
use prost::Message as _;

use crate::error::{Error, ErrorKind, Result, invalid, not_found};
use crate::filter::{Filter, Language};
use crate::kinds::Node;
use crate::limits::{READ_CHUNK, STREAM_MESSAGE_BYTES, TRACE_FILTERS_MAX, TRACED_NODES_MAX};
use crate::methods::Emit;
use crate::ops::lineage::{Side, hop};
use crate::ops::page::{malformed_token, read_token, write_token};
use crate::ops::selection::{Scope, Selection};
use crate::ops::{events, nodes, types};
use crate::rows;
use crate::store::Session;

/// A node that was found: how far away, on which side, and its id. The order of the answer.
type Place = (i32, Side, i64);

/// Follows the events and hands over what is found.
pub(crate) fn trace(
    session: &mut Session<'_>,
    request: &TraceLineageRequest,
    emit: Emit<'_, TraceLineageResponse>,
) -> Result<()> {
    let after = place_of(&request.page_token)?;
    let nodes_max = match usize::try_from(request.nodes_max) {
        Ok(0) => usize::MAX,
        Ok(most) => most,
        Err(_) => {
            let message = format!("nodes_max is {}, which is negative", request.nodes_max);
            return Err(invalid(message));
        }
    };
    let keep = (
        optional::<Artifact>(session, "keep_artifacts", &request.keep_artifacts)?,
        optional::<Execution>(session, "keep_executions", &request.keep_executions)?,
    );
    let found = Search::run(session, request)?;
    let kept = found.kept(session, keep)?;
    let mut parts = Parts { emit, part: TraceLineageResponse::default(), bytes: 0 };
    for count in counts(session, &kept)? {
        parts.add(count.encoded_len(), |part| part.counts.push(count))?;
    }
    parts.flush()?;
    if request.counts_only {
        return Ok(());
    }
    let begin = after.map_or(0, |after| kept.partition_point(|place| *place <= after));
    let end = kept.len().min(begin.saturating_add(nodes_max));
    let before = begin.checked_sub(1).map(|last| kept[last]);
    let placed = found.into_events_after(before);
    let mut events = &placed[..];
    for chunk in kept[begin..end].chunks(READ_CHUNK) {
        for node in complete(session, chunk)? {
            parts.add(node.encoded_len(), |part| part.nodes.push(node))?;
        }
        // An event goes with the farther of its nodes.
        let here = events.partition_point(|(place, _)| Some(place) <= chunk.last());
        parts.add_events(session, &events[..here])?;
        events = &events[here..];
        // What is there is sent: the first nodes are the ones that are looked at.
        parts.flush()?;
    }
    if end == kept.len() {
        // What is left leads to nodes that are left out.
        parts.add_events(session, events)?;
    } else if let Some((hops, side, id)) = kept[..end].last().copied() {
        let is_execution = side == Side::Executions;
        let token = PageToken { hops, id, is_execution, ..PageToken::default() };
        parts.part.next_page_token = Some(write_token(&token));
    }
    parts.flush()
}

/// Where a stream goes on.
fn place_of(token: &str) -> Result<Option<Place>> {
    if token.is_empty() {
        return Ok(None);
    }
    let token: PageToken = read_token(token)?;
    if !token.order_by.is_empty() || !token.keys.is_empty() {
        return Err(malformed_token());
    }
    Ok(Some((token.hops, side_of(token.is_execution), token.id)))
}

/// The messages of a stream, each about as large as every client takes it.
struct Parts<'e> {
    emit: Emit<'e, TraceLineageResponse>,
    part: TraceLineageResponse,
    bytes: usize,
}

impl Parts<'_> {
    fn add(&mut self, bytes: usize, add: impl FnOnce(&mut TraceLineageResponse)) -> Result<()> {
        if self.bytes > 0 && self.bytes + bytes > STREAM_MESSAGE_BYTES {
            self.flush()?;
        }
        self.bytes += bytes;
        add(&mut self.part);
        Ok(())
    }

    fn add_events(&mut self, session: &mut Session<'_>, events: &[(Place, Along)]) -> Result<()> {
        for chunk in events.chunks(READ_CHUNK) {
            let heads = chunk.iter().map(|(_, along)| along.head()).collect();
            for event in events::complete(session, heads)? {
                self.add(event.encoded_len(), |part| part.events.push(event))?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.bytes = 0;
        let part = std::mem::take(&mut self.part);
        if part == TraceLineageResponse::default() { Ok(()) } else { (self.emit)(part) }
    }
}

fn side_of(is_execution: bool) -> Side {
    if is_execution { Side::Executions } else { Side::Artifacts }
}

/// What a search has found.
struct Search {
    /// Hops from the nearest start, by side and id.
    hops: [HashMap<i64, i32>; 2],
    /// Every event gone along, once.
    events: Vec<Along>,
}

/// An event that the trace went along. There may be millions, so it is smaller than the message.
#[derive(Clone, Copy)]
struct Along {
    row: i64,
    /// Ids of the artifact and the execution.
    ends: [i64; 2],
    kind: Option<i32>,
    time_ms: Option<i64>,
}

impl Along {
    fn of(row: i64, event: &Event) -> Self {
        Self {
            row,
            ends: [event.artifact_id(), event.execution_id()],
            kind: event.r#type,
            time_ms: event.milliseconds_since_epoch,
        }
    }

    /// The event without its path, and the id of its row.
    fn head(&self) -> (i64, Event) {
        let event = Event {
            artifact_id: Some(self.ends[0]),
            execution_id: Some(self.ends[1]),
            r#type: self.kind,
            milliseconds_since_epoch: self.time_ms,
            ..Event::default()
        };
        (self.row, event)
    }
}

impl Search {
    fn run(session: &mut Session<'_>, request: &TraceLineageRequest) -> Result<Self> {
        let direction = match Direction::try_from(request.direction) {
            Ok(Direction::Unspecified) => Hops::Bidirectional,
            Ok(Direction::Upstream) => Hops::Upstream,
            Ok(Direction::Downstream) => Hops::Downstream,
            Err(_) => {
                return Err(invalid(format!("there is no direction {}", request.direction))
                    .hint("use UPSTREAM or DOWNSTREAM, or leave it out for both"));
            }
        };
        let hops_max = request.hops_max.unwrap_or(i32::MAX);
        if hops_max < 0 {
            return Err(invalid(format!("hops_max is {hops_max}, which is negative")));
        }
        let stops = [
            optional::<Artifact>(session, "stop_artifacts", &request.stop_artifacts)?,
            optional::<Execution>(session, "stop_executions", &request.stop_executions)?,
        ];
        let mut search = Self { hops: [HashMap::new(), HashMap::new()], events: Vec::new() };
        let mut frontier = [
            starts::<Artifact>(session, "start_artifacts", &request.start_artifacts)?,
            starts::<Execution>(session, "start_executions", &request.start_executions)?,
        ];
        if request.start_artifacts.is_empty() && request.start_executions.is_empty() {
            return Err(invalid("the request does not say where the trace starts")
                .hint("give a filter in `start_artifacts` or `start_executions`"));
        }
        if frontier.iter().all(Vec::is_empty) {
            return Err(not_found("no node matches the filters of the start"));
        }
        for side in [Side::Artifacts, Side::Executions] {
            search.hops[side as usize].extend(frontier[side as usize].iter().map(|id| (*id, 0)));
        }
        search.check_budget()?;
        let mut seen = HashSet::new();
        for hops in 1..=hops_max {
            for side in [Side::Artifacts, Side::Executions] {
                let ids = std::mem::take(&mut frontier[side as usize]);
                frontier[side as usize] = going_on(session, &stops[side as usize], side, ids)?;
            }
            if frontier.iter().all(Vec::is_empty) {
                break;
            }
            let mut next = [Vec::new(), Vec::new()];
            for from in [Side::Artifacts, Side::Executions] {
                for (row, event) in hop(session, from, direction, &frontier[from as usize])? {
                    let to = from.other();
                    let id = to.of(&event);
                    search.hops[to as usize].entry(id).or_insert_with(|| {
                        next[to as usize].push(id);
                        hops
                    });
                    if seen.insert(row) {
                        search.events.push(Along::of(row, &event));
                    }
                }
            }
            search.check_budget()?;
            frontier = next.map(nodes::distinct);
        }
        Ok(search)
    }

    fn check_budget(&self) -> Result<()> {
        let found = self.hops.iter().map(HashMap::len).sum::<usize>().max(self.events.len() / 4);
        if found <= TRACED_NODES_MAX {
            return Ok(());
        }
        let message = format!("the trace goes to more than {TRACED_NODES_MAX} nodes");
        Err(Error::new(ErrorKind::ResourceExhausted, message)
            .hint("limit it with `hops_max`, `stop_artifacts` or `stop_executions`"))
    }

    /// The nodes of the answer in its order.
    fn kept(
        &self,
        session: &mut Session<'_>,
        (artifacts, executions): (Option<Selection>, Option<Selection>),
    ) -> Result<Vec<Place>> {
        let mut kept = Vec::new();
        for side in [Side::Artifacts, Side::Executions] {
            let hops = &self.hops[side as usize];
            let ids = nodes::distinct(hops.keys().copied().collect());
            let ids = match side {
                Side::Artifacts => matching::<Artifact>(session, artifacts.as_ref(), ids)?,
                Side::Executions => matching::<Execution>(session, executions.as_ref(), ids)?,
            };
            kept.extend(ids.into_iter().map(|id| (hops[&id], side, id)));
        }
        kept.sort_unstable();
        Ok(kept)
    }

    /// The events whose farther node comes after a place, in the order of those nodes.
    fn into_events_after(self, after: Option<Place>) -> Vec<(Place, Along)> {
        let place = |along: &Along| {
            let ends = [Side::Artifacts, Side::Executions].map(|side| {
                let id = along.ends[side as usize];
                (self.hops[side as usize].get(&id).copied().unwrap_or(i32::MAX), side, id)
            });
            ends[0].max(ends[1])
        };
        let placed = self.events.into_iter().map(|along| (place(&along), along));
        let mut placed: Vec<_> =
            placed.filter(|(place, _)| after.is_none_or(|after| *place > after)).collect();
        placed.sort_unstable_by_key(|(place, along)| (*place, along.row));
        placed
    }
}

/// A filter on nodes that the trace has found.
fn optional<N: Node>(
    session: &mut Session<'_>,
    field: &str,
    filter: &str,
) -> Result<Option<Selection>> {
    if filter.is_empty() {
        return Ok(None);
    }
    Filter::parse(filter, N::KIND.noun, Language::Graph)
        .and_then(|filter| Selection::matching::<N>(session, Scope::All, filter))
        .map(Some)
        .map_err(|error| error.of_field(field))
}

fn starts<N: Node>(session: &mut Session<'_>, field: &str, filters: &[String]) -> Result<Vec<i64>> {
    if filters.len() > TRACE_FILTERS_MAX {
        let message = format!("{field} has {} filters", filters.len());
        return Err(invalid(message).hint(format!(
            "{TRACE_FILTERS_MAX} at most; join them with OR, as in `id IN (1, 2)`"
        )));
    }
    let mut ids = BTreeSet::new();
    for (at, filter) in filters.iter().enumerate() {
        let found = Selection::parse::<N>(session, filter)
            .and_then(|found| found.ids::<N>(session, Some(TRACED_NODES_MAX + 1)));
        ids.extend(found.map_err(|error| error.of_field(&format!("{field}[{at}]")))?);
    }
    Ok(ids.into_iter().collect())
}

fn matching<N: Node>(
    session: &mut Session<'_>,
    keep: Option<&Selection>,
    ids: Vec<i64>,
) -> Result<Vec<i64>> {
    // Without a filter, too: an event may name a node that does not exist.
    let all = Selection::from(Scope::All);
    keep.unwrap_or(&all).only(ids).ids::<N>(session, None)
}

/// The nodes at which the trace does not stop.
fn going_on(
    session: &mut Session<'_>,
    stop: &Option<Selection>,
    side: Side,
    ids: Vec<i64>,
) -> Result<Vec<i64>> {
    let Some(stop) = stop else { return Ok(ids) };
    let stopped = stop.only(ids.clone());
    let stopped: HashSet<i64> = match side {
        Side::Artifacts => stopped.ids::<Artifact>(session, None)?,
        Side::Executions => stopped.ids::<Execution>(session, None)?,
    }
    .into_iter()
    .collect();
    Ok(ids.into_iter().filter(|id| !stopped.contains(id)).collect())
}

/// How many nodes of each type there are at each distance.
fn counts(session: &mut Session<'_>, kept: &[Place]) -> Result<Vec<TracedCount>> {
    let mut counts: BTreeMap<(i32, Side, String), i64> = BTreeMap::new();
    for side in [Side::Artifacts, Side::Executions] {
        let of_side = kept.iter().filter(|place| place.1 == side);
        let hops: HashMap<i64, i32> = of_side.map(|(hops, _, id)| (*id, *hops)).collect();
        let by_type = match side {
            Side::Artifacts => counts_by_type::<Artifact>(session, &hops)?,
            Side::Executions => counts_by_type::<Execution>(session, &hops)?,
        };
        for (hops, name, nodes) in by_type {
            *counts.entry((hops, side, name)).or_default() += nodes;
        }
    }
    let count = |((hops, side, name), nodes)| TracedCount {
        hops,
        of_artifacts: side == Side::Artifacts,
        r#type: name,
        nodes,
    };
    Ok(counts.into_iter().map(count).collect())
}

/// How many nodes there are by distance and name of their type.
fn counts_by_type<N: Node>(
    session: &mut Session<'_>,
    hops: &HashMap<i64, i32>,
) -> Result<Vec<(i32, String, i64)>> {
    let ids: Vec<i64> = hops.keys().copied().collect();
    let mut counts: BTreeMap<(i32, i64), i64> = BTreeMap::new();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    session.query(N::KIND.queries.select_types, vec![ids[..].into()], &mut |row| {
        let (id, type_id) = (rows::int(row, 0)?, rows::int(row, 1)?);
        *counts.entry((hops[&id], type_id)).or_default() += 1;
        Ok(())
    })?;
    let type_ids = nodes::distinct(counts.keys().map(|(_, type_id)| *type_id).collect());
    let known = types::known::<N::Type>(session, &type_ids)?;
    let name = |type_id| known.get(&type_id).map(|known| known.name.clone()).unwrap_or_default();
    Ok(counts.into_iter().map(|((hops, id), nodes)| (hops, name(id), nodes)).collect())
}

/// Whole nodes in the order of their places; those that are too large together, half by half.
fn complete(session: &mut Session<'_>, places: &[Place]) -> Result<Vec<TracedNode>> {
    let read = read(session, places);
    if places.len() < 2
        || !read.as_ref().is_err_and(|error| error.kind() == ErrorKind::ResourceExhausted)
    {
        return read;
    }
    let (first, second) = places.split_at(places.len() / 2);
    let mut nodes = complete(session, first)?;
    nodes.extend(complete(session, second)?);
    Ok(nodes)
}

fn read(session: &mut Session<'_>, places: &[Place]) -> Result<Vec<TracedNode>> {
    let ids = |side| -> Vec<i64> {
        places.iter().filter(|place| place.1 == side).map(|place| place.2).collect()
    };
    let artifacts: Vec<Artifact> = nodes::get_by_ids(session, &ids(Side::Artifacts))?;
    let executions: Vec<Execution> = nodes::get_by_ids(session, &ids(Side::Executions))?;
    let mut found: HashMap<(Side, i64), traced_node::Node> = HashMap::new();
    for artifact in artifacts {
        let key = (Side::Artifacts, artifact.id());
        found.insert(key, traced_node::Node::Artifact(artifact));
    }
    for execution in executions {
        let key = (Side::Executions, execution.id());
        found.insert(key, traced_node::Node::Execution(execution));
    }
    let node = |(hops, side, id): &Place| {
        let node = found.remove(&(*side, *id));
        TracedNode { hops: *hops, node }
    };
    Ok(places.iter().map(node).collect())
}
