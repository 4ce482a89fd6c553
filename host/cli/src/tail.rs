//! The last lines of what a process says, in the file that Kubernetes reads when a container ends (`terminationMessagePath`):
//! so whoever watches it needs no right to its log. Written anew with each line: a process that is killed says nothing more.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anstream::adapter::strip_str;

/// Where a kubelet mounts it unless a Pod says otherwise.
const FILE: &str = "/dev/termination-log";
/// The most bytes that a kubelet reads of it.
const LIMIT: usize = 4_096;

/// The last lines. Clones share them. Everything that comes here has no secrets any more.
#[derive(Clone, Debug)]
pub(crate) struct Tail(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    file: PathBuf,
    text: String,
}

impl Tail {
    /// Into the file that is named, or where a kubelet has made one; none where there is neither.
    pub(crate) fn begin(named: Option<&Path>) -> Option<Self> {
        let file = match named {
            Some(file) => file,
            None => Path::new(FILE),
        };
        if named.is_none() && !file.exists() {
            return None;
        }
        Some(Self(Arc::new(Mutex::new(Kept {
            file: file.to_owned(),
            text: String::new(),
        }))))
    }

    /// Takes some text without its styles. That it can't be written changes nothing.
    pub(crate) fn say(&self, text: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.text.push_str(&strip_str(text).to_string());
        let text = last(&kept.text).to_owned();
        kept.text = text;
        let file = OpenOptions::new()
            .write(true)
            .truncate(true)
            .create(true)
            .open(&kept.file);
        let _ = file.and_then(|mut file| file.write_all(kept.text.as_bytes()));
    }
}

impl Write for Tail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.say(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As many whole lines of the end as there is room for; of a line that is too long by itself, its beginning.
fn last(text: &str) -> &str {
    if text.len() <= LIMIT {
        return text;
    }
    let room = text.trim_end_matches('\n');
    let from = room.len().saturating_sub(LIMIT.saturating_sub(1));
    let start = (from..room.len()).find(|at| room.is_char_boundary(*at));
    let cut = start
        .and_then(|start| room.get(start..))
        .unwrap_or_default();
    if let Some((_, rest)) = cut.split_once('\n') {
        let at = text.len() - (text.len() - room.len()) - rest.len();
        return text.get(at..).unwrap_or_default();
    }
    let line = room.rfind('\n').map_or(0, |at| at + 1);
    let mut end = room.len().min(line + LIMIT);
    while !room.is_char_boundary(end) {
        end -= 1;
    }
    room.get(line..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{LIMIT, Tail, last};

    #[test]
    fn whole_lines_of_the_end_are_kept() {
        assert_eq!(last("one\ntwo\n"), "one\ntwo\n");
        let long = format!("{}\ntwo\nthree\n", "é".repeat(LIMIT));
        assert_eq!(last(&long), "two\nthree\n");
        let line = "é".repeat(LIMIT);
        let kept = last(&line);
        assert!(kept.len() <= LIMIT && line.starts_with(kept) && kept.len() > LIMIT - 4);
        let after = format!("one\n{line}\n");
        assert!(line.starts_with(last(&after)));
    }

    #[test]
    fn what_is_said_is_in_the_file_without_styles() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("termination-log");
        let tail = Tail::begin(Some(&file)).unwrap();
        tail.say("\u{1b}[31merror:\u{1b}[0m no\n");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "error: no\n");
        tail.say("hint: yes\n");
        let both = "error: no\nhint: yes\n";
        assert_eq!(std::fs::read_to_string(&file).unwrap(), both);
    }
}
