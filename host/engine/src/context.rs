//! What whoever drives the engine brings along: who does it, who hears of it, and what knows its secrets.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use whimbrel_core::environment::Environment;
use whimbrel_plugin::{Compiler, Sandbox, Settings};
use whimbrel_project::Plugins;
use whimbrel_report::metrics::Metrics;
use whimbrel_secrets::{Backend, Ledger, Resolver};
use whimbrel_signal::metric::Meter;
use whimbrel_signal::{Bus, Scrubber};

use crate::closing::Closing;
use crate::error::EngineError;

/// Who hears what happens.
pub trait Audience: Send + Sync {
    /// Takes a line that is worth knowing and changes nothing.
    fn notice(&self, text: &str);

    /// Those who listen to the deeds on targets.
    fn bus(&self) -> Bus;
}

/// What whoever drives the engine brings along. Clones share all of it.
#[derive(Clone)]
pub struct Context {
    audience: Arc<dyn Audience>,
    scrubber: Scrubber,
    closing: Closing,
    /// Who does it; who runs the program if absent.
    actor: Option<String>,
    metrics: Option<Metrics>,
    is_telling: bool,
    /// Backends that the surroundings offer to every environment, besides the built-in ones.
    backends: Vec<(String, Arc<dyn Backend>)>,
    /// Where leases are noted.
    ledger: Option<Ledger>,
    /// What compiles plugins apart from this process.
    compiler: Option<Compiler>,
    sandbox: Arc<OnceLock<Arc<Sandbox>>>,
}

impl Context {
    /// A context in which whoever runs the program is the one who does it.
    #[must_use]
    pub fn new(audience: Arc<dyn Audience>, scrubber: Scrubber) -> Self {
        Self {
            audience,
            scrubber,
            closing: Closing::default(),
            actor: None,
            metrics: None,
            is_telling: false,
            backends: Vec::new(),
            ledger: None,
            compiler: None,
            sandbox: Arc::default(),
        }
    }

    /// The same with what is given back later.
    #[must_use]
    pub fn with_closing(mut self, closing: Closing) -> Self {
        self.closing = closing;
        self
    }

    /// The same, with what happens measured. Said before the sandbox is asked for, or its calls aren't.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// The same, with what is found of environments not measured: of plans that never become real.
    #[must_use]
    pub fn unmeasured(mut self) -> Self {
        self.metrics = None;
        self
    }

    /// The same, with histories read with what they tell of each migration.
    #[must_use]
    pub const fn telling(mut self) -> Self {
        self.is_telling = true;
        self
    }

    pub(crate) const fn is_telling(&self) -> bool {
        self.is_telling
    }

    /// The same with a secret backend that the surroundings offer, or another one of that name.
    #[must_use]
    pub fn with_backend(mut self, name: &str, backend: Arc<dyn Backend>) -> Self {
        self.backends.push((name.to_owned(), backend));
        self
    }

    /// The same, with what is lent noted, so that others can end it if this process is killed.
    #[must_use]
    pub fn with_ledger(mut self, ledger: Ledger) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// The same, with plugins compiled apart from this process. Said before the sandbox is asked for, or they aren't.
    #[must_use]
    pub fn with_compiler(mut self, compiler: Compiler) -> Self {
        self.compiler = Some(compiler);
        self
    }

    /// The same on behalf of somebody.
    #[must_use]
    pub fn with_actor(mut self, actor: String) -> Self {
        self.actor = Some(actor);
        self
    }

    /// The same before other listeners.
    #[must_use]
    pub fn with_audience(mut self, audience: Arc<dyn Audience>) -> Self {
        self.audience = audience;
        self
    }

    /// What knows the live secrets.
    #[must_use]
    pub const fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }

    /// What was lent and is to be given back.
    #[must_use]
    pub const fn closing(&self) -> &Closing {
        &self.closing
    }

    /// Says a line that is worth knowing.
    pub fn notice(&self, text: &str) {
        self.audience.notice(text);
    }

    /// What is measured, if anything is.
    #[must_use]
    pub const fn metrics(&self) -> Option<&Metrics> {
        self.metrics.as_ref()
    }

    /// Those who listen to the deeds on an environment's targets.
    pub(crate) fn bus(&self, environment: &Environment) -> Bus {
        let bus = self.audience.bus();
        match &self.metrics {
            Some(metrics) => bus.with_sink(metrics.sink(environment.name.as_str())),
            None => bus,
        }
    }

    pub(crate) fn actor(&self) -> String {
        self.actor.clone().unwrap_or_else(crate::actor)
    }

    /// The sandbox that plugins of all projects share. Nothing of it starts before a plugin is needed.
    ///
    /// # Errors
    /// See [`sandbox`].
    pub fn sandbox(&self) -> Result<Arc<Sandbox>, EngineError> {
        if let Some(sandbox) = self.sandbox.get() {
            return Ok(Arc::clone(sandbox));
        }
        let meter = self.metrics.as_ref().map(Metrics::meter);
        let made = sandbox_with(meter.cloned(), self.compiler.clone())?;
        Ok(Arc::clone(self.sandbox.get_or_init(|| made)))
    }

    /// What resolves the secrets of an environment; what it borrows is given back when this is closed.
    #[must_use]
    pub fn resolver(&self, plugins: &Arc<Plugins>, environment: &Environment) -> Resolver {
        let resolver = whimbrel_project::resolver(
            plugins,
            environment,
            &self.scrubber,
            &self.backends,
            self.ledger.as_ref(),
        );
        self.closing.add(&resolver);
        resolver
    }
}

/// A sandbox that keeps native code in the user's cache.
///
/// # Errors
/// A limit makes no sense.
pub fn sandbox() -> Result<Arc<Sandbox>, EngineError> {
    sandbox_with(None, None)
}

fn sandbox_with(
    meter: Option<Meter>,
    compiler: Option<Compiler>,
) -> Result<Arc<Sandbox>, EngineError> {
    let sandbox = Sandbox::new(Settings {
        cache_dir: cache_folder(),
        compiler,
        meter,
        ..Settings::default()
    });
    Ok(Arc::new(sandbox.map_err(EngineError::Sandbox)?))
}

fn cache_folder() -> Option<PathBuf> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    variable("WHIMBREL_CACHE").or_else(|| {
        variable("XDG_CACHE_HOME")
            .or_else(|| Some(variable("HOME")?.join(".cache")))
            .map(|cache| cache.join("whimbrel/components"))
    })
}
