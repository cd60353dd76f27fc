//! `headwater demo load`: an example that answers can be tried on.

use std::io::{self, Write};
use std::time::Instant;

use headwater_store::Access;

use crate::Failure;
use crate::cli::{Cli, DemoArgs, DemoCommand, DemoLoadArgs};
use crate::client::{Client, Place};
use crate::config::FileSettings;
use crate::demo::{Files, Loaded, load};

/// Runs the command.
pub(crate) fn run(cli: &Cli, args: &DemoArgs, file: &FileSettings) -> Result<(), Failure> {
    let DemoCommand::Load(args) = &args.command;
    let began = Instant::now();
    let files = Files::new(args.data.as_deref())?;
    let (client, place, flag) = open(cli, args, file)?;
    let loaded = load(&client, &files)?;
    let mut out = io::stdout();
    writeln!(out, "loaded `demo-churn` into `{place}` in {:.1} s", began.elapsed().as_secs_f64())?;
    tell(&mut out, &loaded, args)?;
    try_next(&mut out, &flag)?;
    Ok(())
}

/// The store or the server, its name, and the flag that leads to it.
fn open(
    cli: &Cli,
    args: &DemoLoadArgs,
    file: &FileSettings,
) -> Result<(Client, String, String), Failure> {
    let place = Place::of(cli, args.server.as_deref(), file, Access::Write)?;
    let client = Client::open(&place)?;
    Ok(match place {
        Place::Server(server) => (client, server.clone(), format!(" --server {server}")),
        Place::Store(url) => {
            let flag = cli.store.as_ref().map(|_| format!(" --store '{url}'")).unwrap_or_default();
            (client, url.to_string(), flag)
        }
    })
}

fn tell(out: &mut impl Write, loaded: &Loaded, args: &DemoLoadArgs) -> io::Result<()> {
    writeln!(
        out,
        "  {} versions: {} of datasets, {} of models ({} of them checkpoints)",
        loaded.versions, loaded.datasets, loaded.models, loaded.checkpoints
    )?;
    writeln!(
        out,
        "  {} runs ({} of them cached), of which {} are evaluations and {} deployments; {} runs of \
         the pipeline `churn-train`",
        loaded.runs, loaded.cached, loaded.evaluations, loaded.deployments, loaded.pipeline_runs
    )?;
    writeln!(
        out,
        "  {} points of metrics; {} profiles, patches and lists of packages",
        loaded.points, loaded.contents
    )?;
    if let Some(folder) = &args.data {
        writeln!(out, "  {} files in `{}`", loaded.versions, folder.display())?;
    }
    Ok(())
}

/// What works as it stands there.
fn try_next(out: &mut impl Write, flag: &str) -> io::Result<()> {
    let questions = [
        (
            "the data that `churn@2` was trained on",
            "TraceLineage",
            concat!(
                r#"{"startArtifacts": ["name = \"churn@2\""], "direction": "UPSTREAM", "#,
                r#""keepArtifacts": "type = \"headwater.Dataset\"", "keepExecutions": "false"}"#
            ),
        ),
        (
            "the last deployment to `prod`: what is live there",
            "ListExecutions",
            concat!(
                r#"{"filter": "custom_properties.`deploy.target` = \"prod\"", "#,
                r#""orderBy": "custom_properties.`run.started_ms` DESC", "pageSize": 1}"#
            ),
        ),
        (
            "the run that ran out of memory, and why",
            "ListExecutions",
            concat!(
                r#"{"filter": "last_known_state = FAILED AND "#,
                r#"custom_properties.`run.name` = \"train-d\""}"#
            ),
        ),
    ];
    writeln!(out, "try next:")?;
    for (what, method, request) in questions {
        writeln!(out, "  # {what}\n  headwater call{flag} {method} '{request}'")?;
    }
    Ok(())
}
