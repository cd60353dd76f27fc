//! Rows of the database and messages of the contract, one into the other. Pure.
//!
//! Values are written as MLMD writes them, so that either store reads what the other wrote:
//! a struct is text, `mlmd-struct::` and base64; a proto is base64 of its `Any`, but its bytes in
//! PostgreSQL; a bool is 0 or 1.
//! Where that form cannot hold a value, Headwater extends it in a way that MLMD can still read:
//!
//! - NaN, which SQL has no number for, is NaN where a column takes it, even if as text,
//!   and where it does not, like the infinities, the largest numbers there are.
//! - Where a database does not keep the order of rows, a step of a path says its position in the
//!   one of its two columns that it does not use and MLMD does not read.
//! - What a column cannot say exactly stands in `byte_value`, a column that MLMD has and never
//!   uses, and as nearly as possible in its own: the bits of a double, little-endian, for a
//!   negative zero, an unusual NaN and what another number stands for; a string, as UTF-8, that
//!   MLMD would take for a struct or for NULL, which stands after a blank in `string_value`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use headwater_proto::ml_metadata::event::path::{Step, step};
use headwater_proto::ml_metadata::{Event, Value as PropertyValue, event, value};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use crate::backend::{Column, Row, Value};
use crate::error::{Result, data_loss};
use crate::json;
use crate::kinds::{Node, NodeType, TypeHead};

/// The message of an execution type's struct types, which stand in the table as JSON.
const STRUCT_TYPE: &str = "ml_metadata.ArtifactStructType";

const STRUCT_PREFIX: &str = "mlmd-struct::";
/// What MLMD takes for SQL NULL when it reads any column.
const MLMD_NULL: &str = "__MLMD_NULL__";
/// How a NaN is written; MLMD reads it as one.
const NAN: &str = "nan";

/// An integer column.
pub(crate) fn int(row: &dyn Row, index: usize) -> Result<i64> {
    opt_int(row, index)?.ok_or_else(|| data_loss(format!("column {index} of a row is NULL")))
}

pub(crate) fn opt_int(row: &dyn Row, index: usize) -> Result<Option<i64>> {
    match row.column(index)? {
        Column::Null => Ok(None),
        Column::Int(value) => Ok(Some(value)),
        other => Err(data_loss(format!("column {index} of a row holds {other:?}, not a number"))),
    }
}

/// A text column. The database may have stored a text that looks like a number as one.
pub(crate) fn opt_text(row: &dyn Row, index: usize) -> Result<Option<String>> {
    match row.column(index)? {
        Column::Null => Ok(None),
        Column::Text(value) => Ok(Some(value.to_owned())),
        Column::Int(value) => Ok(Some(value.to_string())),
        other => Err(data_loss(format!("column {index} of a row holds {other:?}, not a text"))),
    }
}

/// A node without its properties and the name of its type.
pub(crate) fn node<N: Node>(row: &dyn Row) -> Result<N> {
    let mut node = N::default();
    node.set_id(int(row, 0)?);
    node.set_type_id(Some(int(row, 1)?));
    *node.name_mut() = opt_text(row, 2)?;
    *node.external_id_mut() = opt_text(row, 3)?;
    node.set_times(opt_int(row, 4)?, opt_int(row, 5)?);
    node.set_details(opt_text(row, 6)?, opt_int(row, 7)?);
    Ok(node)
}

/// A row of a property table.
pub(crate) struct PropertyRow {
    pub(crate) name: String,
    pub(crate) is_custom: bool,
    pub(crate) value: PropertyValue,
}

/// The fields of properties and custom properties in the message of each kind of node.
const PROPERTY_FIELDS: [u32; 2] = [4, 5];
/// The field of a string in a property's value.
const STRING_FIELD: u32 = 3;

/// A property as it stands in its encoded node: an entry of one of the two maps.
pub(crate) fn encode_property(row: &dyn Row, bytes: &mut Vec<u8>) -> Result<()> {
    let owned;
    let name = match row.column(1)? {
        Column::Text(name) => name,
        _ => {
            owned = opt_text(row, 1)?.unwrap_or_default();
            &owned
        }
    };
    // Most values are strings, and mean what they say.
    let plain = match (row.column(3)?, row.column(4)?, row.column(5)?, row.column(6)?) {
        (Column::Null, Column::Null, Column::Text(text), Column::Null) => Some(text),
        _ => None,
    };
    let plain = plain.filter(|text| !text.starts_with(STRUCT_PREFIX));
    let text_len = |text: &str| 1 + encoded_len_varint(text.len() as u64) + text.len();
    let other = match plain {
        Some(_) => PropertyValue::default(),
        None => PropertyValue { value: property_value(row)? },
    };
    let value_len = plain.map_or_else(|| other.encoded_len(), text_len);
    let entry_len = text_len(name) + 1 + encoded_len_varint(value_len as u64) + value_len;
    let field = PROPERTY_FIELDS[usize::from(int(row, 2)? != 0)];
    encode_key(field, WireType::LengthDelimited, bytes);
    encode_varint(entry_len as u64, bytes);
    encode_text(1, name, bytes);
    encode_key(2, WireType::LengthDelimited, bytes);
    encode_varint(value_len as u64, bytes);
    match plain {
        Some(text) => encode_text(STRING_FIELD, text, bytes),
        None => other.encode_raw(bytes),
    }
    Ok(())
}

fn encode_text(field: u32, text: &str, bytes: &mut Vec<u8>) {
    encode_key(field, WireType::LengthDelimited, bytes);
    encode_varint(text.len() as u64, bytes);
    bytes.extend_from_slice(text.as_bytes());
}

pub(crate) fn property(row: &dyn Row) -> Result<PropertyRow> {
    Ok(PropertyRow {
        name: opt_text(row, 1)?.unwrap_or_default(),
        is_custom: int(row, 2)? != 0,
        value: PropertyValue { value: property_value(row)? },
    })
}

/// The value in columns 3 to 8. None of them is set where MLMD downgraded a database below the
/// version that has the value's type; the property then reads as one without a value.
fn property_value(row: &dyn Row) -> Result<Option<value::Value>> {
    if let Some(value) = opt_int(row, 3)? {
        return Ok(Some(value::Value::IntValue(value)));
    }
    let double = match row.column(4)? {
        Column::Null => None,
        Column::Real(value) => Some(value),
        #[allow(clippy::cast_precision_loss)]
        Column::Int(value) => Some(value as f64),
        Column::Text(NAN) => Some(f64::NAN),
        other => return Err(data_loss(format!("a double property holds {other:?}"))),
    };
    if let Some(stored) = double {
        return Ok(Some(double_value(stored, row.column(6)?)));
    }
    if let Some(text) = opt_text(row, 5)? {
        return Ok(Some(string_value(text, row.column(6)?)));
    }
    match row.column(7)? {
        Column::Null => {}
        Column::Text(text) => return proto_value(text.as_bytes()).map(Some),
        Column::Blob(bytes) => return proto_value(bytes).map(Some),
        other => return Err(data_loss(format!("a proto property holds {other:?}"))),
    }
    Ok(opt_int(row, 8)?.map(|value| value::Value::BoolValue(value != 0)))
}

/// A proto is stored as base64, or as its bytes, which begin with a character that base64 has not.
fn proto_value(stored: &[u8]) -> Result<value::Value> {
    let decoded = BASE64.decode(stored);
    let bytes = decoded.as_deref().unwrap_or(stored);
    prost_types::Any::decode(bytes)
        .map(value::Value::ProtoValue)
        .map_err(|e| data_loss("a proto property is not an Any").caused_by(e))
}

/// A string or a struct. MLMD updates `string_value` and leaves `byte_value` as it is, so what
/// stands there counts only where the two agree.
fn string_value(text: String, exact: Column<'_>) -> value::Value {
    if let Column::Blob(bytes) = exact
        && let Some(exact) = text.strip_prefix(' ').filter(|text| text.as_bytes() == bytes)
    {
        return value::Value::StringValue(exact.to_owned());
    }
    let decoded = text
        .strip_prefix(STRUCT_PREFIX)
        .and_then(|encoded| BASE64.decode(encoded).ok())
        .and_then(|bytes| prost_types::Struct::decode(&bytes[..]).ok());
    decoded.map_or(value::Value::StringValue(text), value::Value::StructValue)
}

/// A double, whose bits stand in `byte_value` where the column cannot hold them; as with strings,
/// they count only where the two agree.
fn double_value(stored: f64, exact: Column<'_>) -> value::Value {
    let bits = match exact {
        Column::Blob(bytes) => bytes.try_into().ok().map(u64::from_le_bytes),
        _ => None,
    };
    let exact = bits.map(f64::from_bits);
    let agrees = |exact: &f64| {
        *exact == stored || (exact.is_nan() && stored.is_nan()) || finite(*exact) == stored
    };
    value::Value::DoubleValue(exact.filter(agrees).unwrap_or(stored))
}

/// The number that stands for a double where a column holds finite ones only. The infinities keep
/// their place in every order; what stands for NaN is a number that nobody has.
fn finite(double: f64) -> f64 {
    if double.is_nan() { f64::MAX.next_down() } else { double.clamp(f64::MIN, f64::MAX) }
}

/// The columns `double_value` and `byte_value` of a double; whether the column holds the special
/// ones differs between databases.
fn double_columns(double: f64, has_special: bool) -> [Value<'static>; 2] {
    let stored = match double {
        _ if !has_special => Value::Real(finite(double)),
        _ if double.is_nan() => Value::Text(NAN.into()),
        _ => Value::Real(double),
    };
    // SQL knows one NaN, and a database may store a negative zero as the integer 0.
    let plain = double.to_bits() == f64::NAN.to_bits() || !double.is_nan();
    let plain = plain && double.to_bits() != (-0.0_f64).to_bits();
    let plain = plain && (has_special || double.is_finite());
    let exact = Value::Blob(double.to_bits().to_le_bytes().to_vec().into());
    [stored, if plain { Value::Null } else { exact }]
}

/// Whether a string stands after a blank in `string_value`.
pub(crate) fn is_written_otherwise(text: &str) -> bool {
    text.starts_with(STRUCT_PREFIX) || text == MLMD_NULL
}

/// The six value columns of a property: int, double, string, byte, proto, bool.
pub(crate) fn value_columns(
    value: &PropertyValue,
    special_doubles: bool,
    raw_protos: bool,
) -> [Value<'_>; 6] {
    let mut columns = [const { Value::Null }; 6];
    match &value.value {
        None => {}
        Some(value::Value::IntValue(value)) => columns[0] = Value::Int(*value),
        Some(value::Value::DoubleValue(value)) => {
            [columns[1], columns[3]] = double_columns(*value, special_doubles);
        }
        Some(value::Value::StringValue(text)) => {
            if is_written_otherwise(text) {
                columns[2] = Value::Text(format!(" {text}").into());
                columns[3] = Value::Blob(text.as_bytes().into());
            } else {
                columns[2] = text.as_str().into();
            }
        }
        Some(value::Value::StructValue(value)) => {
            let encoded = BASE64.encode(value.encode_to_vec());
            columns[2] = Value::Text(format!("{STRUCT_PREFIX}{encoded}").into());
        }
        Some(value::Value::ProtoValue(value)) if raw_protos => {
            columns[4] = Value::Blob(value.encode_to_vec().into());
        }
        Some(value::Value::ProtoValue(value)) => {
            columns[4] = Value::Text(BASE64.encode(value.encode_to_vec()).into());
        }
        Some(value::Value::BoolValue(value)) => columns[5] = Value::Bool(*value),
    }
    columns
}

/// A type without its properties and its base type.
pub(crate) fn node_type<T: NodeType>(row: &dyn Row) -> Result<T> {
    let mut node_type = T::default();
    node_type.set_head(TypeHead {
        id: int(row, 0)?,
        name: opt_text(row, 1)?.unwrap_or_default(),
        version: opt_text(row, 2)?,
        description: opt_text(row, 3)?,
        external_id: opt_text(row, 6)?,
    });
    let struct_type = |index| match opt_text(row, index)? {
        Some(text) if !text.is_empty() => {
            let bytes = json::to_bytes(STRUCT_TYPE, &text)
                .map_err(|e| data_loss("a struct type is not readable").caused_by(e))?;
            Message::decode(&bytes[..])
                .map(Some)
                .map_err(|e| data_loss("a struct type is not readable").caused_by(e))
        }
        _ => Ok(None),
    };
    node_type.set_struct_types([struct_type(4)?, struct_type(5)?]);
    Ok(node_type)
}

/// The struct types of an execution type as the JSON that the table holds.
pub(crate) fn struct_columns<T: NodeType>(node_type: &T) -> Result<[Option<String>; 2]> {
    let [input, output] = node_type.struct_types().map(|struct_type| {
        struct_type
            .map(|message| json::from_bytes(STRUCT_TYPE, &message.encode_to_vec(), false))
            .transpose()
    });
    Ok([input?, output?])
}

/// An event without its path, and its row's id.
pub(crate) fn event(row: &dyn Row) -> Result<(i64, Event)> {
    let event = Event {
        artifact_id: Some(int(row, 1)?),
        execution_id: Some(int(row, 2)?),
        r#type: i32::try_from(int(row, 3)?).ok(),
        milliseconds_since_epoch: opt_int(row, 4)?,
        ..Event::default()
    };
    Ok((int(row, 0)?, event))
}

/// One step of a path as it was read.
pub(crate) struct PathRow {
    pub(crate) event_id: i64,
    /// Its place in the path, where the row says it.
    pub(crate) position: Option<i64>,
    pub(crate) step: Step,
}

pub(crate) fn path_step(row: &dyn Row) -> Result<PathRow> {
    let (index, key) = (opt_int(row, 2)?, opt_text(row, 3)?);
    let (value, position) = if int(row, 1)? != 0 {
        let index = index.ok_or_else(|| data_loss("an index step of a path has no index"))?;
        (step::Value::Index(index), key.and_then(|key| key.parse().ok()))
    } else {
        (step::Value::Key(key.unwrap_or_default()), index)
    };
    Ok(PathRow { event_id: int(row, 0)?, position, step: Step { value: Some(value) } })
}

/// The columns of a path's steps after the event's id. A step without a value is left out.
pub(crate) fn path_columns(
    path: Option<&event::Path>,
    with_positions: bool,
) -> Vec<[Value<'_>; 3]> {
    let steps = path.map_or(&[][..], |path| &path.steps).iter().filter_map(|s| s.value.as_ref());
    let position = |at: i64| Some(at).filter(|_| with_positions);
    (0..)
        .zip(steps)
        .map(|(at, step)| match step {
            step::Value::Index(index) => {
                let position = position(at).map(|at| Value::Text(at.to_string().into()));
                [Value::Bool(true), Value::Int(*index), position.unwrap_or(Value::Null)]
            }
            step::Value::Key(key) => {
                let position = position(at).map_or(Value::Null, Value::Int);
                [Value::Bool(false), position, key.as_str().into()]
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Columns<'r>([Column<'r>; 9]);

    impl Row for Columns<'_> {
        fn column(&self, index: usize) -> Result<Column<'_>> {
            Ok(self.0[index])
        }
    }

    fn round_trip(value: &PropertyValue, special_doubles: bool) -> PropertyValue {
        let columns = value_columns(value, special_doubles, false);
        let mut row = [Column::Null; 9];
        row[0] = Column::Int(1);
        row[1] = Column::Text("p");
        row[2] = Column::Int(0);
        for (at, column) in columns.iter().enumerate() {
            row[at + 3] = match column {
                Value::Int(value) => Column::Int(*value),
                Value::Bool(value) => Column::Int(i64::from(*value)),
                Value::Real(value) => Column::Real(*value),
                Value::Text(value) => Column::Text(value),
                Value::Blob(value) => Column::Blob(value),
                _ => Column::Null,
            };
        }
        property(&Columns(row)).expect("what was written reads").value
    }

    #[test]
    fn every_string_reads_back_as_it_was() {
        for text in [
            "",
            "a",
            MLMD_NULL,
            STRUCT_PREFIX,
            "mlmd-struct::Cg4KAWsSCREAAAAAAADwPw==",
            " mlmd-struct::",
            "a\0b",
            "\u{1f600}",
            "nan",
            "1",
        ] {
            let value = PropertyValue { value: Some(value::Value::StringValue(text.to_owned())) };
            assert_eq!(round_trip(&value, true), value);
        }
    }

    #[test]
    fn every_double_reads_back_bit_for_bit() {
        let bits = [0x7ff8_0000_0000_0001, 0xfff8_0000_0000_0000, 0x7ff0_0000_0000_0001];
        let doubles = [0.0, -0.0, 1e-7, 1.0 / 3.0, f64::MAX, 5e-324, f64::INFINITY, f64::NAN]
            .into_iter()
            .chain(bits.map(f64::from_bits));
        for (double, has_special) in doubles.flat_map(|of| [(of, true), (of, false)]) {
            let value = PropertyValue { value: Some(value::Value::DoubleValue(double)) };
            let read = round_trip(&value, has_special).value;
            let Some(value::Value::DoubleValue(read)) = read else {
                panic!("{double} is no longer a double");
            };
            assert_eq!(read.to_bits(), double.to_bits());
        }
    }

    #[test]
    fn what_mlmd_wrote_over_a_value_counts() {
        const ZERO: &[u8] = &(-0.0_f64).to_bits().to_le_bytes();
        let row = |columns: [Column<'static>; 6]| {
            let [int, double, string, byte, proto, bool] = columns;
            let head = [Column::Int(1), Column::Text("p"), Column::Int(0)];
            let [a, b, c] = head;
            property(&Columns([a, b, c, int, double, string, byte, proto, bool]))
                .expect("a value")
                .value
                .value
        };
        let null = Column::Null;
        let double = [null, Column::Real(5.0), null, Column::Blob(ZERO), null, null];
        assert_eq!(row(double), Some(value::Value::DoubleValue(5.0)));
        let bytes = Column::Blob(MLMD_NULL.as_bytes());
        let string = [null, null, Column::Text("new"), bytes, null, null];
        assert_eq!(row(string), Some(value::Value::StringValue("new".into())));
    }

    #[test]
    fn a_struct_is_written_as_mlmd_writes_it() {
        let number = prost_types::Value { kind: Some(prost_types::value::Kind::NumberValue(1.0)) };
        let fields = [("k".to_owned(), number)].into();
        let value = PropertyValue {
            value: Some(value::Value::StructValue(prost_types::Struct { fields })),
        };
        let expected = "mlmd-struct::Cg4KAWsSCREAAAAAAADwPw==";
        assert_eq!(value_columns(&value, true, false)[2], Value::from(expected));
        assert_eq!(round_trip(&value, true), value);
    }
}
