//! Bounds what is read from a server: in bytes, and in time.

use std::io::{self, Read};
use std::time::Instant;

use super::RemoteError;

/// A reader that stops at a bound.
pub(super) struct Watched<R> {
    inner: R,
    what: &'static str,
    limit: u64,
    left: u64,
    until: Instant,
}

impl<R: Read> Watched<R> {
    pub(super) const fn new(inner: R, what: &'static str, limit: u64, until: Instant) -> Self {
        Self {
            inner,
            what,
            limit,
            left: limit,
            until,
        }
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() > self.until {
            return Err(io::Error::other(RemoteError::TimedOut(
                "it took longer than a fetch may",
            )));
        }
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            io::Error::other(RemoteError::TooLarge {
                what: self.what,
                limit: self.limit,
            })
        })?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, repeat};
    use std::time::{Duration, Instant};

    use super::Watched;
    use crate::RemoteError;

    #[test]
    fn an_endless_answer_ends() {
        let mut buffer = [0; 100];
        let mut late = Watched::new(repeat(1), "it", 1000, Instant::now());
        std::thread::sleep(Duration::from_millis(2));
        let error = RemoteError::from(late.read(&mut buffer).unwrap_err());
        assert!(matches!(error, RemoteError::TimedOut(_)), "{error}");
        let until = Instant::now() + Duration::from_secs(60);
        let mut large = Watched::new(repeat(1), "it", 150, until);
        assert_eq!(large.read(&mut buffer).unwrap(), 100);
        let error = RemoteError::from(large.read(&mut buffer).unwrap_err());
        assert!(
            matches!(error, RemoteError::TooLarge { limit: 150, .. }),
            "{error}"
        );
    }
}
