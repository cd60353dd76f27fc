//! Values: whatever is put reads back, bit for bit.

use headwater_proto::ml_metadata::{Artifact, Value, value};
use prost_types::{Any, ListValue, Struct, value::Kind};

use super::{Fresh, artifact, behaviours, double, int, properties, text};

behaviours! {
    integers_keep_all_64_bits
    doubles_keep_every_bit
    strings_keep_every_character
    structs_protos_and_booleans_read_back
    a_value_of_a_megabyte_reads_back
}

/// Stores the value as a property and as a custom property, and reads both back.
fn round_trip(fresh: &Fresh, name: &str, value: &Value) -> [Value; 2] {
    let type_id = fresh.artifact_type("A");
    let node = Artifact {
        properties: properties([(name, value.clone())]),
        custom_properties: properties([(name, value.clone())]),
        ..artifact(type_id)
    };
    let id = fresh.artifacts([node])[0];
    let stored = fresh.artifact(id);
    [stored.properties[name].clone(), stored.custom_properties[name].clone()]
}

fn integers_keep_all_64_bits(fresh: &Fresh) {
    for number in [0, 1, -1, i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1] {
        assert_eq!(round_trip(fresh, "i", &int(number)), [int(number), int(number)]);
    }
}

fn doubles_keep_every_bit(fresh: &Fresh) {
    let plain = [0.0, -0.0, 1e-7, 1.0 / 3.0, 0.1 + 0.2, 5e-324, f64::MAX, f64::MIN, 3.0];
    let odd = [f64::NAN, -f64::NAN, f64::from_bits(0x7ff0_0000_0000_0001)];
    for number in plain.into_iter().chain(odd).chain([f64::INFINITY, f64::NEG_INFINITY]) {
        for read in round_trip(fresh, "d", &double(number)) {
            let Some(value::Value::DoubleValue(read)) = read.value else { panic!("{read:?}") };
            assert_eq!(read.to_bits(), number.to_bits(), "{number}");
        }
    }
}

fn strings_keep_every_character(fresh: &Fresh) {
    for string in [
        "",
        " ",
        "it's \"quoted\" `back` \\ %_",
        "a\0b",
        "\0",
        "__MLMD_NULL__",
        "mlmd-struct::",
        "mlmd-struct::Cg4KAWsSCREAAAAAAADwPw==",
        "12345678901234567890",
        "007",
        "1e5",
        "nan",
        "line\r\nbreak\ttab",
        "\u{e9}\u{65}\u{301}\u{1f600}\u{202e}\u{feff}",
        "'; DROP TABLE Artifact; --",
    ] {
        assert_eq!(round_trip(fresh, "s", &text(string)), [text(string), text(string)], "{string}");
    }
}

fn structs_protos_and_booleans_read_back(fresh: &Fresh) {
    let number = prost_types::Value { kind: Some(Kind::NumberValue(1e-9)) };
    let list = ListValue { values: vec![number.clone(), prost_types::Value { kind: None }] };
    let fields = [
        ("n".to_owned(), number),
        ("l".to_owned(), prost_types::Value { kind: Some(Kind::ListValue(list)) }),
        ("null".to_owned(), prost_types::Value { kind: Some(Kind::NullValue(0)) }),
        (String::new(), prost_types::Value { kind: Some(Kind::StringValue("x".into())) }),
    ];
    let structs = [Struct::default(), Struct { fields: fields.into() }];
    for value in structs.map(value::Value::StructValue) {
        let value = Value { value: Some(value) };
        assert_eq!(round_trip(fresh, "t", &value), [value.clone(), value]);
    }
    let protos = [
        Any::default(),
        Any { type_url: "type.googleapis.com/x.Y".into(), value: vec![0, 255, 10] },
    ];
    for value in protos.map(value::Value::ProtoValue) {
        let value = Value { value: Some(value) };
        assert_eq!(round_trip(fresh, "p", &value), [value.clone(), value]);
    }
    for value in [true, false].map(value::Value::BoolValue) {
        let value = Value { value: Some(value) };
        assert_eq!(round_trip(fresh, "b", &value), [value.clone(), value]);
    }
}

fn a_value_of_a_megabyte_reads_back(fresh: &Fresh) {
    let long = text(&"x\u{e9}".repeat(1 << 19));
    assert_eq!(round_trip(fresh, "s", &long), [long.clone(), long]);
}
