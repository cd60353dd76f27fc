//! PostgreSQL: statements that nobody waits for travel with the next one that somebody does, so
//! that a call costs few round trips.

mod connect;
mod dialect;
mod errors;
mod values;

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::{join, join_all};
use tokio::sync::oneshot;
use tokio_postgres::types::Type;

use crate::backend::pool::{Pool, Pools};
use crate::backend::server::ServerConfig;
use crate::backend::trouble::{Phase, lost, of_earlier};
use crate::backend::{
    Access, Backend, Caller, Ending, Insertion, OnRows, Pending, Refused, Statement, Tx,
};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{QUERY_SECONDS_MAX, SILENCE_MS_MAX};
use crate::sql::Dialect;
use connect::{Connection, Connector, Key};
pub(crate) use dialect::DIALECT;
use values::{Decoded, Param};

/// How often a reader looks whether its caller is still there.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long a server may be silent while an answer is waited for.
const LONGEST: Duration = Duration::from_millis(QUERY_SECONDS_MAX * 1000)
    .saturating_add(Duration::from_millis(SILENCE_MS_MAX));

/// An open PostgreSQL database.
pub(crate) struct Postgres {
    config: ServerConfig,
    connector: Connector,
    pools: Pools<Connection>,
    /// Whether the server can be trusted to keep statements prepared.
    keeps_statements: AtomicBool,
}

impl Postgres {
    /// Opens the database, and makes it if it may.
    pub(crate) fn open(config: ServerConfig) -> Result<Self> {
        let connector = Connector::new(&config)?;
        let pools = Pools::new(&config);
        let keeps_statements = AtomicBool::new(true);
        let postgres = Self { config, connector, pools, keeps_statements };
        let (pool, first) = postgres.take(Access::Write, true)?;
        pool.give_back(Some(first));
        Ok(postgres)
    }

    fn take(&self, access: Access, may_create: bool) -> Result<(&Pool<Connection>, Connection)> {
        let connect = |hosts: &[_]| self.connector.connect(&self.config, hosts, may_create);
        self.pools.take(access, Connection::is_good, connect)
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Backend for Postgres {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn settle(&self) -> Result<()> {
        self.pools.open();
        Ok(())
    }

    fn begin(&self, access: Access, caller: &Caller) -> Result<Box<dyn Tx + '_>> {
        self.config.check_access(access)?;
        let (pool, connection) = self.take(access, false)?;
        let begin = match access {
            Access::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            // Rows that are going to change are locked as they are read, so that writers wait for
            // each other instead of failing.
            Access::Write => "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE",
        };
        Ok(Box::new(PostgresTx {
            postgres: self,
            pool,
            access,
            connection: Some(connection),
            caller: caller.clone(),
            has_begun: false,
            failed: false,
            longest: Some(LONGEST),
            later: vec![Job { begins: true, ..Job::plain("begin", begin) }],
        }))
    }

    fn ping(&self) -> Result<()> {
        let mut tx = self.begin(Access::Read, &Caller::default())?;
        let probe = Statement {
            name: "ping",
            text: "SELECT 1".into(),
            values: Vec::new(),
            is_fixed: false,
        };
        tx.queries(&[probe], &mut |_, _| Ok(()))?;
        tx.end(Ending::Commit).map(drop)
    }

    fn connections_max(&self) -> usize {
        self.config.connections_max
    }

    fn commits_together(&self) -> bool {
        false
    }
}

/// A statement that is sent.
struct Job {
    name: &'static str,
    text: String,
    /// Its values; a statement of the simple protocol has none and may be several.
    bound: Option<Vec<(Param, Type)>>,
    begins: bool,
    /// Whether it is worth being kept prepared.
    is_fixed: bool,
}

impl Job {
    fn of(statement: &Statement<'_>) -> Self {
        let bound = statement.values.iter().map(values::param).collect();
        Self {
            name: statement.name,
            text: statement.text.clone().into_owned(),
            bound: Some(bound),
            begins: false,
            is_fixed: statement.is_fixed,
        }
    }

    /// What a kept statement is known by: a value that is NULL has a type of its own.
    fn key(&self) -> Key {
        (self.text.clone(), self.bound.iter().flatten().map(|(_, of)| of.oid()).collect())
    }

    fn plain(name: &'static str, text: &str) -> Self {
        Self { name, text: text.to_owned(), bound: None, begins: false, is_fixed: false }
    }
}

struct PostgresTx<'b> {
    postgres: &'b Postgres,
    pool: &'b Pool<Connection>,
    access: Access,
    /// Gone once it is known to be unusable.
    connection: Option<Connection>,
    caller: Caller,
    has_begun: bool,
    failed: bool,
    /// How long an answer may take; a change of tables as long as it needs.
    longest: Option<Duration>,
    later: Vec<Job>,
}

impl PostgresTx<'_> {
    /// Sends what waits and some statements in one go. The rows of all but those that waited are
    /// handed over.
    fn run(&mut self, jobs: Vec<Job>, phase: Phase, on_row: OnRows<'_>) -> Result<()> {
        if self.failed {
            return Err(Error::new(ErrorKind::Internal, "the transaction has failed before"));
        }
        let n_later = self.later.len();
        let all: Vec<Job> = self.later.drain(..).chain(jobs).collect();
        self.has_begun |= all.iter().any(|job| job.begins);
        let Some(connection) = &self.connection else {
            return Err(Error::new(ErrorKind::Unavailable, "the connection is lost"));
        };
        let on_row = RefCell::new((on_row, None));
        let sent = async {
            let mut turn = None;
            let jobs = all.iter().enumerate().map(|(at, job)| {
                let (done, next) = oneshot::channel();
                (at.checked_sub(n_later), job, turn.replace(next), done)
            });
            // All are sent before the first answer is waited for.
            let runs = jobs.map(async |(at, job, turn, _done)| {
                run_job(connection, job, at, turn, &on_row).await
            });
            if !self.postgres.keeps_statements.load(Ordering::Relaxed) {
                return join_all(runs).await;
            }
            // It is sent last, and so costs no round trip.
            join(join_all(runs), keep(connection, &all)).await.0
        };
        let outcome = self.wait(connection, phase, sent);
        let (_, refused) = on_row.into_inner();
        let results = match outcome {
            Ok(results) => results,
            Err(error) => {
                self.lose();
                return Err(error);
            }
        };
        // What follows a failed statement fails because of it.
        let failure = (0..).zip(results).find_map(|(at, result)| Some((at, result.err()?)));
        if let Some((at, error)) = failure {
            self.failed = true;
            let is_last = at + 1 == all.len();
            let is_forgotten = error.code().is_some_and(|code| FORGOTTEN.contains(&code.code()));
            if is_forgotten && all[at].is_fixed {
                self.postgres.keeps_statements.store(false, Ordering::Relaxed);
                self.lose();
                self.pool.clear();
                return Err(Error::new(ErrorKind::Aborted, "the database forgot a statement")
                    .caused_by(error)
                    .rerun());
            }
            let classified = errors::classify(error, &self.postgres.config, phase, is_last);
            if classified.is_lost {
                self.lose();
                self.pool.clear();
            }
            tracing::debug!(statement = all[at].name, "a statement failed");
            return Err(match at.checked_sub(n_later) {
                Some(own) => classified.error.at_row(own),
                None => of_earlier(classified.error),
            });
        }
        match refused {
            Some(error) => {
                self.failed = true;
                Err(error)
            }
            None => Ok(()),
        }
    }

    /// Waits for answers on this thread. A reader whose caller has gone is stopped, and so is a
    /// wait that is longer than the server may be silent.
    fn wait<T>(
        &self,
        connection: &Connection,
        phase: Phase,
        answers: impl Future<Output = T>,
    ) -> Result<T> {
        let began = Instant::now();
        connection.block_on(async {
            let mut answers = pin!(answers);
            loop {
                if let Ok(done) = tokio::time::timeout(LOOK_EVERY, &mut answers).await {
                    return Ok(done);
                }
                let is_cancelled = self.access == Access::Read && self.caller.is_gone();
                if is_cancelled {
                    self.postgres.connector.stop(connection).await;
                    return Err(errors::stopped(&self.postgres.config));
                }
                if self.longest.is_some_and(|longest| began.elapsed() > longest) {
                    self.postgres.connector.stop(connection).await;
                    let silent = std::io::Error::from(std::io::ErrorKind::TimedOut);
                    let in_doubt = phase == Phase::Commit;
                    // It was silent for longer than anything is run again.
                    return Err(lost(silent, &self.postgres.config, in_doubt).error.no_rerun());
                }
            }
        })
    }

    /// Gives the connection up.
    fn lose(&mut self) {
        self.failed = true;
        if self.connection.take().is_some() {
            self.pool.give_back(None);
        }
    }
}

/// What a server says of a prepared statement that it has not, or no longer as it was: one behind a
/// pooler, or with other tables.
const FORGOTTEN: [&str; 2] = ["26000", "0A000"];

/// Has the server keep fixed statements prepared, so that it need not plan them each time.
async fn keep(connection: &Connection, jobs: &[Job]) {
    let is_new = |job: &&Job| job.is_fixed && !connection.kept.lock().contains_key(&job.key());
    let prepared = jobs.iter().filter(is_new).map(async |job| {
        let types: Vec<Type> = job.bound.iter().flatten().map(|(_, of)| of.clone()).collect();
        // One that failed has an error of its own.
        if let Ok(kept) = connection.client.prepare_typed(&job.text, &types).await {
            connection.kept.lock().insert(job.key(), kept);
        }
    });
    join_all(prepared).await;
}

/// Runs one statement; `at` is its place among those whose rows are wanted. They are handed over
/// when it is its turn, that is, when the statement before it is done: answers arrive in order, but
/// whoever waits for the second may see its rows before the last ones of the first are taken.
async fn run_job(
    connection: &Connection,
    job: &Job,
    at: Option<usize>,
    turn: Option<oneshot::Receiver<()>>,
    on_row: &RefCell<(OnRows<'_>, Option<Error>)>,
) -> Result<(), tokio_postgres::Error> {
    let Some(bound) = &job.bound else { return connection.client.batch_execute(&job.text).await };
    let kept = connection.kept.lock().get(&job.key()).cloned();
    let mut rows = pin!(match kept {
        Some(kept) => connection.client.query_raw(&kept, bound.iter().map(|(of, _)| of)).await?,
        None => {
            let params = bound.iter().map(|(param, of)| (param, of.clone()));
            connection.client.query_typed_raw(&job.text, params).await?
        }
    });
    if let Some(turn) = turn {
        // It ends by being dropped.
        let _ = turn.await;
    }
    while let Some(row) = rows.next().await {
        let row = row?;
        let mut on_row = on_row.borrow_mut();
        let (take, refused) = &mut *on_row;
        let Some(at) = at.filter(|_| refused.is_none()) else { continue };
        if let Err(error) = Decoded::of(&row).and_then(|row| take(at, &row)) {
            *refused = Some(error);
        }
    }
    Ok(())
}

impl Tx for PostgresTx<'_> {
    fn queries(&mut self, statements: &[Statement<'_>], on_row: OnRows<'_>) -> Result<()> {
        self.run(statements.iter().map(Job::of).collect(), Phase::Open, on_row)
    }

    fn execute(&mut self, statement: &Statement<'_>) -> Result<()> {
        self.run(vec![Job::of(statement)], Phase::Open, &mut |_, _| Ok(()))
    }

    fn flight(
        &mut self,
        queries: &[Statement<'_>],
        on_row: OnRows<'_>,
        insertions: &[Insertion<'_>],
    ) -> Result<Vec<Vec<i64>>, Refused> {
        let mut jobs: Vec<Job> = queries.iter().map(Job::of).collect();
        // The insertions that are waited for.
        let mut asked = Vec::new();
        let some = insertions.iter().enumerate().filter(|(_, rows)| !rows.values.is_empty());
        for (at, rows) in some {
            let (name, text) = (rows.insert.name, rows.insert.render(&DIALECT));
            let bound = Some(values::arrays(rows.insert, &rows.values)?);
            let job = Job { name, text, bound, begins: false, is_fixed: true };
            if rows.insert.can_clash {
                jobs.push(job);
                asked.push(at);
            } else {
                self.later.push(job);
            }
        }
        let mut ids = vec![Vec::new(); insertions.len()];
        if jobs.is_empty() {
            return Ok(ids);
        }
        let done =
            self.run(jobs, Phase::Open, &mut |at, row| match at.checked_sub(queries.len()) {
                None => on_row(at, row),
                Some(at) => {
                    ids[asked[at]].push(crate::rows::int(row, 0)?);
                    Ok(())
                }
            });
        done.map_err(|error| {
            let at = error.row().and_then(|at| at.checked_sub(queries.len()));
            Refused::of(error, at.map(|at| asked[at]), insertions)
        })?;
        Ok(ids)
    }

    fn relations(&mut self) -> Result<Vec<String>> {
        let mut names = HashSet::new();
        let text = "SELECT c.relname::text FROM pg_catalog.pg_class c \
                    WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid) \
                    AND c.relnamespace <> 'pg_catalog'::regnamespace";
        let query =
            Statement { name: "relations", text: text.into(), values: Vec::new(), is_fixed: false };
        self.queries(&[query], &mut |_, row| {
            names.extend(crate::rows::opt_text(row, 0)?);
            Ok(())
        })?;
        Ok(names.into_iter().collect())
    }

    fn backup(&mut self, _: &str) -> Result<Option<String>> {
        Ok(None)
    }

    fn script(&mut self, text: &str, _: bool) -> Result<()> {
        self.run(vec![Job::plain("script", text)], Phase::Open, &mut |_, _| Ok(()))
    }

    fn lock_schema(&mut self) -> Result<()> {
        // Any number does, as long as every server of this release takes the same.
        self.longest = None;
        let text = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '3600s'; \
                    SELECT pg_advisory_xact_lock(7236837226098716)";
        self.script(text, false)
    }

    fn end(mut self: Box<Self>, ending: Ending) -> Result<Option<Pending>> {
        if ending == Ending::RollBack {
            return Ok(None);
        }
        if self.failed {
            return Err(Error::new(ErrorKind::Internal, "the transaction has failed before"));
        }
        if !self.has_begun && self.later.iter().all(|job| job.begins) {
            return Ok(None);
        }
        if self.access == Access::Read {
            // Nobody waits for a reader's end; the next transaction on the connection comes after.
            if let Some(connection) = &self.connection {
                connection.send("COMMIT");
            }
        } else {
            self.run(vec![Job::plain("commit", "COMMIT")], Phase::Commit, &mut |_, _| Ok(()))?;
        }
        self.has_begun = false;
        Ok(None)
    }
}

impl Drop for PostgresTx<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if self.has_begun {
            connection.send("ROLLBACK");
        }
        let usable = !connection.client.is_closed();
        self.pool.give_back(Some(connection).filter(|_| usable));
    }
}
