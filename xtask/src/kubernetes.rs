//! A real API server, its store and its controllers, and Helm, compiled once from their Go modules into the cache: `bin/etcd`,
//! `bin/kube-apiserver`, `bin/kube-controller-manager` and `bin/helm` of the tools' folder. Whoever has them already says where
//! with `KUBEBUILDER_ASSETS`, `KUBE_CONTROLLER_MANAGER` and `HELM`.

use std::path::Path;

use crate::command::Call;
use crate::failure::{Doing, Result};
use crate::real_parts::link;
use crate::requirement;
use crate::workspace::Workspace;

/// What of Kubernetes says its version: clients refuse a server that says none.
const VERSION: &str = "k8s.io/component-base/version";

/// A program: the variable by which a tester names their own, its folder of `tests/real-parts`, which names its modules, its
/// name, and its package.
const PROGRAMS: [(&str, &str, &str, &str); 4] = [
    (
        "KUBEBUILDER_ASSETS",
        "etcd",
        "etcd",
        "go.etcd.io/etcd/server/v3",
    ),
    (
        "KUBEBUILDER_ASSETS",
        "kubernetes",
        "kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-apiserver",
    ),
    (
        "KUBE_CONTROLLER_MANAGER",
        "kubernetes-controllers",
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
    ),
    ("HELM", "helm", "helm", "helm.sh/helm/v4/cmd/helm"),
];

/// Makes sure that all are there. Compiling them takes about ten minutes on two cores.
pub fn present(workspace: &Workspace) -> Result {
    let folder = workspace.tools().join("kubernetes");
    for (variable, modules, name, package) in PROGRAMS {
        if std::env::var_os(variable).is_some() {
            continue;
        }
        let modules = workspace.root().join("tests/real-parts").join(modules);
        let program = folder.join(name);
        let wanted = std::fs::read_to_string(modules.join("go.mod")).doing("reading go.mod")?;
        let built = folder.join(format!("{name}.mod"));
        let is_there =
            program.is_file() && std::fs::read_to_string(&built).is_ok_and(|text| text == wanted);
        if !is_there {
            requirement::programs(&[("go", "golang-go")])?;
            std::fs::create_dir_all(&folder).doing("making the folder of Kubernetes")?;
            build(&modules, &program, package, &wanted)?;
            std::fs::write(&built, wanted).doing("noting what was built")?;
        }
        link(workspace, name, &program)?;
    }
    Ok(())
}

fn build(modules: &Path, program: &Path, package: &str, wanted: &str) -> Result {
    let mut flags = "-s -w".to_owned();
    if let Some(version) = version(wanted) {
        let minor = version.split('.').nth(1).unwrap_or_default();
        flags.push_str(&format!(
            " -X {VERSION}.gitVersion={version} -X {VERSION}.gitMajor=1 -X {VERSION}.gitMinor={minor}"
        ));
    }
    Call::new("go")
        .args([
            "build",
            "-trimpath",
            "-mod=readonly",
            "-ldflags",
            &flags,
            "-o",
        ])
        .arg(program)
        .arg(package)
        .within(modules)
        .env("CGO_ENABLED", "0")
        .show_and_run()
}

/// The version of Kubernetes that a `go.mod` asks for.
fn version(wanted: &str) -> Option<&str> {
    wanted
        .lines()
        .find_map(|line| line.trim().strip_prefix("require k8s.io/kubernetes "))
        .or_else(|| {
            wanted
                .lines()
                .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "))
        })
        .and_then(|rest| rest.split_whitespace().next())
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn the_server_says_the_version_that_was_asked_for() {
        let modules = "tool k8s.io/kubernetes/cmd/kube-apiserver\n\nrequire (\n\tk8s.io/kubernetes v1.33.13\n)\n";
        assert_eq!(version(modules), Some("v1.33.13"));
        assert_eq!(
            version("require k8s.io/kubernetes v1.33.13 // indirect\n"),
            Some("v1.33.13")
        );
        assert_eq!(version("require go.etcd.io/etcd/server/v3 v3.5.34\n"), None);
    }
}
