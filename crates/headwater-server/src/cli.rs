//! Every flag, documented; `--help` is made from here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use headwater_store::SCHEMA_VERSION;

/// An ML metadata and lineage store: every dataset, run, model, evaluation and deployment, and
/// how each came from the others.
///
/// A setting is taken from its flag, else from its environment variable, else from the file that
/// `--config` names, else from its default.
#[derive(Debug, Parser)]
#[command(name = "headwater", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Where the store is: `sqlite:PATH`, `sqlite::memory:`, `postgres://USER@HOST/DATABASE` or
    /// `mysql://USER@HOST/DATABASE`, made if there is none [default: sqlite:./headwater.db]
    #[arg(
        long,
        global = true,
        env = "HEADWATER_STORE",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) store: Option<OsString>,

    /// Open the store to read only; calls that write answer FAILED_PRECONDITION
    #[arg(long, global = true, env = "HEADWATER_READ_ONLY", num_args = 0..=1,
          default_missing_value = "true", value_name = "BOOL")]
    pub(crate) read_only: Option<bool>,

    /// What to log on stderr: error, warn, info, debug, trace, or a filter such as
    /// `info,headwater_store=trace` [default: info]
    #[arg(long, global = true, env = "HEADWATER_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,

    /// How log lines look [default: text]
    #[arg(long, global = true, env = "HEADWATER_LOG_FORMAT", value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,

    /// A TOML file with any of `store`, `read_only`, `log`, `log_format`, `listen`
    #[arg(long, global = true, env = "HEADWATER_CONFIG", value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// A line of text for people
    #[default]
    Text,
    /// A JSON object per line for machines
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the store: gRPC with reflection and health, /livez, /readyz and /metrics on one port
    Serve(ServeArgs),
    /// Call one method of the service, JSON in, JSON out
    Call(CallArgs),
    /// Take the store to another version of MLMD's schema, after a backup where it is a file
    Migrate(MigrateArgs),
    /// Print the MD5 and the SHA-256 of files and folders, by which their versions are known
    Hash(HashArgs),
    /// Say which of the files that artifacts refer to are missing or have changed
    CheckUris(CheckUrisArgs),
    /// Show why a step ran or was skipped, or make steps run again
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Show what a run ran in, write the files that make it again, or compare it with another run's
    Env(EnvArgs),
    /// Show what a run measured
    Metrics(MetricsArgs),
    /// Show where a metric of a run was best, and the checkpoint of that step
    Best(BestArgs),
    /// Run any command and record it: code, environment, files read and written, resources, the end
    #[cfg(target_os = "linux")]
    Run(Box<RunArgs>),
    /// Stands between a command and its terminal; `run` starts it
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    Keep(KeepArgs),
    /// Becomes a command; `keep` starts it
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    TracedExec(TracedExecArgs),
    /// Fill a store with an example: a history of models that tell which customers will leave
    Demo(DemoArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "HEADWATER_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,

    /// Bring a store of an older schema version to this release's first
    #[arg(long, env = "HEADWATER_UPGRADE")]
    pub(crate) upgrade: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// The schema version to go to, 0 to 10
    #[arg(long, value_name = "N", default_value_t = SCHEMA_VERSION)]
    pub(crate) to: i64,

    /// Show the steps and change nothing
    #[arg(long)]
    pub(crate) plan: bool,

    /// Drop the properties whose values the older version has no place for
    #[arg(long)]
    pub(crate) drop_unsupported: bool,
}

#[derive(Debug, Args)]
pub(crate) struct HashArgs {
    /// A file, or a folder, whose digest is that of the list of its files
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,

    /// Print a JSON object for each path, on a line of its own
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckUrisArgs {
    /// Which artifacts, as in `type = 'headwater.Dataset'`; all without it
    #[arg(long, value_name = "FILTER")]
    pub(crate) filter: Option<String>,

    /// Read the files and compare their digests; without it their sizes are compared
    #[arg(long)]
    pub(crate) verify: bool,

    /// Ask a running server, as in http://127.0.0.1:8080; the store is then not opened
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Say why a step ran, or what it was skipped for
    Explain {
        /// The step: an id, a name, or PIPELINE_RUN/STEP
        #[arg(value_name = "RUN")]
        step: String,

        /// Ask a running server, as in http://127.0.0.1:8080; the store is then not opened
        #[arg(long, value_name = "URL")]
        server: Option<String>,
    },
    /// Forget what steps made, so that they run again
    Forget {
        /// The name of the steps
        #[arg(required_unless_present = "fingerprint", conflicts_with = "fingerprint")]
        name: Option<String>,

        /// A single step, by its `step.fingerprint`
        #[arg(long, value_name = "DIGEST")]
        fingerprint: Option<String>,

        /// Tell a running server, as in http://127.0.0.1:8080; the store is then not opened
        #[arg(long, value_name = "URL")]
        server: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct EnvArgs {
    /// The run: an id, a name, or PIPELINE_RUN/STEP
    #[arg(value_name = "RUN")]
    pub(crate) run: String,

    /// Write the files that were kept, and the packages as `requirements.lock`, into a folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,

    /// Print what differs from another run's
    #[arg(long, value_name = "RUN", conflicts_with = "out")]
    pub(crate) diff: Option<String>,

    /// Ask a running server, as in http://127.0.0.1:8080; the store is then not opened
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct MetricsArgs {
    /// The run: an id, a name, or PIPELINE_RUN/STEP
    #[arg(value_name = "RUN")]
    pub(crate) run: String,

    /// Metrics whose points to print: name, step, milliseconds since 1970, value; a summary without
    #[arg(value_name = "METRIC")]
    pub(crate) names: Vec<String>,

    /// Only the last point
    #[arg(long, conflicts_with_all = ["min", "max", "at_step"])]
    pub(crate) last: bool,

    /// Only the smallest
    #[arg(long, conflicts_with_all = ["max", "at_step"])]
    pub(crate) min: bool,

    /// Only the largest
    #[arg(long, conflicts_with = "at_step")]
    pub(crate) max: bool,

    /// Only those of a step
    #[arg(long, value_name = "STEP", allow_negative_numbers = true)]
    pub(crate) at_step: Option<i64>,

    /// Ask a running server, as in http://127.0.0.1:8080; the store is then not opened
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BestArgs {
    /// The run: an id, a name, or PIPELINE_RUN/STEP
    #[arg(value_name = "RUN")]
    pub(crate) run: String,

    /// The metric
    #[arg(long)]
    pub(crate) metric: String,

    /// Where it is smallest; so it is without either
    #[arg(long, conflicts_with = "max")]
    pub(crate) min: bool,

    /// Where it is largest
    #[arg(long)]
    pub(crate) max: bool,

    /// Ask a running server, as in http://127.0.0.1:8080; the store is then not opened
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    #[command(subcommand)]
    pub(crate) command: DemoCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DemoCommand {
    /// Load `demo-churn`: datasets, models, evaluations, deployments and runs of a pipeline
    Load(DemoLoadArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DemoLoadArgs {
    /// Load into a running server, as in http://127.0.0.1:8080; the store is then not opened
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,

    /// Write the files of the datasets and models into this folder, so that their URIs lead to
    /// them; without it these are s3://demo-churn/…, where nothing is
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// The method, such as GetArtifacts
    #[arg(value_name = "METHOD", required_unless_present = "list")]
    pub(crate) method: Option<String>,

    /// The request as JSON in the protobuf mapping; `-` reads it from stdin
    #[arg(value_name = "JSON", default_value = "{}")]
    pub(crate) request: String,

    /// Call a running server, as in http://127.0.0.1:8080; the store is then not opened
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,

    /// List the methods
    #[arg(long)]
    pub(crate) list: bool,
}

#[cfg(target_os = "linux")]
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// What to call the run [default: the name of the script or of the program]
    #[arg(long)]
    pub(crate) name: Option<String>,

    /// What kind of run it is: run, train, transform, process, evaluate or deploy
    #[arg(long, default_value = "run", value_parser = run_kinds())]
    pub(crate) kind: String,

    /// The experiment that it belongs to
    #[arg(long)]
    pub(crate) experiment: Option<String>,

    /// The pipeline that it is a step of
    #[arg(long)]
    pub(crate) pipeline: Option<String>,

    /// The run of the pipeline, which its other steps name, too
    #[arg(long, requires = "pipeline")]
    pub(crate) pipeline_run: Option<String>,

    /// A parameter, besides those that the command line has
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) params: Vec<(String, String)>,

    /// A tag
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) tags: Vec<(String, String)>,

    /// A file or folder that the command reads, besides those that are seen
    #[arg(long = "input", value_name = "PATH")]
    pub(crate) inputs: Vec<PathBuf>,

    /// A file or folder that the command makes, besides those that are seen
    #[arg(long = "output", value_name = "PATH")]
    pub(crate) outputs: Vec<PathBuf>,

    /// Files that are not to be recorded, by a pattern of their path; `*` stands for slashes, too
    #[arg(long = "ignore", value_name = "GLOB")]
    pub(crate) ignored: Vec<String>,

    /// Do not observe which files the command opens
    #[arg(long)]
    pub(crate) no_trace: bool,

    /// Record on a running server, as in http://127.0.0.1:8080; the store is then not opened
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,

    /// The command and its arguments, behind `--`
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[cfg(target_os = "linux")]
#[derive(Debug, Args)]
pub(crate) struct KeepArgs {
    /// Number of an open descriptor
    #[arg(long)]
    pub(crate) report: i32,

    #[arg(long)]
    pub(crate) no_trace: bool,

    #[arg(required = true, last = true)]
    pub(crate) command: Vec<OsString>,
}

#[cfg(target_os = "linux")]
#[derive(Debug, Args)]
pub(crate) struct TracedExecArgs {
    #[arg(long)]
    pub(crate) traced: bool,

    #[arg(required = true, last = true)]
    pub(crate) command: Vec<OsString>,
}

#[cfg(target_os = "linux")]
fn run_kinds() -> clap::builder::PossibleValuesParser {
    headwater_store::vocabulary::RUN_KINDS.map(|(kind, _, _)| kind).into()
}

#[cfg(target_os = "linux")]
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it is not NAME=VALUE".to_owned()),
    }
}
