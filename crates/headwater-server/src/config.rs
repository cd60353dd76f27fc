//! Settings: flags, then environment, then file, then default.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use headwater_store::StoreUrl;
use headwater_store::limits::MESSAGE_BYTES_MAX;
use serde::Deserialize;
use tonic::transport::ServerTlsConfig;

use crate::Failure;
use crate::cli::{Cli, LogFormat, ServeArgs};

/// The port that MLMD's server has, on loopback only: there is no authentication yet.
/// How often a database that cannot be reached at the start is tried again; MLMD's default.
const RETRIES_DEFAULT: u32 = 5;
const LISTEN_DEFAULT: &str = "127.0.0.1:8080";
const STORE_DEFAULT: &str = "./headwater.db";

/// What the file of `--config` may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileSettings {
    store: Option<String>,
    read_only: Option<bool>,
    log: Option<String>,
    log_format: Option<LogFormat>,
    listen: Option<String>,
}

impl FileSettings {
    /// Reads the file, if one is named.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = fs::read_to_string(path)
            .map_err(|e| format!("cannot read the configuration `{}`: {e}", path.display()))?;
        toml::from_str(&text)
            .map_err(|e| format!("the configuration `{}` is wrong: {e}", path.display()).into())
    }
}

/// Where the store is.
pub(crate) fn store_url(cli: &Cli, file: &FileSettings) -> Result<StoreUrl, Failure> {
    // Read here and not by clap, which would print the value with a password in it.
    let named = |e: &dyn std::fmt::Display| format!("`--store`: {e}");
    let given = cli.store.as_deref().map(utf8).transpose().map_err(|e| named(&e))?;
    let url = match given.or(file.store.as_deref()) {
        Some(text) => text.parse().map_err(|e: headwater_store::Error| named(&e))?,
        None => StoreUrl::file(STORE_DEFAULT),
    };
    let read_only = cli.read_only.or(file.read_only).unwrap_or(false);
    Ok(if read_only { url.read_only() } else { url })
}

/// A flag's value as text.
pub(crate) fn utf8(value: &OsStr) -> Result<&str, Failure> {
    value.to_str().ok_or_else(|| format!("`{}` is not UTF-8", value.to_string_lossy()).into())
}

/// What is logged, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogSettings {
    filter: Option<String>,
    pub(crate) format: LogFormat,
}

impl LogSettings {
    pub(crate) fn resolve(cli: &Cli, file: &FileSettings) -> Self {
        Self {
            filter: cli.log.clone().or_else(|| file.log.clone()),
            format: cli.log_format.or(file.log_format).unwrap_or_default(),
        }
    }

    pub(crate) fn filter(&self) -> &str {
        self.filter.as_deref().unwrap_or("info")
    }

    /// The same settings with another default filter than the server's.
    pub(crate) fn or_filter(mut self, default: &str) -> Self {
        self.filter.get_or_insert_with(|| default.to_owned());
        self
    }
}

/// How to serve.
#[derive(Debug)]
pub(crate) struct ServeSettings {
    pub(crate) store: StoreUrl,
    pub(crate) listen: String,
    pub(crate) tls: Option<ServerTlsConfig>,
    pub(crate) channel: ChannelSettings,
    /// Whether a store of an older schema version is brought to this release's first.
    pub(crate) upgrades: bool,
    /// How often a database that cannot be reached at the start is tried again.
    pub(crate) retries: u32,
}

/// How connections are treated. The defaults suit clients that stay idle for hours behind a
/// load balancer: a ping a minute keeps the path open and finds dead peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChannelSettings {
    pub(crate) keepalive: Duration,
    pub(crate) keepalive_timeout: Duration,
    pub(crate) connection_age_max: Option<Duration>,
    pub(crate) streams_max: Option<u32>,
    pub(crate) request_bytes_max: usize,
    pub(crate) response_bytes_max: usize,
}

impl Default for ChannelSettings {
    fn default() -> Self {
        Self {
            keepalive: Duration::from_secs(60),
            keepalive_timeout: Duration::from_secs(20),
            connection_age_max: None,
            streams_max: None,
            request_bytes_max: MESSAGE_BYTES_MAX,
            response_bytes_max: MESSAGE_BYTES_MAX,
        }
    }
}

impl ServeSettings {
    pub(crate) fn resolve(
        cli: &Cli,
        args: &ServeArgs,
        file: &FileSettings,
    ) -> Result<Self, Failure> {
        let listen = args.listen.as_deref().or(file.listen.as_deref()).unwrap_or(LISTEN_DEFAULT);
        Ok(Self {
            store: store_url(cli, file)?,
            listen: listen.to_owned(),
            tls: None,
            channel: ChannelSettings::default(),
            upgrades: args.upgrade,
            retries: RETRIES_DEFAULT,
        })
    }
}
