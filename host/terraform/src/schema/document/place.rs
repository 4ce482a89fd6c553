//! Where in a document something is wrong.

/// A provider's document is wrong: what, and where as a JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the schema of the provider is wrong at {pointer:?}: {why}")]
pub struct SchemaError {
    pub(super) why: String,
    pub(super) pointer: String,
}

/// Where in the document; the way down is a list on the stack, so that only an error costs a text.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    before: Option<&'a Place<'a>>,
    name: &'a str,
}

pub(super) const ROOT: Place<'static> = Place {
    before: None,
    name: "",
};

impl Place<'_> {
    pub(super) const fn at<'a>(&'a self, name: &'a str) -> Place<'a> {
        Place {
            before: Some(self),
            name,
        }
    }

    pub(super) fn pointer(&self) -> String {
        self.before.map_or_else(String::new, |before| {
            let name = self.name.replace('~', "~0").replace('/', "~1");
            format!("{}/{name}", before.pointer())
        })
    }

    pub(super) fn wrong(&self, why: impl Into<String>) -> SchemaError {
        SchemaError {
            why: why.into(),
            pointer: self.pointer(),
        }
    }
}
