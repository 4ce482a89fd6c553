//! The object of a Job: what the operator's own Pod is, what the environment's template says over it, and what neither decides.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::{Map, Value as Json, json};
use whimbrel_config::Kind;
use whimbrel_core::digest::Digest;

use crate::api::{
    ASKED_ANNOTATION, ATTEMPT_ANNOTATION, ENVIRONMENT_LABEL, Environment, PLAN_ANNOTATION, resource,
};
use crate::reconcile::{Asked, FINAL_EXITS, REFUSED_EXIT};

/// The container that runs the plan.
pub const CONTAINER: &str = "whimbrel";

/// How often a Pod is started again that failed by what may pass; the Job controller doubles the pause from ten seconds.
const RETRIES: u32 = 3;
/// How long a Job that has ended is kept, in seconds, where nobody says: long enough to be looked at.
const KEPT: i64 = 86_400;
/// The most characters of the environment's name in a Job's: its Pods have it in a label of 63.
const NAME: usize = 36;
/// The characters of a digest that tell apart the plans of an environment.
const HASH: usize = 10;
/// Where every Pod has its service account's token mounted, from a volume of a name of its own.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What a Job's Pod has of the operator's own; not its labels, by which Services and budgets find it.
const OF_POD: [&str; 13] = [
    "serviceAccountName",
    "automountServiceAccountToken",
    "imagePullSecrets",
    "securityContext",
    "nodeSelector",
    "tolerations",
    "priorityClassName",
    "runtimeClassName",
    "dnsPolicy",
    "dnsConfig",
    "hostAliases",
    "terminationGracePeriodSeconds",
    "volumes",
];
/// What its container has of the operator's own.
const OF_CONTAINER: [&str; 8] = [
    "image",
    "imagePullPolicy",
    "command",
    "env",
    "envFrom",
    "resources",
    "securityContext",
    "volumeMounts",
];

/// Why there can't be such a Job.
#[derive(Debug, thiserror::Error)]
pub enum Unmade {
    /// Nothing says which image.
    #[error(
        "it isn't known which image a Job has: the operator's own Pod can't be read, and `spec.job.template` says none for the container `whimbrel`"
    )]
    NoImage,
}

/// The name and the object of a Job.
pub fn job(
    environment: &Environment,
    asked: &Asked,
    attempt: u32,
    own: Option<&Pod>,
    arguments: &[String],
) -> Result<(String, Json), Unmade> {
    let meta = &environment.metadata;
    let said = environment.spec.job.clone().unwrap_or_default();
    let mut template = own.map_or_else(|| json!({}), of_own);
    merge(&mut template, &Json::Object(said.template));
    let labels = json!({
        ENVIRONMENT_LABEL: environment.name_any(),
        "app.kubernetes.io/name": "whimbrel",
        "app.kubernetes.io/component": "run",
        "app.kubernetes.io/managed-by": "whimbrel",
    });
    merge(
        &mut template,
        &json!({
            "metadata": { "labels": labels },
            "spec": {
                // The Job starts Pods again, and never a Pod its container: only so its policy counts.
                "restartPolicy": "Never",
                "containers": [{ "name": CONTAINER, "args": arguments }],
            },
        }),
    );
    let container = containers(&mut template).find(|container| is_own(container));
    let Some(container) = container.filter(|container| container.get("image").is_some()) else {
        return Err(Unmade::NoImage);
    };
    if let Some(container) = container.as_object_mut() {
        // What ends without a word of its own is known by its log.
        container
            .entry("terminationMessagePolicy")
            .or_insert_with(|| json!("FallbackToLogsOnError"));
    }
    let name = name(environment, &asked.plan, attempt);
    let owner = resource(Kind::Environment);
    let mut exits = FINAL_EXITS.to_vec();
    exits.push(REFUSED_EXIT);
    exits.sort_unstable();
    let mut spec = json!({
        "backoffLimit": RETRIES,
        "completions": 1,
        "parallelism": 1,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": { "rules": [
            // Who is evicted has not failed.
            { "action": "Ignore", "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }] },
            { "action": "FailJob", "onExitCodes": { "containerName": CONTAINER, "operator": "In", "values": exits } },
        ]},
        "ttlSecondsAfterFinished": said.ttl_seconds_after_finished.unwrap_or(KEPT),
        "template": template,
    });
    if let (Some(seconds), Some(spec)) = (said.active_deadline_seconds, spec.as_object_mut()) {
        spec.insert("activeDeadlineSeconds".to_owned(), json!(seconds));
    }
    let job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {
                PLAN_ANNOTATION: asked.plan,
                ASKED_ANNOTATION: asked.of,
                ATTEMPT_ANNOTATION: attempt.to_string(),
            },
            "ownerReferences": [{
                "apiVersion": owner.api_version, "kind": owner.kind,
                "name": meta.name, "uid": meta.uid, "controller": true,
            }],
        },
        "spec": spec,
    });
    Ok((name, job))
}

/// The same for the same plan of the same object, whoever makes it: the API server has it once.
fn name(environment: &Environment, plan: &str, attempt: u32) -> String {
    let uid = environment.metadata.uid.as_deref().unwrap_or_default();
    let hash = Digest::of(format!("{uid}/{plan}").as_bytes()).hex();
    let hash: String = hash.chars().take(HASH).collect();
    let readable = environment.name_any().replace('.', "-");
    let readable: String = readable.chars().take(NAME).collect();
    format!("{}-{hash}-{attempt}", readable.trim_matches('-'))
}

/// What is taken over of the operator's own Pod, as a template.
fn of_own(own: &Pod) -> Json {
    let pod = serde_json::to_value(&own.spec).unwrap_or_default();
    let mut spec = picked(&pod, &OF_POD);
    let of_pod = pod.get("containers").and_then(Json::as_array);
    let container = of_pod.and_then(|all| all.iter().find(|one| is_own(one)).or(all.first()));
    let mut container =
        container.map_or_else(Map::new, |container| picked(container, &OF_CONTAINER));
    let mut tokens = Vec::new();
    if let Some(Json::Array(mounts)) = container.get_mut("volumeMounts") {
        mounts.retain(|mount| {
            let is_token = mount.get("mountPath").and_then(Json::as_str) == Some(TOKEN);
            if is_token {
                tokens.extend(mount.get("name").cloned());
            }
            !is_token
        });
    }
    if let Some(Json::Array(volumes)) = spec.get_mut("volumes") {
        volumes.retain(|volume| !volume.get("name").is_some_and(|name| tokens.contains(name)));
    }
    container.insert("name".to_owned(), json!(CONTAINER));
    spec.insert("containers".to_owned(), json!([container]));
    json!({ "spec": spec })
}

fn picked(of: &Json, names: &[&str]) -> Map<String, Json> {
    let each = names.iter();
    each.filter_map(|name| Some(((*name).to_owned(), of.get(*name)?.clone())))
        .collect()
}

fn is_own(container: &Json) -> bool {
    container.get("name").and_then(Json::as_str) == Some(CONTAINER)
}

fn containers(template: &mut Json) -> impl Iterator<Item = &mut Json> {
    let found = template.pointer_mut("/spec/containers");
    found.and_then(Json::as_array_mut).into_iter().flatten()
}

/// What tells apart the items of a list, and whether those of the same are merged; others are replaced, because what stands
/// in them excludes each other. A list that isn't here is replaced as a whole.
fn items(list: &str) -> Option<(&'static str, bool)> {
    Some(match list {
        "containers" | "initContainers" => ("name", true),
        "volumes" | "env" => ("name", false),
        "volumeMounts" => ("mountPath", false),
        _ => return None,
    })
}

/// Puts something over a part of a template. `null` takes away.
fn merge(base: &mut Json, over: &Json) {
    let (Json::Object(base), Json::Object(over)) = (&mut *base, over) else {
        *base = over.clone();
        return;
    };
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (_, Json::Null) => {
                base.remove(key);
            }
            (Some(Json::Array(there)), Json::Array(more)) if items(key).is_some() => {
                merge_items(there, more, items(key).unwrap_or(("name", false)));
            }
            (Some(there), _) => merge(there, value),
            (None, _) => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

fn merge_items(base: &mut Vec<Json>, over: &[Json], (key, is_merged): (&str, bool)) {
    for item in over {
        let same = base
            .iter_mut()
            .find(|there| there.get(key).is_some() && there.get(key) == item.get(key));
        match same {
            Some(there) if is_merged => merge(there, item),
            Some(there) => *there = item.clone(),
            None => base.push(item.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::{Value as Json, json};
    use whimbrel_config::Kind;

    use super::job;
    use crate::api::{Environment, resource};
    use crate::reconcile::Asked;

    fn environment(name: &str, job: &Json) -> Environment {
        let spec = json!({ "execution": "Job", "job": job });
        let spec = serde_json::from_value(spec).unwrap();
        let mut made = Environment::new(name, &resource(Kind::Environment), spec);
        made.metadata.uid = Some("1".to_owned());
        made
    }

    fn asked(plan: &str) -> Asked {
        Asked {
            plan: plan.to_owned(),
            of: "1/".to_owned(),
        }
    }

    fn own() -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": "operator-1", "labels": { "app": "operator" } },
            "spec": {
                "serviceAccountName": "whimbrel-operator", "nodeName": "one",
                "securityContext": { "runAsNonRoot": true },
                "containers": [
                    { "name": "mesh", "image": "mesh:1" },
                    { "name": "whimbrel", "image": "whimbrel:7", "args": ["operator"],
                      "livenessProbe": { "httpGet": { "path": "/healthz", "port": 1 } },
                      "env": [{ "name": "HOME", "value": "/cache" }, { "name": "A", "value": "a" }],
                      "volumeMounts": [
                          { "name": "cache", "mountPath": "/cache" },
                          { "name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount" },
                      ]},
                ],
                "volumes": [{ "name": "cache", "emptyDir": {} }, { "name": "kube-api-access-x", "projected": {} }],
            },
        }))
        .unwrap()
    }

    fn made(job_spec: &Json) -> Json {
        let environment = environment("dev", job_spec);
        let arguments = ["run".to_owned()];
        let (_, job) = job(&environment, &asked("p"), 1, Some(&own()), &arguments).unwrap();
        job
    }

    #[test]
    fn a_pod_is_the_operators_own_but_for_what_it_does() {
        let spec = made(&json!({}))["spec"]["template"].clone();
        assert!(spec["metadata"]["labels"].get("app").is_none());
        let spec = &spec["spec"];
        assert_eq!(spec["serviceAccountName"], "whimbrel-operator");
        assert_eq!(spec["securityContext"], json!({ "runAsNonRoot": true }));
        assert!(spec.get("nodeName").is_none());
        assert_eq!(
            spec["volumes"],
            json!([{ "name": "cache", "emptyDir": {} }])
        );
        let containers = spec["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 1);
        let container = &containers[0];
        assert_eq!(container["image"], "whimbrel:7");
        assert_eq!(container["args"], json!(["run"]));
        assert!(container.get("livenessProbe").is_none());
        assert_eq!(container["volumeMounts"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn a_template_is_put_over_it_and_decides_neither_arguments_nor_restarts() {
        let job = made(&json!({
            "activeDeadlineSeconds": 60, "ttlSecondsAfterFinished": 5,
            "template": {
                "metadata": { "annotations": { "team": "data" } },
                "spec": {
                    "restartPolicy": "Always", "serviceAccountName": "databases", "securityContext": null,
                    "containers": [
                        { "name": "whimbrel", "args": ["rm"], "resources": { "limits": { "memory": "1Gi" } },
                          "env": [{ "name": "A", "valueFrom": {} }, { "name": "B", "value": "b" }] },
                        { "name": "proxy", "image": "proxy:1" },
                    ],
                    "volumes": [{ "name": "cache", "persistentVolumeClaim": { "claimName": "c" } }],
                },
            },
        }));
        assert_eq!(job["spec"]["activeDeadlineSeconds"], 60);
        assert_eq!(job["spec"]["ttlSecondsAfterFinished"], 5);
        let template = &job["spec"]["template"];
        assert_eq!(template["metadata"]["annotations"]["team"], "data");
        let spec = &template["spec"];
        assert_eq!(spec["restartPolicy"], "Never");
        assert_eq!(spec["serviceAccountName"], "databases");
        assert!(spec.get("securityContext").is_none());
        assert!(spec["volumes"][0].get("emptyDir").is_none());
        let container = &spec["containers"][0];
        assert_eq!(container["args"], json!(["run"]));
        assert_eq!(container["image"], "whimbrel:7");
        assert_eq!(container["resources"]["limits"]["memory"], "1Gi");
        let expected = json!([
            { "name": "HOME", "value": "/cache" },
            { "name": "A", "valueFrom": {} },
            { "name": "B", "value": "b" },
        ]);
        assert_eq!(container["env"], expected);
        assert_eq!(spec["containers"][1]["name"], "proxy");
    }

    #[test]
    fn a_name_is_the_same_for_the_same_and_fits_a_label() {
        let name = |name: &str, plan: &str, attempt| {
            let environment = environment(name, &json!({}));
            job(&environment, &asked(plan), attempt, Some(&own()), &[])
                .unwrap()
                .0
        };
        assert_eq!(name("dev", "p", 1), name("dev", "p", 1));
        assert_ne!(name("dev", "p", 1), name("dev", "q", 1));
        assert_ne!(name("dev", "p", 1), name("dev", "p", 2));
        assert!(name(&"a.b".repeat(60), "p", 1_000).len() <= 63);
    }

    #[test]
    fn without_an_image_there_is_no_job() {
        let environment = environment("dev", &json!({}));
        assert!(job(&environment, &asked("p"), 1, None, &[]).is_err());
        let container = json!({ "name": "whimbrel", "image": "whimbrel:1" });
        let said = json!({ "template": { "spec": { "containers": [container] } } });
        let environment = self::environment("dev", &said);
        assert!(job(&environment, &asked("p"), 1, None, &[]).is_ok());
    }
}
