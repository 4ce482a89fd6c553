//! The program's own log: to stderr, with secrets taken out.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use whimbrel_run::LOG_SPAN;
use whimbrel_signal::Scrubber;

use crate::arguments::{Global, LogFormat};

/// Names what is logged, as `tracing`'s directives do.
const VARIABLE: &str = "WHIMBREL_LOG";

/// Begins to log. Without `--verbose` only warnings are shown.
pub(crate) fn begin(global: &Global, scrubber: Scrubber) {
    let said = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
    let directives = said.unwrap_or_else(|| {
        let level = if global.verbose {
            "info,whimbrel=debug"
        } else {
            "warn"
        };
        if global.quiet { "error" } else { level }.to_owned()
    });
    let mut filter = EnvFilter::builder().parse_lossy(directives);
    // Which run a line is about is for machines; a person sees it from what is around.
    let span = match global.log_format {
        LogFormat::Json => "error",
        LogFormat::Text => "off",
    };
    if let Ok(directive) = format!("{LOG_SPAN}={span}").parse() {
        filter = filter.add_directive(directive);
    }
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(crate::output::Output::is_coloured())
        .with_target(false)
        .with_writer(Scrubbed(scrubber));
    // A second subscriber can't be set; this is the only one.
    let _ = match global.log_format {
        LogFormat::Json => tracing::subscriber::set_global_default(subscriber.json().finish()),
        LogFormat::Text => {
            tracing::subscriber::set_global_default(subscriber.without_time().finish())
        }
    };
}

/// Writes lines to stderr without secrets.
struct Scrubbed(Scrubber);

impl<'a> MakeWriter<'a> for Scrubbed {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

/// One event's line; the subscriber writes it whole.
struct Line<'a>(&'a Scrubber);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A closed stderr is silence, not a failure.
        let _ = io::stderr().write_all(&self.0.scrub_bytes(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
