//! What goes wrong with a database server, whichever it is, in the words of the caller.

use crate::backend::server::ServerConfig;
use crate::error::{Error, ErrorKind};
use crate::limits::QUERY_SECONDS_MAX;

/// What a transaction was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of it can have been kept.
    Open,
    /// It was to be kept.
    Commit,
}

/// What a server answers instead of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A row has a key that another one has.
    Clash,
    /// Another transaction was in the way, and this one was ended.
    Conflict,
    /// Another transaction holds what this one needs.
    Locked,
    /// Somebody changed the tables meanwhile.
    TablesChanged,
    /// It is a standby, or has lost its cluster.
    NoWrites,
    QueryTooLong,
    DiskFull,
    OutOfMemory,
    TooManyConnections,
    /// The whole of a text does not fit into an index.
    TooLongForIndex,
    TooLongForColumn,
    TooLarge,
    OutOfRange,
    BadText,
    NotAllowed,
    NotMlmd,
    DiskFails,
    Damaged,
    Unexpected(String),
}

/// An error, and what it means for the connection.
pub(super) struct Classified {
    pub(super) error: Error,
    pub(super) is_lost: bool,
}

impl Trouble {
    /// The error for the caller.
    pub(super) fn error(&self, config: &ServerConfig) -> Error {
        let (kind, message, hint) = self.words(config);
        let error = Error::new(kind, message);
        let error = if hint.is_empty() { error } else { error.hint(hint) };
        let passes = [
            Self::Conflict,
            Self::Locked,
            Self::TablesChanged,
            Self::NoWrites,
            Self::TooManyConnections,
        ];
        if passes.contains(self) { error.rerun() } else { error }
    }

    #[rustfmt::skip] // a table
    fn words(&self, config: &ServerConfig) -> (ErrorKind, String, &'static str) {
        use ErrorKind as Kind;
        let (database, user) = (&config.database, config.user());
        match self {
            Self::Clash => (Kind::AlreadyExists,
                "a row with the same key exists already".into(), ""),
            Self::Conflict => (Kind::Aborted,
                "another transaction was in the way".into(), "send it again"),
            Self::Locked => (Kind::Aborted,
                "another transaction holds what this one needs".into(), "send it again"),
            Self::TablesChanged => (Kind::Aborted,
                "the tables were changed at the same time".into(), "send it again"),
            Self::NoWrites => (Kind::Unavailable,
                format!("database `{database}` takes no writes now"),
                "it is a standby or has lost its cluster: name all hosts in the store URL"),
            Self::QueryTooLong => (Kind::ResourceExhausted,
                format!("the query took longer than {QUERY_SECONDS_MAX} s, or its caller has gone"),
                "ask for less: fewer nodes, or a filter that an index can serve"),
            Self::DiskFull => (Kind::ResourceExhausted,
                format!("no space left on the disk of database `{database}`"),
                "free some space and try again; nothing was written"),
            Self::OutOfMemory => (Kind::ResourceExhausted,
                "the database is out of memory".into(), "ask for less"),
            Self::TooManyConnections => (Kind::Unavailable,
                "the database has too many connections".into(),
                "allow more, or give the store URL a smaller `connections`"),
            Self::TooLongForIndex => (Kind::InvalidArgument,
                "a value is too long for an index of the database".into(),
                "MLMD's indexes of whole strings refuse those above 2,700 bytes; a database that \
                 Headwater makes has shorter ones"),
            Self::TooLongForColumn => (Kind::InvalidArgument,
                "a text is too long for its column".into(),
                "names and external ids have 255 characters at most in this database"),
            Self::TooLarge => (Kind::ResourceExhausted,
                "a value is too large for the database".into(),
                "raise max_allowed_packet of the server"),
            Self::OutOfRange => (Kind::OutOfRange,
                "a value cannot be computed or does not fit its column".into(), ""),
            Self::BadText => (Kind::InvalidArgument,
                "a text cannot be stored by the database".into(), ""),
            Self::NotAllowed => (Kind::FailedPrecondition,
                format!("user `{user}` may not do this in database `{database}`"),
                "grant it the rights to create and change tables"),
            Self::NotMlmd => (Kind::FailedPrecondition,
                format!("the tables of database `{database}` are not those of MLMD"),
                "name another database; this one was left as it is"),
            Self::DiskFails => (Kind::Unavailable,
                "the database cannot read or write its disk".into(), "look at its log"),
            Self::Damaged => (Kind::DataLoss,
                format!("database `{database}` is damaged"), "restore it from a backup"),
            Self::Unexpected(code) => (Kind::Internal,
                format!("unexpected answer from database `{database}` (code {code})"), ""),
        }
    }
}

/// The error of a connection that was lost. What was being committed may have been kept.
pub(super) fn lost(
    cause: impl std::error::Error + Send + Sync + 'static,
    config: &ServerConfig,
    in_doubt: bool,
) -> Classified {
    let at = servers(config);
    let error = if in_doubt {
        let message = format!("the connection to {at} was lost while a change was committed");
        Error::new(ErrorKind::Unavailable, message)
            .hint("the change may have been made or not: read before you send it again")
            .caused_by(cause)
    } else {
        Error::new(ErrorKind::Unavailable, format!("the connection to {at} was lost"))
            .hint("try again; the database may be starting or moving")
            .caused_by(cause)
            .rerun()
    };
    Classified { error, is_lost: true }
}

/// The servers of a store, for messages.
pub(super) fn servers(config: &ServerConfig) -> String {
    let hosts: Vec<String> = config.hosts.iter().map(ToString::to_string).collect();
    format!("the database server at {}", hosts.join(", "))
}

/// The error of a statement that was sent together with a later one, whose caller knows nothing
/// of its keys.
pub(super) fn of_earlier(error: Error) -> Error {
    match error.kind() {
        ErrorKind::AlreadyExists => error.reworded(
            ErrorKind::FailedPrecondition,
            "the database takes two different names for the same",
        ),
        ErrorKind::OutOfRange => error
            .reworded(ErrorKind::InvalidArgument, "a value does not fit its column")
            .hint("integers have 32 bits in a database that MLMD made"),
        _ => error,
    }
}

/// What is wrong with a connection that cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Password,
    NotFromHere,
    NoDatabase,
    NotThisDatabase,
    MayNotCreate,
    CannotCreate,
    TooManyConnections,
    NotReady,
    Other,
}

impl Refusal {
    /// The error for the operator; `at` is the server.
    #[rustfmt::skip] // a table
    pub(super) fn error(self, config: &ServerConfig, at: &str, code: &str) -> Error {
        use ErrorKind as Kind;
        let (database, user) = (&config.database, config.user());
        let (kind, message, hint) = match self {
            Self::Password => (Kind::FailedPrecondition,
                format!("{at} does not accept user `{user}` with this password"),
                "check user and password; a password in a URL needs `%40` for `@`"),
            Self::NotFromHere => (Kind::FailedPrecondition,
                format!("{at} does not let user `{user}` into database `{database}` from here"),
                "check the user, and from where the server lets it in"),
            Self::NoDatabase => (Kind::NotFound,
                format!("{at} has no database `{database}`"),
                "create it, or leave `skip_db_creation` out"),
            Self::NotThisDatabase => (Kind::FailedPrecondition,
                format!("user `{user}` may not use database `{database}` at {at}"),
                "grant it the right to connect"),
            Self::MayNotCreate => (Kind::FailedPrecondition,
                format!("user `{user}` may not create database `{database}` at {at}"),
                "create the database first, in UTF-8 and with a binary collation"),
            Self::CannotCreate => (Kind::FailedPrecondition,
                format!("{at} has no database `{database}`, and it could not be created ({code})"),
                "create the database first, in UTF-8 and with a binary collation"),
            Self::TooManyConnections => (Kind::Unavailable,
                format!("{at} has too many connections"),
                "allow more, or give the store URL a smaller `connections`"),
            Self::NotReady => (Kind::Unavailable,
                format!("{at} is starting or stopping"), "try again"),
            Self::Other => (Kind::Unavailable,
                format!("{at} refuses the connection ({code})"), "look at its log"),
        };
        let error = Error::new(kind, message).hint(hint);
        let passes = matches!(self, Self::TooManyConnections | Self::NotReady | Self::Other);
        if passes { error.rerun() } else { error }
    }
}

/// The error of a server that does not answer.
pub(super) fn unreachable(at: &str, why: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{at} cannot be reached: {why}"))
        .hint("check host and port, and whether the server runs")
        .rerun()
}

/// What is wrong with the encryption, if that is why a connection could not be made.
pub(super) fn tls_failure(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(of) = cause {
        // An error of the network does not give what it wraps as its cause.
        let inner = of.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if inner.is_some_and(|inner| inner.is::<rustls::Error>()) || of.is::<rustls::Error>() {
            return Some(of.to_string());
        }
        cause = of.source();
    }
    None
}

/// The error of a connection that cannot be encrypted as it is to be.
pub(super) fn not_encrypted(at: &str, why: &str) -> Error {
    let message = format!("no encrypted connection to {at} can be made: {why}");
    Error::new(ErrorKind::FailedPrecondition, message)
        .hint("check `sslmode`, `sslrootcert`, `sslcert` and `sslkey`")
}
