//! What commands ask: a store, or a running server, in the same words.

use std::collections::BTreeMap;

use headwater_proto::headwater::v1::ListExecutionsRequest;
use headwater_proto::ml_metadata::{Execution, GetExecutionsByIdRequest, Value, value};
use headwater_store::vocabulary::{PIPELINE_RUN, RUN_NAME};
use headwater_store::{Access, Call, Caller, ErrorKind, Store, StoreUrl};
use prost::Message as _;
use tonic::Code;

use crate::Failure;
use crate::cli::Cli;
use crate::config::{self, FileSettings};
use crate::observe::code_name;
use crate::remote::Remote;

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A store.
    Store(Box<StoreUrl>),
    /// A server, by its URL.
    Server(String),
}

impl Place {
    /// The server that is named, or else the store of the settings.
    pub(crate) fn of(
        cli: &Cli,
        server: Option<&str>,
        file: &FileSettings,
        access: Access,
    ) -> Result<Self, Failure> {
        if let Some(server) = server {
            return Ok(Self::Server(server.to_owned()));
        }
        let url = config::store_url(cli, file)?;
        // A misspelt path must not become an empty store that is then found empty.
        let url = if access == Access::Read { url.read_only() } else { url };
        Ok(Self::Store(Box::new(url)))
    }
}

/// Why a call has no answer.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    code: i32,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn is(&self, kind: ErrorKind) -> bool {
        self.code == kind.row().grpc
    }

    /// The message without its hint.
    pub(crate) fn first_line(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }

    /// Whether another attempt may work: the store may be there again, or who was in the way gone.
    pub(crate) fn is_passing(&self) -> bool {
        let codes = [
            Code::Unavailable,
            Code::Aborted,
            Code::DeadlineExceeded,
            Code::ResourceExhausted,
            Code::Cancelled,
            Code::Unknown,
        ];
        codes.iter().any(|code| *code as i32 == self.code)
    }

    fn of(error: &headwater_store::Error) -> Self {
        Self { code: error.kind().row().grpc, message: error.to_string() }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", code_name(Code::from_i32(self.code)), self.message)
    }
}

impl std::error::Error for Refusal {}

/// An open store, or a connection to a server.
pub(crate) enum Client {
    Store(Box<Store>),
    Server(Remote),
}

impl Client {
    /// Opens the store or connects to the server.
    pub(crate) fn open(place: &Place) -> Result<Self, Refusal> {
        match place {
            Place::Store(url) => {
                let store = Store::open(url).map_err(|error| Refusal::of(&error))?;
                Ok(Self::Store(Box::new(store)))
            }
            Place::Server(url) => Remote::connect(url).map(Self::Server).map_err(|failure| {
                Refusal { code: Code::Unavailable as i32, message: failure.to_string() }
            }),
        }
    }

    /// Calls a method.
    pub(crate) fn call<R: Call>(&self, request: &R) -> Result<R::Response, Refusal> {
        let remote = match self {
            Self::Store(store) => {
                return store.call(request).map_err(|error| Refusal::of(&error));
            }
            Self::Server(remote) => remote,
        };
        let answer = remote.call(R::METHOD, request.encode_to_vec()).map_err(|status| Refusal {
            code: status.code() as i32,
            message: status.message().to_owned(),
        })?;
        decoded::<R>(&answer)
    }

    /// Calls that do not need each other's answers: a store that is a file commits them together.
    pub(crate) fn call_all<R: Call>(&self, requests: &[R]) -> Result<Vec<R::Response>, Refusal> {
        let Self::Store(store) = self else {
            return requests.iter().map(|request| self.call(request)).collect();
        };
        let mut together = store.together();
        for request in requests {
            together.run(R::METHOD, request.encode_to_vec(), &Caller::default());
        }
        let answers = together.finish().into_iter();
        answers.map(|answer| decoded::<R>(&answer.map_err(|error| Refusal::of(&error))?)).collect()
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

fn decoded<R: Call>(answer: &[u8]) -> Result<R::Response, Refusal> {
    R::Response::decode(answer).map_err(|error| Refusal {
        code: Code::Internal as i32,
        message: format!("the answer cannot be read: {error}"),
    })
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
pub(crate) fn text<'p>(properties: &'p BTreeMap<String, Value>, name: &str) -> Option<&'p str> {
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
