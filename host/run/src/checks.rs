//! Checks before and after a migration: a query whose single value must be as expected.

use serde_json::Value as Json;
use whimbrel_core::definition::Check;
use whimbrel_core::value::Value;
use whimbrel_database::session::read;
use whimbrel_database::{Command, DatabaseError, Session};

/// Runs the checks in order, none of which can write; the first that doesn't hold, told to a person.
///
/// # Errors
///
/// The database refuses a query, or one tries to write.
pub async fn failing(
    session: &mut dyn Session,
    checks: &[Check],
) -> Result<Option<String>, DatabaseError> {
    for check in checks {
        let command = Command::with(check.query.clone(), Vec::new());
        let done = read(session, command).await.map_err(|mut error| {
            error.message = format!("the check `{}`: {}", check.name, error.message);
            error
        })?;
        let rows = &done.rows;
        let Some(value) = rows.single() else {
            return Ok(Some(format!("the check `{}` gave no row", check.name)));
        };
        // Whichever of several came first would say how it stands.
        if (rows.rows.len(), rows.columns.len()) != (1, 1) {
            return Ok(Some(format!(
                "the check `{}` gave {} values, and must give one",
                check.name,
                rows.rows.len() * rows.columns.len()
            )));
        }
        if !equals(value, &check.equals) {
            return Ok(Some(format!(
                "the check `{}` does not hold: expected {}, got {}",
                check.name,
                check.equals,
                value.display()
            )));
        }
    }
    Ok(None)
}

/// Compares as a number where a number is expected, as a boolean where a boolean is (SQLite has 0 and 1), and as text
/// otherwise.
fn equals(value: &Value, expected: &Json) -> bool {
    match expected {
        Json::Null => *value == Value::Null,
        Json::Bool(expected) => match value {
            Value::Boolean(value) => value == expected,
            Value::Integer(value) => *value == i64::from(*expected),
            _ => false,
        },
        Json::Number(expected) => match value {
            Value::Integer(value) => expected.as_i64() == Some(*value),
            Value::Real(_) | Value::Decimal(_) => {
                value.display().parse::<f64>().ok() == expected.as_f64()
            }
            _ => false,
        },
        Json::String(expected) => value.display() == *expected,
        Json::Array(_) | Json::Object(_) => {
            serde_json::from_str::<Json>(&value.display()).is_ok_and(|value| value == *expected)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::equals;
    use serde_json::json;
    use whimbrel_core::value::Value;

    #[test]
    fn compares_by_what_is_expected() {
        assert!(equals(&Value::Integer(0), &json!(0)));
        assert!(!equals(&Value::Text("0".into()), &json!(0)));
        assert!(equals(&Value::Decimal("1.50".into()), &json!(1.5)));
        assert!(equals(&Value::Integer(1), &json!(true)));
        assert!(equals(&Value::Boolean(false), &json!(false)));
        assert!(equals(&Value::Text("ok".into()), &json!("ok")));
        assert!(equals(&Value::Integer(5), &json!("5")));
        assert!(equals(&Value::Json("{\"a\": 1}".into()), &json!({"a": 1})));
        assert!(equals(&Value::Null, &json!(null)));
        assert!(!equals(&Value::Null, &json!(true)));
    }
}
