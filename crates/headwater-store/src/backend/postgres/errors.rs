//! The driver's errors, by their codes.

use tokio_postgres::Error as DriverError;

use crate::backend::server::ServerConfig;
use crate::backend::trouble::{
    Classified, Phase, Refusal, Trouble, lost, not_encrypted, servers, tls_failure, unreachable,
};
use crate::error::Error;

/// Turns an error of a statement into one of ours. `is_last` says that it was the answer to the
/// last statement that was sent.
pub(super) fn classify(
    error: DriverError,
    config: &ServerConfig,
    phase: Phase,
    is_last: bool,
) -> Classified {
    let Some(code) = error.code().map(|code| code.code().to_owned()) else {
        return lost(error, config, phase == Phase::Commit);
    };
    // The server said that the session ends while it looked at an earlier statement than COMMIT.
    if code.starts_with("57P") || code.starts_with("08") {
        return lost(error, config, phase == Phase::Commit && is_last);
    }
    let trouble = trouble(&code);
    let is_lost = trouble == Trouble::NoWrites;
    Classified { error: trouble.error(config).caused_by(error), is_lost }
}

fn trouble(code: &str) -> Trouble {
    match code {
        "23505" => Trouble::Clash,
        "40001" | "40P01" => Trouble::Conflict,
        "55P03" | "55006" => Trouble::Locked,
        "25006" => Trouble::NoWrites,
        "57014" => Trouble::QueryTooLong,
        "53100" => Trouble::DiskFull,
        "53200" | "53400" => Trouble::OutOfMemory,
        "53300" => Trouble::TooManyConnections,
        "54000" => Trouble::TooLongForIndex,
        "22001" => Trouble::TooLongForColumn,
        "22003" | "22008" | "22011" | "22012" | "2201B" | "2201E" | "2201F" | "22P02" => {
            Trouble::OutOfRange
        }
        "22021" | "22P05" => Trouble::BadText,
        "42501" => Trouble::NotAllowed,
        "42P01" | "42703" | "42804" | "42883" => Trouble::NotMlmd,
        "58030" | "58P01" => Trouble::DiskFails,
        "XX001" | "XX002" => Trouble::Damaged,
        other => Trouble::Unexpected(other.to_owned()),
    }
}

/// The error of a connection that could not be made.
pub(super) fn of_connecting(error: DriverError, config: &ServerConfig) -> Error {
    let at = servers(config);
    let Some(code) = error.code().map(|code| code.code().to_owned()) else {
        return without_code(&error, &at).caused_by(error);
    };
    let refusal = match code.as_str() {
        "28P01" => Refusal::Password,
        "28000" => Refusal::NotFromHere,
        "3D000" => Refusal::NoDatabase,
        "42501" => Refusal::NotThisDatabase,
        "53300" => Refusal::TooManyConnections,
        "57P03" => Refusal::NotReady,
        _ => Refusal::Other,
    };
    refusal.error(config, &at, &code).caused_by(error)
}

/// What is wrong before the server has said anything.
fn without_code(error: &DriverError, at: &str) -> Error {
    if let Some(why) = tls_failure(error) {
        return not_encrypted(at, &why);
    }
    let io = std::error::Error::source(error).and_then(|of| of.downcast_ref::<std::io::Error>());
    unreachable(at, &io.map_or_else(|| error.to_string(), ToString::to_string))
}

/// The error of a database that could not be made.
pub(super) fn of_creating(error: DriverError, config: &ServerConfig) -> Error {
    let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
    let refusal = if code == "42501" { Refusal::MayNotCreate } else { Refusal::CannotCreate };
    refusal.error(config, &servers(config), &code).caused_by(error)
}

/// The error of a query that was stopped.
pub(super) fn stopped(config: &ServerConfig) -> Error {
    Trouble::QueryTooLong.error(config)
}
