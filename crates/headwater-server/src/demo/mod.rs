//! The reference fixture `demo-churn`: a small history of models that tell who will leave, told by
//! `docs/demo.md`. What is loaded is computed here, and the same every time.

mod churn;
mod curves;
mod files;
mod load;
mod provenance;
mod runs;
mod story;
mod table;
mod versions;

pub(crate) use files::Files;
pub(crate) use load::{Loaded, load};
