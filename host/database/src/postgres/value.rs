//! Reads PostgreSQL's binary values.

use std::error::Error;

use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::types::{FromSql, Kind, Type};
use whimbrel_core::value::Value;

use super::numeric;

type Failure = Box<dyn Error + Sync + Send>;

/// Any value at all.
pub(super) struct Column(pub(super) Value);

impl<'a> FromSql<'a> for Column {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        value(ty, raw).map(Column)
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failure> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn value(ty: &Type, raw: &[u8]) -> Result<Value, Failure> {
    match ty.kind() {
        Kind::Enum(_) => return Ok(Value::Other(text(raw)?, ty.name().to_owned())),
        Kind::Domain(inner) => return value(inner, raw),
        Kind::Array(element) => {
            return Ok(Value::Other(
                array(element, raw)?,
                ty.name().trim_start_matches('_').to_owned() + "[]",
            ));
        }
        _ => {}
    }
    Ok(match *ty {
        Type::BOOL => Value::Boolean(bool::from_sql(ty, raw)?),
        Type::INT2 => Value::Integer(i16::from_sql(ty, raw)?.into()),
        Type::INT4 => Value::Integer(i32::from_sql(ty, raw)?.into()),
        Type::INT8 => Value::Integer(i64::from_sql(ty, raw)?),
        Type::OID | Type::XID | Type::CID | Type::REGCLASS | Type::REGTYPE => {
            Value::Integer(u32::from_be_bytes(raw.try_into()?).into())
        }
        Type::XID8 => Value::Decimal(u64::from_be_bytes(raw.try_into()?).to_string()),
        Type::CHAR => Value::Text(raw.iter().map(|byte| char::from(*byte)).collect()),
        Type::FLOAT4 => Value::Real(f32::from_sql(ty, raw)?.into()),
        Type::FLOAT8 => Value::Real(f64::from_sql(ty, raw)?),
        Type::NUMERIC => Value::Decimal(numeric::text(raw)?),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::XML => {
            Value::Text(text(raw)?)
        }
        Type::JSON => Value::Json(text(raw)?),
        Type::JSONB => Value::Json(text(raw.get(1..).unwrap_or_default())?),
        Type::BYTEA => Value::Bytes(raw.to_vec()),
        Type::UUID => Value::Other(uuid::Uuid::from_slice(raw)?.to_string(), "uuid".to_owned()),
        Type::DATE => date(i32::from_sql(ty_i32(), raw)?)?,
        Type::TIME => Value::Time(time(i64::from_sql(ty_i64(), raw)?)?.to_string()),
        Type::TIMESTAMP => timestamp(i64::from_sql(ty_i64(), raw)?, |instant| {
            DateTime::from(instant.to_zoned(jiff::tz::TimeZone::UTC)).to_string()
        })?,
        Type::TIMESTAMPTZ => {
            timestamp(i64::from_sql(ty_i64(), raw)?, |instant| instant.to_string())?
        }
        Type::INTERVAL => Value::Other(interval(raw)?, "interval".to_owned()),
        Type::VOID => Value::Null,
        _ => {
            return Err(format!(
                "values of type {} can't be read here; cast it to text",
                ty.name()
            )
            .into());
        }
    })
}

const fn ty_i32() -> &'static Type {
    &Type::INT4
}

const fn ty_i64() -> &'static Type {
    &Type::INT8
}

fn text(raw: &[u8]) -> Result<String, Failure> {
    Ok(std::str::from_utf8(raw)?.to_owned())
}

/// Microseconds from 1970 to 2000, where PostgreSQL's time begins.
const EPOCH: i64 = 946_684_800_000_000;

fn timestamp(microseconds: i64, print: impl Fn(Timestamp) -> String) -> Result<Value, Failure> {
    let text = match microseconds {
        i64::MAX => "infinity".to_owned(),
        i64::MIN => "-infinity".to_owned(),
        _ => {
            let since = microseconds
                .checked_add(EPOCH)
                .ok_or("a timestamp is out of range")?;
            print(Timestamp::from_microsecond(since)?)
        }
    };
    Ok(Value::Time(text))
}

fn date(days: i32) -> Result<Value, Failure> {
    let text = match days {
        i32::MAX => "infinity".to_owned(),
        i32::MIN => "-infinity".to_owned(),
        _ => Date::new(2000, 1, 1)?
            .checked_add(SignedDuration::from_hours(i64::from(days) * 24))?
            .to_string(),
    };
    Ok(Value::Time(text))
}

fn time(microseconds: i64) -> Result<Time, Failure> {
    Ok(Time::midnight()
        .checked_add(SignedDuration::from_micros(microseconds))
        .unwrap_or(Time::MAX))
}

/// ISO 8601, as `IntervalStyle = iso_8601` writes it, with months and days kept apart.
fn interval(raw: &[u8]) -> Result<String, Failure> {
    let part = |from: usize, to: usize| raw.get(from..to).ok_or("an interval is too short");
    let microseconds = i64::from_be_bytes(part(0, 8)?.try_into()?);
    let days = i32::from_be_bytes(part(8, 12)?.try_into()?);
    let months = i32::from_be_bytes(part(12, 16)?.try_into()?);
    let sign = if microseconds < 0 { "-" } else { "" };
    let (seconds, fraction) = (
        microseconds.unsigned_abs() / 1_000_000,
        microseconds.unsigned_abs() % 1_000_000,
    );
    let fraction = if fraction == 0 {
        String::new()
    } else {
        format!(".{fraction:06}")
    };
    Ok(format!("P{months}M{days}DT{sign}{seconds}{fraction}S"))
}

/// `{a,"b c",NULL}`, as PostgreSQL prints arrays.
fn array(element: &Type, raw: &[u8]) -> Result<String, Failure> {
    let array = postgres_array(raw)?;
    if array.dimensions > 1 {
        return Err("arrays of several dimensions can't be read here; cast it to text".into());
    }
    let mut items = Vec::with_capacity(array.items.len());
    for item in array.items {
        items.push(match item {
            None => "NULL".to_owned(),
            Some(raw) => match value(element, raw)? {
                Value::Text(text) | Value::Json(text) | Value::Time(text) => quote_item(&text),
                other => other.display(),
            },
        });
    }
    Ok(format!("{{{}}}", items.join(",")))
}

fn quote_item(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

struct Array<'a> {
    dimensions: i32,
    items: Vec<Option<&'a [u8]>>,
}

fn postgres_array(raw: &[u8]) -> Result<Array<'_>, Failure> {
    let mut rest = raw;
    let dimensions = take_i32(&mut rest)?;
    let _has_nulls = take_i32(&mut rest)?;
    let _element = take_i32(&mut rest)?;
    let mut items = Vec::new();
    if dimensions == 1 {
        let length = take_i32(&mut rest)?;
        let _lower_bound = take_i32(&mut rest)?;
        for _ in 0..length {
            let Ok(size) = usize::try_from(take_i32(&mut rest)?) else {
                items.push(None);
                continue;
            };
            let (item, after) = rest.split_at_checked(size).ok_or("an array is too short")?;
            items.push(Some(item));
            rest = after;
        }
    }
    Ok(Array { dimensions, items })
}

fn take_i32(rest: &mut &[u8]) -> Result<i32, Failure> {
    let (head, after) = rest.split_at_checked(4).ok_or("a value is too short")?;
    *rest = after;
    Ok(i32::from_be_bytes(head.try_into()?))
}
