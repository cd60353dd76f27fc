//! Bringing a database to the schema that this release works with, or refusing it.

use crate::backend::{Access, Cancel};
use crate::error::{Error, ErrorKind, Result, data_loss};
use crate::ops::types;
use crate::rows;
use crate::sql::queries::ENV_SELECT;
use crate::store::{Session, Store};

/// The schema version of MLMD 1.17 and 1.21.
pub const SCHEMA_VERSION: i64 = 10;

/// MLMD's tables at [`SCHEMA_VERSION`].
const TABLES: [&str; 15] = [
    "MLMDEnv",
    "Type",
    "TypeProperty",
    "ParentType",
    "Artifact",
    "ArtifactProperty",
    "Execution",
    "ExecutionProperty",
    "Context",
    "ContextProperty",
    "ParentContext",
    "Event",
    "EventPath",
    "Association",
    "Attribution",
];

/// The tables that the oldest releases made, which kept no version.
const TABLES_AT_VERSION_0: [&str; 8] = [
    "Type",
    "TypeProperty",
    "Artifact",
    "ArtifactProperty",
    "Execution",
    "ExecutionProperty",
    "Event",
    "EventPath",
];

/// What Headwater adds; the last statement of the additions.
const LAST_ADDITION: &str = "hw_context_type_id";

/// What a database turned out to be.
enum Found {
    /// None of MLMD's tables: a store can be made, also beside foreign tables.
    Nothing,
    /// A store of this version, where something of ours or a system type may be missing.
    Store { complete: bool },
}

/// Makes the store where there is none, and completes one that MLMD made. Several processes may
/// do this at once: the first one does it, the others find it done.
pub(crate) fn prepare(store: &Store, read_only: bool) -> Result<()> {
    let found = store.transact(Access::Read, None, &Cancel::default(), inspect)?;
    if read_only && matches!(found, Found::Nothing) {
        let message = "the database holds no metadata store";
        return Err(Error::new(ErrorKind::FailedPrecondition, message)
            .hint("open it for writing once to make one"));
    }
    store.settle()?;
    match found {
        Found::Store { complete } if complete || read_only => Ok(()),
        _ => store.transact(Access::Write, None, &Cancel::default(), |session| {
            if matches!(inspect(session)?, Found::Nothing) {
                session.script(|dialect| dialect.schema)?;
            }
            session.script(|dialect| dialect.additions)?;
            types::put_system_types(session)
        }),
    }
}

fn inspect(session: &mut Session<'_>) -> Result<Found> {
    let relations = session.relations()?;
    let has = |name: &str| relations.iter().any(|found| found.eq_ignore_ascii_case(name));
    if !TABLES.iter().any(|table| has(table)) {
        return Ok(Found::Nothing);
    }
    if !has("MLMDEnv") && TABLES_AT_VERSION_0.iter().all(|table| has(table)) {
        return Err(older(0));
    }
    if has("MLMDEnv") {
        check_version(session)?;
    }
    let missing: Vec<&str> = TABLES.iter().copied().filter(|table| !has(table)).collect();
    if !missing.is_empty() {
        return Err(Error::new(
            ErrorKind::Aborted,
            format!("the database has only some of MLMD's tables; {} missing", list(&missing)),
        )
        .hint("another process may be making them: try again; or restore it from a backup"));
    }
    let complete = has(LAST_ADDITION) && types::has_system_types(session)?;
    Ok(Found::Store { complete })
}

fn check_version(session: &mut Session<'_>) -> Result<()> {
    let mut versions = Vec::new();
    session.query(ENV_SELECT, Vec::new(), &mut |row| {
        versions.push(rows::int(row, 0)?);
        Ok(())
    })?;
    match versions[..] {
        [SCHEMA_VERSION] => Ok(()),
        [version] if version < SCHEMA_VERSION => Err(older(version)),
        [version] => Err(Error::new(
            ErrorKind::FailedPrecondition,
            format!(
                "the database has schema version {version}; this release knows versions up to \
                 {SCHEMA_VERSION}"
            ),
        )
        .hint("open it with the newer release that made it")),
        [] => Err(Error::new(ErrorKind::Aborted, "the table MLMDEnv has no schema version")
            .hint("another process may be making the store: try again")),
        _ => Err(data_loss("the table MLMDEnv has more than one schema version")),
    }
}

fn older(version: i64) -> Error {
    Error::new(
        ErrorKind::FailedPrecondition,
        format!(
            "the database has schema version {version}; this release works with version \
             {SCHEMA_VERSION}"
        ),
    )
    .hint(
        "upgrading comes with a later release; until then open it once with ml-metadata 1.17 and \
         `enable_upgrade_migration`",
    )
}

fn list(names: &[&str]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", names.join(", "))
}
