//! What listeners write, from the first event of a run to the last.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{InMemoryTerm, ProgressDrawTarget};
use jiff::Timestamp;
use whimbrel_core::history::Direction;
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::statement::Dialect;
use whimbrel_signal::metric::{RunResult, StepKind};
use whimbrel_signal::{Bus, Progress, ScrubbedWriter, Scrubber, Signal, Sink};

use super::{JsonLines, Lines, Terminal};
use crate::plan::tests::plain;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn stream(&self) -> ScrubbedWriter<Self> {
        Scrubber::default().writer(self.clone())
    }

    fn text(&self) -> String {
        plain(&String::from_utf8(self.0.lock().unwrap().clone()).unwrap())
    }
}

struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }
}

fn target() -> TargetName {
    TargetName::single("shop".parse().unwrap())
}

fn migration() -> MigrationName {
    "0001-a".parse().unwrap()
}

fn progress(done: u64, total: Option<u64>) -> Signal {
    Signal::StepProgress {
        target: target(),
        migration: migration(),
        title: "fill it".to_owned(),
        progress: Progress { done, total },
        rows: 1,
    }
}

fn log(level: &str) -> Signal {
    Signal::PluginLog {
        target: target(),
        plugin: "backfill".to_owned(),
        level: level.to_owned(),
        message: "a word".to_owned(),
    }
}

/// A run with everything in it that can happen.
fn signals() -> Vec<Signal> {
    let title = || "fill it".to_owned();
    vec![
        Signal::RunStarted {
            run: "r1".to_owned(),
            environment: "dev".to_owned(),
            targets: 1,
        },
        Signal::LockWaiting {
            target: target(),
            holder: "bob@ci pid 7".to_owned(),
        },
        Signal::LockTaken {
            target: target(),
            epoch: 3,
            waited_milliseconds: 5,
        },
        Signal::TargetStarted {
            target: target(),
            migrations: 1,
        },
        Signal::MigrationStarted {
            target: target(),
            migration: migration(),
            direction: Direction::Apply,
            resumed: true,
        },
        Signal::StepStarted {
            target: target(),
            migration: migration(),
            title: title(),
        },
        progress(500, None),
        progress(1_000, Some(2_000)),
        log("info"),
        log("debug"),
        Signal::Retrying {
            target: target(),
            migration: migration(),
            attempt: 2,
            reason: "lock timeout".to_owned(),
        },
        Signal::StepFinished {
            target: target(),
            migration: migration(),
            title: title(),
            kind: StepKind::Plugin,
            dialect: Dialect::Postgres,
            took: Duration::from_millis(40),
            rows: 2_000,
            rest: 0,
        },
        Signal::StepFinished {
            target: target(),
            migration: migration(),
            title: "index it".to_owned(),
            kind: StepKind::Sql,
            dialect: Dialect::Postgres,
            took: Duration::from_millis(1),
            rows: 0,
            rest: 0,
        },
        Signal::MigrationFinished {
            target: target(),
            migration: migration(),
            direction: Direction::Apply,
            milliseconds: 41,
            rows: 2_000,
        },
        Signal::Metric {
            target: target(),
            migration: migration(),
            name: "orders".to_owned(),
            r#type: "gauge".to_owned(),
            value: 2.5,
        },
        Signal::MigrationStarted {
            target: target(),
            migration: migration(),
            direction: Direction::Revert,
            resumed: false,
        },
        Signal::MigrationFailed {
            target: target(),
            migration: migration(),
            direction: Direction::Revert,
            error: "no such table".to_owned(),
            committed: "1 of 2 statements".to_owned(),
        },
        Signal::MigrationFailed {
            target: target(),
            migration: migration(),
            direction: Direction::Apply,
            error: "no such column".to_owned(),
            committed: String::new(),
        },
        Signal::MigrationFinished {
            target: target(),
            migration: migration(),
            direction: Direction::Revert,
            milliseconds: 4,
            rows: 0,
        },
        Signal::TargetFinished {
            target: target(),
            result: "done".to_owned(),
            class: None,
        },
        Signal::RunFinished {
            run: "r1".to_owned(),
            result: RunResult::Failed,
            milliseconds: 90,
        },
    ]
}

fn heard(sink: &dyn Sink) {
    for signal in signals() {
        sink.emit(&signal);
    }
}

#[test]
fn lines_say_what_a_log_should_hold() {
    let shared = Shared::default();
    heard(&Lines::new(shared.stream(), false));
    insta::assert_snapshot!(shared.text());
}

#[test]
fn verbose_lines_say_more() {
    let shared = Shared::default();
    heard(&Lines::new(shared.stream(), true));
    insta::assert_snapshot!(shared.text());
}

#[test]
fn lines_give_a_rate_once_there_is_one() {
    let shared = Shared::default();
    let lines = Lines::new(shared.stream(), false).with_pace(Duration::from_millis(1));
    lines.emit(&progress(0, Some(10)));
    std::thread::sleep(Duration::from_millis(5));
    lines.emit(&progress(10, Some(10)));
    let text = shared.text();
    assert!(text.lines().last().unwrap().ends_with(" rows/s"), "{text}");
}

#[test]
fn json_lines_name_event_time_and_target() {
    let shared = Shared::default();
    heard(&JsonLines::new(shared.stream()).with_clock(|| Timestamp::UNIX_EPOCH));
    insta::assert_snapshot!(shared.text());
}

#[test]
fn a_stream_that_is_gone_is_silence() {
    let gone = || Scrubber::default().writer(Gone);
    heard(&Lines::new(gone(), true));
    heard(&JsonLines::new(gone()));
}

#[test]
fn a_name_that_holds_a_secret_is_in_no_line() {
    let scrubber = Scrubber::default();
    scrubber.register("0001-a");
    let shared = Shared::default();
    let stream = || scrubber.writer(shared.clone());
    let sinks: Vec<Box<dyn Sink>> = vec![
        Box::new(JsonLines::new(stream())),
        Box::new(Lines::new(stream(), true)),
    ];
    let bus = Bus::new(sinks, scrubber.clone());
    signals().into_iter().for_each(|signal| bus.emit(signal));
    drop(bus);
    let text = shared.text();
    assert!(text.contains("applied [redacted]"), "{text}");
    assert!(!text.contains("0001-a"), "{text}");
}

#[test]
fn a_terminal_shows_bars_while_something_runs() {
    let term = InMemoryTerm::new(20, 100);
    // A terminal is drawn to 20 times a second at most, and a busy machine makes up for nothing: more often here.
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(term.clone()), 250);
    let terminal = Terminal::on(target, false, false);
    let mut seen = Vec::new();
    for signal in signals() {
        // Whoever draws may get no turn in one of the pauses.
        for _ in 0..4 {
            terminal.emit(&signal);
            std::thread::sleep(Duration::from_millis(60));
            terminal.emit(&signal);
            seen.push(term.contents());
        }
    }
    let all = seen.join("\n");
    assert!(
        all.contains("waiting for the lock, held by bob@ci pid 7"),
        "{all}"
    );
    assert!(all.contains("1,000/2,000 rows"), "{all}");
    assert!(all.contains("ETA"), "{all}");
    assert!(all.contains("500 rows"), "{all}");
    assert!(all.contains("✓ applied 0001-a"), "{all}");
    assert!(!seen.last().unwrap().contains("ETA"), "{all}");
}

#[test]
fn a_terminal_in_colour_keeps_its_styles() {
    let term = InMemoryTerm::new(20, 100);
    let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
    heard(&Terminal::on(target, true, true));
    assert!(term.contents_formatted().contains(&0x1b));
}
