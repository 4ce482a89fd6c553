//! An OpenAPI document out of the TypeScript declarations that `openapi-typescript` made of it, as far as they keep it. Only
//! what such declarations consist of is read, and anything else ends the reading.

use whimbrel_sdk::prelude::*;
use whimbrel_sdk::serde_json::{Deserializer, Map};

pub fn document(text: &str) -> Json {
    let mut reader = Reader { rest: text };
    let mut declared = Map::new();
    while !reader.rest().is_empty() {
        reader.expect("export ");
        match reader.word() {
            "interface" => {
                let name = reader.word().to_owned();
                reader.expect("{");
                declared.insert(name, reader.object());
            }
            "type" => {
                let name = reader.word().to_owned();
                reader.expect("=");
                declared.insert(name, reader.schema());
                reader.expect(";");
            }
            other => panic!("`{other}` is declared"),
        }
    }
    let members = |name: &str| declared[name]["properties"].as_object().unwrap();
    let components = members("components")
        .iter()
        .map(|(name, group)| (name.clone(), group["properties"].clone()));
    let operations = members("operations")
        .iter()
        .map(|(name, one)| (name.clone(), operation(one)));
    let paths = members("paths").iter().map(|(path, of)| {
        let described = ["get", "put", "post", "delete", "patch"].map(|method| {
            let one = of["properties"].get(method)?;
            let is_there = one.get("not").is_none();
            is_there.then(|| (method.to_owned(), operation(one)))
        });
        let described: Map<_, _> = described.into_iter().flatten().collect();
        (path.clone(), Json::Object(described))
    });
    json!({
        "components": components.collect::<Map<_, _>>(),
        "operations": operations.collect::<Map<_, _>>(),
        "paths": paths.collect::<Map<_, _>>(),
    })
}

/// An operation, out of its declaration.
fn operation(declared: &Json) -> Json {
    if declared.get("$ref").is_some() {
        return declared.clone();
    }
    let parts = &declared["properties"];
    let query = &parts["parameters"]["properties"]["query"];
    let parameters = query["properties"].as_object().into_iter().flatten();
    let parameters: Vec<Json> = parameters
        .map(|(name, schema)| json!({ "name": name, "in": "query", "schema": schema }))
        .collect();
    let responses = parts["responses"]["properties"].as_object();
    let responses = responses
        .into_iter()
        .flatten()
        .filter_map(|(status, response)| Some((status.clone(), content(response)?)));
    let mut described =
        json!({ "parameters": parameters, "responses": responses.collect::<Map<_, _>>() });
    if let Some(body) = content(&parts["requestBody"]) {
        described["requestBody"] = body;
    }
    described
}

fn content(declared: &Json) -> Option<Json> {
    let content = declared["properties"]["content"]["properties"].as_object()?;
    let schemas = content
        .iter()
        .map(|(kind, schema)| (kind.clone(), json!({ "schema": schema })));
    Some(json!({ "content": schemas.collect::<Map<_, _>>() }))
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// What follows, without blanks and comments before it.
    fn rest(&mut self) -> &'a str {
        loop {
            self.rest = self.rest.trim_start();
            let end = match self.rest.get(..2) {
                Some("/*") => "*/",
                Some("//") => "\n",
                _ => return self.rest,
            };
            self.rest = self.rest.split_once(end).map_or("", |(_, rest)| rest);
        }
    }

    fn takes(&mut self, sign: &str) -> bool {
        let rest = self.rest().strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, sign: &str) {
        let here: String = self.rest().chars().take(80).collect();
        assert!(self.takes(sign), "no `{sign}` before `{here}`");
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let (word, rest) = rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
        let here: String = rest.chars().take(80).collect();
        assert!(!word.is_empty(), "no word before `{here}`");
        self.rest = rest;
        word
    }

    /// A text in quotation marks, which is as in JSON.
    fn text(&mut self) -> Option<String> {
        let rest = self.rest();
        if !rest.starts_with('"') {
            return None;
        }
        let mut texts = Deserializer::from_str(rest).into_iter::<String>();
        let text = texts.next()?.unwrap();
        self.rest = &rest[texts.byte_offset()..];
        Some(text)
    }

    fn schema(&mut self) -> Json {
        let first = self.intersection();
        let mut all = vec![first];
        while self.takes("|") {
            all.push(self.intersection());
        }
        let values = |one: &Json| one.get("enum").and_then(Json::as_array).cloned();
        match all.iter().map(values).collect::<Option<Vec<_>>>() {
            Some(values) => json!({ "enum": values.concat() }),
            None if all.len() == 1 => all.remove(0),
            None => json!({ "anyOf": all }),
        }
    }

    fn intersection(&mut self) -> Json {
        let mut all = vec![self.array()];
        while self.takes("&") {
            all.push(self.array());
        }
        if all.len() == 1 {
            all.remove(0)
        } else {
            json!({ "allOf": all })
        }
    }

    fn array(&mut self) -> Json {
        self.takes("readonly ");
        let mut one = self.single();
        while self.takes("[]") {
            one = json!({ "type": "array", "items": one });
        }
        one
    }

    fn single(&mut self) -> Json {
        if self.takes("(") {
            return self.enclosed(")");
        }
        if self.takes("{") {
            return self.object();
        }
        if let Some(text) = self.text() {
            return json!({ "enum": [text] });
        }
        match self.word() {
            kind @ ("string" | "number" | "boolean") => json!({ "type": kind }),
            "unknown" => json!({}),
            "never" => json!({ "not": {} }),
            // Names of any kind: none that is known.
            "Record" => {
                self.expect("<");
                self.schema();
                self.expect(",");
                self.enclosed(">");
                json!({ "type": "object" })
            }
            "Readonly" => {
                self.expect("<");
                self.enclosed(">")
            }
            // What is left out is declared anew beside it.
            "Omit" => {
                self.expect("<");
                let whole = self.schema();
                self.expect(",");
                self.enclosed(">");
                whole
            }
            root => {
                let mut reference = format!("#/{root}");
                while self.rest().starts_with("[\"") {
                    self.expect("[");
                    let name = self.text().unwrap();
                    self.expect("]");
                    reference += &format!("/{}", name.replace('~', "~0").replace('/', "~1"));
                }
                json!({ "$ref": reference })
            }
        }
    }

    fn enclosed(&mut self, end: &str) -> Json {
        let schema = self.schema();
        self.expect(end);
        schema
    }

    /// The members of an object, up to its end.
    fn object(&mut self) -> Json {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        while !self.takes("}") {
            self.takes("readonly ");
            if self.takes("[") {
                // Names of any kind.
                self.word();
                self.expect(":");
                self.enclosed("]");
                self.expect(":");
                self.enclosed(";");
                continue;
            }
            let name = match self.text() {
                Some(name) => name,
                None => self.word().to_owned(),
            };
            if !self.takes("?") {
                required.push(name.clone());
            }
            self.expect(":");
            properties.insert(name, self.enclosed(";"));
        }
        json!({ "type": "object", "properties": properties, "required": required })
    }
}
