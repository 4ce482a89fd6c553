//! Leases: <https://developer.hashicorp.com/vault/docs/concepts/lease>.

use whimbrel_sdk::prelude::*;

use crate::client::Connection;
use crate::endpoint::Call;
use crate::refusal::Refusal;

/// Asks for so long from now. Vault takes it for a wish: what it gives must be looked at.
pub(crate) fn renew(
    connection: &mut Connection<'_>,
    lease: &str,
    want: Duration,
) -> Result<Renewal, Fault> {
    connection.last(want)?;
    let body = json!({ "lease_id": lease, "increment": want.as_secs() });
    match connection.call(&Call::post("sys/leases/renew", Some(body))) {
        Ok(answer) => {
            let lease = Lease {
                id: if answer.lease_id.is_empty() {
                    lease.to_owned()
                } else {
                    answer.lease_id
                },
                is_renewable: answer.renewable,
                time_to_live: Duration::from_secs(answer.lease_duration),
            };
            if lease.time_to_live.as_secs() == 0 {
                return Ok(Renewal::Gone);
            }
            Ok(Renewal::of(lease, want))
        }
        Err(refusal) if is_gone(&refusal) => Ok(Renewal::Gone),
        Err(refusal) if refusal.says("not renewable") => Err(Fault::new(
            FaultClass::Unsupported,
            "vault.lease-not-renewable",
            "the lease can't be renewed: it holds until its end",
        )),
        Err(refusal) => Err(refusal.into_fault("renewing a lease")),
    }
}

/// Ends a lease and waits until what it lent is gone.
pub(crate) fn revoke(connection: &mut Connection<'_>, lease: &str) -> Result<(), Fault> {
    let body = json!({ "lease_id": lease, "sync": true });
    let call = Call::post("sys/leases/revoke", Some(body));
    match connection.call_for_nothing(&call) {
        Ok(()) => Ok(()),
        Err(refusal) if is_gone(&refusal) => Ok(()),
        Err(refusal) if refusal.code() == Some(403) => Err(refusal
            .into_fault("revoking a lease")
            .with_hint("give the login's policy `update` on `sys/leases/revoke`")),
        Err(refusal) => Err(refusal.into_fault("revoking a lease")),
    }
}

/// Whether Vault says that there is no such lease any more. A 404 says nothing of the lease: then there is no such namespace,
/// or no such path, and what was lent may still hold.
fn is_gone(refusal: &Refusal) -> bool {
    refusal.code() == Some(400)
        && ["lease not found", "invalid lease", "lease expired"]
            .iter()
            .any(|text| refusal.says(text))
}
