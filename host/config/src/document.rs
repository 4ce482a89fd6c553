//! One document: its text, where everything in it stands, and its typed form.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::check::{Completeness, check};
use crate::node::{self, Node, Part, Value};
use crate::problem::Problem;
use crate::shape::Kind;
use crate::source::Source;
use crate::written_text::nth_character;
use crate::{json, yaml};

/// The languages of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `.yaml` and `.yml`.
    Yaml,
    /// `.json`.
    Json,
}

/// The name of a file without the ending of a document, and the language that the ending says.
pub fn language(name: &str) -> Option<(&str, Language)> {
    let (stem, ending) = name.rsplit_once('.')?;
    match ending {
        "yaml" | "yml" => Some((stem, Language::Yaml)),
        "json" => Some((stem, Language::Json)),
        _ => None,
    }
}

/// A text, and where its parts stand.
#[derive(Clone, Debug)]
pub struct Document {
    /// The text.
    pub source: Source,
    places: Places,
}

#[derive(Clone, Debug)]
enum Places {
    Tree(Node),
    Headers(Vec<(Vec<Part>, Range<usize>)>),
}

/// What every document has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope<S> {
    #[serde(rename = "apiVersion")]
    _version: String,
    #[serde(rename = "kind")]
    _kind: String,
    /// What it is called.
    pub metadata: Metadata,
    /// What it says.
    #[serde(default)]
    pub spec: S,
}

/// What a document is called.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Its name.
    pub name: String,
    #[serde(default, rename = "labels")]
    _labels: BTreeMap<String, String>,
    #[serde(default, rename = "namespace")]
    _namespace: Option<String>,
    #[serde(default, rename = "annotations")]
    _annotations: BTreeMap<String, String>,
}

impl Document {
    /// Reads a document of a kind: its tree, checked, and its typed form.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read<S: DeserializeOwned + Default>(
        source: Source,
        language: Language,
        kind: Kind,
        completeness: Completeness,
    ) -> Result<(Self, Envelope<S>), Vec<Problem>> {
        let source = complete(source);
        let root = tree(&source, language)?;
        let mut problems = Vec::new();
        check(&source, &root, kind.object(), completeness, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let typed = match language {
            Language::Yaml => serde_yaml::from_str(&source.text).map_err(|error| {
                let at = error.location();
                (at.map_or(0, |at| at.index()), error.to_string())
            }),
            Language::Json => serde_json::from_str(&source.text)
                .map_err(|error| (offset(&source.text, &error), error.to_string())),
        };
        match typed {
            Ok(typed) => Ok((
                Self {
                    source,
                    places: Places::Tree(root),
                },
                typed,
            )),
            // The check finds what a typed reader would refuse, and says it better; this is the net below it.
            Err((offset, message)) => Err(vec![source.problem(
                &(offset..offset + 1),
                format!("this can't be read: {message}"),
            )]),
        }
    }

    /// Reads the tree of a document that was read before.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(source: Source, language: Language) -> Result<Self, Vec<Problem>> {
        let source = complete(source);
        let root = tree(&source, language)?;
        Ok(Self {
            source,
            places: Places::Tree(root),
        })
    }

    /// A text without a tree, of which some places are known.
    pub const fn with_headers(source: Source, headers: Vec<(Vec<Part>, Range<usize>)>) -> Self {
        Self {
            source,
            places: Places::Headers(headers),
        }
    }

    /// A problem with the value at the end of a way, or with the nearest one above it.
    pub fn problem(&self, way: &[Part], message: impl Into<String>) -> Problem {
        match &self.places {
            Places::Tree(root) => {
                let found = node::find(root, way);
                let span = match (&found.node.value, found.key_span) {
                    // A whole map or list says less than the key that it stands under.
                    (Value::Map(_) | Value::List(_), Some(key)) => key,
                    (Value::Map(members), None) => members
                        .first()
                        .map_or(&found.node.span, |member| &member.key_span),
                    _ => &found.node.span,
                };
                self.source.problem(span, message)
            }
            Places::Headers(headers) => match headers.iter().find(|(header, _)| header == way) {
                Some((_, span)) => self.source.problem(span, message),
                None => Problem::whole(&self.source.path, message),
            },
        }
    }

    /// A problem with the key at the end of a way.
    pub fn key_problem(&self, way: &[Part], message: impl Into<String>) -> Problem {
        match &self.places {
            Places::Tree(root) => match node::find(root, way).key_span {
                Some(span) => self.source.problem(span, message),
                None => self.problem(way, message),
            },
            Places::Headers(_) => self.problem(way, message),
        }
    }

    /// A problem with a part of a text that is a value: the nth occurrence of something in it.
    pub fn inner_problem(
        &self,
        way: &[Part],
        wanted: &str,
        nth: usize,
        message: impl Into<String>,
    ) -> Problem {
        if let Places::Tree(root) = &self.places {
            let found = node::find(root, way);
            let text = self.source.slice(&found.node.span);
            if let Some((index, _)) = text.match_indices(wanted).nth(nth) {
                let start = found.node.span.start + index;
                return self.source.problem(&(start..start + wanted.len()), message);
            }
        }
        self.problem(way, message)
    }

    /// The byte of the document where the nth character of a text stands that is no white space.
    pub fn character(&self, way: &[Part], nth: usize) -> Option<usize> {
        let Places::Tree(root) = &self.places else {
            return None;
        };
        let found = node::find(root, way);
        let span = &found.node.span;
        let index = nth_character(self.source.slice(span), nth)?;
        (found.whole && found.node.text().is_some()).then_some(span.start + index)
    }

    /// Whether something stands at the end of a way.
    pub fn has(&self, way: &[Part]) -> bool {
        match &self.places {
            Places::Tree(root) => node::find(root, way).whole,
            Places::Headers(headers) => headers.iter().any(|(header, _)| header == way),
        }
    }

    /// The line, from 1, of the value at the end of a way.
    pub fn line(&self, way: &[Part]) -> u32 {
        let offset = match &self.places {
            Places::Tree(root) => node::find(root, way).node.span.start,
            Places::Headers(headers) => headers
                .iter()
                .find(|(header, _)| header == way)
                .map_or(0, |(_, span)| span.start),
        };
        u32::try_from(self.source.line(offset)).unwrap_or(u32::MAX)
    }

    /// The line of the document where the text of a value begins: of a block, the line after its `|`.
    pub fn content_line(&self, way: &[Part]) -> u32 {
        let line = self.line(way);
        match &self.places {
            Places::Tree(root) => {
                let raw = self.source.slice(&node::find(root, way).node.span);
                line + u32::from(raw.starts_with(['|', '>']))
            }
            Places::Headers(_) => line,
        }
    }
}

/// The same with a line break at the end: without one, the last line of a block would lose its own, and an editor that
/// adds it would change the definition.
fn complete(mut source: Source) -> Source {
    if !source.text.ends_with('\n') {
        source.text.push('\n');
    }
    source
}

fn tree(source: &Source, language: Language) -> Result<Node, Vec<Problem>> {
    match language {
        Language::Yaml => yaml::parse(source),
        Language::Json => json::parse(source),
    }
}

/// The byte that an error of the JSON reader means.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let lines = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1));
    lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1)
}
