//! Idempotency keys: the same order with the same key is one order, and gets the same answer. Kept in memory only; after a
//! restart the plan's digest still keeps an order from being done twice.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use tokio::sync::OnceCell;

use crate::problem::Problem;

/// What was answered: status and body.
pub(crate) type Answer = Result<(StatusCode, String), Problem>;

/// What keeps answers. Clones are one.
#[derive(Clone)]
pub(crate) struct Answers {
    known: Arc<Mutex<VecDeque<Known>>>,
    most: usize,
}

struct Known {
    key: String,
    order: String,
    answer: Arc<OnceCell<Answer>>,
}

impl Answers {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            known: Arc::default(),
            most,
        }
    }

    /// Does it, or gives the answer of the first time. Who repeats while it is being done waits for that answer.
    pub(crate) async fn once(
        &self,
        key: String,
        order: String,
        work: impl Future<Output = Answer>,
    ) -> Answer {
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            match known.iter().find(|known| known.key == key) {
                Some(same) if same.order == order => Arc::clone(&same.answer),
                Some(_) => return Err(Problem::key_used()),
                None => {
                    let answer = Arc::new(OnceCell::new());
                    known.push_back(Known {
                        key,
                        order,
                        answer: Arc::clone(&answer),
                    });
                    while known.len() > self.most {
                        known.pop_front();
                    }
                    answer
                }
            }
        };
        let answer = cell.get_or_init(|| work).await.clone();
        if answer.is_err() {
            // Nothing was done, so the same may be asked again.
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|known| !Arc::ptr_eq(&known.answer, &cell));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::Answers;

    #[tokio::test]
    async fn an_order_with_the_same_key_is_done_once() {
        let answers = Answers::new(2);
        let ask = async |key: &str, order: &str, says: &str| {
            let says = says.to_owned();
            let work = async move { Ok((StatusCode::OK, says)) };
            answers
                .once(key.into(), order.into(), work)
                .await
                .map(|(_, body)| body)
        };
        assert_eq!(ask("a", "x", "first").await.unwrap(), "first");
        assert_eq!(ask("a", "x", "second").await.unwrap(), "first");
        assert!(ask("a", "y", "third").await.is_err());
        ask("b", "x", "").await.unwrap();
        ask("c", "x", "").await.unwrap();
        assert_eq!(ask("a", "x", "anew").await.unwrap(), "anew");
    }
}
