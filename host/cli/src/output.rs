//! Where text goes: data to stdout, everything else to stderr, and nowhere when a pipe is closed.

use std::io::{ErrorKind, IsTerminal as _, Write};
use std::path::PathBuf;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anstream::adapter::strip_str;
use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use whimbrel_engine::Closing;
use whimbrel_report::findings::Notes;
use whimbrel_report::metrics::Metrics;
use whimbrel_report::sink::{JsonLines, Lines, Terminal};
use whimbrel_signal::{Bus, Scrubber, Sink};

use crate::arguments::{Format, Global, LogFormat, ReportFile};
use crate::error::CliError;
use crate::exit::Exit;
use crate::tail::Tail;
#[cfg(feature = "opentelemetry")]
use crate::traces::Tracing;

/// The streams, and what may be written to them.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    format: Format,
    reports: Vec<ReportFile>,
    log_format: LogFormat,
    quiet: bool,
    verbose: bool,
    scrubber: Scrubber,
    closing: Closing,
    /// Why stdout didn't take what it was given, if it didn't. Clones share it.
    lost: Arc<Mutex<Option<std::io::Error>>>,
    /// What is measured, once somebody wants it. Clones share it.
    metrics: Arc<OnceLock<Metrics>>,
    /// What keeps the last lines of it, once somebody wants them. Clones share it.
    tail: Arc<OnceLock<Tail>>,
    /// What sends traces, where the environment names a collector.
    #[cfg(feature = "opentelemetry")]
    tracing: Option<Tracing>,
}

/// The text without colours, where the stream shows none. Taken away here and not by the stream, which hands on each piece
/// between two control characters by itself: a system call for each line of a thousand.
fn plain(stream: &impl RawStream, text: &str) -> Option<String> {
    (AutoStream::choice(stream) == ColorChoice::Never).then(|| strip_str(text).to_string())
}

fn whole(mut stream: impl Write, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

/// A report that can't be written.
#[derive(Debug, thiserror::Error)]
#[error("writing the report {}: {source}", file.display())]
pub(crate) struct ReportError {
    file: PathBuf,
    source: std::io::Error,
}

/// An answer that stdout didn't take.
#[derive(Debug, thiserror::Error)]
#[error("writing to stdout: {0}")]
pub(crate) struct LostError(#[from] std::io::Error);

impl From<ReportError> for CliError {
    fn from(error: ReportError) -> Self {
        Self::new(Exit::Failed, error)
    }
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
            reports: global.reports.clone(),
            log_format: global.log_format,
            quiet: global.quiet,
            verbose: global.verbose,
            scrubber,
            closing: Closing::default(),
            lost: Arc::default(),
            metrics: Arc::default(),
            tail: Arc::default(),
            #[cfg(feature = "opentelemetry")]
            tracing: Tracing::begin(),
        }
    }

    /// The format, if the command can be shown so, and in all the formats that files are to get.
    pub(crate) fn format(&self, supported: &[Format]) -> Result<Format, CliError> {
        let mut wanted =
            std::iter::once(self.format).chain(self.reports.iter().map(|report| report.format));
        let Some(unknown) = wanted.find(|format| !supported.contains(format)) else {
            return Ok(self.format);
        };
        let words: Vec<_> = supported
            .iter()
            .map(|format| format!("`{format}`"))
            .collect();
        Err(
            CliError::usage(format!("this command has no output as `{unknown}`"))
                .hint(format!("it has {}", words.join(", "))),
        )
    }

    /// That the command has words for people and nothing else: no other format, and no file of one.
    pub(crate) fn words_only(&self) -> Result<(), CliError> {
        self.format(&[Format::Text])?;
        if self.reports.is_empty() {
            Ok(())
        } else {
            Err(CliError::usage("this command has nothing for `--report`"))
        }
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

    /// Begins to measure.
    pub(crate) fn measure(&self) -> Metrics {
        self.metrics.get_or_init(Metrics::new).clone()
    }

    /// Keeps the last lines of what is said from now on.
    pub(crate) fn keep(&self, tail: Tail) {
        let _ = self.tail.set(tail);
    }

    /// What is measured, if anything is.
    pub(crate) fn metrics(&self) -> Option<&Metrics> {
        self.metrics.get()
    }

    /// Writes data to stdout. A pipe that was closed at the other end is nobody's fault; any other reason why it didn't arrive
    /// is kept for [`Self::lost`].
    pub(crate) fn data(&self, text: &str) {
        let text = self.scrubber.scrub(text);
        let written = match plain(&std::io::stdout(), &text) {
            Some(plain) => whole(std::io::stdout().lock(), &plain),
            None => whole(anstream::stdout().lock(), &text),
        };
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            lost.get_or_insert(error);
        }
    }

    /// Why stdout didn't take what it was given, such as a disk that is full; said once.
    pub(crate) fn lost(&self) -> Option<LostError> {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.take().map(LostError::from)
    }

    /// Writes data to stdout in the format that was asked for, and the files that were.
    ///
    /// # Errors
    /// A file can't be written.
    pub(crate) fn show(&self, render: impl Fn(Format) -> String) -> Result<(), ReportError> {
        self.data(&render(self.format));
        self.reports(render)
    }

    /// Whether files are to get what is answered, too.
    pub(crate) const fn has_reports(&self) -> bool {
        !self.reports.is_empty()
    }

    /// Writes the files that were asked for.
    ///
    /// # Errors
    /// One can't be written; the others are.
    pub(crate) fn reports(&self, render: impl Fn(Format) -> String) -> Result<(), ReportError> {
        let mut written = Ok(());
        for ReportFile { format, file } in &self.reports {
            let text = self.scrubber.scrub(&render(*format));
            let folder = file.parent().map_or(Ok(()), std::fs::create_dir_all);
            let done = folder.and_then(|()| std::fs::write(file, text));
            if let Err(source) = done {
                let file = file.clone();
                written = Err(ReportError { file, source });
            }
        }
        written
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
        let text = self.scrubber.scrub(text);
        let _ = match plain(&std::io::stderr(), &text) {
            Some(plain) => whole(std::io::stderr().lock(), &plain),
            None => whole(anstream::stderr().lock(), &text),
        };
        if let Some(tail) = self.tail.get() {
            tail.say(&text);
        }
    }

    /// Whether each line of the log is for a machine.
    pub(crate) fn logs_json(&self) -> bool {
        self.log_format == LogFormat::Json
    }

    /// Whether stderr shows colours.
    pub(crate) fn is_coloured() -> bool {
        AutoStream::choice(&std::io::stderr()) != ColorChoice::Never
    }

    /// Those who listen to a run.
    pub(crate) fn bus(&self) -> Bus {
        Bus::new(self.sinks(), self.scrubber.clone())
    }

    /// The same without what carries it to them.
    pub(crate) fn sinks(&self) -> Vec<Box<dyn Sink>> {
        let sink: Option<Box<dyn Sink>> = match self.log_format {
            LogFormat::Json => {
                let stream = self.scrubber.writer(std::io::stderr());
                Some(Box::new(JsonLines::new(stream)))
            }
            LogFormat::Text if self.quiet => None,
            LogFormat::Text if std::io::stderr().is_terminal() => {
                Some(Box::new(Terminal::new(self.verbose, Self::is_coloured())))
            }
            LogFormat::Text => Some(Box::new(Lines::new(
                self.scrubber.writer(anstream::stderr()),
                self.verbose,
            ))),
        };
        // Lines for a person, in whatever format the log is.
        let tail = self.tail.get().map(|tail| {
            let stream = self.scrubber.writer(tail.clone());
            Box::new(Lines::new(stream, false)) as Box<dyn Sink>
        });
        let sink = sink.into_iter().chain(tail);
        #[cfg(feature = "opentelemetry")]
        let sink = sink.chain(self.tracing.as_ref().map(Tracing::sink));
        sink.collect()
    }

    /// Sends what still waits to be sent.
    #[cfg_attr(
        not(feature = "opentelemetry"),
        allow(clippy::unused_self, reason = "nothing waits without the feature")
    )]
    pub(crate) fn end(&self) {
        #[cfg(feature = "opentelemetry")]
        if let Some(tracing) = &self.tracing {
            tracing.end();
        }
    }
}
