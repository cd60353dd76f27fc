//! What may differ between databases, as data without defaults.

/// The differences of one database. A new field does not compile until every backend answers.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// Name of the database, for messages and golden files.
    pub name: &'static str,
    /// Whether placeholders are `$1`, `$2` and so on instead of `?`.
    pub numbered: bool,
    /// How a column is compared with a bound list.
    pub in_list: &'static str,
    /// How many rows are inserted.
    pub rows: Rows,
    /// Appended to an `INSERT` that passes over rows which exist already; `{column}` is a column.
    pub insert_ignore: &'static str,
    /// Appended to a `SELECT` whose rows this transaction is going to change.
    pub lock_rows: &'static str,
    /// Makes MLMD's tables at the schema version of this release.
    pub schema: &'static str,
    /// Makes what Headwater adds beside them; runs again without harm.
    pub additions: &'static str,
    /// Takes them away.
    pub removals: &'static str,
    /// Whether a statement that makes or changes tables is committed by itself, so that a migration
    /// may end in the middle.
    pub commits_changes: bool,
    /// Takes a store from one schema version to the next: the first brings it to version 1.
    pub upgrades: [&'static str; 10],
    /// Takes a store back to a schema version: the first brings it to version 0.
    pub downgrades: [&'static str; 10],
    /// Orders the rows of one event path as they were written; the table has no such column.
    pub path_order: &'static str,
    /// Whether that order is certain. Elsewhere the steps of a path carry their positions.
    pub keeps_row_order: bool,
    /// What stands before and after a column of texts in a filter, so that it is the text that was
    /// put and compares by bytes, whatever the database sorts by.
    pub text_column: (&'static str, &'static str),
    /// What stands before and after a column of integers in a filter, so that it is one of 64 bits.
    pub int_column: (&'static str, &'static str),
    /// A bound text in a filter.
    pub text_value: &'static str,
    /// Whether a column of doubles holds NaN and the infinities.
    pub special_doubles: bool,
    /// Whether a proto is stored as its bytes, not as their base64.
    pub raw_protos: bool,
    /// Whether `(a, b) > (?, ?)` is looked for in an index on both.
    pub pairs_use_indexes: bool,
    /// Characters of a text property that its index has, if it has not the whole text and is not
    /// looked into without being told so.
    pub text_index_chars: Option<usize>,
    /// Whether the index of URIs leads to those that begin like a pattern, whose letters may be of
    /// either case.
    pub finds_prefixes: bool,
    /// What a filter becomes here, where it differs from the canonical text.
    pub spellings: &'static [(&'static str, &'static str)],
}

impl Dialect {
    /// The text of a part of a filter in the words of this database.
    pub(crate) fn spell(&self, canonical: &'static str) -> &'static str {
        let own = self.spellings.iter().find(|(of, _)| *of == canonical);
        own.map_or(canonical, |(_, own)| own)
    }
}

/// How a statement inserts many rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// It inserts one, and is run for each.
    One,
    /// `VALUES` with a list for each row.
    Lists,
    /// One bound array for each column.
    Arrays,
}
