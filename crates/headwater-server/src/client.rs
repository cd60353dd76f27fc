//! What commands ask: a store, or a running server, in the same words.

use headwater_proto::headwater::v1::ListExecutionsRequest;
use headwater_proto::ml_metadata::{Execution, GetExecutionsByIdRequest, Value, value};
use headwater_store::vocabulary::{PIPELINE_RUN, RUN_NAME};
use headwater_store::{Access, Call, Store};
use prost::Message as _;

use crate::Failure;
use crate::cli::Cli;
use crate::config::{self, FileSettings};
use crate::observe::code_name;
use crate::remote::Remote;

/// An open store, or a connection to a server.
pub(crate) enum Client {
    Store(Box<Store>),
    Server(Remote),
}

impl Client {
    /// Opens the store of the settings, or connects to a server if one is named.
    pub(crate) fn open(
        cli: &Cli,
        server: Option<&str>,
        file: &FileSettings,
        access: Access,
    ) -> Result<Self, Failure> {
        if let Some(server) = server {
            return Remote::connect(server).map(Self::Server);
        }
        let mut url = config::store_url(cli, file)?;
        // A misspelt path must not become an empty store that is then found empty.
        if access == Access::Read {
            url = url.read_only();
        }
        let store = Store::open(&url).map_err(|error| failed(&error))?;
        Ok(Self::Store(Box::new(store)))
    }

    /// Calls a method.
    pub(crate) fn call<R: Call>(&self, request: &R) -> Result<R::Response, Failure> {
        match self {
            Self::Store(store) => store.call(request).map_err(|error| failed(&error)),
            Self::Server(remote) => {
                let answer = remote.call(R::METHOD, request.encode_to_vec());
                let answer = answer.map_err(|status| {
                    format!("{}: {}", code_name(status.code()), status.message())
                });
                Ok(R::Response::decode(&*answer?)?)
            }
        }
    }

    /// The run that a person means: an id, `run:NAME` or a name, of several the last one; or a step
    /// of a pipeline's run, as in `p3/featurize`.
    pub(crate) fn run(&self, reference: &str) -> Result<Execution, Failure> {
        let text = reference.strip_prefix("run:").unwrap_or(reference);
        if let Ok(id) = text.parse() {
            let request =
                GetExecutionsByIdRequest { execution_ids: vec![id], ..Default::default() };
            let found = self.call(&request)?.executions.pop();
            return found.ok_or_else(|| format!("there is no execution with id {id}").into());
        }
        let mut filters = vec![named(text)];
        if let Some((of, step)) = text.rsplit_once('/') {
            let whole = quoted(of);
            filters.push(format!(
                "{} AND contexts_p.type = '{PIPELINE_RUN}' AND (contexts_p.name = {whole} \
                 OR contexts_p.name LIKE {})",
                named(step),
                quoted(&format!("%/{of}"))
            ));
        }
        for filter in filters {
            let last = ListExecutionsRequest {
                filter,
                order_by: "id DESC".to_owned(),
                page_size: 1,
                ..Default::default()
            };
            if let Some(found) = self.call(&last)?.executions.pop() {
                return Ok(found);
            }
        }
        Err(format!(
            "there is no run `{reference}`\nhint: give its id, its name, or PIPELINE_RUN/STEP; \
             `headwater call ListExecutions` shows what there is"
        )
        .into())
    }
}

fn failed(error: &headwater_store::Error) -> Failure {
    format!("{}: {error}", error.kind().row().code).into()
}

fn named(name: &str) -> String {
    let name = quoted(name);
    format!("(custom_properties.`{RUN_NAME}` = {name} OR name = {name})")
}

/// A text as a filter has it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for character in text.chars() {
        match character {
            '\'' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                quoted.push_str(&format!("\\U{:08x}", u32::from(control)));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

/// A custom property that is a text.
pub(crate) fn text<'p>(
    properties: &'p std::collections::BTreeMap<String, Value>,
    name: &str,
) -> Option<&'p str> {
    match properties.get(name)?.value.as_ref()? {
        value::Value::StringValue(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_one_string_of_a_filter() {
        assert_eq!(quoted("a'b\\c\n"), "'a\\'b\\\\c\\U0000000a'");
    }
}
