//! Opening a project from a folder, a revision, or both.

use crate::support::{DEV, Shop};
use whimbrel_project::{Control, Location, OpenOptions, OpenProject, Opening, ProjectError};

#[test]
fn a_work_tree_stands_on_head_and_is_dirty_by_definitions_only() {
    let shop = Shop::new();
    shop.table("1-orders", "orders");
    assert_eq!(shop.open().revision(), None, "nothing is committed yet");
    let first = shop.commit("first");
    let project = shop.open();
    assert_eq!(project.revision(), Some(&first));
    assert!(!project.is_revision());
    assert_eq!(project.definitions().migrations.len(), 1);
    shop.write("shop.db", "no definition");
    shop.write("README.md", "no definition");
    assert!(!shop.open().revision().unwrap().dirty);
    shop.table("2-customers", "customers");
    assert!(shop.open().revision().unwrap().dirty);
    shop.commit("second");
    shop.write("environments/dev.yaml", &DEV.replace("shop.db", "other.db"));
    assert!(shop.open().revision().unwrap().dirty);
    shop.git(&["checkout", "--quiet", "environments"]);
    assert!(!shop.open().revision().unwrap().dirty);
    shop.remove("migrations/1-orders.sql");
    assert!(shop.open().revision().unwrap().dirty);
}

#[test]
fn a_revision_is_read_without_the_work_tree() {
    let shop = Shop::new();
    shop.table("1-orders", "orders");
    let first = shop.commit("first");
    shop.table("2-customers", "customers");
    shop.commit("second");
    shop.write("whimbrel.yaml", "not: [a project");
    let project = shop.open_at("HEAD~1");
    assert_eq!(project.revision(), Some(&first));
    assert!(project.is_revision());
    assert_eq!(project.definitions().migrations.len(), 1);
    let names: Vec<_> = project.names_at("main").unwrap().into_iter().collect();
    assert_eq!(names.len(), 2);
    assert!(project.names_at("nowhere").is_err());
    let authorship = project.authorship().unwrap().unwrap();
    assert_eq!(authorship.author.to_string(), "Ada <ada@example.org>");
    assert!(matches!(
        OpenProject::open(&shop.location(None), &OpenOptions::default()),
        Err(ProjectError::Definitions(_))
    ));
}

#[test]
fn a_project_in_a_folder_of_a_repository_is_found_at_any_revision() {
    let shop = Shop::new();
    shop.table("1-orders", "orders");
    shop.git(&["add", "--all"]);
    std::fs::create_dir_all(shop.path().join("services/shop")).unwrap();
    for name in ["whimbrel.yaml", "environments", "migrations"] {
        shop.git(&["mv", name, "services/shop/"]);
    }
    let first = shop.commit("first");
    shop.write("elsewhere.sql", "SELECT 1;");
    let location = Location {
        folder: shop.path().join("services/shop"),
        reference: None,
    };
    let project = OpenProject::open(&location, &OpenOptions::default()).unwrap();
    assert_eq!(project.prefix(), "services/shop");
    assert_eq!(project.revision(), Some(&first));
    let at = Location {
        reference: Some("main".to_owned()),
        ..location
    };
    let project = OpenProject::open(&at, &OpenOptions::default()).unwrap();
    assert_eq!(project.definitions().migrations.len(), 1);
}

#[test]
fn a_bare_repository_is_read_at_its_head() {
    let shop = Shop::new();
    shop.table("1-orders", "orders");
    let first = shop.commit("first");
    let folder = tempfile::tempdir().unwrap();
    let bare = folder.path().join("shop.git");
    shop.git(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    let location = Location::parse(bare.to_str().unwrap()).unwrap();
    let project = OpenProject::open(&location, &OpenOptions::default()).unwrap();
    assert_eq!(project.revision(), Some(&first));
    assert!(project.is_revision());
}

#[test]
fn from_a_pull_request_only_migrations_are_taken() {
    let shop = Shop::new();
    shop.table("1-orders", "orders");
    shop.commit("first");
    shop.git(&["checkout", "--quiet", "-b", "head"]);
    shop.table("2-customers", "customers");
    shop.write(
        "environments/dev.yaml",
        &DEV.replace("sqlite:shop.db", "sqlite:/etc/stolen.db"),
    );
    shop.commit("hostile");
    let options = OpenOptions {
        control: Control::Ref("main".to_owned()),
        ..OpenOptions::default()
    };
    let project = OpenProject::open(&shop.location(Some("head")), &options).unwrap();
    assert_eq!(project.definitions().migrations.len(), 2);
    let dev = serde_json::to_string(project.environment("dev").unwrap()).unwrap();
    assert!(dev.contains("sqlite:shop.db"), "{dev}");
}

#[test]
fn what_is_not_there_is_said_with_a_hint() {
    let shop = Shop::new();
    shop.commit("first");
    let project = shop.open();
    let error = project.environment("dve").unwrap_err();
    assert_eq!(error.hint().unwrap(), "did you mean `dev`?");
    let error = project.environment("production").unwrap_err();
    assert_eq!(error.hint().unwrap(), "there is `dev`");
    assert!(!error.is_temporary());

    let folder = tempfile::tempdir().unwrap();
    let open =
        |location: &Location| OpenProject::open(location, &OpenOptions::default()).unwrap_err();
    let outside = Location {
        folder: folder.path().to_path_buf(),
        reference: Some("main".to_owned()),
    };
    let error = open(&outside);
    assert!(
        matches!(error, ProjectError::NoRepository { .. }),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("git init"));
    let nowhere = Location {
        folder: folder.path().join("nowhere"),
        reference: None,
    };
    assert!(matches!(open(&nowhere), ProjectError::NoFolder(_)));
    let unknown = shop.location(Some("nowhere"));
    assert!(
        open(&unknown)
            .to_string()
            .contains("no branch, tag or commit")
    );
}

#[test]
fn files_outside_git_are_a_project_too() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::new();
    shop.table("1-orders", "orders");
    for path in [
        "whimbrel.yaml",
        "environments/dev.yaml",
        "migrations/1-orders.sql",
    ] {
        let to = folder.path().join(path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(shop.path().join(path), to).unwrap();
    }
    let location = Location::parse(folder.path().to_str().unwrap()).unwrap();
    let project = OpenProject::open(&location, &OpenOptions::default()).unwrap();
    assert_eq!(project.revision(), None);
    assert!(project.repository().is_none());
    assert!(project.authorship().unwrap().is_none());
    assert!(matches!(
        project.names_at("main"),
        Err(ProjectError::NoRepository { .. })
    ));
    assert!(format!("{project:?}").contains("OpenProject"));
}

#[test]
fn environments_are_known_before_the_migrations_are_read() {
    let shop = Shop::new();
    shop.write("migrations/1-empty.sql", "");
    let begin = || Opening::begin(&shop.location(None), &OpenOptions::default());
    let opening = begin().unwrap();
    assert!(opening.environment("dev").is_ok());
    assert!(matches!(
        opening.environment("nowhere"),
        Err(ProjectError::UnknownEnvironment { .. })
    ));
    assert!(matches!(
        opening.finish(),
        Err(ProjectError::Definitions(_))
    ));
    // What is wrong with an environment is told together with what is wrong with the migrations.
    shop.write("environments/dev.yaml", "kind: Environment\n");
    let Err(ProjectError::Definitions(problems)) = begin() else {
        panic!("an environment that is wrong can't be opened")
    };
    let paths: Vec<_> = problems
        .problems
        .iter()
        .map(|problem| problem.path.as_str())
        .collect();
    assert!(
        paths.contains(&"environments/dev.yaml") && paths.contains(&"migrations/1-empty.sql"),
        "{paths:?}"
    );
}
