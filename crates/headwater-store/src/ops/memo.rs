//! Memoized steps: a step that ran on the same before, and was complete, need not run again.

use std::collections::BTreeMap;

use headwater_proto::headwater::v1::{
    BeginStepRequest, BeginStepResponse, DifferentPart, ExplainStepRequest, ExplainStepResponse,
    FinishStepRequest, FinishStepResponse, ForgetStepsRequest, ForgetStepsResponse,
};
use headwater_proto::ml_metadata::lineage_subgraph_query_options::Direction;
use headwater_proto::ml_metadata::{Artifact, Event, Execution, execution, value};

use crate::backend::Value;
use crate::digest;
use crate::error::{ErrorKind, Result, invalid, not_found};
use crate::kinds::Node;
use crate::ops::lineage::{Side, hop};
use crate::ops::{events, nodes};
use crate::rows;
use crate::sql::queries::{
    EXECUTION_SELECT_BEFORE, STEP_COUNT, STEP_DELETE, STEP_INSERT, STEP_SELECT, STEP_UPDATE,
};
use crate::store::Session;
use crate::vocabulary::{STEP_MISS, STEP_NAME, STEP_PART, STEP_SAME_AS};

/// What is stored of a step.
struct Stored {
    /// The execution that was complete.
    execution_id: Option<i64>,
    finished_ms: i64,
    /// Who runs it; nobody if empty.
    claimant: String,
    claimed_until_ms: i64,
}

/// `sha256:…` of a step's name and parts. Each text has its length before it, so that no two lists
/// of texts look alike.
fn fingerprint(name: &str, parts: &BTreeMap<String, String>) -> String {
    let mut bytes = Vec::new();
    let texts = parts.iter().flat_map(|(name, value)| [name, value]);
    for text in std::iter::once(name).chain(texts.map(String::as_str)) {
        bytes.extend_from_slice(text.len().to_string().as_bytes());
        bytes.push(b':');
        bytes.extend_from_slice(text.as_bytes());
    }
    digest::sha256(&bytes)
}

/// Finds the execution that ran on the same, or gives the step to the caller.
pub(crate) fn begin(
    session: &mut Session<'_>,
    request: &BeginStepRequest,
) -> Result<BeginStepResponse> {
    let fingerprint = fingerprint(&request.name, &request.parts);
    let now = session.now_ms;
    let mut response = BeginStepResponse { fingerprint, ..BeginStepResponse::default() };
    let stored = select(session, &response.fingerprint)?;
    if let Some(stored) = &stored {
        let is_refused = |id: &i64| request.refused_execution_ids.contains(id);
        let is_old = request.age_ms_max.is_some_and(|most| now - stored.finished_ms > most);
        let usable = stored.execution_id.filter(|id| !is_old && !is_refused(id));
        if let Some(id) = usable
            && outputs(session, id, &mut response)?
        {
            return Ok(response);
        }
        let is_anothers = !stored.claimant.is_empty() && stored.claimant != request.claimant;
        if is_anothers && stored.claimed_until_ms > now {
            response.wait_ms = stored.claimed_until_ms - now;
            return Ok(response);
        }
    }
    let nothing = Stored {
        execution_id: None,
        finished_ms: 0,
        claimant: request.claimant.clone(),
        claimed_until_ms: now.saturating_add(request.lease_ms),
    };
    match stored {
        Some(_) => update(session, &response.fingerprint, &nothing)?,
        None => insert(session, &response.fingerprint, &request.name, &nothing)?,
    }
    response.is_claimed = true;
    Ok(response)
}

/// Reads what a complete execution put out; whether it is there and still complete.
fn outputs(
    session: &mut Session<'_>,
    execution_id: i64,
    response: &mut BeginStepResponse,
) -> Result<bool> {
    let mut found: Vec<Execution> =
        nodes::whole(session, Execution::KIND.queries.select_by_ids, &[execution_id])?;
    let complete = execution::State::Complete;
    let Some(execution) = found.pop().filter(|of| of.last_known_state() == complete) else {
        return Ok(false);
    };
    let heads = hop(session, Side::Executions, Direction::Downstream, &[execution_id])?;
    let events: Vec<Event> = events::complete(session, heads)?;
    let ids = nodes::distinct(events.iter().filter_map(|event| event.artifact_id).collect());
    let artifacts: Vec<Artifact> =
        nodes::whole(session, Artifact::KIND.queries.select_by_ids, &ids)?;
    if artifacts.len() < ids.len() {
        return Ok(false);
    }
    response.execution = Some(execution);
    response.events = events;
    response.artifacts = artifacts;
    Ok(true)
}

/// Says how a step ended.
pub(crate) fn finish(
    session: &mut Session<'_>,
    request: &FinishStepRequest,
) -> Result<FinishStepResponse> {
    let stored = select(session, &request.fingerprint)?;
    let is_stored = stored.is_some_and(|stored| stored.claimant == request.claimant);
    if !is_stored {
        return Ok(FinishStepResponse { is_stored });
    }
    match request.execution_id {
        Some(id) => {
            nodes::require::<Execution>(session, vec![id])?;
            let done = Stored {
                execution_id: Some(id),
                finished_ms: session.now_ms,
                claimant: String::new(),
                claimed_until_ms: 0,
            };
            update(session, &request.fingerprint, &done)?;
        }
        None => {
            let values = vec![request.fingerprint.as_str().into(), Value::Null];
            session.execute(STEP_DELETE, values)?;
        }
    }
    Ok(FinishStepResponse { is_stored })
}

/// Forgets steps.
pub(crate) fn forget(
    session: &mut Session<'_>,
    request: &ForgetStepsRequest,
) -> Result<ForgetStepsResponse> {
    let values = || {
        let given = [&request.fingerprint, &request.name].map(|of| Some(&**of));
        given.map(|of| of.filter(|text| !text.is_empty()).into()).to_vec()
    };
    let mut steps = 0;
    session.query(STEP_COUNT, values(), &mut |row| {
        steps = rows::int(row, 0)?;
        Ok(())
    })?;
    session.execute(STEP_DELETE, values())?;
    Ok(ForgetStepsResponse { steps })
}

fn select(session: &mut Session<'_>, fingerprint: &str) -> Result<Option<Stored>> {
    let mut found = None;
    session.query(STEP_SELECT, vec![fingerprint.into()], &mut |row| {
        found = Some(Stored {
            execution_id: rows::opt_int(row, 0)?,
            finished_ms: rows::int(row, 1)?,
            claimant: rows::opt_text(row, 2)?.unwrap_or_default(),
            claimed_until_ms: rows::int(row, 3)?,
        });
        Ok(())
    })?;
    Ok(found)
}

fn update(session: &mut Session<'_>, fingerprint: &str, stored: &Stored) -> Result<()> {
    let values = vec![
        stored.execution_id.into(),
        stored.finished_ms.into(),
        stored.claimant.as_str().into(),
        stored.claimed_until_ms.into(),
        fingerprint.into(),
    ];
    session.execute(STEP_UPDATE, values)
}

fn insert(session: &mut Session<'_>, fingerprint: &str, name: &str, stored: &Stored) -> Result<()> {
    let values = vec![
        fingerprint.into(),
        name.into(),
        stored.execution_id.into(),
        stored.finished_ms.into(),
        stored.claimant.as_str().into(),
        stored.claimed_until_ms.into(),
    ];
    let inserted = session.insert(&STEP_INSERT, values);
    inserted.map(drop).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => session.lost_race(
            error.reworded(ErrorKind::Aborted, "somebody else began the step at the same time"),
        ),
        _ => error,
    })
}

/// Says why a step ran, or was skipped.
pub(crate) fn explain(
    session: &mut Session<'_>,
    request: &ExplainStepRequest,
) -> Result<ExplainStepResponse> {
    let id = request.execution_id;
    let execution = whole(session, id)?
        .ok_or_else(|| not_found(format!("there is no execution with id {id}")))?;
    let Some(name) = text(&execution, STEP_NAME).map(str::to_owned) else {
        return Err(invalid(format!("execution {id} is not a memoized step"))
            .hint("a step is what `hw.step` records"));
    };
    if let Some(same_as) = int(&execution, STEP_SAME_AS) {
        let text = format!("skipped: execution {same_as} ran on the same and was complete");
        let nearest = whole(session, same_as)?;
        let execution = Some(execution);
        return Ok(ExplainStepResponse { execution, nearest, text, different: Vec::new() });
    }
    let nearest = nearest(session, &execution, &name)?;
    let different = nearest.as_ref().map(|other| different(&execution, other)).unwrap_or_default();
    let text = reason(&execution, &name, nearest.as_ref(), &different);
    Ok(ExplainStepResponse { execution: Some(execution), nearest, different, text })
}

fn reason(
    execution: &Execution,
    name: &str,
    nearest: Option<&Execution>,
    different: &[DifferentPart],
) -> String {
    let miss = text(execution, STEP_MISS);
    match (nearest, different) {
        (None, _) => format!("ran: no step `{name}` was complete before"),
        (Some(other), []) => format!(
            "ran, though execution {} ran on the same: {}",
            other.id(),
            miss.unwrap_or("it was forgotten, or had not ended yet")
        ),
        (Some(other), different) => {
            let shown: Vec<String> = different.iter().take(5).map(shown).collect();
            let more = different.len() - shown.len();
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            format!("ran: against execution {}, {}{more}", other.id(), shown.join("; "))
        }
    }
}

fn shown(part: &DifferentPart) -> String {
    match (&part.here, &part.there) {
        (Some(here), Some(there)) => format!("{} is {here} instead of {there}", part.name),
        (Some(_), None) => format!("{} is new", part.name),
        _ => format!("{} is gone", part.name),
    }
}

/// Of the last executions of the step that were complete, the one that differs least; of equals the
/// last one.
fn nearest(
    session: &mut Session<'_>,
    execution: &Execution,
    name: &str,
) -> Result<Option<Execution>> {
    let mut ids = Vec::new();
    let values = vec![STEP_NAME.into(), Value::Bool(true), name.into(), execution.id().into()];
    session.query(EXECUTION_SELECT_BEFORE, values, &mut |row| {
        ids.push(rows::int(row, 0)?);
        Ok(())
    })?;
    let query = Execution::KIND.queries.select_by_ids;
    let mut found: Vec<Execution> = nodes::whole(session, query, &ids)?;
    found.retain(|other| other.last_known_state() == execution::State::Complete);
    Ok(found.into_iter().rev().min_by_key(|other| different(execution, other).len()))
}

fn different(here: &Execution, there: &Execution) -> Vec<DifferentPart> {
    let (here, there) = (parts(here), parts(there));
    let mut names: Vec<&String> = here.keys().chain(there.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|name| here.get(*name) != there.get(*name))
        .map(|name| DifferentPart {
            name: name.clone(),
            here: here.get(name).cloned(),
            there: there.get(name).cloned(),
        })
        .collect()
}

fn parts(execution: &Execution) -> BTreeMap<String, String> {
    let names = execution.custom_properties.keys().filter_map(|name| name.strip_prefix(STEP_PART));
    let value = |name: &str| text(execution, &format!("{STEP_PART}{name}")).map(str::to_owned);
    names.filter_map(|name| Some((name.to_owned(), value(name)?))).collect()
}

fn whole(session: &mut Session<'_>, id: i64) -> Result<Option<Execution>> {
    let query = Execution::KIND.queries.select_by_ids;
    Ok(nodes::whole::<Execution, Execution>(session, query, &[id])?.pop())
}

fn text<'e>(execution: &'e Execution, name: &str) -> Option<&'e str> {
    match execution.custom_properties.get(name)?.value.as_ref()? {
        value::Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn int(execution: &Execution, name: &str) -> Option<i64> {
    match execution.custom_properties.get(name)?.value.as_ref()? {
        value::Value::IntValue(number) => Some(*number),
        _ => None,
    }
}
