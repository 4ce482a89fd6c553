//! Who moves the bytes of a connection: whoever waits for answers, else a task of its own.
//!
//! The driver's answers go through a channel that holds one chunk, so between two tasks each eight kilobytes of rows would cost two
//! wake-ups, and on another processor each. While a flight is under way it moves the connection itself; between flights the task
//! does: it hears that the server is gone, and says goodbye when the client is dropped.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;
use tokio::task::JoinHandle;
use tokio_postgres::error::DbError;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{AsyncMessage, Connection, Socket};

/// How often a flight looks again at what it woke itself for before others get their turn.
const MOST_ROUNDS: usize = 64;

/// What is done with a notice.
pub(super) type OnNotice = Box<dyn Fn(&DbError) + Send>;

/// Moves one connection.
pub(super) struct Driver {
    wheel: Arc<Wheel>,
    task: JoinHandle<()>,
}

impl Driver {
    /// Starts the task.
    pub(super) fn start<T>(connection: Connection<Socket, T>, on_notice: OnNotice) -> Self
    where
        T: TlsStream + Unpin + Send + 'static,
    {
        Self::of(Noticing {
            connection,
            on_notice,
        })
    }

    fn of(connection: impl Moves + 'static) -> Self {
        let wheel = Arc::new(Wheel {
            seat: Mutex::new(Seat {
                connection: Some(Box::new(connection)),
                is_taken: false,
            }),
            task: AtomicWaker::new(),
        });
        let between = Arc::clone(&wheel);
        let task = tokio::spawn(poll_fn(move |context| {
            between.task.register(context.waker());
            let mut seat = between.seat();
            if seat.is_taken {
                return Poll::Pending;
            }
            seat.poll(context)
        }));
        Self { wheel, task }
    }

    /// Waits for this, moving the connection meanwhile.
    pub(super) async fn during<F: Future>(&self, work: F) -> F::Output {
        let _taken = Taken::of(&self.wheel);
        let mut work = pin!(work);
        let bell = Arc::new(Bell::default());
        let inner = Waker::from(Arc::clone(&bell));
        poll_fn(|context| {
            bell.is_heard.store(true, Ordering::SeqCst);
            bell.outer.register(context.waker());
            let mut inner = Context::from_waker(&inner);
            for _ in 0..MOST_ROUNDS {
                bell.rang.store(false, Ordering::SeqCst);
                if let Poll::Ready(output) = work.as_mut().poll(&mut inner) {
                    return Poll::Ready(output);
                }
                let _ended = self.wheel.seat().poll(&mut inner);
                if !bell.rang.load(Ordering::SeqCst) {
                    break;
                }
            }
            bell.is_heard.store(false, Ordering::SeqCst);
            // Somebody else's ring may have come after the last look.
            if bell.rang.load(Ordering::SeqCst) {
                context.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
    }

    /// Ends the connection without a goodbye.
    pub(super) fn abort(&self) {
        self.task.abort();
    }
}

/// The connection, at whose wheel there is one at a time.
struct Wheel {
    seat: Mutex<Seat>,
    task: AtomicWaker,
}

/// Under one lock, so that the task, once it has looked, can't move what a flight has taken meanwhile: the connection wakes only who
/// moved it last.
struct Seat {
    /// None once it has ended.
    connection: Option<Box<dyn Moves>>,
    is_taken: bool,
}

impl Wheel {
    fn seat(&self) -> MutexGuard<'_, Seat> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Moves what can be moved, and tells whether the connection has ended.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(connection) = self.connection.as_mut() else {
            return Poll::Ready(());
        };
        let ended = connection.poll(context);
        if ended.is_ready() {
            self.connection = None;
        }
        ended
    }
}

/// A flight's time at the wheel; the task is woken when it ends, also when nobody waits for the flight any more.
struct Taken<'a>(&'a Wheel);

impl<'a> Taken<'a> {
    fn of(wheel: &'a Wheel) -> Self {
        wheel.seat().is_taken = true;
        Self(wheel)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.seat().is_taken = false;
        self.0.task.wake();
    }
}

/// Wakes a flight, but not for what it does itself while it is awake: the runtime would take that for work for another processor.
#[derive(Default)]
struct Bell {
    outer: AtomicWaker,
    rang: AtomicBool,
    is_heard: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rang.store(true, Ordering::SeqCst);
        if !self.is_heard.load(Ordering::SeqCst) {
            self.outer.wake();
        }
    }
}

/// A connection over whatever stream.
trait Moves: Send {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()>;
}

struct Noticing<T> {
    connection: Connection<Socket, T>,
    on_notice: OnNotice,
}

impl<T: TlsStream + Unpin + Send> Moves for Noticing<T> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.connection.poll_message(context) {
                Poll::Ready(Some(Ok(AsyncMessage::Notice(notice)))) => (self.on_notice)(&notice),
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll, Wake, Waker};

    use futures::FutureExt;
    use tokio::sync::oneshot;

    use super::{Driver, Moves};

    /// A connection that counts how often it is moved, wakes who moves it for the first few times, and keeps the last one's waker.
    #[derive(Clone, Default)]
    struct Fake {
        moved: Arc<AtomicUsize>,
        rings: usize,
        last: Arc<Mutex<Option<Waker>>>,
    }

    impl Moves for Fake {
        fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
            if self.moved.fetch_add(1, Ordering::SeqCst) < self.rings {
                context.waker().wake_by_ref();
            }
            *self.last.lock().unwrap() = Some(context.waker().clone());
            Poll::Pending
        }
    }

    impl Fake {
        fn moved(&self) -> usize {
            self.moved.load(Ordering::SeqCst)
        }

        fn ring(&self) {
            self.last.lock().unwrap().clone().unwrap().wake();
        }
    }

    async fn others_had_their_turn() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_flight_that_is_given_up_gives_the_connection_back() {
        let fake = Fake::default();
        let driver = Driver::of(fake.clone());
        others_had_their_turn().await;
        let before = fake.moved();
        assert!(before > 0, "the task never moved it");
        {
            let mut flight = Box::pin(driver.during(pending::<()>()));
            assert!(flight.as_mut().now_or_never().is_none());
            let by_flight = fake.moved();
            assert!(by_flight > before, "the flight didn't move it");
            others_had_their_turn().await;
            assert_eq!(fake.moved(), by_flight, "the task moved what was taken");
        }
        others_had_their_turn().await;
        let after = fake.moved();
        fake.ring();
        others_had_their_turn().await;
        assert!(fake.moved() > after, "the task wasn't there any more");
    }

    #[tokio::test]
    async fn a_task_that_is_woken_late_leaves_the_flight_its_connection() {
        let fake = Fake::default();
        let driver = Driver::of(fake.clone());
        others_had_their_turn().await;
        // Rung for the task, which comes only once the flight has begun.
        fake.ring();
        let (answer, answered) = oneshot::channel::<()>();
        let mut flight = Box::pin(driver.during(answered));
        assert!(flight.as_mut().now_or_never().is_none());
        others_had_their_turn().await;
        let moved = fake.moved();
        fake.ring();
        others_had_their_turn().await;
        assert_eq!(fake.moved(), moved, "the ring went to the task");
        answer.send(()).unwrap();
        flight.await.unwrap();
    }

    #[tokio::test]
    async fn a_flight_hears_what_others_do() {
        let driver = Driver::of(Fake::default());
        let (answer, answered) = oneshot::channel();
        std::thread::spawn(move || answer.send(7).unwrap());
        assert_eq!(driver.during(answered).await, Ok(7));
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn a_flight_doesnt_wake_itself() {
        let fake = Fake {
            rings: 5,
            ..Fake::default()
        };
        let driver = Driver::of(fake.clone());
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let moved = fake.clone();
        let work = poll_fn(move |_| match moved.moved() {
            0..6 => Poll::Pending,
            _ => Poll::Ready(()),
        });
        let mut flight = Box::pin(driver.during(work));
        let answer = flight.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(answer.is_pending(), "rung five times, moved six");
        assert_eq!((fake.moved(), count.0.load(Ordering::SeqCst)), (6, 0));
        fake.ring();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(
            flight
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
        );
    }
}
