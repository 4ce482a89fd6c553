//! Clocks: wall time of turns taken one after the other, and processor time of child processes.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::failure::{Doing, Failure, Result};

/// How often each side takes its turn; the middle one of its times counts.
pub const TURNS: usize = 7;

/// The kernel counts processor time in hundredths of a second on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Runs a program to its end and gives its wall time. What it writes is dropped; an error of its is ours.
pub fn timed(command: &mut Command) -> Result<Duration> {
    let begun = Instant::now();
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .doing(format!("running {command:?}"))?;
    let took = begun.elapsed();
    if output.status.success() {
        return Ok(took);
    }
    Err(Failure::new(format!(
        "{command:?} ended with {}:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    )))
}

/// Lets both sides take turns, so that whatever else the machine does hits both; gives the middle time of each.
pub fn in_turns(
    mut ours: impl FnMut() -> Result<Duration>,
    mut theirs: impl FnMut() -> Result<Duration>,
    turns: usize,
) -> Result<(Duration, Duration)> {
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        their_times.push(theirs()?);
        our_times.push(ours()?);
    }
    Ok((middle(our_times), middle(their_times)))
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Processor time of one run of a program, averaged over as many as the kernel's coarse clock needs.
pub fn processor_time(mut run: impl FnMut() -> Result<Duration>) -> Result<Duration> {
    const RUNS: u32 = 20;
    let before = children()?;
    for _ in 0..RUNS {
        run()?;
    }
    Ok(Duration::from_secs_f64(
        (children()? - before) / f64::from(RUNS),
    ))
}

/// Processor time of the thread that asks, as the scheduler counts it: in nanoseconds, the first field of its `schedstat`.
pub fn of_thread() -> Result<Duration> {
    let place = "/proc/thread-self/schedstat";
    let text = std::fs::read_to_string(place).doing("reading a thread's processor time")?;
    let first = text.split_whitespace().next().unwrap_or_default();
    let nanoseconds = first.parse().doing("a thread's processor time")?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// Processor time of all children that have ended, in seconds.
fn children() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").doing("reading /proc/self/stat")?;
    Ok(seconds(&text, 13))
}

/// The processor time of a process itself, in seconds, by its `/proc/PID/stat`.
pub fn processor_seconds(stat: &str) -> f64 {
    seconds(stat, 11)
}

/// The two times, in user mode and in the kernel, that begin at this field after the program's name.
fn seconds(stat: &str, first: usize) -> f64 {
    // The name, in parentheses, may hold anything; the numbers come after it.
    let numbers = stat.rsplit(')').next().unwrap_or_default();
    let field = |index: usize| {
        numbers
            .split_whitespace()
            .nth(index)
            .and_then(|text| text.parse::<f64>().ok())
            .unwrap_or_default()
    };
    (field(first) + field(first + 1)) / TICKS_PER_SECOND
}

/// What so many of a hundred times stay below, in milliseconds; the times are sorted.
pub fn milliseconds(sorted: &[Duration], hundredths: usize) -> f64 {
    // The nearest rank: of a hundred, the ninety-ninth, and not the slowest.
    let place = (sorted.len() * hundredths).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default().as_secs_f64() * 1e3
}
