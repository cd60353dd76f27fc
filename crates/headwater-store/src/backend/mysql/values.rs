//! Values in the text of a statement, and in the rows of an answer.
//!
//! MySQL binds values to one prepared statement at a time, which is a round trip each. So that
//! several statements travel together, values are written into their text, in forms that have
//! nothing to escape: digits, and hexadecimal digits.

use std::fmt::Write as _;

use mysql::consts::ColumnType;
use mysql::{Row as DriverRow, Value as DriverValue};

use crate::backend::{Column, Row, Statement, Value};
use crate::error::{Result, data_loss, internal};

/// The character set number of bytes that are no text.
const BINARY: u16 = 63;

/// Stands for the collation that compares by bytes, which has no name in common.
pub(super) const COLLATION: &str = "{collation}";

/// The statement with its values in it.
pub(super) fn write(statement: &Statement<'_>, collation: &str) -> Result<String> {
    let mut text = String::with_capacity(statement.text.len() + statement.values.len() * 16);
    let canonical = statement.text.replace(COLLATION, collation);
    let mut pieces = canonical.split('?');
    text.push_str(pieces.next().unwrap_or_default());
    let mut values = statement.values.iter();
    for piece in pieces {
        let value = values.next();
        literal(&mut text, value.ok_or_else(|| internal("a placeholder has no value"))?);
        text.push_str(piece);
    }
    Ok(text)
}

/// Appends the lists of values of some rows.
pub(super) fn write_row(text: &mut String, row: &[Value<'_>]) {
    for (at, value) in row.iter().enumerate() {
        text.push(if at > 0 { ',' } else { '(' });
        literal(text, value);
    }
    text.push(')');
}

fn literal(text: &mut String, value: &Value<'_>) {
    match value {
        Value::Null => text.push_str("NULL"),
        Value::Int(value) => _ = write!(text, "{value}"),
        Value::Bool(value) => text.push(if *value { '1' } else { '0' }),
        // With an exponent, or it would be a decimal number. There are finite ones only.
        Value::Real(value) if value.is_nan() => text.push_str("NULL"),
        Value::Real(value) => _ = write!(text, "{:e}", value.clamp(f64::MIN, f64::MAX)),
        Value::Text(value) => text_literal(text, value),
        Value::Blob(bytes) => hexadecimal(text, bytes),
        Value::Ints(values) => list(text, values.iter(), |text, value| _ = write!(text, "{value}")),
        Value::Texts(values) => list(text, values.iter(), |text, value| text_literal(text, value)),
    }
}

fn text_literal(text: &mut String, value: &str) {
    // `dialect.rs` says why.
    text.push_str("_latin1 ");
    hexadecimal(text, value.as_bytes());
}

fn hexadecimal(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.reserve(bytes.len() * 2 + 3);
    text.push_str("X'");
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text.push('\'');
}

/// What is in no list is written as a list that nothing is in.
fn list<T>(
    text: &mut String,
    values: impl ExactSizeIterator<Item = T>,
    mut each: impl FnMut(&mut String, T),
) {
    if values.len() == 0 {
        text.push_str("NULL");
    }
    for (at, value) in values.enumerate() {
        text.push_str(if at > 0 { "," } else { "" });
        each(text, value);
    }
}

/// A row of an answer.
pub(super) struct Decoded<'r>(pub(super) &'r DriverRow);

impl Row for Decoded<'_> {
    fn column(&self, index: usize) -> Result<Column<'_>> {
        let lacking = || internal("a row lacks a column");
        let bytes = match self.0.as_ref(index).ok_or_else(lacking)? {
            DriverValue::NULL => return Ok(Column::Null),
            DriverValue::Bytes(bytes) => bytes,
            other => return Err(internal(format!("{other:?} in an answer in text"))),
        };
        let of = self.0.columns_ref().get(index).ok_or_else(lacking)?;
        let unreadable = || data_loss(format!("column {index} of a row cannot be read"));
        let text = || std::str::from_utf8(bytes).map_err(|e| unreadable().caused_by(e));
        Ok(match of.column_type() {
            ColumnType::MYSQL_TYPE_TINY
            | ColumnType::MYSQL_TYPE_SHORT
            | ColumnType::MYSQL_TYPE_LONG
            | ColumnType::MYSQL_TYPE_LONGLONG
            | ColumnType::MYSQL_TYPE_INT24
            | ColumnType::MYSQL_TYPE_YEAR
            | ColumnType::MYSQL_TYPE_NEWDECIMAL
            | ColumnType::MYSQL_TYPE_DECIMAL
            | ColumnType::MYSQL_TYPE_FLOAT
            | ColumnType::MYSQL_TYPE_DOUBLE => {
                let is_double = matches!(
                    of.column_type(),
                    ColumnType::MYSQL_TYPE_FLOAT | ColumnType::MYSQL_TYPE_DOUBLE
                );
                number(text()?, is_double).ok_or_else(unreadable)?
            }
            ColumnType::MYSQL_TYPE_NULL => Column::Null,
            _ if of.character_set() == BINARY => Column::Blob(bytes),
            _ => Column::Text(text()?),
        })
    }
}

fn number(text: &str, is_double: bool) -> Option<Column<'static>> {
    match text.parse() {
        Ok(value) if !is_double => Some(Column::Int(value)),
        _ => text.parse().ok().map(Column::Real),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_of_a_value_is_in_the_text() {
        let evil = "x'; DROP TABLE Type; -- \\ \" ` \0 ? é";
        let values = vec![
            Value::Text(evil.into()),
            Value::Texts(vec![evil, ""]),
            Value::Blob(evil.as_bytes().into()),
            Value::Ints(vec![1, -2].into()),
            Value::Ints(Vec::new().into()),
            Value::Real(0.5),
            Value::Real(f64::INFINITY),
            Value::Int(i64::MIN),
            Value::Bool(true),
            Value::Null,
        ];
        let text = format!("SELECT {}?", "?, ".repeat(values.len() - 1));
        let written = Statement { name: "test", text: text.into(), values, is_fixed: false };
        let written = write(&written, "x").expect("text");
        let allowed = |c: char| c.is_ascii_hexdigit() || "SELCT_latin1X', -NUL.()".contains(c);
        assert!(written.chars().all(allowed), "{written}");
        assert!(
            written.ends_with(
                "X'', X'78273b2044524f50205441424c4520547970653b202d2d205c202220602000203f20c3a9', \
                 1,-2, \
             NULL, 5e-1, 1.7976931348623157e308, -9223372036854775808, 1, NULL"
            ),
            "{written}"
        );
    }

    #[test]
    fn numbers_keep_their_type() {
        assert_eq!(number("7", false), Some(Column::Int(7)));
        assert_eq!(number("7", true), Some(Column::Real(7.0)));
        assert_eq!(number("0.5", false), Some(Column::Real(0.5)));
        assert_eq!(
            number("18446744073709551615", false),
            Some(Column::Real(1.844_674_407_370_955_2e19))
        );
        assert_eq!(number("x", true), None);
    }
}
