//! Where the databases of tests are: files, and databases of their own on servers that the
//! environment names.

use std::sync::atomic::{AtomicU32, Ordering};

use headwater_store::StoreUrl;
use mysql::prelude::Queryable as _;

use crate::conformance::Database;

/// The environment variables that say where the servers are, as a store URL without a database.
const SERVERS: [&str; 2] = ["HEADWATER_TEST_POSTGRES", "HEADWATER_TEST_MYSQL"];
/// Says that a server that is not there is a failure.
const REQUIRED: &str = "HEADWATER_TEST_REQUIRED";

/// A place for a store; what is there is removed when it is dropped.
pub(crate) struct Place {
    database: Database,
    folder: tempfile::TempDir,
    server: String,
    name: String,
}

impl Place {
    /// An empty place, unless the environment names no server for it.
    pub(crate) fn new(database: Database) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hw_test_{}_{next}", std::process::id());
        let server = match database {
            Database::SqliteFile | Database::SqliteMemory => String::new(),
            Database::Postgres => server(SERVERS[0])?,
            Database::MySql => server(SERVERS[1])?,
        };
        let place = Self { database, folder: tempfile::tempdir().unwrap(), server, name };
        place.remove();
        Some(place)
    }

    pub(crate) fn url(&self) -> StoreUrl {
        self.url_with("")
    }

    /// The URL with parameters, such as `?connections=3`.
    pub(crate) fn url_with(&self, parameters: &str) -> StoreUrl {
        match self.database {
            Database::SqliteFile => StoreUrl::file(self.folder.path().join("store.db")),
            Database::SqliteMemory => StoreUrl::memory(),
            _ => format!("{}/{}{parameters}", self.server, self.name).parse().unwrap(),
        }
    }

    /// Runs statements of the test's own in the database.
    pub(crate) fn run(&self, text: &str) {
        self.run_in(&self.name, text);
    }

    /// Makes the database and runs a dump in it.
    pub(crate) fn load(&self, text: &str) {
        match self.database {
            Database::SqliteFile | Database::SqliteMemory => {}
            Database::Postgres => {
                self.run_in("postgres", &format!("CREATE DATABASE {}", self.name));
            }
            Database::MySql => {
                let text = format!("CREATE DATABASE {} CHARACTER SET utf8mb4", self.name);
                self.run_in("", &text);
            }
        }
        self.run(text);
    }

    /// What a test that gives ids itself has to run afterwards.
    pub(crate) fn sequence(&self) -> Option<String> {
        let is_needed = matches!(self.database, Database::Postgres);
        is_needed.then(|| "SELECT setval('artifact_id_seq', 100)".to_owned())
    }

    /// Ends all sessions in the database.
    pub(crate) fn end_sessions(&self) {
        match self.database {
            Database::SqliteFile | Database::SqliteMemory => panic!("a file has no sessions"),
            Database::Postgres => self.run_in(
                "postgres",
                &format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
                    self.name
                ),
            ),
            Database::MySql => {
                let mut conn = self.mysql("");
                let sessions: Vec<u64> = conn
                    .exec(
                        "SELECT id FROM information_schema.processlist WHERE db = ?",
                        (&self.name,),
                    )
                    .unwrap();
                for session in sessions {
                    // It may have ended by itself.
                    let _ = conn.query_drop(format!("KILL {session}"));
                }
            }
        }
    }

    fn run_in(&self, database: &str, text: &str) {
        match self.database {
            Database::SqliteFile => {
                let path = self.folder.path().join("store.db");
                rusqlite::Connection::open(path).unwrap().execute_batch(text).unwrap();
            }
            Database::SqliteMemory => panic!("nobody else reaches a store in memory"),
            Database::Postgres => {
                let runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = { runtime }.enable_all().build().unwrap();
                let url = format!("{}/{database}", self.server);
                runtime.block_on(async {
                    let (client, connection) =
                        tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
                    tokio::spawn(connection);
                    client.batch_execute(text).await.unwrap();
                });
            }
            Database::MySql => {
                self.mysql(database).query_drop(text).unwrap();
            }
        }
    }

    /// A connection of the test's own, to the first of the nodes of a cluster.
    fn mysql(&self, database: &str) -> mysql::Conn {
        let first = self.server.split(',').next().unwrap();
        let url = format!("{first}/{database}");
        mysql::Conn::new(mysql::Opts::from_url(&url).unwrap()).unwrap()
    }

    fn remove(&self) {
        match self.database {
            Database::SqliteFile | Database::SqliteMemory => {}
            Database::Postgres => {
                let text = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
                self.run_in("postgres", &text);
            }
            Database::MySql => {
                self.run_in("", &format!("DROP DATABASE IF EXISTS {}", self.name));
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.remove();
    }
}

fn server(variable: &str) -> Option<String> {
    let server = std::env::var(variable).ok().filter(|server| !server.is_empty());
    if server.is_none() {
        assert!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, but not {variable}");
    }
    server.map(|server| server.trim_end_matches('/').to_owned())
}
