//! Git sources: what their documents mean, and where in a file of several something is wrong.

use whimbrel_config::{GitSourceDocument, LoadOptions, Problems, read_git_sources};
use whimbrel_core::git_source::{SourcePlace, VerifyMode};
use whimbrel_core::project::PluginSource;

fn read(text: &str) -> Result<Vec<GitSourceDocument>, Problems> {
    let plugins = ["git-webhook", "git-reporter"].map(str::to_owned);
    let options = LoadOptions {
        builtin_plugins: plugins.to_vec(),
        ..LoadOptions::default()
    };
    read_git_sources("sources.yaml", text.as_bytes().to_vec(), &options)
}

fn document(name: &str, spec: &str) -> String {
    let head = "apiVersion: whimbrel.dev/v1alpha1\nkind: GitSource\n";
    format!("{head}metadata: {{ name: {name} }}\nspec:\n  {spec}\n")
}

#[test]
fn several_documents_are_read() {
    let text = format!(
        "# all of them\n---\n{}---\n{}--- # the end\n# nothing\n",
        document("shop", "path: ./shop"),
        document(
            "other",
            "{ url: 'https://git.example.org/acme/other.git', ref: v*, folder: db, verify: { mode: Head, allowedSigners: \
             { file: s } }, webhook: { secrets: [secret://env/A, { file: b }] }, report: { with: { token: secret://env/T }, \
             pullRequests: { allowForks: true } } }"
        ),
    );
    let sources = read(&text).unwrap();
    let [shop, other] = sources.as_slice() else {
        panic!("{sources:?}");
    };
    assert_eq!(shop.source.place, SourcePlace::Folder("./shop".to_owned()));
    assert!(shop.source.webhook.is_none() && shop.source.verify.mode == VerifyMode::None);
    let other = &other.source;
    assert_eq!(other.reference.as_deref(), Some("v*"));
    assert!(other.is_repository("acme/other") && !other.is_repository("acme/shop"));
    let webhook = other.webhook.as_ref().unwrap();
    assert_eq!(webhook.secrets.len(), 2);
    let builtin = PluginSource::Builtin("git-webhook".to_owned());
    assert_eq!(webhook.plugin.spec.source, builtin);
    let report = other.report.as_ref().unwrap();
    assert!(report.pull_requests.as_ref().unwrap().allow_forks);
    // What only others can say stands where it belongs.
    let problem = sources[1].problem("/webhook/secrets/1", "it is gone");
    assert_eq!((problem.path.as_str(), problem.line), ("sources.yaml", 13));
}

#[test]
fn all_mistakes_are_told_at_once_where_they_stand() {
    let text = format!(
        "{}---\n{}",
        document("shop", "{ path: ., intervall: 60s }"),
        document(
            "other",
            "{ url: x, path: y, auth: { token: plain, sshKeyPassphrase: secret://env/A }, webhook: { secrets: [] } }"
        ),
    );
    let said = read(&text).unwrap_err();
    let lines: Vec<_> = said.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [5, 11, 11], "{said}");
    let said = said.to_string();
    for words in ["did you mean `interval`?", "written in plain text"] {
        assert!(said.contains(words), "{said}");
    }
    assert!(!said.contains("`: plain"), "{said}");
}

#[test]
fn what_can_not_be_meant_is_refused() {
    for (spec, words) in [
        ("{ ref: main }", "the source is nowhere"),
        ("{ url: x, path: y }", "in two places"),
        ("{ path: x, folder: y }", "`folder` is one of a repository"),
        (
            "{ path: x, report: { pullRequests: {} } }",
            "has no pull requests",
        ),
        (
            "{ path: x, auth: { password: secret://env/A } }",
            "without `username`",
        ),
        (
            "{ path: x, auth: { token: secret://env/A, password: secret://env/A, username: a } }",
            "beside `token`",
        ),
        (
            "{ path: x, auth: { sshKeyPassphrase: secret://env/A } }",
            "without `sshKey`",
        ),
        (
            "{ path: x, auth: { username: 'ref+vault://a' } }",
            "which backend",
        ),
        (
            "{ path: x, auth: { token: secret://vault/A } }",
            "no secret backend `vault`",
        ),
        (
            "{ path: x, report: { with: { token: secret://vault/A } } }",
            "no secret backend `vault`",
        ),
        (
            "{ path: x, verify: { mode: Head } }",
            "nobody's signature counts",
        ),
        (
            "{ path: x, webhook: { path: a.wasm, secrets: [secret://env/A] } }",
            "isn't pinned",
        ),
        (
            "{ path: x, webhook: { plugin: git-webhok, secrets: [secret://env/A] } }",
            "did you mean `git-webhook`?",
        ),
        (
            "{ path: x, report: { grants: { http: [{ to: 'ftp://x' }] } } }",
            "that is no place",
        ),
    ] {
        let said = read(&document("shop", spec)).unwrap_err().to_string();
        assert!(
            said.contains(words) && said.contains("sources.yaml:"),
            "{spec}\n{said}"
        );
    }
    let twice = document("shop", "path: x") + "---\n" + &document("shop", "path: y");
    let said = read(&twice).unwrap_err().to_string();
    assert!(said.contains("two sources are called `shop`"), "{said}");
    for nothing in ["", "# nothing\n---\n"] {
        let said = read(nothing).unwrap_err().to_string();
        assert!(said.contains("there is no source here"), "{said}");
    }
    let environment = document("shop", "path: x").replace("GitSource", "Environment");
    let said = read(&environment).unwrap_err().to_string();
    assert!(
        said.contains("environments belong into the folder"),
        "{said}"
    );
}
