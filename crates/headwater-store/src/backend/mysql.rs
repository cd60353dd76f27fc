//! MySQL and MariaDB: the statements of a call travel together where they can, so that it costs
//! few round trips.

mod connect;
mod dialect;
mod errors;
mod values;
mod watch;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use mysql::Conn;
use mysql::prelude::Queryable as _;

use crate::backend::pool::{Pool, Pools};
use crate::backend::server::ServerConfig;
use crate::backend::trouble::{Phase, Trouble, of_earlier};
use crate::backend::{
    Access, Backend, Caller, Ending, Insertion, OnRows, Pending, Refused, Statement, Tx, Value,
};
use crate::error::{Error, ErrorKind, Result, internal};
use crate::limits::INSERT_BYTES_MAX;
use crate::rows;
use crate::sql::Dialect;
use crate::sql::build::Insert;
use connect::{Connection, Connector, Purpose};
pub(crate) use dialect::DIALECT;
use values::Decoded;
use watch::Watch;

/// Errors of a script's statement that say that it was run before.
const DONE_BEFORE: [u16; 6] = [1050, 1051, 1060, 1061, 1091, 1146];

/// What a packet has beside the text of statements, in bytes.
const PACKET_ROOM: usize = 1024;

/// An open MySQL database.
pub(crate) struct MySql {
    config: ServerConfig,
    connector: Arc<Connector>,
    watch: Arc<Watch>,
    pools: Pools<Connection>,
}

impl MySql {
    /// Opens the database, and makes it if it may.
    pub(crate) fn open(config: ServerConfig) -> Result<Self> {
        // The driver asks for the process's; another one that is there already does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let pools = Pools::new(&config);
        let connector = Arc::new(Connector::default());
        let watch = Watch::start(config.clone(), Arc::clone(&connector))
            .map_err(|e| internal("no thread can be made").caused_by(e))?;
        let mysql = Self { config, connector, watch, pools };
        let (pool, first) = mysql.take(Access::Write, Purpose::Open)?;
        pool.give_back(Some(first));
        Ok(mysql)
    }

    fn take(&self, access: Access, purpose: Purpose) -> Result<(&Pool<Connection>, Connection)> {
        let connect = |hosts: &[_]| self.connector.connect(&self.config, hosts, purpose);
        self.pools.take(access, |_| true, connect)
    }
}

impl Drop for MySql {
    fn drop(&mut self) {
        self.watch.end();
    }
}

impl fmt::Debug for MySql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySql").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Backend for MySql {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn settle(&self) -> Result<()> {
        self.pools.open();
        Ok(())
    }

    fn begin(&self, access: Access, caller: &Caller) -> Result<Box<dyn Tx + '_>> {
        self.config.check_access(access)?;
        let (pool, connection) = self.take(access, Purpose::Call)?;
        let begin = match access {
            Access::Read => [
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            ],
            // Rows that are going to change are locked as they are read, and no gaps between them.
            Access::Write => {
                ["SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION"]
            }
        };
        Ok(Box::new(MySqlTx {
            mysql: self,
            pool,
            access,
            connection: Some(connection),
            caller: caller.clone(),
            has_begun: false,
            failed: false,
            holds_schema: false,
            later: begin.map(|text| Job { name: "begin", text: text.to_owned() }).into(),
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

/// A statement with its values in its text.
struct Job {
    name: &'static str,
    text: String,
}

impl Job {
    fn plain(name: &'static str, text: &str) -> Self {
        Self { name, text: text.to_owned() }
    }
}

/// What a statement that has no rows answers.
#[derive(Clone, Copy, Default)]
struct Done {
    last_insert_id: u64,
    affected: u64,
}

struct MySqlTx<'b> {
    mysql: &'b MySql,
    pool: &'b Pool<Connection>,
    access: Access,
    /// Gone once it is known to be unusable.
    connection: Option<Connection>,
    caller: Caller,
    has_begun: bool,
    failed: bool,
    holds_schema: bool,
    later: Vec<Job>,
}

impl MySqlTx<'_> {
    fn job(&self, statement: &Statement<'_>) -> Result<Job> {
        let collation = self.connection.as_ref().map_or("", |of| of.flavour.collation());
        Ok(Job { name: statement.name, text: values::write(statement, collation)? })
    }

    /// Sends what waits and some statements, together if the server takes so much at once. Rows and
    /// answers of all but those that waited are handed over.
    fn run(&mut self, jobs: Vec<Job>, phase: Phase, on_row: OnRows<'_>) -> Result<Vec<Done>> {
        if self.failed {
            return Err(internal("the transaction has failed before"));
        }
        let n_later = self.later.len();
        let all: Vec<Job> = self.later.drain(..).chain(jobs).collect();
        self.has_begun = true;
        let Some(connection) = &mut self.connection else {
            return Err(Error::new(ErrorKind::Unavailable, "the connection is lost"));
        };
        let most = connection.packet_bytes_max.saturating_sub(PACKET_ROOM);
        if all.iter().any(|job| job.text.len() > most) {
            self.failed = true;
            return Err(Trouble::TooLarge.error(&self.mysql.config));
        }
        let mut answers = Answers { n_later, at: 0, on_row, done: Vec::new(), refused: None };
        let id = connection.conn.connection_id();
        let watched = (self.access == Access::Read)
            .then(|| self.mysql.watch.look_after(&connection.host, id, &self.caller));
        let sent = send_all(connection, &all, &mut answers);
        let was_ended = watched.is_some_and(|looking| !looking.leave());
        let (at, done, refused) = (answers.at, answers.done, answers.refused);
        if was_ended {
            self.lose();
            return Err(Trouble::QueryTooLong.error(&self.mysql.config));
        }
        if let Err(error) = sent {
            self.failed = true;
            let phase = if at + 1 == all.len() { phase } else { phase_before(phase, &error) };
            let classified = errors::classify(error, &self.mysql.config, phase);
            if classified.is_lost {
                self.lose();
                self.pool.clear();
            }
            let name = all.get(at).map_or("", |job| job.name);
            tracing::debug!(statement = name, "a statement failed");
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
            None => Ok(done),
        }
    }

    /// Gives the connection up.
    fn lose(&mut self) {
        self.failed = true;
        if self.connection.take().is_some() {
            self.pool.give_back(None);
        }
    }

    fn leave(&mut self, how: &'static str) {
        let Some(mut connection) = self.connection.take() else { return };
        let ended = !self.has_begun || connection.conn.query_drop(how).is_ok();
        // One that made tables has other settings.
        self.pool.give_back(Some(connection).filter(|_| ended && !self.holds_schema));
    }
}

/// Where a transaction was when a statement before its last failed: a server's answer says that it
/// stopped there.
fn phase_before(phase: Phase, error: &mysql::Error) -> Phase {
    if matches!(error, mysql::Error::MySqlError(_)) { Phase::Open } else { phase }
}

/// Takes the answers to several statements.
struct Answers<'f> {
    n_later: usize,
    /// The statement that is answered next.
    at: usize,
    on_row: OnRows<'f>,
    done: Vec<Done>,
    refused: Option<Error>,
}

/// Sends statements, as many together as the server takes.
fn send_all(
    connection: &mut Connection,
    jobs: &[Job],
    answers: &mut Answers<'_>,
) -> Result<(), mysql::Error> {
    let most = connection.packet_bytes_max.saturating_sub(PACKET_ROOM);
    let mut rest = jobs;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |job: &&Job| {
            bytes += job.text.len() + 1;
            bytes <= most
        };
        let together = rest.iter().take_while(fits).count().max(1);
        let (now, later) = rest.split_at(together);
        let mut text = String::with_capacity(now.iter().map(|job| job.text.len() + 1).sum());
        for job in now {
            text.push_str(if text.is_empty() { "" } else { ";" });
            text.push_str(&job.text);
        }
        send(&mut connection.conn, &text, answers)?;
        rest = later;
    }
    Ok(())
}

fn send(conn: &mut Conn, text: &str, answers: &mut Answers<'_>) -> Result<(), mysql::Error> {
    let mut result = conn.query_iter(text)?;
    while let Some(set) = result.iter() {
        let done = Done {
            last_insert_id: set.last_insert_id().unwrap_or_default(),
            affected: set.affected_rows(),
        };
        let own = answers.at.checked_sub(answers.n_later);
        for row in set {
            let row = row?;
            if let Some(own) = own.filter(|_| answers.refused.is_none()) {
                answers.refused = (answers.on_row)(own, &Decoded(&row)).err();
            }
        }
        if own.is_some() {
            answers.done.push(done);
        }
        answers.at += 1;
    }
    Ok(())
}

impl Tx for MySqlTx<'_> {
    fn queries(&mut self, statements: &[Statement<'_>], on_row: OnRows<'_>) -> Result<()> {
        let jobs = statements.iter().map(|of| self.job(of)).collect::<Result<_>>()?;
        self.run(jobs, Phase::Open, on_row).map(drop)
    }

    fn execute(&mut self, statement: &Statement<'_>) -> Result<()> {
        let job = self.job(statement)?;
        self.run(vec![job], Phase::Open, &mut |_, _| Ok(())).map(drop)
    }

    fn flight(
        &mut self,
        queries: &[Statement<'_>],
        on_row: OnRows<'_>,
        insertions: &[Insertion<'_>],
    ) -> Result<Vec<Vec<i64>>, Refused> {
        let mut jobs = queries.iter().map(|of| self.job(of)).collect::<Result<Vec<_>>>()?;
        // The insertion of each job that is waited for.
        let mut asked = Vec::new();
        for (at, rows) in insertions.iter().enumerate() {
            let mut own = insert_jobs(rows.insert, &rows.values);
            if rows.insert.can_clash {
                asked.extend(vec![at; own.len()]);
                jobs.append(&mut own);
            } else {
                self.later.append(&mut own);
            }
        }
        let mut ids = vec![Vec::new(); insertions.len()];
        if jobs.is_empty() {
            return Ok(ids);
        }
        // Servers that write side by side step over each other's ids.
        if asked.iter().any(|at| insertions[*at].insert.returns_ids) {
            jobs.push(Job::plain("step", "SELECT @@auto_increment_increment"));
        }
        let mut step = 1;
        let done = self.run(jobs, Phase::Open, &mut |at, row| {
            if at < queries.len() {
                return on_row(at, row);
            }
            step = rows::int(row, 0)?;
            Ok(())
        });
        let done = done.map_err(|error| {
            let at = error.row().and_then(|at| asked.get(at.checked_sub(queries.len())?));
            Refused::of(error, at.copied(), insertions)
        })?;
        for (at, done) in asked.iter().zip(&done[queries.len()..]) {
            if insertions[*at].insert.returns_ids && done.last_insert_id > 0 {
                let first = i64::try_from(done.last_insert_id).unwrap_or(i64::MAX);
                let affected = i64::try_from(done.affected).unwrap_or_default();
                ids[*at].extend((0..affected).map(|at| first + at * step));
            }
        }
        Ok(ids)
    }

    fn relations(&mut self) -> Result<Vec<String>> {
        let mut names = HashSet::new();
        let text = "SELECT CAST(TABLE_NAME AS CHAR) FROM information_schema.TABLES \
                    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'";
        let query =
            Statement { name: "relations", text: text.into(), values: Vec::new(), is_fixed: false };
        self.queries(&[query], &mut |_, row| {
            names.extend(rows::opt_text(row, 0)?);
            Ok(())
        })?;
        Ok(names.into_iter().collect())
    }

    fn backup(&mut self, _: &str) -> Result<Option<String>> {
        Ok(None)
    }

    /// Each statement that changes tables is committed at once here, so a script that was
    /// interrupted is run again: what was done before is passed over.
    fn script(&mut self, text: &str, may_be_done: bool) -> Result<()> {
        // What waits to be sent comes first.
        self.run(Vec::new(), Phase::Open, &mut |_, _| Ok(()))?;
        let Some(connection) = &mut self.connection else {
            return Err(Error::new(ErrorKind::Unavailable, "the connection is lost"));
        };
        let text = text.replace(values::COLLATION, connection.flavour.collation());
        for statement in text.split(";\n").filter(|statement| !statement.trim().is_empty()) {
            match connection.conn.query_drop(statement) {
                Err(mysql::Error::MySqlError(error))
                    if may_be_done && DONE_BEFORE.contains(&error.code) => {}
                Err(error) => {
                    self.failed = true;
                    return Err(errors::classify(error, &self.mysql.config, Phase::Open).error);
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    fn lock_schema(&mut self) -> Result<()> {
        self.holds_schema = true;
        if self.has_begun {
            return Err(internal("the transaction has begun before it takes the schema"));
        }
        // One that waits as long as it takes, in the place of the one that there is.
        let hosts = &self.mysql.config.hosts;
        let connector = &self.mysql.connector;
        drop(self.connection.take());
        match connector.connect(&self.mysql.config, hosts, Purpose::ChangeTables) {
            Ok(connection) => self.connection = Some(connection),
            Err(error) => {
                self.failed = true;
                self.pool.give_back(None);
                return Err(error);
            }
        }
        // Its name has 64 characters at most; it goes with the session, and so does the limit.
        let flavour = self.connection.as_ref().map(|connection| connection.flavour);
        let unlimited = flavour.map_or("DO 0", connect::Flavour::unlimited);
        self.later.push(Job::plain("unlimited", unlimited));
        let text = "SELECT GET_LOCK(CONCAT('headwater.', LEFT(SHA2(DATABASE(), 256), 40)), 3600)";
        let query = Statement {
            name: "lock_schema",
            text: text.into(),
            values: Vec::new(),
            is_fixed: false,
        };
        let mut got = 0;
        self.queries(&[query], &mut |_, row| {
            got = rows::opt_int(row, 0)?.unwrap_or_default();
            Ok(())
        })?;
        if got == 1 {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Aborted, "another process makes or changes the tables")
            .hint("try again when it is done"))
    }

    fn end(mut self: Box<Self>, ending: Ending) -> Result<Option<Pending>> {
        if ending == Ending::RollBack {
            return Ok(None);
        }
        if self.failed {
            return Err(internal("the transaction has failed before"));
        }
        if !self.has_begun && self.later.iter().all(|job| job.name == "begin") {
            return Ok(None);
        }
        if self.access == Access::Read {
            // Whatever becomes of it, what was read was read.
            self.leave("COMMIT");
        } else {
            self.run(vec![Job::plain("commit", "COMMIT")], Phase::Commit, &mut |_, _| Ok(()))?;
            self.has_begun = false;
        }
        Ok(None)
    }
}

/// The statements that insert some rows, each of a size that is planned quickly.
fn insert_jobs(insert: &Insert, values: &[Value<'_>]) -> Vec<Job> {
    let text = insert.render(&DIALECT);
    let (head, tail) = text.split_once(" VALUES (").unwrap_or((&text, ""));
    let tail = tail.split_once(')').map_or("", |(_, tail)| tail);
    let mut jobs = Vec::new();
    let mut text = String::new();
    for row in values.chunks(insert.columns.len()) {
        if text.is_empty() {
            text = format!("{head} VALUES ");
        } else {
            text.push(',');
        }
        values::write_row(&mut text, row);
        if text.len() >= INSERT_BYTES_MAX {
            text.push_str(tail);
            jobs.push(Job { name: insert.name, text: std::mem::take(&mut text) });
        }
    }
    if !text.is_empty() {
        text.push_str(tail);
        jobs.push(Job { name: insert.name, text });
    }
    jobs
}

impl Drop for MySqlTx<'_> {
    fn drop(&mut self) {
        self.leave("ROLLBACK");
    }
}
