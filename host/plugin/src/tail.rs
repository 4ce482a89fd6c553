//! The last of what a guest said, for the error that shows why it died.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// The last bytes written to standard output and error. Clones share them.
#[derive(Clone, Debug)]
pub struct Tail {
    bytes: Arc<Mutex<VecDeque<u8>>>,
    limit: usize,
}

impl Tail {
    /// Keeps so many bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            bytes: Arc::default(),
            limit,
        }
    }

    /// What was kept, as text.
    pub fn text(&self) -> String {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(bytes.make_contiguous()).into_owned()
    }

    fn push(&self, more: &[u8]) {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = more.len().min(self.limit);
        bytes.extend(more.get(more.len() - kept..).unwrap_or_default());
        let excess = bytes.len().saturating_sub(self.limit);
        bytes.drain(..excess);
    }
}

impl IsTerminal for Tail {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Tail {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for it, and that isn't linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Tail {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[async_trait::async_trait]
impl Pollable for Tail {
    async fn ready(&mut self) {}
}

/// The last bytes of a text, from the beginning of a character.
pub fn last(text: &str, limit: usize) -> &str {
    let begin = text.len().saturating_sub(limit);
    let begin = (begin..=text.len()).find(|index| text.is_char_boundary(*index));
    begin
        .and_then(|begin| text.get(begin..))
        .unwrap_or_default()
}

/// The last log lines, and how many there were.
#[derive(Debug)]
pub struct LogTail {
    lines: VecDeque<String>,
    kept: usize,
    written: usize,
    limit: usize,
}

/// What to do with a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Pass it on.
    Pass,
    /// Say that this and all further ones are dropped.
    LastStraw,
    /// Drop it.
    Drop,
}

impl LogTail {
    /// Passes `limit` lines on and keeps the last few.
    pub const fn new(limit: usize, kept: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            kept,
            written: 0,
            limit,
        }
    }

    /// Takes a line. The tail keeps the last ones even beyond the limit: a panic's message must not be lost in a flood.
    pub fn push(&mut self, line: String) -> Verdict {
        self.lines.push_back(line);
        if self.lines.len() > self.kept {
            self.lines.pop_front();
        }
        self.written += 1;
        match self.written.cmp(&(self.limit + 1)) {
            std::cmp::Ordering::Less => Verdict::Pass,
            std::cmp::Ordering::Equal => Verdict::LastStraw,
            std::cmp::Ordering::Greater => Verdict::Drop,
        }
    }

    /// The last lines.
    pub fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{LogTail, Tail, Verdict, last};
    use bytes::Bytes;
    use wasmtime_wasi::p2::OutputStream;

    #[test]
    fn keeps_the_last_bytes() {
        let tail = Tail::new(5);
        let mut stream = tail.clone();
        for part in ["abc", "defg", "0123456789"] {
            stream.write(Bytes::from(part)).unwrap();
        }
        assert_eq!(tail.text(), "56789");
        stream.write(Bytes::from("x")).unwrap();
        assert_eq!(tail.text(), "6789x");
        assert!(stream.check_write().unwrap() > 0 && stream.flush().is_ok());
    }

    #[test]
    fn the_last_of_a_text_begins_with_a_character() {
        assert_eq!(last("aéb", 3), "éb");
        assert_eq!(last("aéb", 2), "b");
        assert_eq!(last("aéb", 9), "aéb");
    }

    #[test]
    fn says_once_that_lines_are_dropped() {
        let mut tail = LogTail::new(2, 1);
        let verdicts: Vec<Verdict> = (0..4).map(|n| tail.push(n.to_string())).collect();
        assert_eq!(
            verdicts,
            [
                Verdict::Pass,
                Verdict::Pass,
                Verdict::LastStraw,
                Verdict::Drop
            ]
        );
        assert_eq!(tail.lines(), ["3"]);
    }
}
