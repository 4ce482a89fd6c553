//! What answers Terraform: a component, or a provider in Rust.
//!
//! Mirrors `provider` of `whimbrel:resources`. Sensitive and write-only values are sealed before they get here.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;

use crate::cancel::Cancel;
use crate::diagnostic::Diagnostic;
use crate::schema::ProviderSchema;
use crate::sealed::Sealed;
use crate::value::{Type, Value};

/// An answer, or why there is none.
pub type Answer<T> = Result<T, Vec<Diagnostic>>;

/// What a call may use besides its arguments.
pub struct Call {
    /// Asks the call to end: it should, at its next safe point, and say what was done.
    pub cancel: Cancel,
    /// The sensitive values that stand sealed in the arguments.
    pub sealed: Arc<Sealed>,
    warnings: Mutex<Vec<Diagnostic>>,
    /// Of the configuration that it is about: what pointers lead through.
    kind: OnceLock<Type>,
}

impl Call {
    /// A call that nobody asked to end.
    #[must_use]
    pub fn new(cancel: Cancel, sealed: Arc<Sealed>) -> Self {
        Self {
            cancel,
            sealed,
            warnings: Mutex::default(),
            kind: OnceLock::new(),
        }
    }

    /// Has something said with the answer, whether it is one or an error.
    pub fn warn(&self, warning: Diagnostic) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.push(warning);
    }

    /// Says what the call is about.
    pub(crate) fn about(&self, kind: Type) -> &Type {
        self.kind.get_or_init(|| kind)
    }

    /// What the call is about, if that became clear.
    pub(crate) fn kind(&self) -> Option<&Type> {
        self.kind.get()
    }

    /// What is to be said besides.
    pub(crate) fn warnings(&self) -> Vec<Diagnostic> {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut warnings)
    }
}

/// Whose configuration it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configured<'a> {
    /// The provider's own.
    Provider,
    /// A resource's, of this type.
    Resource(&'a str),
    /// A data source's, of this type.
    DataSource(&'a str),
}

/// What Terraform keeps of a resource: the state that people see, and bytes of the provider's own.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// The state, an object of the resource's attributes and blocks.
    pub state: Value,
    /// Bytes that only the provider reads. They stand in plans and states in plain text.
    pub private: Vec<u8>,
}

/// What a change would lead to.
#[derive(Clone, PartialEq, Eq)]
pub struct Planned {
    /// What is to be kept, as far as it is known.
    pub stored: Stored,
    /// JSON pointers of the attributes whose change needs a new resource.
    pub replace: Vec<String>,
}

/// Why a function has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionFault {
    /// For a person.
    pub message: String,
    /// Which argument is wrong, from zero on.
    pub argument: Option<usize>,
}

/// What answers Terraform. Calls come at the same time, each on its own task, and none is dropped before it has ended or was
/// asked to end and had a minute for it; one that panics costs itself and nothing else.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// What there is. Asked once, after the handshake.
    async fn schema(&self) -> Answer<Arc<ProviderSchema>>;

    /// Takes the provider's own configuration, parts of which may be unknown in a plan. Its sealed values can be revealed in
    /// every later call.
    async fn configure(&self, call: &Call, config: Value) -> Answer<()>;

    /// Whether a configuration can be right. Nothing needs to be known in it.
    async fn validate(&self, call: &Call, what: Configured<'_>, config: Value) -> Answer<()>;

    /// What a resource would be. Of a new one, what is computed and not configured stands as unknown in `proposed`; of one
    /// that is there, as it was, and the provider says what will change. Never writes.
    async fn plan(
        &self,
        call: &Call,
        kind: &str,
        prior: Option<Stored>,
        config: Value,
        proposed: Value,
    ) -> Answer<Planned>;

    /// Whether a resource could be deleted.
    async fn plan_delete(&self, call: &Call, kind: &str, prior: Stored) -> Answer<()>;

    /// Makes a resource as it was planned. Write-only values are in `config` alone.
    async fn create(
        &self,
        call: &Call,
        kind: &str,
        planned: Stored,
        config: Value,
    ) -> Answer<Stored>;

    /// How a resource is; none when it is gone.
    async fn read(&self, call: &Call, kind: &str, current: Stored) -> Answer<Option<Stored>>;

    /// Changes a resource as it was planned.
    async fn update(
        &self,
        call: &Call,
        kind: &str,
        prior: Stored,
        planned: Stored,
        config: Value,
    ) -> Answer<Stored>;

    /// Deletes a resource; one that is gone already is deleted.
    async fn delete(&self, call: &Call, kind: &str, current: Stored) -> Answer<()>;

    /// A resource that is there, by what a person names it. Terraform reads it next.
    async fn import_state(&self, call: &Call, kind: &str, id: &str) -> Answer<Stored>;

    /// Reads a data source: its attributes, the configured ones among them.
    async fn read_data(&self, call: &Call, kind: &str, config: Value) -> Answer<Value>;

    /// A state of an older version as one of this. Its types are those of its JSON. Attributes that are sensitive today
    /// are sealed in it; what an older version called otherwise is not.
    async fn upgrade(&self, call: &Call, kind: &str, version: u64, state: Value) -> Answer<Value>;

    /// Calls a function. It must give the same for the same arguments, always.
    async fn call_function(
        &self,
        name: &str,
        arguments: Vec<Value>,
    ) -> Result<Value, FunctionFault>;

    /// Ends what the provider still has open, before the process does. Bounded to ten seconds.
    async fn close(&self) {}
}
