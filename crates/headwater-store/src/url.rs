//! Where a store is: `sqlite:PATH`, `sqlite::memory:`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use headwater_proto::ml_metadata::connection_config::Config;
use headwater_proto::ml_metadata::sqlite_metadata_source_config::ConnectionMode;
use headwater_proto::ml_metadata::{ConnectionConfig, SqliteMetadataSourceConfig};

use crate::backend::sqlite::{SqliteConfig, SqliteMode};
use crate::error::{Error, ErrorKind, Result, invalid};

/// The place of a store, as `--store` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// An SQLite file, or a store in memory.
    Sqlite(SqliteConfig),
}

impl StoreUrl {
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
            Some(Config::Mysql(_)) => Err(not_yet("the MySQL database of the configuration")),
            Some(Config::Postgresql(_)) => {
                Err(not_yet("the PostgreSQL database of the configuration"))
            }
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
        }
    }

    pub(crate) fn is_read_only(&self) -> bool {
        match self {
            Self::Sqlite(config) => config.mode == SqliteMode::Read,
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(SqliteConfig { path: Some(path), .. }) => {
                write!(f, "sqlite:{}", path.display())
            }
            Self::Sqlite(_) => f.write_str("sqlite::memory:"),
        }
    }
}

impl FromStr for StoreUrl {
    type Err = Error;

    /// Reads a URL. A bare path is refused, because a misspelt scheme would make a file of that
    /// name.
    fn from_str(text: &str) -> Result<Self> {
        let forms = "use `sqlite:PATH`, as in `sqlite:./headwater.db`, or `sqlite::memory:`";
        match text.split_once(':') {
            Some(("sqlite", ":memory:")) => Ok(Self::memory()),
            Some(("sqlite", rest)) => {
                let path = plain_path(rest.strip_prefix("//").unwrap_or(rest))?;
                if path.is_empty() {
                    return Err(invalid(format!("store `{text}` names no file")).hint(forms));
                }
                Ok(Self::file(path))
            }
            Some(("postgres" | "postgresql" | "mysql" | "mariadb", _)) => {
                Err(not_yet(&format!("store `{}`", redact(text))))
            }
            _ => Err(invalid(format!("store `{}` is not a store URL", redact(text))).hint(forms)),
        }
    }
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

fn not_yet(what: &str) -> Error {
    Error::new(ErrorKind::Unimplemented, format!("{what} is not supported yet"))
        .hint("PostgreSQL and MySQL come with a later release; this one has SQLite")
}

/// A URL without its password.
fn redact(url: &str) -> String {
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

    #[test]
    fn reads_what_it_prints() {
        for text in ["sqlite:a.db", "sqlite:/tmp/a b.db", "sqlite::memory:"] {
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
        let error = "mysql://u:secret@h/db".parse::<StoreUrl>().expect_err("not yet");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
