//! Where text goes: data to stdout, everything else to stderr, and nowhere when a pipe is closed.

use std::io::{IsTerminal as _, Write};

use anstream::{AutoStream, ColorChoice};
use whimbrel_engine::Closing;
use whimbrel_report::findings::Notes;
use whimbrel_report::sink::{JsonLines, Lines, Terminal};
use whimbrel_signal::{Bus, Scrubber, Sink};

use crate::arguments::{Format, Global, LogFormat};
use crate::error::CliError;

/// The streams, and what may be written to them.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    format: Format,
    log_format: LogFormat,
    quiet: bool,
    verbose: bool,
    scrubber: Scrubber,
    closing: Closing,
}

impl Output {
    pub(crate) fn new(global: &Global, scrubber: Scrubber) -> Self {
        let choice = match global.color {
            clap::ColorChoice::Auto => ColorChoice::Auto,
            clap::ColorChoice::Always => ColorChoice::Always,
            clap::ColorChoice::Never => ColorChoice::Never,
        };
        choice.write_global();
        Self {
            format: global.format,
            log_format: global.log_format,
            quiet: global.quiet,
            verbose: global.verbose,
            scrubber,
            closing: Closing::default(),
        }
    }

    /// The format, if the command can be shown so.
    pub(crate) fn format(&self, supported: &[Format]) -> Result<Format, CliError> {
        if supported.contains(&self.format) {
            return Ok(self.format);
        }
        let words: Vec<_> = supported
            .iter()
            .map(|format| format!("`{format}`"))
            .collect();
        Err(
            CliError::usage(format!("this command has no output as `{}`", self.format))
                .hint(format!("it has {}", words.join(", "))),
        )
    }

    /// What becomes of notes among findings.
    pub(crate) const fn notes(&self) -> Notes {
        if self.verbose {
            Notes::Shown
        } else {
            Notes::Counted
        }
    }

    /// What knows the live secrets.
    pub(crate) const fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }

    /// What is given back when the program ends.
    pub(crate) const fn closing(&self) -> &Closing {
        &self.closing
    }

    /// Writes data to stdout. A pipe that was closed at the other end is nobody's fault.
    pub(crate) fn data(&self, text: &str) {
        let mut stream = anstream::stdout().lock();
        let _ = stream.write_all(self.scrubber.scrub(text).as_bytes());
        let _ = stream.flush();
    }

    /// Writes what a person waits for: to stdout, unless it should be quiet.
    pub(crate) fn answer(&self, text: &str) {
        if !self.quiet {
            self.data(text);
        }
    }

    /// Writes a line to stderr, unless it should be quiet.
    pub(crate) fn notice(&self, text: &str) {
        if !self.quiet {
            self.complain(&format!("{text}\n"));
        }
    }

    /// Writes to stderr.
    pub(crate) fn complain(&self, text: &str) {
        let mut stream = anstream::stderr().lock();
        let _ = stream.write_all(self.scrubber.scrub(text).as_bytes());
        let _ = stream.flush();
    }

    /// Whether stderr shows colours.
    pub(crate) fn is_coloured() -> bool {
        AutoStream::choice(&std::io::stderr()) != ColorChoice::Never
    }

    /// Those who listen to a run.
    pub(crate) fn bus(&self) -> Bus {
        let sink: Option<Box<dyn Sink>> = match self.log_format {
            LogFormat::Json => Some(Box::new(JsonLines::new(Box::new(
                self.scrubber.writer(std::io::stderr()),
            )))),
            LogFormat::Text if self.quiet => None,
            LogFormat::Text if std::io::stderr().is_terminal() => {
                Some(Box::new(Terminal::new(self.verbose, Self::is_coloured())))
            }
            LogFormat::Text => Some(Box::new(Lines::new(
                Box::new(self.scrubber.writer(anstream::stderr())),
                self.verbose,
            ))),
        };
        Bus::new(sink.into_iter().collect(), self.scrubber.clone())
    }
}
