//! What Git hosts really send, and how they describe their APIs, for the tests of `plugins/git-sync`; and the kinds of Flux and
//! of the Prometheus Operator, for those of `deploy`: fetched once into the cache by the package managers of those who publish
//! it.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::command::Call;
use crate::failure::{Doing, Failure, Result};
use crate::requirement;
use crate::workspace::Workspace;

/// The list of packages and their versions, from the root of the clone.
const LIST: &str = "tests/real-parts/payloads.txt";

/// What tests read: the name under which they find it, the package that it is of, and where it is in that.
const PARTS: [(&str, &str, &str); 10] = [
    (
        "github.json",
        "@octokit/webhooks-examples",
        "api.github.com/index.json",
    ),
    (
        "github-openapi.json",
        "@octokit/openapi",
        "generated/api.github.com.json",
    ),
    (
        "testdata",
        "github.com/go-playground/webhooks/v6",
        "testdata",
    ),
    (
        "gitea-openapi.json",
        "code.gitea.io/gitea",
        "templates/swagger/v1_openapi3_json.tmpl",
    ),
    (
        "gitlab-client",
        "gitlab.com/gitlab-org/api/client-go/v2",
        ".",
    ),
    (
        "bitbucket-cloud.d.ts",
        "@coderabbitai/bitbucket",
        "dist/cloud/openapi/openapi-typescript.d.ts",
    ),
    (
        "bitbucket-data-center.d.ts",
        "@coderabbitai/bitbucket",
        "dist/server/openapi/openapi-typescript.d.ts",
    ),
    (
        "flux-gitrepository.yaml",
        "github.com/fluxcd/source-controller",
        "config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml",
    ),
    (
        "flux-kustomization.yaml",
        "github.com/fluxcd/kustomize-controller",
        "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",
    ),
    (
        "prometheus-servicemonitor.yaml",
        "github.com/prometheus-operator/prometheus-operator",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ),
];

/// Makes sure that all of it is there.
pub fn present(workspace: &Workspace) -> Result {
    let list = workspace.root().join(LIST);
    let wanted = std::fs::read_to_string(&list).doing(format!("reading {}", list.display()))?;
    let folder = workspace.tools().join("payloads");
    let fetched = folder.join("fetched.txt");
    let is_there = PARTS.iter().all(|(name, ..)| folder.join(name).exists());
    if is_there && std::fs::read_to_string(&fetched).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    requirement::programs(&[("npm", "npm"), ("go", "golang-go")])?;
    std::fs::create_dir_all(&folder).doing("making the folder of payloads")?;
    for line in wanted.lines().filter(|line| !line.starts_with('#')) {
        let (manager, package) = line.split_once(' ').doing(format!("reading `{line}`"))?;
        let (name, place) = fetch(&folder, manager, package)?;
        for (part, _, inner) in PARTS.iter().filter(|(_, of, _)| *of == name) {
            lead(&folder, part, &place.join(inner))?;
        }
    }
    std::fs::write(&fetched, wanted).doing("noting what was fetched")
}

/// Fetches a package, and gives its name and where it is.
fn fetch(folder: &Path, manager: &str, package: &str) -> Result<(String, PathBuf)> {
    let (name, _) = package
        .rsplit_once('@')
        .doing(format!("reading `{package}`"))?;
    let place = match manager {
        "npm" => {
            Call::new("npm")
                .args([
                    "install",
                    "--no-save",
                    "--ignore-scripts",
                    "--no-audit",
                    "--no-fund",
                ])
                .arg("--prefix")
                .arg(folder.join(name.replace('/', "+")))
                .arg(package)
                .show_and_run()?;
            folder
                .join(name.replace('/', "+"))
                .join("node_modules")
                .join(name)
        }
        "go" => {
            let call = Call::new("go")
                .args(["mod", "download", "-json", package])
                .within(folder);
            println!("$ {call}");
            let told: Json = serde_json::from_str(&call.text()?).doing("reading what go says")?;
            told.get("Dir")
                .and_then(Json::as_str)
                .doing(format!("finding {package}"))?
                .into()
        }
        other => {
            return Err(Failure::new(format!(
                "no package manager is called {other}"
            )));
        }
    };
    Ok((name.to_owned(), place))
}

/// Makes `NAME` of the folder lead to a place, in one step: other tests may be looking.
fn lead(folder: &Path, name: &str, target: &Path) -> Result {
    if !target.exists() {
        return Err(Failure::new(format!("{} isn't there", target.display())));
    }
    let place = folder.join(name);
    let new = folder.join(format!("{name}.new"));
    let _ = std::fs::remove_file(&new);
    symlink(target, &new).doing(format!("linking {name}"))?;
    std::fs::rename(&new, &place).doing(format!("placing {name}"))
}
