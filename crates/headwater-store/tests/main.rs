//! The tests of the store, in one binary:
//!
//! - `conformance`: named behaviours, each on every database.
//! - `errors`: the words of errors, as a golden file.
//! - `filter_docs`: what the page about filters shows, tried.
//! - `migrations`: databases that the released library left at each schema version.
//! - `places`: where the databases of tests are.
//! - `robustness`: bytes from anywhere.
//! - `servers`: what only a database has that others reach, too: many stores at once, sessions
//!   that end, types that were made twice.
//! - `sqlite_files`: what only a file has: other processes, damage, full disks.
//! - `tidy`: the mechanical half of STYLE.md.

#![allow(clippy::unwrap_used)]

mod conformance;
mod errors;
mod filter_docs;
mod migrations;
mod places;
mod robustness;
mod servers;
mod sqlite_files;
mod tidy;
