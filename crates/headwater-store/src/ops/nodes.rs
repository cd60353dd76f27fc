//! Nodes: making, changing, reading and listing artifacts, executions and contexts.

use std::collections::{HashMap, HashSet};

use crate::backend::{Insertion, Value};
use crate::error::{Error, ErrorKind, Result, data_loss, internal, invalid, not_found};
use crate::kinds::{Node, NodeType, Properties};
use crate::limits::READ_CHUNK;
use crate::ops::drafts::{Draft, Sink};
use crate::ops::types::{self, KnownTypes};
use crate::rows::{self, value_columns};
use crate::sql::Dialect;
use crate::sql::build::Query;
use crate::store::{Session, check_size};
use crate::validate::{self, Mask};

/// How nodes are put.
#[derive(Debug, Default)]
pub(crate) struct PutOptions<'o> {
    /// What an update touches; ignored where a node is made.
    pub(crate) mask: Mask<'o>,
    /// Whether an update counts as a change even if nothing differs.
    pub(crate) force_update_time: bool,
    /// Whether an update is refused when the node was changed since the caller read it.
    pub(crate) abort_if_changed: bool,
}

/// Makes the nodes without an id, changes those with one, and answers their ids in order.
///
/// Elements are taken in runs that are all new or all updates of different nodes, so that a run
/// costs a fixed number of statements and the elements still take effect in their order.
pub(crate) fn put<N: Node>(
    session: &mut Session<'_>,
    nodes: &[N],
    options: &PutOptions<'_>,
) -> Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(nodes.len());
    let mut rest = nodes;
    while let Some(first) = rest.first() {
        let (run, later) = rest.split_at(run_length(rest));
        if first.id().is_some() {
            update(session, run, options)?;
            ids.extend(run.iter().filter_map(Node::id));
        } else {
            ids.extend(create(session, run)?);
        }
        rest = later;
    }
    Ok(ids)
}

fn run_length<N: Node>(nodes: &[N]) -> usize {
    let creates = nodes.first().is_some_and(|node| node.id().is_none());
    let mut seen = HashSet::new();
    nodes
        .iter()
        .take_while(|node| node.id().map_or(creates, |id| !creates && seen.insert(id)))
        .count()
}

/// Splits off what follows the first element that is refused. The elements before it are still
/// written, because the database may refuse one of them, and the caller hears of the first.
fn until_refused<T>(checked: impl Iterator<Item = Result<T>>) -> (Vec<T>, Result<()>) {
    let mut accepted = Vec::new();
    for element in checked {
        match element {
            Ok(element) => accepted.push(element),
            Err(error) => return (accepted, Err(error)),
        }
    }
    (accepted, Ok(()))
}

fn create<N: Node>(session: &mut Session<'_>, nodes: &[N]) -> Result<Vec<i64>> {
    let (new, refused) = New::check(session, nodes)?;
    let rows = new.rows(session);
    let ids = session.insert(rows.insert, rows.values);
    let ids = ids.map_err(|error| new.exists_already(error))?;
    new.put_properties(session, &ids)?;
    refused.map(|()| ids)
}

/// Nodes that are to be made and were checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct New<'n, N> {
    nodes: &'n [N],
}

impl<'n, N: Node> New<'n, N> {
    /// Checks nodes without an id: those before the first that is refused, and why that one is.
    pub(crate) fn check(session: &mut Session<'_>, nodes: &'n [N]) -> Result<(Self, Result<()>)> {
        let type_ids: Vec<i64> = nodes.iter().filter_map(Node::type_id).collect();
        let mut known = types::known::<N::Type>(session, &distinct(type_ids))?;
        let checked = nodes.iter().map(|node| check_new(session, node, &mut known));
        let (accepted, refused) = until_refused(checked);
        Ok((Self { nodes: &nodes[..accepted.len()] }, refused))
    }

    /// Their rows without the properties.
    pub(crate) fn rows(&self, session: &Session<'_>) -> Insertion<'n> {
        let now = session.now_ms;
        let mut values = Vec::new();
        for node in self.nodes {
            values.extend([
                node.type_id().map(|id| session.type_that_counts(id)).into(),
                node.name().into(),
                node.external_id().into(),
                now.into(),
                now.into(),
            ]);
            values.extend(node.insert_details());
        }
        Insertion { insert: &N::KIND.queries.insert, values }
    }

    /// Says which node the rows were refused for.
    pub(crate) fn exists_already(&self, error: Error) -> Error {
        exists_already(error, self.nodes, ErrorKind::AlreadyExists)
    }

    /// Puts the properties of the nodes, which have got these ids.
    pub(crate) fn put_properties(&self, session: &mut Session<'_>, ids: &[i64]) -> Result<()> {
        if ids.len() != self.nodes.len() {
            return Err(internal("the database gave fewer ids than rows were inserted"));
        }
        let dialect = session.dialect();
        let mut values = Vec::new();
        for (node, id) in self.nodes.iter().zip(ids) {
            property_rows(*id, false, dialect, node.properties().iter(), &mut values);
            property_rows(*id, true, dialect, node.custom_properties().iter(), &mut values);
        }
        session.insert(&N::KIND.queries.insert_properties, values).map(drop)
    }
}

/// Checks a node that is to be made.
pub(crate) fn check_new<N: Node>(
    session: &mut Session<'_>,
    node: &N,
    known: &mut KnownTypes,
) -> Result<()> {
    check_type_and_properties(session, node, known)?;
    validate::node_fields(node)?;
    if N::KIND.name_required {
        validate::context_name(node.name())?;
    }
    Ok(())
}

/// Checks that the type a node names exists and has its properties.
pub(crate) fn check_type_and_properties<N: Node>(
    session: &mut Session<'_>,
    node: &N,
    known: &mut KnownTypes,
) -> Result<()> {
    let type_id =
        node.type_id().ok_or_else(|| invalid(format!("the {} has no type_id", N::KIND.noun)))?;
    check_properties(session, node, type_id, known, &Mask::default())
}

/// Checks a node's properties against a type. What is known of the type may be older than a
/// property that was added to it, so an unknown one is looked up before it is refused.
fn check_properties<N: Node>(
    session: &mut Session<'_>,
    node: &N,
    type_id: i64,
    known: &mut KnownTypes,
    mask: &Mask<'_>,
) -> Result<()> {
    let missing = || not_found(format!("there is no {} type with id {type_id}", N::KIND.noun));
    let first = known.get(&type_id).ok_or_else(missing)?;
    if validate::properties(node, first, mask)?.is_some() {
        return Ok(());
    }
    known.extend(types::reread::<N::Type>(session, &[type_id])?);
    let reread = known.get(&type_id).ok_or_else(missing)?;
    match validate::properties(node, reread, mask)? {
        Some(()) => Ok(()),
        None => Err(validate::unknown_property(node, reread, mask)),
    }
}

/// Names the node that is there already.
fn exists_already<N: Node>(error: Error, nodes: &[N], kind: ErrorKind) -> Error {
    if error.kind() != ErrorKind::AlreadyExists {
        return error;
    }
    let noun = N::KIND.noun;
    let node = error.row().and_then(|row| nodes.get(row));
    let name = node.and_then(Node::name).map(|name| format!("the name `{name}` in its type"));
    let external_id = node.and_then(Node::external_id).map(|id| format!("the external_id `{id}`"));
    let what = match (name, external_id) {
        (Some(name), Some(id)) => format!("{name} or {id}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "the same name or external_id".to_owned(),
    };
    error.reworded(kind, format!("another {noun} has {what} already"))
}

/// What an update does to one node.
struct Change<'n, N> {
    stored: &'n N,
    node: &'n N,
    properties: [PropertyChange<'n>; 2],
    /// The fields to write, if any differ.
    fields: Option<N>,
}

/// What an update does to one map of properties.
struct PropertyChange<'n> {
    is_custom: bool,
    removed: Vec<&'n str>,
    written: Vec<(&'n String, &'n headwater_proto::ml_metadata::Value)>,
}

fn update<N: Node>(session: &mut Session<'_>, nodes: &[N], options: &PutOptions<'_>) -> Result<()> {
    let ids: Vec<i64> = nodes.iter().filter_map(Node::id).collect();
    let stored = whole(session, N::KIND.queries.select_to_change, &ids)?;
    update_stored(session, nodes, stored, options)
}

/// Changes nodes of which the caller has read, to change them, what is stored.
pub(crate) fn update_stored<N: Node>(
    session: &mut Session<'_>,
    nodes: &[N],
    stored: Vec<N>,
    options: &PutOptions<'_>,
) -> Result<()> {
    let stored: HashMap<i64, N> =
        stored.into_iter().filter_map(|node| Some((node.id()?, node))).collect();
    let type_ids: Vec<i64> = stored.values().filter_map(Node::type_id).collect();
    let mut known = types::known::<N::Type>(session, &distinct(type_ids))?;
    let checked =
        nodes.iter().map(|node| check_update(session, node, &stored, &mut known, options));
    let (changes, refused) = until_refused(checked);
    write_changes(session, &changes, options)?;
    let dialect = session.dialect();
    let mut values = Vec::new();
    for change in &changes {
        let id = change.node.id().unwrap_or_default();
        for map in &change.properties {
            property_rows(id, map.is_custom, dialect, map.written.iter().copied(), &mut values);
        }
    }
    session.insert(&N::KIND.queries.insert_properties, values)?;
    refused
}

fn check_update<'n, N: Node>(
    session: &mut Session<'_>,
    node: &'n N,
    stored: &'n HashMap<i64, N>,
    known: &mut KnownTypes,
    options: &PutOptions<'_>,
) -> Result<Change<'n, N>> {
    let noun = N::KIND.noun;
    let id = node.id().unwrap_or_default();
    let stored =
        stored.get(&id).ok_or_else(|| invalid(format!("there is no {noun} with id {id}")))?;
    if options.abort_if_changed && node.update_time() != stored.update_time() {
        return Err(Error::new(
            ErrorKind::FailedPrecondition,
            format!(
                "{noun} {id} was updated at {}, not at {} as the request expects",
                stored.update_time(),
                node.update_time()
            ),
        )
        .hint("read it again, apply the change to what you read, and put that"));
    }
    let type_id = stored.type_id().unwrap_or_default();
    let is_other = |given| given != type_id && session.type_that_counts(given) != type_id;
    if node.type_id().is_some_and(is_other) {
        return Err(invalid(format!(
            "{noun} {id} has type {type_id}, which cannot become {}",
            node.type_id().unwrap_or_default()
        )));
    }
    check_properties(session, node, type_id, known, &options.mask)?;
    validate::node_fields(node)?;

    let mask = &options.mask;
    let properties = [
        property_change(false, node.properties(), stored.properties(), mask),
        property_change(true, node.custom_properties(), stored.custom_properties(), mask),
    ];
    let changed = options.force_update_time
        || properties.iter().any(|map| !map.removed.is_empty() || !map.written.is_empty())
        || fields_of(node) != fields_of(stored);
    let fields = changed.then(|| masked(node, stored, mask));
    if let Some(fields) = fields.as_ref().filter(|_| N::KIND.name_required) {
        validate::context_name(fields.name())?;
    }
    Ok(Change { stored, node, properties, fields })
}

/// The fields whose difference counts as a change. MLMD compares the output-only type name, too:
/// the same data without it is a change.
fn fields_of<N: Node>(node: &N) -> N {
    let mut fields = node.clone();
    fields.set_type_id(None);
    fields.set_times(None, None);
    fields.properties_mut().clear();
    fields.custom_properties_mut().clear();
    fields
}

fn masked<N: Node>(node: &N, stored: &N, mask: &Mask<'_>) -> N {
    if mask.is_everything() {
        return fields_of(node);
    }
    let mut fields = fields_of(stored);
    for path in mask.fields() {
        fields.take_field(path, node);
    }
    fields
}

fn property_change<'n>(
    is_custom: bool,
    given: &'n Properties,
    stored: &'n Properties,
    mask: &Mask<'_>,
) -> PropertyChange<'n> {
    let touched = |name: &str| mask.covers(is_custom, name);
    let written: Vec<_> = given
        .iter()
        .filter(|(name, value)| touched(name) && stored.get(*name) != Some(*value))
        .collect();
    let gone = stored.keys().filter(|name| touched(name) && !given.contains_key(*name));
    let replaced = written.iter().map(|(name, _)| *name).filter(|name| stored.contains_key(*name));
    let removed = gone.chain(replaced).map(String::as_str).collect();
    PropertyChange { is_custom, removed, written }
}

/// Writes what changed but the new values of properties, which are inserted afterwards.
fn write_changes<N: Node>(
    session: &mut Session<'_>,
    changes: &[Change<'_, N>],
    options: &PutOptions<'_>,
) -> Result<()> {
    let queries = N::KIND.queries;
    let mut statements: Vec<(Query, Vec<Value<'_>>)> = Vec::new();
    let mut changed: Vec<&N> = Vec::new();
    for change in changes {
        let id = change.node.id().unwrap_or_default();
        let fields = change.fields.as_ref().unwrap_or(change.node);
        for map in change.properties.iter().filter(|map| !map.removed.is_empty()) {
            let names = Value::Texts(map.removed.clone());
            let custom = Value::Bool(map.is_custom);
            statements.push((queries.delete_properties, vec![id.into(), custom, names]));
            changed.push(fields);
        }
        let Some(fields) = &change.fields else { continue };
        // A caller that compares update times must see that they moved, however fast it was.
        let moved = change.stored.update_time().saturating_add(1);
        let moved = if options.abort_if_changed { moved } else { 0 };
        let mut values = fields.update_details();
        values.push(fields.external_id().into());
        values.push(session.now_ms.max(moved).into());
        values.push(id.into());
        statements.push((queries.update, values));
        changed.push(fields);
    }
    session.executes(statements).map_err(|error| {
        let node = error.row().and_then(|at| changed.get(at));
        let node = node.map_or(&[][..], |node| std::slice::from_ref(*node));
        exists_already(error.at_row(0), node, ErrorKind::Internal)
    })
}

fn property_rows<'p>(
    id: i64,
    is_custom: bool,
    dialect: &Dialect,
    properties: impl Iterator<Item = (&'p String, &'p headwater_proto::ml_metadata::Value)>,
    rows: &mut Vec<Value<'p>>,
) {
    for (name, value) in properties {
        rows.extend([id.into(), name.as_str().into(), Value::Bool(is_custom)]);
        rows.extend(value_columns(value, dialect.special_doubles, dialect.raw_protos));
    }
}

/// The nodes with these ids, each once, by id; unknown ids are passed over.
pub(crate) fn get_by_ids<N: Node, S: Sink<N>>(session: &mut Session<'_>, ids: &[i64]) -> Result<S> {
    Ok(all(whole(session, N::KIND.queries.select_by_ids, ids)?))
}

pub(crate) fn all<N: Node, S: Sink<N>>(drafts: Vec<S::Draft>) -> S {
    let mut nodes = S::default();
    drafts.into_iter().for_each(|draft| nodes.push(draft));
    nodes
}

/// Whole nodes by id: they and their properties are read together, because both go by the ids.
pub(crate) fn whole<N: Node, D: Draft<N>>(
    session: &mut Session<'_>,
    query: Query,
    ids: &[i64],
) -> Result<Vec<D>> {
    let mut nodes: Vec<D> = Vec::new();
    if ids.is_empty() {
        return Ok(nodes);
    }
    let mut positions = Positions::default();
    let mut bytes = 0;
    let both =
        vec![(query, vec![ids.into()]), (N::KIND.queries.select_properties, vec![ids.into()])];
    session.queries(both, &mut |at, row| {
        if at == 0 {
            let node = rows::node::<N>(row)?;
            bytes += node.encoded_len();
            positions.insert(node.id().unwrap_or_default(), nodes.len());
            nodes.push(D::of(node));
        } else if let Some(at) = positions.find(rows::int(row, 0)?) {
            bytes += nodes[at].take_property(row)?;
        }
        check_size("answer", bytes)
    })?;
    name_types(session, &mut nodes)?;
    Ok(nodes)
}

/// Where the nodes of a list are, by id. The rows of one node follow each other.
#[derive(Default)]
struct Positions {
    all: HashMap<i64, usize>,
    last: Option<(i64, usize)>,
}

impl Positions {
    fn insert(&mut self, id: i64, at: usize) {
        self.all.insert(id, at);
    }

    fn find(&mut self, id: i64) -> Option<usize> {
        match self.last {
            Some((last, at)) if last == id => Some(at),
            _ => {
                let at = *self.all.get(&id)?;
                self.last = Some((id, at));
                Some(at)
            }
        }
    }
}

/// Fills in the names of the nodes' types.
fn name_types<N: Node, D: Draft<N>>(session: &mut Session<'_>, nodes: &mut [D]) -> Result<()> {
    let type_ids: Vec<i64> = nodes.iter().filter_map(|node| node.head().type_id()).collect();
    let known = types::known::<N::Type>(session, &distinct(type_ids))?;
    for node in nodes {
        let type_id = node.head().type_id().unwrap_or_default();
        let known = known
            .get(&type_id)
            .ok_or_else(|| data_loss(format!("{} type {type_id} is missing", N::KIND.noun)))?;
        node.head_mut().set_type_name(known.name.clone());
    }
    Ok(())
}

/// The nodes with these external ids. `NOT_FOUND` when there is none of them.
pub(crate) fn get_by_external_ids<N: Node, S: Sink<N>>(
    session: &mut Session<'_>,
    external_ids: &[String],
) -> Result<S> {
    validate::external_ids(external_ids)?;
    let external_ids: Vec<&str> = external_ids.iter().map(String::as_str).collect();
    let heads = find_by_external_ids::<N>(session, &external_ids)?;
    if heads.is_empty() && !external_ids.is_empty() {
        let noun = N::KIND.noun;
        return Err(not_found(format!("no {noun} has one of these external ids")));
    }
    complete_all(session, heads)
}

/// The nodes with these external ids, without type name and properties.
pub(crate) fn find_by_external_ids<N: Node>(
    session: &mut Session<'_>,
    external_ids: &[&str],
) -> Result<Vec<N>> {
    let list = Value::Texts(external_ids.to_vec());
    heads(session, N::KIND.queries.select_by_external_ids, vec![list])
}

/// The node of this name and type; an unknown type has none.
pub(crate) fn get_by_name<N: Node>(
    session: &mut Session<'_>,
    type_name: &str,
    type_version: &str,
    name: &str,
) -> Result<Option<N>> {
    let Some(found) = types::find::<N::Type>(session, type_name, type_version)? else {
        return Ok(None);
    };
    let heads = find_by_types_and_names::<N>(session, &[found.id()], &[name])?;
    let mut nodes: Vec<N> = complete_all(session, heads)?;
    Ok(nodes.pop())
}

/// The nodes with one of these types and one of these names, without type name and properties.
pub(crate) fn find_by_types_and_names<N: Node>(
    session: &mut Session<'_>,
    type_ids: &[i64],
    names: &[&str],
) -> Result<Vec<N>> {
    let names = Value::Texts(names.to_vec());
    heads(session, N::KIND.queries.select_by_type_and_name, vec![type_ids.into(), names])
}

/// The nodes that are linked to something else, by the name of the link.
pub(crate) fn get_linked<N: Node, S: Sink<N>>(
    session: &mut Session<'_>,
    by: &'static str,
    value: Value<'_>,
) -> Result<S> {
    let linked = N::KIND.queries.select_linked.iter().find(|(name, _)| *name == by);
    let (_, query) = linked.ok_or_else(|| internal(format!("no query by `{by}`")))?;
    let heads = heads::<N>(session, *query, vec![value])?;
    complete_all(session, heads)
}

/// Which of these ids exist.
pub(crate) fn existing<N: Node>(session: &mut Session<'_>, ids: &[i64]) -> Result<HashSet<i64>> {
    let mut found = HashSet::new();
    if ids.is_empty() {
        return Ok(found);
    }
    session.query(N::KIND.queries.select_existing_ids, vec![ids.into()], &mut |row| {
        found.insert(rows::int(row, 0)?);
        Ok(())
    })?;
    Ok(found)
}

/// Refuses ids that do not exist.
pub(crate) fn require<N: Node>(session: &mut Session<'_>, ids: Vec<i64>) -> Result<()> {
    let ids = distinct(ids);
    let found = existing::<N>(session, &ids)?;
    ids.iter().try_for_each(|id| check_found::<N>(&found, *id))
}

/// Refuses an id that is not among those that were found.
pub(crate) fn check_found<N: Node>(found: &HashSet<i64>, id: i64) -> Result<()> {
    if found.contains(&id) {
        return Ok(());
    }
    Err(invalid(format!("there is no {} with id {id}", N::KIND.noun)))
}

/// Nodes without their type name and properties.
fn heads<N: Node>(
    session: &mut Session<'_>,
    query: Query,
    values: Vec<Value<'_>>,
) -> Result<Vec<N>> {
    let empty = |value: &Value<'_>| match value {
        Value::Ints(list) => list.is_empty(),
        Value::Texts(list) => list.is_empty(),
        _ => false,
    };
    let mut nodes = Vec::new();
    if values.iter().any(empty) {
        return Ok(nodes);
    }
    let mut bytes = 0;
    session.query(query, values, &mut |row| {
        let node = rows::node::<N>(row)?;
        bytes += node.encoded_len();
        nodes.push(node);
        check_size("answer", bytes)
    })?;
    Ok(nodes)
}

/// Reads the type names and properties of nodes, as many as fit into an answer.
fn complete_all<N: Node, S: Sink<N>>(session: &mut Session<'_>, heads: Vec<N>) -> Result<S> {
    let mut nodes: Vec<S::Draft> = heads.into_iter().map(S::Draft::of).collect();
    let mut bytes = 0;
    for chunk in nodes.chunks_mut(READ_CHUNK) {
        complete(session, chunk)?;
        bytes += chunk.iter().map(Draft::encoded_len).sum::<usize>();
        check_size("answer", bytes)?;
    }
    Ok(all(nodes))
}

/// Reads the type names and properties of a chunk of nodes.
pub(crate) fn complete<N: Node, D: Draft<N>>(
    session: &mut Session<'_>,
    chunk: &mut [D],
) -> Result<()> {
    name_types(session, chunk)?;
    let mut positions = Positions::default();
    let ids: Vec<i64> = chunk.iter().filter_map(|node| node.head().id()).collect();
    ids.iter().enumerate().for_each(|(at, id)| positions.insert(*id, at));
    session.query(N::KIND.queries.select_properties, vec![ids[..].into()], &mut |row| {
        if let Some(at) = positions.find(rows::int(row, 0)?) {
            chunk[at].take_property(row)?;
        }
        Ok(())
    })
}

/// Each id once, ascending.
pub(crate) fn distinct(mut ids: Vec<i64>) -> Vec<i64> {
    ids.sort_unstable();
    ids.dedup();
    ids
}
