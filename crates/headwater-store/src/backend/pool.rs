//! The connections of one store: opened when needed, bounded, handed on while they are good.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::backend::Access;
use crate::backend::server::{Host, ServerConfig};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::CONNECTION_WAIT_MS_MAX;

/// The connections to a server and, where reads may go there, to its copy.
#[derive(Debug)]
pub(super) struct Pools<C> {
    hosts: Vec<Host>,
    primary: Pool<C>,
    replica: Option<(Host, Pool<C>)>,
    /// Whether the store is known to be there, so that its copy may be asked.
    is_open: AtomicBool,
}

impl<C> Pools<C> {
    pub(super) fn new(config: &ServerConfig) -> Self {
        let pool = || Pool::new(config.connections_max);
        let replica = config.read_replica.clone().map(|host| (host, pool()));
        let is_open = AtomicBool::new(false);
        Self { hosts: config.hosts.clone(), primary: pool(), replica, is_open }
    }

    /// Lets reads go to the copy from now on: what opening made may arrive there later.
    pub(super) fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }

    /// A connection for a transaction, and where it goes back to. `connect` is given where it can
    /// connect to.
    pub(super) fn take(
        &self,
        access: Access,
        is_good: impl Fn(&C) -> bool,
        connect: impl FnOnce(&[Host]) -> Result<C>,
    ) -> Result<(&Pool<C>, C)> {
        let (pool, hosts) = match (&self.replica, access) {
            (Some((host, pool)), Access::Read) if self.is_open.load(Ordering::Relaxed) => {
                (pool, std::slice::from_ref(host))
            }
            _ => (&self.primary, &self.hosts[..]),
        };
        let wait = Duration::from_millis(CONNECTION_WAIT_MS_MAX);
        Ok((pool, pool.take(wait, is_good, || connect(hosts))?))
    }
}

/// At most `size` connections.
pub(super) struct Pool<C> {
    size: usize,
    state: Mutex<State<C>>,
    available: Condvar,
}

struct State<C> {
    idle: VecDeque<C>,
    open: usize,
}

impl<C> Pool<C> {
    pub(super) fn new(size: usize) -> Self {
        let state = State { idle: VecDeque::new(), open: 0 };
        Self { size, state: Mutex::new(state), available: Condvar::new() }
    }

    /// An idle connection, or a new one if there may be more; waits for one `wait_max` long.
    pub(super) fn take(
        &self,
        wait_max: Duration,
        is_good: impl Fn(&C) -> bool,
        connect: impl FnOnce() -> Result<C>,
    ) -> Result<C> {
        let until = Instant::now() + wait_max;
        let mut state = self.state.lock();
        loop {
            // The one that was used last is the least likely to have been closed.
            while let Some(connection) = state.idle.pop_back() {
                if is_good(&connection) {
                    return Ok(connection);
                }
                state.open -= 1;
            }
            if state.open < self.size {
                state.open += 1;
                break;
            }
            if self.available.wait_until(&mut state, until).timed_out() {
                let message = format!("all {} connections to the database are in use", self.size);
                return Err(Error::new(ErrorKind::Unavailable, message)
                    .hint("try again, or allow more connections"));
            }
        }
        drop(state);
        connect().inspect_err(|_| self.give_back(None))
    }

    /// Takes back a connection, or the place of one that is no longer usable.
    pub(super) fn give_back(&self, connection: Option<C>) {
        let mut state = self.state.lock();
        match connection {
            Some(connection) => state.idle.push_back(connection),
            None => state.open -= 1,
        }
        drop(state);
        self.available.notify_one();
    }

    /// Closes the idle connections, because one was found dead and they may be, too.
    pub(super) fn clear(&self) {
        let mut state = self.state.lock();
        state.open -= state.idle.len();
        let closed = std::mem::take(&mut state.idle);
        drop(state);
        self.available.notify_all();
        drop(closed);
    }
}

impl<C> fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("size", &self.size).finish_non_exhaustive()
    }
}
