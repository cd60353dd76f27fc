//! `headwater metrics` and `headwater best`: what a run measured, and its checkpoint where that was
//! best.

use std::io::{self, Write as _};

use headwater_proto::headwater::v1::{GetMetricsRequest, MetricSeries};
use headwater_proto::ml_metadata::event::path::step::Value;
use headwater_proto::ml_metadata::{
    Artifact, Execution, GetArtifactsByIdRequest, GetEventsByExecutionIDsRequest, value,
};
use headwater_store::Access;
use headwater_store::vocabulary::CHECKPOINT_STEP;

use crate::Failure;
use crate::cli::{BestArgs, Cli, MetricsArgs};
use crate::client::{Client, Place};
use crate::config::FileSettings;

/// Runs `headwater metrics`.
pub(crate) fn run(cli: &Cli, args: &MetricsArgs, file: &FileSettings) -> Result<(), Failure> {
    let client = Client::open(&Place::of(cli, args.server.as_deref(), file, Access::Read)?)?;
    let run = client.run(&args.run)?;
    let found = series(&client, &run, args.names.clone())?;
    for name in &args.names {
        if !found.iter().any(|series| series.name == *name) {
            let known = series(&client, &run, Vec::new())?;
            let known: Vec<&str> = known.iter().map(|series| &*series.name).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let message = format!("run `{}` has no metric `{name}`", args.run);
            return Err(format!("{message}\nhint: it has {known}").into());
        }
    }
    let mut out = io::BufWriter::new(io::stdout());
    let is_one_point = args.last || args.min || args.max;
    if args.names.is_empty() && !is_one_point && args.at_step.is_none() {
        for series in &found {
            let [last, min, max] = [last(series), extreme(series, true), extreme(series, false)];
            let [last, min, max] = [last, min, max].map(|at| at.map(|at| point(series, at)));
            let shown = |of: Option<String>| of.unwrap_or_else(|| "-".to_owned());
            let points = series.values.len();
            writeln!(out, "{}: {points} points", series.name)?;
            writeln!(out, "  last {}  min {}  max {}", shown(last), shown(min), shown(max))?;
        }
        return Ok(out.flush()?);
    }
    for series in &found {
        let mut at: Vec<usize> = match args.at_step {
            Some(step) => (0..series.steps.len()).filter(|at| series.steps[*at] == step).collect(),
            None if args.last => last(series).into_iter().collect(),
            None if args.min || args.max => extreme(series, args.min).into_iter().collect(),
            None => (0..series.steps.len()).collect(),
        };
        at.sort_unstable();
        for at in at {
            let (step, time) = (series.steps[at], series.times_ms[at]);
            writeln!(out, "{}\t{step}\t{time}\t{}", series.name, number(series.values[at]))?;
        }
    }
    Ok(out.flush()?)
}

/// Runs `headwater best`.
pub(crate) fn best(cli: &Cli, args: &BestArgs, file: &FileSettings) -> Result<(), Failure> {
    let client = Client::open(&Place::of(cli, args.server.as_deref(), file, Access::Read)?)?;
    let run = client.run(&args.run)?;
    let found = series(&client, &run, vec![args.metric.clone()])?;
    let Some((series, at)) =
        found.first().and_then(|series| Some((series, extreme(series, !args.max)?)))
    else {
        return Err(format!("run `{}` has no metric `{}`", args.run, args.metric).into());
    };
    let step = series.steps[at];
    let mut out = io::stdout();
    writeln!(out, "{} is {} at step {step}", series.name, number(series.values[at]))?;
    // The last one up to that step has the weights that are nearest.
    let checkpoints = checkpoints(&client, &run)?;
    match checkpoints.iter().filter(|(of, _)| *of <= step).max_by_key(|(of, _)| *of) {
        Some((of, checkpoint)) => {
            let note = if *of == step { "" } else { " (none was kept at that step)" };
            writeln!(out, "checkpoint {} of step {of}{note}", checkpoint.name())?;
            writeln!(out, "{}", checkpoint.uri())?;
        }
        None => writeln!(out, "no checkpoint was kept up to that step")?,
    }
    Ok(())
}

fn series(
    client: &Client,
    run: &Execution,
    names: Vec<String>,
) -> Result<Vec<MetricSeries>, Failure> {
    let request = GetMetricsRequest { execution_id: run.id(), names, ..Default::default() };
    Ok(client.call(&request)?.series)
}

/// The checkpoints of a run by their steps.
fn checkpoints(client: &Client, run: &Execution) -> Result<Vec<(i64, Artifact)>, Failure> {
    let request = GetEventsByExecutionIDsRequest {
        execution_ids: run.id.into_iter().collect(),
        ..Default::default()
    };
    let events = client.call(&request)?.events;
    let is_checkpoint = |event: &&headwater_proto::ml_metadata::Event| {
        let first = event.path.as_ref().and_then(|path| path.steps.first());
        let role = Value::Key("checkpoint".to_owned());
        first.is_some_and(|step| step.value.as_ref() == Some(&role))
    };
    let artifact_ids: Vec<i64> =
        events.iter().filter(is_checkpoint).filter_map(|event| event.artifact_id).collect();
    let request = GetArtifactsByIdRequest { artifact_ids, ..Default::default() };
    let found = client.call(&request)?.artifacts;
    let step = |artifact: &Artifact| match artifact.custom_properties.get(CHECKPOINT_STEP)?.value {
        Some(value::Value::IntValue(step)) => Some(step),
        _ => None,
    };
    Ok(found.into_iter().filter_map(|artifact| Some((step(&artifact)?, artifact))).collect())
}

fn last(series: &MetricSeries) -> Option<usize> {
    series.steps.len().checked_sub(1)
}

/// The first of the smallest or largest values that are numbers.
fn extreme(series: &MetricSeries, is_min: bool) -> Option<usize> {
    let numbers = series.values.iter().enumerate().filter(|(_, value)| !value.is_nan());
    let better = |a: f64, b: f64| if is_min { b < a } else { b > a };
    numbers
        .reduce(|best, other| if better(*best.1, *other.1) { other } else { best })
        .map(|(at, _)| at)
}

fn point(series: &MetricSeries, at: usize) -> String {
    format!("{} (step {})", number(series.values[at]), series.steps[at])
}

/// The shortest text that is this number again; `NaN`, `Infinity`, `-Infinity`.
fn number(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        value if value.is_infinite() => {
            if value > 0.0 {
                "Infinity".to_owned()
            } else {
                "-Infinity".to_owned()
            }
        }
        value => format!("{value}"),
    }
}
