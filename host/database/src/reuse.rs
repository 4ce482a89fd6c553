//! Whether a connection that is there can serve in the place of one that is asked for.

use secrecy::{ExposeSecret, SecretString};

use crate::endpoint::Endpoint;

impl Endpoint {
    /// Whether this leads to the same place, as the same user, with the same password.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let is_same = |one: &Option<SecretString>, other: &Option<SecretString>| {
            let one = one.as_ref().map(ExposeSecret::expose_secret);
            one == other.as_ref().map(ExposeSecret::expose_secret)
        };
        self.location == other.location
            && self.role == other.role
            && is_same(&self.username, &other.username)
            && is_same(&self.password, &other.password)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::endpoint::Endpoint;

    #[test]
    fn only_the_same_place_user_password_and_role_are_the_same() {
        let parse = |url| Endpoint::parse(url, Path::new("/")).unwrap();
        let one = || parse("postgres://db/shop").with_password("a".into());
        assert!(one().is_same(&one()));
        for other in [
            parse("postgres://db/shop"),
            parse("postgres://db/shop").with_password("b".into()),
            parse("postgres://db/other").with_password("a".into()),
            one().with_username("ada".into()),
            one().with_role("owner"),
        ] {
            assert!(!one().is_same(&other), "{other}");
        }
    }
}
