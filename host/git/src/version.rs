//! Which of several names is the highest version.

use std::cmp::Ordering;

use semver::Prerelease;

/// A version in a name such as `v1.10.0-rc.1` or `release/2024.7`: as many numbers as there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    numbers: Vec<u64>,
    prerelease: Prerelease,
}

impl Version {
    /// The version that a name ends with; none if it ends with none.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let last = name.rsplit('/').next().unwrap_or(name);
        let start = last.find(|c: char| c.is_ascii_digit())?;
        // A prefix of letters is a name; one that ends in a number would be another version.
        let text = last.get(start..)?;
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let (numbers, prerelease) = text.split_once('-').unwrap_or((text, ""));
        let numbers: Option<Vec<u64>> = numbers
            .split('.')
            .map(|number| number.parse().ok())
            .collect();
        let mut numbers = numbers?;
        // `1.2` and `1.2.0` are the same.
        while numbers.len() > 1 && numbers.last() == Some(&0) {
            numbers.pop();
        }
        Some(Self {
            numbers,
            prerelease: Prerelease::new(prerelease).ok()?,
        })
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| self.prerelease.cmp(&other.prerelease))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn versions_are_numbers_and_not_letters() {
        let ascending = [
            "v0.9",
            "v1.0.0-alpha",
            "v1.0.0-rc.2",
            "v1.0.0-rc.10",
            "v1",
            "shop/v1.2.0",
            "release/1.10",
            "v2024.7.1",
        ];
        for pair in ascending.windows(2) {
            assert!(
                Version::of(pair[0]).unwrap() < Version::of(pair[1]).unwrap(),
                "{pair:?}"
            );
        }
        assert_eq!(Version::of("v1.2"), Version::of("release-1.2.0+build.7"));
        for none in ["next", "release/next", "v1.x", "v1.0.0-é", ""] {
            assert_eq!(Version::of(none), None, "{none}");
        }
    }
}
