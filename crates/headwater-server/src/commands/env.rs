//! `headwater env`: what a run ran in, as files to make it again, or beside another run's.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use headwater_proto::headwater::v1::GetContentRequest;
use headwater_proto::ml_metadata::{
    Artifact, Execution, GetArtifactsByIdRequest, GetEventsByExecutionIDsRequest, Value, value,
};
use headwater_store::Access;
use headwater_store::vocabulary::ENVIRONMENT;

use crate::Failure;
use crate::cli::{Cli, EnvArgs};
use crate::client::{Client, Place, text};
use crate::config::FileSettings;

/// Before the path of a file that was kept.
const FILE: &str = "file.";
/// The packages with their versions.
const REQUIREMENTS: &str = "requirements";
/// What is called so is written where there was no file that says which packages are needed.
const LOCK: &str = "requirements.lock";

/// Runs the command.
pub(crate) fn run(cli: &Cli, args: &EnvArgs, file: &FileSettings) -> Result<(), Failure> {
    let client = Client::open(&Place::of(cli, args.server.as_deref(), file, Access::Read)?)?;
    let here = environment(&client, &args.run)?;
    let mut out = io::stdout();
    match (&args.out, &args.diff) {
        (Some(folder), _) => write_files(&client, &here, folder, &mut out),
        (None, Some(other)) => {
            let there = environment(&client, other)?;
            compare(&shown(&here), &shown(&there), &mut out)
        }
        (None, None) => {
            for (name, value) in shown(&here) {
                writeln!(out, "{name} = {value}")?;
            }
            Ok(())
        }
    }
}

/// The environment that a run read.
fn environment(client: &Client, reference: &str) -> Result<Artifact, Failure> {
    let run: Execution = client.run(reference)?;
    let request = GetEventsByExecutionIDsRequest {
        execution_ids: run.id.into_iter().collect(),
        ..Default::default()
    };
    let events = client.call(&request)?.events;
    let artifact_ids = events.iter().filter_map(|event| event.artifact_id).collect();
    let request = GetArtifactsByIdRequest { artifact_ids, ..Default::default() };
    let found = client.call(&request)?.artifacts.into_iter();
    let mut found = found.filter(|artifact| artifact.r#type() == ENVIRONMENT);
    found.next().ok_or_else(|| format!("run `{reference}` does not say what it ran in").into())
}

/// What an environment is told by: everything but digests that hold its own path or files.
fn shown(environment: &Artifact) -> BTreeMap<String, String> {
    let is_plain = |name: &str| name != "environment.details" && name != "digest";
    let plain = |of: &Value| match of.value.as_ref() {
        Some(value::Value::StringValue(text)) => text.clone(),
        Some(value::Value::IntValue(number)) => number.to_string(),
        Some(value::Value::BoolValue(truth)) => truth.to_string(),
        other => format!("{other:?}"),
    };
    let properties = environment.custom_properties.iter();
    properties
        .filter(|(name, _)| is_plain(name))
        .map(|(name, value)| (name.clone(), plain(value)))
        .collect()
}

fn compare(
    here: &BTreeMap<String, String>,
    there: &BTreeMap<String, String>,
    out: &mut impl io::Write,
) -> Result<(), Failure> {
    let mut names: Vec<&String> = here.keys().chain(there.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names.into_iter().filter(|name| here.get(*name) != there.get(*name)) {
        let shown = |of: Option<&String>| of.map_or("-", String::as_str).to_owned();
        writeln!(out, "{name}: {} | {}", shown(here.get(name)), shown(there.get(name)))?;
    }
    Ok(())
}

/// Writes the files that were kept, byte for byte, and the packages if no file says them.
fn write_files(
    client: &Client,
    environment: &Artifact,
    folder: &Path,
    out: &mut impl io::Write,
) -> Result<(), Failure> {
    let properties = &environment.custom_properties;
    let mut files: Vec<(PathBuf, &str)> = Vec::new();
    for name in properties.keys() {
        if let (Some(path), Some(digest)) = (name.strip_prefix(FILE), text(properties, name)) {
            files.push((inside(path)?, digest));
        }
    }
    if let Some(digest) = text(properties, REQUIREMENTS) {
        files.push((PathBuf::from(LOCK), digest));
    }
    for (path, _) in &files {
        let full = folder.join(path);
        if full.exists() {
            return Err(format!(
                "`{}` is there already\nhint: name a folder that is new or empty",
                full.display()
            )
            .into());
        }
    }
    for (path, digest) in files {
        let content = client.call(&GetContentRequest { digest: digest.to_owned() })?.content;
        let full = folder.join(&path);
        let problem = |error: io::Error| format!("`{}` cannot be written: {error}", full.display());
        if let Some(parent) = full.parent() {
            fs::create_dir_all(parent).map_err(problem)?;
        }
        fs::write(&full, content).map_err(problem)?;
        writeln!(out, "{}", full.display())?;
    }
    Ok(())
}

/// A recorded path, if it does not lead out of the folder it is written into.
fn inside(path: &str) -> Result<PathBuf, Failure> {
    let path = PathBuf::from(path);
    if path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(path);
    }
    Err(format!("the recorded path `{}` leads out of the folder", path.display()).into())
}
