//! Versions: an artifact is a version of what a context names, known by what it consists of.

use std::collections::BTreeMap;

use headwater_proto::headwater::v1::{RegisterVersionRequest, RegisterVersionResponse};
use headwater_proto::ml_metadata::{Artifact, Context, Value as PropertyValue, value};

use crate::backend::Value;
use crate::error::{Error, ErrorKind, Result, internal, not_found};
use crate::kinds::Node;
use crate::limits::VERSION_NAMES_TRIED;
use crate::ops::nodes::{self, PutOptions};
use crate::ops::{links, types};
use crate::rows;
use crate::sql::queries::ARTIFACT_SELECT_BY_TEXT;
use crate::store::Session;
use crate::validate::Mask;
use crate::vocabulary::{DIGEST, VERSION_NAME, VERSION_NUMBER, VERSIONS};

/// Finds the version that has a digest, or makes the next one.
pub(crate) fn register(
    session: &mut Session<'_>,
    request: &RegisterVersionRequest,
) -> Result<RegisterVersionResponse> {
    let artifact = request.artifact.clone().unwrap_or_default();
    let type_id = session.type_that_counts(artifact.type_id());
    let known = types::known::<headwater_proto::ml_metadata::ArtifactType>(session, &[type_id])?;
    let Some(known) = known.get(&type_id) else {
        return Err(not_found(format!("there is no artifact type with id {type_id}")));
    };
    let type_name = known.name.clone();
    let name = match &*request.name {
        "" => named_anyhow(session, type_id, &request.digest)?,
        name => Some(name.to_owned()),
    };
    let name = name.unwrap_or_else(|| request.default_name.clone());
    // Whoever else registers a version of this name waits here.
    let context = lock_context(session, request.context_type_id, &name)?;
    let external_id = format!("{type_name}/{name}/{}", request.digest);
    let found = nodes::find_by_external_ids::<Artifact>(session, &[&external_id])?.pop();
    if let (Some(found), Some(context)) = (found.and_then(|found| found.id), &context) {
        let number = complete(session, found, &artifact)?;
        return Ok(answer(found, context.id(), name, number, false));
    }
    let last = context.as_ref().map_or(0, last_number);
    let number = free_number(session, type_id, &name, last + 1)?;
    let made = Artifact {
        id: None,
        type_id: Some(type_id),
        name: Some(format!("{name}@{number}")),
        external_id: Some(external_id),
        custom_properties: with_version(&artifact, &name, number, &request.digest),
        ..artifact
    };
    let context_id = count(session, context, request.context_type_id, &name, number)?;
    let ids = nodes::put(session, &[made], &PutOptions::default());
    let ids = ids.map_err(|error| raced(session, error))?;
    let id = ids.first().copied().ok_or_else(|| internal("the artifact was not put"))?;
    links::put_all(session, &[context_id], &[id], &[])?;
    Ok(answer(id, context_id, name, number, true))
}

fn answer(
    artifact_id: i64,
    context_id: i64,
    name: String,
    number: i64,
    is_new: bool,
) -> RegisterVersionResponse {
    RegisterVersionResponse { artifact_id, context_id, name, number, is_new }
}

/// The name of the first version of the type that has the digest, whatever it is.
fn named_anyhow(session: &mut Session<'_>, type_id: i64, digest: &str) -> Result<Option<String>> {
    let mut name = None;
    let values = vec![DIGEST.into(), Value::Bool(true), digest.into()];
    session.query(ARTIFACT_SELECT_BY_TEXT, values, &mut |row| {
        if name.is_none() && rows::int(row, 1)? == type_id {
            let full = rows::opt_text(row, 2)?.unwrap_or_default();
            name = full.rsplit_once('@').map(|(name, _)| name.to_owned());
        }
        Ok(())
    })?;
    Ok(name)
}

/// The context of a name, whole, and held until the end of the transaction.
fn lock_context(session: &mut Session<'_>, type_id: i64, name: &str) -> Result<Option<Context>> {
    let found = nodes::find_by_types_and_names::<Context>(session, &[type_id], &[name])?;
    let ids: Vec<i64> = found.iter().filter_map(|context| context.id).collect();
    let mut whole: Vec<Context> =
        nodes::whole(session, Context::KIND.queries.select_to_change, &ids)?;
    Ok(whole.pop())
}

fn last_number(context: &Context) -> i64 {
    match context.custom_properties.get(VERSIONS).and_then(|of| of.value.as_ref()) {
        Some(value::Value::IntValue(number)) => *number,
        _ => 0,
    }
}

/// The first number from `number` on whose name nobody has given to another artifact.
fn free_number(session: &mut Session<'_>, type_id: i64, name: &str, number: i64) -> Result<i64> {
    for number in number..number.saturating_add(VERSION_NAMES_TRIED) {
        let full = format!("{name}@{number}");
        if nodes::find_by_types_and_names::<Artifact>(session, &[type_id], &[&full])?.is_empty() {
            return Ok(number);
        }
    }
    Err(Error::new(
        ErrorKind::ResourceExhausted,
        format!("other artifacts have the names from `{name}@{number}` on"),
    )
    .hint("register the versions under another name"))
}

/// Writes down the number of the last version; the context is made for the first one.
fn count(
    session: &mut Session<'_>,
    context: Option<Context>,
    type_id: i64,
    name: &str,
    number: i64,
) -> Result<i64> {
    let versions = BTreeMap::from([(VERSIONS.to_owned(), int(number))]);
    let Some(stored) = context else {
        let made = Context {
            type_id: Some(type_id),
            name: Some(name.to_owned()),
            custom_properties: versions,
            ..Context::default()
        };
        let ids = nodes::put(session, &[made], &PutOptions::default());
        let ids = ids.map_err(|error| raced(session, error))?;
        return ids.first().copied().ok_or_else(|| internal("the context was not put"));
    };
    let id = stored.id();
    let paths = [format!("custom_properties.{VERSIONS}")];
    let update = Context { custom_properties: versions, ..stored.clone() };
    let options = PutOptions { mask: Mask::new(&paths), ..PutOptions::default() };
    nodes::update_stored(session, &[update], vec![stored], &options)?;
    Ok(id)
}

/// Somebody else made the first version of the name at the same time.
fn raced(session: &Session<'_>, error: Error) -> Error {
    match error.kind() {
        ErrorKind::AlreadyExists => session.lost_race(error.reworded(
            ErrorKind::Aborted,
            "the version was registered by somebody else at the same time",
        )),
        _ => error,
    }
}

/// Gives a stored version what it does not have of the custom properties, and a place if it has
/// none; its number.
fn complete(session: &mut Session<'_>, id: i64, given: &Artifact) -> Result<i64> {
    let query = Artifact::KIND.queries.select_to_change;
    let mut stored: Vec<Artifact> = nodes::whole(session, query, &[id])?;
    let stored = stored.pop().ok_or_else(|| internal("the version is gone"))?;
    let number = match stored.custom_properties.get(VERSION_NUMBER).and_then(|of| of.value.as_ref())
    {
        Some(value::Value::IntValue(number)) => *number,
        _ => stored.name().rsplit_once('@').and_then(|(_, n)| n.parse().ok()).unwrap_or_default(),
    };
    let has = |name: &str| stored.custom_properties.contains_key(name);
    let missing: BTreeMap<String, PropertyValue> = given
        .custom_properties
        .iter()
        .filter(|(name, _)| !has(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let has_place = stored.uri().is_empty() && !given.uri().is_empty();
    if has_place || !missing.is_empty() {
        let mut paths: Vec<String> =
            missing.keys().map(|name| format!("custom_properties.{name}")).collect();
        let mut update = Artifact { custom_properties: missing, ..stored.clone() };
        if has_place {
            paths.push("uri".to_owned());
            update.uri.clone_from(&given.uri);
        }
        let options = PutOptions { mask: Mask::new(&paths), ..PutOptions::default() };
        nodes::update_stored(session, &[update], vec![stored], &options)?;
    }
    Ok(number)
}

fn with_version(
    artifact: &Artifact,
    name: &str,
    number: i64,
    digest: &str,
) -> BTreeMap<String, PropertyValue> {
    let mut properties = artifact.custom_properties.clone();
    properties.insert(VERSION_NAME.to_owned(), text(name));
    properties.insert(VERSION_NUMBER.to_owned(), int(number));
    properties.insert(DIGEST.to_owned(), text(digest));
    properties
}

fn int(number: i64) -> PropertyValue {
    PropertyValue { value: Some(value::Value::IntValue(number)) }
}

fn text(text: &str) -> PropertyValue {
    PropertyValue { value: Some(value::Value::StringValue(text.to_owned())) }
}
