//! How the command line is read, and the variables that stand for options.

use std::ffi::OsString;

use clap::builder::Resettable;
use clap::{Arg, Command, CommandFactory as _, FromArgMatches as _};

use super::Arguments;

impl Arguments {
    /// Reads what is said. A variable that holds nothing says nothing: pipelines and compose files pass on as empty what nobody
    /// set.
    ///
    /// # Errors
    /// It makes no sense, or help or the version was asked for.
    pub(crate) fn read(said: Vec<OsString>) -> Result<Self, clap::Error> {
        let mut command = without_empty_variables(Self::command());
        let mut matches = command.try_get_matches_from_mut(said)?;
        Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
    }
}

fn without_empty_variables(command: Command) -> Command {
    command
        .mut_args(without_empty_variable)
        .mut_subcommands(without_empty_variables)
}

fn without_empty_variable(argument: Arg) -> Arg {
    let value = argument.get_env().and_then(std::env::var_os);
    if value.is_some_and(|value| value.is_empty()) {
        argument.env(Resettable::Reset)
    } else {
        argument
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::without_empty_variables(super::Arguments::command()).debug_assert();
    }
}
