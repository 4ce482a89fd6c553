//! What was measured of an object goes with it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::family::Name;
use super::meter::{Meter, tidy};

impl Meter {
    /// Takes every series of an environment away.
    pub fn forget_environment(&self, environment: &str) {
        self.begun().remove(&(Name::Runs, environment.to_owned()));
        let environment = tidy(environment);
        self.forget(["environment"], |[of]| of == environment);
        self.0.customs.forget(|of, _| of == environment);
    }

    /// Takes every series of an environment's databases away, but of these.
    pub fn keep_databases(&self, environment: &str, databases: &BTreeSet<String>) {
        let environment = tidy(environment);
        let databases: BTreeSet<Cow<'_, str>> = databases.iter().map(|name| tidy(name)).collect();
        let is_gone = |of: &str, database: &str| of == environment && !databases.contains(database);
        self.forget(["environment", "database"], |[of, database]| {
            is_gone(of, database)
        });
        self.0.customs.forget(is_gone);
    }

    /// Takes every series of a repository away.
    pub fn forget_source(&self, source: &str) {
        let source = tidy(source);
        self.forget(["source"], |[of]| of == source);
    }

    /// Takes every series away that has these labels and of whose values this is so.
    fn forget<const LABELS: usize>(
        &self,
        labels: [&str; LABELS],
        is_gone: impl Fn([&str; LABELS]) -> bool,
    ) {
        for name in Name::ALL {
            let family = name.family();
            let place = |label| family.labels.iter().position(|l| l.name() == label);
            let places = labels.map(place);
            if let (true, Some(table)) = (places.iter().all(Option::is_some), self.table(*name)) {
                let of = |values: &[&str]| {
                    is_gone(places.map(|place| {
                        place
                            .and_then(|place| values.get(place).copied())
                            .unwrap_or_default()
                    }))
                };
                let gone = table.forget(of, 0).into_values().sum();
                self.give_back(&family, gone);
            }
        }
    }
}
