//! Events: what an execution did with an artifact, and where in a structure the artifact stood.

use std::collections::HashMap;

use headwater_proto::ml_metadata::{Artifact, Event, Execution, event};
use prost::Message as _;

use crate::backend::Value;
use crate::error::{Error, ErrorKind, Result, internal};
use crate::ops::nodes;
use crate::rows::{self, PathRow};
use crate::sql::build::Query;
use crate::sql::queries::{EVENT_INSERT, EVENT_PATH_INSERT, EVENT_PATH_SELECT};
use crate::store::{Session, check_size};
use crate::validate;

/// Records events on artifacts and executions that exist.
pub(crate) fn put(session: &mut Session<'_>, events: &[Event]) -> Result<()> {
    events.iter().try_for_each(validate::event)?;
    nodes::require::<Artifact>(session, events.iter().filter_map(|e| e.artifact_id).collect())?;
    nodes::require::<Execution>(session, events.iter().filter_map(|e| e.execution_id).collect())?;
    insert(session, events)
}

/// Records events whose ends the caller has checked.
pub(crate) fn insert(session: &mut Session<'_>, events: &[Event]) -> Result<()> {
    let mut values = Vec::with_capacity(events.len() * 4);
    for event in events {
        values.extend([
            event.artifact_id.into(),
            event.execution_id.into(),
            event.r#type.map(i64::from).into(),
            event.milliseconds_since_epoch.unwrap_or(session.now_ms).into(),
        ]);
    }
    let ids =
        session.insert(&EVENT_INSERT, values).map_err(|error| exists_already(error, events))?;
    if ids.len() != events.len() {
        return Err(internal("the database gave fewer ids than events were inserted"));
    }
    let with_positions = !session.dialect().keeps_row_order;
    let mut values = Vec::new();
    for (event, id) in events.iter().zip(ids) {
        for step in rows::path_columns(event.path.as_ref(), with_positions) {
            values.push(id.into());
            values.extend(step);
        }
    }
    session.insert(&EVENT_PATH_INSERT, values).map(drop)
}

fn exists_already(error: Error, events: &[Event]) -> Error {
    if error.kind() != ErrorKind::AlreadyExists {
        return error;
    }
    let message = match error.row().and_then(|row| events.get(row)) {
        Some(event) => format!(
            "execution {} has an event of type {} with artifact {} already",
            event.execution_id(),
            event.r#type().as_str_name(),
            event.artifact_id()
        ),
        None => "one of the events exists already".to_owned(),
    };
    error.reworded(ErrorKind::AlreadyExists, message)
}

/// The events of some artifacts or executions, by the query's column, in the order in which they
/// were recorded.
pub(crate) fn get(session: &mut Session<'_>, query: Query, ids: &[i64]) -> Result<Vec<Event>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let events = heads(session, query, vec![ids.into()])?;
    complete(session, events)
}

/// Events without their paths, and the ids of their rows.
pub(crate) fn heads(
    session: &mut Session<'_>,
    query: Query,
    values: Vec<Value<'_>>,
) -> Result<Vec<(i64, Event)>> {
    let mut events = Vec::new();
    let mut bytes = 0;
    session.query(query, values, &mut |row| {
        let (id, event) = rows::event(row)?;
        bytes += event.encoded_len();
        check_size("answer", bytes)?;
        events.push((id, event));
        Ok(())
    })?;
    Ok(events)
}

/// Reads the paths of events.
pub(crate) fn complete(session: &mut Session<'_>, events: Vec<(i64, Event)>) -> Result<Vec<Event>> {
    let (ids, mut events): (Vec<i64>, Vec<Event>) = events.into_iter().unzip();
    if events.is_empty() {
        return Ok(events);
    }
    let positions: HashMap<i64, usize> = ids.iter().copied().zip(0..).collect();
    let mut steps: Vec<Vec<PathRow>> = Vec::new();
    steps.resize_with(events.len(), Vec::new);
    session.query(EVENT_PATH_SELECT, vec![ids[..].into()], &mut |row| {
        let step = rows::path_step(row)?;
        if let Some(at) = positions.get(&step.event_id) {
            steps[*at].push(step);
        }
        Ok(())
    })?;
    for (event, mut steps) in events.iter_mut().zip(steps).filter(|(_, steps)| !steps.is_empty()) {
        // Those that do not say their position, as MLMD's, are in the best order there is.
        if steps.iter().all(|step| step.position.is_some()) {
            steps.sort_by_key(|step| step.position);
        }
        let steps = steps.into_iter().map(|row| row.step).collect();
        event.path = Some(event::Path { steps });
    }
    Ok(events)
}
