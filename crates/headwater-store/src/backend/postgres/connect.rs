//! Connecting, and waiting for answers.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::{CancelToken, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::errors;
use crate::backend::server::{Host, ServerConfig, TlsMode};
use crate::backend::tls;
use crate::backend::trouble::{servers, unreachable};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{CONNECT_MS_MAX, QUERY_SECONDS_MAX};

/// How long a transaction waits for the locks of another one.
const LOCK_TIMEOUT: &str = "15s";
/// How long a transaction may hold its locks without a statement, should its process be frozen.
const IDLE_TIMEOUT: &str = "600s";
/// The database that always exists, to make others from.
const MAINTENANCE: &str = "postgres";
/// The codes for a database that is there already, made by somebody else at the same time.
const DATABASE_EXISTS: [&str; 2] = ["42P04", "23505"];
const NO_DATABASE: &str = "3D000";

/// A connection to the server. What arrives on it is taken on the thread that waits for it, so that
/// no answer wakes another one; between two calls nobody takes it.
pub(super) struct Connection {
    /// Gone when the connection is dropped.
    runtime: Option<Runtime>,
    pub(super) client: Client,
    cancel: CancelToken,
    /// Statements that the server keeps prepared for this connection.
    pub(super) kept: Mutex<HashMap<Key, tokio_postgres::Statement>>,
}

/// A statement's text, and the types of its values.
pub(super) type Key = (String, Vec<u32>);

impl Connection {
    /// Waits for a future on this thread, which must be one that may block.
    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.as_ref().expect("it is there until it is dropped").block_on(future)
    }

    /// Sends a statement whose answer nobody waits for; it is taken before the next one.
    pub(super) fn send(&self, text: &str) {
        self.block_on(async {
            let _ = self.client.batch_execute(text).now_or_never();
            look().await;
        });
    }

    /// Whether the server has not ended the connection, as far as can be told without asking.
    pub(super) fn is_good(&self) -> bool {
        self.block_on(look());
        !self.client.is_closed()
    }
}

/// Lets the connection take what has arrived and send what is there to be sent, and no more.
async fn look() {
    // The first lets the network be looked at, the second the connection.
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Not waited for: the store may be dropped where nothing may block.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Makes connections.
pub(super) struct Connector {
    tls: MakeRustlsConnect,
}

impl Connector {
    pub(super) fn new(config: &ServerConfig) -> Result<Self> {
        Ok(Self { tls: MakeRustlsConnect::new(tls::client(&config.tls)?) })
    }

    /// Connects to the first of the hosts that fits.
    pub(super) fn connect(
        &self,
        config: &ServerConfig,
        hosts: &[Host],
        may_create: bool,
    ) -> Result<Connection> {
        let settings = settings(config, hosts)?;
        // A server that takes a connection and says nothing would be waited for without end.
        let longest = Duration::from_millis(CONNECT_MS_MAX) * 2;
        let runtime = runtime()?;
        let connected = runtime
            .block_on(async { tokio::time::timeout(longest, self.connect_to(&settings)).await });
        let Ok(connected) = connected else {
            return Err(unreachable(&servers(config), "it does not answer"));
        };
        let connected = match connected {
            Err(error)
                if may_create
                    && !config.skip_db_creation
                    && !config.read_only
                    && error.code().is_some_and(|code| code.code() == NO_DATABASE) =>
            {
                self.create(&runtime, config, settings.clone())?;
                runtime.block_on(self.connect_to(&settings))
            }
            connected => connected,
        };
        let (client, cancel) = connected.map_err(|error| errors::of_connecting(error, config))?;
        Ok(Connection { runtime: Some(runtime), client, cancel, kept: Mutex::default() })
    }

    async fn connect_to(
        &self,
        settings: &Config,
    ) -> Result<(Client, CancelToken), tokio_postgres::Error> {
        let (client, connection) = settings.connect(self.tls.clone()).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a connection to the database ended");
            }
        });
        let cancel = client.cancel_token();
        client
            .batch_execute(&format!(
                "SET statement_timeout = '{QUERY_SECONDS_MAX}s'; \
                 SET lock_timeout = '{LOCK_TIMEOUT}'; \
                 SET idle_in_transaction_session_timeout = '{IDLE_TIMEOUT}'"
            ))
            .await?;
        Ok((client, cancel))
    }

    /// Makes the database. Somebody else may do so at the same time.
    fn create(&self, runtime: &Runtime, config: &ServerConfig, mut settings: Config) -> Result<()> {
        settings.dbname(MAINTENANCE);
        let made = runtime.block_on(async {
            let (client, _) = self.connect_to(&settings).await?;
            let name = config.database.replace('"', "\"\"");
            // Byte order and no locale: names compare, sort and change case alike everywhere.
            let text = format!(
                "CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8' \
                 LC_COLLATE 'C' LC_CTYPE 'C'"
            );
            client.batch_execute(&text).await
        });
        match made {
            Ok(()) => {
                tracing::info!(database = config.database, "made the database");
                Ok(())
            }
            Err(error) => match error.code() {
                Some(code) if DATABASE_EXISTS.contains(&code.code()) => Ok(()),
                _ => Err(errors::of_creating(error, config)),
            },
        }
    }

    /// Asks the server to end what it does on a connection, which is then given up.
    pub(super) async fn stop(&self, connection: &Connection) {
        // A server that does not answer may not take this either.
        let asked = connection.cancel.cancel_query(self.tls.clone());
        let asked = tokio::time::timeout(Duration::from_millis(CONNECT_MS_MAX), asked).await;
        if !matches!(asked, Ok(Ok(()))) {
            tracing::debug!("a query could not be cancelled");
        }
    }
}

/// What drives one connection on the thread that waits for it.
fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(ErrorKind::Internal, "no connection can be made").caused_by(e))
}

fn settings(config: &ServerConfig, hosts: &[Host]) -> Result<Config> {
    let mut settings = Config::new();
    settings
        .user(config.user())
        .dbname(&config.database)
        .application_name("headwater")
        .connect_timeout(Duration::from_millis(CONNECT_MS_MAX))
        .tcp_user_timeout(Duration::from_secs(30))
        .keepalives_idle(Duration::from_secs(30))
        .keepalives_interval(Duration::from_secs(10))
        .ssl_mode(match config.tls.mode {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            _ => SslMode::Require,
        });
    if hosts.len() > 1 && !config.read_only {
        settings.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    if let Some(first) = hosts.first()
        && let Some(password) = config.password(first)?
    {
        settings.password(password);
    }
    for host in hosts {
        settings.port(host.port);
        if host.is_socket() {
            settings.host_path(&host.name);
        } else {
            settings.host(&host.name);
        }
        if let Some(address) = host.address {
            settings.hostaddr(address);
        }
    }
    Ok(settings)
}
