//! What a fault says of a server's refusal.

use std::fmt;

/// The longest part of a server's own words that goes into a message, in characters: enough for a sentence or two, and
/// too little for a web page.
const LONGEST: usize = 400;

/// A refusal by a server, which displays as the message of a fault: `reading shop/db: SecretNotFound: why`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// What was being done: `reading shop/db`.
    pub doing: &'a str,
    /// The status of the response.
    pub status: u16,
    /// What the refusal is called; the status speaks for one that has no name.
    pub name: &'a str,
    /// The server's own words, of which no more is shown than the beginning, on one line.
    pub said: &'a str,
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.doing)?;
        if self.name.is_empty() {
            write!(formatter, "status {}", self.status)?;
        } else {
            formatter.write_str(self.name)?;
        }
        let said: Vec<&str> = self.said.split_whitespace().collect();
        let said: String = said.join(" ").chars().take(LONGEST).collect();
        if said.is_empty() {
            Ok(())
        } else {
            write!(formatter, ": {said}")
        }
    }
}
