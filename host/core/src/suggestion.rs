//! What to say about a name that there isn't: the nearest one, or those that there are.

/// What to do about a name that isn't there: the one that was probably meant, else those that there are. Nothing where there
/// are none.
#[must_use]
pub fn instead<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    if let Some(name) = nearest(word, candidates.clone()) {
        return Some(format!("did you mean `{name}`?"));
    }
    let names: Vec<String> = candidates
        .into_iter()
        .map(|name| format!("`{name}`"))
        .collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("there is {one}")),
        several => Some(format!("there are {}", several.join(", "))),
    }
}

/// The candidate most similar to a word, if one is similar enough to be what was meant.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lowered = word.to_lowercase();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other = candidate.to_lowercase();
            let distance = strsim::damerau_levenshtein(&lowered, &other);
            let longest = lowered.chars().count().max(other.chars().count());
            let contained = lowered.chars().count() >= 3
                && (other.contains(&lowered) || lowered.contains(&other) && other.len() >= 3);
            // A third of the letters may be wrong: more than that is another word.
            (distance * 3 <= longest || contained).then_some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::{instead, nearest};

    #[test]
    fn finds_what_was_meant() {
        let names = ["steps", "checks", "metrics", "dependsOn"];
        assert_eq!(nearest("step", names), Some("steps"));
        assert_eq!(nearest("chekcs", names), Some("checks"));
        assert_eq!(nearest("dependson", names), Some("dependsOn"));
        assert_eq!(nearest("depends", names), Some("dependsOn"));
    }

    #[test]
    fn names_what_there_is_where_nothing_is_near() {
        let said = |word, names: &[&str]| instead(word, names.iter().copied());
        assert_eq!(
            said("mian", &["main", "stock"]).unwrap(),
            "did you mean `main`?"
        );
        assert_eq!(
            said("shop", &["main", "stock"]).unwrap(),
            "there are `main`, `stock`"
        );
        assert_eq!(said("shop", &["main"]).unwrap(), "there is `main`");
        assert_eq!(said("shop", &[]), None);
    }

    #[test]
    fn says_nothing_rather_than_nonsense() {
        assert_eq!(nearest("banana", ["steps", "url"]), None);
        assert_eq!(nearest("", ["steps"]), None);
    }
}
