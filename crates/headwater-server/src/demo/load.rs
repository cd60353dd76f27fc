//! Writes the story on the graph, with the methods of the table, as any recorder would.
//!
//! Each call is a transaction of its own. Every step finds what an earlier attempt has made, and
//! the last run comes last: so a load that was interrupted goes on where it ended, and one that was
//! not is known by that run.

use std::collections::BTreeMap;

use headwater_proto::headwater::v1::{
    BeginStepRequest, BeginStepResponse, FinishStepRequest, ListArtifactsRequest,
    ListContextsRequest, ListExecutionsRequest, LogMetricsRequest, PutContentsRequest,
    RegisterVersionRequest,
};
use headwater_proto::ml_metadata::event::{self, path};
use headwater_proto::ml_metadata::execution::State;
use headwater_proto::ml_metadata::put_execution_request::{ArtifactAndEvent, Options};
use headwater_proto::ml_metadata::{
    Artifact, ArtifactType, Context, ContextType, Event, Execution, ExecutionType, ParentContext,
    PutArtifactsRequest, PutContextsRequest, PutExecutionRequest, PutParentContextsRequest,
    PutTypesRequest, artifact, artifact_type, execution_type, value,
};
use headwater_store::ErrorKind;
use headwater_store::digest::sha256;
use headwater_store::vocabulary::{
    ALIAS, CODE, DIGEST, ENVIRONMENT, EXPERIMENT, METRICS, OWNER, PARAM, PIPELINE, PIPELINE_RUN,
    PROFILE, RUN_KINDS, STEP_FINGERPRINT, STEP_NAME, STEP_PART, STEP_SAME_AS, TRIGGER_ARTIFACT,
    TRIGGER_EXECUTION, VERSIONED,
};

use super::files::Files;
use super::provenance::{self, Shared};
use super::runs::{KEY, PRODUCTION, story};
use super::story::{Cause, PipelineRun, Properties, Run, Story, Version, int, text};
use crate::Failure;
use crate::client::Client;

const EXPERIMENT_NAME: &str = "churn";
const PIPELINE_NAME: &str = "churn-train";
const MODEL_NAME: &str = "churn";
const TEAM: &str = "Retention team <retention@example.com>";
const DATA_TEAM: &str = "Data platform <data-platform@example.com>";
/// Who begins the steps: always the same, so that another attempt goes on with them.
const CLAIMANT: &str = "headwater demo load";
const LEASE_MS: i64 = 60_000;
/// More contexts, or runs, than the demo has.
const PAGE_SIZE: i32 = 500;

/// How much there is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) versions: usize,
    pub(crate) datasets: usize,
    pub(crate) models: usize,
    pub(crate) checkpoints: usize,
    pub(crate) runs: usize,
    pub(crate) cached: usize,
    pub(crate) pipeline_runs: usize,
    pub(crate) evaluations: usize,
    pub(crate) deployments: usize,
    pub(crate) points: usize,
    pub(crate) contents: usize,
}

/// Loads all of it.
///
/// # Errors
///
/// It is there already, or something else is in its place: then nothing was changed. What a method
/// refuses, or a file that cannot be written: then the same again goes on.
pub(crate) fn load(client: &Client, files: &Files) -> Result<Loaded, Failure> {
    let story = story();
    let there = There::find(client, &story)?;
    files.write(story.versions.values())?;
    let mut loader = Loader::new(client, files, &story, there);
    loader.put_types()?;
    let loaded = loader.all();
    loaded.map_err(|failure| {
        format!("{failure}\nhint: what was loaded stays; the same command goes on from there")
            .into()
    })
}

/// What an earlier attempt has made.
struct There {
    /// By type and name.
    contexts: BTreeMap<(String, String), i64>,
    /// By key.
    executions: BTreeMap<String, i64>,
}

impl There {
    /// Looks at the store without changing it.
    fn find(client: &Client, story: &Story) -> Result<Self, Failure> {
        let listed = client.call(&ListExecutionsRequest {
            filter: format!("name LIKE '{KEY}%'"),
            page_size: PAGE_SIZE,
            ..Default::default()
        })?;
        let named = |of: Execution| Some((of.name?, of.id?));
        let executions: BTreeMap<String, i64> =
            listed.executions.into_iter().filter_map(named).collect();
        if story.runs().last().is_some_and(|last| executions.contains_key(&last.key)) {
            return Err("the store has `demo-churn` already, and nothing was changed\n\
                        hint: load it into another store, as in `--store sqlite:demo.db`"
                .into());
        }
        let wanted = owned_contexts(story);
        let quoted = |text: &str| format!("'{text}'");
        let names: Vec<String> = wanted.iter().map(|of| quoted(&of.name)).collect();
        let listed = client.call(&ListContextsRequest {
            filter: format!(
                "name IN ({}) OR type = '{PIPELINE_RUN}' AND name LIKE '{PIPELINE_NAME}/%'",
                names.join(", ")
            ),
            page_size: PAGE_SIZE,
            ..Default::default()
        })?;
        let mut contexts = BTreeMap::new();
        for found in listed.contexts {
            let own = |of: &&Owned| of.type_name == found.r#type() && of.name == found.name();
            let owner = found.custom_properties.get(OWNER);
            if let Some(of) = wanted.iter().find(own)
                && owner != Some(&text(of.owner))
            {
                return Err(format!(
                    "the store has a `{}` called `{}` that is not the demo's, and nothing was \
                     changed\nhint: load the demo into another store, as in `--store \
                     sqlite:demo.db`",
                    of.type_name, of.name
                )
                .into());
            }
            let key = (found.r#type().to_owned(), found.name().to_owned());
            contexts.insert(key, found.id());
        }
        Ok(Self { contexts, executions })
    }
}

/// A context that is the demo's, and says so by its owner.
struct Owned {
    type_name: &'static str,
    name: String,
    owner: &'static str,
}

fn owned_contexts(story: &Story) -> Vec<Owned> {
    let mut made = vec![
        Owned { type_name: EXPERIMENT, name: EXPERIMENT_NAME.to_owned(), owner: TEAM },
        Owned { type_name: PIPELINE, name: PIPELINE_NAME.to_owned(), owner: TEAM },
    ];
    for version in story.versions.values() {
        let type_name = registered(version);
        let owner = if version.name == "raw" { DATA_TEAM } else { TEAM };
        if !made.iter().any(|of| of.type_name == type_name && of.name == version.name) {
            made.push(Owned { type_name, name: version.name.clone(), owner });
        }
    }
    made
}

/// Type of the context that counts the versions.
fn registered(version: &Version) -> &'static str {
    let kind = VERSIONED.iter().find(|(type_name, _, _)| *type_name == version.type_name);
    kind.expect("the story has versions of these types only").1
}

/// A step that was begun.
struct Begun {
    parts: BTreeMap<String, String>,
    answer: BeginStepResponse,
}

struct Loader<'a> {
    client: &'a Client,
    files: &'a Files,
    story: &'a Story,
    there: There,
    /// Ids by name.
    artifact_types: BTreeMap<&'static str, i64>,
    execution_types: BTreeMap<&'static str, i64>,
    context_types: BTreeMap<&'static str, i64>,
    /// Ids by full name.
    versions: BTreeMap<String, i64>,
    /// Ids by digest.
    shared: BTreeMap<String, i64>,
}

impl<'a> Loader<'a> {
    fn new(client: &'a Client, files: &'a Files, story: &'a Story, there: There) -> Self {
        Self {
            client,
            files,
            story,
            there,
            artifact_types: BTreeMap::new(),
            execution_types: BTreeMap::new(),
            context_types: BTreeMap::new(),
            versions: BTreeMap::new(),
            shared: BTreeMap::new(),
        }
    }

    fn all(&mut self) -> Result<Loaded, Failure> {
        self.put_owned_contexts()?;
        let shared =
            [true, false].map(|yes| [provenance::code(yes), provenance::environment(yes)]).concat();
        let contents = self.put_contents(&shared)?;
        self.put_shared(&shared)?;
        self.register_versions()?;
        let story = self.story;
        for chapter in &story.chapters {
            self.put_chapter(chapter)?;
        }
        Ok(self.counts(contents))
    }

    fn counts(&self, contents: usize) -> Loaded {
        let versions = || self.story.versions.values();
        let runs = || self.story.runs();
        let of_type = |name: &str| versions().filter(|of| of.type_name.ends_with(name)).count();
        let points = runs().flat_map(|run| &run.series).map(|series| series.steps.len());
        Loaded {
            versions: versions().count(),
            datasets: of_type(".Dataset"),
            models: of_type(".Model"),
            checkpoints: versions().filter(|of| of.name.ends_with("/checkpoint")).count(),
            runs: runs().count(),
            cached: runs().filter(|run| run.state == State::Cached).count(),
            pipeline_runs: self.story.pipeline_runs.len(),
            evaluations: runs().filter(|run| run.metrics.is_some()).count(),
            deployments: runs().filter(|run| run.kind == "deploy").count(),
            points: points.sum(),
            contents,
        }
    }

    fn put_types(&mut self) -> Result<(), Failure> {
        let of_artifacts = artifact_type::SystemDefinedBaseType::from_str_name;
        let of_executions = execution_type::SystemDefinedBaseType::from_str_name;
        let artifacts: Vec<(&str, &str)> = VERSIONED
            .iter()
            .map(|(name, _, base)| (*name, *base))
            .chain([(METRICS, "METRICS"), (CODE, "UNSET"), (ENVIRONMENT, "UNSET")])
            .collect();
        let executions: Vec<(&str, &str)> =
            RUN_KINDS.iter().map(|(_, name, base)| (*name, *base)).collect();
        let contexts: Vec<&str> = VERSIONED
            .iter()
            .map(|(_, name, _)| *name)
            .chain([EXPERIMENT, PIPELINE, PIPELINE_RUN])
            .collect();
        let put = self.client.call(&PutTypesRequest {
            artifact_types: artifacts
                .iter()
                .map(|(name, base)| ArtifactType {
                    name: Some((*name).to_owned()),
                    base_type: of_artifacts(base).map(i32::from).filter(|base| *base != 0),
                    ..Default::default()
                })
                .collect(),
            execution_types: executions
                .iter()
                .map(|(name, base)| ExecutionType {
                    name: Some((*name).to_owned()),
                    base_type: of_executions(base).map(i32::from).filter(|base| *base != 0),
                    ..Default::default()
                })
                .collect(),
            context_types: contexts
                .iter()
                .map(|name| ContextType { name: Some((*name).to_owned()), ..Default::default() })
                .collect(),
            can_omit_fields: Some(true),
            ..Default::default()
        })?;
        let names = artifacts.into_iter().map(|(name, _)| name);
        self.artifact_types = names.zip(put.artifact_type_ids).collect();
        let names = executions.into_iter().map(|(name, _)| name);
        self.execution_types = names.zip(put.execution_type_ids).collect();
        self.context_types = contexts.into_iter().zip(put.context_type_ids).collect();
        Ok(())
    }

    fn put_owned_contexts(&mut self) -> Result<(), Failure> {
        let mut wanted = owned_contexts(self.story);
        let is_there = |of: &Owned| {
            self.there.contexts.contains_key(&(of.type_name.to_owned(), of.name.clone()))
        };
        wanted.retain(|of| !is_there(of));
        let contexts = wanted.iter().map(|of| {
            let mut said = Properties::from([(OWNER.to_owned(), text(of.owner))]);
            if of.type_name == "headwater.RegisteredModel" && of.name == MODEL_NAME {
                said.insert(format!("{ALIAS}{PRODUCTION}"), int(2));
            }
            self.context(of.type_name, &of.name, said)
        });
        let contexts: Vec<Context> = contexts.collect();
        if contexts.is_empty() {
            return Ok(());
        }
        let put = self.client.call(&PutContextsRequest { contexts, ..Default::default() })?;
        for (of, id) in wanted.into_iter().zip(put.context_ids) {
            self.there.contexts.insert((of.type_name.to_owned(), of.name), id);
        }
        Ok(())
    }

    fn context(&self, type_name: &str, name: &str, custom_properties: Properties) -> Context {
        Context {
            type_id: self.context_types.get(type_name).copied(),
            name: Some(name.to_owned()),
            custom_properties,
            ..Default::default()
        }
    }

    fn context_id(&self, type_name: &str, name: &str) -> Option<i64> {
        self.there.contexts.get(&(type_name.to_owned(), name.to_owned())).copied()
    }

    /// Keeps profiles and what belongs to code and environments; how many there are.
    fn put_contents(&self, shared: &[Shared]) -> Result<usize, Failure> {
        let profiles = self.story.versions.values().filter_map(|version| version.profile.clone());
        let beside = shared.iter().flat_map(|of| of.contents.values().cloned());
        let mut contents: Vec<Vec<u8>> = profiles.chain(beside).collect();
        contents.sort_unstable();
        contents.dedup();
        let count = contents.len();
        self.client.call(&PutContentsRequest { contents })?;
        Ok(count)
    }

    /// Makes code and environments, which are found by their external ids.
    fn put_shared(&mut self, shared: &[Shared]) -> Result<(), Failure> {
        let external = |of: &Shared| format!("{}/{}", of.type_name, of.digest);
        let quoted: Vec<String> = shared.iter().map(|of| format!("'{}'", external(of))).collect();
        let listed = self.client.call(&ListArtifactsRequest {
            filter: format!("external_id IN ({})", quoted.join(", ")),
            page_size: PAGE_SIZE,
            ..Default::default()
        })?;
        let mut missing = Vec::new();
        for of in shared {
            let same = |found: &&Artifact| found.external_id() == external(of);
            match listed.artifacts.iter().find(same) {
                Some(found) => drop(self.shared.insert(of.digest.clone(), found.id())),
                None => missing.push(of),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let made = missing.iter().map(|of| self.artifact_of(of, external(of)));
        let put = PutArtifactsRequest { artifacts: made.collect(), ..Default::default() };
        let ids = self.client.call(&put)?.artifact_ids;
        self.shared.extend(missing.into_iter().map(|of| of.digest.clone()).zip(ids));
        Ok(())
    }

    fn artifact_of(&self, of: &Shared, external_id: String) -> Artifact {
        let mut custom_properties = of.properties.clone();
        custom_properties.insert(DIGEST.to_owned(), text(&of.digest));
        for (name, bytes) in &of.contents {
            custom_properties.insert(name.clone(), text(&sha256(bytes)));
        }
        Artifact {
            type_id: self.artifact_types.get(of.type_name).copied(),
            external_id: Some(external_id),
            state: Some(artifact::State::Live.into()),
            custom_properties,
            ..Default::default()
        }
    }

    /// Makes the context of a run of the pipeline, and puts it below the pipeline.
    fn put_pipeline_run(&mut self, name: &str) -> Result<(), Failure> {
        let full = format!("{PIPELINE_NAME}/{name}");
        let run = self.story.pipeline_runs.iter().find(|run| run.name == name);
        let run = run.ok_or_else(|| format!("the story has no `{full}`"))?;
        if self.context_id(PIPELINE_RUN, &full).is_none() {
            let said = self.said_of(run)?;
            let contexts = vec![self.context(PIPELINE_RUN, &full, said)];
            let put = self.client.call(&PutContextsRequest { contexts, ..Default::default() })?;
            let key = (PIPELINE_RUN.to_owned(), full.clone());
            self.there.contexts.insert(key, first(&put.context_ids)?);
        }
        let link = ParentContext {
            parent_id: self.context_id(PIPELINE, PIPELINE_NAME),
            child_id: self.context_id(PIPELINE_RUN, &full),
            ..Default::default()
        };
        let parent_contexts = vec![link];
        let request = PutParentContextsRequest { parent_contexts, ..Default::default() };
        match self.client.call(&request) {
            Err(refusal) if !refusal.is(ErrorKind::AlreadyExists) => Err(refusal.into()),
            _ => Ok(()),
        }
    }

    /// With the id of what started it.
    fn said_of(&self, run: &PipelineRun) -> Result<Properties, Failure> {
        let mut said = run.properties.clone();
        match run.cause {
            Cause::Nothing => {}
            Cause::Version(name) => {
                said.insert(TRIGGER_ARTIFACT.to_owned(), int(self.version(name)?));
            }
            Cause::Run(key) => {
                said.insert(TRIGGER_EXECUTION.to_owned(), int(self.execution_id(key)?));
            }
        }
        Ok(said)
    }

    fn execution_id(&self, key: &str) -> Result<i64, Failure> {
        let id = self.there.executions.get(key).copied();
        id.ok_or_else(|| format!("the story has no run `{key}` so far").into())
    }

    fn register_versions(&mut self) -> Result<(), Failure> {
        let versions: Vec<&Version> = self.story.versions.values().collect();
        let requests: Vec<RegisterVersionRequest> =
            versions.iter().map(|version| self.registration(version)).collect();
        for (version, answer) in versions.iter().zip(self.client.call_all(&requests)?) {
            let (full_name, number) = (version.full_name(), answer.number);
            if number != version.number {
                return Err(format!("`{full_name}` became number {number} of what is there").into());
            }
            self.versions.insert(full_name, answer.artifact_id);
        }
        Ok(())
    }

    fn registration(&self, version: &Version) -> RegisterVersionRequest {
        let mut custom_properties = version.properties.clone();
        if let Some(profile) = &version.profile {
            custom_properties.insert(PROFILE.to_owned(), text(&sha256(profile)));
        }
        RegisterVersionRequest {
            artifact: Some(Artifact {
                type_id: self.artifact_types.get(version.type_name).copied(),
                uri: Some(self.files.uri(&version.path)),
                state: Some(artifact::State::Live.into()),
                custom_properties,
                ..Default::default()
            }),
            context_type_id: *self.context_types.get(registered(version)).unwrap_or(&0),
            name: version.name.clone(),
            digest: version.digest(),
            ..Default::default()
        }
    }

    fn version(&self, full_name: &str) -> Result<i64, Failure> {
        let id = self.versions.get(full_name).copied();
        id.ok_or_else(|| format!("the story has no `{full_name}`").into())
    }

    /// Makes runs with what they read and make, unless they are there; their metrics; and says how
    /// those ended that are memoized.
    fn put_chapter(&mut self, runs: &[Run]) -> Result<(), Failure> {
        for run in runs {
            if let Some(name) = run.pipeline_run {
                self.put_pipeline_run(name)?;
            }
        }
        let begun = self.begin(runs)?;
        let is_missing = |run: &&Run| !self.there.executions.contains_key(&run.key);
        let missing: Vec<&Run> = runs.iter().filter(is_missing).collect();
        let requests: Result<Vec<_>, _> =
            missing.iter().map(|run| self.execution(run, begun.get(&run.key))).collect();
        let put = self.client.call_all(&requests?)?;
        for (run, answer) in missing.iter().zip(put) {
            self.there.executions.insert(run.key.clone(), answer.execution_id());
        }
        self.log_metrics(runs)?;
        let mut ends = Vec::new();
        for run in runs {
            if let Some(begun) = begun.get(&run.key).filter(|begun| begun.answer.is_claimed) {
                let id = self.execution_id(&run.key)?;
                ends.push(FinishStepRequest {
                    fingerprint: begun.answer.fingerprint.clone(),
                    claimant: CLAIMANT.to_owned(),
                    execution_id: Some(id).filter(|_| run.state == State::Complete),
                });
            }
        }
        self.client.call_all(&ends)?;
        Ok(())
    }

    fn log_metrics(&self, runs: &[Run]) -> Result<(), Failure> {
        let mut requests = Vec::new();
        for run in runs.iter().filter(|run| !run.series.is_empty()) {
            requests.push(LogMetricsRequest {
                execution_id: self.execution_id(&run.key)?,
                writer: run.key.clone(),
                sequence: 1,
                series: run.series.clone(),
            });
        }
        self.client.call_all(&requests)?;
        Ok(())
    }

    /// Begins those that are memoized; what the store says, by key.
    fn begin(&self, runs: &[Run]) -> Result<BTreeMap<String, Begun>, Failure> {
        let (mut keys, mut requests) = (Vec::new(), Vec::new());
        for run in runs {
            let Some(step) = run.step else { continue };
            keys.push(run);
            requests.push(BeginStepRequest {
                name: step.to_owned(),
                parts: self.parts(run)?,
                claimant: CLAIMANT.to_owned(),
                lease_ms: LEASE_MS,
                ..Default::default()
            });
        }
        let answers = self.client.call_all(&requests)?;
        let mut begun = BTreeMap::new();
        for ((run, request), answer) in keys.into_iter().zip(requests).zip(answers) {
            let is_there = self.there.executions.contains_key(&run.key);
            let key = &run.key;
            if answer.wait_ms > 0 {
                let seconds = answer.wait_ms.div_euclid(1000) + 1;
                return Err(format!(
                    "somebody else runs the step `{}` on the same, for {seconds} s at most",
                    request.name
                )
                .into());
            }
            match (run.state, answer.execution.is_some()) {
                (State::Cached, false) => {
                    return Err(format!("`{key}` does not find what was made before").into());
                }
                (State::Complete, true) if !is_there => {
                    return Err(format!("`{key}` was made before by somebody else").into());
                }
                _ => drop(begun.insert(key.clone(), Begun { parts: request.parts, answer })),
            }
        }
        Ok(begun)
    }

    /// What a step depends on, by name.
    fn parts(&self, run: &Run) -> Result<BTreeMap<String, String>, Failure> {
        let mut parts = BTreeMap::new();
        let Some(step) = run.step else { return Ok(parts) };
        for of in shared_of(run) {
            let name = match of.role {
                "code" => format!("code.{step}"),
                role => role.to_owned(),
            };
            parts.insert(name, of.digest);
        }
        for (role, name) in &run.reads {
            let version = self.story.versions.get(name);
            let version = version.ok_or_else(|| format!("the story has no `{name}`"))?;
            parts.insert(format!("input.{role}"), version.digest());
        }
        let params = run.properties.iter().filter(|(name, _)| name.starts_with(PARAM));
        parts.extend(params.map(|(name, of)| (name.clone(), shown(of.value.as_ref()))));
        Ok(parts)
    }

    /// The execution, its events and its contexts, in one call.
    fn execution(&self, run: &Run, begun: Option<&Begun>) -> Result<PutExecutionRequest, Failure> {
        let mut said = run.properties.clone();
        if let (Some(step), Some(begun)) = (run.step, begun) {
            said.insert(STEP_NAME.to_owned(), text(step));
            said.insert(STEP_FINGERPRINT.to_owned(), text(&begun.answer.fingerprint));
            let parts = begun.parts.iter();
            said.extend(parts.map(|(name, of)| (format!("{STEP_PART}{name}"), text(of))));
        }
        let mut pairs = self.read_by(run, &mut said)?;
        let sources: Vec<i64> = pairs.iter().filter_map(source).collect();
        pairs.extend(self.made_by(run, &sources)?);
        if let Some(Begun { answer, .. }) = begun.filter(|_| run.state == State::Cached) {
            let same_as = answer.execution.as_ref().map_or(0, Execution::id);
            said.insert(STEP_SAME_AS.to_owned(), int(same_as));
            let again = |of: &Event| Event {
                execution_id: None,
                milliseconds_since_epoch: Some(run.ended_ms),
                ..of.clone()
            };
            pairs.extend(answer.events.iter().map(|of| pair(None, again(of))));
        }
        let type_name = RUN_KINDS.iter().find(|(kind, _, _)| *kind == run.kind).map(|of| of.1);
        Ok(PutExecutionRequest {
            execution: Some(Execution {
                type_id: type_name.and_then(|name| self.execution_types.get(name)).copied(),
                name: Some(run.key.clone()),
                last_known_state: Some(run.state.into()),
                custom_properties: said,
                ..Default::default()
            }),
            artifact_event_pairs: pairs,
            contexts: self.contexts_of(run),
            options: Some(Options { force_reuse_context: Some(true), ..Default::default() }),
            ..Default::default()
        })
    }

    /// By id, as they are.
    fn contexts_of(&self, run: &Run) -> Vec<Context> {
        let mut ids = vec![self.context_id(EXPERIMENT, EXPERIMENT_NAME)];
        if let Some(name) = run.pipeline_run {
            ids.push(self.context_id(PIPELINE, PIPELINE_NAME));
            ids.push(self.context_id(PIPELINE_RUN, &format!("{PIPELINE_NAME}/{name}")));
        }
        ids.into_iter().map(|id| Context { id, ..Default::default() }).collect()
    }

    /// The events of what a run reads; of a step that was skipped not code and environment, which
    /// are those of the step that ran.
    fn read_by(&self, run: &Run, said: &mut Properties) -> Result<Vec<ArtifactAndEvent>, Failure> {
        let mut pairs = Vec::new();
        let input = event::Type::Input;
        for (role, name) in &run.reads {
            let id = self.version(name)?;
            pairs.push(pair(None, event_of(input, role, &[], Some(id), run.started_ms)));
        }
        if run.state != State::Cached {
            for of in shared_of(run) {
                said.insert(format!("{}.digest", of.role), text(&of.digest));
                let id = self.shared.get(&of.digest).copied();
                pairs.push(pair(None, event_of(input, of.role, &[], id, run.started_ms)));
            }
        }
        Ok(pairs)
    }

    /// The events of what it makes, from all the data and models that it reads.
    fn made_by(&self, run: &Run, sources: &[i64]) -> Result<Vec<ArtifactAndEvent>, Failure> {
        let mut pairs = Vec::new();
        let output = event::Type::Output;
        for (role, name) in &run.makes {
            let id = self.version(name)?;
            let made_ms = self.made_ms(run, name);
            pairs.push(pair(None, event_of(output, role, sources, Some(id), made_ms)));
        }
        if let Some(metrics) = &run.metrics {
            let made = Artifact {
                type_id: self.artifact_types.get(METRICS).copied(),
                state: Some(artifact::State::Live.into()),
                custom_properties: metrics.clone(),
                ..Default::default()
            };
            let event = event_of(output, "metrics", sources, None, run.ended_ms);
            pairs.push(pair(Some(made), event));
        }
        Ok(pairs)
    }

    /// Checkpoints are made as the run goes on, all else at its end.
    fn made_ms(&self, run: &Run, full_name: &str) -> i64 {
        let version = self.story.versions.get(full_name);
        let step = version.and_then(|of| of.properties.get("step"));
        let series = run.series.first();
        let Some((step, series)) = step.zip(series) else { return run.ended_ms };
        let place = series.steps.iter().position(|each| int(*each) == *step);
        place.map_or(run.ended_ms, |place| series.times_ms[place])
    }
}

/// Code and environment of a run.
fn shared_of(run: &Run) -> Vec<Shared> {
    let code = run.is_dirty.map(provenance::code);
    let environment = run.in_training_image.map(provenance::environment);
    code.into_iter().chain(environment).collect()
}

/// A value as a part of a step: as Python writes it.
fn shown(value: Option<&value::Value>) -> String {
    match value {
        Some(value::Value::StringValue(text)) => format!("'{text}'"),
        Some(value::Value::IntValue(number)) => number.to_string(),
        Some(value::Value::DoubleValue(number)) => format!("{number:?}"),
        Some(value::Value::BoolValue(true)) => "True".to_owned(),
        Some(value::Value::BoolValue(false)) => "False".to_owned(),
        _ => "None".to_owned(),
    }
}

fn pair(artifact: Option<Artifact>, event: Event) -> ArtifactAndEvent {
    ArtifactAndEvent { artifact, event: Some(event) }
}

fn event_of(
    kind: event::Type,
    role: &str,
    sources: &[i64],
    artifact_id: Option<i64>,
    time_ms: i64,
) -> Event {
    let key = |text: &str| path::step::Value::Key(text.to_owned());
    let mut steps = vec![key(role)];
    if !sources.is_empty() {
        steps.push(key("from"));
        steps.extend(sources.iter().copied().map(path::step::Value::Index));
    }
    let steps = steps.into_iter().map(|value| path::Step { value: Some(value) });
    Event {
        artifact_id,
        r#type: Some(kind.into()),
        path: Some(event::Path { steps: steps.collect() }),
        milliseconds_since_epoch: Some(time_ms),
        ..Default::default()
    }
}

/// The artifact of an input that outputs come from: not code, nor an environment.
fn source(pair: &ArtifactAndEvent) -> Option<i64> {
    let event = pair.event.as_ref()?;
    let role = event.path.as_ref()?.steps.first()?.value.as_ref()?;
    let is_shared = ["code", "environment"]
        .iter()
        .any(|shared| *role == path::step::Value::Key((*shared).to_owned()));
    event.artifact_id.filter(|_| !is_shared)
}

fn first(ids: &[i64]) -> Result<i64, Failure> {
    ids.first().copied().ok_or_else(|| "the store gave no id".into())
}
