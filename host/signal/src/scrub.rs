//! Takes secret values out of whatever is about to be shown.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use zeroize::Zeroizing;

/// What stands in for a secret value.
const REDACTED: &str = "[redacted]";

/// Values shorter than this aren't looked for: they would blank out ordinary words.
const MINIMUM_LENGTH: usize = 4;

/// Knows every live secret value in its usual encodings. Clones share what they know.
#[derive(Clone, Default)]
pub struct Scrubber {
    forms: Arc<RwLock<Vec<Zeroizing<String>>>>,
}

impl Scrubber {
    /// Remembers a value: raw, JSON-escaped, URL-encoded and hexadecimal.
    pub fn register(&self, value: &str) {
        if value.len() < MINIMUM_LENGTH {
            return;
        }
        let json = serde_json::Value::String(value.to_owned()).to_string();
        let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        let url: String = value
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect();
        let mut known = self.forms.write().unwrap_or_else(PoisonError::into_inner);
        for form in [
            value.to_owned(),
            json.trim_matches('"').to_owned(),
            url,
            hex,
        ] {
            if !known.iter().any(|other| **other == form) {
                known.push(Zeroizing::new(form));
            }
        }
        // Longest first, so that a secret which contains another one is taken out whole.
        known.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// The text with every known value replaced.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let known = self.forms.read().unwrap_or_else(PoisonError::into_inner);
        let mut clean = text.to_owned();
        for form in known.iter() {
            if clean.contains(form.as_str()) {
                clean = clean.replace(form.as_str(), REDACTED);
            }
        }
        clean
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Scrubber")
    }
}

#[cfg(test)]
mod tests {
    use super::Scrubber;

    #[test]
    fn takes_out_every_usual_form() {
        let scrubber = Scrubber::default();
        scrubber.register("p\"ss w/rd");
        let text = r#"raw p"ss w/rd json p\"ss w/rd url p%22ss%20w%2Frd hex 70227373207 72f7264"#;
        let clean = scrubber.scrub(text);
        assert!(
            !clean.contains("ss w/rd") && !clean.contains("p%22ss"),
            "{clean}"
        );
    }

    #[test]
    fn leaves_short_words_alone() {
        let scrubber = Scrubber::default();
        scrubber.register("abc");
        assert_eq!(scrubber.scrub("abc"), "abc");
    }
}
