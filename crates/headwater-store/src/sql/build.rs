//! The only way to make SQL: static text, and placeholders for bound values.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::backend::{Statement, Value};
use crate::sql::dialect::Dialect;

/// Marks a bound list in the text of a [`Query`], as in `id IN (?...)`.
const LIST: &str = "(?...)";
/// Marks the order of path steps in the text of a [`Query`].
const PATH_ORDER: &str = "{path order}";

/// A fixed statement: its name in traces, metrics and golden files, and its canonical text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

impl Query {
    /// The statement with its values, in the words of `dialect`.
    pub(crate) fn bind<'v>(self, dialect: &Dialect, values: Vec<Value<'v>>) -> Statement<'v> {
        Statement { name: self.name, text: self.render(dialect), values }
    }

    /// The text in the words of `dialect`.
    pub(crate) fn render(self, dialect: &Dialect) -> Cow<'static, str> {
        if self.text.contains(LIST) || self.text.contains(PATH_ORDER) {
            let text = self.text.replace(LIST, dialect.list);
            Cow::Owned(text.replace(PATH_ORDER, dialect.path_order))
        } else {
            Cow::Borrowed(self.text)
        }
    }
}

/// A fixed insertion of any number of rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Insert {
    /// Name of the statement.
    pub name: &'static str,
    pub(crate) table: &'static str,
    pub(crate) columns: &'static [&'static str],
    /// Whether rows that exist already are passed over instead of refused.
    pub(crate) ignore_existing: bool,
    /// Whether the table assigns ids and the caller wants them.
    pub(crate) returns_ids: bool,
}

impl Insert {
    /// The text that inserts one row.
    pub(crate) fn render(&self, dialect: &Dialect) -> String {
        let mut text = format!("INSERT INTO {} ({})", self.table, self.columns.join(", "));
        text.push_str(" VALUES (?");
        text.push_str(&", ?".repeat(self.columns.len() - 1));
        text.push(')');
        if self.ignore_existing {
            let _ = write!(text, " {}", dialect.insert_ignore);
        }
        text
    }
}

/// Puts a statement together where the request decides which parts it has.
#[derive(Debug)]
pub(crate) struct Builder<'v> {
    name: &'static str,
    dialect: &'static Dialect,
    text: String,
    values: Vec<Value<'v>>,
}

impl<'v> Builder<'v> {
    pub(crate) fn new(name: &'static str, dialect: &'static Dialect) -> Self {
        Self { name, dialect, text: String::with_capacity(256), values: Vec::new() }
    }

    /// Appends text; a `?` in it is bound by the next [`value`](Self::value).
    pub(crate) fn sql(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends text in which `#` stands for a number.
    pub(crate) fn numbered(&mut self, text: &'static str, number: usize) -> &mut Self {
        for (at, piece) in text.split('#').enumerate() {
            if at > 0 {
                let _ = write!(self.text, "{number}");
            }
            self.text.push_str(piece);
        }
        self
    }

    /// Binds the next placeholder.
    pub(crate) fn value(&mut self, value: Value<'v>) -> &mut Self {
        self.values.push(value);
        self
    }

    /// Appends a bound list, as it follows `IN`.
    pub(crate) fn list(&mut self, list: Value<'v>) -> &mut Self {
        self.text.push_str(self.dialect.list);
        self.value(list)
    }

    /// Length of the text so far, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// Values bound so far.
    pub(crate) fn n_values(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn build(self) -> Statement<'v> {
        Statement { name: self.name, text: Cow::Owned(self.text), values: self.values }
    }
}
