//! References as other tools write them.

use crate::support::{base, options};
use whimbrel_config::{LoadOptions, load};
use whimbrel_core::environment::ValueSource;

#[test]
fn references_of_other_tools_lead_to_the_backend_of_the_environment() {
    let plugins = [
        "vault",
        "aws-secrets-manager",
        "kubernetes",
        "gcp-secret-manager",
        "azure-key-vault",
        "sops",
    ];
    let options = LoadOptions {
        builtin_plugins: plugins.map(str::to_owned).into(),
        ..options()
    };
    for (text, expected) in [
        (
            "ref+vault://kv/shop#/password",
            "secret://own-vault/kv/shop#password",
        ),
        (
            "ref+vault://kv/shop?version=3#/a/b",
            "secret://own-vault/kv/shop?version=3#/a/b",
        ),
        (
            "ref+awssecrets://shop/db?version_stage=AWSPREVIOUS#/password",
            "secret://own-aws-secrets-manager/shop/db?version=AWSPREVIOUS#password",
        ),
        (
            "ref+k8s://v1/Secret/apps/shop-db/password",
            "secret://own-kubernetes/apps/shop-db#password",
        ),
        (
            "ref+gcpsecrets://project/shop?version=5",
            "secret://own-gcp-secret-manager/project/shop?version=5",
        ),
        (
            "ref+azurekeyvault://vault/shop/abc",
            "secret://own-azure-key-vault/vault/shop?version=abc",
        ),
        (
            "ref+azurekeyvault://vault/shop",
            "secret://own-azure-key-vault/vault/shop",
        ),
        (
            "ref+sops://secrets.yaml#/db/password",
            "secret://own-sops/secrets.yaml#/db/password",
        ),
        (
            "ref+file://run/db.json#/password",
            "secret://file/run/db.json#password",
        ),
        (
            "ref+file:///run/secrets/db",
            "secret://file//run/secrets/db",
        ),
        ("ref+envsubst://$DB_PASSWORD", "secret://env/DB_PASSWORD"),
        ("ref+envsubst://${DB_PASSWORD}+", "secret://env/DB_PASSWORD"),
    ] {
        let backends: String = plugins
            .iter()
            .map(|plugin| format!("    own-{plugin}: {{ plugin: {plugin}, with: {{ token: 'secret://env/T' }} }}\n"))
            .collect();
        let document = format!(
            "apiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: {{ name: dev }}\nspec:\n  databases:\n    shop:\n      url: postgres://localhost/shop\n      password: '{text}'\n  secrets:\n{backends}"
        );
        let tree = base().with("environments/dev.yaml", document);
        let definitions = load(&tree, &options).unwrap_or_else(|error| panic!("{text}: {error}"));
        let environment = &definitions.environments[&"dev".parse().unwrap()];
        let database = environment.databases.values().next().unwrap();
        let Some(ValueSource::Secret(reference)) = &database.password else {
            panic!("{text} is no reference");
        };
        assert_eq!(reference.to_string(), expected, "{text}");
    }
}

#[test]
fn references_of_other_tools_are_read_inside_of_a_backend_s_configuration_too() {
    let document = "apiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  databases:\n    shop:\n      url: postgres://localhost/shop\n      password: { secret: vault, path: kv/shop, options: { namespace: eu } }\n  secrets:\n    vault: { plugin: vault, with: { auth: [{ token: 'ref+file://run/token' }] } }\n";
    let definitions = load(&base().with("environments/dev.yaml", document), &options()).unwrap();
    let environment = &definitions.environments[&"dev".parse().unwrap()];
    let with = &environment.secrets["vault"].with;
    assert_eq!(
        with["auth"][0]["token"],
        serde_json::json!({"secret": "file", "path": "run/token"})
    );
    let database = environment.databases.values().next().unwrap();
    let Some(ValueSource::Secret(reference)) = &database.password else {
        panic!("no reference");
    };
    assert_eq!(reference.options, serde_json::json!({"namespace": "eu"}));
}
