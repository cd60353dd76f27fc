//! Values on the wire, in PostgreSQL's binary form.
//!
//! Its texts have no NUL. One is written as U+10FFFF, a character that no text has, and `0`; that
//! character itself as U+10FFFF and `1`. So texts that differ stay different.

use std::borrow::Cow;
use std::error::Error as StdError;

use bytes::{BufMut as _, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::backend::{Column, Row, Value};
use crate::error::{Error, ErrorKind, Result, data_loss, internal};
use crate::sql::build::{Holds, Insert, holds};

const ESCAPE: char = '\u{10FFFF}';

/// A value as it is sent; `None` is NULL.
#[derive(Debug)]
pub(super) struct Param(Option<Vec<u8>>);

impl ToSql for Param {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match &self.0 {
            None => Ok(IsNull::Yes),
            Some(bytes) => {
                out.put_slice(bytes);
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A value of a query and its type.
pub(super) fn param(value: &Value<'_>) -> (Param, Type) {
    let (of, bytes) = match value {
        // The server finds out which.
        Value::Null => return (Param(None), Type::UNKNOWN),
        Value::Int(value) => (Type::INT8, value.to_be_bytes().to_vec()),
        Value::Bool(value) => (Type::BOOL, vec![u8::from(*value)]),
        Value::Real(value) => (Type::FLOAT8, value.to_be_bytes().to_vec()),
        Value::Text(text) => (Type::TEXT, escaped(text).into_owned().into_bytes()),
        Value::Blob(bytes) => (Type::BYTEA, bytes.to_vec()),
        Value::Ints(values) => {
            let elements = values.iter().map(|value| Some(value.to_be_bytes().to_vec()));
            (Type::INT8_ARRAY, array(&Type::INT8, elements))
        }
        Value::Texts(texts) => {
            let elements = texts.iter().map(|text| Some(escaped(text).into_owned().into_bytes()));
            (Type::TEXT_ARRAY, array(&Type::TEXT, elements))
        }
    };
    (Param(Some(bytes)), of)
}

/// The rows of an insertion as one array for each column.
pub(super) fn arrays(insert: &Insert, values: &[Value<'_>]) -> Result<Vec<(Param, Type)>> {
    let width = insert.columns.len();
    let column = |(at, name): (usize, &&str)| {
        let (element, of) = match holds(name) {
            Holds::Ints => (Type::INT8, Type::INT8_ARRAY),
            Holds::Bools => (Type::BOOL, Type::BOOL_ARRAY),
            Holds::Doubles => (Type::FLOAT8, Type::FLOAT8_ARRAY),
            Holds::Texts => (Type::TEXT, Type::TEXT_ARRAY),
            Holds::Bytes => (Type::BYTEA, Type::BYTEA_ARRAY),
        };
        let rows = values.iter().skip(at).step_by(width);
        let elements: Vec<Option<Vec<u8>>> =
            rows.map(|value| bytes_of(holds(name), value)).collect::<Result<_>>()?;
        Ok((Param(Some(array(&element, elements.into_iter()))), of))
    };
    insert.columns.iter().enumerate().map(column).collect()
}

/// A value as an element of a column's array.
fn bytes_of(of: Holds, value: &Value<'_>) -> Result<Option<Vec<u8>>> {
    Ok(Some(match (of, value) {
        (_, Value::Null) => return Ok(None),
        (Holds::Ints, Value::Int(value)) => value.to_be_bytes().to_vec(),
        (Holds::Bools, Value::Bool(value)) => vec![u8::from(*value)],
        (Holds::Doubles, Value::Real(value)) => value.to_be_bytes().to_vec(),
        (Holds::Doubles, Value::Text(_)) => f64::NAN.to_be_bytes().to_vec(),
        (Holds::Texts, Value::Text(text)) => escaped(text).into_owned().into_bytes(),
        (Holds::Bytes, Value::Text(text)) => text.as_bytes().to_vec(),
        (Holds::Bytes, Value::Blob(bytes)) => bytes.to_vec(),
        (of, other) => return Err(internal(format!("{other:?} in a column of {of:?}"))),
    }))
}

/// A one-dimensional array in binary form.
fn array(element: &Type, elements: impl ExactSizeIterator<Item = Option<Vec<u8>>>) -> Vec<u8> {
    let length = u32::try_from(elements.len()).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(20 + elements.len() * 12);
    out.put_u32(u32::from(length > 0));
    // It may have NULLs.
    out.put_u32(1);
    out.put_u32(element.oid());
    if length > 0 {
        out.put_u32(length);
        out.put_u32(1);
    }
    for element in elements {
        match element {
            None => out.put_i32(-1),
            Some(bytes) => {
                out.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
                out.put_slice(&bytes);
            }
        }
    }
    out
}

fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return text.into();
    }
    text.replace(ESCAPE, "\u{10FFFF}1").replace('\0', "\u{10FFFF}0").into()
}

fn unescaped(text: &str) -> Option<String> {
    if !text.contains(ESCAPE) {
        return None;
    }
    let mut pieces = text.split(ESCAPE);
    let mut all = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (character, rest) = match piece.as_bytes().first() {
            Some(b'0') => ('\0', &piece[1..]),
            Some(b'1') => (ESCAPE, &piece[1..]),
            // Somebody else wrote it.
            _ => (ESCAPE, piece),
        };
        all.push(character);
        all.push_str(rest);
    }
    Some(all)
}

/// A row, with those texts unescaped that were escaped.
pub(super) struct Decoded<'r> {
    row: &'r tokio_postgres::Row,
    texts: Vec<(usize, String)>,
}

impl<'r> Decoded<'r> {
    pub(super) fn of(row: &'r tokio_postgres::Row) -> Result<Self> {
        let mut texts = Vec::new();
        for at in 0..row.len() {
            if let Column::Text(text) = raw_column(row, at)?
                && let Some(unescaped) = unescaped(text)
            {
                texts.push((at, unescaped));
            }
        }
        Ok(Self { row, texts })
    }
}

impl Row for Decoded<'_> {
    fn column(&self, index: usize) -> Result<Column<'_>> {
        if let Some((_, text)) = self.texts.iter().find(|(at, _)| *at == index) {
            return Ok(Column::Text(text));
        }
        raw_column(self.row, index)
    }
}

/// The bytes of a column and its type.
struct Raw<'r>(Type, &'r [u8]);

impl<'r> FromSql<'r> for Raw<'r> {
    fn from_sql(of: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(of.clone(), raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn raw_column(row: &tokio_postgres::Row, index: usize) -> Result<Column<'_>> {
    let unreadable = || data_loss(format!("column {index} of a row cannot be read"));
    let read: Option<Raw<'_>> =
        row.try_get(index).map_err(|e| internal("a row lacks a column").caused_by(e))?;
    let Some(Raw(of, bytes)) = read else { return Ok(Column::Null) };
    Ok(match of {
        Type::BOOL => Column::Int(i64::from(bytes.first().ok_or_else(unreadable)? != &0)),
        Type::INT2 => Column::Int(i16::from_be_bytes(fixed(bytes)?).into()),
        Type::INT4 => Column::Int(i32::from_be_bytes(fixed(bytes)?).into()),
        Type::INT8 => Column::Int(i64::from_be_bytes(fixed(bytes)?)),
        Type::FLOAT4 => Column::Real(f32::from_be_bytes(fixed(bytes)?).into()),
        Type::FLOAT8 => Column::Real(f64::from_be_bytes(fixed(bytes)?)),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => {
            Column::Text(std::str::from_utf8(bytes).map_err(|e| unreadable().caused_by(e))?)
        }
        Type::BYTEA => Column::Blob(bytes),
        other => {
            let message = format!("column {index} of a row is of type {other}");
            return Err(Error::new(ErrorKind::FailedPrecondition, message)
                .hint("the tables of the database are not those of MLMD"));
        }
    })
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|e| data_loss("a number has the wrong size").caused_by(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_stay_different_and_come_back() {
        let texts = ["", "a", "\0", "a\0b", "\u{10FFFF}", "\u{10FFFF}0", "\u{10FFFF}1\0", "0"];
        let mut seen = std::collections::HashSet::new();
        for text in texts {
            let sent = escaped(text).into_owned();
            assert!(!sent.contains('\0'));
            assert_eq!(unescaped(&sent).unwrap_or(sent.clone()), text);
            assert!(seen.insert(sent), "{text:?}");
        }
    }
}
