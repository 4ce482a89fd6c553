//! The namespace of a cluster's objects: `namespace` is a label that the scrape gives, of the process and not of what it works
//! on, so ours has another name.

use prometheus::proto::{LabelPair, MetricFamily};

/// The label of series that name an object of a cluster.
pub const NAMESPACE: &str = "environment_namespace";

/// The labels that name such an object.
const OBJECTS: [&str; 2] = ["environment", "source"];

/// Gives the label to every series that names an object.
pub(super) fn mark(families: &mut [MetricFamily], namespace: &str) {
    for metric in families.iter_mut().flat_map(MetricFamily::mut_metric) {
        let mut labels = metric.take_label();
        if labels.iter().any(|label| OBJECTS.contains(&label.name())) {
            let mut label = LabelPair::default();
            label.set_name(NAMESPACE.to_owned());
            label.set_value(namespace.to_owned());
            labels.push(label);
            labels.sort();
        }
        metric.set_label(labels);
    }
}
