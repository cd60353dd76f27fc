//! SQL as data. Pure: nothing here talks to a database.
//!
//! SQL text is made of `&'static str` and placeholders only; whatever a caller sent travels as a
//! bound [`Value`](crate::backend::Value).

pub(crate) mod build;
pub(crate) mod dialect;
#[cfg(test)]
pub(crate) mod golden;
pub(crate) mod queries;

pub(crate) use dialect::{Dialect, Rows};
