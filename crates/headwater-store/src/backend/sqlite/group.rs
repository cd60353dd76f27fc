//! Group commit: writers that wait for each other share a transaction, and so its sync.
//!
//! A writer that is done looks whether another one waits for the connection. If so, it leaves the
//! transaction open for that one, and waits until the last of them has committed for all. A lone
//! writer finds nobody there and commits at once. One who has several calls to make says so, and
//! leaves the transaction open for itself: that saves waking a thread per call.
//!
//! A member that fails must not take the others with it. Most have changed nothing by then. Where
//! one has, the transaction is undone and the others run again, and for some time each member works
//! in a savepoint. That is not so from the start because SQLite then copies each page once more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, FairMutex, FairMutexGuard, Mutex};
use rusqlite::Connection;

use crate::backend::Ending;
use crate::limits::{GROUP_MS_MAX, GROUP_WRITERS_MAX};

/// The connection that writes, and those who want it.
pub(super) struct Writers {
    shared: FairMutex<Shared>,
    /// Writers that wait for the connection. Each of them gets it, and then ends the group or
    /// leaves it to yet another one.
    waiting: AtomicUsize,
    /// Whether others may see what is not committed yet: in memory, where readers use the same
    /// connection and a commit costs nothing, nobody does.
    can_share: bool,
}

struct Shared {
    connection: Connection,
    group: Option<Group>,
    /// Groups yet whose members work in savepoints.
    careful: usize,
}

/// The members of the open transaction.
struct Group {
    members: usize,
    began: Instant,
    outcome: Arc<Outcome>,
}

/// Whether a group was committed, once that is known.
#[derive(Default)]
pub(super) struct Outcome {
    is_committed: Mutex<Option<bool>>,
    is_known: Condvar,
}

impl Outcome {
    fn set(&self, is_committed: bool) {
        *self.is_committed.lock() = Some(is_committed);
        self.is_known.notify_all();
    }

    /// Waits until it is known.
    pub(super) fn wait(&self) -> bool {
        let mut is_committed = self.is_committed.lock();
        loop {
            match *is_committed {
                Some(is_committed) => return is_committed,
                None => self.is_known.wait(&mut is_committed),
            }
        }
    }
}

/// Why a member is not committed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The database refused what this member asked for.
    Own(rusqlite::Error),
    /// The transaction was undone because of another member. Nothing of this one happened.
    OfAnother,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure::Own(error)
    }
}

impl Writers {
    pub(super) fn new(connection: Connection, can_share: bool) -> Self {
        let shared = FairMutex::new(Shared { connection, group: None, careful: 0 });
        Self { shared, waiting: AtomicUsize::new(0), can_share }
    }

    /// Runs something outside of any transaction.
    pub(super) fn outside<T>(&self, run: impl FnOnce(&Connection) -> T) -> T {
        run(&self.shared.lock().connection)
    }

    /// Waits for the connection and opens a transaction, or joins the one that was left open. A
    /// caller who `comes_again` is going to begin another one, or to [`commit`](Self::commit).
    pub(super) fn begin(&self, comes_again: bool) -> rusqlite::Result<Turn<'_>> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut shared = self.shared.lock();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        let group = shared.group.get_or_insert_with(|| Group {
            members: 0,
            began: Instant::now(),
            outcome: Arc::default(),
        });
        group.members += 1;
        let is_first = group.members == 1;
        shared.careful = shared.careful.saturating_sub(usize::from(is_first));
        let (undo, begin) = match shared.careful {
            _ if is_first => (Undo::All, "BEGIN IMMEDIATE"),
            0 => (Undo::IfChanged { since: shared.connection.total_changes() }, ""),
            _ => (Undo::Savepoint, "SAVEPOINT member"),
        };
        let mut turn = Turn { writers: self, shared: Some(shared), undo, comes_again: false };
        if !begin.is_empty() {
            run(turn.connection(), begin)?;
        }
        turn.comes_again = comes_again;
        Ok(turn)
    }

    /// Commits what was left open, if nobody waits who will.
    pub(super) fn commit(&self) {
        let shared = self.shared.lock();
        if shared.group.is_some() && self.waiting.load(Ordering::SeqCst) == 0 {
            // Its members hear of an error.
            let _ = commit(shared);
        }
    }
}

/// A writer's turn with the connection. Dropping it undoes what the writer did.
pub(super) struct Turn<'w> {
    writers: &'w Writers,
    /// Until the turn ends.
    shared: Option<FairMutexGuard<'w, Shared>>,
    undo: Undo,
    comes_again: bool,
}

/// How to undo what a member did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Undo {
    /// It is the first, and so far the only one.
    All,
    /// There is nothing to undo if no more rows were changed since.
    IfChanged {
        since: u64,
    },
    Savepoint,
}

/// Groups whose members work in savepoints after one had to be undone.
const CAREFUL_GROUPS: usize = 100;

/// What whoever leaves the transaction open waits for.
type Left = Option<Arc<Outcome>>;

impl Turn<'_> {
    pub(super) fn connection(&self) -> &Connection {
        &self.shared.as_ref().expect("held until the turn ends").connection
    }

    pub(super) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.shared.as_mut().expect("held until the turn ends").connection
    }

    /// Ends the turn. Unless that makes it durable, it answers what to wait for. That holds for a
    /// member that undoes its part, too: what made it fail may be what another member did.
    pub(super) fn end(&mut self, ending: Ending) -> Result<Left, Failure> {
        let Some(mut shared) = self.shared.take() else { return Ok(None) };
        if ending == Ending::RollBack {
            match self.undo {
                Undo::All => {
                    shared.group = None;
                    roll_back(&shared.connection);
                    return Ok(None);
                }
                Undo::IfChanged { since } if since != shared.connection.total_changes() => {
                    shared.careful = CAREFUL_GROUPS;
                    fail(shared);
                    return Err(Failure::OfAnother);
                }
                Undo::IfChanged { .. } | Undo::Savepoint => {}
            }
        }
        let done = self.end_savepoint(&shared.connection, ending);
        // A full disk, for one, makes SQLite undo the whole transaction.
        let is_undone = shared.connection.is_autocommit();
        if done.is_err() || is_undone {
            fail(shared);
            done?;
            return if ending == Ending::RollBack { Ok(None) } else { Err(Failure::OfAnother) };
        }
        if let Some(outcome) = self.can_leave_open(&shared, ending) {
            return Ok(Some(outcome));
        }
        match commit(shared) {
            Err(_) if ending == Ending::RollBack => Err(Failure::OfAnother),
            done => Ok(done.map(|()| None)?),
        }
    }

    fn end_savepoint(&self, connection: &Connection, ending: Ending) -> rusqlite::Result<()> {
        if self.undo != Undo::Savepoint || connection.is_autocommit() {
            return Ok(());
        }
        if ending == Ending::RollBack {
            run(connection, "ROLLBACK TO member")?;
        }
        run(connection, "RELEASE member")
    }

    /// What to wait for, if another writer is about to go on with the transaction.
    fn can_leave_open(&self, shared: &Shared, ending: Ending) -> Left {
        let group = shared.group.as_ref()?;
        let can = self.writers.can_share
            && ending != Ending::CommitNow
            && group.members < GROUP_WRITERS_MAX
            && group.began.elapsed() < Duration::from_millis(GROUP_MS_MAX)
            && (self.comes_again || self.writers.waiting.load(Ordering::SeqCst) > 0);
        can.then(|| Arc::clone(&group.outcome))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // A panic may be why.
        self.comes_again = false;
        if let Err(Failure::Own(error)) = self.end(Ending::RollBack) {
            tracing::error!(?error, "a transaction could not be rolled back");
        }
    }
}

/// Commits the transaction, and tells its members.
fn commit(mut shared: FairMutexGuard<'_, Shared>) -> rusqlite::Result<()> {
    if let Err(error) = run(&shared.connection, "COMMIT") {
        fail(shared);
        return Err(error);
    }
    let group = shared.group.take();
    // Whoever writes next need not wait until the others know.
    drop(shared);
    if let Some(group) = group {
        group.outcome.set(true);
    }
    Ok(())
}

/// Undoes the transaction, and tells its members.
fn fail(mut shared: FairMutexGuard<'_, Shared>) {
    roll_back(&shared.connection);
    let group = shared.group.take();
    drop(shared);
    if let Some(group) = group {
        group.outcome.set(false);
    }
}

/// Runs a statement that is kept prepared.
pub(super) fn run(connection: &Connection, text: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(text)?.raw_execute().map(drop)
}

pub(super) fn roll_back(connection: &Connection) {
    if !connection.is_autocommit() && run(connection, "ROLLBACK").is_err() {
        tracing::error!("a transaction could not be rolled back");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::thread;

    use super::*;

    /// Writers, and how often they committed. Commits beyond `most` are refused.
    fn writers(most: usize) -> (Arc<Writers>, Arc<AtomicUsize>) {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE kept (x PRIMARY KEY)").unwrap();
        let commits = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&commits);
        let hook = move || counted.fetch_add(1, Ordering::SeqCst) >= most;
        connection.commit_hook(Some(hook)).unwrap();
        (Arc::new(Writers::new(connection, true)), commits)
    }

    fn write(turn: &Turn<'_>, number: i64) -> rusqlite::Result<usize> {
        turn.connection().execute("INSERT INTO kept VALUES (?)", [number])
    }

    fn kept(writers: &Writers) -> Vec<i64> {
        let select = "SELECT x FROM kept ORDER BY x";
        writers.outside(|connection| {
            let mut statement = connection.prepare(select).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.map(Result::unwrap).collect()
        })
    }

    /// Writes 0, 1, …, a transaction each, all of them waiting while the first works. Answers how
    /// they ended.
    fn together(
        writers: &Arc<Writers>,
        endings: &'static [Option<Ending>],
    ) -> Vec<Result<(), Failure>> {
        let (first, rest) = endings.split_first().unwrap();
        let held = writers.begin(false).unwrap();
        let others: Vec<_> = (1_usize..)
            .zip(rest)
            .map(|(number, ending)| {
                let own = Arc::clone(writers);
                let other = thread::spawn(move || {
                    finish(own.begin(false).unwrap(), i64::try_from(number).unwrap(), *ending)
                });
                while writers.waiting.load(Ordering::SeqCst) < number {
                    thread::yield_now();
                }
                other
            })
            .collect();
        let mut done = vec![finish(held, 0, *first)];
        done.extend(others.into_iter().map(|other| other.join().unwrap()));
        done
    }

    /// `None` drops the turn, as a panic does.
    fn finish(mut turn: Turn<'_>, number: i64, ending: Option<Ending>) -> Result<(), Failure> {
        write(&turn, number).unwrap();
        match ending.map(|ending| turn.end(ending)).transpose()?.flatten() {
            Some(outcome) if !outcome.wait() => Err(Failure::OfAnother),
            _ => Ok(()),
        }
    }

    const KEEP: Option<Ending> = Some(Ending::Commit);
    const UNDO: Option<Ending> = Some(Ending::RollBack);

    #[test]
    fn writers_that_wait_share_a_commit() {
        let (writers, commits) = writers(9);
        for done in together(&writers, &[KEEP, KEEP, KEEP, KEEP]) {
            done.unwrap();
        }
        assert_eq!((kept(&writers), commits.load(Ordering::SeqCst)), (vec![0, 1, 2, 3], 1));
        finish(writers.begin(false).unwrap(), 4, KEEP).unwrap();
        assert_eq!((kept(&writers).len(), commits.load(Ordering::SeqCst)), (5, 2));
    }

    #[test]
    fn a_member_fails_alone_wherever_it_stands() {
        for (endings, expected) in [
            (&[UNDO, KEEP, KEEP], [1, 2]),
            (&[KEEP, UNDO, KEEP], [0, 2]),
            (&[KEEP, KEEP, UNDO], [0, 1]),
            (&[KEEP, None, KEEP], [0, 2]),
            (&[KEEP, KEEP, None], [0, 1]),
            (&[None, KEEP, KEEP], [1, 2]),
        ] {
            let (writers, _) = writers(99);
            // The first time those who must run again, the second time each in a savepoint.
            for (number, done) in (0..).zip(together(&writers, endings)) {
                if let Err(Failure::OfAnother) = done {
                    let ending = endings[usize::try_from(number).unwrap()];
                    finish(writers.begin(false).unwrap(), number, ending).unwrap();
                }
            }
            assert_eq!(kept(&writers), expected);
            writers.outside(|connection| connection.execute_batch("DELETE FROM kept")).unwrap();
            for done in together(&writers, endings) {
                done.unwrap();
            }
            assert_eq!(kept(&writers), expected);
        }
    }

    #[test]
    fn nobody_is_told_of_a_commit_that_failed() {
        for endings in [&[KEEP, KEEP, KEEP], &[KEEP, UNDO, KEEP], &[KEEP, KEEP, UNDO]] {
            let (writers, _) = writers(0);
            let done = together(&writers, endings);
            assert!(done.iter().all(Result::is_err), "{done:?}");
            assert!(matches!(done[0], Err(Failure::OfAnother)));
            assert!(kept(&writers).is_empty());
        }
    }

    #[test]
    fn a_transaction_that_the_database_undoes_fails_for_those_before_only() {
        let (writers, _) = writers(9);
        let held = writers.begin(false).unwrap();
        let own = Arc::clone(&writers);
        let other = thread::spawn(move || {
            let mut turn = own.begin(false).unwrap();
            // As a full disk does.
            turn.connection().execute_batch("ROLLBACK").unwrap();
            turn.end(Ending::RollBack).map(drop)
        });
        while writers.waiting.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        assert!(matches!(finish(held, 0, KEEP), Err(Failure::OfAnother)));
        other.join().unwrap().unwrap();
        finish(writers.begin(false).unwrap(), 1, KEEP).unwrap();
        assert_eq!(kept(&writers), [1]);
    }

    #[test]
    fn what_the_database_has_undone_is_not_committed() {
        let (writers, _) = writers(9);
        let mut turn = writers.begin(false).unwrap();
        write(&turn, 0).unwrap();
        turn.connection().execute_batch("ROLLBACK").unwrap();
        assert!(matches!(turn.end(Ending::Commit), Err(Failure::OfAnother)));
        finish(writers.begin(false).unwrap(), 1, KEEP).unwrap();
        assert_eq!(kept(&writers), [1]);
    }

    #[test]
    fn one_who_must_be_seen_committed_ends_the_group() {
        let (writers, commits) = writers(9);
        let done = together(&writers, &[Some(Ending::CommitNow), KEEP]);
        assert!(done.iter().all(Result::is_ok), "{done:?}");
        assert_eq!((kept(&writers), commits.load(Ordering::SeqCst)), (vec![0, 1], 2));
    }

    #[test]
    fn one_who_comes_again_shares_with_itself_and_commits_in_the_end() {
        let (writers, commits) = writers(1);
        for is_committed in [true, false] {
            let left: Vec<_> = (0..3)
                .map(|number| {
                    let mut turn = writers.begin(true).unwrap();
                    write(&turn, number + 3 * i64::from(is_committed)).unwrap();
                    turn.end(Ending::Commit).unwrap().expect("it is left open")
                })
                .collect();
            writers.commit();
            assert!(left.iter().all(|outcome| outcome.wait() == is_committed));
        }
        writers.commit();
        assert_eq!((kept(&writers), commits.load(Ordering::SeqCst)), (vec![3, 4, 5], 2));
    }

    #[test]
    fn a_group_is_of_limited_size() {
        let (writers, commits) = writers(9);
        const MANY: &[Option<Ending>] = &[KEEP; GROUP_WRITERS_MAX + 1];
        assert!(together(&writers, MANY).iter().all(Result::is_ok));
        assert_eq!(commits.load(Ordering::SeqCst), 2);
    }
}
