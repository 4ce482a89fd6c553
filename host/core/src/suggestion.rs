//! The nearest valid name to one that was mistyped.

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
    use super::nearest;

    #[test]
    fn finds_what_was_meant() {
        let names = ["steps", "checks", "metrics", "dependsOn"];
        assert_eq!(nearest("step", names), Some("steps"));
        assert_eq!(nearest("chekcs", names), Some("checks"));
        assert_eq!(nearest("dependson", names), Some("dependsOn"));
        assert_eq!(nearest("depends", names), Some("dependsOn"));
    }

    #[test]
    fn says_nothing_rather_than_nonsense() {
        assert_eq!(nearest("banana", ["steps", "url"]), None);
        assert_eq!(nearest("", ["steps"]), None);
    }
}
