//! SQLite: one connection that writes, a pool that reads, write-ahead log, full durability.

mod group;

use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rusqlite::limits::Limit;
use rusqlite::types::{Value as SqlValue, ValueRef};
use rusqlite::{Connection, OpenFlags, ffi};

use self::group::{Failure, Turn, Writers};
use crate::backend::pool::Pool;
use crate::backend::{
    Access, Backend, Caller, Column, Ending, Insertion, OnRows, Pending, Refused, Row, Statement,
    Tx, Value,
};
use crate::error::{Error, ErrorKind, Result, data_loss};
use crate::limits::{
    BUSY_TIMEOUT_MS, CONNECTION_WAIT_MS_MAX, LOG_PAGES_MAX, PAGE_CACHE_KIB_MAX, QUERY_SECONDS_MAX,
    READERS_MAX, STATEMENT_KEPT_BYTES_MAX, STATEMENTS_MAX, VALUE_BYTES_MAX,
};
use crate::sql::{Dialect, Rows};

pub(crate) static DIALECT: Dialect = Dialect {
    name: "sqlite",
    numbered: false,
    in_list: "IN rarray(?)",
    rows: Rows::One,
    insert_ignore: "ON CONFLICT DO NOTHING",
    // There is one writer.
    lock_rows: "",
    schema: include_str!("../../migrations/sqlite/current.sql"),
    additions: include_str!("../../migrations/sqlite/additions.sql"),
    removals: include_str!("../../migrations/sqlite/removals.sql"),
    commits_changes: false,
    upgrades: [
        include_str!("../../migrations/sqlite/up_01.sql"),
        include_str!("../../migrations/sqlite/up_02.sql"),
        include_str!("../../migrations/sqlite/up_03.sql"),
        include_str!("../../migrations/sqlite/up_04.sql"),
        include_str!("../../migrations/sqlite/up_05.sql"),
        include_str!("../../migrations/sqlite/up_06.sql"),
        include_str!("../../migrations/sqlite/up_07.sql"),
        include_str!("../../migrations/sqlite/up_08.sql"),
        include_str!("../../migrations/sqlite/up_09.sql"),
        include_str!("../../migrations/sqlite/up_10.sql"),
    ],
    downgrades: [
        include_str!("../../migrations/sqlite/down_00.sql"),
        include_str!("../../migrations/sqlite/down_01.sql"),
        include_str!("../../migrations/sqlite/down_02.sql"),
        include_str!("../../migrations/sqlite/down_03.sql"),
        include_str!("../../migrations/sqlite/down_04.sql"),
        include_str!("../../migrations/sqlite/down_05.sql"),
        include_str!("../../migrations/sqlite/down_06.sql"),
        include_str!("../../migrations/sqlite/down_07.sql"),
        include_str!("../../migrations/sqlite/down_08.sql"),
        include_str!("../../migrations/sqlite/down_09.sql"),
    ],
    path_order: "rowid",
    keeps_row_order: true,
    text_column: ("", ""),
    int_column: ("", ""),
    text_value: "?",
    special_doubles: true,
    raw_protos: false,
    pairs_use_indexes: true,
    text_index_chars: None,
    finds_prefixes: true,
    // The canonical text is what SQLite takes.
    spellings: &[],
};

/// Where an SQLite store lives and what may be done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteConfig {
    /// The file, or nothing for a store in memory.
    pub path: Option<PathBuf>,
    /// Whether the file may be made, changed, or only read.
    pub mode: SqliteMode,
}

/// What may be done with an SQLite file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqliteMode {
    /// Read an existing store.
    Read,
    /// Read and change an existing file.
    Write,
    /// Read and change, making the file if there is none.
    Create,
}

/// An open SQLite database.
pub(crate) struct Sqlite {
    config: SqliteConfig,
    files: Option<OpenFiles>,
    writers: Writers,
    readers: Pool<Connection>,
}

impl Sqlite {
    /// Opens the database. Every failure names the file and the way out.
    pub(crate) fn open(mut config: SqliteConfig) -> Result<Self> {
        let writer = connect(&config)?;
        // The process may go to another folder, as a notebook does; the store stays where it is.
        if let Some(path) = &mut config.path
            && let Ok(absolute) = std::path::absolute(&path)
        {
            *path = absolute;
        }
        let files = config.path.as_deref().map(OpenFiles::new).transpose()?;
        let writers = Writers::new(writer, config.path.is_some());
        Ok(Self { config, files, writers, readers: Pool::new(READERS_MAX) })
    }

    /// Fails when a file of the database is no longer the one that was opened: SQLite would go on
    /// writing into a file that nobody can find again.
    fn check_files(&self) -> Result<()> {
        self.files.as_ref().map_or(Ok(()), OpenFiles::check)
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Backend for Sqlite {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    /// Turns the write-ahead log on: readers and the writer do not wait for each other, and a
    /// crash at any moment keeps every commit.
    fn settle(&self) -> Result<()> {
        if self.config.mode == SqliteMode::Read || self.config.path.is_none() {
            return Ok(());
        }
        let turn_on = "PRAGMA journal_mode = WAL";
        let mode: String = self
            .writers
            .outside(|connection| connection.query_row(turn_on, [], |row| row.get(0)))
            .map_err(|e| classify(e, &self.config))?;
        if mode != "wal" {
            tracing::warn!(mode, "the file system has no write-ahead log; writes block reads");
        }
        Ok(())
    }

    fn begin(&self, access: Access, caller: &Caller) -> Result<Box<dyn Tx + '_>> {
        self.check_files()?;
        if access == Access::Write && self.config.mode == SqliteMode::Read {
            return Err(Error::new(
                ErrorKind::FailedPrecondition,
                "the store is open to read only",
            )
            .hint("open it without `--read-only` to write"));
        }
        // A store in memory has one connection: SQLite shares no memory between two without
        // locking whole tables.
        let connection = if access == Access::Write || self.config.path.is_none() {
            Held::Writer(
                self.writers.begin(caller.waits_later()).map_err(|e| classify(e, &self.config))?,
            )
        } else {
            let wait = Duration::from_millis(CONNECTION_WAIT_MS_MAX);
            let connection = self.readers.take(wait, |_| true, || connect(&self.config))?;
            let held = Held::Reader(Some(connection), &self.readers);
            group::run(held.get(), "BEGIN").map_err(|e| classify(e, &self.config))?;
            held
        };
        Ok(Box::new(SqliteTx { backend: self, access, connection, caller: caller.clone() }))
    }

    fn ping(&self) -> Result<()> {
        if self.config.path.is_none() {
            return Ok(());
        }
        let mut tx = self.begin(Access::Read, &Caller::default())?;
        let probe = Statement {
            name: "ping",
            text: "SELECT count(*) FROM sqlite_schema".into(),
            values: Vec::new(),
            is_fixed: false,
        };
        tx.queries(&[probe], &mut |_, _| Ok(()))
    }

    fn connections_max(&self) -> usize {
        READERS_MAX
    }

    fn commits_together(&self) -> bool {
        self.config.path.is_some()
    }

    fn commit_together(&self) {
        self.writers.commit();
    }
}

/// The connection of a transaction, handed back when the transaction ends.
enum Held<'b> {
    Writer(Turn<'b>),
    Reader(Option<Connection>, &'b Pool<Connection>),
}

impl Held<'_> {
    fn get(&self) -> &Connection {
        match self {
            Held::Writer(turn) => turn.connection(),
            Held::Reader(connection, _) => {
                connection.as_ref().expect("a reader is held until it is dropped")
            }
        }
    }
}

impl Held<'_> {
    /// Ends a query that takes too long, or that nobody waits for; `None` lets it run.
    fn limit(&mut self, caller: Option<Caller>) -> rusqlite::Result<()> {
        let connection = match self {
            Held::Writer(turn) => turn.connection_mut(),
            Held::Reader(connection, _) => {
                connection.as_mut().expect("a reader is held until it is dropped")
            }
        };
        let began = Instant::now();
        let is_over = caller.map(|caller| {
            move || began.elapsed() > Duration::from_secs(QUERY_SECONDS_MAX) || caller.is_gone()
        });
        connection.progress_handler(PROGRESS_OPERATIONS, is_over)
    }
}

/// Operations of SQLite's machine between two looks at whether a query is to end: a millisecond.
const PROGRESS_OPERATIONS: i32 = 100_000;

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Held::Reader(connection, pool) = self {
            if let Some(connection) = &connection {
                group::roll_back(connection);
            }
            pool.give_back(connection.take().filter(Connection::is_autocommit));
        }
    }
}

struct SqliteTx<'b> {
    backend: &'b Sqlite,
    access: Access,
    connection: Held<'b>,
    caller: Caller,
}

impl SqliteTx<'_> {
    fn run<T>(
        &self,
        text: &str,
        values: &[Value<'_>],
        run: impl FnOnce(&mut rusqlite::Statement<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let config = &self.backend.config;
        let connection = self.connection.get();
        let mut kept;
        let mut once;
        // A long statement is one request's own, and would only drive out the others.
        let prepared: &mut rusqlite::Statement<'_> = if text.len() <= STATEMENT_KEPT_BYTES_MAX {
            kept = connection.prepare_cached(text).map_err(|e| classify(e, config))?;
            &mut kept
        } else {
            once = connection.prepare(text).map_err(|e| classify(e, config))?;
            &mut once
        };
        bind(prepared, values).map_err(|e| classify(e, config))?;
        run(prepared).map_err(|e| match e.sqlite_error().map(|e| e.extended_code) {
            // The statement was good, so a value that it computes is not.
            Some(ffi::SQLITE_ERROR) => {
                Error::new(ErrorKind::OutOfRange, "a value cannot be computed").caused_by(e)
            }
            _ => classify(e, config),
        })
    }

    fn insert(&self, rows: &Insertion<'_>) -> Result<Vec<i64>> {
        let text = rows.insert.render(&DIALECT);
        let connection = self.connection.get();
        let config = &self.backend.config;
        let mut prepared = connection.prepare_cached(&text).map_err(|e| classify(e, config))?;
        let mut ids = Vec::new();
        for (at, row) in rows.values.chunks(rows.insert.columns.len()).enumerate() {
            bind(&mut prepared, row)
                .and_then(|()| prepared.raw_execute())
                .map_err(|e| classify(e, config).at_row(at))?;
            if rows.insert.returns_ids {
                ids.push(connection.last_insert_rowid());
            }
        }
        Ok(ids)
    }

    fn query(&mut self, statement: &Statement<'_>, at: usize, on_row: OnRows<'_>) -> Result<()> {
        let mut refused = None;
        if self.access == Access::Read {
            let config = &self.backend.config;
            let caller = Some(self.caller.clone());
            self.connection.limit(caller).map_err(|e| classify(e, config))?;
        }
        self.run(&statement.text, &statement.values, |prepared| {
            let mut rows = prepared.raw_query();
            while let Some(row) = rows.next()? {
                if let Err(error) = on_row(at, &SqliteRow(row)) {
                    refused = Some(error);
                    break;
                }
            }
            Ok(())
        })?;
        refused.map_or(Ok(()), Err)
    }
}

impl Tx for SqliteTx<'_> {
    fn queries(&mut self, statements: &[Statement<'_>], on_row: OnRows<'_>) -> Result<()> {
        (0..).zip(statements).try_for_each(|(at, statement)| {
            self.query(statement, at, on_row).map_err(|error| error.at_row(at))
        })
    }

    fn execute(&mut self, statement: &Statement<'_>) -> Result<()> {
        self.run(&statement.text, &statement.values, |prepared| prepared.raw_execute()).map(drop)
    }

    fn flight(
        &mut self,
        queries: &[Statement<'_>],
        on_row: OnRows<'_>,
        insertions: &[Insertion<'_>],
    ) -> Result<Vec<Vec<i64>>, Refused> {
        self.queries(queries, on_row)?;
        let insert =
            |(at, rows)| self.insert(rows).map_err(|error| Refused { insertion: Some(at), error });
        insertions.iter().enumerate().map(insert).collect()
    }

    fn relations(&mut self) -> Result<Vec<String>> {
        self.run("SELECT name FROM sqlite_schema WHERE type = 'table'", &[], |prepared| {
            let mut names = Vec::new();
            let mut rows = prepared.raw_query();
            while let Some(row) = rows.next()? {
                names.push(row.get(0)?);
            }
            Ok(names)
        })
    }

    /// Beside the file; a transaction must not be open for that, and this one has done nothing yet.
    fn backup(&mut self, name: &str) -> Result<Option<String>> {
        let config = &self.backend.config;
        let Some(path) = &config.path else { return Ok(None) };
        let to = beside(path, name);
        let connection = self.connection.get();
        let shown = to.display().to_string();
        connection
            .execute_batch("ROLLBACK")
            .and_then(|()| connection.execute("VACUUM INTO ?", [&shown]))
            .and_then(|_| connection.execute_batch("BEGIN IMMEDIATE"))
            .map_err(|e| classify(e, config))?;
        Ok(Some(shown))
    }

    fn script(&mut self, text: &str, _: bool) -> Result<()> {
        let connection = self.connection.get();
        connection.execute_batch(text).map_err(|e| classify(e, &self.backend.config))
    }

    /// A writer is alone.
    fn lock_schema(&mut self) -> Result<()> {
        Ok(())
    }

    fn end(self: Box<Self>, ending: Ending) -> Result<Option<Pending>> {
        let Self { backend, access, mut connection, .. } = *self;
        if access == Access::Write && ending != Ending::RollBack {
            backend.check_files()?;
        }
        let Held::Writer(turn) = &mut connection else {
            // Nothing was changed; dropping it ends the transaction.
            return Ok(None);
        };
        match turn.end(ending) {
            Ok(None) => Ok(None),
            Ok(Some(group)) => Ok(Some(Box::new(move || match group.wait() {
                true => Ok(()),
                false => Err(undone_with_others()),
            }))),
            Err(Failure::Own(error)) => Err(classify(error, &backend.config)),
            Err(Failure::OfAnother) => Err(undone_with_others()),
        }
    }
}

/// Nothing of it happened, and it may well succeed alone.
fn undone_with_others() -> Error {
    Error::new(ErrorKind::Aborted, "it was undone together with the change of another caller")
        .hint("try again")
        .rerun()
}

struct SqliteRow<'r>(&'r rusqlite::Row<'r>);

impl Row for SqliteRow<'_> {
    fn column(&self, index: usize) -> Result<Column<'_>> {
        let value = self.0.get_ref(index).map_err(|e| {
            data_loss(format!("column {index} of a row cannot be read")).caused_by(e)
        })?;
        Ok(match value {
            ValueRef::Null => Column::Null,
            ValueRef::Integer(value) => Column::Int(value),
            ValueRef::Real(value) => Column::Real(value),
            ValueRef::Blob(value) => Column::Blob(value),
            ValueRef::Text(value) => Column::Text(std::str::from_utf8(value).map_err(|e| {
                data_loss(format!("column {index} of a row is not UTF-8 text")).caused_by(e)
            })?),
        })
    }
}

fn bind(prepared: &mut rusqlite::Statement<'_>, values: &[Value<'_>]) -> rusqlite::Result<()> {
    for (at, value) in values.iter().enumerate() {
        let at = at + 1;
        match value {
            Value::Null => prepared.raw_bind_parameter(at, rusqlite::types::Null),
            Value::Int(value) => prepared.raw_bind_parameter(at, value),
            Value::Bool(value) => prepared.raw_bind_parameter(at, value),
            Value::Real(value) => prepared.raw_bind_parameter(at, value),
            Value::Text(value) => prepared.raw_bind_parameter(at, &**value),
            Value::Blob(value) => prepared.raw_bind_parameter(at, &**value),
            Value::Ints(values) => {
                let list = values.iter().copied().map(SqlValue::Integer).collect();
                prepared.raw_bind_parameter(at, Rc::<Vec<SqlValue>>::new(list))
            }
            Value::Texts(values) => {
                let list = values.iter().map(|value| SqlValue::Text((*value).to_owned())).collect();
                prepared.raw_bind_parameter(at, Rc::<Vec<SqlValue>>::new(list))
            }
        }?;
    }
    Ok(())
}

/// The files of an open database: the database itself, and its write-ahead log, which stands
/// beside it from the first transaction on for as long as the database is open.
struct OpenFiles {
    path: PathBuf,
    database: FileIdentity,
    log_path: PathBuf,
    log: OnceLock<FileIdentity>,
}

impl OpenFiles {
    fn new(path: &Path) -> Result<Self> {
        let database = FileIdentity::of(path).map_err(|e| {
            let message = format!("database file `{}` cannot be found", path.display());
            Error::new(ErrorKind::Unavailable, message).caused_by(e)
        })?;
        let log_path = beside(path, "-wal");
        Ok(Self { path: path.to_owned(), database, log_path, log: OnceLock::new() })
    }

    fn check(&self) -> Result<()> {
        check_identity(&self.path, &self.database)?;
        if let Some(log) = self.log.get() {
            return check_identity(&self.log_path, log);
        }
        if let Ok(log) = FileIdentity::of(&self.log_path) {
            self.log.get_or_init(|| log);
        }
        Ok(())
    }
}

fn check_identity(path: &Path, opened: &FileIdentity) -> Result<()> {
    let what = match FileIdentity::of(path) {
        Ok(found) if found == *opened => return Ok(()),
        Ok(_) => "replaced",
        Err(_) => "deleted",
    };
    let message = format!("database file `{}` was {what} while it was open", path.display());
    Err(Error::new(ErrorKind::Unavailable, message)
        .hint("put the file back, or restart to open what is there now"))
}

/// What tells one file from another at the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileIdentity(u64, u64);

impl FileIdentity {
    #[cfg(unix)]
    fn of(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).map(|meta| Self(meta.dev(), meta.ino()))
    }

    /// Elsewhere an open file cannot be deleted or replaced; its presence is enough.
    #[cfg(not(unix))]
    fn of(path: &Path) -> std::io::Result<Self> {
        std::fs::metadata(path).map(|_| Self(0, 0))
    }
}

fn connect(config: &SqliteConfig) -> Result<Connection> {
    let Some(path) = &config.path else {
        return Connection::open_in_memory().and_then(prepare).map_err(|e| classify(e, config));
    };
    check_path(path, config.mode)?;
    let mode = match config.mode {
        SqliteMode::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        SqliteMode::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        SqliteMode::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    };
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(prepare);
    match opened {
        Err(error) if config.mode == SqliteMode::Read && is_at_rest(&error, path) => {
            Connection::open_with_flags(immutable(path), flags | OpenFlags::SQLITE_OPEN_URI)
                .and_then(prepare)
        }
        opened => opened,
    }
    .map_err(|e| classify(e, config))
}

/// Whether a file that cannot be opened to read has no log beside it: on read-only media, SQLite
/// then needs to be told that nobody writes it.
fn is_at_rest(error: &rusqlite::Error, path: &Path) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ffi::ErrorCode::CannotOpen | ffi::ErrorCode::ReadOnly))
        && !beside(path, "-wal").exists()
}

/// The file beside the database whose name ends like this.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(suffix);
    PathBuf::from(beside)
}

/// The URI of a file that nobody writes.
fn immutable(path: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte);
    let escaped: String = path
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(
            |byte| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") },
        )
        .collect();
    format!("file:{escaped}?immutable=1")
}

/// Settings of every connection.
fn prepare(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // No value is larger than a message; what a filter computes must not be, either.
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;")?;
    // Negative: in KiB instead of pages.
    connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB_MAX)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES_MAX)?;
    rusqlite::vtab::array::load_module(&connection)?;
    // SQLite looks at the file only now; a damaged or foreign one must be known at once.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// Names what SQLite would only call "unable to open database file".
fn check_path(path: &Path, mode: SqliteMode) -> Result<()> {
    let shown = path.display();
    if path.is_dir() {
        return Err(Error::new(
            ErrorKind::FailedPrecondition,
            format!("cannot open `{shown}`: it is a directory"),
        )
        .hint("name a file, as in `--store sqlite:./headwater.db`"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("cannot open `{shown}`: there is no folder `{}`", folder.display()),
        )
        .hint("make the folder first, or name a file in one that exists"));
    }
    if mode != SqliteMode::Create && !path.exists() {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("cannot open `{shown}`: there is no such file"),
        )
        .hint("a store is made by opening it for writing once"));
    }
    Ok(())
}

/// Turns a driver's error into a kind, by its code.
fn classify(error: rusqlite::Error, config: &SqliteConfig) -> Error {
    let file = match &config.path {
        Some(path) => format!("database file `{}`", path.display()),
        None => "the database in memory".to_owned(),
    };
    let (kind, message, hint) = match error.sqlite_error().map(|e| (e.code, e.extended_code)) {
        Some((
            ffi::ErrorCode::ConstraintViolation,
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY,
        )) => (ErrorKind::AlreadyExists, "a row with the same key exists already".into(), None),
        Some((
            ffi::ErrorCode::DatabaseBusy
            | ffi::ErrorCode::DatabaseLocked
            | ffi::ErrorCode::FileLockingProtocolFailed,
            _,
        )) => (
            ErrorKind::Aborted,
            format!("{file} is locked by another process"),
            Some("try again, or stop the other process"),
        ),
        Some((ffi::ErrorCode::DiskFull, _)) => (
            ErrorKind::ResourceExhausted,
            format!("no space left on the disk of {file}"),
            Some("free some space and try again; nothing was written"),
        ),
        Some((ffi::ErrorCode::DatabaseCorrupt, _)) => (
            ErrorKind::DataLoss,
            format!("{file} is damaged"),
            Some("restore it from a backup, or rescue what is left with `sqlite3 FILE .recover`"),
        ),
        Some((ffi::ErrorCode::NotADatabase, _)) => (
            ErrorKind::FailedPrecondition,
            format!("{file} is not an SQLite database"),
            Some("name another file; this one was left untouched"),
        ),
        Some((ffi::ErrorCode::ReadOnly, _)) => (
            ErrorKind::FailedPrecondition,
            format!("{file} cannot be written"),
            Some("change the permissions of file and folder, or open it with `--read-only`"),
        ),
        Some((ffi::ErrorCode::CannotOpen | ffi::ErrorCode::PermissionDenied, _)) => (
            ErrorKind::Unavailable,
            format!("{file} cannot be opened"),
            Some("check the permissions of the file and its folder"),
        ),
        Some((ffi::ErrorCode::SystemIoFailure, _)) => (
            ErrorKind::Unavailable,
            format!("{file} cannot be read or written: input/output error"),
            Some("check the disk"),
        ),
        Some((ffi::ErrorCode::OperationInterrupted, _)) => (
            ErrorKind::ResourceExhausted,
            format!("the query took longer than {QUERY_SECONDS_MAX} s, or its caller has gone"),
            Some("ask for less: fewer nodes, or a filter that an index can serve"),
        ),
        Some((ffi::ErrorCode::TooBig, _)) => {
            (ErrorKind::InvalidArgument, "a value is too large for the database".into(), None)
        }
        Some((ffi::ErrorCode::OutOfMemory, _)) => {
            (ErrorKind::ResourceExhausted, "the database is out of memory".into(), None)
        }
        _ => (ErrorKind::Internal, format!("unexpected answer from {file}"), None),
    };
    let shown = Error::new(kind, message).caused_by(error);
    match hint {
        Some(hint) => shown.hint(hint),
        None => shown,
    }
}
