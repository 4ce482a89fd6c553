//! Questions of one kind that come at the same time are answered together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::sync::oneshot;

/// How long nobody else must have come until those who are there are answered.
const LULL: Duration = Duration::from_millis(1);

/// The longest that the first of them waits for others.
const WAIT: Duration = Duration::from_millis(20);

/// How long those who are there wait for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Until nobody else has come for a moment: an answer costs more than the wait.
    Lull,
    /// Until those before them are answered.
    Turn,
}

/// Questions of one kind.
struct Kind<Q, A> {
    waiting: Vec<(Q, oneshot::Sender<A>)>,
    /// Held while some are answered: the next ones gather meanwhile.
    answering: Arc<tokio::sync::Mutex<()>>,
}

/// Gathers questions. Clones gather together.
pub struct Gathering<Q, A>(Arc<Mutex<HashMap<String, Kind<Q, A>>>>);

impl<Q, A> Clone for Gathering<Q, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Q, A> Default for Gathering<Q, A> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<Q: Send + 'static, A: Send + 'static> Gathering<Q, A> {
    /// Asks, together with whoever asks the like of it until it is their turn. `answering` gives an answer for each
    /// question, in order; the one of whoever came first is used. None when that one went away before it was done.
    pub async fn ask(
        &self,
        alike: String,
        patience: Patience,
        question: Q,
        answering: impl FnOnce(Vec<Q>) -> BoxFuture<'static, Vec<A>>,
    ) -> Option<A> {
        let (sender, receiver) = oneshot::channel();
        let turn = {
            let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let kind = kinds.entry(alike.clone()).or_insert_with(|| Kind {
                waiting: Vec::new(),
                answering: Arc::default(),
            });
            kind.waiting.push((question, sender));
            (kind.waiting.len() == 1).then(|| Arc::clone(&kind.answering))
        };
        if let Some(turn) = turn {
            if patience == Patience::Lull {
                self.lull(&alike).await;
            }
            let turn = turn.lock().await;
            let gathered = {
                let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                let kind = kinds.get_mut(&alike);
                kind.map(|kind| std::mem::take(&mut kind.waiting))
            };
            let (questions, senders): (Vec<Q>, Vec<_>) =
                gathered.unwrap_or_default().into_iter().unzip();
            let answers = answering(questions).await;
            drop(turn);
            for (sender, answer) in senders.into_iter().zip(answers) {
                // Whoever went away needs no answer.
                let _ = sender.send(answer);
            }
        }
        receiver.await.ok()
    }

    /// Until nobody else comes.
    async fn lull(&self, alike: &str) {
        let waiting = || {
            let kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kinds.get(alike).map_or(0, |kind| kind.waiting.len())
        };
        let (begun, mut before) = (Instant::now(), 0);
        while begun.elapsed() < WAIT && waiting() > before {
            before = waiting();
            tokio::time::sleep(LULL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures::FutureExt as _;

    use super::{Gathering, Patience};

    #[tokio::test]
    async fn what_comes_together_is_answered_together() {
        with(Patience::Lull).await;
    }

    #[tokio::test]
    async fn what_comes_while_others_are_answered_is_answered_together() {
        with(Patience::Turn).await;
    }

    /// One comes, and nine others while it is answered.
    async fn with(patience: Patience) {
        let gathering: Gathering<usize, (usize, usize)> = Gathering::default();
        let (times, busy) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let ask = |number: usize| {
            let (gathering, times, busy) =
                (gathering.clone(), Arc::clone(&times), Arc::clone(&busy));
            tokio::spawn(async move {
                let answering = move |all: Vec<usize>| {
                    async move {
                        times.fetch_add(1, Ordering::SeqCst);
                        assert_eq!(busy.fetch_add(1, Ordering::SeqCst), 0);
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        busy.fetch_sub(1, Ordering::SeqCst);
                        all.iter().map(|one| (*one, all.len())).collect()
                    }
                    .boxed()
                };
                let alike = "same".to_owned();
                gathering.ask(alike, patience, number, answering).await
            })
        };
        let first = ask(0);
        tokio::time::sleep(Duration::from_millis(10)).await;
        let others: Vec<_> = (1..10).map(ask).collect();
        assert_eq!(first.await.unwrap(), Some((0, 1)));
        for (number, other) in (1..).zip(others) {
            assert_eq!(other.await.unwrap(), Some((number, 9)));
        }
        assert_eq!(times.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn what_is_not_alike_is_answered_apart() {
        let gathering: Gathering<u8, usize> = Gathering::default();
        let answering = |all: Vec<u8>| async move { vec![all.len(); all.len()] }.boxed();
        let ask = |alike: &str, number| {
            gathering.ask(alike.to_owned(), Patience::Turn, number, answering)
        };
        let (one, other) = (ask("one", 1), ask("other", 2));
        assert_eq!(tokio::join!(one, other), (Some(1), Some(1)));
        // Who gives no answers leaves none waiting.
        let none = |_| async { Vec::new() }.boxed();
        let nothing = gathering.ask("one".to_owned(), Patience::Lull, 1, none);
        assert_eq!(nothing.await, None);
    }
}
