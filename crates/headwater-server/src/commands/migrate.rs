//! `headwater migrate`: the store at another version of MLMD's schema.

use std::io::{self, Write as _};

use headwater_store::migrate;

use crate::Failure;
use crate::cli::{Cli, MigrateArgs};
use crate::config::{self, FileSettings};

/// Runs the command.
pub(crate) fn run(cli: &Cli, args: &MigrateArgs, file: &FileSettings) -> Result<(), Failure> {
    let url = config::store_url(cli, file)?;
    let done = migrate(&url, args.to, args.plan, args.drop_unsupported)?;
    let mut out = io::stdout();
    if done.steps.is_empty() {
        writeln!(out, "`{url}` has schema version {}", done.to)?;
        return Ok(());
    }
    let verb = if args.plan { "would go" } else { "went" };
    writeln!(out, "`{url}` {verb} from schema version {} to {}:", done.from, done.to)?;
    for step in &done.steps {
        writeln!(out, "  {step}")?;
    }
    if done.dropped_rows > 0 {
        let verb = if args.plan { "would be" } else { "were" };
        writeln!(
            out,
            "{} boolean and proto properties {verb} dropped{}",
            done.dropped_rows,
            if args.plan && !args.drop_unsupported { " (needs `--drop-unsupported`)" } else { "" }
        )?;
    }
    if let Some(backup) = &done.backup {
        writeln!(out, "the store as it was: `{backup}`")?;
    }
    Ok(())
}
