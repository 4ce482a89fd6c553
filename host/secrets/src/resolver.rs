//! Resolves the references of one environment, and of no other.

mod ending;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;
use whimbrel_core::environment::{SecretBackend, SecretReference, ValueSource};
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::suggestion::nearest;
use whimbrel_signal::Scrubber;
use whimbrel_signal::metric::Meter;

use crate::clock::{Clock, SystemClock};
use crate::field::select;
use crate::flight::{Boarding, Flights, Outcome, Reading};
use crate::health::Health;
use crate::lease::LeaseTable;
use crate::ledger::Pages;
use crate::limits::Limits;
use crate::measured::Measured;
use crate::readings::whole;
use crate::retry::persist;
use crate::slot::Slot;
use crate::sweep::Sweep;
use crate::{Backend, Files, Readings, Secret, SecretError, Shape, Variables};
use ending::no_backend;

/// Resolves references to values, and tells the scrubber each value before anybody else gets it. Clones share what is
/// kept, what is held and what is under way.
#[derive(Clone)]
pub struct Resolver {
    slots: BTreeMap<String, Arc<Slot>>,
    configured: BTreeMap<String, SecretBackend>,
    scrubber: Scrubber,
    clock: Arc<dyn Clock>,
    limits: Arc<Limits>,
    flights: Arc<Flights>,
    leases: LeaseTable,
    pages: Option<Pages>,
    sweep: Arc<Sweep>,
    meter: Option<Meter>,
}

impl Resolver {
    /// A resolver with the built-in backends. Relative paths of `file` are counted from `base`.
    #[must_use]
    pub fn new(base: &Path, scrubber: Scrubber) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let limits = Arc::new(Limits::default());
        let resolver = Self {
            slots: BTreeMap::new(),
            configured: BTreeMap::new(),
            scrubber,
            flights: Arc::new(Flights::new(Arc::clone(&clock), Arc::clone(&limits))),
            leases: LeaseTable::new(Arc::clone(&clock), Arc::clone(&limits), None),
            sweep: Arc::default(),
            clock,
            limits,
            pages: None,
            meter: None,
        };
        resolver
            .with_backend("env", Arc::new(Variables::default()))
            .with_backend("file", Arc::new(Files::new(base)))
    }

    /// The same for the backends that an environment configures: each is usable once [`Resolver::with_backend`] gave it,
    /// and until then named in errors. Nothing that was kept or held for another environment is shared: what belongs to
    /// one stays there.
    #[must_use]
    pub fn for_environment(mut self, configured: &BTreeMap<String, SecretBackend>) -> Self {
        if self.configured == *configured {
            return self;
        }
        for name in self.configured.keys() {
            self.slots.remove(name);
        }
        self.configured = configured.clone();
        self.begin_anew()
    }

    /// The same with one more backend, or another one of that name.
    #[must_use]
    pub fn with_backend(mut self, name: impl Into<String>, backend: Arc<dyn Backend>) -> Self {
        let name = name.into();
        let backend = match &self.meter {
            Some(meter) => Arc::new(Measured::new(&name, meter.clone(), backend)),
            None => backend,
        };
        let slot = Slot::new(backend, self.limits.concurrent_reads);
        self.slots.insert(name, Arc::new(slot));
        self
    }

    /// The same, with what its backends answer counted from now on.
    #[must_use]
    pub fn with_meter(mut self, meter: Meter) -> Self {
        self.meter = Some(meter);
        for (name, slot) in std::mem::take(&mut self.slots) {
            self = self.with_backend(name, Arc::clone(&slot.backend));
        }
        self
    }

    /// The same by another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self.begin_anew()
    }

    /// The same within other bounds.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = Arc::new(limits);
        self.begin_anew()
    }

    fn begin_anew(mut self) -> Self {
        let (clock, limits) = (&self.clock, &self.limits);
        self.flights = Arc::new(Flights::new(Arc::clone(clock), Arc::clone(limits)));
        let pages = self.pages.clone();
        self.leases = LeaseTable::new(Arc::clone(clock), Arc::clone(limits), pages);
        self.sweep = Arc::default();
        self
    }

    /// The same, noting what is lent in a ledger, and ending what others left in it once something is lent here.
    #[must_use]
    pub fn with_pages(mut self, pages: Pages) -> Self {
        self.pages = Some(pages);
        self.begin_anew()
    }

    /// Begins to read what one connection needs.
    #[must_use]
    pub fn begin(&self) -> Readings {
        Readings::new(self.clone())
    }

    /// The value that a reference means now. Who needs several for one connection takes [`Resolver::begin`].
    ///
    /// # Errors
    /// It can't be had; see [`SecretError`].
    pub async fn resolve(&self, reference: &SecretReference) -> Result<SecretString, SecretError> {
        self.begin().resolve(reference).await
    }

    /// The value of a field that may be written in the document or kept in a backend.
    ///
    /// # Errors
    /// As [`Resolver::resolve`].
    pub async fn value(&self, source: &ValueSource) -> Result<SecretString, SecretError> {
        self.begin().value(source).await
    }

    /// Tells the scrubber a value that came from elsewhere, such as the password inside of a secret URL.
    pub fn keep_secret(&self, value: &SecretString) {
        self.scrubber.register(value.expose_secret());
    }

    /// What can be said of a secret without giving its value away. Read only where the backend can't tell otherwise.
    ///
    /// # Errors
    /// As [`Resolver::resolve`].
    pub async fn shape(&self, reference: &SecretReference) -> Result<Shape, SecretError> {
        let slot = self.slot(reference)?;
        let what = whole(reference);
        let shape = self.ask(slot, || slot.backend.shape(&what)).await;
        shape.map_err(|fault| self.error(reference, &fault))
    }

    /// What the backend of a reference is and where, for a person.
    ///
    /// # Errors
    /// There is no such backend.
    pub fn describe(&self, reference: &SecretReference) -> Result<String, SecretError> {
        let slot = self.slot(reference)?;
        Ok(self.scrubber.scrub(&slot.backend.describe()))
    }

    /// How every backend is doing.
    #[must_use]
    pub fn health(&self) -> Vec<Health> {
        self.slots
            .iter()
            .map(|(name, slot)| Health {
                backend: name.clone(),
                condition: slot.pulse.condition(),
            })
            .collect()
    }

    pub(crate) const fn pages(&self) -> Option<&Pages> {
        self.pages.as_ref()
    }

    pub(crate) const fn table(&self) -> &LeaseTable {
        &self.leases
    }

    /// The field that a reference means, told to the scrubber.
    pub(crate) fn field(
        &self,
        reference: &SecretReference,
        secret: &Secret,
    ) -> Result<SecretString, SecretError> {
        let value = select(reference, secret)?;
        self.scrubber.register(value.expose_secret());
        Ok(value)
    }

    /// Reads a secret, or shares somebody else's reading that began after the one of a number.
    pub(crate) async fn read(
        &self,
        reference: &SecretReference,
        what: &SecretReference,
        newer_than: u64,
    ) -> Result<Arc<Reading>, SecretError> {
        self.slot(reference)?;
        let flight = match self.flights.board(what, newer_than) {
            Boarding::Kept(reading) => return Ok(reading),
            Boarding::Waits(flight) => flight,
            Boarding::Reads(sender, flight) => {
                // On a task of its own: whoever waits may go away, and a lease that arrives then must still be taken in.
                let fly = self.clone().fly(what.clone(), flight.number, sender);
                tokio::spawn(fly);
                flight
            }
        };
        let outcome = self.flights.land(what, flight).await;
        outcome.map_err(|fault| self.error(reference, &fault))
    }

    /// Reads for all who wait.
    async fn fly(self, what: SecretReference, number: u64, sender: watch::Sender<Option<Outcome>>) {
        let outcome = match self.take(&what, number).await {
            Ok(reading) => Ok(Arc::new(reading)),
            Err(fault) => Err(Arc::new(fault)),
        };
        self.flights.settle(&what, number, outcome.as_ref().ok());
        sender.send_replace(Some(outcome));
    }

    async fn take(&self, what: &SecretReference, number: u64) -> Result<Reading, Fault> {
        let name = &what.backend;
        let slot = self.slots.get(name).ok_or_else(|| no_backend(name))?;
        let secret = self.ask(slot, || slot.backend.read(what)).await?;
        let lease = match &secret.lease {
            Some(lease) => {
                self.sweep.begin(self);
                Some(self.leases.hold(name, &slot.backend, lease).await?)
            }
            None => None,
        };
        let fields = secret.fields.values();
        let size: usize = fields.map(|value| value.expose_secret().len()).sum();
        if secret.fields.len() > self.limits.fields || size > self.limits.secret_size {
            return Err(Fault::new(
                FaultClass::Invalid,
                "secrets.too-large",
                format!(
                    "the secret has more than {} fields or {} bytes",
                    self.limits.fields, self.limits.secret_size
                ),
            ));
        }
        Ok(Reading {
            number,
            secret,
            lease,
        })
    }

    /// Asks a backend, a few at once, again where that may help, and notes what it answers.
    async fn ask<T, F>(&self, slot: &Slot, question: impl FnMut() -> F + Send) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>> + Send,
    {
        // Nobody closes it.
        let _permit = slot.permits.acquire().await;
        let budget = self.limits.retry_budget;
        let answer = persist(&*self.clock, &self.limits, budget, question).await;
        match &answer {
            Ok(_) => slot.pulse.answered(),
            Err(fault) => slot.pulse.failed(&self.scrubbed(fault.clone())),
        }
        answer
    }

    fn slot(&self, reference: &SecretReference) -> Result<&Slot, SecretError> {
        if let Some(slot) = self.slots.get(&reference.backend) {
            return Ok(slot);
        }
        Err(match self.configured.get(&reference.backend) {
            Some(configured) => SecretError::NoPlugin {
                reference: Box::new(reference.clone()),
                plugin: configured.plugin.to_string(),
            },
            None => SecretError::UnknownBackend {
                reference: Box::new(reference.clone()),
                nearest: nearest(
                    &reference.backend,
                    self.slots
                        .keys()
                        .chain(self.configured.keys())
                        .map(String::as_str),
                )
                .map(str::to_owned),
            },
        })
    }

    fn error(&self, reference: &SecretReference, fault: &Fault) -> SecretError {
        SecretError::Backend {
            reference: Box::new(reference.clone()),
            fault: Box::new(self.scrubbed(fault.clone())),
        }
    }

    /// A plugin's words may repeat a value that is known already.
    fn scrubbed(&self, fault: Fault) -> Fault {
        self.scrubber.clean_fault(fault)
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Resolver")
            .field("backends", &self.slots.keys())
            .finish_non_exhaustive()
    }
}
