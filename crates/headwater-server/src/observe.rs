//! Logs and metrics.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use headwater_store::{ERRORS, Method, Observer, StatementRun};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use tonic::Code;
use tracing_subscriber::EnvFilter;

use crate::Failure;
use crate::cli::LogFormat;
use crate::config::LogSettings;

/// Sends log lines to stderr.
pub(crate) fn init_logs(settings: &LogSettings) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(settings.filter())
        .map_err(|e| format!("`--log {}` is not a filter: {e}", settings.filter()))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match settings.format {
        LogFormat::Text => lines.with_target(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}

/// A new id for a request, different between processes.
pub(crate) fn new_request_id() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    // A `RandomState` hashes with keys of its own each time it is made.
    format!("{:016x}", RandomState::new().hash_one(count))
}

/// The name of a status code, as a label.
pub(crate) fn code_name(code: Code) -> &'static str {
    let number = code as i32;
    match ERRORS.iter().find(|row| row.grpc == number) {
        Some(row) => row.code,
        None if code == Code::Ok => "OK",
        None if code == Code::Cancelled => "CANCELLED",
        None if code == Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        None => "UNKNOWN",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RpcLabels {
    method: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabel {
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatementLabel {
    statement: &'static str,
}

/// What `/metrics` shows.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    calls: Family<RpcLabels, Counter>,
    durations: Family<MethodLabel, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    statements: Family<StatementLabel, Counter>,
}

impl Metrics {
    /// All metrics at zero, so that each method is there before its first call.
    pub(crate) fn new() -> Self {
        // 100 microseconds to 26 seconds.
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(1e-4, 2.0, 19));
        let mut metrics = Self {
            registry: Registry::with_prefix("headwater"),
            calls: Family::default(),
            durations: Family::new_with_constructor(histogram),
            in_flight: Gauge::default(),
            statements: Family::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("rpc", "Calls answered, by status code", metrics.calls.clone());
        registry.register_with_unit(
            "rpc_duration",
            "Time from a call's arrival to its answer",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        let help = "Calls being answered now";
        registry.register("rpc_in_flight", help, metrics.in_flight.clone());
        registry.register("statement", "Statements run, by name", metrics.statements.clone());
        for method in Method::ALL.iter().map(|method| method.name()) {
            drop(metrics.calls.get_or_create(&RpcLabels { method, code: "OK" }));
            drop(metrics.durations.get_or_create(&MethodLabel { method }));
        }
        metrics
    }

    /// Counts a call as in flight, until it is recorded.
    pub(crate) fn begin(&self) {
        self.in_flight.inc();
    }

    /// Counts an answered call.
    pub(crate) fn record(&self, method: Method, code: &'static str, took: Duration) {
        self.in_flight.dec();
        let method = method.name();
        self.calls.get_or_create(&RpcLabels { method, code }).inc();
        self.durations.get_or_create(&MethodLabel { method }).observe(took.as_secs_f64());
    }

    /// The metrics as OpenMetrics text.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Observer for Metrics {
    fn statements(&self, _: Method, statements: &[StatementRun]) {
        for run in statements {
            self.statements.get_or_create(&StatementLabel { statement: run.name }).inc();
        }
    }
}
