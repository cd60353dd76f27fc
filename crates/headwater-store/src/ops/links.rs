//! Links of contexts: to the artifacts and executions in them, and to their parents.

use std::collections::{BTreeMap, HashMap};

use headwater_proto::ml_metadata::{
    Artifact, Association, Attribution, Context, Execution, ParentContext,
};
use prost::Message as _;

use crate::backend::Value;
use crate::error::{ErrorKind, Result, invalid, not_found};
use crate::ops::drafts::Sink;
use crate::ops::{nodes, types};
use crate::rows;
use crate::sql::build::{Insert, Query};
use crate::sql::queries::{
    ASSOCIATION_INSERT, ATTRIBUTION_INSERT, ENV_LOCK, PARENT_CONTEXT_ANCESTOR,
    PARENT_CONTEXT_INSERT,
};
use crate::store::{Session, check_size};

/// Puts artifacts and executions that exist into contexts that exist. Links that are there
/// already stay as they are.
pub(crate) fn put(
    session: &mut Session<'_>,
    attributions: &[Attribution],
    associations: &[Association],
) -> Result<()> {
    let contexts = attributions.iter().map(Attribution::context_id);
    let contexts = contexts.chain(associations.iter().map(Association::context_id));
    nodes::require::<Context>(session, contexts.collect())?;
    let artifacts = attributions.iter().map(Attribution::artifact_id);
    nodes::require::<Artifact>(session, artifacts.collect())?;
    let executions = associations.iter().map(Association::execution_id);
    nodes::require::<Execution>(session, executions.collect())?;

    let pairs = attributions.iter().map(|link| (link.context_id(), link.artifact_id()));
    insert(session, &ATTRIBUTION_INSERT, pairs)?;
    let pairs = associations.iter().map(|link| (link.context_id(), link.execution_id()));
    insert(session, &ASSOCIATION_INSERT, pairs)
}

/// Puts every artifact and every execution into every context; the caller has checked the ids.
pub(crate) fn put_all(
    session: &mut Session<'_>,
    contexts: &[i64],
    artifacts: &[i64],
    executions: &[i64],
) -> Result<()> {
    let members = |ids: &[i64]| -> Vec<(i64, i64)> {
        contexts.iter().flat_map(|context| ids.iter().map(|id| (*context, *id))).collect()
    };
    insert(session, &ASSOCIATION_INSERT, members(executions).into_iter())?;
    insert(session, &ATTRIBUTION_INSERT, members(artifacts).into_iter())
}

fn insert(
    session: &mut Session<'_>,
    insert: &'static Insert,
    pairs: impl Iterator<Item = (i64, i64)>,
) -> Result<()> {
    let values: Vec<Value<'_>> =
        pairs.flat_map(|(context, member)| [context.into(), member.into()]).collect();
    session.insert(insert, values).map(drop)
}

/// Makes contexts the parents of others, one after the other, so that no cycle can close.
pub(crate) fn put_parents(session: &mut Session<'_>, links: &[ParentContext]) -> Result<()> {
    if !links.is_empty() {
        // Two that each see no cycle could close one together.
        session.query(ENV_LOCK, Vec::new(), &mut |_| Ok(()))?;
    }
    for link in links {
        let (Some(parent), Some(child)) = (link.parent_id, link.child_id) else {
            return Err(invalid("the parent context names no parent_id or no child_id"));
        };
        nodes::require::<Context>(session, vec![parent, child])?;
        if types::reaches(session, PARENT_CONTEXT_ANCESTOR, parent, child)? {
            return Err(invalid(format!(
                "context {parent} cannot be a parent of context {child}: that would make a cycle"
            )));
        }
        session.insert(&PARENT_CONTEXT_INSERT, vec![child.into(), parent.into()]).map_err(
            |error| match error.kind() {
                ErrorKind::AlreadyExists => error.reworded(
                    ErrorKind::AlreadyExists,
                    format!("context {parent} is a parent of context {child} already"),
                ),
                _ => error,
            },
        )?;
    }
    Ok(())
}

/// The contexts that a node is in; `NOT_FOUND` when there are none.
pub(crate) fn contexts_of<S: Sink<Context>>(
    session: &mut Session<'_>,
    noun: &'static str,
    id: i64,
) -> Result<S> {
    let contexts: S = nodes::get_linked(session, noun, id.into())?;
    if contexts.is_empty() {
        return Err(not_found(format!("{noun} {id} is in no context")));
    }
    Ok(contexts)
}

/// The parents or children of contexts, by the id of the context they belong to. Contexts without
/// any are absent.
fn relatives(
    session: &mut Session<'_>,
    query: Query,
    ids: &[i64],
) -> Result<BTreeMap<i64, Vec<Context>>> {
    let mut links = Vec::new();
    session.query(query, vec![ids.into()], &mut |row| {
        links.push((rows::int(row, 0)?, rows::int(row, 1)?));
        Ok(())
    })?;
    let found = nodes::distinct(links.iter().map(|(_, relative)| *relative).collect());
    let contexts: Vec<Context> = nodes::get_by_ids(session, &found)?;
    let contexts: HashMap<i64, Context> =
        contexts.into_iter().filter_map(|context| Some((context.id?, context))).collect();
    let mut relatives: BTreeMap<i64, Vec<Context>> = BTreeMap::new();
    // A relative is in the answer once for each link, and must not be copied without end.
    let mut bytes = 0;
    for (id, relative) in links {
        if let Some(context) = contexts.get(&relative) {
            bytes += context.encoded_len();
            check_size("answer", bytes)?;
            relatives.entry(id).or_default().push(context.clone());
        }
    }
    Ok(relatives)
}

/// The parents or children of one context; none for an unknown one.
pub(crate) fn relatives_of_one(
    session: &mut Session<'_>,
    query: Query,
    id: i64,
) -> Result<Vec<Context>> {
    Ok(relatives(session, query, &[id])?.remove(&id).unwrap_or_default())
}

/// The parents or children of several contexts, of which there must be at least one.
pub(crate) fn relatives_of_many(
    session: &mut Session<'_>,
    query: Query,
    ids: &[i64],
) -> Result<BTreeMap<i64, Vec<Context>>> {
    if ids.is_empty() {
        return Err(invalid("context_ids is empty"));
    }
    relatives(session, query, ids)
}
