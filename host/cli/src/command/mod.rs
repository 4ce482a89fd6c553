//! One file per command.

mod adopt;
mod apply;
mod approve;
mod at_rest;
mod baseline;
mod completions;
mod crds;
mod history;
mod init;
mod lint;
mod new;
mod operator;
mod plan;
mod plugin;
mod promote;
mod revert;
mod run;
mod schema;
mod secrets;
mod serve;
mod status;
mod terraform;
mod unlock;
mod verify;
mod wait;

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;
use std::thread::available_parallelism;

use clap::error::ErrorKind;
use whimbrel_allocator::Lifetime;

use crate::arguments::{Arguments, Command};
use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::Leaving;
use crate::logging;
use crate::output::{LostError, Output};
use crate::protect;

/// Reads the command line and does what it says.
pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::read(said(std::env::args_os())) {
        Ok(arguments) => arguments,
        Err(error) => {
            let printed = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => of_help(printed).into(),
                _ => Exit::Usage.into(),
            };
        }
    };
    whimbrel_allocator::suit(lifetime(&arguments.command));
    let scrubber = protect::scrubber();
    protect::panics(scrubber.clone());
    logging::begin(&arguments.global, scrubber.clone());
    let output = Output::new(&arguments.global, scrubber);
    let result = run(&arguments, &output);
    output.end();
    let exit = result.unwrap_or_else(|error| {
        output.complain(&error.render());
        error.exit()
    });
    match output.lost() {
        None => exit.into(),
        Some(error) => {
            output.complain(&CliError::new(Exit::Failed, error).render());
            // An answer that nobody got is none, while what is wrong is still wrong.
            match exit {
                Exit::Success | Exit::Pending => Exit::Failed.into(),
                _ => exit.into(),
            }
        }
    }
}

/// How help ends that stdout took, or didn't. A closed pipe is nobody's fault.
fn of_help(printed: std::io::Result<()>) -> Exit {
    match printed.and_then(|()| std::io::stdout().flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            let _ = writeln!(std::io::stderr(), "error: {}", LostError::from(error));
            Exit::Failed
        }
        _ => Exit::Success,
    }
}

/// What is said on the command line. Terraform says nothing: it starts a program by the provider's name.
fn said(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut said: Vec<OsString> = arguments.collect();
    let name = said.first().map(Path::new).and_then(Path::file_name);
    let is_provider = name
        .and_then(OsStr::to_str)
        .is_some_and(|name| name.starts_with("terraform-provider-"));
    if is_provider {
        said.insert(1, "terraform-provider".into());
    }
    said
}

fn run(arguments: &Arguments, output: &Output) -> Result<Exit, CliError> {
    let global = &arguments.global;
    match &arguments.command {
        Command::Init(arguments) => init::run(arguments, output),
        Command::New(arguments) => new::run(arguments, global, output),
        Command::Schema(arguments) => schema::run(arguments, output),
        Command::Completions(arguments) => completions::run(arguments, output),
        Command::Lint(arguments) => wait_for(output, lint::run(arguments, global, output)),
        Command::Plan(arguments) => wait_for(output, plan::run(arguments, global, output)),
        Command::Apply(arguments) => wait_for(output, apply::run(arguments, global, output)),
        Command::Approve(arguments) => wait_for(output, approve::run(arguments, global, output)),
        Command::Promote(arguments) => wait_for(output, promote::run(arguments, global, output)),
        Command::Revert(arguments) => wait_for(output, revert::run(arguments, global, output)),
        Command::Status(arguments) => wait_for(output, status::run(arguments, global, output)),
        Command::History(arguments) => wait_for(output, history::run(arguments, global, output)),
        Command::Baseline(arguments) => wait_for(output, baseline::run(arguments, global, output)),
        Command::Verify(arguments) => wait_for(output, verify::run(arguments, global, output)),
        Command::Unlock(arguments) => wait_for(output, unlock::run(global, arguments, output)),
        Command::Adopt(arguments) => wait_for(output, adopt::run(arguments, global, output)),
        Command::Wait(arguments) => wait_for(output, wait::run(arguments, global, output)),
        Command::Serve(arguments) => until_told(output, serve::run(arguments, global, output)),
        Command::Crds => crds::run(output),
        Command::Operator(arguments) => {
            until_told(output, operator::run(arguments, global, output))
        }
        Command::Run(arguments) => wait_for(output, run::run(arguments, global, output)),
        Command::TerraformProvider(arguments) => {
            until_told(output, terraform::run(arguments, global, output))
        }
        Command::Secrets(command) => wait_for(output, secrets::run(command, global, output)),
        Command::Plugin(command) => wait_for(output, plugin::run(command, global, output)),
    }
}

const fn lifetime(command: &Command) -> Lifetime {
    match command {
        Command::Serve(_) | Command::Operator(_) => Lifetime::Service,
        _ => Lifetime::Command,
    }
}

/// Runs a command that does I/O to its end, or until a signal, and gives back what was lent to it.
fn wait_for(
    output: &Output,
    work: impl Future<Output = Result<Exit, CliError>>,
) -> Result<Exit, CliError> {
    until_told(output, async {
        let leaving = Leaving::listen(output.clone());
        let result = work.await;
        leaving.unless_begun(result).await
    })
}

/// The same of what listens to signals itself.
fn until_told(
    output: &Output,
    work: impl Future<Output = Result<Exit, CliError>>,
) -> Result<Exit, CliError> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime
        .enable_all()
        .on_thread_park(whimbrel_allocator::rest);
    if whimbrel_allocator::is_service() {
        runtime.thread_keep_alive(at_rest::SPARE);
    } else if std::env::var_os(WORKERS).is_none() {
        runtime.worker_threads(workers());
    }
    let runtime = runtime
        .build()
        .map_err(|error| CliError::failed(format!("the runtime can't be started: {error}")))?;
    let result = runtime.block_on(async {
        let result = tokio::select! {
            biased;
            result = work => result,
            never = at_rest::let_go(), if whimbrel_allocator::is_service() => match never {},
        };
        output.closing().close().await;
        result
    });
    // What still blocks has nothing left to say.
    runtime.shutdown_background();
    result
}

/// The variable by which tokio is told another number.
const WORKERS: &str = "TOKIO_WORKER_THREADS";

/// The most threads on which a command's tasks run: most of what they do is waiting for databases.
const MOST_WORKERS: usize = 8;

/// How many threads a command's tasks run on. The command itself runs on the main thread, which is one more. Each costs the start of
/// a thread with memory of its own, and a command may be over in ten milliseconds.
fn workers() -> usize {
    let processors = available_parallelism().map_or(1, NonZero::get);
    (processors - 1).clamp(1, MOST_WORKERS)
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn a_provider_is_known_by_its_name() {
        let of = |name: &str| said([name.into()].into_iter()).len();
        assert_eq!(of("/plugins/terraform-provider-whimbrel_v0.1.0"), 2);
        assert_eq!(of("/usr/bin/whimbrel"), 1);
    }
}
