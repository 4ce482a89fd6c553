//! What happened to an environment otherwise than by the applies of a state: seen when it is looked at, said with its plan.

use whimbrel_sdk::prelude::*;

/// How many migrations are named.
const NAMED: usize = 10;

/// What differs between what a state says to be applied and what is: `applied` and `reverted`, each a list of names. None
/// if nothing does.
pub fn seen(state: &Json, answer: &Json) -> Option<Json> {
    let (before, now) = (names(state)?, names(answer)?);
    let without = |all: &[Json], known: &[Json]| -> Vec<Json> {
        let new = all.iter().filter(|name| !known.contains(name));
        new.cloned().collect()
    };
    let (applied, reverted) = (without(now, before), without(before, now));
    let is_same = applied.is_empty() && reverted.is_empty();
    (!is_same).then(|| json!({ "applied": applied, "reverted": reverted }))
}

/// The same in words, for whoever reads the plan.
pub fn warnings(seen: &Json) -> Vec<(String, String)> {
    let said = |field: &str, words: &str| {
        let names = seen.get(field).and_then(Json::as_array)?;
        let named = names.iter().filter_map(Json::as_str).take(NAMED);
        let mut list: Vec<String> = named.map(|name| format!("`{name}`")).collect();
        let more = names.len().saturating_sub(list.len());
        if list.is_empty() {
            return None;
        }
        if more > 0 {
            list.push(format!("{more} more"));
        }
        let message = format!(
            "{words} since the state was written, by somebody else or by an apply that was cut short: {}",
            list.join(", ")
        );
        Some((String::new(), message))
    };
    let both = [said("applied", "applied"), said("reverted", "taken back")];
    both.into_iter().flatten().collect()
}

fn names(document: &Json) -> Option<&Vec<Json>> {
    document.get("migrations").and_then(Json::as_array)
}

#[cfg(test)]
mod tests {
    use super::{seen, warnings};
    use whimbrel_sdk::prelude::*;

    #[test]
    fn both_ways_are_said() {
        let of = |names: Json| json!({ "migrations": names });
        let both = seen(&of(json!(["a", "b"])), &of(json!(["b", "c"]))).unwrap();
        assert_eq!(both, json!({ "applied": ["c"], "reverted": ["a"] }));
        let said: Vec<_> = warnings(&both).into_iter().map(|(_, text)| text).collect();
        assert!(said[0].starts_with("applied since") && said[0].ends_with(": `c`"));
        assert!(said[1].starts_with("taken back since") && said[1].ends_with(": `a`"));
        let many: Vec<_> = (0..12).map(|number| format!("m{number}")).collect();
        let many = warnings(&seen(&of(json!([])), &of(json!(many))).unwrap());
        assert!(many[0].1.ends_with("`m9`, 2 more"));
    }

    #[test]
    fn nothing_is_said_of_what_is_not_known_or_the_same() {
        let one = json!({ "migrations": ["a"] });
        for (state, answer) in [
            (&json!({}), &one),
            (&json!({ "migrations": null }), &one),
            (&one, &one),
        ] {
            assert_eq!(seen(state, answer), None);
        }
        assert_eq!(warnings(&Json::Null), []);
    }
}
