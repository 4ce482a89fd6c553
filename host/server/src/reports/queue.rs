//! What waits to be done, each thing once, as it was asked for last; tried again later where that may help.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How long a queue without anything sleeps.
const IDLE: Duration = Duration::from_secs(3_600);

/// There is no room for more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// A queue of bounded length.
pub(super) struct Queue<T> {
    most: usize,
    bell: Notify,
    state: Mutex<State<T>>,
}

struct State<T> {
    waiting: Vec<Entry<T>>,
    /// Nothing is due before.
    rest: Option<Instant>,
}

/// Something that waits, or was taken.
pub(super) struct Entry<T> {
    /// What it is about: there is one of each.
    pub(super) key: String,
    /// What is to be done.
    pub(super) work: T,
    /// How often it was tried.
    pub(super) attempts: u32,
    due: Instant,
}

impl<T> Queue<T> {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            bell: Notify::new(),
            state: Mutex::new(State {
                waiting: Vec::new(),
                rest: None,
            }),
        }
    }

    /// Adds something, in the place of what waits under the same key.
    pub(super) fn put(&self, key: String, work: T) -> Result<(), Full> {
        let mut state = self.lock();
        state.waiting.retain(|entry| entry.key != key);
        if state.waiting.len() >= self.most {
            return Err(Full);
        }
        state.waiting.push(Entry {
            key,
            work,
            attempts: 0,
            due: Instant::now(),
        });
        drop(state);
        self.bell.notify_one();
        Ok(())
    }

    /// Takes away what waits under a key.
    pub(super) fn remove(&self, key: &str) {
        self.lock().waiting.retain(|entry| entry.key != key);
    }

    /// Whether something newer waits under a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.lock().waiting.iter().any(|entry| entry.key == key)
    }

    /// The next that is due.
    pub(super) async fn next(&self) -> Entry<T> {
        loop {
            let pause = match self.take() {
                Ok(entry) => return entry,
                Err(pause) => pause,
            };
            tokio::select! {
                () = self.bell.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Puts back what was taken, unless something newer waits in its place.
    pub(super) fn again(&self, mut entry: Entry<T>, pause: Duration) {
        let mut state = self.lock();
        if state.waiting.len() < self.most && state.waiting.iter().all(|one| one.key != entry.key) {
            entry.attempts += 1;
            entry.due = Instant::now() + pause;
            state.waiting.push(entry);
        }
    }

    /// Nothing is due for a while.
    pub(super) fn rest(&self, pause: Duration) {
        self.lock().rest = Some(Instant::now() + pause);
    }

    /// What is due, or when to ask again.
    fn take(&self) -> Result<Entry<T>, Duration> {
        let now = Instant::now();
        let mut state = self.lock();
        if let Some(rest) = state.rest.filter(|rest| *rest > now) {
            return Err(rest - now);
        }
        let first = state.waiting.iter().enumerate();
        let first = first.min_by_key(|(_, entry)| entry.due);
        match first.map(|(index, entry)| (index, entry.due)) {
            None => Err(IDLE),
            Some((_, due)) if due > now => Err(due - now),
            Some((index, _)) => Ok(state.waiting.remove(index)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Full, Queue};

    #[tokio::test]
    async fn the_newest_of_each_waits_and_no_more_than_there_is_room_for() {
        let queue = Queue::new(2);
        queue.put("a".to_owned(), 1).unwrap();
        queue.put("b".to_owned(), 2).unwrap();
        assert_eq!(queue.put("c".to_owned(), 3), Err(Full));
        queue.put("a".to_owned(), 4).unwrap();
        let (first, second) = (queue.next().await, queue.next().await);
        assert_eq!((first.work, second.work), (2, 4));
        queue.again(first, Duration::ZERO);
        queue.put("a".to_owned(), 5).unwrap();
        assert!(queue.has("a"));
        // Something newer waits.
        queue.again(second, Duration::ZERO);
        let (first, second) = (queue.next().await, queue.next().await);
        assert_eq!((first.work, first.attempts), (2, 1));
        assert_eq!((second.work, second.attempts), (5, 0));
        queue.put("a".to_owned(), 6).unwrap();
        queue.remove("a");
        assert!(!queue.has("a"));
    }

    #[tokio::test]
    async fn what_rests_is_not_due() {
        let queue = Queue::new(2);
        queue.put("a".to_owned(), 1).unwrap();
        queue.rest(Duration::from_millis(50));
        let soon = tokio::time::timeout(Duration::from_millis(10), queue.next()).await;
        assert!(soon.is_err());
    }
}
