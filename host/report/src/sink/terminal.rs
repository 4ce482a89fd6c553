//! Progress bars on a terminal: one for each migration that runs, with rows per second and the time left.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use whimbrel_core::name::TargetName;
use whimbrel_signal::{Signal, Sink};

use super::phrase::{phrase, present};
use crate::quantity::count;

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(120);

const SPINNER: &str = "{spinner} {msg} {elapsed}";
const ROWS: &str = "{spinner} {msg} {human_pos} rows {rate} {elapsed}";
const BAR: &str = "{spinner} {msg} [{bar:24}] {human_pos}/{human_len} rows {rate} ETA {eta}";

/// Draws on the terminal behind stderr; what ended scrolls away above the bars.
pub struct Terminal {
    bars: MultiProgress,
    running: Mutex<BTreeMap<TargetName, ProgressBar>>,
    verbose: bool,
    colour: bool,
}

impl Terminal {
    /// Draws on stderr; `verbose` adds locks and every statement.
    #[must_use]
    pub fn new(verbose: bool, colour: bool) -> Self {
        Self::on(ProgressDrawTarget::stderr(), verbose, colour)
    }

    /// Draws on another terminal.
    #[must_use]
    pub fn on(target: ProgressDrawTarget, verbose: bool, colour: bool) -> Self {
        Self {
            bars: MultiProgress::with_draw_target(target),
            running: Mutex::default(),
            verbose,
            colour,
        }
    }

    fn begin(&self, target: &TargetName, message: String) {
        let bar = self.bars.add(ProgressBar::no_length());
        restyle(&bar, SPINNER);
        bar.set_message(message);
        bar.enable_steady_tick(TICK);
        if let Some(before) = self.running().insert(target.clone(), bar) {
            before.finish_and_clear();
        }
    }

    fn end(&self, target: &TargetName) {
        if let Some(bar) = self.running().remove(target) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }

    fn change(&self, target: &TargetName, change: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = self.running().get(target) {
            change(bar);
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<TargetName, ProgressBar>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn restyle(bar: &ProgressBar, template: &str) {
    // The templates are constants of this file; a broken one would leave the default style.
    if let Ok(style) = ProgressStyle::with_template(template) {
        let style = style.progress_chars("━╸─");
        bar.set_style(style.with_key("rate", rate));
    }
}

/// Rows per second, whole ones.
fn rate(state: &ProgressState, out: &mut dyn Write) {
    // Rates are far below 2^53 and never negative; what can't be written is a terminal that is gone.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let rows = state.per_sec() as u64;
    let _ = write!(out, "{} rows/s", count(rows));
}

impl Sink for Terminal {
    fn emit(&self, signal: &Signal) {
        match signal {
            Signal::MigrationStarted {
                target,
                migration,
                direction,
                ..
            } => {
                let verb = present(*direction);
                self.begin(target, format!("{target}: {verb} {migration}"));
                return;
            }
            Signal::LockWaiting { target, holder } => {
                self.begin(
                    target,
                    format!("{target}: waiting for the lock, held by {holder}"),
                );
                return;
            }
            Signal::LockTaken { target, .. } | Signal::TargetFinished { target, .. } => {
                self.end(target);
            }
            Signal::StepStarted {
                target,
                migration,
                title,
            } => {
                self.change(target, |bar| {
                    bar.set_message(format!("{target}: {migration}: {title}"));
                });
            }
            Signal::StepProgress {
                target, progress, ..
            } => {
                self.change(target, |bar| {
                    if bar.length() != progress.total || bar.position() == 0 {
                        match progress.total {
                            Some(total) => {
                                bar.set_length(total);
                                restyle(bar, BAR);
                            }
                            None => restyle(bar, ROWS),
                        }
                    }
                    bar.set_position(progress.done);
                });
                return;
            }
            Signal::StepFinished { target, .. } => {
                self.change(target, |bar| {
                    restyle(bar, SPINNER);
                    bar.unset_length();
                    bar.set_position(0);
                });
            }
            Signal::MigrationFinished { target, .. } | Signal::MigrationFailed { target, .. } => {
                self.end(target);
            }
            _ => {}
        }
        if let Some(text) = phrase(signal, self.verbose) {
            let text = if self.colour {
                text
            } else {
                anstream::adapter::strip_str(&text).to_string()
            };
            // A terminal that is gone must not end a run.
            let _ = self.bars.println(text);
        }
    }
}
