//! Shows results on Git hosts: a status beside a commit, and one comment on a pull request that is kept up to date.

mod api;
mod comment;
mod config;
mod refusal;
mod service;
mod text;

pub use config::{Config, GitHost};
use whimbrel_sdk::prelude::*;
use whimbrel_sdk::reporter::Status;

use crate::api::Api;
use crate::service::Service;

/// The reporter `plugin: git-reporter`.
pub struct Reporter {
    api: Api,
    service: Box<dyn Service>,
}

impl GitReporter for Reporter {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, Fault> {
        config.check()?;
        Ok(Self {
            service: service::of(&config)?,
            api: Api::new(config),
        })
    }

    fn set_status(&self, status: &Status) -> Result<(), Fault> {
        text::check_commit(&status.commit)?;
        text::check_link(status.link.as_deref())?;
        let doing = format!("showing `{}` at {}", status.context, status.commit);
        let answer = self.api.send(self.service.status(status), &doing)?;
        if answer.is_success() || self.service.is_shown(status, &answer) {
            return Ok(());
        }
        Err(refusal::of(&answer, &doing))
    }

    fn put_comment(&self, number: u64, marker: &str, markdown: &str) -> Result<(), Fault> {
        comment::put(&self.api, &*self.service, number, marker, markdown)
    }
}

whimbrel_sdk::export_reporter!(Reporter);
