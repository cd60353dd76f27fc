//! The subcommands, one file each.

pub(crate) mod cache;
pub(crate) mod call;
pub(crate) mod check_uris;
pub(crate) mod demo;
pub(crate) mod env;
pub(crate) mod hash;
pub(crate) mod metrics;
pub(crate) mod migrate;
