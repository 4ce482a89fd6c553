//! A real API server, its store, its controllers and its client, and Helm, compiled once from their Go modules into the cache:
//! `bin/etcd`, `bin/kube-apiserver`, `bin/kube-controller-manager`, `bin/kubectl` and `bin/helm` of the tools' folder. Whoever has
//! them already says where with `KUBEBUILDER_ASSETS`, `KUBE_CONTROLLER_MANAGER`, `KUBECTL` and `HELM`.

use std::path::PathBuf;

use crate::failure::Result;
use crate::go::{self, Program};
use crate::workspace::Workspace;

/// What of Kubernetes says its version: clients refuse a server that says none.
const VERSION: &str = "k8s.io/component-base/version";

const PROGRAMS: [Program; 5] = [
    program(
        "KUBEBUILDER_ASSETS",
        "etcd",
        "etcd",
        "go.etcd.io/etcd/server/v3",
    ),
    program(
        "KUBEBUILDER_ASSETS",
        "kubernetes",
        "kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-apiserver",
    ),
    program(
        "KUBE_CONTROLLER_MANAGER",
        "kubernetes-controllers",
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
    ),
    program(
        "KUBECTL",
        "kubectl",
        "kubectl",
        "k8s.io/kubernetes/cmd/kubectl",
    ),
    program("HELM", "helm", "helm", "helm.sh/helm/v4/cmd/helm"),
];

const fn program(
    variable: &'static str,
    modules: &'static str,
    name: &'static str,
    package: &'static str,
) -> Program {
    Program {
        variable,
        modules,
        name,
        package,
        tags: "",
        has_c: false,
    }
}

/// Where the API server and its store are.
pub fn folder(workspace: &Workspace) -> PathBuf {
    let given = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    given.unwrap_or_else(|| workspace.tools().join("bin"))
}

/// Makes sure that all are there. Compiling them takes about ten minutes on two cores.
pub fn present(workspace: &Workspace) -> Result {
    let folder = workspace.tools().join("kubernetes");
    for program in &PROGRAMS {
        go::present(workspace, &folder, program, flags)?;
    }
    Ok(())
}

/// What the linker is told: the version of Kubernetes, where it is one of its programs.
fn flags(wanted: &str) -> String {
    let mut flags = "-s -w".to_owned();
    if let Some(version) = version(wanted) {
        let minor = version.split('.').nth(1).unwrap_or_default();
        flags.push_str(&format!(
            " -X {VERSION}.gitVersion={version} -X {VERSION}.gitMajor=1 -X {VERSION}.gitMinor={minor}"
        ));
    }
    flags
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
