//! What a plugin's grants say: can it be meant?

use whimbrel_core::destination::Destination;
use whimbrel_core::project::{Grants, HttpGrant};

use crate::document::Document;
use crate::node::{Part, Way, way};
use crate::problem::Problem;

/// Says what of the grants of a plugin can't be meant; `place` is the way to them.
pub fn check(document: &Document, place: &[Part], grants: &Grants, problems: &mut Vec<Problem>) {
    for (index, grant) in grants.http.iter().enumerate() {
        let at = |key: &str| [place, &way!["http", index, key]].concat();
        // What stands there isn't repeated: it may have a password in it.
        if let Err(error) = grant.to.parse::<Destination>() {
            document
                .problem(&at("to"), format!("that is no place: {error}"))
                .expected(
                    "`https://host:port/path*`, or `config:/pointer` into the plugin's `with:`",
                )
                .push(problems);
        }
        check_pairs(document, &at, grant, problems);
    }
}

/// What belongs together, and what excludes each other.
fn check_pairs(
    document: &Document,
    at: &dyn Fn(&str) -> Way,
    grant: &HttpGrant,
    problems: &mut Vec<Problem>,
) {
    let alone = match (&grant.certificate, &grant.key) {
        (Some(_), None) => Some(("certificate", "key")),
        (None, Some(_)) => Some(("key", "certificate")),
        _ => None,
    };
    if let Some((there, missing)) = alone {
        document
            .key_problem(&at(there), format!("`{there}` without `{missing}`"))
            .expected("both, or neither")
            .push(problems);
    }
    if grant.bearer.is_some() && grant.basic.is_some() {
        document
            .key_problem(
                &at("basic"),
                "`basic` beside `bearer`: a request has one `Authorization`",
            )
            .expected("one of them")
            .push(problems);
    }
}
