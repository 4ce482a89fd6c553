//! `DynamicValue`: a value on the wire, in msgpack or JSON.

use super::{Place, Type, Value, ValueError, json, msgpack};
use crate::message::DynamicValue;

/// Reads what Terraform sent; nothing at all is null.
pub(crate) fn from_wire(wire: Option<&DynamicValue>, kind: &Type) -> Result<Value, ValueError> {
    let Some(wire) = wire else {
        return Ok(Value::Null);
    };
    if !wire.msgpack.is_empty() {
        return msgpack::decode(&wire.msgpack, kind);
    }
    if wire.json.is_empty() {
        return Ok(Value::Null);
    }
    let text = std::str::from_utf8(&wire.json)
        .map_err(|_| Place::default().wrong("the JSON isn't UTF-8"))?;
    json::decode(text, kind, json::Notation::Plain)
}

/// Writes a value, always as msgpack: Terraform doesn't read JSON everywhere.
pub(crate) fn to_wire(value: &Value, kind: &Type) -> Result<DynamicValue, ValueError> {
    Ok(DynamicValue {
        msgpack: msgpack::encode(value, kind)?,
        json: Vec::new(),
    })
}
