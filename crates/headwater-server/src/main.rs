//! The binary `headwater`: reads the command line, runs one command, prints an error once.

mod cli;
mod client;
mod commands;
mod config;
mod demo;
mod grpc;
#[cfg(target_os = "linux")]
mod launch;
mod mlmd_flags;
mod observe;
mod remote;
mod serve;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

/// A tenth quicker than the C library's with answers of many nodes, and far more than musl's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What stops a command: a message for people, with a hint on its own line where there is one.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let done = match mlmd_flags::program_args() {
        Some(args) => mlmd_flags::run(&args).map(|()| ExitCode::SUCCESS),
        None => run(Cli::parse()),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let file = config::FileSettings::load(cli.config.as_deref())?;
    let log = config::LogSettings::resolve(&cli, &file);
    match cli.command {
        Command::Serve(ref args) => {
            observe::init_logs(&log)?;
            serve::run(&config::ServeSettings::resolve(&cli, args, &file)?)?;
        }
        Command::Call(ref args) => {
            observe::init_logs(&log.or_filter("warn"))?;
            commands::call::run(&cli, args, &file)?;
        }
        Command::Migrate(ref args) => {
            observe::init_logs(&log.or_filter("warn"))?;
            commands::migrate::run(&cli, args, &file)?;
        }
        Command::CheckUris(ref args) => commands::check_uris::run(&cli, args, &file)?,
        Command::Cache(ref command) => commands::cache::run(&cli, command, &file)?,
        Command::Env(ref args) => commands::env::run(&cli, args, &file)?,
        Command::Metrics(ref args) => commands::metrics::run(&cli, args, &file)?,
        Command::Best(ref args) => commands::metrics::best(&cli, args, &file)?,
        Command::Hash(ref args) => commands::hash::run(args)?,
        #[cfg(target_os = "linux")]
        Command::Run(ref args) => return launch::run(&cli, args, &file),
        #[cfg(target_os = "linux")]
        Command::Keep(ref args) => return launch::keep(args),
        #[cfg(target_os = "linux")]
        Command::TracedExec(ref args) => {
            return Ok(launch::traced_exec(&args.command, args.traced));
        }
        Command::Demo(ref args) => {
            observe::init_logs(&log.or_filter("warn"))?;
            commands::demo::run(&cli, args, &file)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
