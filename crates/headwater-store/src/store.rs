//! The store: opening it, and the one place where a transaction begins and commits.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{mem, panic, slice, thread};

use parking_lot::RwLock;

use crate::backend::{
    self, Access, Backend, Caller, Ending, Insertion, OnRow, OnRows, Refused, Statement, Tx, Value,
};
use crate::error::{Error, ErrorKind, Result, internal};
use crate::limits::{FLIGHT_MAX, MESSAGE_BYTES_MAX, RETRY_MS_MAX, RETRY_PAUSE_MS_MAX};
use crate::methods::{Call, Emit, Method, StreamCall};
use crate::migrate;
use crate::ops::types::KnownType;
use crate::sql::Dialect;
use crate::sql::build::{Insert, Query};
use crate::url::StoreUrl;

/// Lost races after which something that exists already is not taken for one any more.
const RACES_MAX: u32 = 4;

/// A metadata store. Cheap to share between threads; every call is one transaction.
#[derive(Debug)]
pub struct Store {
    backend: Box<dyn Backend>,
    types: TypeCache,
    /// Types that were made twice, and the one of each that counts.
    aliases: RwLock<HashMap<i64, i64>>,
    observer: Option<Arc<dyn Observer>>,
}

/// How much a store can do at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Calls; more wait.
    pub connections: usize,
    /// Whether writers work one after the other, beside these, and are best run
    /// [together](Store::together).
    pub commits_together: bool,
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
    /// Rows that it inserts; 0 for any other statement.
    pub rows: u64,
}

impl Store {
    /// Opens the store at `url`, making MLMD's tables where there are none.
    ///
    /// Fails with `FAILED_PRECONDITION` for another schema version or a file that is no database,
    /// `NOT_FOUND` for a missing folder or file, `DATA_LOSS` for a damaged one, `UNAVAILABLE` for
    /// a server that cannot be reached.
    ///
    /// With a database server, this and every call must be on a thread that may block.
    pub fn open(url: &StoreUrl) -> Result<Self> {
        Self::open_as(url, false)
    }

    /// The same, but a store of an older schema version is brought to this release's first.
    pub fn open_upgrading(url: &StoreUrl) -> Result<Self> {
        Self::open_as(url, true)
    }

    fn open_as(url: &StoreUrl, upgrades: bool) -> Result<Self> {
        let store = Self::connect(url)?;
        migrate::prepare(&store, url.is_read_only(), upgrades)
            .map_err(|error| error.of_store(url))?;
        Ok(store)
    }

    /// The store before it is known what is in it.
    pub(crate) fn connect(url: &StoreUrl) -> Result<Self> {
        let backend = backend::open(url)?;
        Ok(Self {
            backend,
            types: TypeCache::default(),
            aliases: RwLock::default(),
            observer: None,
        })
    }

    /// Calls that can be inside the store at the same time.
    pub fn capacity(&self) -> Capacity {
        let connections = self.backend.connections_max();
        Capacity { connections, commits_together: self.backend.commits_together() }
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
        let caller = Caller::default();
        self.transact(R::METHOD.access(), Some(R::METHOD), &caller, |session| request.run(session))
    }

    /// Runs a call and encodes the answer, node by node where it is a list.
    pub(crate) fn call_encoded<R: Call>(&self, request: &R, caller: &Caller) -> Result<Vec<u8>> {
        request.validate()?;
        let run = |session: &mut Session<'_>| request.run_encoded(session);
        self.transact(R::METHOD.access(), Some(R::METHOD), caller, run)
    }

    /// Runs a call that answers with a stream, given as messages. All of them are of one state of
    /// the store.
    pub fn stream<R: StreamCall>(
        &self,
        request: &R,
        caller: &Caller,
        emit: Emit<'_, R::Response>,
    ) -> Result<()> {
        request.validate()?;
        let mut has_begun = false;
        let run = |session: &mut Session<'_>| {
            let mut emit = |response| {
                has_begun = true;
                emit(response)
            };
            let done = request.run(session, &mut emit);
            // What was handed over cannot be taken back.
            done.map_err(|error| if has_begun { error.no_rerun() } else { error })
        };
        self.transact(R::METHOD.access(), Some(R::METHOD), caller, run)
    }

    /// Runs a call given as encoded messages, as a transport has them, and hands over each message
    /// of the answer. The queries of a read end early once it is cancelled.
    pub fn run_bytes(
        &self,
        method: Method,
        request: &[u8],
        caller: &Caller,
        emit: Emit<'_>,
    ) -> Result<()> {
        method.run(self, request, caller, emit)
    }

    /// Runs a call given as encoded messages, whose answer is one message. A stream's messages
    /// become one, as fields that repeat do when messages are joined.
    pub fn call_bytes(&self, method: Method, request: &[u8]) -> Result<Vec<u8>> {
        let mut response = Vec::new();
        self.run_bytes(method, request, &Caller::default(), &mut |message| {
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

    /// Runs a call whose answer is one message, and keeps a bug in it from whoever else is served
    /// on the same thread.
    fn run_apart(&self, method: Method, request: &[u8], caller: &Caller) -> Result<Vec<u8>> {
        let mut answer = Vec::new();
        let run = AssertUnwindSafe(|| {
            method.run(self, request, caller, &mut |message| {
                answer = message;
                Ok(())
            })
        });
        let done = panic::catch_unwind(run);
        done.unwrap_or_else(|_| Err(internal("the call failed by a bug")))?;
        Ok(answer)
    }

    /// Runs several calls one after the other that become durable together.
    pub fn together<R: AsRef<[u8]>>(&self) -> Together<'_, R> {
        Together { store: self, calls: Vec::new() }
    }

    /// Answers whether the database can be reached now.
    pub fn ping(&self) -> Result<()> {
        match self.backend.ping() {
            // A connection that had ended without anybody noticing.
            Err(error) if error.can_rerun() => self.backend.ping(),
            done => done,
        }
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
    /// Where nothing of it happened, because of a conflict or a lost connection, it is run again,
    /// after longer and longer pauses, up to [`RETRY_MS_MAX`]. SQLite reports no such conflict: it
    /// has waited for the lock before, and waiting again would only hold the other writers up.
    pub(crate) fn transact<T>(
        &self,
        access: Access,
        method: Option<Method>,
        caller: &Caller,
        mut work: impl FnMut(&mut Session<'_>) -> Result<T>,
    ) -> Result<T> {
        let began = Instant::now();
        let (mut attempt, mut races) = (0, 0);
        loop {
            let error = match self.attempt(access, method, caller, races, &mut work) {
                Err(error) if error.can_rerun() => error,
                done => return done,
            };
            let left = Duration::from_millis(RETRY_MS_MAX).saturating_sub(began.elapsed());
            let pause = retry_pause(attempt);
            if pause >= left || caller.is_gone() {
                return Err(error);
            }
            tracing::debug!(attempt, error = %error, "a transaction is run again");
            // What other calls did on this thread must not wait meanwhile.
            if caller.waits_later() {
                self.backend.commit_together();
            }
            thread::sleep(pause);
            attempt += 1;
            races += u32::from(error.is_lost_race());
        }
    }

    fn attempt<T>(
        &self,
        access: Access,
        method: Option<Method>,
        caller: &Caller,
        races: u32,
        work: &mut impl FnMut(&mut Session<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut session = Session {
            tx: self.backend.begin(access, caller)?,
            dialect: self.backend.dialect(),
            shared_types: &self.types,
            aliases: &self.aliases,
            own_types: None,
            races,
            now_ms: now_ms(),
            runs: Vec::new(),
        };
        let done = work(&mut session);
        if let (Some(observer), Some(method)) = (&self.observer, method) {
            observer.statements(method, &session.runs);
        }
        let ending = match &done {
            // What others learn of types must be committed.
            Ok(_) if session.own_types.is_some() => Ending::CommitNow,
            Ok(_) => Ending::Commit,
            Err(_) => Ending::RollBack,
        };
        caller.wait(session.tx.end(ending)?)?;
        done
    }
}

/// Calls that are run one after the other and become durable together, where the database commits
/// one writer at a time. Each of them fails or succeeds by itself.
#[derive(Debug)]
pub struct Together<'s, R> {
    store: &'s Store,
    calls: Vec<Unsettled<R>>,
}

#[derive(Debug)]
struct Unsettled<R> {
    method: Method,
    request: R,
    caller: Caller,
    answer: Result<Vec<u8>>,
}

impl<R: AsRef<[u8]>> Together<'_, R> {
    /// Runs a call, unless its caller has gone. What it answers is not to be told yet.
    pub fn run(&mut self, method: Method, request: R, caller: &Caller) {
        let caller = caller.who_waits_later();
        let answer = if caller.is_gone() {
            Err(Error::new(ErrorKind::Aborted, "the caller has gone away"))
        } else {
            self.store.run_apart(method, request.as_ref(), &caller)
        };
        self.calls.push(Unsettled { method, request, caller, answer });
    }

    /// Makes durable what the calls did; their answers, in their order. What was undone because of
    /// another call is run again.
    pub fn finish(mut self) -> Vec<Result<Vec<u8>>> {
        self.store.backend.commit_together();
        let settled = mem::take(&mut self.calls).into_iter().map(|call| {
            let waited = call.caller.take_pending().into_iter().try_for_each(|pending| pending());
            match waited {
                Err(error) if error.can_rerun() => {
                    self.store.run_apart(call.method, call.request.as_ref(), &Caller::default())
                }
                waited => waited.and(call.answer),
            }
        });
        settled.collect()
    }
}

impl<R> Drop for Together<'_, R> {
    /// Leaves no transaction open where nobody asked for the answers.
    fn drop(&mut self) {
        if !self.calls.is_empty() {
            self.store.backend.commit_together();
        }
    }
}

/// How long to wait before a transaction is run again: a random part of a time that doubles, so
/// that those who were in each other's way come back apart.
fn retry_pause(attempt: u32) -> Duration {
    let most = (4_u64 << attempt.min(10)).min(RETRY_PAUSE_MS_MAX) * 1000;
    let random = RandomState::new().hash_one(attempt);
    Duration::from_micros(most / 4 + random % most)
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
    aliases: &'s RwLock<HashMap<i64, i64>>,
    /// Set once this transaction has changed types: what it then reads is not for others.
    own_types: Option<TypeCache>,
    /// How often somebody else was faster.
    races: u32,
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
        self.queries_built(slice::from_ref(statement), &mut |_, row| on_row(row))
    }

    /// Runs queries that do not need each other's answers, in one round trip.
    pub(crate) fn queries(
        &mut self,
        queries: Vec<(Query, Vec<Value<'_>>)>,
        on_row: OnRows<'_>,
    ) -> Result<()> {
        let bind = |(query, values): (Query, _)| query.bind(self.dialect, values);
        let statements: Vec<Statement<'_>> = queries.into_iter().map(bind).collect();
        self.queries_built(&statements, on_row)
    }

    /// Runs fixed statements that change rows, in as few round trips as there can be. The error of
    /// one that is refused has its number.
    pub(crate) fn executes(&mut self, queries: Vec<(Query, Vec<Value<'_>>)>) -> Result<()> {
        let bind = |(query, values): (Query, _)| query.bind(self.dialect, values);
        let statements: Vec<Statement<'_>> = queries.into_iter().map(bind).collect();
        for (chunk, at) in statements.chunks(FLIGHT_MAX).zip((0..).step_by(FLIGHT_MAX)) {
            self.queries_built(chunk, &mut |_, _| Ok(())).map_err(|error| match error.row() {
                Some(row) => error.at_row(at + row),
                None => error,
            })?;
        }
        Ok(())
    }

    fn queries_built(&mut self, statements: &[Statement<'_>], on_row: OnRows<'_>) -> Result<()> {
        for statement in statements {
            self.ran(statement.name, 0);
        }
        self.tx.queries(statements, on_row)
    }

    /// Runs a fixed statement that changes rows.
    pub(crate) fn execute(&mut self, query: Query, values: Vec<Value<'_>>) -> Result<()> {
        self.ran(query.name, 0);
        self.tx.execute(&query.bind(self.dialect, values))
    }

    /// Inserts rows, whose values follow each other. Nothing is run for no rows.
    pub(crate) fn insert(
        &mut self,
        insert: &'static Insert,
        values: Vec<Value<'_>>,
    ) -> Result<Vec<i64>> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let rows = Insertion { insert, values };
        let ids = self.flight(Vec::new(), &mut |_, _| Ok(()), &[rows]);
        Ok(ids.map_err(|refused| refused.error)?.pop().unwrap_or_default())
    }

    /// Runs queries and inserts rows, of which there must be some, in one round trip: none needs
    /// what another answers.
    pub(crate) fn flight(
        &mut self,
        queries: Vec<(Query, Vec<Value<'_>>)>,
        on_row: OnRows<'_>,
        insertions: &[Insertion<'_>],
    ) -> Result<Vec<Vec<i64>>, Refused> {
        let bind = |(query, values): (Query, _)| query.bind(self.dialect, values);
        let queries: Vec<Statement<'_>> = queries.into_iter().map(bind).collect();
        for query in &queries {
            self.ran(query.name, 0);
        }
        for Insertion { insert, values } in insertions.iter().filter(|rows| !rows.values.is_empty())
        {
            self.ran(insert.name, (values.len() / insert.columns.len()) as u64);
        }
        self.tx.flight(&queries, on_row, insertions)
    }

    /// An error that comes from somebody who did the same at the same time, if it is one: the next
    /// attempt finds what they did. Another reason is still there then.
    pub(crate) fn lost_race(&self, error: Error) -> Error {
        if self.races < RACES_MAX { error.lost_race() } else { error }
    }

    /// How the database differs from the others.
    pub(crate) fn dialect(&self) -> &'static Dialect {
        self.dialect
    }

    /// Names of the tables that the database has.
    pub(crate) fn relations(&mut self) -> Result<Vec<String>> {
        self.tx.relations()
    }

    /// Waits until nobody else makes or changes tables.
    pub(crate) fn lock_schema(&mut self) -> Result<()> {
        self.tx.lock_schema()
    }

    /// Runs one of the dialect's scripts.
    pub(crate) fn script(&mut self, of: impl Fn(&'static Dialect) -> &'static str) -> Result<()> {
        self.tx.script(of(self.dialect), true)
    }

    /// Runs one statement of a migration; `may_be_done` says that it may have been run before.
    pub(crate) fn migration_step(&mut self, text: &str, may_be_done: bool) -> Result<()> {
        self.tx.script(text, may_be_done)
    }

    /// Copies the database, if that is a matter of one file.
    pub(crate) fn backup(&mut self, name: &str) -> Result<Option<String>> {
        self.tx.backup(name)
    }

    /// Whether a key that somebody took, for nothing that there is, is to be passed over.
    pub(crate) fn passes_over_keys(&self) -> bool {
        self.races >= RACES_MAX
    }

    /// The types known to this transaction.
    pub(crate) fn types(&self) -> &TypeCache {
        self.own_types.as_ref().unwrap_or(self.shared_types)
    }

    /// The type that counts of one that may have been made twice.
    pub(crate) fn type_that_counts(&self, type_id: i64) -> i64 {
        self.aliases.read().get(&type_id).copied().unwrap_or(type_id)
    }

    /// Remembers the types that were made twice.
    pub(crate) fn set_aliases(&self, aliases: HashMap<i64, i64>) {
        *self.aliases.write() = aliases;
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
