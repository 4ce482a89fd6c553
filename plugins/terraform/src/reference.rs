//! `parse_reference`: the parts of a secret reference.

use whimbrel_sdk::prelude::*;

/// Reads `secret://BACKEND/PATH?version=V#KEY`.
///
/// # Errors
/// It is none.
pub fn parse(text: &str) -> Result<Json, Fault> {
    let wrong = || {
        let message = "expected `secret://BACKEND/PATH?version=V#KEY`";
        Fault::invalid("/0", message).with_hint("such as `secret://vault/database#password`")
    };
    let rest = text.strip_prefix("secret://").ok_or_else(wrong)?;
    let (rest, key) = match rest.split_once('#') {
        Some((rest, key)) => (rest, Some(key)),
        None => (rest, None),
    };
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let (backend, path) = rest.split_once('/').ok_or_else(wrong)?;
    if backend.is_empty() || path.is_empty() {
        return Err(wrong());
    }
    let version = match query {
        None => None,
        Some(query) => Some(query.strip_prefix("version=").ok_or_else(wrong)?),
    };
    Ok(json!({ "secret": backend, "path": path, "version": version, "key": key }))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use whimbrel_sdk::prelude::*;

    #[test]
    fn a_reference_has_four_parts() {
        let whole = parse("secret://vault/kv/shop?version=3#password").unwrap();
        let expected =
            json!({ "secret": "vault", "path": "kv/shop", "version": "3", "key": "password" });
        assert_eq!(whole, expected);
        assert_eq!(parse("secret://env/A").unwrap()["key"], Json::Null);
        for wrong in [
            "vault/kv",
            "secret://env",
            "secret:///a",
            "secret://env/A?v=1",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
