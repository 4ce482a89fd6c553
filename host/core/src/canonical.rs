//! Canonical JSON: one text for one meaning, so that a checksum says whether two definitions are the same.

use serde::Serialize;
use serde_json::{Number, Value as Json};

/// A value has no canonical form.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// Not representable as JSON at all.
    #[error("a definition can't be written as JSON")]
    Json(#[from] serde_json::Error),
    /// NaN, infinite, or an integer beyond 64 bits.
    #[error("the number {0} can't be kept exactly; write it as text")]
    Number(String),
}

/// The canonical form: keys sorted by their bytes, integral numbers as integers, other numbers shortest round-trip,
/// absent staying absent.
///
/// # Errors
/// [`CanonicalError`] when a value has no canonical form.
pub fn canonical<T: Serialize>(value: &T) -> Result<Json, CanonicalError> {
    let mut value = serde_json::to_value(value)?;
    normalize(&mut value)?;
    Ok(value)
}

/// The canonical text of a value that is canonical already: no blanks, sorted keys.
#[must_use]
pub fn text(value: &Json) -> String {
    // serde_json's map is sorted (a BTreeMap) as long as nobody turns on `preserve_order`; `sorted` doesn't rely on it.
    let mut out = Vec::with_capacity(256);
    write(value, &mut out);
    // What serde_json writes is UTF-8.
    String::from_utf8(out)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn write(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
            out.push(b'{');
            for (index, (key, member)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_plain(key, out);
                out.push(b':');
                write(member, out);
            }
            out.push(b'}');
        }
        Json::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        scalar => write_plain(scalar, out),
    }
}

/// A key or a scalar, which have one form only.
fn write_plain<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    // Neither can fail to be written, nor can a vector to be written to.
    let _ = serde_json::to_writer(out, value);
}

fn normalize(value: &mut Json) -> Result<(), CanonicalError> {
    match value {
        Json::Number(number) => *number = number_form(number)?,
        Json::Array(items) => items.iter_mut().try_for_each(normalize)?,
        Json::Object(map) => map.values_mut().try_for_each(normalize)?,
        _ => {}
    }
    Ok(())
}

/// The largest double below which every integer is exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

#[allow(clippy::cast_possible_truncation)]
fn number_form(number: &Number) -> Result<Number, CanonicalError> {
    if number.is_i64() || number.is_u64() {
        return Ok(number.clone());
    }
    let refused = || CanonicalError::Number(number.to_string());
    let real = number
        .as_f64()
        .filter(|real| real.is_finite())
        .ok_or_else(refused)?;
    if real.fract() == 0.0 && real.abs() < EXACT {
        return Ok(Number::from(real as i64));
    }
    if real.fract() == 0.0 {
        return Err(refused());
    }
    Number::from_f64(real).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::{canonical, text};
    use serde_json::json;

    #[test]
    fn sorts_keys_and_folds_integral_numbers() {
        let value = canonical(&json!({"b": 1.0, "a": [1.5, -0.0, 1e3], "é": null})).unwrap();
        assert_eq!(text(&value), r#"{"a":[1.5,0,1000],"b":1,"é":null}"#);
    }

    #[test]
    fn refuses_numbers_that_are_not_exact() {
        assert!(canonical(&json!(1e300)).is_err());
        assert!(canonical(&json!(u64::MAX)).is_ok());
    }
}
