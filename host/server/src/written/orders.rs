//! Orders that go on: whoever sends one again waits with it, and begins no other.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use whimbrel_core::fault::{Fault, FaultClass};

use crate::problem::Problem;

/// What became of an order.
pub(crate) type Done = Result<Json, Fault>;

/// An order on its way; clones wait for the same.
pub(crate) type Going = Shared<BoxFuture<'static, Done>>;

/// Orders by their keys. After a restart nothing of them is known, and none is done twice all the same: what is applied isn't
/// applied again.
pub(crate) struct Orders {
    known: Mutex<VecDeque<Known>>,
    most: usize,
}

struct Known {
    key: String,
    words: [u8; 32],
    going: Going,
}

impl Orders {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            known: Mutex::default(),
            most,
        }
    }

    /// The order of this key, which is begun if there is none.
    pub(crate) fn once(
        &self,
        key: String,
        words: &str,
        work: impl Future<Output = Done> + Send + 'static,
    ) -> Result<Going, Problem> {
        let words: [u8; 32] = Sha256::digest(words).into();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.iter().find(|known| known.key == key) {
            return if same.words == words {
                Ok(same.going.clone())
            } else {
                Err(Problem::key_used())
            };
        }
        if known.len() >= self.most {
            let over = known.iter().position(|one| one.going.peek().is_some());
            let over = over.ok_or_else(|| Problem::busy("too many orders go on"))?;
            known.remove(over);
        }
        let done = tokio::spawn(work).map(|done| {
            done.unwrap_or_else(|error| {
                let message = format!("it ended abnormally: {error}");
                Err(Fault::new(FaultClass::Internal, "serve.order", message))
            })
        });
        let going = done.boxed().shared();
        // Nobody may wait for it: that it is over is to be known all the same.
        tokio::spawn(going.clone().map(drop));
        known.push_back(Known {
            key,
            words,
            going: going.clone(),
        });
        Ok(going)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;
    use tokio::sync::Notify;

    use super::Orders;

    #[tokio::test]
    async fn an_order_that_is_sent_again_is_waited_for_and_not_begun_again() {
        let (orders, begun) = (Orders::new(1), Arc::new(AtomicUsize::new(0)));
        let end = Arc::new(Notify::new());
        let order = |key: &str, words: &str| {
            let (begun, end) = (Arc::clone(&begun), Arc::clone(&end));
            let work = async move {
                let number = begun.fetch_add(1, Ordering::SeqCst);
                end.notified().await;
                Ok(json!(number))
            };
            orders.once(key.to_owned(), words, work)
        };
        let (first, again) = (order("a", "x").unwrap(), order("a", "x").unwrap());
        assert!(order("a", "y").is_err());
        // There is room for one that goes on.
        assert!(order("b", "x").is_err());
        end.notify_one();
        assert_eq!((first.await, again.await), (Ok(json!(0)), Ok(json!(0))));
        let second = order("b", "x").unwrap();
        end.notify_one();
        assert_eq!(second.await, Ok(json!(1)));
    }
}
