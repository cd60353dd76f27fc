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
