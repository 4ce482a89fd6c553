//! What carries a fetch or a push: Git's protocol over HTTP or SSH, or a repository of this machine.

use std::time::Instant;

use git2::Oid;

use super::address::Kind;
use super::advertisement::Advertisement;
use super::connection::{Connection, Service};
use super::credentials::Access;
use super::exchange::{self, Change};
use super::http::Http;
use super::local::Local;
use super::ssh::Ssh;
use super::watched::Watched;
use super::{Address, Limits, RemoteError};

pub(super) struct Link<'a> {
    address: &'a Address,
    limits: &'a Limits,
    until: Instant,
    way: Way<'a>,
}

enum Way<'a> {
    Wire(Box<dyn Connection>),
    Local(Local<'a>),
}

impl<'a> Link<'a> {
    pub(super) fn open(
        address: &'a Address,
        access: &Access,
        limits: &'a Limits,
        until: Instant,
    ) -> Result<Self, RemoteError> {
        let way = match address.kind() {
            Kind::Http(url) => Way::Wire(Box::new(Http::new(address, url, access, limits, until)?)),
            Kind::Ssh(ssh) => Way::Wire(Box::new(Ssh::new(address, ssh, access, limits))),
            Kind::Local(folder) => Way::Local(Local::open(address, folder)?),
        };
        Ok(Self {
            address,
            limits,
            until,
            way,
        })
    }

    /// What the server has.
    pub(super) fn advertised(&mut self) -> Result<Advertisement, RemoteError> {
        match &mut self.way {
            Way::Wire(connection) => {
                begin(connection.as_mut(), Service::Fetch, self.limits, self.until)
            }
            Way::Local(local) => local.advertised(),
        }
    }

    /// Brings objects into the mirror.
    pub(super) fn fetch(
        &mut self,
        mirror: &git2::Repository,
        advertised: &Advertisement,
        wants: &[Oid],
        haves: &[Oid],
    ) -> Result<(), RemoteError> {
        const KEEPING: &str = "keeping what was fetched";
        let database = mirror.odb().map_err(RemoteError::git(KEEPING))?;
        let mut pack = database.packwriter().map_err(RemoteError::git(KEEPING))?;
        let Self { limits, until, .. } = self;
        match &mut self.way {
            Way::Wire(connection) => {
                exchange::fetch(
                    connection.as_mut(),
                    advertised,
                    wants,
                    haves,
                    limits,
                    *until,
                    &mut pack,
                )?;
            }
            Way::Local(local) => local.fetch(wants, haves, limits, *until, &mut pack)?,
        }
        pack.commit().map_err(RemoteError::git(KEEPING))?;
        Ok(())
    }

    /// Moves a ref at the server, if it is where it is expected.
    pub(super) fn push(&mut self, change: &Change<'_>) -> Result<(), RemoteError> {
        match &mut self.way {
            Way::Wire(connection) => {
                let advertised =
                    begin(connection.as_mut(), Service::Push, self.limits, self.until)?;
                if advertised.refs.get(change.reference).copied() != change.before {
                    return Err(RemoteError::Rejected {
                        address: self.address.clone(),
                        reference: change.reference.to_owned(),
                        problem: "somebody else moved it meanwhile".to_owned(),
                    });
                }
                let Self {
                    address,
                    limits,
                    until,
                    ..
                } = self;
                exchange::push(
                    connection.as_mut(),
                    &advertised,
                    address,
                    change,
                    limits,
                    *until,
                )
            }
            Way::Local(local) => local.push(change),
        }
    }
}

fn begin(
    connection: &mut dyn Connection,
    service: Service,
    limits: &Limits,
    until: Instant,
) -> Result<Advertisement, RemoteError> {
    let from = connection.begin(service)?;
    Advertisement::read(&mut Watched::new(
        from,
        "the list of refs",
        limits.advertisement,
        until,
    ))
}
