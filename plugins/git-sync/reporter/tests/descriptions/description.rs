//! A description of an API, as an OpenAPI document, and requests that are held to it: stricter than it, because what it doesn't
//! name isn't sent.

use std::collections::BTreeSet;

use whimbrel_sdk::http::Request;
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde_json;

pub struct Description {
    pub document: Json,
    /// What its paths are below.
    pub root: &'static str,
    /// What needn't be sent, although the description requires it.
    pub excused: Option<&'static str>,
    /// What pages may be asked for by, where operations don't say it: as far as the page that is answered has it.
    pub paging: &'static [&'static str],
}

impl Description {
    pub const fn new(document: Json, root: &'static str) -> Self {
        Self {
            document,
            root,
            excused: None,
            paging: &[],
        }
    }

    pub fn check(&self, request: &Request) {
        let operation = self.operation(request);
        let query = request.url.split_once('?').map_or("", |(_, query)| query);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            self.check_parameter(operation, pair, &request.url);
        }
        let described = operation.get("requestBody").map(|body| self.at(body));
        let (Some(described), Some(body)) = (described, &request.body) else {
            assert!(request.body.is_none(), "{} takes no body", request.url);
            return;
        };
        let body: Json = serde_json::from_slice(body).unwrap();
        self.fits(in_json(described), &body, &request.url);
    }

    /// The operation that a request is one of.
    fn operation(&self, request: &Request) -> &Json {
        let path = request.url.strip_prefix(self.root).unwrap();
        let path = path.split('?').next().unwrap();
        let fits = |template: &str| {
            let (asked, known) = (path.split('/'), template.split('/'));
            asked.clone().count() == known.clone().count()
                && asked
                    .zip(known)
                    .all(|(part, known)| known.starts_with('{') || part == known)
        };
        let paths = self.document["paths"].as_object().unwrap();
        // A path without a variable in a place is the better one.
        let found = paths
            .iter()
            .filter(|(template, _)| fits(template))
            .min_by_key(|(template, _)| template.matches('{').count());
        let (template, operations) =
            found.unwrap_or_else(|| panic!("no operation is described for {path}"));
        let operation = operations.get(request.method.to_ascii_lowercase());
        self.at(operation.unwrap_or_else(|| panic!("{template} has no {}", request.method)))
    }

    fn check_parameter(&self, operation: &Json, pair: &str, place: &str) {
        let (name, value) = pair.split_once('=').unwrap();
        let mut described = list(operation, "parameters").map(|one| self.at(one));
        let found = described.find(|one| one["name"] == json!(name) && one["in"] == json!("query"));
        let schema = match found {
            Some(parameter) => &parameter["schema"],
            None => self
                .paging(operation, name)
                .unwrap_or_else(|| panic!("{place} has no {name}")),
        };
        let value = match value.parse::<u64>() {
            Ok(number) => json!(number),
            Err(_) => json!(value),
        };
        self.fits(schema, &value, &format!("{place}: {name}"));
    }

    /// What a page that is answered says of itself.
    fn paging<'a>(&'a self, operation: &'a Json, name: &str) -> Option<&'a Json> {
        let page = self.at(in_json(operation.pointer("/responses/200")?));
        let properties = page.get("properties")?;
        let is_page = properties.get("values").is_some() && self.paging.contains(&name);
        properties.get(name).filter(|_| is_page)
    }

    fn fits(&self, schema: &Json, value: &Json, place: &str) {
        let parts = self.parts(schema);
        let mut is_known = false;
        for part in &parts {
            for unknown in ["oneOf", "anyOf", "not"] {
                assert!(
                    part.get(unknown).is_none(),
                    "{place}: {unknown} isn't compared here"
                );
            }
            if let Some(values) = part.get("enum").and_then(Json::as_array) {
                is_known = true;
                assert!(
                    values.contains(value),
                    "{place}: {value} is none of {values:?}"
                );
            }
        }
        let kinds = parts
            .iter()
            .filter_map(|part| part.get("type").and_then(Json::as_str));
        for kind in kinds.collect::<BTreeSet<_>>() {
            is_known = true;
            match kind {
                "object" => self.fits_object(&parts, value, place),
                "string" => fits_text(&parts, value, place),
                "number" => assert!(value.is_number(), "{place} is a number"),
                "integer" => assert!(value.is_u64() || value.is_i64(), "{place} is a number"),
                other => panic!("{place}: {other} isn't compared here"),
            }
        }
        assert!(is_known, "{place} isn't described: {schema}");
    }

    fn fits_object(&self, parts: &[&Json], value: &Json, place: &str) {
        for (name, value) in value.as_object().unwrap() {
            let property = parts
                .iter()
                .find_map(|part| part.get("properties")?.get(name))
                .unwrap_or_else(|| panic!("{place} has no {name}"));
            self.fits(property, value, &format!("{place}/{name}"));
        }
        let required = parts.iter().flat_map(|part| list(part, "required"));
        for name in required.map(|name| name.as_str().unwrap()) {
            assert!(
                self.excused == Some(name) || value.get(name).is_some(),
                "{place} needs {name}"
            );
        }
    }

    /// A schema, and all that it is made of.
    fn parts<'a>(&'a self, schema: &'a Json) -> Vec<&'a Json> {
        let schema = self.at(schema);
        let more = list(schema, "allOf").flat_map(|part| self.parts(part));
        std::iter::once(schema).chain(more).collect()
    }

    fn at<'a>(&'a self, mut one: &'a Json) -> &'a Json {
        while let Some(reference) = one.get("$ref").and_then(Json::as_str) {
            one = self
                .document
                .pointer(reference.strip_prefix('#').unwrap())
                .unwrap();
        }
        one
    }
}

/// The schema of what is sent or answered as JSON.
fn in_json(described: &Json) -> &Json {
    let content = &described["content"];
    let found = content.get("application/json").or(content.get("*/*"));
    &found.unwrap_or_else(|| panic!("no JSON in {described}"))["schema"]
}

fn list<'a>(of: &'a Json, name: &str) -> impl Iterator<Item = &'a Json> {
    of.get(name).and_then(Json::as_array).into_iter().flatten()
}

fn fits_text(parts: &[&Json], value: &Json, place: &str) {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{place} is a text"));
    for part in parts {
        let most = part
            .get("maxLength")
            .and_then(Json::as_u64)
            .unwrap_or(u64::MAX);
        assert!(text.chars().count() as u64 <= most, "{place}");
    }
}
