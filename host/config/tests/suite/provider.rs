//! Providers of Terraform: what their document means, and where something in it is wrong.

use whimbrel_config::{LoadOptions, Problems, ProviderDocument, read_provider};
use whimbrel_core::project::PluginSource;

fn read(path: &str, text: &str) -> Result<ProviderDocument, Problems> {
    let options = LoadOptions {
        builtin_plugins: vec!["terraform".to_owned()],
        ..LoadOptions::default()
    };
    read_provider(path, text.as_bytes().to_vec(), &options)
}

fn document(plugins: &str) -> String {
    format!(
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Provider\nmetadata: {{ name: shop }}\nspec:\n  plugins:\n    {plugins}\n"
    )
}

#[test]
fn plugins_are_pinned() {
    let digest = "a".repeat(64);
    let text = document(&format!(
        "lookup-table: {{ path: a/b.wasm, digest: 'sha256:{digest}' }}"
    ));
    let provider = read("provider.yaml", &text).unwrap();
    let name = "lookup-table".parse().unwrap();
    let spec = &provider.plugins[&name];
    assert_eq!(spec.source, PluginSource::Path("a/b.wasm".to_owned()));
    assert_eq!(spec.digest.unwrap().to_string(), format!("sha256:{digest}"));
    let problem = provider.problem(&name, "it isn't there");
    assert_eq!((problem.path.as_str(), problem.line), ("provider.yaml", 6));
    let json = format!(
        r#"{{ "apiVersion": "whimbrel.dev/v1alpha1", "kind": "Provider", "metadata": {{ "name": "shop" }},
              "spec": {{ "plugins": {{ "a": {{ "path": "a.wasm", "digest": "{digest}" }} }} }} }}"#
    );
    assert_eq!(read("provider.json", &json).unwrap().plugins.len(), 1);
}

#[test]
fn what_is_wrong_says_where() {
    let digest = "a".repeat(64);
    for (plugins, words) in [
        ("a: { path: a.wasm }".to_owned(), "digest"),
        (format!("a: {{ digest: {digest} }}"), "path"),
        (
            format!("a: {{ path: a.wasm, digest: {digest}, grants: {{}} }}"),
            "grants",
        ),
        (
            format!("terraform: {{ path: a.wasm, digest: {digest} }}"),
            "the name of a built-in plugin",
        ),
    ] {
        let said = read("provider.yaml", &document(&plugins)).unwrap_err();
        assert_eq!(said.problems[0].line, 6, "{said}");
        assert!(said.to_string().contains(words), "{said}");
    }
    let project = "apiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: { name: shop }\n";
    let said = read("provider.yaml", project).unwrap_err().to_string();
    assert!(said.contains("whimbrel.yaml"), "{said}");
}
