//! Which commands open and end transactions, so that a session knows how far one flight may reach.

use super::Command;

/// What a command does to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// Opens one.
    Begin,
    /// Commits it.
    Commit,
    /// Rolls it back.
    Rollback,
    /// Rolls back to a savepoint, which revives an aborted transaction.
    RollbackTo,
    /// Anything else.
    None,
}

impl Control {
    /// Of one command, by its first words.
    pub(crate) fn of(command: &Command) -> Self {
        let words: Vec<String> = command
            .sql()
            .split(|c: char| c.is_whitespace() || c == ';')
            .filter(|word| !word.is_empty())
            .take(3)
            .map(str::to_ascii_uppercase)
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["BEGIN", ..] | ["START", "TRANSACTION", ..] => Self::Begin,
            ["COMMIT" | "END", ..] => Self::Commit,
            ["ROLLBACK", "TO", ..] | ["ROLLBACK", "WORK" | "TRANSACTION", "TO"] => Self::RollbackTo,
            ["ROLLBACK" | "ABORT", ..] => Self::Rollback,
            _ => Self::None,
        }
    }
}

/// How many of these commands may be sent at once.
///
/// Inside a transaction an error makes the server refuse everything up to its end, so all of it may go at once. What
/// stands outside, and whatever revives or ends a transaction early, waits for the result of what is before it: but for
/// what undoes a read, because nothing hangs on that one's result.
pub(crate) fn flight(commands: &[Command], in_transaction: bool) -> usize {
    let first = commands.first().map_or(Control::None, Control::of);
    if matches!(
        first,
        Control::Rollback | Control::RollbackTo | Control::Commit
    ) {
        return 1;
    }
    if !in_transaction && first != Control::Begin {
        return commands.len().min(1);
    }
    let undone = commands.first().is_some_and(Command::is_read);
    for (index, command) in commands.iter().enumerate() {
        match Control::of(command) {
            Control::Commit => return index + 1,
            Control::Rollback | Control::RollbackTo if undone => return index + 1,
            Control::Rollback | Control::RollbackTo => return index,
            Control::Begin | Control::None => {}
        }
    }
    commands.len()
}

#[cfg(test)]
mod tests {
    use whimbrel_core::statement::Dialect;

    use super::super::{Command, Reading};
    use super::{Control, flight};

    fn flights(texts: &[&str], open: bool) -> Vec<usize> {
        let commands: Vec<_> = texts.iter().map(|text| Command::text(*text)).collect();
        flights_of(&commands, open)
    }

    fn flights_of(mut rest: &[Command], mut open: bool) -> Vec<usize> {
        let mut flights = Vec::new();
        while !rest.is_empty() {
            let length = flight(rest, open);
            flights.push(length);
            open = !matches!(
                Control::of(&rest[length - 1]),
                Control::Commit | Control::Rollback
            ) && (open || Control::of(&rest[0]) == Control::Begin);
            rest = &rest[length..];
        }
        flights
    }

    #[test]
    fn a_transaction_is_one_flight() {
        assert_eq!(flights(&["BEGIN", "a", "b", "COMMIT"], false), [4]);
        assert_eq!(flights(&["a", "b", " commit ;"], true), [3]);
        assert_eq!(
            flights(&["BEGIN", "a", "COMMIT", "BEGIN", "b", "END"], false),
            [3, 3]
        );
    }

    #[test]
    fn everything_else_waits() {
        assert_eq!(flights(&["a", "b"], false), [1, 1]);
        assert_eq!(flights(&["BEGIN", "a", "ROLLBACK", "b"], false), [2, 1, 1]);
        assert_eq!(flights(&["a", "ROLLBACK TO x", "b"], true), [1, 1, 1]);
        assert_eq!(
            flights(&["BEGIN", "a", "COMMIT", "b", "c"], false),
            [3, 1, 1]
        );
    }

    #[test]
    fn a_read_goes_with_what_undoes_it() {
        for open in [false, true] {
            let reading = Reading::new(Dialect::Postgres, open, Command::text("a"));
            let commands = [reading.commands(), &[Command::text("b")]].concat();
            assert_eq!(flights_of(&commands, open), [3, 1]);
        }
    }
}
