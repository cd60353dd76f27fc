//! The driver's errors, by their codes.

use std::error::Error as _;

use mysql::{DriverError as Mistake, Error as DriverError};

use crate::backend::server::{Host, ServerConfig};
use crate::backend::trouble::{
    Classified, Phase, Refusal, Trouble, lost, not_encrypted, tls_failure, unreachable,
};
use crate::error::{Error, ErrorKind};

/// Errors after which the session is over.
const SESSION_ENDS: [u16; 7] = [NOT_IN_CLUSTER, 1053, 1077, 1152, 1158, 1184, 1927];
const NOT_IN_CLUSTER: u16 = 1047;

/// Turns an error of a statement into one of ours.
pub(super) fn classify(error: DriverError, config: &ServerConfig, phase: Phase) -> Classified {
    let DriverError::MySqlError(server) = &error else {
        return lost(error, config, phase == Phase::Commit);
    };
    if SESSION_ENDS.contains(&server.code) {
        let in_doubt = phase == Phase::Commit && server.code != NOT_IN_CLUSTER;
        return lost(error, config, in_doubt);
    }
    let trouble = trouble(server.code);
    let is_lost = trouble == Trouble::NoWrites;
    if is_lost && phase == Phase::Commit {
        // The cluster fell apart meanwhile: others may have the change.
        return lost(error, config, true);
    }
    Classified { error: trouble.error(config).caused_by(error), is_lost }
}

fn trouble(code: u16) -> Trouble {
    match code {
        1022 | 1062 | 1169 | 1586 => Trouble::Clash,
        1020 | 1213 => Trouble::Conflict,
        1205 => Trouble::Locked,
        1412 => Trouble::TablesChanged,
        1180 | 1290 | 1836 => Trouble::NoWrites,
        1317 | 1969 | 3024 => Trouble::QueryTooLong,
        3 | 28 | 1021 | 1114 => Trouble::DiskFull,
        5 | 1037 | 1038 | 1041 => Trouble::OutOfMemory,
        1153 | 1301 => Trouble::TooLarge,
        1040 | 1203 | 1226 => Trouble::TooManyConnections,
        1406 => Trouble::TooLongForColumn,
        1366 | 3854 => Trouble::BadText,
        1139 | 1264 | 1365 | 1367 | 1690 | 3685 | 3699 => Trouble::OutOfRange,
        1044 | 1045 | 1142 | 1143 | 1227 | 1370 => Trouble::NotAllowed,
        1046 | 1049 | 1054 | 1136 | 1146 => Trouble::NotMlmd,
        1030 | 1712 => Trouble::DiskFails,
        1034 | 1194 | 1877 => Trouble::Damaged,
        other => Trouble::Unexpected(other.to_string()),
    }
}

/// The error of a connection that could not be made.
pub(super) fn of_connecting(error: DriverError, config: &ServerConfig, host: &Host) -> Error {
    let at = format!("the database server at {host}");
    let shown = match &error {
        DriverError::MySqlError(of) => {
            let refusal = match of.code {
                1045 | 1698 => Refusal::Password,
                1130 => Refusal::NotFromHere,
                1044 => Refusal::NotThisDatabase,
                1049 => Refusal::NoDatabase,
                1040 | 1203 | 1226 => Refusal::TooManyConnections,
                NOT_IN_CLUSTER | 1053 => Refusal::NotReady,
                _ => Refusal::Other,
            };
            refusal.error(config, &at, &of.code.to_string())
        }
        DriverError::TlsError(of) => not_encrypted(&at, &of.to_string()),
        DriverError::DriverError(Mistake::TlsNotSupported) => {
            not_encrypted(&at, "the server does not encrypt")
        }
        // What we found out ourselves, such as a file that cannot be read.
        DriverError::IoError(of) if of.get_ref().is_some_and(|of| of.is::<Error>()) => {
            Error::new(ErrorKind::FailedPrecondition, of.to_string())
        }
        other => match of_network(other).and_then(|of| tls_failure(of)) {
            Some(why) => not_encrypted(&at, &why),
            None => unreachable(&at, &without_secrets(other)),
        },
    };
    shown.caused_by(error)
}

/// The error of the network in one of the driver, which does not give it as its cause.
fn of_network(error: &DriverError) -> Option<&std::io::Error> {
    match error {
        DriverError::IoError(of) => Some(of),
        DriverError::CodecError(of) => of.source()?.downcast_ref(),
        _ => None,
    }
}

/// What an error of the network says; those of the driver might show the settings.
fn without_secrets(error: &DriverError) -> String {
    if let Some(of) = of_network(error) {
        return of.to_string();
    }
    match error {
        DriverError::DriverError(Mistake::CouldNotConnect(Some((_, why, _)))) => why.clone(),
        DriverError::DriverError(Mistake::ConnectTimeout) => "timed out".to_owned(),
        _ => "no answer that is understood".to_owned(),
    }
}

/// The error of a database that could not be made.
pub(super) fn of_creating(error: DriverError, config: &ServerConfig, host: &Host) -> Error {
    let DriverError::MySqlError(of) = &error else {
        return of_connecting(error, config, host);
    };
    let may_not = [1044, 1142, 1227].contains(&of.code);
    let refusal = if may_not { Refusal::MayNotCreate } else { Refusal::CannotCreate };
    let at = format!("the database server at {host}");
    refusal.error(config, &at, &of.code.to_string()).caused_by(error)
}
