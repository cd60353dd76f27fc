//! What it takes to reach a database server, whichever it is.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::backend::Access;
use crate::error::{Error, ErrorKind, Result};

/// A database on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where it may be; the first that answers, and takes writes, is used.
    pub hosts: Vec<Host>,
    /// The user; that of the process if absent.
    pub user: Option<String>,
    /// The password, if there is one.
    pub password: Option<Password>,
    /// The name of the database.
    pub database: String,
    /// Whether the database is expected to exist and not made.
    pub skip_db_creation: bool,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// Connections that may be open at the same time.
    pub connections_max: usize,
    /// A copy of the database that reads go to.
    pub read_replica: Option<Host>,
    /// Whether the store is only read.
    pub read_only: bool,
}

/// One place of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name or address, or the directory or file of its socket, which begins with a slash.
    pub name: String,
    /// The address to connect to where the name is only what its certificate says.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_socket() {
            f.write_str(&self.name)
        } else if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

impl Host {
    pub(crate) fn is_socket(&self) -> bool {
        self.name.starts_with('/')
    }
}

/// A password, or where it stands. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// The password itself.
    Plain(String),
    /// A file that holds nothing but the password.
    File(PathBuf),
    /// A file with a line `host:port:database:user:password` for each server, as libpq reads it.
    PassFile(PathBuf),
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(_) => f.write_str("Plain(***)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::PassFile(path) => f.debug_tuple("PassFile").field(path).finish(),
        }
    }
}

/// The passphrase of a private key. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPassword(pub String);

impl fmt::Debug for KeyPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPassword(***)")
    }
}

/// How a connection is encrypted. The names are those of PostgreSQL's `sslmode`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// How much is insisted on.
    pub mode: TlsMode,
    /// A file with the certificates of the authorities that are trusted, or a directory of such
    /// files.
    pub roots: Option<PathBuf>,
    /// The file of the certificate that we show.
    pub certificate: Option<PathBuf>,
    /// The file of its private key.
    pub key: Option<PathBuf>,
    /// What the private key is encrypted with.
    pub key_password: Option<KeyPassword>,
}

/// How much encryption is insisted on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsMode {
    /// None.
    Disable,
    /// Encrypted if the server can.
    #[default]
    Prefer,
    /// Encrypted, whoever the server is.
    Require,
    /// The server shows a certificate of a trusted authority.
    VerifyCa,
    /// Which names the host, too.
    VerifyFull,
}

impl ServerConfig {
    /// The user to log in as.
    pub(super) fn user(&self) -> String {
        let of_process = || std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
        self.user.clone().unwrap_or_else(of_process)
    }

    /// Refuses to write to what is open to read only.
    pub(super) fn check_access(&self, access: Access) -> Result<()> {
        if access == Access::Read || !self.read_only {
            return Ok(());
        }
        Err(Error::new(ErrorKind::FailedPrecondition, "the store is open to read only")
            .hint("open it without `--read-only` to write"))
    }

    /// The password, read now: a file may have a new one.
    pub(super) fn password(&self, host: &Host) -> Result<Option<String>> {
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path).map_err(|e| {
                let message = format!("the password file `{}` cannot be read", path.display());
                Error::new(ErrorKind::FailedPrecondition, message).caused_by(e)
            })
        };
        Ok(match &self.password {
            None => None,
            Some(Password::Plain(password)) => Some(password.clone()),
            Some(Password::File(path)) => {
                Some(read(path)?.trim_end_matches(['\r', '\n']).to_owned())
            }
            Some(Password::PassFile(path)) => {
                let port = host.port.to_string();
                let name = if host.is_socket() { "localhost" } else { &host.name };
                let wanted = [name, &port, &self.database, &self.user()];
                read(path)?.lines().find_map(|line| password_for(line, &wanted))
            }
        })
    }
}

/// The password of a line of a password file, if the line is for what is wanted.
fn password_for(line: &str, wanted: &[&str; 4]) -> Option<String> {
    let mut fields = vec![String::new()];
    let mut escaped = false;
    for character in line.chars() {
        match character {
            '\\' if !escaped => escaped = true,
            ':' if !escaped && fields.len() < 5 => fields.push(String::new()),
            other => {
                escaped = false;
                fields.last_mut()?.push(other);
            }
        }
    }
    let [of @ .., password] = &fields[..] else { return None };
    let fits = |(field, wanted): (&String, &&str)| field == "*" || field == wanted;
    (of.len() == 4 && of.iter().zip(wanted).all(fits)).then(|| password.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_is_read_as_libpq_reads_it() {
        let wanted = ["db.example", "5432", "mlmd", "me"];
        let lines = [
            ("db.example:5432:mlmd:me:secret", Some("secret")),
            ("*:*:*:me:se:cr\\:et\\\\", Some("se:cr:et\\")),
            ("other:5432:mlmd:me:secret", None),
            ("db.example:5432:mlmd:me", None),
            ("# a comment", None),
            ("", None),
        ];
        for (line, password) in lines {
            assert_eq!(password_for(line, &wanted).as_deref(), password, "{line}");
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        assert!(!format!("{:?}", Password::Plain("secret".into())).contains("secret"));
        assert!(!format!("{:?}", KeyPassword("secret".into())).contains("secret"));
    }
}
