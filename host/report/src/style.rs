//! The few styles there are. Each says again what a word or a sign beside it says already.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

const GOOD: Style = AnsiColor::Green.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();

fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Something that is as it should be.
#[must_use]
pub fn good(text: impl Display) -> String {
    paint(GOOD, text)
}

/// Something to look at.
#[must_use]
pub fn warn(text: impl Display) -> String {
    paint(WARN, text)
}

/// Something that is wrong.
#[must_use]
pub fn bad(text: impl Display) -> String {
    paint(BAD, text)
}

/// What to do next.
#[must_use]
pub fn hint(text: impl Display) -> String {
    paint(HINT, text)
}

/// A name or a heading.
#[must_use]
pub fn strong(text: impl Display) -> String {
    paint(Style::new().bold(), text)
}

/// What is beside the point.
#[must_use]
pub fn dim(text: impl Display) -> String {
    paint(Style::new().dimmed(), text)
}
