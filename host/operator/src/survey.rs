//! Asks the databases of an environment: opens what defines it, plans, and says in a few words what was found.

use std::path::PathBuf;
use std::sync::Arc;

use kube::ResourceExt as _;
use whimbrel_core::approval;
use whimbrel_core::gate::{Gate, Refusal, may_approve};
use whimbrel_core::lineage::AbsentRule;
use whimbrel_core::name::MigrationName;
use whimbrel_core::plan::Goal;
use whimbrel_engine::{
    Audience, Closing, Ending, EngineError, Meanwhile, Opened, Passing, Prepared, Selection, Stand,
    ending_before, prepare_revert, standings,
};
use whimbrel_project::{DefinitionCache, Location, Place, Verification};
use whimbrel_report::TargetStatus;
use whimbrel_signal::{Bus, Scrubber};

use crate::api::{Approval, Environment};
use crate::definition::{belongs, files, only_environment, write};
use crate::operator::Operator;
use crate::reconcile::{Known, Waiting};

/// What lets a plan go on that waits for nothing else.
const APPROVE: &str = "an `Approval` of `status.plan` lets it go on";

/// An environment that was asked.
pub struct Surveyed {
    pub opened: Opened,
    pub prepared: Option<Prepared>,
    pub digest: String,
    /// Whether the plan has nothing to do.
    pub is_empty: bool,
    /// Where every migration stands on every database.
    pub targets: Vec<TargetStatus>,
    /// The approvals that any database holds.
    pub approvals: Vec<approval::Approval>,
    closing: Closing,
}

impl Surveyed {
    /// What a run needs of it. What was lent for it is given back by whoever lent it.
    pub fn into_parts(self) -> (Opened, Option<Prepared>) {
        (self.opened, self.prepared)
    }

    /// Gives back what was lent for it.
    pub async fn close(self) {
        self.closing.close().await;
    }
}

/// Who hears of an environment's deeds: the log.
struct Listener {
    environment: String,
    scrubber: Scrubber,
}

impl Audience for Listener {
    fn notice(&self, text: &str) {
        tracing::info!(environment = %self.environment, "{text}");
    }

    fn bus(&self) -> Bus {
        Bus::new(Vec::new(), self.scrubber.clone())
    }
}

/// Where an environment is read from: the source that it names, or the objects of the namespace.
pub async fn selection(
    operator: &Operator,
    environment: &Environment,
    cache: &DefinitionCache,
) -> Result<Selection, String> {
    let name = environment.name_any();
    if let Some(of) = &environment.spec.source_ref {
        let source = operator.source(&of.name);
        let source = source.ok_or_else(|| operator.no_source(&of.name))?;
        let selection = source.selection()?;
        return Ok(Selection {
            environment: Some(name),
            ..selection
        });
    }
    let folder = write_down(operator, environment).await;
    let folder =
        folder.map_err(|error| format!("the definitions can't be written down: {error}"))?;
    Ok(Selection {
        place: Place::Here(Location {
            folder,
            reference: None,
        }),
        control_ref: None,
        verification: Verification::default(),
        signing: None,
        cache: Some(cache.clone()),
        environment: Some(name),
        databases: Vec::new(),
        // Each migration is an object of its own, and one that is deleted stays applied unless it says otherwise.
        absent: AbsentRule::Keep,
    })
}

async fn write_down(operator: &Operator, environment: &Environment) -> std::io::Result<PathBuf> {
    let stores = &operator.cluster.stores;
    let name = environment.name_any();
    let environments = stores.environments.state();
    let only = only_environment(&environments);
    let migrations = stores.migrations.state();
    let migrations: Vec<_> = migrations
        .into_iter()
        .filter(|migration| belongs(migration, &name, only.as_deref()))
        .filter(|migration| migration.metadata.deletion_timestamp.is_none())
        .collect();
    let namespace = &operator.cluster.namespace;
    let files = files(namespace, environment, &environments, &migrations);
    let folder = operator
        .settings
        .cache
        .join("objects")
        .join(namespace)
        .join(name);
    let written = folder.clone();
    let done = tokio::task::spawn_blocking(move || write(&written, &files)).await;
    done.map_err(std::io::Error::other)??;
    Ok(folder)
}

/// Opens, plans, and asks every database. `confirmations` are approvals that may say that destructive statements were looked
/// at; they count only for the plan that they name, and only by somebody who may approve it. What is to be reverted is
/// planned by itself, and nothing else with it.
pub async fn survey(
    operator: &Operator,
    selection: &Selection,
    confirmations: &[Arc<Approval>],
    reverting: &[MigrationName],
) -> Result<(Known, Surveyed), EngineError> {
    let name = selection.environment.clone().unwrap_or_default();
    let closing = Closing::default();
    let listener = Listener {
        environment: name,
        scrubber: operator.context.scrubber().clone(),
    };
    let context = operator.context.clone();
    let context = context
        .with_audience(Arc::new(listener))
        .with_closing(closing.clone())
        .telling();
    let asked = asked(
        &context,
        selection,
        confirmations,
        reverting,
        closing.clone(),
    );
    match asked.await {
        Ok(asked) => Ok(asked),
        Err(error) => {
            closing.close().await;
            Err(error)
        }
    }
}

/// The same for whoever listens to it, and gives back himself what is lent for it.
pub async fn asked(
    context: &whimbrel_engine::Context,
    selection: &Selection,
    confirmations: &[Arc<Approval>],
    reverting: &[MigrationName],
    closing: Closing,
) -> Result<(Known, Surveyed), EngineError> {
    let control = whimbrel_project::Control::Environment(selection.environment.clone());
    let asked = selection.clone();
    let opening = tokio::task::spawn_blocking(move || whimbrel_engine::opening(&asked, control));
    let opening = opening.await.map_err(EngineError::Task)??;
    let opened = Opened::of(opening, selection, context, Meanwhile::Read).await?;
    let prepare = async |passing: Passing| {
        if reverting.is_empty() {
            return Prepared::new(&opened, Goal::Apply, passing).await;
        }
        prepare_revert(&opened, reverting.to_vec(), passing).await
    };
    let mut prepared = prepare(Passing::default()).await?;
    let confirmed = confirmations.iter().any(|approval| {
        approval.spec.confirm_destructive
            && prepared.require(&approval.spec.plan).is_ok()
            && may_approve(&approval.spec.recorded(), &prepared.gates)
    });
    if confirmed && refuses(&prepared.refusals(), Gate::Destructive) {
        let passing = Passing {
            destructive_confirmed: true,
            ..Passing::default()
        };
        prepared = prepare(passing).await?;
    }
    let known = known(prepared.stand(), context.scrubber());
    let mut targets = standings(&opened, &prepared.survey.histories)?;
    for (target, error) in &prepared.survey.failures {
        targets.push(TargetStatus {
            target: target.clone(),
            location: String::new(),
            migrations: Vec::new(),
            error: Some(error.to_string()),
        });
    }
    for text in targets.iter_mut().flat_map(errors) {
        *text = context.scrubber().scrub(text);
    }
    let held = prepared.gates.approvals.values().flatten();
    let surveyed = Surveyed {
        approvals: held.cloned().collect(),
        digest: prepared.plan().digest().to_string(),
        is_empty: prepared.plan().is_empty(),
        opened,
        prepared: Some(prepared),
        targets,
        closing,
    };
    Ok((known, surveyed))
}

/// What is told of a database, and what it has recorded itself: whoever recorded it may have known other secrets.
fn errors(target: &mut TargetStatus) -> impl Iterator<Item = &mut String> {
    let recorded = target.migrations.iter_mut();
    let recorded = recorded.filter_map(|line| line.error.as_mut());
    target.error.iter_mut().chain(recorded)
}

fn known(stand: Stand, scrubber: &Scrubber) -> Known {
    match stand {
        Stand::Current => Known::Current,
        Stand::Pending => Known::Pending,
        Stand::Unread { error, hint } => Known::Away(scrubber.clean(with_hint(&error, hint))),
        Stand::Waiting(refusals) => {
            let on = waiting(&refusals);
            let hint = (on == Waiting::Approval).then(|| APPROVE.to_owned());
            let message = scrubber.clean(with_hint(&message(&refusals), hint));
            Known::Waiting { on, message }
        }
        Stand::Blocked(error) => Known::Wrong {
            is_definition: false,
            message: scrubber.clean(described(&error)),
        },
    }
}

/// What an error means for the environment.
pub fn failed(error: &EngineError, scrubber: &Scrubber) -> Known {
    let message = scrubber.clean(described(error));
    if ending_before(error) == Ending::Temporary {
        return Known::Away(message);
    }
    Known::Wrong {
        is_definition: error.is_definition(),
        message,
    }
}

fn waiting(refusals: &[Refusal]) -> Waiting {
    let is_change = |refusal: &Refusal| {
        !matches!(
            refusal.gate,
            Gate::Approval | Gate::Window | Gate::Promotion
        )
    };
    if refusals.iter().any(is_change) {
        Waiting::Change
    } else if refusals
        .iter()
        .all(|refusal| refusal.gate == Gate::Approval)
    {
        Waiting::Approval
    } else {
        Waiting::Time
    }
}

fn refuses(refusals: &[Refusal], gate: Gate) -> bool {
    refusals.iter().any(|refusal| refusal.gate == gate)
}

fn message(refusals: &[Refusal]) -> String {
    let each = refusals.iter();
    let each = each.map(|refusal| format!("{}: {}", refusal.gate, refusal.message));
    each.collect::<Vec<_>>().join("; ")
}

fn described(error: &EngineError) -> String {
    with_hint(&error.brief(), error.hints().into_iter().next())
}

fn with_hint(error: &str, hint: Option<String>) -> String {
    hint.map_or_else(|| error.to_owned(), |hint| format!("{error} ({hint})"))
}

#[cfg(test)]
mod tests {
    use whimbrel_core::gate::{Gate, Refusal};

    use super::waiting;
    use crate::reconcile::Waiting;

    #[test]
    fn what_must_change_counts_more_than_time_and_time_more_than_approval() {
        let of = |gates: &[Gate]| {
            let refusals: Vec<_> = gates
                .iter()
                .map(|gate| Refusal {
                    gate: *gate,
                    message: String::new(),
                    hint: String::new(),
                })
                .collect();
            waiting(&refusals)
        };
        assert_eq!(of(&[Gate::Approval]), Waiting::Approval);
        assert_eq!(of(&[Gate::Approval, Gate::Window]), Waiting::Time);
        assert_eq!(of(&[Gate::Promotion]), Waiting::Time);
        assert_eq!(of(&[Gate::Approval, Gate::Destructive]), Waiting::Change);
    }
}
