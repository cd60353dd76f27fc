//! Started under the name `metadata_store_server`, the binary takes the flags of MLMD's server, so
//! that an existing manifest needs a new image and nothing else.

use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use headwater_proto::descriptors;
use headwater_proto::ml_metadata::connection_config::Config;
use headwater_proto::ml_metadata::metadata_store_server_config::SslConfig;
use headwater_proto::ml_metadata::postgre_sql_database_config::SslOptions;
use headwater_proto::ml_metadata::{
    ConnectionConfig, MetadataStoreServerConfig, MySqlDatabaseConfig, PostgreSqlDatabaseConfig,
};
use headwater_store::{StoreUrl, migrate};
use prost_reflect::DynamicMessage;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use crate::Failure;
use crate::config::{ChannelSettings, LogSettings, ServeSettings, utf8};
use crate::{observe, serve};

/// The name of MLMD's server.
const PROGRAM: &str = "metadata_store_server";

/// A flag of MLMD's server: its name, whether it is a switch, its default, and what it does.
struct Flag {
    name: &'static str,
    switch: bool,
    default: &'static str,
    help: &'static str,
}

const fn flag(name: &'static str, default: &'static str, help: &'static str) -> Flag {
    Flag { name, switch: false, default, help }
}

const fn switch(name: &'static str, help: &'static str) -> Flag {
    Flag { name, switch: true, default: "false", help }
}

#[rustfmt::skip]
const FLAGS: &[Flag] = &[
    flag("grpc_port", "8080", "port to listen on, on all addresses"),
    flag("grpc_channel_arguments", "", "a list such as grpc.max_connection_age_ms=2000,…"),
    flag("metadata_source_config_type", "default", "default, config_file, mysql or postgresql"),
    flag("metadata_store_server_config_file", "", "a MetadataStoreServerConfig in text format"),
    flag("metadata_store_connection_retries", "5", "how often a lost race at the start is retried"),
    flag("mysql_config_host", "", "name or address of the MySQL server"),
    flag("mysql_config_port", "0", "its port"),
    flag("mysql_config_database", "", "the database, made if there is none"),
    flag("mysql_config_user", "", "the user"),
    flag("mysql_config_password", "", "the password"),
    flag("postgres_config_host", "", "name of the PostgreSQL server, or the folder of its socket"),
    flag("postgres_config_hostaddr", "", "its address, instead of its name"),
    flag("postgres_config_port", "", "its port"),
    flag("postgres_config_user", "", "the user"),
    flag("postgres_config_password", "", "the password"),
    flag("postgres_config_passfile", "", "a file with passwords, as libpq reads it"),
    flag("postgres_config_dbname", "", "the database"),
    switch("postgres_config_skip_db_creation", "expect the database to exist"),
    flag("postgres_config_sslmode", "", "disable, prefer, require, verify-ca or verify-full"),
    flag("postgres_config_sslcert", "", "file of the client's certificate"),
    flag("postgres_config_sslkey", "", "file of its key"),
    flag("postgres_config_sslpassword", "", "passphrase of the private key"),
    flag("postgres_config_sslrootcert", "", "file of the authorities to trust"),
    switch("enable_database_upgrade", "bring a database of an older schema version to this one"),
    flag("downgrade_db_schema_version", "-1", "bring the database to this version, and end"),
    switch("help", "show this"),
];

/// The arguments, if the program was started under MLMD's name.
pub(crate) fn program_args() -> Option<Vec<OsString>> {
    let mut args = env::args_os();
    let program = args.next()?;
    let name = Path::new(&program).file_stem()?;
    (name == PROGRAM).then(|| args.collect())
}

/// Serves as MLMD's server would with these arguments.
pub(crate) fn run(args: &[OsString]) -> Result<(), Failure> {
    let flags = Flags::parse(args)?;
    if flags.is_set("help") {
        use std::io::Write as _;
        write!(std::io::stdout(), "{}", help())?;
        return Ok(());
    }
    observe::init_logs(&LogSettings::default())?;
    let config = flags.server_config()?;
    let settings = flags.settings(&config)?;
    match flags.downgrade(&config)? {
        Some(version) => downgrade(&settings.store, version),
        None => serve::run(&settings),
    }
}

/// Brings the database to an older version. MLMD's server ends then, too.
fn downgrade(store: &StoreUrl, version: i64) -> Result<(), Failure> {
    use std::io::Write as _;
    let moved = migrate(store, version, false, false)?;
    writeln!(
        std::io::stdout(),
        "the database went from schema version {} to {}; start an older server to use it",
        moved.from,
        moved.to
    )?;
    Ok(())
}

fn help() -> String {
    let mut text = String::from("Headwater, taking the flags of MLMD's metadata_store_server:\n\n");
    for flag in FLAGS {
        let _ =
            writeln!(text, "  --{} (default: {:?})\n      {}", flag.name, flag.default, flag.help);
    }
    text.push_str("\nStarted as `headwater serve`, the same binary has flags of its own.\n");
    text
}

/// The flags as they were given, by name.
#[derive(Debug, Default)]
struct Flags(HashMap<&'static str, String>);

impl Flags {
    /// Reads `--name=value`, `--name value`, `--switch`, `--noswitch`, with one dash or two.
    fn parse(args: &[OsString]) -> Result<Self, Failure> {
        let args = args.iter().map(|arg| utf8(arg)).collect::<Result<Vec<&str>, Failure>>()?;
        let mut flags = Self::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let given = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-'));
            let given = given.ok_or_else(|| format!("`{arg}` is not a flag"))?;
            let (name, value) = match given.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (given, None),
            };
            let (flag, value) = match (find(name), value) {
                (Some(flag), Some(value)) => (flag, value),
                (Some(flag), None) if flag.switch => (flag, "true"),
                (Some(flag), None) => {
                    (flag, args.next().ok_or_else(|| format!("flag `--{name}` has no value"))?)
                }
                (None, _) => (negated(name)?, "false"),
            };
            flags.0.insert(flag.name, value.to_owned());
        }
        Ok(flags)
    }

    fn get(&self, name: &str) -> &str {
        let default = || find(name).map_or("", |flag| flag.default);
        self.0.get(name).map_or_else(default, String::as_str)
    }

    fn is_set(&self, name: &str) -> bool {
        matches!(self.get(name), "true" | "t" | "1" | "yes" | "y")
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<T, Failure> {
        let value = self.get(name);
        value.parse().map_err(|_| format!("`--{name}={value}` is not a number in range").into())
    }

    fn settings(&self, config: &MetadataStoreServerConfig) -> Result<ServeSettings, Failure> {
        let port: u16 = self.number("grpc_port")?;
        if port == 0 {
            return Err("`--grpc_port` must be above 0".into());
        }
        let connection = config.connection_config.clone().unwrap_or_default();
        let store = StoreUrl::from_connection(&connection)?;
        if store == StoreUrl::memory() {
            tracing::warn!("no database is configured: what is stored is gone when this stops");
        }
        Ok(ServeSettings {
            store,
            listen: format!("0.0.0.0:{port}"),
            tls: config.ssl_config.as_ref().map(tls),
            channel: channel(self.get("grpc_channel_arguments"))?,
            upgrades: self.is_set("enable_database_upgrade")
                || config.migration_options.unwrap_or_default().enable_upgrade_migration(),
            retries: self.number("metadata_store_connection_retries")?,
        })
    }

    fn server_config(&self) -> Result<MetadataStoreServerConfig, Failure> {
        let file = self.get("metadata_store_server_config_file");
        match self.get("metadata_source_config_type") {
            "default" if !file.is_empty() => read_config(file),
            "default" if self.mysql_is_named() => self.mysql(),
            "default" => Ok(MetadataStoreServerConfig {
                connection_config: Some(ConnectionConfig::default()),
                ..MetadataStoreServerConfig::default()
            }),
            "config_file" if file.is_empty() => {
                Err("`--metadata_store_server_config_file` is not set".into())
            }
            "config_file" => read_config(file),
            "mysql" => self.mysql(),
            "postgresql" => Ok(self.postgres()),
            other => Err(format!(
                "`--metadata_source_config_type={other}` is not one of default, config_file, \
                 mysql, postgresql"
            )
            .into()),
        }
    }

    fn mysql_is_named(&self) -> bool {
        !self.get("mysql_config_host").is_empty()
            || !self.get("mysql_config_database").is_empty()
            || self.get("mysql_config_port") != "0"
    }

    /// The value of a flag that is not empty.
    fn given(&self, name: &str) -> Option<String> {
        Some(self.get(name)).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    fn mysql(&self) -> Result<MetadataStoreServerConfig, Failure> {
        let port: i64 = self.number("mysql_config_port")?;
        let mysql = MySqlDatabaseConfig {
            host: self.given("mysql_config_host"),
            port: Some(port),
            database: self.given("mysql_config_database"),
            user: self.given("mysql_config_user"),
            password: self.given("mysql_config_password"),
            ..MySqlDatabaseConfig::default()
        };
        if mysql.host.is_none() || mysql.database.is_none() || port == 0 {
            return Err("`--mysql_config_host`, `--mysql_config_port` and \
                        `--mysql_config_database` are needed together"
                .into());
        }
        Ok(config_of(Config::Mysql(mysql)))
    }

    fn postgres(&self) -> MetadataStoreServerConfig {
        let ssl = SslOptions {
            sslmode: self.given("postgres_config_sslmode"),
            sslcert: self.given("postgres_config_sslcert"),
            sslkey: self.given("postgres_config_sslkey"),
            sslpassword: self.given("postgres_config_sslpassword"),
            sslrootcert: self.given("postgres_config_sslrootcert"),
        };
        config_of(Config::Postgresql(PostgreSqlDatabaseConfig {
            host: self.given("postgres_config_host"),
            hostaddr: self.given("postgres_config_hostaddr"),
            port: self.given("postgres_config_port"),
            user: self.given("postgres_config_user"),
            password: self.given("postgres_config_password"),
            passfile: self.given("postgres_config_passfile"),
            dbname: self.given("postgres_config_dbname"),
            skip_db_creation: Some(self.is_set("postgres_config_skip_db_creation")),
            ssloption: Some(ssl),
        }))
    }

    /// The older version that the database is to be brought to.
    fn downgrade(&self, config: &MetadataStoreServerConfig) -> Result<Option<i64>, Failure> {
        let options = config.migration_options.unwrap_or_default();
        let flag: i64 = self.number("downgrade_db_schema_version")?;
        let version = if flag >= 0 { flag } else { options.downgrade_to_schema_version() };
        if version >= 0
            && (self.is_set("enable_database_upgrade") || options.enable_upgrade_migration())
        {
            return Err("a database is either upgraded or downgraded\n\
                        hint: leave `--enable_database_upgrade` or \
                        `--downgrade_db_schema_version` out"
                .into());
        }
        Ok(Some(version).filter(|version| *version >= 0))
    }
}

fn config_of(config: Config) -> MetadataStoreServerConfig {
    let connection = ConnectionConfig { config: Some(config), ..ConnectionConfig::default() };
    MetadataStoreServerConfig {
        connection_config: Some(connection),
        ..MetadataStoreServerConfig::default()
    }
}

/// The switch that `noNAME` turns off.
fn negated(name: &str) -> Result<&'static Flag, Failure> {
    let switch = name.strip_prefix("no").and_then(find).filter(|flag| flag.switch);
    switch.ok_or_else(|| {
        format!("`--{name}` is not a flag of {PROGRAM}\nhint: `--help` shows the flags").into()
    })
}

fn find(name: &str) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.name == name)
}

/// Reads a configuration in protobuf's text format.
fn read_config(path: &str) -> Result<MetadataStoreServerConfig, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|e| format!("cannot read the configuration `{path}`: {e}"))?;
    let message = descriptors()
        .get_message_by_name("ml_metadata.MetadataStoreServerConfig")
        .ok_or("the contract has no MetadataStoreServerConfig")?;
    let parsed = DynamicMessage::parse_text_format(message, &text).map_err(|e| {
        format!("the configuration `{path}` is not a MetadataStoreServerConfig: {e}")
    })?;
    Ok(parsed.transcode_to()?)
}

fn tls(ssl: &SslConfig) -> ServerTlsConfig {
    let identity = Identity::from_pem(ssl.server_cert(), ssl.server_key());
    let tls = ServerTlsConfig::new().identity(identity);
    if !ssl.client_verify() {
        return tls;
    }
    tls.client_ca_root(Certificate::from_pem(ssl.custom_ca()))
}

/// Takes over the channel arguments that have a meaning here, and says which have none.
fn channel(arguments: &str) -> Result<ChannelSettings, Failure> {
    let mut channel = ChannelSettings::default();
    for argument in arguments.split(',').filter(|argument| !argument.is_empty()) {
        let (name, value) = argument
            .split_once('=')
            .ok_or_else(|| format!("channel argument `{argument}` has no value"))?;
        let number = || -> Result<u64, Failure> {
            value
                .parse()
                .map_err(|_| format!("channel argument `{argument}` is not a number").into())
        };
        let bytes = || Ok::<usize, Failure>(usize::try_from(number()?).unwrap_or(usize::MAX));
        match name {
            "grpc.max_connection_age_ms" => {
                channel.connection_age_max = Some(Duration::from_millis(number()?));
            }
            "grpc.keepalive_time_ms" => channel.keepalive = Duration::from_millis(number()?),
            "grpc.keepalive_timeout_ms" => {
                channel.keepalive_timeout = Duration::from_millis(number()?);
            }
            "grpc.max_concurrent_streams" => {
                channel.streams_max = Some(u32::try_from(number()?).unwrap_or(u32::MAX));
            }
            "grpc.max_receive_message_length" if value == "-1" => {}
            "grpc.max_send_message_length" if value == "-1" => {}
            "grpc.max_receive_message_length" => channel.request_bytes_max = bytes()?,
            "grpc.max_send_message_length" => channel.response_bytes_max = bytes()?,
            _ => tracing::warn!(argument, "this channel argument has no effect"),
        }
    }
    Ok(channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Flags, Failure> {
        Flags::parse(&args.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn reads_every_way_of_writing_a_flag() {
        let flags = parse(&[
            "--grpc_port=9000",
            "-mysql_config_host",
            "db",
            "--enable_database_upgrade",
            "--nopostgres_config_skip_db_creation",
        ])
        .expect("flags");
        assert_eq!(flags.get("grpc_port"), "9000");
        assert_eq!(flags.get("mysql_config_host"), "db");
        assert!(flags.is_set("enable_database_upgrade"));
        assert!(!flags.is_set("postgres_config_skip_db_creation"));
        assert_eq!(flags.get("metadata_store_connection_retries"), "5");
    }

    #[test]
    fn names_what_it_does_not_know() {
        for args in [&["--grpc_prot=1"][..], &["8080"], &["--grpc_port"]] {
            let error = parse(args).expect_err("no such flag").to_string();
            assert!(error.contains(args[0].split('=').next().expect("a name")), "{error}");
        }
    }

    #[test]
    fn takes_over_the_channel_arguments_that_matter() {
        let given = "grpc.max_connection_age_ms=2000,grpc.max_receive_message_length=1024,x=1";
        let channel = channel(given).expect("arguments");
        assert_eq!(channel.connection_age_max, Some(Duration::from_secs(2)));
        assert_eq!(channel.request_bytes_max, 1024);
    }
}
