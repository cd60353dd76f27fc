//! Canonical JSON of the contracts' messages, by their full name.

use headwater_proto::descriptors;
use prost::Message;
use prost_reflect::DynamicMessage;

use crate::error::{Result, internal, invalid};

fn descriptor(message: &str) -> Result<prost_reflect::MessageDescriptor> {
    descriptors()
        .get_message_by_name(message)
        .ok_or_else(|| internal(format!("the contracts have no message `{message}`")))
}

/// Encodes JSON as the named message. Unknown fields and wrong types are refused by name.
pub(crate) fn to_bytes(message: &str, json: &str) -> Result<Vec<u8>> {
    let name = message.rsplit('.').next().unwrap_or(message);
    let refuse =
        |e: serde_json::Error| invalid(format!("the request is not a `{name}` in JSON: {e}"));
    let mut reader = serde_json::Deserializer::from_str(json);
    let decoded = DynamicMessage::deserialize(descriptor(message)?, &mut reader).map_err(refuse)?;
    reader.end().map_err(refuse)?;
    Ok(decoded.encode_to_vec())
}

/// The JSON of an encoded message, on one line or made for reading.
pub(crate) fn from_bytes(message: &str, bytes: &[u8], pretty: bool) -> Result<String> {
    let decoded = DynamicMessage::decode(descriptor(message)?, bytes)
        .map_err(|e| internal(format!("a `{message}` cannot be decoded")).caused_by(e))?;
    let json = if pretty {
        serde_json::to_string_pretty(&decoded)
    } else {
        serde_json::to_string(&decoded)
    };
    json.map_err(|e| internal(format!("a `{message}` has no JSON form")).caused_by(e))
}
