//! Types: making them, letting them grow, reading them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use headwater_proto::ml_metadata::{ArtifactType, ContextType, ExecutionType, PropertyType};

use crate::backend::Value;
use crate::error::{Error, ErrorKind, Result, already_exists, internal, invalid, not_found};
use crate::kinds::{Kind, NodeType};
use crate::rows;
use crate::sql::build::Query;
use crate::sql::queries::{
    PARENT_TYPE_ANCESTOR, PARENT_TYPE_INSERT, PARENT_TYPE_SELECT, TYPE_INSERT, TYPE_KEY_INSERT,
    TYPE_KEY_LOCK, TYPE_LOCK, TYPE_PROPERTY_INSERT, TYPE_PROPERTY_SELECT, TYPE_SELECT_ALL,
    TYPE_SELECT_BY_EXTERNAL_IDS, TYPE_SELECT_BY_IDS, TYPE_SELECT_BY_NAMES, TYPE_SELECT_KEYS,
    TYPE_UPDATE_EXTERNAL_ID,
};
use crate::store::{Session, check_size};
use crate::validate;

/// What putting a node needs to know of its type.
#[derive(Debug)]
pub(crate) struct KnownType {
    type_kind: i64,
    pub(crate) name: String,
    /// Number of the property type by property name.
    pub(crate) properties: BTreeMap<String, i32>,
}

/// Known types by id.
pub(crate) type KnownTypes = HashMap<i64, Arc<KnownType>>;

/// How a type that exists already may differ from the one that is put.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evolution {
    pub(crate) can_add_fields: bool,
    pub(crate) can_omit_fields: bool,
}

/// Makes the types that do not exist, lets the others grow, and answers their ids in order.
pub(crate) fn put<T: NodeType>(
    session: &mut Session<'_>,
    types: &[T],
    evolution: Evolution,
) -> Result<Vec<i64>> {
    if types.is_empty() {
        return Ok(Vec::new());
    }
    session.isolate_types();
    let names = types.iter().map(NodeType::name).collect();
    let mut stored = HashMap::new();
    for found in select::<T>(session, TYPE_SELECT_BY_NAMES, Value::Texts(names))? {
        stored.entry(key(&found)).or_insert(found);
    }
    let mut ids = Vec::with_capacity(types.len());
    let mut seen = HashSet::new();
    for put in types {
        // One that the request has put before is looked at as it is now.
        if !seen.insert(key(put)) {
            let name = Value::Texts(vec![put.name()]);
            let now = select::<T>(session, TYPE_SELECT_BY_NAMES, name)?;
            stored.extend(now.into_iter().rev().map(|found| (key(&found), found)));
        }
        let id = match stored.get(&key(put)) {
            None => create(session, put)?,
            Some(known) => {
                grow(session, known, put, evolution)?;
                known.id()
            }
        };
        set_base_type(session, put, id)?;
        ids.push(id);
    }
    Ok(ids)
}

/// Puts one type.
pub(crate) fn put_one<T: NodeType>(
    session: &mut Session<'_>,
    put_type: Option<&T>,
    evolution: Evolution,
) -> Result<Option<i64>> {
    let absent = T::default();
    let ids = put(session, std::slice::from_ref(put_type.unwrap_or(&absent)), evolution)?;
    Ok(ids.first().copied())
}

/// Makes MLMD's nine system types, those that are missing.
pub(crate) fn put_system_types(session: &mut Session<'_>) -> Result<()> {
    fn named<T: NodeType>(name: impl Fn(&str) -> T) -> Vec<T> {
        T::KIND.base_types.iter().filter(|base| !base.is_empty()).map(|base| name(base)).collect()
    }
    let any = Evolution { can_add_fields: true, can_omit_fields: true };
    let artifact_types: Vec<ArtifactType> =
        named(|name| ArtifactType { name: Some(name.to_owned()), ..Default::default() });
    put(session, &artifact_types, any)?;
    let execution_types: Vec<ExecutionType> =
        named(|name| ExecutionType { name: Some(name.to_owned()), ..Default::default() });
    put(session, &execution_types, any)?;
    Ok(())
}

/// Whether all nine system types are there.
pub(crate) fn has_system_types(session: &mut Session<'_>) -> Result<bool> {
    fn all<T: NodeType>(session: &mut Session<'_>) -> Result<bool> {
        let names: Vec<&str> =
            T::KIND.base_types.iter().copied().filter(|name| !name.is_empty()).collect();
        let expected = names.len();
        let found = select_heads::<T>(session, TYPE_SELECT_BY_NAMES, Value::Texts(names))?;
        Ok(found.iter().filter(|found| found.version().is_none()).count() >= expected)
    }
    Ok(all::<ArtifactType>(session)? && all::<ExecutionType>(session)?)
}

/// What makes a type the same: its name and version, where an empty version counts as none.
fn key<T: NodeType>(node_type: &T) -> (String, Option<String>) {
    (node_type.name().to_owned(), node_type.version().map(str::to_owned))
}

fn create<T: NodeType>(session: &mut Session<'_>, put: &T) -> Result<i64> {
    validate::new_type(put)?;
    check_external_id(session, put)?;
    take_key(session, put)?;
    let [input, output] = rows::struct_columns(put)?;
    let row = vec![
        Value::Int(T::KIND.type_kind),
        put.name().into(),
        put.version().into(),
        put.description().into(),
        input.as_deref().into(),
        output.as_deref().into(),
        put.external_id().into(),
    ];
    let inserted = session.insert(&TYPE_INSERT, row).map_err(|e| taken_elsewhere(e, put))?;
    let id = inserted.first().copied().ok_or_else(|| internal("an inserted type has no id"))?;
    insert_properties(session, id, put.properties().iter())?;
    Ok(id)
}

/// Takes the name of a type, so that nobody else makes it at the same time.
fn take_key<T: NodeType>(session: &mut Session<'_>, put: &T) -> Result<()> {
    let version = put.version().unwrap_or_default();
    let row = vec![Value::Int(T::KIND.type_kind), put.name().into(), version.into()];
    if session.passes_over_keys() {
        // A downgrade by MLMD has left it behind: whoever holds it now makes the type.
        session.query(TYPE_KEY_LOCK, row, &mut |_| Ok(()))?;
        return match find::<T>(session, put.name(), version)? {
            None => Ok(()),
            Some(_) => Err(made_meanwhile(session, already_exists(""), put.name()).rerun()),
        };
    }
    let taken = session.insert(&TYPE_KEY_INSERT, row);
    taken.map(drop).map_err(|error| made_meanwhile(session, error, put.name()))
}

/// The error of a row of a type that somebody else has written since it was read.
fn made_meanwhile(session: &Session<'_>, error: Error, name: &str) -> Error {
    if error.kind() != ErrorKind::AlreadyExists {
        return error;
    }
    let message = format!("type `{name}` was made or changed by somebody else at the same time");
    session.lost_race(error.reworded(ErrorKind::Aborted, message))
}

/// Finds types that were made twice, as MLMD may make them, and makes one of each count: the first.
/// Its double stays, so that whoever holds its id can go on, but the nodes of both are of the
/// first, but for those whose names are there already; and so are those that are put from now on.
/// Answers whether there are any.
pub(crate) fn repair_doubles(session: &mut Session<'_>, may_write: bool) -> Result<bool> {
    let mut first = HashMap::new();
    let mut aliases = HashMap::new();
    let mut kinds = Vec::new();
    session.query(TYPE_SELECT_KEYS, Vec::new(), &mut |row| {
        let (id, kind) = (rows::int(row, 0)?, rows::int(row, 1)?);
        let version = rows::opt_text(row, 3)?.filter(|version| !version.is_empty());
        let key = (kind, rows::opt_text(row, 2)?.unwrap_or_default(), version);
        match first.get(&key) {
            Some(counts) => {
                aliases.insert(id, *counts);
                kinds.push((kind, id, *counts));
            }
            None => drop(first.insert(key, id)),
        }
        Ok(())
    })?;
    session.set_aliases(aliases);
    for (kind, double, counts) in kinds.iter().copied().filter(|_| may_write) {
        if kind == ArtifactType::KIND.type_kind {
            merge::<ArtifactType>(session, double, counts)?;
        } else if kind == ExecutionType::KIND.type_kind {
            merge::<ExecutionType>(session, double, counts)?;
        } else {
            merge::<ContextType>(session, double, counts)?;
        }
    }
    Ok(!kinds.is_empty())
}

fn merge<T: NodeType>(session: &mut Session<'_>, double: i64, counts: i64) -> Result<()> {
    let types = select::<T>(session, TYPE_SELECT_BY_IDS, (&[double, counts][..]).into())?;
    let of = |id: i64| types.iter().find(|found| found.id() == id);
    if let (Some(double), Some(counts)) = (of(double), of(counts)) {
        let missing = double.properties().iter();
        let missing = missing.filter(|(name, _)| !counts.properties().contains_key(*name));
        insert_properties(session, counts.id(), missing)?;
    }
    let ids = vec![counts.into(), double.into(), counts.into()];
    session.execute(T::KIND.queries.retype, ids)
}

fn insert_properties<'p>(
    session: &mut Session<'_>,
    type_id: i64,
    properties: impl Iterator<Item = (&'p String, &'p i32)>,
) -> Result<()> {
    let values: Vec<Value<'_>> = properties
        .flat_map(|(name, data_type)| {
            [Value::Int(type_id), name.as_str().into(), Value::Int(i64::from(*data_type))]
        })
        .collect();
    let inserted = session.insert(&TYPE_PROPERTY_INSERT, values);
    inserted.map(drop).map_err(|error| made_meanwhile(session, error, &type_id.to_string()))
}

/// External ids are unique over all kinds of type; MLMD tells a clash within one kind from one
/// between two, and so do we.
fn check_external_id<T: NodeType>(session: &mut Session<'_>, put: &T) -> Result<()> {
    let Some(external_id) = put.external_id().filter(|id| !id.is_empty()) else { return Ok(()) };
    let list = Value::Texts(vec![external_id]);
    match select_heads::<T>(session, TYPE_SELECT_BY_EXTERNAL_IDS, list)?.first() {
        None => Ok(()),
        Some(other) => Err(already_exists(format!(
            "{} type `{}` has external_id `{external_id}` already",
            T::KIND.noun,
            other.name()
        ))),
    }
}

fn taken_elsewhere<T: NodeType>(error: Error, put: &T) -> Error {
    if error.kind() != ErrorKind::AlreadyExists {
        return error;
    }
    let external_id = put.external_id().unwrap_or_default();
    error.reworded(
        ErrorKind::Internal,
        format!("external_id `{external_id}` belongs to another type"),
    )
}

/// Lets a stored type grow to the one that is put, as far as `evolution` allows.
fn grow<T: NodeType>(
    session: &mut Session<'_>,
    stored: &T,
    put: &T,
    evolution: Evolution,
) -> Result<()> {
    let added = validate::type_change(stored, put, evolution)?;
    insert_properties(session, stored.id(), added.into_iter())?;
    let external_id = put.external_id().filter(|id| !id.is_empty());
    if external_id.is_some() && external_id != stored.external_id() {
        session
            .execute(TYPE_UPDATE_EXTERNAL_ID, vec![external_id.into(), stored.id().into()])
            .map_err(|e| taken_elsewhere(e, put))?;
    }
    Ok(())
}

/// Links a type to the system type that its message names, once.
fn set_base_type<T: NodeType>(session: &mut Session<'_>, put: &T, id: i64) -> Result<()> {
    let Some(base) = validate::base_type::<T>(put)? else { return Ok(()) };
    let mut stored = parents(session, &[id])?.remove(&id);
    if stored.is_none() {
        // Of several who each see none, one is first.
        session.query(TYPE_LOCK, vec![(&[id][..]).into()], &mut |_| Ok(()))?;
        stored = parents(session, &[id])?.remove(&id);
    }
    match stored {
        Some(parent) if parent == base => Ok(()),
        Some(parent) => Err(Error::new(
            ErrorKind::Unimplemented,
            format!("type `{}` has base type `{parent}`, which cannot change", put.name()),
        )),
        None => {
            let found = select_heads::<T>(session, TYPE_SELECT_BY_NAMES, Value::Texts(vec![base]))?;
            let parent = found
                .iter()
                .find(|found| found.version().is_none())
                .ok_or_else(|| not_found(format!("there is no system type `{base}`")))?
                .id();
            if reaches(session, PARENT_TYPE_ANCESTOR, parent, id)? {
                return Err(invalid(format!(
                    "base type `{base}` of type `{}` would make a cycle",
                    put.name()
                )));
            }
            let inserted = session.insert(&PARENT_TYPE_INSERT, vec![id.into(), parent.into()]);
            inserted.map(drop).map_err(|error| made_meanwhile(session, error, put.name()))
        }
    }
}

/// Whether `to` is `from` or one of its ancestors, by a query that walks up.
pub(crate) fn reaches(session: &mut Session<'_>, query: Query, from: i64, to: i64) -> Result<bool> {
    let mut found = false;
    session.query(query, vec![from.into(), to.into()], &mut |_| {
        found = true;
        Ok(())
    })?;
    Ok(found)
}

/// Names of the system types that types are based on.
fn parents(session: &mut Session<'_>, ids: &[i64]) -> Result<HashMap<i64, String>> {
    let mut parents = HashMap::new();
    session.query(PARENT_TYPE_SELECT, vec![ids.into()], &mut |row| {
        parents.insert(rows::int(row, 0)?, rows::opt_text(row, 1)?.unwrap_or_default());
        Ok(())
    })?;
    Ok(parents)
}

/// The type of this name and version, with its base type, or `NOT_FOUND`.
pub(crate) fn get<T: NodeType>(
    session: &mut Session<'_>,
    name: &str,
    version: &str,
) -> Result<Option<T>> {
    let Some(found) = find::<T>(session, name, version)? else {
        let noun = T::KIND.noun;
        let of_version =
            if version.is_empty() { String::new() } else { format!(" of version `{version}`") };
        return Err(not_found(format!("there is no {noun} type `{name}`{of_version}")));
    };
    let mut types = vec![found];
    read_properties(session, &mut types)?;
    read_base_types(session, &mut types)?;
    Ok(types.pop())
}

/// The type of this name and version, without properties.
pub(crate) fn find<T: NodeType>(
    session: &mut Session<'_>,
    name: &str,
    version: &str,
) -> Result<Option<T>> {
    let version = Some(version).filter(|version| !version.is_empty());
    let found = select_heads::<T>(session, TYPE_SELECT_BY_NAMES, Value::Texts(vec![name]))?;
    Ok(found.into_iter().find(|found| found.version() == version))
}

/// All types of the kind but the system types.
pub(crate) fn get_all<T: NodeType>(session: &mut Session<'_>) -> Result<Vec<T>> {
    let mut types = get_all_with_system_types::<T>(session)?;
    types.retain(|found| !T::KIND.base_types.contains(&found.name()) || found.name().is_empty());
    types.retain(|found| session.type_that_counts(found.id()) == found.id());
    read_base_types(session, &mut types)?;
    Ok(types)
}

/// All types of the kind, without base types.
pub(crate) fn get_all_with_system_types<T: NodeType>(session: &mut Session<'_>) -> Result<Vec<T>> {
    let mut types = Vec::new();
    session.query(TYPE_SELECT_ALL, vec![T::KIND.type_kind.into()], &mut |row| {
        types.push(rows::node_type::<T>(row)?);
        Ok(())
    })?;
    // MLMD leaves the external id out of this one answer.
    types.iter_mut().for_each(NodeType::clear_external_id);
    read_properties(session, &mut types)?;
    Ok(types)
}

/// The types with these ids in the order and as often as they are asked for; unknown ids are
/// passed over.
pub(crate) fn get_by_ids<T: NodeType>(session: &mut Session<'_>, ids: &[i64]) -> Result<Vec<T>> {
    let mut types = select::<T>(session, TYPE_SELECT_BY_IDS, ids.into())?;
    read_base_types(session, &mut types)?;
    let by_id: HashMap<i64, &T> = types.iter().map(|found| (found.id(), found)).collect();
    // A type is in the answer as often as its id is asked for, and must not be copied without end.
    let mut bytes = 0;
    let mut found = Vec::new();
    for known in ids.iter().filter_map(|id| by_id.get(id)) {
        bytes += known.encoded_len();
        check_size("answer", bytes)?;
        found.push((*known).clone());
    }
    Ok(found)
}

/// The types with these external ids, without base types and struct types. `NOT_FOUND` when there
/// is none.
pub(crate) fn get_by_external_ids<T: NodeType>(
    session: &mut Session<'_>,
    external_ids: &[String],
) -> Result<Vec<T>> {
    if external_ids.is_empty() {
        return Ok(Vec::new());
    }
    validate::external_ids(external_ids)?;
    let list = Value::texts(external_ids);
    let mut types = select::<T>(session, TYPE_SELECT_BY_EXTERNAL_IDS, list)?;
    if types.is_empty() {
        let noun = T::KIND.noun;
        return Err(not_found(format!("no {noun} type has one of these external ids")));
    }
    // MLMD leaves the struct types out of this one answer.
    types.iter_mut().for_each(|found| found.set_struct_types([None, None]));
    Ok(types)
}

/// The types of some nodes, each once, without base types.
pub(crate) fn get_of_nodes<T: NodeType>(
    session: &mut Session<'_>,
    type_ids: &[i64],
) -> Result<Vec<T>> {
    select::<T>(session, TYPE_SELECT_BY_IDS, type_ids.into())
}

/// What is known of the types with these ids, of one kind; ids that are missing do not exist.
pub(crate) fn known<T: NodeType>(session: &mut Session<'_>, ids: &[i64]) -> Result<KnownTypes> {
    let of_kind = |known: &KnownType| known.type_kind == T::KIND.type_kind;
    let mut known = KnownTypes::new();
    let mut missing = Vec::new();
    {
        let cache = session.types().read();
        for id in ids {
            match cache.get(id).filter(|known| of_kind(known)) {
                Some(found) => drop(known.insert(*id, Arc::clone(found))),
                None => missing.push(*id),
            }
        }
    }
    if !missing.is_empty() {
        known.extend(reread::<T>(session, &missing)?);
    }
    Ok(known)
}

/// Reads types again, because their properties may have grown.
pub(crate) fn reread<T: NodeType>(session: &mut Session<'_>, ids: &[i64]) -> Result<KnownTypes> {
    let types = select::<T>(session, TYPE_SELECT_BY_IDS, ids.into())?;
    let read: KnownTypes = types
        .into_iter()
        .map(|found| {
            let known = KnownType {
                type_kind: T::KIND.type_kind,
                name: found.name().to_owned(),
                properties: found.properties().clone(),
            };
            (found.id(), Arc::new(known))
        })
        .collect();
    session.types().write().extend(read.iter().map(|(id, known)| (*id, Arc::clone(known))));
    Ok(read)
}

fn select_heads<T: NodeType>(
    session: &mut Session<'_>,
    query: Query,
    list: Value<'_>,
) -> Result<Vec<T>> {
    let mut types = Vec::new();
    session.query(query, vec![T::KIND.type_kind.into(), list], &mut |row| {
        types.push(rows::node_type::<T>(row)?);
        Ok(())
    })?;
    Ok(types)
}

fn select<T: NodeType>(session: &mut Session<'_>, query: Query, list: Value<'_>) -> Result<Vec<T>> {
    let mut types = select_heads(session, query, list)?;
    read_properties(session, &mut types)?;
    Ok(types)
}

fn read_properties<T: NodeType>(session: &mut Session<'_>, types: &mut [T]) -> Result<()> {
    if types.is_empty() {
        return Ok(());
    }
    let positions: HashMap<i64, usize> =
        types.iter().enumerate().map(|(at, found)| (found.id(), at)).collect();
    let ids: Vec<i64> = positions.keys().copied().collect();
    session.query(TYPE_PROPERTY_SELECT, vec![ids[..].into()], &mut |row| {
        let data_type = rows::opt_int(row, 2)?.and_then(|number| i32::try_from(number).ok());
        if let Some(at) = positions.get(&rows::int(row, 0)?) {
            let name = rows::opt_text(row, 1)?.unwrap_or_default();
            let data_type = data_type.unwrap_or(PropertyType::Unknown as i32);
            types[*at].properties_mut().insert(name, data_type);
        }
        Ok(())
    })
}

fn read_base_types<T: NodeType>(session: &mut Session<'_>, types: &mut [T]) -> Result<()> {
    if types.is_empty() || !has_base_types(T::KIND) {
        return Ok(());
    }
    let ids: Vec<i64> = types.iter().map(NodeType::id).collect();
    let parents = parents(session, &ids)?;
    for found in types {
        let Some(parent) = parents.get(&found.id()) else { continue };
        let number = T::KIND.base_types.iter().position(|base| base == parent);
        if let Some(number) = number.and_then(|number| i32::try_from(number).ok()) {
            found.set_base_type(number);
        }
    }
    Ok(())
}

fn has_base_types(kind: &Kind) -> bool {
    kind.base_types.len() > 1
}
