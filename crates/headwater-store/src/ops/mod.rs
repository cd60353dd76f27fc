//! What each method means, one file per noun, written once for the three kinds of node.

pub(crate) mod contents;
pub(crate) mod drafts;
pub(crate) mod events;
pub(crate) mod lineage;
pub(crate) mod links;
pub(crate) mod listing;
pub(crate) mod memo;
pub(crate) mod metrics;
pub(crate) mod nodes;
pub(crate) mod ordering;
pub(crate) mod page;
pub(crate) mod selection;
pub(crate) mod steps;
pub(crate) mod trace;
pub(crate) mod types;
pub(crate) mod versions;
