//! What may differ between databases, as data without defaults.

/// The differences of one database. A new field does not compile until every backend answers.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Name of the database, for messages and golden files.
    pub name: &'static str,
    /// What follows `IN` for a bound list.
    pub list: &'static str,
    /// Appended to an `INSERT` that passes over rows which exist already.
    pub insert_ignore: &'static str,
    /// Makes MLMD's tables at the schema version of this release.
    pub schema: &'static str,
    /// Makes what Headwater adds beside them; runs again without harm.
    pub additions: &'static str,
    /// Orders the rows of one event path as they were written; the table has no such column.
    pub path_order: &'static str,
}
