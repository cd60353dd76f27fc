//! `headwater call METHOD JSON`: any method of the table, on a store or on a server.

use std::io::{self, Read as _, Write as _};

use bytes::Bytes;
use headwater_store::limits::MESSAGE_BYTES_MAX;
use headwater_store::{Access, Method, Store};
use tonic::Status;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;

use crate::Failure;
use crate::cli::{CallArgs, Cli};
use crate::config::{self, FileSettings};
use crate::grpc::BytesCodec;
use crate::observe::code_name;

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
        Some(server) => call_server(server, method, request)?,
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

fn call_server(server: &str, method: Method, request: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let unreachable = |e: tonic::transport::Error| {
            let mut text = format!("cannot reach the server `{server}`: {e}");
            let mut source = std::error::Error::source(&e);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            format!("{text}\nhint: `--server` takes a URL, as in http://127.0.0.1:8080")
        };
        let channel = Endpoint::from_shared(server.to_owned())
            .map_err(unreachable)?
            .connect()
            .await
            .map_err(unreachable)?;
        let mut client = tonic::client::Grpc::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        client.ready().await.map_err(unreachable)?;
        let path = format!("/{}/{}", method.service(), method.name());
        let path = PathAndQuery::try_from(path)?;
        let request = tonic::Request::new(Bytes::from(request));
        // One message or many: those of a stream are one when they are joined.
        let refused =
            |status: Status| format!("{}: {}", code_name(status.code()), status.message());
        let answer = client.server_streaming(request, path, BytesCodec).await.map_err(refused)?;
        let mut messages = answer.into_inner();
        let mut response = Vec::new();
        while let Some(message) = messages.message().await.map_err(refused)? {
            response.extend(message);
        }
        Ok(response)
    })
}
