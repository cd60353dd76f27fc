//! The tests of the store, in one binary:
//!
//! - `conformance`: named behaviours, each on every database.
//! - `errors`: the words of errors, as a golden file.
//! - `filter_docs`: what the page about filters shows, tried.
//! - `robustness`: bytes from anywhere.
//! - `sqlite_files`: what only a file has: other processes, damage, full disks.
//! - `tidy`: the mechanical half of STYLE.md.

#![allow(clippy::unwrap_used)]

mod conformance;
mod errors;
mod filter_docs;
mod robustness;
mod sqlite_files;
mod tidy;
