//! What the store of one call holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use whimbrel_signal::Scrubber;
use whimbrel_signal::metric::{self, Origin};

use crate::call::{Call, Level, LogSink, MetricSink};
use crate::capability::{Denied, cut_line, wasi};
use crate::ceiling::Ceiling;
use crate::desk::Desk;
use crate::egress::Outgoing;
use crate::engine::EngineAccess;
use crate::grants::{Grants, Need};
use crate::hush::{BEYOND, Hush};
use crate::limits::Limits;
use crate::live::LiveSecrets;
use crate::meter::Meter;
use crate::session::Visit;
use crate::tail::{LogTail, Tail, Verdict, last};

/// What a call may do with its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Only look.
    Read,
    /// Change it.
    Write,
}

/// What a call is for: a pure one has no context and no database, and all but the log refuses.
pub struct Scope {
    /// What is called.
    pub function: &'static str,
    /// Its context, unless it is pure.
    pub working: Option<Working>,
    /// What a delivery may be signed with.
    pub live: Option<LiveSecrets>,
    log: LogSink,
    lasting: Option<Scrubber>,
    /// What a call that reveals is about, which is no secret.
    about: String,
}

/// The context of a call that isn't pure.
pub struct Working {
    /// What the call is part of.
    pub call: Call,
    /// Its database, and whether it may be changed: a step's.
    pub database: Option<(Work, Desk)>,
    /// Its login: a secret store's.
    pub visit: Option<Arc<Visit>>,
    /// Where its requests may go.
    pub outgoing: Option<Outgoing>,
    /// The engine: a resource provider's.
    pub engine: Option<EngineAccess>,
}

impl Scope {
    /// A function of its arguments alone.
    pub const fn pure(function: &'static str, log: LogSink) -> Self {
        Self {
            function,
            working: None,
            live: None,
            log,
            lasting: None,
            about: String::new(),
        }
    }

    /// A delivery: a function of its arguments, which may ask whether one of these secrets fits.
    pub fn delivery(function: &'static str, log: LogSink, live: LiveSecrets) -> Self {
        Self {
            live: Some(live),
            ..Self::pure(function, log)
        }
    }

    /// A call that only sends requests.
    pub fn requests(function: &'static str, call: Call, outgoing: Outgoing) -> Self {
        let log = call.log.clone();
        Self {
            working: Some(Working {
                call,
                database: None,
                visit: None,
                outgoing: Some(outgoing),
                engine: None,
            }),
            ..Self::pure(function, log)
        }
    }

    /// A call on a database.
    pub fn step(
        function: &'static str,
        work: Work,
        call: Call,
        desk: Desk,
        outgoing: Option<Outgoing>,
    ) -> Self {
        let log = call.log.clone();
        Self {
            working: Some(Working {
                call,
                database: Some((work, desk)),
                visit: None,
                outgoing,
                engine: None,
            }),
            ..Self::pure(function, log)
        }
    }

    /// A call that reveals secrets: it is hushed, and what it reveals for longer the scrubber knows.
    pub fn store(
        function: &'static str,
        call: Call,
        visit: Arc<Visit>,
        outgoing: Outgoing,
        lasting: Scrubber,
    ) -> Self {
        let log = call.log.clone();
        Self {
            working: Some(Working {
                call,
                database: None,
                visit: Some(visit),
                outgoing: Some(outgoing),
                engine: None,
            }),
            lasting: Some(lasting),
            ..Self::pure(function, log)
        }
    }

    /// A call that may ask the engine.
    pub fn resource(function: &'static str, call: Call, engine: Option<EngineAccess>) -> Self {
        let log = call.log.clone();
        Self {
            working: Some(Working {
                call,
                database: None,
                visit: None,
                outgoing: None,
                engine,
            }),
            ..Self::pure(function, log)
        }
    }

    /// The same about something that whoever asked may read again.
    pub fn about(mut self, about: String) -> Self {
        self.about = about;
        self
    }
}

/// How far the call came for good.
#[derive(Debug, Default)]
pub struct Progress {
    /// Commits of this call.
    pub commits: u64,
    /// Rows done, as the guest last said.
    pub rows_done: u64,
    /// Rows that the host saw change.
    pub witnessed: u64,
}

/// The data of a store.
pub struct State {
    /// The limits on memories and tables.
    pub ceiling: Ceiling,
    /// The guest's own compute.
    pub meter: Meter,
    /// What the call is for.
    pub scope: Scope,
    /// What the plugin may do.
    pub grants: Grants,
    /// How far it came.
    pub progress: Progress,
    /// The sandbox's limits.
    pub limits: Limits,
    /// Names of the metrics that were recorded.
    pub series: std::collections::BTreeSet<String>,
    /// Where metrics go.
    pub metrics: Option<MetricSink>,
    /// When the call must be done.
    pub deadline: SystemTime,
    /// What it must not repeat.
    pub hush: Hush,
    /// Requests since the call began or last committed.
    pub requests: usize,
    /// What the plugin is called.
    pub plugin: String,
    /// Whether it was told that something is no part of this call.
    was_refused: AtomicBool,
    log: LogTail,
    stderr: Tail,
    table: ResourceTable,
    wasi: Option<WasiCtx>,
}

/// Who takes the metrics of a call: whoever asked for it, or the sandbox's meter.
fn metric_sink(scope: &Scope, plugin: &str, meter: Option<&metric::Meter>) -> Option<MetricSink> {
    let own = scope
        .working
        .as_ref()
        .and_then(|it| it.call.metrics.clone());
    own.or_else(|| {
        let (meter, plugin) = (meter?.clone(), plugin.to_owned());
        Some(Arc::new(move |measurement| {
            let origin = Origin {
                plugin: &plugin,
                ..Origin::default()
            };
            meter.custom(&origin, &measurement);
        }))
    })
}

impl State {
    /// The state of a new call.
    pub fn new(
        plugin: String,
        scope: Scope,
        grants: Grants,
        limits: &Limits,
        memory: usize,
        limit: Duration,
        meter: Option<&metric::Meter>,
    ) -> Self {
        let metrics = metric_sink(&scope, &plugin, meter);
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.resources);
        let hush = Hush::new(scope.lasting.clone(), limits).about(scope.about.clone());
        Self {
            hush,
            requests: 0,
            ceiling: Ceiling::new(limits, memory),
            meter: Meter::new(limits.compute, limits.tick),
            scope,
            grants,
            progress: Progress::default(),
            series: std::collections::BTreeSet::new(),
            metrics,
            deadline: SystemTime::now()
                .checked_add(limit)
                .unwrap_or_else(SystemTime::now),
            plugin,
            was_refused: AtomicBool::new(false),
            log: LogTail::new(limits.log_lines, limits.tail_lines),
            stderr: Tail::new(limits.tail_bytes + BEYOND),
            table,
            wasi: None,
            limits: limits.clone(),
        }
    }

    /// The desk of the call's database.
    pub fn desk(&self) -> Option<Desk> {
        let (_, desk) = self.scope.working.as_ref()?.database.as_ref()?;
        Some(desk.clone())
    }

    /// The engine that the call may ask.
    pub fn engine(&self) -> Option<EngineAccess> {
        self.scope.working.as_ref()?.engine.clone()
    }

    /// The context of the call.
    ///
    /// # Errors
    /// The call is pure.
    pub fn working(&self, import: &'static str) -> Result<&Working, Denied> {
        self.scope
            .working
            .as_ref()
            .ok_or_else(|| self.not_here(import))
    }

    /// The call's database.
    ///
    /// # Errors
    /// It has none.
    pub fn database(&self) -> Result<(Work, &Desk), Denied> {
        let database = self.working("database")?.database.as_ref();
        let (work, desk) = database.ok_or_else(|| self.not_here("database"))?;
        Ok((*work, desk))
    }

    /// Whether the call has a transaction open.
    pub fn is_in_transaction(&self) -> bool {
        let look = |desk: Desk| desk.look(|database| database.in_transaction());
        self.desk().and_then(look).unwrap_or(false)
    }

    /// The refusal of what isn't part of this call.
    pub fn not_here(&self, import: &'static str) -> Denied {
        self.was_refused.store(true, Ordering::Relaxed);
        Denied::NotHere {
            plugin: self.plugin.clone(),
            function: self.scope.function,
            import,
        }
    }

    /// Whether it asked for what isn't part of this call: in another one, it might have gone another way.
    pub fn was_refused(&self) -> bool {
        self.was_refused.load(Ordering::Relaxed)
    }

    /// The refusal of what isn't granted.
    pub fn ungranted(&self, need: Need) -> Denied {
        Denied::Ungranted {
            plugin: self.plugin.clone(),
            need,
        }
    }

    /// Whether the operator granted it and the plugin needs it.
    pub fn allows(&self, need: Need) -> bool {
        self.grants.allows(need)
    }

    /// Takes a log line of the guest.
    pub fn say(&mut self, level: Level, mut message: String, mut fields: Vec<(String, String)>) {
        if self.hush.is_on() {
            message = self.hush.clean(&message);
            for (name, value) in &mut fields {
                (*name, *value) = (self.hush.clean(name), self.hush.clean(value));
            }
        }
        cut_line(&mut message, &mut fields, self.limits.log_bytes);
        self.pass(level, &message, &fields);
    }

    fn pass(&mut self, level: Level, message: &str, fields: &[(String, String)]) {
        let mut line = format!("{level}: {message}");
        for (name, value) in fields {
            line.push_str(&format!(" {name}={value}"));
        }
        match self.log.push(line) {
            Verdict::Pass => (self.scope.log)(level, message, fields),
            Verdict::LastStraw => {
                let limit = self.limits.log_lines;
                let message = format!("more than {limit} log lines: further ones are dropped");
                (self.scope.log)(Level::Warn, &message, &[]);
            }
            Verdict::Drop => {}
        }
    }

    /// The last log lines.
    pub fn log_lines(&self) -> Vec<String> {
        self.log.lines()
    }

    /// The end of standard output and error.
    pub fn stderr(&mut self) -> String {
        let text = self.hush.clean(&self.stderr.text());
        last(&text, self.limits.tail_bytes).to_owned()
    }

    /// What lasts of the call, as the end of a sentence.
    pub fn committed(&self) -> String {
        let writes = matches!(self.database(), Ok((Work::Write, _)));
        match (writes, self.progress.commits) {
            (false, _) => String::new(),
            (true, 0) => "; nothing was committed".to_owned(),
            (true, commits) => format!(
                "; {commits} commits with {} rows done stay, and the next attempt goes on from there",
                self.progress.rows_done
            ),
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let pure = self.scope.working.is_none();
        let clock = !pure && self.grants.clock;
        let stderr = &self.stderr;
        WasiCtxView {
            ctx: self
                .wasi
                .get_or_insert_with(|| wasi::context(stderr, clock, pure)),
            table: &mut self.table,
        }
    }
}
