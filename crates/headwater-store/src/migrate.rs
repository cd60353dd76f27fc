//! Bringing a database to the schema that this release works with, or to another one that MLMD had.

use std::time::{SystemTime, UNIX_EPOCH};

use headwater_proto::ml_metadata::{Artifact, Context, Execution};

use crate::backend::{Access, Caller, Value};
use crate::error::{Error, ErrorKind, Result, data_loss, invalid};
use crate::kinds::Node;
use crate::ops::types;
use crate::rows;
use crate::sql::queries::{
    ENV_INSERT, ENV_SELECT, ENV_UPDATE, MIGRATION_INSERT, MIGRATION_SELECT, MIGRATION_UPDATE,
};
use crate::store::{Session, Store};
use crate::url::StoreUrl;

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

/// By these it is known that all is there which Headwater adds: what it adds last, and what a
/// downgrade takes away. (That leaves the points of metrics where they are.)
const ADDITIONS: [&str; 2] = ["hw_step", "hw_type_key"];
/// Where a migration that cannot be undone stands, while it goes on.
const PROGRESS: &str = "hw_migration";
const PROGRESS_TABLE: &str = "CREATE TABLE hw_migration (id INT PRIMARY KEY, target INT NOT NULL, \
                              file INT NOT NULL, statement INT NOT NULL)";

/// The statement that was begun last, where none was.
const NOT_BEGUN: i64 = -1;

/// What a step from one version to the next brings or takes, by the higher version.
const STEPS: [&str; 10] = [
    "the table of the version",
    "context types: Type.type_kind instead of Type.is_artifact_type",
    "contexts and their properties",
    "associations and attributions",
    "names, states and times of nodes",
    "base types, parent contexts, versions and descriptions of types",
    "byte_value of properties",
    "indexes of property values, and one event of each kind between two nodes",
    "external ids",
    "boolean and proto properties",
];

/// What a database turned out to be.
enum Found {
    /// None of MLMD's tables: a store can be made, also beside foreign tables.
    Nothing,
    /// Some of them, which is what making them leaves where it is interrupted.
    Unfinished { missing: String },
    /// A store of this version, where something of ours or a system type may be missing.
    Store { complete: bool },
    /// A store of an older version.
    Older(i64),
    /// A store on the way to another version.
    Moving { to: i64 },
}

/// Makes the store where there is none, and completes one that MLMD made. Several processes may
/// do this at once: the first one does it, the others find it done.
pub(crate) fn prepare(store: &Store, read_only: bool, upgrades: bool) -> Result<()> {
    let caller = Caller::default();
    let found = store.transact(Access::Read, None, &caller, inspect)?;
    match &found {
        Found::Nothing | Found::Unfinished { .. } if read_only => {
            let message = "the database holds no metadata store";
            return Err(Error::new(ErrorKind::FailedPrecondition, message)
                .hint("open it for writing once to make one"));
        }
        Found::Older(version) if !upgrades || read_only => return Err(older(*version)),
        Found::Moving { to } if !upgrades || read_only || *to != SCHEMA_VERSION => {
            return Err(moving(*to));
        }
        _ => {}
    }
    store.settle()?;
    if read_only || matches!(found, Found::Store { complete: true }) {
        // A store that needs nothing is not written.
        let doubles = |s: &mut Session<'_>| types::repair_doubles(s, false);
        if !store.transact(Access::Read, None, &caller, doubles)? || read_only {
            return Ok(());
        }
        let repair = |s: &mut Session<'_>| types::repair_doubles(s, true);
        return store.transact(Access::Write, None, &caller, repair).map(drop);
    }
    store.transact(Access::Write, None, &caller, |session| {
        session.lock_schema()?;
        match inspect(session)? {
            Found::Nothing => session.script(|dialect| dialect.schema)?,
            // What is left of an attempt to make it is empty.
            Found::Unfinished { .. } if is_empty(session)? => {
                session.script(|dialect| dialect.schema)?;
            }
            Found::Unfinished { missing } => return Err(unfinished(&missing)),
            Found::Older(from) => move_to(session, from, SCHEMA_VERSION)?,
            Found::Moving { .. } => go_on(session)?,
            Found::Store { .. } => {}
        }
        session.script(|dialect| dialect.additions)?;
        types::put_system_types(session)?;
        types::repair_doubles(session, true).map(drop)
    })
}

fn inspect(session: &mut Session<'_>) -> Result<Found> {
    let relations = session.relations()?;
    let has = |name: &str| relations.iter().any(|found| found.eq_ignore_ascii_case(name));
    if has(PROGRESS)
        && let Some((to, ..)) = progress(session)?
    {
        return Ok(Found::Moving { to });
    }
    if !TABLES.iter().any(|table| has(table)) {
        return Ok(Found::Nothing);
    }
    if !has("MLMDEnv") && TABLES_AT_VERSION_0.iter().all(|table| has(table)) {
        return Ok(Found::Older(0));
    }
    let missing: Vec<&str> = TABLES.iter().copied().filter(|table| !has(table)).collect();
    let interrupted = session.dialect().commits_changes;
    if has("MLMDEnv") {
        match version(session)? {
            None if interrupted => {
                return Ok(Found::Unfinished { missing: "the version".to_owned() });
            }
            None => {
                let message = "the table MLMDEnv has no schema version";
                return Err(Error::new(ErrorKind::Aborted, message)
                    .hint("another process may be making the store: try again"));
            }
            Some(SCHEMA_VERSION) => {}
            Some(version) if version < SCHEMA_VERSION => return Ok(Found::Older(version)),
            Some(version) => return Err(newer(version)),
        }
    }
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Err(unfinished(&missing));
    }
    let complete = ADDITIONS.into_iter().all(has) && types::has_system_types(session)?;
    Ok(Found::Store { complete })
}

/// Whether no table has a row, of those of MLMD's that there are.
fn is_empty(session: &mut Session<'_>) -> Result<bool> {
    let relations = session.relations()?;
    let has = |name: &str| relations.iter().any(|found| found.eq_ignore_ascii_case(name));
    let mut empty = true;
    for (table, query) in [
        ("Artifact", Artifact::KIND.queries.select_any),
        ("Execution", Execution::KIND.queries.select_any),
        ("Context", Context::KIND.queries.select_any),
    ] {
        if has(table) {
            session.query(query, Vec::new(), &mut |_| {
                empty = false;
                Ok(())
            })?;
        }
    }
    Ok(empty)
}

fn version(session: &mut Session<'_>) -> Result<Option<i64>> {
    let mut versions = Vec::new();
    session.query(ENV_SELECT, Vec::new(), &mut |row| {
        versions.push(rows::int(row, 0)?);
        Ok(())
    })?;
    match versions[..] {
        [] => Ok(None),
        [version] => Ok(Some(version)),
        _ => Err(data_loss("the table MLMDEnv has more than one schema version")),
    }
}

fn newer(version: i64) -> Error {
    let message = format!(
        "the database has schema version {version}; this release knows versions up to \
         {SCHEMA_VERSION}"
    );
    Error::new(ErrorKind::FailedPrecondition, message)
        .hint("open it with the newer release that made it")
}

fn older(version: i64) -> Error {
    let message = format!(
        "the database has schema version {version}; this release works with version \
         {SCHEMA_VERSION}"
    );
    Error::new(ErrorKind::FailedPrecondition, message).hint(
        "`headwater migrate` brings it there, and so does `--enable_database_upgrade`; \
         `headwater migrate --plan` shows the steps",
    )
}

fn moving(to: i64) -> Error {
    let message = format!("the database is on its way to schema version {to}, and was interrupted");
    Error::new(ErrorKind::FailedPrecondition, message)
        .hint(format!("`headwater migrate --to {to}` goes on where it ended"))
}

fn unfinished(missing: &str) -> Error {
    let message = format!("the database has only some of MLMD's tables; missing: {missing}");
    Error::new(ErrorKind::Aborted, message)
        .hint("another process may be making them: try again; or restore it from a backup")
}

/// A migration that was planned or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The version that the store had.
    pub from: i64,
    /// The version that it gets.
    pub to: i64,
    /// What each step brings or takes, in their order.
    pub steps: Vec<String>,
    /// Rows of properties that a downgrade has to drop, because the older version has no place for
    /// their values.
    pub dropped_rows: i64,
    /// The file that was copied first, if any was.
    pub backup: Option<String>,
}

/// Takes the store at `url` to another schema version, or only says what that would do.
///
/// Fails with `INVALID_ARGUMENT` for a version that there is not, `FAILED_PRECONDITION` where rows
/// would be lost and `drops` does not allow it, or where there is no store.
pub fn migrate(url: &StoreUrl, to: i64, plans: bool, drops: bool) -> Result<Migration> {
    if !(0..=SCHEMA_VERSION).contains(&to) {
        let message = format!("there is no schema version {to}");
        return Err(invalid(message).hint(format!("use 0 to {SCHEMA_VERSION}")));
    }
    let store = Store::connect(&url.clone().existing())?;
    let access = if plans { Access::Read } else { Access::Write };
    let moved = store.transact(access, None, &Caller::default(), |session| {
        if !plans {
            session.lock_schema()?;
        }
        let found = inspect(session)?;
        let from = match found {
            Found::Nothing | Found::Unfinished { .. } => {
                let message = "the database holds no metadata store";
                return Err(Error::new(ErrorKind::FailedPrecondition, message));
            }
            Found::Store { .. } => SCHEMA_VERSION,
            Found::Older(version) => version,
            Found::Moving { to: before } if before == to && !plans => {
                go_on(session)?;
                return Ok(Migration {
                    from: to,
                    to,
                    steps: Vec::new(),
                    dropped_rows: 0,
                    backup: None,
                });
            }
            Found::Moving { to } => return Err(moving(to)),
        };
        let mut plan = plan(session, from, to)?;
        if plans || from == to {
            return Ok(plan);
        }
        if plan.dropped_rows > 0 && !drops {
            return Err(would_drop(&plan));
        }
        let stamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        plan.backup = session.backup(&format!(".version-{from}.{stamp}.backup"))?;
        if from > to {
            session.script(|dialect| dialect.removals)?;
        }
        move_to(session, from, to)?;
        Ok(plan)
    });
    let moved = moved.map_err(|error| error.of_store(url))?;
    if !plans && to == SCHEMA_VERSION {
        prepare(&store, url.is_read_only(), true).map_err(|error| error.of_store(url))?;
    }
    Ok(moved)
}

fn plan(session: &mut Session<'_>, from: i64, to: i64) -> Result<Migration> {
    let named = |version: i64| usize::try_from(version - 1).ok().and_then(|at| STEPS.get(at));
    let step = |verb: &str, version: i64, then: i64| {
        format!("{then}: {verb} {}", named(version).unwrap_or(&""))
    };
    let steps = if from < to {
        (from + 1..=to).map(|version| step("adds", version, version)).collect()
    } else {
        (to + 1..=from).rev().map(|version| step("takes away", version, version - 1)).collect()
    };
    let mut dropped_rows = 0;
    if from == SCHEMA_VERSION && to < from {
        for kind in [Artifact::KIND, Execution::KIND, Context::KIND] {
            session.query(kind.queries.count_valueless, Vec::new(), &mut |row| {
                dropped_rows += rows::int(row, 0)?;
                Ok(())
            })?;
        }
    }
    Ok(Migration { from, to, steps, dropped_rows, backup: None })
}

fn would_drop(plan: &Migration) -> Error {
    let message = format!(
        "{} boolean and proto properties have no place in schema version {}",
        plan.dropped_rows, plan.to
    );
    Error::new(ErrorKind::FailedPrecondition, message)
        .hint("keep a backup and drop them with `--drop-unsupported`")
}

/// Runs the steps from one version to another. Where each statement is committed by itself, it is
/// written down before it is run, so that whoever comes after a crash goes on there.
fn move_to(session: &mut Session<'_>, from: i64, to: i64) -> Result<()> {
    if session.dialect().commits_changes {
        session.migration_step(PROGRESS_TABLE, true)?;
        session.execute(MIGRATION_INSERT, vec![to.into(), from.into()])?;
        return go_on(session);
    }
    let mut version = from;
    while version != to {
        version = step_from(session, version, to, None)?;
    }
    Ok(())
}

/// Goes on with a migration that was written down.
fn go_on(session: &mut Session<'_>) -> Result<()> {
    let Some((to, mut version, mut statement)) = progress(session)? else { return Ok(()) };
    while version != to {
        version = step_from(session, version, to, Some(statement))?;
        statement = NOT_BEGUN;
        session.execute(MIGRATION_UPDATE, vec![version.into(), statement.into()])?;
    }
    session.migration_step("DROP TABLE hw_migration", false)
}

/// Target, the version that a step starts from, and the statement of it that was begun, if any was.
fn progress(session: &mut Session<'_>) -> Result<Option<(i64, i64, i64)>> {
    let mut found = None;
    session.query(MIGRATION_SELECT, Vec::new(), &mut |row| {
        found = Some((rows::int(row, 0)?, rows::int(row, 1)?, rows::int(row, 2)?));
        Ok(())
    })?;
    Ok(found)
}

/// Runs one step, from its statement `from` on if that is written down, and answers the version
/// that the store then has.
fn step_from(
    session: &mut Session<'_>,
    version: i64,
    to: i64,
    written: Option<i64>,
) -> Result<i64> {
    let dialect = session.dialect();
    let (next, files, file) = if to > version {
        (version + 1, &dialect.upgrades, version)
    } else {
        (version - 1, &dialect.downgrades, version - 1)
    };
    let text = usize::try_from(file).ok().and_then(|at| files.get(at)).copied();
    let text = text.ok_or_else(|| data_loss(format!("there is no schema version {next}")))?;
    tracing::info!(from = version, to = next, "changing the tables");
    let resumed = written.unwrap_or(NOT_BEGUN);
    for (at, statement) in (0..).zip(text.split(";\n").filter(|text| is_statement(text))) {
        if at < resumed {
            continue;
        }
        if written.is_some() {
            session.execute(MIGRATION_UPDATE, vec![version.into(), Value::Int(at)])?;
        }
        session.migration_step(statement, at == resumed)?;
    }
    match next {
        0 => {}
        _ if self::version(session)?.is_none() => {
            session.execute(ENV_INSERT, vec![next.into()])?;
        }
        _ => session.execute(ENV_UPDATE, vec![next.into()])?,
    }
    Ok(next)
}

/// Whether there is more in a text than comments.
fn is_statement(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| !line.is_empty() && !line.starts_with("--"))
}
