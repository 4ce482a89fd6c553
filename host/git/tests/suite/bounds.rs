//! A commit with more files than a project may have. It costs whoever pushes it next to nothing: one object is all of them.

use whimbrel_config::{DefinitionCache, LoadOptions, load, load_control, load_migrations_again};
use whimbrel_core::lineage::Revision;
use whimbrel_git::Repository;

const PROJECT: &str = "apiVersion: whimbrel.dev/v1alpha1\nkind: Project\nmetadata: { name: shop }\nspec:\n  defaults: { database: shop }\n";

const ENVIRONMENT: &str = "apiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  databases:\n    shop: { url: \"sqlite:shop.db\" }\n";

/// One more than a project may have.
const MANY: usize = 20_001;

#[test]
fn a_commit_of_too_many_files_is_refused_however_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let bare = git2::Repository::init_bare(folder.path()).unwrap();
    let file = bare.blob(b"-- whimbrel:up\nSELECT 1;\n").unwrap();
    let mut migrations = bare.treebuilder(None).unwrap();
    for number in 0..MANY {
        migrations
            .insert(format!("{number:05}-same.sql"), file, 0o100_644)
            .unwrap();
    }
    let mut environments = bare.treebuilder(None).unwrap();
    let environment = bare.blob(ENVIRONMENT.as_bytes()).unwrap();
    environments
        .insert("dev.yaml", environment, 0o100_644)
        .unwrap();
    let mut root = bare.treebuilder(None).unwrap();
    let project = bare.blob(PROJECT.as_bytes()).unwrap();
    root.insert("whimbrel.yaml", project, 0o100_644).unwrap();
    for (name, folder) in [("environments", environments), ("migrations", migrations)] {
        root.insert(name, folder.write().unwrap(), 0o040_000)
            .unwrap();
    }
    let root = bare.find_tree(root.write().unwrap()).unwrap();
    let eve = git2::Signature::now("Eve", "eve@example.com").unwrap();
    let commit = bare.commit(Some("refs/heads/main"), &eve, &eve, "Many", &root, &[]);

    let revision = Revision::commit(commit.unwrap().to_string());
    let repository = Repository::open(folder.path()).unwrap();
    let tree = repository.tree(&revision, "").unwrap();
    let options = LoadOptions::default();
    let whole = load(&tree, &options).unwrap_err().to_string();
    let control = load_control(&tree, &options).unwrap();
    let cache = DefinitionCache::default();
    let again = load_migrations_again(&tree, &control, true, &options, &cache);
    for said in [whole, again.unwrap_err().to_string()] {
        assert!(said.contains("the project has too many files"), "{said}");
        assert!(said.contains("at most 20000"), "{said}");
    }
    assert!(cache.is_empty(), "nothing of it is kept");
}
