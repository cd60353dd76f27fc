//! Connecting, and the settings of a session.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql::prelude::Queryable as _;
use mysql::{ClientIdentity, Conn, DriverError, Opts, OptsBuilder, SslOpts};
use tempfile::NamedTempFile;

use super::errors;
use crate::backend::server::{Host, ServerConfig, Tls, TlsMode};
use crate::backend::tls;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{CONNECT_MS_MAX, QUERY_SECONDS_MAX, SILENCE_MS_MAX};

/// How long a transaction waits for the locks of another one, in seconds.
const LOCK_SECONDS_MAX: u64 = 15;
const UNKNOWN_DATABASE: u16 = 1049;

/// A connection to the server.
pub(super) struct Connection {
    pub(super) conn: Conn,
    /// Largest statement that the server takes, in bytes.
    pub(super) packet_bytes_max: usize,
    pub(super) flavour: Flavour,
    /// Where it leads to.
    pub(super) host: Host,
}

/// Which of the databases that speak this protocol it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    MariaDb,
    MySql,
}

impl Flavour {
    /// Lets statements take as long as they need.
    pub(super) fn unlimited(self) -> &'static str {
        match self {
            Flavour::MariaDb => "SET SESSION max_statement_time = 0",
            Flavour::MySql => "SET SESSION max_execution_time = 0",
        }
    }

    /// The collation that compares by bytes, trailing blanks included.
    pub(super) fn collation(self) -> &'static str {
        match self {
            Flavour::MariaDb => "utf8mb4_nopad_bin",
            Flavour::MySql => "utf8mb4_0900_bin",
        }
    }
}

/// What a connection is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The first one, which may make the database.
    Open,
    Call,
    /// What takes as long as it needs.
    ChangeTables,
}

/// Makes connections.
#[derive(Debug, Default)]
pub(super) struct Connector {
    /// Whether the server was found not to encrypt, so that it is not asked again.
    is_plain: AtomicBool,
}

impl Connector {
    /// Connects to the first of the hosts that answers and works.
    pub(super) fn connect(
        &self,
        config: &ServerConfig,
        hosts: &[Host],
        purpose: Purpose,
    ) -> Result<Connection> {
        let mut failure = None;
        for host in hosts {
            let patient = purpose == Purpose::ChangeTables;
            let connected = match self.connect_to(config, host, Some(&config.database), patient) {
                Err(mysql::Error::MySqlError(error))
                    if error.code == UNKNOWN_DATABASE
                        && purpose == Purpose::Open
                        && !config.skip_db_creation
                        && !config.read_only =>
                {
                    self.create(config, host)?;
                    self.connect_to(config, host, Some(&config.database), patient)
                }
                connected => connected,
            };
            match connected.and_then(|conn| prepare(conn, host)) {
                Ok(connection) => return Ok(connection),
                Err(error) => failure = Some(errors::of_connecting(error, config, host)),
            }
        }
        Err(failure.unwrap_or_else(|| Error::new(ErrorKind::Internal, "the store has no host")))
    }

    fn connect_to(
        &self,
        config: &ServerConfig,
        host: &Host,
        database: Option<&str>,
        patient: bool,
    ) -> Result<Conn, mysql::Error> {
        let encrypts = !host.is_socket()
            && match config.tls.mode {
                TlsMode::Disable => false,
                TlsMode::Prefer => !self.is_plain.load(Ordering::Relaxed),
                _ => true,
            };
        let log_in = |encrypts| {
            let own = |error| mysql::Error::IoError(std::io::Error::other(error));
            let roots = if encrypts { trusted(&config.tls).map_err(own)? } else { Roots::None };
            let settings = settings(config, host, database, patient)
                .and_then(|settings| match encrypts {
                    true => Ok(settings.ssl_opts(ssl(&config.tls, &roots)?)),
                    false => Ok(settings),
                })
                .map_err(own)?;
            answered(settings.into(), roots)
        };
        match log_in(encrypts) {
            Err(mysql::Error::DriverError(DriverError::TlsNotSupported))
                if config.tls.mode == TlsMode::Prefer =>
            {
                self.is_plain.store(true, Ordering::Relaxed);
                log_in(false)
            }
            connected => connected,
        }
    }

    /// Makes the database. Somebody else may do so at the same time.
    fn create(&self, config: &ServerConfig, host: &Host) -> Result<()> {
        let make = || {
            let mut connection = prepare(self.connect_to(config, host, None, false)?, host)?;
            let name = config.database.replace('`', "``");
            // Names compare byte for byte.
            let collation = connection.flavour.collation();
            connection.conn.query_drop(format!(
                "CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4 COLLATE {collation}"
            ))
        };
        make().map_err(|error: mysql::Error| errors::of_creating(error, config, host))?;
        tracing::info!(database = config.database, "made the database");
        Ok(())
    }
}

fn settings(
    config: &ServerConfig,
    host: &Host,
    database: Option<&str>,
    patient: bool,
) -> Result<OptsBuilder> {
    let silence = Duration::from_secs(QUERY_SECONDS_MAX) + Duration::from_millis(SILENCE_MS_MAX);
    let silence = Some(silence).filter(|_| !patient);
    let mut builder = OptsBuilder::new()
        .user(Some(config.user()))
        .pass(config.password(host)?)
        .db_name(database)
        .prefer_socket(false)
        .tcp_connect_timeout(Some(Duration::from_millis(CONNECT_MS_MAX)))
        .tcp_keepalive_time_ms(Some(30_000))
        .read_timeout(silence)
        .write_timeout(silence)
        .stmt_cache_size(0)
        .tcp_nodelay(true);
    builder = if host.is_socket() {
        builder.socket(Some(host.name.clone()))
    } else {
        let name = host.address.map_or_else(|| host.name.clone(), |of| of.to_string());
        builder.ip_or_hostname(Some(name)).tcp_port(host.port)
    };
    Ok(builder)
}

/// Logs in, on a thread of its own: the driver's timeouts are those of the longest query, and a
/// server that takes a connection and says nothing would be waited for as long.
fn answered(settings: Opts, roots: Roots) -> Result<Conn, mysql::Error> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    std::thread::Builder::new().name("mysql login".into()).spawn(move || {
        // If nobody waits any more the connection is closed.
        let _ = sender.send(Conn::new(settings));
        drop(roots);
    })?;
    receiver.recv_timeout(Duration::from_millis(CONNECT_MS_MAX) * 2).unwrap_or_else(|_| {
        let silent = std::io::Error::new(std::io::ErrorKind::TimedOut, "it does not answer");
        Err(silent.into())
    })
}

/// The authorities that are trusted, as the driver takes them.
enum Roots {
    None,
    File(PathBuf),
    /// Those of several files.
    Joined(NamedTempFile),
}

impl Roots {
    fn path(&self) -> Option<PathBuf> {
        match self {
            Self::None => None,
            Self::File(path) => Some(path.clone()),
            Self::Joined(file) => Some(file.path().to_owned()),
        }
    }
}

fn trusted(tls: &Tls) -> Result<Roots> {
    let looks = tls.mode >= TlsMode::VerifyCa;
    let Some(roots) = tls.roots.as_deref().filter(|_| looks) else { return Ok(Roots::None) };
    let files = tls::files(roots)?;
    for file in &files {
        // The driver would not say which file is wrong.
        tls::certificates(file)?;
    }
    if let [file] = &files[..] {
        return Ok(Roots::File(file.clone()));
    }
    let join = || {
        let mut joined = NamedTempFile::new()?;
        for file in &files {
            joined.write_all(&std::fs::read(file)?)?;
            joined.write_all(b"\n")?;
        }
        joined.flush()?;
        Ok(Roots::Joined(joined))
    };
    join().map_err(|e: std::io::Error| tls::unusable(roots, "directory", e))
}

fn ssl(tls: &Tls, roots: &Roots) -> Result<SslOpts> {
    let looks = tls.mode >= TlsMode::VerifyCa;
    if tls.key_password.is_some() {
        let message = "sslpassword is set, but MySQL's driver takes no key with a passphrase";
        return Err(Error::new(ErrorKind::InvalidArgument, message)
            .hint("give a key without one, as `openssl pkey` writes it, in a file of mode 600"));
    }
    let mut ssl = SslOpts::default()
        .with_danger_accept_invalid_certs(!looks)
        .with_danger_skip_domain_validation(tls.mode != TlsMode::VerifyFull);
    if let Some(path) = roots.path() {
        ssl = ssl.with_root_cert_path(Some(path));
    }
    if let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) {
        tls::certificates(certificate)?;
        tls::private_key(key, None)?;
        ssl = ssl.with_client_identity(Some(ClientIdentity::new(certificate.clone(), key.clone())));
    }
    Ok(ssl)
}

/// Makes the settings of a session, and asks what the server is and takes.
fn prepare(mut conn: Conn, host: &Host) -> Result<Connection, mysql::Error> {
    conn.query_drop(format!(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,\
         NO_ENGINE_SUBSTITUTION', character_set_results = latin1, \
         SESSION innodb_lock_wait_timeout = {LOCK_SECONDS_MAX}"
    ))?;
    let about: Option<(String, usize)> =
        conn.query_first("SELECT VERSION(), @@max_allowed_packet")?;
    let (version, packet_bytes_max) = about.unwrap_or_default();
    let flavour = if version.contains("MariaDB") { Flavour::MariaDb } else { Flavour::MySql };
    let limit = match flavour {
        Flavour::MariaDb => format!("SET SESSION max_statement_time = {QUERY_SECONDS_MAX}"),
        Flavour::MySql => format!("SET SESSION max_execution_time = {QUERY_SECONDS_MAX}000"),
    };
    conn.query_drop(limit)?;
    let cluster: Option<(String, String)> = conn.query_first("SHOW VARIABLES LIKE 'wsrep_on'")?;
    if cluster.is_some_and(|(_, value)| value == "ON") {
        // What was written through another node is seen.
        conn.query_drop("SET SESSION wsrep_sync_wait = 1")?;
    }
    Ok(Connection { conn, packet_bytes_max, flavour, host: host.clone() })
}
