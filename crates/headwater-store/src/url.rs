//! Where a store is: `sqlite:PATH`, `sqlite::memory:`, `postgres://…`, `mysql://…`, or MLMD's own
//! connection messages.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use headwater_proto::ml_metadata::connection_config::Config;
use headwater_proto::ml_metadata::sqlite_metadata_source_config::ConnectionMode;
use headwater_proto::ml_metadata::{
    ConnectionConfig, MySqlDatabaseConfig, PostgreSqlDatabaseConfig, SqliteMetadataSourceConfig,
};
use percent_encoding::percent_decode_str;

use crate::backend::server::{Host, KeyPassword, Password, ServerConfig, Tls, TlsMode};
use crate::backend::sqlite::{SqliteConfig, SqliteMode};
use crate::error::{Error, Result, invalid};
use crate::limits::CONNECTIONS_DEFAULT;

const POSTGRES_PORT: u16 = 5432;
const MYSQL_PORT: u16 = 3306;

/// The place of a store, as `--store` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// An SQLite file, or a store in memory.
    Sqlite(SqliteConfig),
    /// A PostgreSQL database.
    Postgres(ServerConfig),
    /// A MySQL or MariaDB database.
    MySql(ServerConfig),
}

impl StoreUrl {
    /// The path of a store that is a file.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(config) => config.path.as_deref(),
            _ => None,
        }
    }

    /// A store in memory, gone when it is closed.
    pub fn memory() -> Self {
        Self::Sqlite(SqliteConfig { path: None, mode: SqliteMode::Create })
    }

    /// An SQLite file, made if there is none.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::Sqlite(SqliteConfig { path: Some(path.into()), mode: SqliteMode::Create })
    }

    /// The store that MLMD's own connection message describes. Without a description it is one
    /// in memory, as in MLMD.
    pub fn from_connection(config: &ConnectionConfig) -> Result<Self> {
        match &config.config {
            None | Some(Config::FakeDatabase(_)) => Ok(Self::memory()),
            Some(Config::Sqlite(sqlite)) => Self::from_sqlite(sqlite),
            Some(Config::Mysql(mysql)) => from_mysql(mysql).map(Self::MySql),
            Some(Config::Postgresql(postgres)) => from_postgres(postgres).map(Self::Postgres),
        }
    }

    fn from_sqlite(sqlite: &SqliteMetadataSourceConfig) -> Result<Self> {
        let name = sqlite.filename_uri();
        if name.is_empty() || name == ":memory:" {
            return Ok(Self::memory());
        }
        let path = plain_path(name)?;
        let mode = match sqlite.connection_mode() {
            ConnectionMode::Readonly => SqliteMode::Read,
            ConnectionMode::Readwrite => SqliteMode::Write,
            ConnectionMode::Unknown | ConnectionMode::ReadwriteOpencreate => SqliteMode::Create,
        };
        Ok(Self::Sqlite(SqliteConfig { path: Some(PathBuf::from(path)), mode }))
    }

    /// The same store, to be read only.
    #[must_use]
    pub fn read_only(self) -> Self {
        match self {
            Self::Sqlite(config) => Self::Sqlite(SqliteConfig { mode: SqliteMode::Read, ..config }),
            Self::Postgres(config) => Self::Postgres(ServerConfig { read_only: true, ..config }),
            Self::MySql(config) => Self::MySql(ServerConfig { read_only: true, ..config }),
        }
    }

    /// The same store, which is not made if it is not there.
    #[must_use]
    pub(crate) fn existing(self) -> Self {
        match self {
            Self::Sqlite(SqliteConfig { path: Some(path), mode: SqliteMode::Create }) => {
                Self::Sqlite(SqliteConfig { path: Some(path), mode: SqliteMode::Write })
            }
            Self::Sqlite(config) => Self::Sqlite(config),
            Self::Postgres(config) => {
                Self::Postgres(ServerConfig { skip_db_creation: true, ..config })
            }
            Self::MySql(config) => Self::MySql(ServerConfig { skip_db_creation: true, ..config }),
        }
    }

    pub(crate) fn is_read_only(&self) -> bool {
        match self {
            Self::Sqlite(config) => config.mode == SqliteMode::Read,
            Self::Postgres(config) | Self::MySql(config) => config.read_only,
        }
    }
}

impl fmt::Display for StoreUrl {
    /// The URL without a password and without parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(SqliteConfig { path: Some(path), .. }) => {
                write!(f, "sqlite:{}", path.display())
            }
            Self::Sqlite(_) => f.write_str("sqlite::memory:"),
            Self::Postgres(config) => show_server(f, "postgres", config),
            Self::MySql(config) => show_server(f, "mysql", config),
        }
    }
}

fn show_server(f: &mut fmt::Formatter<'_>, scheme: &str, config: &ServerConfig) -> fmt::Result {
    write!(f, "{scheme}://")?;
    if let Some(user) = &config.user {
        write!(f, "{user}@")?;
    }
    for (at, host) in config.hosts.iter().enumerate() {
        write!(f, "{}{host}", if at > 0 { "," } else { "" })?;
    }
    write!(f, "/{}", config.database)
}

const FORMS: &str = "use `sqlite:PATH`, as in `sqlite:./headwater.db`, `sqlite::memory:`, \
                     `postgres://USER@HOST/DATABASE` or `mysql://USER@HOST/DATABASE`";

impl FromStr for StoreUrl {
    type Err = Error;

    /// Reads a URL. A bare path is refused, because a misspelt scheme would make a file of that
    /// name.
    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some(("sqlite", ":memory:")) => Ok(Self::memory()),
            Some(("sqlite", rest)) => {
                let path = plain_path(rest.strip_prefix("//").unwrap_or(rest))?;
                if path.is_empty() {
                    return Err(invalid(format!("store `{text}` names no file")).hint(FORMS));
                }
                Ok(Self::file(path))
            }
            Some(("postgres" | "postgresql", rest)) => {
                read_server(rest, POSTGRES_PORT).map(Self::Postgres)
            }
            Some(("mysql" | "mariadb", rest)) => read_server(rest, MYSQL_PORT).map(Self::MySql),
            _ => Err(invalid(format!("store `{}` is not a store URL", redact(text))).hint(FORMS)),
        }
    }
}

/// Reads what follows the scheme: `//USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?NAME=VALUE&…`. No
/// part of it is repeated in an error but names of parameters: any other may be a password.
fn read_server(rest: &str, port: u16) -> Result<ServerConfig> {
    let malformed = |what: &str| invalid(format!("the store URL {what}")).hint(FORMS);
    let rest = rest.strip_prefix("//").ok_or_else(|| malformed("has no `//` after its scheme"))?;
    let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(Password::Plain(decoded(password)?))),
        None => (login, None),
    };
    let mut config = ServerConfig {
        hosts: Vec::new(),
        user: Some(decoded(user)?).filter(|user| !user.is_empty()),
        password,
        database: decoded(database)?,
        skip_db_creation: false,
        tls: Tls::default(),
        connections_max: CONNECTIONS_DEFAULT,
        read_replica: None,
        read_only: false,
    };
    for host in hosts.split(',').filter(|host| !host.is_empty()) {
        config.hosts.push(read_host(host, port)?);
    }
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        read_parameter(&mut config, name, &decoded(value)?, port)?;
    }
    if config.hosts.is_empty() {
        config.hosts.push(Host { name: "localhost".to_owned(), address: None, port });
    }
    check_database(&config.database).map_err(|error| error.hint(FORMS))?;
    Ok(config)
}

fn decoded(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|_| invalid("the store URL is not UTF-8 where decoded"))
}

fn read_host(text: &str, port: u16) -> Result<Host> {
    // An IPv6 address stands in brackets.
    let (name, rest) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, rest)) => (name, rest.strip_prefix(':')),
        None => match text.rsplit_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        },
    };
    let port = match rest {
        None => port,
        Some(text) => read_port(text)?,
    };
    Ok(Host { name: decoded(name)?, address: None, port })
}

fn read_port(text: &str) -> Result<u16> {
    text.parse().map_err(|_| {
        invalid("the port of a store is no number from 1 to 65535")
            .hint("escape `/`, `@`, `:` and `%` in a password, as in `%40` for `@`")
    })
}

fn read_parameter(config: &mut ServerConfig, name: &str, value: &str, port: u16) -> Result<()> {
    let wrong = || invalid(format!("parameter `{name}` of the store URL cannot be used"));
    let is_set = || match value {
        "" | "1" | "true" | "yes" => Ok(true),
        "0" | "false" | "no" => Ok(false),
        _ => Err(wrong().hint("use `true` or `false`")),
    };
    match name {
        "host" | "socket" if value.starts_with('/') => {
            config.hosts = vec![Host { name: value.to_owned(), address: None, port }];
        }
        "port" => {
            let port = read_port(value)?;
            config.hosts.iter_mut().for_each(|host| host.port = port);
        }
        "user" => config.user = Some(value.to_owned()),
        "dbname" => config.database = value.to_owned(),
        "password_file" => config.password = Some(Password::File(value.into())),
        "passfile" => config.password = Some(Password::PassFile(value.into())),
        "skip_db_creation" => config.skip_db_creation = is_set()?,
        "read_only" => config.read_only = is_set()?,
        "connections" => {
            let usable = value.parse().ok().filter(|number| (1..=1000).contains(number));
            config.connections_max = usable.ok_or_else(|| wrong().hint("use 1 to 1000"))?;
        }
        "read_replica" => config.read_replica = Some(read_host(value, port)?),
        "sslmode" | "ssl-mode" => config.tls.mode = tls_mode(value)?,
        "sslrootcert" | "ssl-ca" => config.tls.roots = Some(value.into()),
        "sslcert" | "ssl-cert" => config.tls.certificate = Some(value.into()),
        "sslkey" | "ssl-key" => config.tls.key = Some(value.into()),
        "sslpassword" => config.tls.key_password = Some(KeyPassword(value.to_owned())),
        _ => {
            return Err(wrong().hint(
                "known are `connections`, `dbname`, `host`, `passfile`, `password_file`, `port`, \
                 `read_only`, `read_replica`, `skip_db_creation`, `socket`, `sslcert`, `sslkey`, \
                 `sslmode`, `sslpassword`, `sslrootcert`, `user`",
            ));
        }
    }
    Ok(())
}

/// The mode by the names of both databases' own tools.
fn tls_mode(name: &str) -> Result<TlsMode> {
    Ok(match name.to_ascii_lowercase().replace('_', "-").as_str() {
        "disable" | "disabled" => TlsMode::Disable,
        "" | "allow" | "prefer" | "preferred" => TlsMode::Prefer,
        "require" | "required" => TlsMode::Require,
        "verify-ca" => TlsMode::VerifyCa,
        "verify-full" | "verify-identity" => TlsMode::VerifyFull,
        _ => {
            return Err(invalid(format!("there is no sslmode `{name}`"))
                .hint("use `disable`, `prefer`, `require`, `verify-ca` or `verify-full`"));
        }
    })
}

/// A name that a database can have, so that it can be made.
fn check_database(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(invalid("the store names no database"));
    }
    if name.len() > 63 || name.contains(|c: char| c.is_control()) {
        return Err(invalid(format!("`{}` is no name of a database", name.escape_debug())));
    }
    Ok(())
}

fn given(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

/// MLMD's message for MySQL. Its checks are MLMD's.
fn from_mysql(mysql: &MySqlDatabaseConfig) -> Result<ServerConfig> {
    let name = match (given(mysql.host.as_ref()), given(mysql.socket.as_ref())) {
        (Some(name), None) | (None, Some(name)) => name,
        _ => return Err(invalid("exactly one of host or socket must be specified")),
    };
    let port = u16::try_from(mysql.port.unwrap_or_default())
        .map_err(|_| invalid(format!("port {} is out of range", mysql.port())))?;
    let port = if port == 0 { MYSQL_PORT } else { port };
    check_database(mysql.database())?;
    let tls = match &mysql.ssl_options {
        None => Tls::default(),
        Some(ssl) => {
            let roots = given(ssl.ca.as_ref()).or(given(ssl.capath.as_ref()));
            if ssl.cipher.as_ref().is_some_and(|cipher| !cipher.is_empty()) {
                tracing::warn!("ssl_options.cipher is passed over: rustls has safe ciphers only");
            }
            // MLMD's library encrypts, and asks who the server is if it is told to.
            let mode = match (ssl.verify_server_cert(), &roots) {
                (true, _) => TlsMode::VerifyFull,
                (false, Some(_)) => TlsMode::VerifyCa,
                (false, None) => TlsMode::Require,
            };
            Tls {
                mode,
                roots: roots.map(PathBuf::from),
                certificate: given(ssl.cert.as_ref()).map(PathBuf::from),
                key: given(ssl.key.as_ref()).map(PathBuf::from),
                key_password: None,
            }
        }
    };
    Ok(ServerConfig {
        hosts: vec![Host { name, address: None, port }],
        user: given(mysql.user.as_ref()),
        password: given(mysql.password.as_ref()).map(Password::Plain),
        database: mysql.database().to_owned(),
        skip_db_creation: mysql.skip_db_creation(),
        tls,
        connections_max: CONNECTIONS_DEFAULT,
        read_replica: None,
        read_only: false,
    })
}

/// MLMD's message for PostgreSQL. The fields mean what they mean to libpq.
fn from_postgres(postgres: &PostgreSqlDatabaseConfig) -> Result<ServerConfig> {
    let port = match postgres.port.as_deref() {
        None | Some("") => POSTGRES_PORT,
        Some(text) => read_port(text)?,
    };
    let address = match given(postgres.hostaddr.as_ref()) {
        None => None,
        Some(text) => {
            let address: std::net::IpAddr =
                text.parse().map_err(|_| invalid("hostaddr is no address"))?;
            Some(address)
        }
    };
    let name = given(postgres.host.as_ref()).or_else(|| address.map(|of| of.to_string()));
    let name = name.unwrap_or_else(|| "localhost".to_owned());
    let user = given(postgres.user.as_ref());
    let database = given(postgres.dbname.as_ref()).or_else(|| user.clone()).unwrap_or_default();
    check_database(&database)?;
    let ssl = postgres.ssloption.clone().unwrap_or_default();
    let password = given(postgres.password.as_ref()).map(Password::Plain);
    let pass_file = given(postgres.passfile.as_ref()).map(|path| Password::PassFile(path.into()));
    Ok(ServerConfig {
        hosts: vec![Host { name, address, port }],
        user,
        password: password.or(pass_file),
        database,
        skip_db_creation: postgres.skip_db_creation(),
        tls: Tls {
            mode: tls_mode(ssl.sslmode())?,
            roots: given(ssl.sslrootcert.as_ref()).map(PathBuf::from),
            certificate: given(ssl.sslcert.as_ref()).map(PathBuf::from),
            key: given(ssl.sslkey.as_ref()).map(PathBuf::from),
            key_password: given(ssl.sslpassword.as_ref()).map(KeyPassword),
        },
        connections_max: CONNECTIONS_DEFAULT,
        read_replica: None,
        read_only: false,
    })
}

/// The path in a file name of SQLite, which may be a `file:` URI. The database would read more out
/// of one than we would know of, such as a mode, so such parts are refused.
fn plain_path(name: &str) -> Result<&str> {
    let uri = name.strip_prefix("file:");
    let path = uri.map_or(name, |uri| uri.strip_prefix("//").unwrap_or(uri));
    if path.contains(['?', '\0']) || (uri.is_some() && path.contains(['%', '#'])) {
        return Err(invalid(format!("`{name}` has parts beside a path"))
            .hint("give a plain path; `--read-only` or connection_mode say the mode"));
    }
    Ok(path)
}

/// A URL without its passwords.
fn redact(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}://***{}", &url[..scheme], &url[at..])
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn reads_what_it_prints() {
        for text in [
            "sqlite:a.db",
            "sqlite:/tmp/a b.db",
            "sqlite::memory:",
            "postgres://me@db.example:5433/mlmd",
            "mysql://root@[::1]:3306,other:3307/mlmd",
        ] {
            assert_eq!(text.parse::<StoreUrl>().expect("a URL").to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_store_and_hides_passwords() {
        for text in ["", "a.db", "sqlite:", "sqllite:a.db", "http://x", "sqlite:file:x?mode=memory"]
        {
            let error = text.parse::<StoreUrl>().expect_err("no URL");
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}");
        }
        for text in [
            "mysqll://u:secret@h/db",
            "mysql:u:secret@h/db",
            "mysqll://h/db?sslpassword=secret",
            "mysql://u:secret@h",
            "mysql://u:secret@h:port/db",
            "mysql://u:secret/@h:3306/db",
            "postgres://u:secret@h/db?colour=red",
            "postgres://u:secret@h/db?sslmode=maybe",
            "postgres://u:secret@h/db?connections=0",
        ] {
            let error = text.parse::<StoreUrl>().expect_err("no URL");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_server_is_read_with_everything_that_says_how_to_reach_it() {
        let text = "postgres://me%40x:p%3Ass@a:1,[::1]/db%20x?sslmode=verify-full&sslrootcert=/ca\
                    &connections=3&read_replica=b:2&skip_db_creation=true";
        let Ok(StoreUrl::Postgres(config)) = text.parse() else { panic!("no URL: {text}") };
        let host = |name: &str, port| Host { name: name.to_owned(), address: None, port };
        assert_eq!(config.hosts, [host("a", 1), host("::1", POSTGRES_PORT)]);
        assert_eq!(config.user.as_deref(), Some("me@x"));
        assert_eq!(config.password, Some(Password::Plain("p:ss".to_owned())));
        assert_eq!((&*config.database, config.connections_max), ("db x", 3));
        assert_eq!(config.tls.mode, TlsMode::VerifyFull);
        assert_eq!(config.tls.roots, Some("/ca".into()));
        assert_eq!(config.read_replica, Some(host("b", 2)));
        assert!(config.skip_db_creation);
        let text = "mysql://root@localhost/db?socket=/run/mysqld/mysqld.sock";
        let Ok(StoreUrl::MySql(config)) = text.parse() else { panic!("no URL: {text}") };
        assert!(config.hosts[0].is_socket());
    }
}
