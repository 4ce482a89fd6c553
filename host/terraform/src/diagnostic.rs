//! What is said to the person at Terraform, and about which attribute.

use whimbrel_core::fault::Fault;
use whimbrel_signal::Scrubber;

use crate::message::{self, PathStep, Selector};
use crate::value::{Type, ValueError};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// What was asked for wasn't done.
    Error,
    /// It was done.
    Warning,
}

/// One thing said to the person at Terraform. Secret values that the host knows are taken out before it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub summary: String,
    /// What else is to be said: why, and what would help.
    pub detail: String,
    /// About which attribute, as a JSON pointer into the configuration or the state; empty if about none.
    pub pointer: String,
}

impl Diagnostic {
    /// An error about nothing in particular.
    #[must_use]
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            summary: summary.into(),
            detail: detail.into(),
            pointer: String::new(),
        }
    }

    /// A warning about nothing in particular.
    #[must_use]
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(summary, detail)
        }
    }

    /// The same about the attribute at this JSON pointer.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = pointer.into();
        self
    }

    /// As Terraform is told it; what the pointer doesn't lead to in values of this type is left out of it.
    pub(crate) fn message(&self, kind: &Type, scrubber: &Scrubber) -> message::Diagnostic {
        let severity = match self.severity {
            Severity::Error => message::Severity::Error,
            Severity::Warning => message::Severity::Warning,
        };
        let path = path(&scrubber.scrub(&self.pointer), kind);
        message::Diagnostic {
            severity: severity.into(),
            summary: scrubber.scrub(&self.summary),
            detail: scrubber.scrub(&self.detail),
            attribute: (!path.steps.is_empty()).then_some(path),
        }
    }
}

impl From<Fault> for Diagnostic {
    fn from(fault: Fault) -> Self {
        let detail = match fault.hint {
            Some(hint) => format!("{hint}\n({})", fault.code),
            None => format!("({})", fault.code),
        };
        Self::error(fault.message, detail).at(fault.pointer.unwrap_or_default())
    }
}

impl Diagnostic {
    /// About a value that can't be read or written.
    pub(crate) fn of_value(summary: &str, error: &ValueError) -> Self {
        Self::error(summary, format!("{error}.")).at(error.pointer())
    }
}

/// The attribute's path that a JSON pointer stands for: names of attributes, keys of maps and indexes of lists as the type
/// says. It ends before the first step that leads nowhere, and at a set, whose elements have no names.
pub(crate) fn path(pointer: &str, kind: &Type) -> message::AttributePath {
    let mut steps = Vec::new();
    let mut kind = kind;
    for name in pointer.split('/').skip(1) {
        let name = name.replace("~1", "/").replace("~0", "~");
        let index = || name.parse::<usize>().ok();
        let next = match kind {
            Type::Object(attributes) => attributes
                .get(unescaped(&name))
                .map(|kind| (Selector::AttributeName(unescaped(&name).to_owned()), kind)),
            Type::Map(element) => {
                let key = Selector::ElementKeyString(unescaped(&name).to_owned());
                Some((key, &**element))
            }
            Type::List(element) => index().map(|index| (position(index), &**element)),
            Type::Tuple(elements) => {
                index().and_then(|index| elements.get(index).map(|kind| (position(index), kind)))
            }
            Type::Set(_) | Type::Dynamic | Type::String | Type::Number | Type::Bool => None,
        };
        let Some((selector, inner)) = next else {
            break;
        };
        steps.push(PathStep {
            selector: Some(selector),
        });
        kind = inner;
    }
    message::AttributePath { steps }
}

fn position(index: usize) -> Selector {
    Selector::ElementKeyInt(i64::try_from(index).unwrap_or(i64::MAX))
}

/// A key as it is, without what the JSON of values puts before a `$`.
fn unescaped(name: &str) -> &str {
    match name.strip_prefix('$') {
        Some(rest) if rest.starts_with('$') => rest,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use whimbrel_core::fault::FaultClass;

    use super::*;

    fn kind() -> Type {
        Type::from_json(&json!(["object", {
            "name": "string",
            "anything": "dynamic",
            "labels": ["map", "string"],
            "tags": ["set", ["object", {"key": "string"}]],
            "rules": ["list", ["object", {"from": ["tuple", ["string", "number"]]}]],
        }]))
        .unwrap()
    }

    fn shown(pointer: &str) -> Vec<String> {
        let steps = path(pointer, &kind()).steps.into_iter();
        steps
            .map(|step| match step.selector.unwrap() {
                Selector::AttributeName(name) => format!(".{name}"),
                Selector::ElementKeyString(key) => format!("[{key:?}]"),
                Selector::ElementKeyInt(index) => format!("[{index}]"),
            })
            .collect()
    }

    #[test]
    fn a_pointer_becomes_names_keys_and_indexes() {
        assert_eq!(shown("/name"), [".name"]);
        assert_eq!(shown("/labels/a~1b"), [".labels", "[\"a/b\"]"]);
        assert_eq!(shown("/labels/$$a"), [".labels", "[\"$a\"]"]);
        assert_eq!(shown("/rules/2/from/1"), [".rules", "[2]", ".from", "[1]"]);
    }

    #[test]
    fn a_pointer_ends_where_it_leads_nowhere() {
        assert_eq!(shown(""), [""; 0]);
        assert_eq!(shown("/nothing"), [""; 0]);
        assert_eq!(shown("/tags/0/key"), [".tags"]);
        assert_eq!(shown("/anything/x"), [".anything"]);
        assert_eq!(shown("/rules/x"), [".rules"]);
        assert_eq!(shown("/rules/0/from/2"), [".rules", "[0]", ".from"]);
        assert_eq!(shown("/name/first"), [".name"]);
    }

    #[test]
    fn what_is_said_holds_no_known_secret() {
        let scrubber = Scrubber::default();
        scrubber.register("hunter22");
        let said = Diagnostic::error("bad hunter22", "very hunter22").at("/labels/hunter22");
        let said = said.message(&kind(), &scrubber);
        assert_eq!(
            (said.summary.as_str(), said.detail.as_str()),
            ("bad [redacted]", "very [redacted]")
        );
        let key = said.attribute.unwrap().steps.pop().unwrap().selector;
        assert_eq!(
            key,
            Some(Selector::ElementKeyString("[redacted]".to_owned()))
        );
    }

    #[test]
    fn a_fault_says_what_would_help() {
        let fault =
            Fault::new(FaultClass::Invalid, "x.wrong", "it is wrong").with_hint("make it right");
        let diagnostic = Diagnostic::from(Fault {
            pointer: Some("/name".to_owned()),
            ..fault
        });
        let expected = Diagnostic::error("it is wrong", "make it right\n(x.wrong)").at("/name");
        assert_eq!(diagnostic, expected);
    }
}
