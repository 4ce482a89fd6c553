//! What a document may say, and what is said about one that is wrong.

use serde_json::{Value as Json, json};

use super::*;
use crate::schema::{Setting, Shape};

fn read(document: &Json) -> Result<ProviderSchema, String> {
    ProviderSchema::from_json(&document.to_string()).map_err(|error| error.to_string())
}

fn with_attribute(attribute: &Json) -> Json {
    json!({"resources": {"a_b": {"attributes": {"x": attribute}}}})
}

fn with_block(block: &Json) -> Json {
    json!({"resources": {"a_b": {"blocks": {"x": block}}}})
}

#[test]
fn everything_that_a_document_can_say_is_read() {
    let document = json!({
        "provider": {"description": "One.", "attributes": {"folder": {"type": "string", "optional": true}}},
        "resources": {"a_b": {
            "version": 3,
            "deprecated": "take another one",
            "attributes": {
                "name": {"type": "string", "required": true, "description": "**Name**"},
                "id": {"type": "string", "computed": true, "sensitive": true},
                "once": {"type": "string", "optional": true, "write_only": true, "deprecated": "no more"},
                "many": {"nested": {"nesting": "map", "attributes": {"k": {"type": ["set", "number"], "optional": true, "computed": true}}}, "optional": true},
            },
            "blocks": {
                "rule": {"nesting": "list", "minimum": 1, "maximum": 2, "attributes": {"from": {"type": "string", "required": true}}},
                "timeouts": {"nesting": "single", "attributes": {"create": {"type": "string", "optional": true}}},
            },
        }},
        "data_sources": {"a_c": {"attributes": {"anything": {"type": "dynamic", "computed": true}}}},
        "functions": {"f": {"parameters": [{"name": "p", "type": "string", "nullable": true, "unknown": true}], "variadic": {"name": "v", "type": "bool"}, "returns": ["list", "string"]}},
    });
    let schema = read(&document).unwrap();
    assert_eq!(schema.provider.description, "One.");
    let resource = &schema.resources["a_b"];
    assert_eq!(resource.version, 3);
    assert!(resource.block.is_deprecated);
    let attributes = &resource.block.attributes;
    assert_eq!(attributes["name"].setting, Setting::Required);
    assert_eq!(attributes["id"].setting, Setting::Computed);
    assert!(
        attributes["id"].is_sensitive
            && attributes["once"].is_write_only
            && attributes["once"].is_deprecated
    );
    assert!(
        matches!(&attributes["many"].shape, Shape::Nested(Nesting::Map, inner) if inner["k"].setting == Setting::OptionalComputed)
    );
    let rule = &resource.block.blocks["rule"];
    assert_eq!((rule.minimum, rule.maximum), (1, 2));
    let timeouts = &resource.block.blocks["timeouts"];
    assert_eq!((timeouts.minimum, timeouts.maximum), (0, 0));
    let function = &schema.functions["f"];
    assert!(function.parameters[0].takes_null && function.parameters[0].takes_unknown);
    assert_eq!(
        function
            .parameter(9)
            .map(|parameter| parameter.name.as_str()),
        Some("v")
    );
    assert_eq!(
        resource.block.kind().to_json(),
        json!(["object", {
            "name": "string", "id": "string", "once": "string",
            "many": ["map", ["object", {"k": ["set", "number"]}]],
            "rule": ["list", ["object", {"from": "string"}]],
            "timeouts": ["object", {"create": "string"}],
        }])
    );
}

#[test]
fn a_provider_may_have_nothing() {
    assert_eq!(read(&json!({})), Ok(ProviderSchema::default()));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let text = |setting: &str| json!({"type": "string", setting: true});
    let inner = json!({"y": text("optional")});
    for (document, pointer, why) in [
        (json!({"resource": {}}), "", "unknown field `resource`"),
        (
            json!({"resources": {"A": {}}}),
            "/resources/A",
            "small letters",
        ),
        (
            json!({"resources": {"a": {"version": -1}}}),
            "/resources/a",
            "invalid value",
        ),
        (
            json!({"resources": {"a": {"version": u64::MAX}}}),
            "/resources/a/version",
            "too large",
        ),
        (
            json!({"resources": {"a": {"nesting": "list"}}}),
            "/resources/a",
            "only a block in a block",
        ),
        (
            json!({"resources": {"a": {"attributes": {"count": text("optional")}}}}),
            "/resources/a",
            "belongs to Terraform",
        ),
        (
            json!({"provider": {"version": 1}}),
            "/provider/version",
            "only resources",
        ),
        (
            json!({"data_sources": {"a": {"attributes": {"x": {"type": "string", "optional": true, "write_only": true}}}}}),
            "/data_sources/a/attributes/x",
            "write-only",
        ),
        (
            json!({"resources": {"a": {"attributes": {"x": text("optional")}, "blocks": {"x": {"nesting": "list"}}}}}),
            "/resources/a",
            "both",
        ),
        (
            json!({"resources": {"a": {"deprecated": 3}}}),
            "/resources/a/deprecated",
            "expected a text",
        ),
        (
            with_attribute(&json!({"type": "string"})),
            "/resources/a_b/attributes/x",
            "neither",
        ),
        (
            with_attribute(&json!({"type": "string", "required": true, "computed": true})),
            "/resources/a_b/attributes/x",
            "`required`",
        ),
        (
            with_attribute(&json!({"type": ["list", "text"], "optional": true})),
            "/resources/a_b/attributes/x/type/1",
            "`text` is no type",
        ),
        (
            with_attribute(&json!({"type": ["list", "dynamic"], "optional": true})),
            "/resources/a_b/attributes/x/type",
            "by itself only",
        ),
        (
            with_attribute(&json!({"optional": true})),
            "/resources/a_b/attributes/x",
            "either",
        ),
        (
            with_attribute(&json!({"type": "string", "computed": true, "write_only": true})),
            "/resources/a_b/attributes/x",
            "isn't `computed`",
        ),
        (
            with_attribute(&json!({"type": "string", "optional": true, "sensitiv": true})),
            "/resources/a_b/attributes/x",
            "sensitiv",
        ),
        (
            with_attribute(
                &json!({"nested": {"nesting": "group", "attributes": inner}, "optional": true}),
            ),
            "/resources/a_b/attributes/x/nested",
            "only blocks",
        ),
        (
            with_attribute(
                &json!({"nested": {"nesting": "list", "attributes": {"y": {"type": "dynamic", "optional": true}}}, "optional": true}),
            ),
            "/resources/a_b/attributes/x/nested",
            "`dynamic`",
        ),
        (
            with_attribute(
                &json!({"nested": {"nesting": "set", "attributes": {"y": {"type": "string", "optional": true, "write_only": true}}}, "optional": true}),
            ),
            "/resources/a_b/attributes/x/nested",
            "in a set",
        ),
        (
            with_block(&json!({})),
            "/resources/a_b/blocks/x",
            "`nesting`",
        ),
        (
            with_block(&json!({"nesting": "heap"})),
            "/resources/a_b/blocks/x",
            "heap",
        ),
        (
            with_block(&json!({"nesting": "map", "maximum": 2})),
            "/resources/a_b/blocks/x",
            "aren't counted",
        ),
        (
            with_block(&json!({"nesting": "list", "minimum": 3, "maximum": 2})),
            "/resources/a_b/blocks/x",
            "above",
        ),
        (
            with_block(
                &json!({"nesting": "set", "attributes": {"y": {"type": "string", "optional": true, "write_only": true}}}),
            ),
            "/resources/a_b/blocks/x",
            "in a set",
        ),
        (json!({"functions": {"f": {}}}), "/functions/f", "returns"),
        (
            json!({"functions": {"f": {"parameters": [{"name": "A", "type": "string"}], "returns": "string"}}}),
            "/functions/f/parameters/0/name",
            "no name",
        ),
        (
            json!({"functions": {"f": {"variadic": {"name": "a", "type": 1}, "returns": "string"}}}),
            "/functions/f/variadic/type",
            "expected a type",
        ),
    ] {
        let error = read(&document).expect_err(&document.to_string());
        assert!(
            error.contains(&format!("{pointer:?}")) && error.contains(why),
            "{document}\n{error}"
        );
    }
}

#[test]
fn what_is_no_json_is_said_to_be_none() {
    let error = ProviderSchema::from_json("{").unwrap_err().to_string();
    assert!(error.contains("it is no JSON"), "{error}");
}
