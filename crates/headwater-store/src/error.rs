//! The one error of the store, and the one table of what each kind means to every caller.

use std::error::Error as StdError;
use std::fmt;

use crate::limits::{ERROR_BYTES_MAX, ERROR_NAMES_MAX};
use crate::url::StoreUrl;

/// `Result` with the store's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as a caller must react to it. The kinds are the status codes that MLMD
/// answers with; clients retry on [`Aborted`](ErrorKind::Aborted) and
/// [`Unavailable`](ErrorKind::Unavailable) and ignore
/// [`AlreadyExists`](ErrorKind::AlreadyExists).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request itself is wrong; sending it again cannot help.
    InvalidArgument,
    /// What the request names does not exist.
    NotFound,
    /// What the request creates exists already.
    AlreadyExists,
    /// The store is not in the state that the request needs.
    FailedPrecondition,
    /// An index lies outside the list it points into, or a computation has no result.
    OutOfRange,
    /// A concurrent call was in the way; the same call may succeed when sent again.
    Aborted,
    /// A limit was reached: the size of an answer, or the disk.
    ResourceExhausted,
    /// The database cannot be reached at the moment.
    Unavailable,
    /// Not part of this release.
    Unimplemented,
    /// What is stored cannot be read: the database is damaged.
    DataLoss,
    /// A bug, or a condition that nothing above describes.
    Internal,
}

/// One line of the error table: how a kind appears on each surface.
#[derive(Clone, Copy, Debug)]
pub struct ErrorRow {
    /// The kind this line is about.
    pub kind: ErrorKind,
    /// Number of the gRPC status code.
    pub grpc: i32,
    /// Name of the gRPC status code, also used as a metric label.
    pub code: &'static str,
    /// HTTP status, as `google.rpc.Code` assigns it.
    pub http: u16,
    /// Exception class of the Python API (`ml_metadata.errors`).
    pub python: &'static str,
    /// Whether the same request may succeed when sent again.
    pub retryable: bool,
}

macro_rules! error_table {
    ($(
        $kind:ident $grpc:literal $code:literal $http:literal $python:literal $retryable:literal;
    )*) => {
        /// Every kind, once.
        pub const ERRORS: &[ErrorRow] = &[$(ErrorRow {
            kind: ErrorKind::$kind,
            grpc: $grpc,
            code: $code,
            http: $http,
            python: $python,
            retryable: $retryable,
        },)*];

        impl ErrorKind {
            /// The line of the error table for this kind.
            pub fn row(self) -> &'static ErrorRow {
                let at = ERRORS.iter().position(|row| row.kind == self);
                &ERRORS[at.expect("the table is made from the kinds")]
            }
        }
    };
}

error_table! {
    InvalidArgument    3  "INVALID_ARGUMENT"    400 "InvalidArgumentError"    false;
    NotFound           5  "NOT_FOUND"           404 "NotFoundError"           false;
    AlreadyExists      6  "ALREADY_EXISTS"      409 "AlreadyExistsError"      false;
    FailedPrecondition 9  "FAILED_PRECONDITION" 400 "FailedPreconditionError" false;
    Aborted            10 "ABORTED"             409 "AbortedError"            true;
    OutOfRange         11 "OUT_OF_RANGE"        400 "OutOfRangeError"         false;
    Unimplemented      12 "UNIMPLEMENTED"       501 "UnimplementedError"      false;
    Internal           13 "INTERNAL"            500 "InternalError"           false;
    Unavailable        14 "UNAVAILABLE"         503 "UnavailableError"        true;
    DataLoss           15 "DATA_LOSS"           500 "DataLossError"           false;
    ResourceExhausted  8  "RESOURCE_EXHAUSTED"  429 "ResourceExhaustedError"  false;
}

/// Why a call failed.
///
/// `Display` is for the caller: the message and, on its own line, the hint. The source is for
/// the operator: it is logged where the error is answered and never leaves the process.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    row: Option<usize>,
    can_rerun: bool,
    is_lost_race: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of the given kind. The message names the thing and the value, in lower case and
    /// without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = shorten(message.into());
        let (can_rerun, is_lost_race) = (false, false);
        Self { kind, message, hint: None, row: None, can_rerun, is_lost_race, source: None }
    }

    /// Adds what the caller can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(shorten(hint.into()));
        self
    }

    /// Adds the cause, for the operator's log only.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Marks the element of a batch at which the database refused.
    #[must_use]
    pub(crate) fn at_row(mut self, row: usize) -> Self {
        self.row = Some(row);
        self
    }

    /// Takes that back: the database does not say which element it is.
    #[must_use]
    pub(crate) fn at_no_row(mut self) -> Self {
        self.row = None;
        self
    }

    /// The element of a batch at which the database refused, if it said so.
    pub(crate) fn row(&self) -> Option<usize> {
        self.row
    }

    /// Says that nothing of the transaction happened, and that it may succeed when it is run again.
    #[must_use]
    pub(crate) fn rerun(mut self) -> Self {
        self.can_rerun = true;
        self
    }

    /// Says the same, and that somebody else did meanwhile what the transaction was about to do.
    #[must_use]
    pub(crate) fn lost_race(mut self) -> Self {
        self.is_lost_race = true;
        self.rerun()
    }

    /// Whether somebody else was faster.
    pub(crate) fn is_lost_race(&self) -> bool {
        self.is_lost_race
    }

    /// Takes that back.
    #[must_use]
    pub(crate) fn no_rerun(mut self) -> Self {
        self.can_rerun = false;
        self
    }

    /// Whether the transaction is worth another attempt.
    pub(crate) fn can_rerun(&self) -> bool {
        self.can_rerun
    }

    /// Says which store the error is about, where the words do not.
    #[must_use]
    pub(crate) fn of_store(mut self, url: &StoreUrl) -> Self {
        self.message = format!("cannot open `{url}`: {}", self.message);
        self
    }

    /// Says which field of the request the error is about.
    #[must_use]
    pub(crate) fn of_field(mut self, field: &str) -> Self {
        self.message = shorten(format!("{field}: {}", self.message));
        self
    }

    /// Gives a database error the words of the operation it happened in.
    #[must_use]
    pub(crate) fn reworded(mut self, kind: ErrorKind, message: impl Into<String>) -> Self {
        let driver = std::mem::replace(&mut self.message, shorten(message.into()));
        self.kind = kind;
        self.source.get_or_insert_with(|| driver.into());
        self
    }

    /// How the caller must react.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message without the hint.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

/// Bytes of a character in a gRPC header, which writes most signs as `%` and two digits.
fn header_bytes(character: char) -> usize {
    if character.is_ascii_alphanumeric() { 1 } else { 3 * character.len_utf8() }
}

/// Leaves out the middle of a text that would not fit into a header.
fn shorten(text: String) -> String {
    if text.chars().map(header_bytes).sum::<usize>() <= ERROR_BYTES_MAX {
        return text;
    }
    let within = |budget: usize| {
        let mut spent = 0;
        move |character: &char| {
            spent += header_bytes(*character);
            spent <= budget
        }
    };
    let head: String = text.chars().take_while(within(ERROR_BYTES_MAX * 2 / 3)).collect();
    let tail: Vec<char> = text.chars().rev().take_while(within(ERROR_BYTES_MAX / 4)).collect();
    format!("{head} … {}", tail.iter().rev().collect::<String>())
}

/// Names in backticks, the first few of them.
pub(crate) fn names<'n>(names: impl ExactSizeIterator<Item = &'n String>) -> String {
    let more = names.len().saturating_sub(ERROR_NAMES_MAX);
    let mut listed: Vec<String> =
        names.take(ERROR_NAMES_MAX).map(|name| format!("`{name}`")).collect();
    if more > 0 {
        listed.push(format!("{more} more"));
    }
    listed.join(", ")
}

/// Shorthand for the kinds that the operations use most.
macro_rules! shorthand {
    ($($name:ident $kind:ident),*) => {$(
        pub(crate) fn $name(message: impl Into<String>) -> Error {
            Error::new(ErrorKind::$kind, message)
        }
    )*};
}

shorthand! {
    invalid InvalidArgument, not_found NotFound, already_exists AlreadyExists,
    unimplemented Unimplemented, data_loss DataLoss, internal Internal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_row_and_every_code_is_used_once() {
        for row in ERRORS {
            assert_eq!(row.kind.row().code, row.code);
            assert_eq!(ERRORS.iter().filter(|other| other.grpc == row.grpc).count(), 1);
        }
    }

    #[test]
    fn a_long_text_keeps_its_ends_and_fits_into_a_header() {
        for filling in ["x", "名", "\""] {
            let error = invalid(format!("the name `{}` is taken", filling.repeat(20_000)));
            let text = error.to_string();
            assert!(text.starts_with("the name") && text.ends_with("is taken"), "{text}");
            let bytes: usize = text.chars().map(header_bytes).sum();
            assert!(bytes <= ERROR_BYTES_MAX, "{bytes}");
        }
    }

    #[test]
    fn the_source_is_not_displayed() {
        let error = invalid("bad `x`").hint("use `y`").caused_by("secret");
        assert_eq!(error.to_string(), "bad `x`\nhint: use `y`");
    }
}
