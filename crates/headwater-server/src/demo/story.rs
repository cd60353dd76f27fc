//! What the demo is made of: versions, the runs of a pipeline, and runs in their order. Nothing
//! here knows a store.

use std::collections::BTreeMap;

use headwater_proto::headwater::v1::MetricSeries;
use headwater_proto::ml_metadata::execution::State;
use headwater_proto::ml_metadata::{Value, value};
use headwater_store::digest::sha256;
use headwater_store::vocabulary::RUN_ENDED;
use md5::{Digest as _, Md5};

use super::provenance::hex;
use super::table::Table;

/// Custom properties by name.
pub(crate) type Properties = BTreeMap<String, Value>;

/// Midnight before 1 September 2026, UTC.
const SEPTEMBER_MS: i64 = 1_788_220_800_000;
pub(crate) const MINUTE_MS: i64 = 60_000;

/// A time in September 2026, UTC, in milliseconds since the Unix epoch.
pub(crate) fn september(day: i64, hour: i64, minute: i64) -> i64 {
    SEPTEMBER_MS + (((day - 1) * 24 + hour) * 60 + minute) * MINUTE_MS
}

pub(crate) fn text(of: &str) -> Value {
    Value { value: Some(value::Value::StringValue(of.to_owned())) }
}

pub(crate) fn int(of: i64) -> Value {
    Value { value: Some(value::Value::IntValue(of)) }
}

pub(crate) fn double(of: f64) -> Value {
    Value { value: Some(value::Value::DoubleValue(of)) }
}

pub(crate) fn boolean(of: bool) -> Value {
    Value { value: Some(value::Value::BoolValue(of)) }
}

/// A version of something, with its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// One of the vocabulary's.
    pub(crate) type_name: &'static str,
    pub(crate) name: String,
    pub(crate) number: i64,
    /// Of its file, below the folder or the bucket.
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) properties: Properties,
    pub(crate) profile: Option<Vec<u8>>,
}

impl Version {
    pub(crate) fn new(
        type_name: &'static str,
        name: &str,
        number: i64,
        path: &str,
        bytes: Vec<u8>,
    ) -> Self {
        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let properties = Properties::from([
            ("digest.sha256".to_owned(), text(sha256(&bytes).trim_start_matches("sha256:"))),
            ("digest.md5".to_owned(), text(&hex(&Md5::digest(&bytes)))),
            ("size_bytes".to_owned(), int(size)),
            ("format".to_owned(), text(path.rsplit('.').next().unwrap_or_default())),
        ]);
        let (name, path) = (name.to_owned(), path.to_owned());
        Self { type_name, name, number, path, bytes, properties, profile: None }
    }

    /// A file of CSV.
    pub(crate) fn of_table(
        type_name: &'static str,
        name: &str,
        number: i64,
        path: &str,
        table: &Table,
    ) -> Self {
        let mut made = Self::new(type_name, name, number, path, table.csv());
        let rows = i64::try_from(table.rows.len()).unwrap_or(i64::MAX);
        made.properties.insert("rows".to_owned(), int(rows));
        for (name, kind) in table.columns() {
            made.properties.insert(format!("column.{name}"), text(kind));
        }
        made.profile = Some(table.profile());
        made
    }

    pub(crate) fn with(mut self, properties: &[(&str, Value)]) -> Self {
        let owned = properties.iter().map(|(name, of)| ((*name).to_owned(), of.clone()));
        self.properties.extend(owned);
        self
    }

    /// As in `raw@1`.
    pub(crate) fn full_name(&self) -> String {
        format!("{}@{}", self.name, self.number)
    }

    /// By which it is known, as in `sha256:…`.
    pub(crate) fn digest(&self) -> String {
        sha256(&self.bytes)
    }
}

/// What started a run of the pipeline, if it is in the graph.
#[derive(Clone, Debug)]
pub(crate) enum Cause {
    Nothing,
    /// A version, as in `raw@2`.
    Version(&'static str),
    /// A run by its key.
    Run(&'static str),
}

/// A run of the pipeline.
#[derive(Clone, Debug)]
pub(crate) struct PipelineRun {
    /// As in `p1`.
    pub(crate) name: &'static str,
    pub(crate) properties: Properties,
    pub(crate) cause: Cause,
}

/// One execution, whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    /// The name of the execution.
    pub(crate) key: String,
    /// A kind of the vocabulary.
    pub(crate) kind: &'static str,
    /// The run of the pipeline that it is a step of.
    pub(crate) pipeline_run: Option<&'static str>,
    pub(crate) state: State,
    pub(crate) started_ms: i64,
    pub(crate) ended_ms: i64,
    pub(crate) properties: Properties,
    /// Name of the step, if it is memoized.
    pub(crate) step: Option<&'static str>,
    /// Whether the code had changes that were not committed; nothing if nobody knows the code.
    pub(crate) is_dirty: Option<bool>,
    /// Whether it ran in the image for trainings; nothing if nobody knows.
    pub(crate) in_training_image: Option<bool>,
    /// Roles and versions. A step that is CACHED makes what the store says.
    pub(crate) reads: Vec<(&'static str, String)>,
    pub(crate) makes: Vec<(&'static str, String)>,
    /// Of the artifact with metrics that an evaluation makes.
    pub(crate) metrics: Option<Properties>,
    pub(crate) series: Vec<MetricSeries>,
}

impl Run {
    pub(crate) fn says(mut self, properties: &[(&str, Value)]) -> Self {
        let owned = properties.iter().map(|(name, of)| ((*name).to_owned(), of.clone()));
        self.properties.extend(owned);
        self
    }

    pub(crate) fn reading(mut self, role: &'static str, version: &str) -> Self {
        self.reads.push((role, version.to_owned()));
        self
    }

    pub(crate) fn making(mut self, role: &'static str, version: &str) -> Self {
        self.makes.push((role, version.to_owned()));
        self
    }

    /// The step is skipped: it has been made before.
    pub(crate) fn cached(mut self) -> Self {
        self.state = State::Cached;
        self.ended_ms = self.started_ms + 1000;
        self.makes.clear();
        // Nothing ran, so there is no machine that it ran on.
        let of_machine = ["host.", "env.", "seed.", "code.", "run.argv", "run.folder", "run.host"];
        self.properties.retain(|name, _| !of_machine.iter().any(|start| name.starts_with(start)));
        let ended = int(self.ended_ms);
        self.says(&[(RUN_ENDED, ended)])
    }
}

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    /// By full name.
    pub(crate) versions: BTreeMap<String, Version>,
    pub(crate) pipeline_runs: Vec<PipelineRun>,
    /// Runs that need nothing of each other but versions, and then those that need them. The very
    /// last run stands alone.
    pub(crate) chapters: Vec<Vec<Run>>,
}

impl Story {
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.chapters.iter().flatten()
    }
}
