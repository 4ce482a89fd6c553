//! How many deliveries of a source are looked at: a burst, and after it a few a second. Looking at one takes a processor, and
//! anybody may send what only then turns out not to be genuine.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A bucket of tokens: each delivery takes one, and they come back one after the other.
pub(crate) struct Bucket {
    most: u32,
    /// How long one takes to come back.
    pause: Duration,
    /// When the bucket is full again.
    full_at: Mutex<Option<Instant>>,
}

impl Bucket {
    /// A full one.
    pub(crate) fn new(most: u32, pause: Duration) -> Self {
        Self {
            most,
            pause,
            full_at: Mutex::default(),
        }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// There is none; when there is one.
    pub(crate) fn take(&self, now: Instant) -> Result<(), Duration> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let lacking = full_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let after = lacking + self.pause;
        let room = self.pause * self.most;
        if after > room {
            return Err(after - room);
        }
        *full_at = Some(now + after);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Bucket;

    #[test]
    fn a_burst_is_taken_and_then_one_at_a_time() {
        let (second, begun) = (Duration::from_secs(1), Instant::now());
        let bucket = Bucket::new(3, second);
        let at = |seconds: f64| bucket.take(begun + Duration::from_secs_f64(seconds));
        assert_eq!([at(0.0), at(0.0), at(0.0)], [Ok(()); 3]);
        assert_eq!(at(0.0), Err(second));
        assert_eq!(at(0.25), Err(Duration::from_millis(750)));
        assert_eq!([at(1.0), at(1.0)], [Ok(()), Err(second)]);
        // However long nobody came, no more than a burst.
        assert_eq!([at(100.0), at(100.0), at(100.0)], [Ok(()); 3]);
        assert!(at(100.0).is_err());
    }
}
