//! The store: opening it, and the one place where a transaction begins and commits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::RwLock;

use crate::backend::sqlite::Sqlite;
use crate::backend::{Access, Backend, Cancel, OnRow, Statement, Tx, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::MESSAGE_BYTES_MAX;
use crate::methods::{Call, Emit, Method, StreamCall};
use crate::migrate;
use crate::ops::types::KnownType;
use crate::sql::Dialect;
use crate::sql::build::{Insert, Query};
use crate::url::StoreUrl;

/// A metadata store. Cheap to share between threads; every call is one transaction.
#[derive(Debug)]
pub struct Store {
    backend: Box<dyn Backend>,
    types: TypeCache,
    observer: Option<Arc<dyn Observer>>,
}

/// Is told of each call, for metrics and traces.
pub trait Observer: std::fmt::Debug + Send + Sync {
    /// A call ran these statements, in this order.
    fn statements(&self, method: Method, statements: &[StatementRun]);
}

/// A statement that was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementRun {
    /// Its name.
    pub name: &'static str,
    /// Rows that it inserted or changed; 0 for a query.
    pub rows: u64,
}

impl Store {
    /// Opens the store at `url`, making MLMD's tables where there are none.
    ///
    /// Fails with `FAILED_PRECONDITION` for another schema version or a file that is no database,
    /// `NOT_FOUND` for a missing folder or file, `DATA_LOSS` for a damaged one.
    pub fn open(url: &StoreUrl) -> Result<Self> {
        let backend: Box<dyn Backend> = match url {
            StoreUrl::Sqlite(config) => Box::new(Sqlite::open(config.clone())?),
        };
        let store = Self { backend, types: TypeCache::default(), observer: None };
        migrate::prepare(&store, url.is_read_only()).map_err(|error| error.of_store(url))?;
        Ok(store)
    }

    /// Tells `observer` of every call from now on.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Runs a call given as messages.
    pub fn call<R: Call>(&self, request: &R) -> Result<R::Response> {
        request.validate()?;
        let cancel = Cancel::default();
        self.transact(R::METHOD.access(), Some(R::METHOD), &cancel, |session| request.run(session))
    }

    /// Runs a call and encodes the answer, node by node where it is a list.
    pub(crate) fn call_encoded<R: Call>(&self, request: &R, cancel: &Cancel) -> Result<Vec<u8>> {
        request.validate()?;
        let run = |session: &mut Session<'_>| request.run_encoded(session);
        self.transact(R::METHOD.access(), Some(R::METHOD), cancel, run)
    }

    /// Runs a call that answers with a stream, given as messages. All of them are of one state of
    /// the store.
    pub fn stream<R: StreamCall>(
        &self,
        request: &R,
        cancel: &Cancel,
        emit: Emit<'_, R::Response>,
    ) -> Result<()> {
        request.validate()?;
        let run = |session: &mut Session<'_>| request.run(session, emit);
        self.transact(R::METHOD.access(), Some(R::METHOD), cancel, run)
    }

    /// Runs a call given as encoded messages, as a transport has them, and hands over each message
    /// of the answer. The queries of a read end early once it is cancelled.
    pub fn run_bytes(
        &self,
        method: Method,
        request: &[u8],
        cancel: &Cancel,
        emit: Emit<'_>,
    ) -> Result<()> {
        method.run(self, request, cancel, emit)
    }

    /// Runs a call given as encoded messages, whose answer is one message. A stream's messages
    /// become one, as fields that repeat do when messages are joined.
    pub fn call_bytes(&self, method: Method, request: &[u8]) -> Result<Vec<u8>> {
        let mut response = Vec::new();
        self.run_bytes(method, request, &Cancel::default(), &mut |message| {
            check_size("answer", response.len() + message.len())?;
            if response.is_empty() {
                response = message;
            } else {
                response.extend(message);
            }
            Ok(())
        })?;
        Ok(response)
    }

    /// Answers whether the database can be reached now.
    pub fn ping(&self) -> Result<()> {
        self.backend.ping()
    }

    /// Makes the backend's lasting settings.
    pub(crate) fn settle(&self) -> Result<()> {
        self.backend.settle()
    }

    #[cfg(test)]
    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// Begins a transaction, runs `work` in it and commits. The one place that does.
    ///
    /// A conflict is not retried here: the database has waited for the lock before it reports one,
    /// and waiting again would only hold the other writers up.
    pub(crate) fn transact<T>(
        &self,
        access: Access,
        method: Option<Method>,
        cancel: &Cancel,
        work: impl FnOnce(&mut Session<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut session = Session {
            tx: self.backend.begin(access, cancel)?,
            dialect: self.backend.dialect(),
            shared_types: &self.types,
            own_types: None,
            now_ms: now_ms(),
            runs: Vec::new(),
        };
        let done = work(&mut session);
        if let (Some(observer), Some(method)) = (&self.observer, method) {
            observer.statements(method, &session.runs);
        }
        let done = done?;
        session.tx.commit()?;
        Ok(done)
    }
}

/// Milliseconds since the Unix epoch.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Types that were read in a committed state, by id. Types only grow, so what is here stays true;
/// a property that is missing here may have been added since.
pub(crate) type TypeCache = RwLock<HashMap<i64, Arc<KnownType>>>;

/// A transaction in progress, as the operations see it.
pub struct Session<'s> {
    tx: Box<dyn Tx + 's>,
    dialect: &'static Dialect,
    shared_types: &'s TypeCache,
    /// Set once this transaction has changed types: what it then reads is not for others.
    own_types: Option<TypeCache>,
    /// The time of every change of this transaction, in milliseconds since the Unix epoch.
    pub(crate) now_ms: i64,
    runs: Vec<StatementRun>,
}

impl Session<'_> {
    /// Runs a fixed query.
    pub(crate) fn query(
        &mut self,
        query: Query,
        values: Vec<Value<'_>>,
        on_row: OnRow<'_>,
    ) -> Result<()> {
        let statement = query.bind(self.dialect, values);
        self.query_built(&statement, on_row)
    }

    /// Runs a query that was put together for this request.
    pub(crate) fn query_built(
        &mut self,
        statement: &Statement<'_>,
        on_row: OnRow<'_>,
    ) -> Result<()> {
        self.ran(statement.name, 0);
        self.tx.query(statement, on_row)
    }

    /// Runs a fixed statement that changes rows.
    pub(crate) fn execute(&mut self, query: Query, values: Vec<Value<'_>>) -> Result<u64> {
        let changed = self.tx.execute(&query.bind(self.dialect, values))?;
        self.ran(query.name, changed);
        Ok(changed)
    }

    /// Inserts rows, whose values follow each other. Nothing is run for no rows.
    pub(crate) fn insert(&mut self, insert: &Insert, values: &[Value<'_>]) -> Result<Vec<i64>> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        self.ran(insert.name, (values.len() / insert.columns.len()) as u64);
        self.tx.insert(insert, values)
    }

    /// How the database differs from the others.
    pub(crate) fn dialect(&self) -> &'static Dialect {
        self.dialect
    }

    /// Names of the tables and indexes that the database has.
    pub(crate) fn relations(&mut self) -> Result<Vec<String>> {
        self.tx.relations()
    }

    /// Runs one of the dialect's scripts.
    pub(crate) fn script(&mut self, of: impl Fn(&'static Dialect) -> &'static str) -> Result<()> {
        self.tx.script(of(self.dialect))
    }

    /// The types known to this transaction.
    pub(crate) fn types(&self) -> &TypeCache {
        self.own_types.as_ref().unwrap_or(self.shared_types)
    }

    /// Keeps what this transaction learns of types to itself, because it changes them and may
    /// still fail.
    pub(crate) fn isolate_types(&mut self) {
        self.own_types.get_or_insert_default();
    }

    fn ran(&mut self, name: &'static str, rows: u64) {
        tracing::trace!(database = self.dialect.name, statement = name, rows, "statement");
        self.runs.push(StatementRun { name, rows });
    }
}

/// Refuses a message above [`MESSAGE_BYTES_MAX`].
pub(crate) fn check_size(what: &str, bytes: usize) -> Result<()> {
    if bytes <= MESSAGE_BYTES_MAX {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::ResourceExhausted,
        format!("the {what} is larger than {} MiB", MESSAGE_BYTES_MAX >> 20),
    )
    .hint("ask for a page of it, or send the nodes in several calls"))
}
