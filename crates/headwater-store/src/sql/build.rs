//! The only way to make SQL: static text, and placeholders for bound values.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::backend::{Statement, Value};
use crate::sql::dialect::{Dialect, Rows};

/// Marks a bound list in the text of a [`Query`], as in `id IN (?...)`.
const LIST: &str = "IN (?...)";
/// Marks the order of path steps in the text of a [`Query`].
const PATH_ORDER: &str = "{path order}";
/// Marks where the rows that are read are kept from others.
const LOCK: &str = "{lock}";

/// A fixed statement: its name in traces, metrics and golden files, and its canonical text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

impl Query {
    /// The statement with its values, in the words of `dialect`.
    pub(crate) fn bind<'v>(self, dialect: &Dialect, values: Vec<Value<'v>>) -> Statement<'v> {
        Statement { name: self.name, text: self.render(dialect), values, is_fixed: true }
    }

    /// The text in the words of `dialect`.
    pub(crate) fn render(self, dialect: &Dialect) -> Cow<'static, str> {
        let mut text = Cow::Borrowed(self.text);
        let own =
            [(LIST, dialect.in_list), (PATH_ORDER, dialect.path_order), (LOCK, dialect.lock_rows)];
        for (mark, own) in own {
            if text.contains(mark) {
                text = Cow::Owned(text.replace(mark, own));
            }
        }
        numbered(dialect, text)
    }
}

/// The text with its placeholders as the database wants them.
fn numbered<'t>(dialect: &Dialect, text: Cow<'t, str>) -> Cow<'t, str> {
    if !dialect.numbered || !text.contains('?') {
        return text;
    }
    let mut all = String::with_capacity(text.len() + 16);
    for (at, piece) in text.split('?').enumerate() {
        if at > 0 {
            let _ = write!(all, "${at}");
        }
        all.push_str(piece);
    }
    Cow::Owned(all)
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    Ints,
    Bools,
    Doubles,
    Texts,
    Bytes,
}

/// What a column of this name holds, in whichever of MLMD's tables.
pub(crate) fn holds(column: &str) -> Holds {
    match column {
        "is_custom_property" | "is_index_step" | "bool_value" => Holds::Bools,
        "double_value" => Holds::Doubles,
        "byte_value" | "proto_value" | "points" | "content" => Holds::Bytes,
        "name" | "version" | "description" | "input_type" | "output_type" | "external_id"
        | "uri" | "string_value" | "step_key" | "writer" | "digest" | "fingerprint"
        | "claimant" => Holds::Texts,
        _ => Holds::Ints,
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
    /// Whether the caller has words for a row that is refused. The others can be sent later,
    /// together with the next statement that is waited for.
    pub(crate) can_clash: bool,
}

impl Insert {
    /// The text that inserts a row, or all rows where they are bound as arrays.
    pub(crate) fn render(&self, dialect: &Dialect) -> String {
        let mut text = format!("INSERT INTO {} ({}) ", self.table, self.columns.join(", "));
        match dialect.rows {
            Rows::One | Rows::Lists => {
                text.push_str("VALUES (?");
                text.push_str(&", ?".repeat(self.columns.len() - 1));
                text.push(')');
            }
            Rows::Arrays => self.render_arrays(&mut text),
        }
        if self.ignore_existing {
            let ignore = dialect.insert_ignore.replace("{column}", self.columns[0]);
            let _ = write!(text, " {ignore}");
        }
        if self.returns_ids && dialect.rows == Rows::Arrays {
            text.push_str(" RETURNING id");
        }
        text
    }

    /// Ids rise in the order of the rows.
    fn render_arrays(&self, text: &mut String) {
        let _ = write!(text, "SELECT {} FROM UNNEST(", self.columns.join(", "));
        for (at, column) in self.columns.iter().enumerate() {
            let of = match holds(column) {
                Holds::Ints => "BIGINT",
                Holds::Bools => "BOOLEAN",
                Holds::Doubles => "DOUBLE PRECISION",
                Holds::Texts => "TEXT",
                Holds::Bytes => "BYTEA",
            };
            let _ = write!(text, "{}${}::{of}[]", if at > 0 { ", " } else { "" }, at + 1);
        }
        let _ =
            write!(text, ") WITH ORDINALITY AS r ({}, nth) ORDER BY nth", self.columns.join(", "));
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

    /// Appends text in which `#` stands for a number, in the words of the database.
    pub(crate) fn numbered(&mut self, text: &'static str, number: usize) -> &mut Self {
        for (at, piece) in self.dialect.spell(text).split('#').enumerate() {
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

    /// Appends that the expression before it is one of a bound list.
    pub(crate) fn is_in(&mut self, list: Value<'v>) -> &mut Self {
        self.text.push(' ');
        self.text.push_str(self.dialect.in_list);
        self.value(list)
    }

    /// The database that the statement is for.
    pub(crate) fn dialect(&self) -> &'static Dialect {
        self.dialect
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
        let text = numbered(self.dialect, Cow::Owned(self.text)).into_owned();
        Statement { name: self.name, text: Cow::Owned(text), values: self.values, is_fixed: false }
    }
}
