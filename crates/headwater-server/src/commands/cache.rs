//! `headwater cache`: why steps ran, and making them run again.

use std::io::{self, Write as _};

use headwater_proto::headwater::v1::{ExplainStepRequest, ForgetStepsRequest};
use headwater_store::Access;

use crate::Failure;
use crate::cli::{CacheCommand, Cli};
use crate::client::{Client, Place};
use crate::config::FileSettings;

/// Runs the command.
pub(crate) fn run(cli: &Cli, command: &CacheCommand, file: &FileSettings) -> Result<(), Failure> {
    let mut out = io::stdout();
    match command {
        CacheCommand::Explain { step, server } => {
            let client = Client::open(&Place::of(cli, server.as_deref(), file, Access::Read)?)?;
            let execution_id = client.run(step)?.id();
            let found = client.call(&ExplainStepRequest { execution_id })?;
            let (word, why) = match found.text.split_once(": ") {
                Some(("skipped", why)) => ("HIT", why),
                Some((_, why)) => ("MISS", why),
                None => ("MISS", &*found.text),
            };
            writeln!(out, "{word}: {why}")?;
            for part in &found.different {
                let shown = |of: &Option<String>| of.clone().unwrap_or_else(|| "-".to_owned());
                writeln!(out, "  {}", part.name)?;
                writeln!(out, "    here   {}", shown(&part.here))?;
                writeln!(out, "    there  {}", shown(&part.there))?;
            }
        }
        CacheCommand::Forget { name, fingerprint, server } => {
            let client = Client::open(&Place::of(cli, server.as_deref(), file, Access::Write)?)?;
            let name = name.clone().unwrap_or_default();
            let fingerprint = fingerprint.clone().unwrap_or_default();
            let steps = client.call(&ForgetStepsRequest { fingerprint, name })?.steps;
            writeln!(out, "forgot {steps} {}", if steps == 1 { "result" } else { "results" })?;
        }
    }
    Ok(())
}
