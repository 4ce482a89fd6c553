//! The list of a secret's versions, which has everything of them but their values. Allowing to read one doesn't allow this.

use whimbrel_sdk::prelude::*;

use crate::config::Config;
use crate::secret::{API, Place, details, instant, version};
use crate::{refusal, service};

/// The most pages that are read of one list, so that no server keeps a call for ever. A page has up to 25 versions.
const PAGES: usize = 100;

/// What can be said of a version, of the newest if none is named. Its fields are unknown without reading.
pub(crate) fn describe(config: &Config, place: &Place<'_>) -> Result<Shape, Fault> {
    let mut target = format!("{}?{API}", place.versions());
    let mut found: Option<Json> = None;
    for _ in 0..PAGES {
        let page = service::get(
            config,
            &target,
            &format!("the versions of {}", place.shown()),
        )?;
        let versions = page.get("value").and_then(Json::as_array);
        for item in versions.ok_or_else(|| refusal::unreadable("Key Vault"))? {
            let is_better = place.version.map_or_else(
                || {
                    let created = |item: &Json| instant(item, "created");
                    found
                        .as_ref()
                        .is_none_or(|found| created(item) > created(found))
                },
                |wanted| version(item) == Some(wanted),
            );
            if is_better {
                found = Some(item.clone());
            }
        }
        match page.get("nextLink").and_then(Json::as_str) {
            Some(link) if !link.is_empty() => target = next(place, link)?,
            _ => return shape(place, found),
        }
    }
    Err(Fault::new(
        FaultClass::Internal,
        "azure.endless",
        format!("the list of the versions of {} doesn't end", place.shown()),
    ))
}

/// The next page, at the address that is configured: the vault names its own, which a private endpoint hasn't.
fn next(place: &Place<'_>, link: &str) -> Result<String, Fault> {
    let path = place.versions();
    // Names have no case, and the vault writes them as they were made.
    link.split_once('?')
        .filter(|(before, query)| {
            before
                .to_ascii_lowercase()
                .ends_with(&path.to_ascii_lowercase())
                && query.chars().all(|c| c.is_ascii_graphic() && c != '#')
        })
        .map(|(_, query)| format!("{path}?{query}"))
        .ok_or_else(|| refusal::unreadable("Key Vault"))
}

fn shape(place: &Place<'_>, found: Option<Json>) -> Result<Shape, Fault> {
    let Some(item) = found else {
        return Err(Fault::new(
            FaultClass::NotFound,
            "azure.not-found",
            format!("{} isn't there", place.shown()),
        ));
    };
    if item.pointer("/attributes/enabled") == Some(&Json::Bool(false)) {
        return Err(refusal::disabled(&format!("{} is disabled", place.shown())));
    }
    Ok(Shape {
        version: version(&item).map(str::to_owned),
        details: details(&item),
        ..Shape::default()
    })
}
