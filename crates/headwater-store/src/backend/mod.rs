//! The waist: what a database must be able to do. It speaks statements and rows and knows no
//! artifact, execution or context.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::sql::Dialect;
use crate::sql::build::Insert;
use crate::url::StoreUrl;

pub(crate) mod mysql;
mod pool;
pub(crate) mod postgres;
pub(crate) mod server;
pub(crate) mod sqlite;
mod tls;
mod trouble;

/// Opens the database at `url`.
pub(crate) fn open(url: &StoreUrl) -> Result<Box<dyn Backend>> {
    Ok(match url {
        StoreUrl::Sqlite(config) => Box::new(sqlite::Sqlite::open(config.clone())?),
        StoreUrl::Postgres(config) => Box::new(postgres::Postgres::open(config.clone())?),
        StoreUrl::MySql(config) => Box::new(mysql::MySql::open(config.clone())?),
    })
}

/// The databases on servers, for golden files.
#[cfg(test)]
pub(crate) const SERVERS: [&Dialect; 2] = [&postgres::DIALECT, &mysql::DIALECT];

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Read one consistent state.
    Read,
    /// Read and change.
    Write,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its changes are made durable, together with those of others who wait.
    Commit,
    /// Nobody else sees its changes before they are durable.
    CommitNow,
    /// Its changes are undone.
    RollBack,
}

/// Whom a call is run for.
#[derive(Clone, Default)]
pub struct Caller {
    is_gone: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
    /// What is done but not durable yet, for one who waits for several calls at once.
    pending: Option<Arc<Mutex<Vec<Pending>>>>,
}

/// Waits until a transaction is durable. Fails if it was undone, so that it may be run again.
pub(crate) type Pending = Box<dyn FnOnce() -> Result<()> + Send>;

impl Caller {
    /// One who may go away: `is_gone` is asked now and then, on the thread of the call, whose
    /// queries need not go on then.
    pub fn gone_when(is_gone: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { is_gone: Some(Arc::new(is_gone)), pending: None }
    }

    /// The same caller, who waits for this call later, together with others.
    pub(crate) fn who_waits_later(&self) -> Self {
        Self { is_gone: self.is_gone.clone(), pending: Some(Arc::default()) }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.as_ref().is_some_and(|is_gone| is_gone())
    }

    /// Whether the same thread has more to do before it waits.
    pub(crate) fn waits_later(&self) -> bool {
        self.pending.is_some()
    }

    /// Waits now, or keeps what to wait for.
    pub(crate) fn wait(&self, pending: Option<Pending>) -> Result<()> {
        match (pending, &self.pending) {
            (None, _) => Ok(()),
            (Some(pending), None) => pending(),
            (Some(pending), Some(later)) => {
                later.lock().push(pending);
                Ok(())
            }
        }
    }

    /// What is to be waited for.
    pub(crate) fn take_pending(&self) -> Vec<Pending> {
        self.pending
            .as_ref()
            .map(|pending| std::mem::take(&mut *pending.lock()))
            .unwrap_or_default()
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_gone = self.is_gone();
        f.debug_struct("Caller").field("is_gone", &is_gone).finish_non_exhaustive()
    }
}

/// A value bound to a statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'v> {
    /// SQL `NULL`.
    Null,
    /// A 64-bit integer.
    Int(i64),
    /// A truth value; 0 or 1 where a database has none.
    Bool(bool),
    /// A double, bit for bit.
    Real(f64),
    /// Text.
    Text(Cow<'v, str>),
    /// Bytes.
    Blob(Cow<'v, [u8]>),
    /// A list of integers for `IN`.
    Ints(Cow<'v, [i64]>),
    /// A list of texts for `IN`.
    Texts(Vec<&'v str>),
}

impl<'v> Value<'v> {
    /// A list of texts for `IN`.
    pub(crate) fn texts(texts: &'v [String]) -> Self {
        Value::Texts(texts.iter().map(String::as_str).collect())
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(value: &'v str) -> Self {
        Value::Text(Cow::Borrowed(value))
    }
}

impl<'v> From<&'v [i64]> for Value<'v> {
    fn from(value: &'v [i64]) -> Self {
        Value::Ints(Cow::Borrowed(value))
    }
}

impl<'v, T: Into<Value<'v>>> From<Option<T>> for Value<'v> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// A statement ready to run: its name, its text in the database's words, and its values.
#[derive(Clone, Debug)]
pub(crate) struct Statement<'v> {
    /// Name in traces, metrics and golden files.
    pub name: &'static str,
    /// SQL with placeholders.
    pub text: Cow<'static, str>,
    /// One value per placeholder.
    pub values: Vec<Value<'v>>,
    /// Whether its text is the same for every request, so that it is worth being kept prepared.
    pub is_fixed: bool,
}

/// One column of a row that was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Column<'r> {
    /// SQL `NULL`.
    Null,
    /// An integer, or a truth value as 0 or 1.
    Int(i64),
    /// A double.
    Real(f64),
    /// Text.
    Text(&'r str),
    /// Bytes.
    Blob(&'r [u8]),
}

/// A row that was read, by position.
pub(crate) trait Row {
    /// The column at `index`. Fails with `DATA_LOSS` where the text is not UTF-8.
    fn column(&self, index: usize) -> Result<Column<'_>>;
}

/// Called for each row of an answer.
pub(crate) type OnRow<'f> = &'f mut dyn FnMut(&dyn Row) -> Result<()>;

/// Called for each row of several answers, with the number of the query.
pub(crate) type OnRows<'f> = &'f mut dyn FnMut(usize, &dyn Row) -> Result<()>;

/// Rows to be inserted.
#[derive(Clone, Debug)]
pub(crate) struct Insertion<'v> {
    /// How.
    pub insert: &'static Insert,
    /// Their values, which follow each other.
    pub values: Vec<Value<'v>>,
}

/// Why a flight failed.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The insertion that was refused, if it was one.
    pub insertion: Option<usize>,
    /// What is wrong.
    pub error: Error,
}

impl Refused {
    /// The error of an insertion on a server, which does not say which of several rows it means.
    fn of(error: Error, insertion: Option<usize>, all: &[Insertion<'_>]) -> Self {
        let Some(at) = insertion else { return error.into() };
        let Insertion { insert, values } = &all[at];
        let is_one = values.len() == insert.columns.len();
        let error = if is_one { error.at_row(0) } else { error.at_no_row() };
        Self { insertion, error }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { insertion: None, error }
    }
}

/// A database.
pub(crate) trait Backend: fmt::Debug + Send + Sync {
    /// How this database differs from the others.
    fn dialect(&self) -> &'static Dialect;

    /// Makes lasting settings, once the database is known to be a store of ours or empty. Until
    /// then nothing in it is touched.
    fn settle(&self) -> Result<()>;

    /// Takes a connection and opens a transaction. A writer waits here for its turn; the queries of
    /// a reader end early once the call is cancelled.
    fn begin(&self, access: Access, caller: &Caller) -> Result<Box<dyn Tx + '_>>;

    /// Answers whether the database can be reached now.
    fn ping(&self) -> Result<()>;

    /// How many connections there may be: calls beyond them wait.
    fn connections_max(&self) -> usize;

    /// Whether writers work one after the other, on a connection that readers do not use, and
    /// those who wait share a commit.
    fn commits_together(&self) -> bool;

    /// Commits what callers who wait later have left open.
    fn commit_together(&self) {}
}

/// An open transaction. Dropping it rolls back.
pub(crate) trait Tx {
    /// Runs queries, in one round trip where the database is remote, and hands over their rows.
    fn queries(&mut self, statements: &[Statement<'_>], on_row: OnRows<'_>) -> Result<()>;

    /// Runs a statement that changes rows.
    fn execute(&mut self, statement: &Statement<'_>) -> Result<()>;

    /// Runs queries and then insertions that do not need each other's answers, in one round trip
    /// where the database is remote. Hands over the rows of the queries and answers the new ids of
    /// each insertion that asks for them. A refused row is named in the error where the database
    /// names it. What nobody waits for may go with the next statement, whose error it then has.
    fn flight(
        &mut self,
        queries: &[Statement<'_>],
        on_row: OnRows<'_>,
        insertions: &[Insertion<'_>],
    ) -> Result<Vec<Vec<i64>>, Refused>;

    /// Names of the tables that the database has.
    fn relations(&mut self) -> Result<Vec<String>>;

    /// Runs a script of our own, such as a migration: statements, each with `;` at the end of its
    /// last line. What was done already is passed over if it may be; databases that undo a script
    /// that was interrupted know no such thing.
    fn script(&mut self, text: &str, may_be_done: bool) -> Result<()>;

    /// Copies the database to a place of its own, if that is a matter of one file.
    fn backup(&mut self, name: &str) -> Result<Option<String>>;

    /// Waits until nobody else makes or changes tables, until the end of the transaction.
    fn lock_schema(&mut self) -> Result<()>;

    /// Makes the changes durable, or undoes them. On an error nothing of them remains.
    ///
    /// Where writers share a commit, there is something to wait for, also for one who undoes its
    /// changes: if what the others did is undone, too, what made it fail may not be there.
    fn end(self: Box<Self>, ending: Ending) -> Result<Option<Pending>>;
}
