//! What can be said of database credentials without making any.

use whimbrel_sdk::clock;
use whimbrel_sdk::prelude::*;

use crate::client::Connection;
use crate::endpoint::Call;
use crate::engine::Place;
use crate::generic;

/// A static role is read, because that makes nothing. Of a dynamic one its definition tells how long credentials hold,
/// where the policy lets it be seen, and otherwise only whether they may be had.
pub(crate) fn describe(
    connection: &mut Connection<'_>,
    place: &Place,
    reference: &Reference,
) -> Result<Shape, Fault> {
    generic::no_version(reference)?;
    if place.rest.starts_with("static-creds/") {
        let secret = generic::read(connection, place, reference)?;
        let stays = secret
            .expires
            .map(|expires| expires.saturating_sub(clock::now()));
        return Ok(Shape {
            fields: secret.fields.into_iter().map(|(name, _)| name).collect(),
            next_rotation: secret.expires,
            time_to_live: stays.map(Duration::from_millis),
            ..Shape::default()
        });
    }
    let Some(role) = place.rest.strip_prefix("creds/") else {
        return generic::describe(connection, place);
    };
    generic::may_read(connection, &place.path())?;
    let fields = ["password", "username"].map(str::to_owned).to_vec();
    let call = Call::get(format!("{}/roles/{role}", place.mount));
    let data = match connection.call(&call) {
        Ok(envelope) => envelope.data,
        Err(refusal) if refusal.code() == Some(403) => Json::Null,
        Err(refusal) => {
            return Err(refusal.into_fault(&format!("looking at the role of {}", place.path())));
        }
    };
    let seconds = |name: &str| data.get(name).and_then(Json::as_u64).filter(|s| *s > 0);
    Ok(Shape {
        fields,
        time_to_live: seconds("default_ttl").map(Duration::from_secs),
        details: json!({ "maximum": seconds("max_ttl"), "database": data.get("db_name") }),
        ..Shape::default()
    })
}
