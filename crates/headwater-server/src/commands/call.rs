//! `headwater call METHOD JSON`: any method of the table, on a store or on a server.

use std::io::{self, Read as _, Write as _};

use headwater_store::{Access, Method, Store};

use crate::Failure;
use crate::cli::{CallArgs, Cli};
use crate::config::{self, FileSettings};
use crate::observe::code_name;
use crate::remote::Remote;

/// Runs the command.
pub(crate) fn run(cli: &Cli, args: &CallArgs, file: &FileSettings) -> Result<(), Failure> {
    let mut out = io::stdout();
    if args.list {
        for method in Method::ALL {
            writeln!(out, "{}", method.name())?;
        }
        return Ok(());
    }
    let method = find(args.method.as_deref().unwrap_or_default())?;
    let request = if args.request == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        method.request_from_json(&text)?
    } else {
        method.request_from_json(&args.request)?
    };
    let response = match &args.server {
        Some(server) => Remote::connect(server)?
            .call(method, request)
            .map_err(|status| format!("{}: {}", code_name(status.code()), status.message()))?,
        None => {
            let mut url = config::store_url(cli, file)?;
            // A misspelt path must not become an empty store that is then found empty.
            if method.access() == Access::Read {
                url = url.read_only();
            }
            Store::open(&url)
                .and_then(|store| store.call_bytes(method, &request))
                .map_err(|error| format!("{}: {error}", error.kind().row().code))?
        }
    };
    writeln!(out, "{}", method.response_to_json(&response)?)?;
    Ok(())
}

/// The method of this name, or the nearest ones.
fn find(name: &str) -> Result<Method, Failure> {
    if let Some(method) = Method::from_name(name) {
        return Ok(method);
    }
    let wanted = name.to_ascii_lowercase();
    let near: Vec<&str> = Method::ALL
        .iter()
        .map(|method| method.name())
        .filter(|known| {
            let known = known.to_ascii_lowercase();
            known.contains(&wanted) || wanted.contains(&known)
        })
        .collect();
    let hint = if near.is_empty() || wanted.is_empty() {
        "`headwater call --list` shows the methods".to_owned()
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    Err(format!("there is no method `{name}`\nhint: {hint}").into())
}
