//! A stream of bytes without secrets, however they are cut into pieces.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::Scrubber;

/// Writes what it is given without secrets. What may be the beginning of one waits for what follows; the rest is
/// written when this is dropped.
pub struct ScrubbedWriter<W: Write> {
    scrubber: Scrubber,
    inner: W,
    waiting: Zeroizing<Vec<u8>>,
}

impl Scrubber {
    /// A stream in front of another one.
    pub fn writer<W: Write>(&self, inner: W) -> ScrubbedWriter<W> {
        ScrubbedWriter {
            scrubber: self.clone(),
            inner,
            waiting: Zeroizing::default(),
        }
    }
}

impl<W: Write> ScrubbedWriter<W> {
    /// Writes what waits, because nothing follows.
    ///
    /// # Errors
    /// The inner stream's.
    pub fn finish(&mut self) -> io::Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        self.inner.write_all(&self.scrubber.scrub_bytes(&waiting))?;
        self.inner.flush()
    }
}

impl<W: Write> Write for ScrubbedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        let ready = self.scrubber.unfinished(&self.waiting);
        let rest = self.waiting.split_off(ready);
        let ready = std::mem::replace(&mut self.waiting, Zeroizing::new(rest));
        self.inner.write_all(&self.scrubber.scrub_bytes(&ready))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> Drop for ScrubbedWriter<W> {
    fn drop(&mut self) {
        // A stream that is gone is silence.
        let _ = self.finish();
    }
}
