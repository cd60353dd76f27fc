//! The methods of the table, in a store or on a server.

use headwater_store::{Call, ErrorKind, Store};
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

impl Door {
    pub(super) fn call<R: Call>(&self, request: &R) -> Result<R::Response, Refusal> {
        let already = ErrorKind::AlreadyExists;
        let remote = match self {
            Self::Store(store) => {
                return store.call(request).map_err(|error| Refusal {
                    is_there_already: error.kind() == already,
                    message: format!("{}: {error}", error.kind().row().code),
                });
            }
            Self::Server(remote) => remote,
        };
        let answer = remote.call(R::METHOD, request.encode_to_vec()).map_err(|status| Refusal {
            is_there_already: status.code() as i32 == already.row().grpc,
            message: format!("{}: {}", code_name(status.code()), status.message()),
        })?;
        R::Response::decode(&*answer).map_err(|error| Refusal {
            is_there_already: false,
            message: format!("the server's answer cannot be read: {error}"),
        })
    }
}
