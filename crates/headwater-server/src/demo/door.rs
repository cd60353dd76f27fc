//! The methods of the table, in a store or on a server.

use headwater_store::{Call, Caller, ErrorKind, Store};
use prost::Message as _;

use crate::Failure;
use crate::observe::code_name;
use crate::remote::Remote;

/// An open store, or a connection to a server.
pub(crate) enum Door {
    Store(Box<Store>),
    Server(Remote),
}

/// Why a call was refused.
pub(super) struct Refusal {
    pub(super) is_there_already: bool,
    message: String,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        refusal.message.into()
    }
}

impl Refusal {
    fn of(error: &headwater_store::Error) -> Self {
        Self {
            is_there_already: error.kind() == ErrorKind::AlreadyExists,
            message: format!("{}: {error}", error.kind().row().code),
        }
    }
}

impl Door {
    pub(super) fn call<R: Call>(&self, request: &R) -> Result<R::Response, Refusal> {
        let remote = match self {
            Self::Store(store) => {
                return store.call(request).map_err(|error| Refusal::of(&error));
            }
            Self::Server(remote) => remote,
        };
        let answer = remote.call(R::METHOD, request.encode_to_vec()).map_err(|status| Refusal {
            is_there_already: status.code() as i32 == ErrorKind::AlreadyExists.row().grpc,
            message: format!("{}: {}", code_name(status.code()), status.message()),
        })?;
        decoded::<R>(&answer)
    }

    /// Calls that do not need each other's answers: a store that is a file commits them together.
    pub(super) fn call_all<R: Call>(&self, requests: &[R]) -> Result<Vec<R::Response>, Refusal> {
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
}

fn decoded<R: Call>(answer: &[u8]) -> Result<R::Response, Refusal> {
    R::Response::decode(answer).map_err(|error| Refusal {
        is_there_already: false,
        message: format!("the answer cannot be read: {error}"),
    })
}
