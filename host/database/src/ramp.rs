//! A crowd of databases is begun with a few at a time.
//!
//! A new connection is mostly processor time, of the server and of this process, and so is the first look at a database: a
//! hundred of them at once, and whatever else runs on these machines gets a hundredth. The crowd itself has nothing of it.

use std::future::Future;
use std::time::Duration;

use tokio::sync::Semaphore;

/// How many are begun with at once.
const PLACES: usize = 8;

/// How long one may take until it no longer counts: what waits for a lock or for a server far away takes no processor time, and
/// holds up no other database.
const PATIENCE: Duration = Duration::from_millis(100);

/// Who begins with a database waits for a place.
#[derive(Debug)]
pub struct Ramp {
    places: Semaphore,
    patience: Duration,
}

impl Default for Ramp {
    fn default() -> Self {
        Self::with_patience(PATIENCE)
    }
}

impl Ramp {
    fn with_patience(patience: Duration) -> Self {
        Self {
            places: Semaphore::new(PLACES),
            patience,
        }
    }

    /// Begins with one as soon as there is a place for it.
    pub async fn begin<T>(&self, beginning: impl Future<Output = T>) -> T {
        // Nobody closes it.
        let place = self.places.acquire().await.ok();
        tokio::pin!(beginning);
        tokio::select! {
            biased;
            begun = &mut beginning => return begun,
            () = tokio::time::sleep(self.patience) => drop(place),
        }
        beginning.await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::sync::Semaphore;
    use tokio::task::{JoinSet, yield_now};

    use super::{PLACES, Ramp};

    const ALL: usize = 3 * PLACES + 1;

    /// Begins with all of them. None comes to its end before it is let.
    fn crowd(ramp: Ramp, begun: &Arc<AtomicUsize>, let_go: &Arc<Semaphore>) -> JoinSet<()> {
        let ramp = Arc::new(ramp);
        let each = (0..ALL).map(|_| {
            let (ramp, begun, let_go) = (ramp.clone(), begun.clone(), let_go.clone());
            async move {
                let beginning = async {
                    begun.fetch_add(1, Ordering::SeqCst);
                    let_go.acquire().await.unwrap().forget();
                };
                ramp.begin(beginning).await;
            }
        });
        each.collect()
    }

    async fn settled(begun: &AtomicUsize) -> usize {
        for _ in 0..1_000 {
            yield_now().await;
        }
        begun.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn as_many_are_begun_with_as_there_are_places() {
        let (begun, let_go) = (Arc::default(), Arc::new(Semaphore::new(0)));
        let ramp = Ramp::with_patience(Duration::from_secs(3_600));
        let all = crowd(ramp, &begun, &let_go);
        assert_eq!(settled(&begun).await, PLACES);
        let_go.add_permits(2);
        assert_eq!(settled(&begun).await, PLACES + 2);
        let_go.add_permits(ALL);
        all.join_all().await;
        assert_eq!(begun.load(Ordering::SeqCst), ALL);
    }

    #[tokio::test]
    async fn what_does_not_come_to_its_end_holds_up_nothing_else() {
        let (begun, let_go) = (Arc::default(), Arc::new(Semaphore::new(0)));
        let _all = crowd(Ramp::default(), &begun, &let_go);
        while begun.load(Ordering::SeqCst) < ALL {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
