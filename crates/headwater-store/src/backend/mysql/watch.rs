//! Ends queries that nobody waits for. The driver blocks until a server answers, so a thread of its
//! own looks after those that have gone, and tells the server on another connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mysql::prelude::Queryable as _;
use parking_lot::{Condvar, Mutex};

use super::connect::{Connector, Purpose};
use crate::backend::Caller;
use crate::backend::server::{Host, ServerConfig};
use crate::limits::QUERY_SECONDS_MAX;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The queries that run.
#[derive(Debug, Default)]
pub(super) struct Watch {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: HashMap<u64, Running>,
    next: u64,
    is_over: bool,
}

/// A query, and who waits for it.
#[derive(Debug)]
struct Running {
    host: Host,
    /// The server's number of the connection.
    connection: u32,
    began: Instant,
    caller: Caller,
}

impl Running {
    fn is_abandoned(&self) -> bool {
        self.caller.is_gone() || self.began.elapsed() > Duration::from_secs(QUERY_SECONDS_MAX)
    }
}

impl Watch {
    /// Starts the thread, which ends with the store.
    pub(super) fn start(
        config: ServerConfig,
        connector: Arc<Connector>,
    ) -> std::io::Result<Arc<Self>> {
        let watch = Arc::new(Self::default());
        let own = Arc::clone(&watch);
        thread::Builder::new().name("mysql".to_owned()).spawn(move || {
            while let Some(abandoned) = own.abandoned() {
                for query in abandoned {
                    end_query(&config, &connector, &query);
                }
            }
        })?;
        Ok(watch)
    }

    /// Ends the thread.
    pub(super) fn end(&self) {
        self.state.lock().is_over = true;
        self.changed.notify_all();
    }

    /// Looks after the queries of a connection until it is told to leave them, or dropped.
    pub(super) fn look_after(
        self: &Arc<Self>,
        host: &Host,
        connection: u32,
        caller: &Caller,
    ) -> Looking {
        let (began, caller) = (Instant::now(), caller.clone());
        let mut state = self.state.lock();
        state.next += 1;
        let number = state.next;
        let running = Running { host: host.clone(), connection, began, caller };
        state.running.insert(number, running);
        // Who waits for a first one is told; who looks at others comes by.
        let is_first = state.running.len() == 1;
        drop(state);
        if is_first {
            self.changed.notify_all();
        }
        Looking { watch: Arc::clone(self), number }
    }

    /// Waits for queries that nobody waits for; `None` at the end.
    fn abandoned(&self) -> Option<Vec<Running>> {
        let mut state = self.state.lock();
        loop {
            if state.is_over {
                return None;
            }
            let running = state.running.iter();
            let found: Vec<u64> = running
                .filter(|(_, query)| query.is_abandoned())
                .map(|(number, _)| *number)
                .collect();
            if !found.is_empty() {
                return Some(found.iter().filter_map(|of| state.running.remove(of)).collect());
            }
            if state.running.is_empty() {
                self.changed.wait(&mut state);
            } else {
                self.changed.wait_for(&mut state, LOOK_EVERY);
            }
        }
    }
}

/// That a query is looked after.
#[derive(Debug)]
pub(super) struct Looking {
    watch: Arc<Watch>,
    number: u64,
}

impl Looking {
    /// Stops it. Answers whether the query was left alone: its connection is gone otherwise.
    pub(super) fn leave(self) -> bool {
        self.watch.state.lock().running.remove(&self.number).is_some()
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.watch.state.lock().running.remove(&self.number);
    }
}

/// Ends the connection: a query alone may not hear that it is to end before its row is computed.
fn end_query(config: &ServerConfig, connector: &Connector, query: &Running) {
    let host = std::slice::from_ref(&query.host);
    let text = format!("KILL {}", query.connection);
    let ended = match connector.connect(config, host, Purpose::Call) {
        Ok(mut other) => other.conn.query_drop(text).is_ok(),
        Err(_) => false,
    };
    tracing::debug!(connection = query.connection, ended, "nobody waits for a query");
}
