//! Tasks of connections that run where they are woken: a request is written by the thread that asks for it, instead of
//! waking another one for that.
//!
//! The HTTP library gives each connection tasks of its own and hands them a request over a channel, which wakes a thread of the
//! runtime that writes it. While a request is polled by [`beside`], whatever it wakes is polled right after it, by the same
//! thread; whatever is woken elsewhere, such as by an answer, runs on the runtime as ever.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use futures::future::BoxFuture;
use hyper::rt::Executor;
use tokio::runtime::Handle;

/// Tasks that are polled after one poll of a request. Further ones, as of a connection that always has something to do, are left
/// to the runtime, so that they keep nobody from going on.
const AT_ONCE: usize = 16;

thread_local! {
    /// What was woken while this thread polls what it wakes; none while it doesn't.
    static WOKEN: RefCell<Option<VecDeque<Arc<Task>>>> = const { RefCell::new(None) };
}

/// Runs the tasks of connections.
#[derive(Clone, Copy, Debug, Default)]
pub struct Near;

impl<F> Executor<F> for Near
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        let future = async move {
            future.await;
        };
        let task = Task {
            future: Mutex::new(Some(Box::pin(future))),
            is_due: AtomicBool::new(true),
            runtime: Handle::current(),
        };
        Arc::new(task).schedule();
    }
}

/// Polls a request, and with it the tasks that it wakes.
pub async fn beside<T>(request: impl Future<Output = T>) -> T {
    let mut request = pin!(request);
    poll_fn(|context| {
        let here = Here::enter();
        let polled = request.as_mut().poll(context);
        here.run();
        polled
    })
    .await
}

/// A task of a connection. Whoever may wake it keeps it.
struct Task {
    /// None once it is done.
    future: Mutex<Option<BoxFuture<'static, ()>>>,
    /// Whether it was woken since it was last polled.
    is_due: AtomicBool,
    runtime: Handle,
}

impl Task {
    /// Has it polled: by this thread if it polls what it wakes, else by the runtime.
    fn schedule(self: Arc<Self>) {
        let mut task = Some(self);
        let _ = WOKEN.try_with(|woken| {
            if let Some(woken) = woken.borrow_mut().as_mut() {
                woken.extend(task.take());
            }
        });
        if let Some(task) = task {
            let runtime = task.runtime.clone();
            let due = Due(Some(task));
            runtime.spawn(async move { due.run() });
        }
    }

    fn poll(self: &Arc<Self>) {
        // Before it is polled: whatever wakes it from here on wants it polled again.
        self.is_due.store(false, Ordering::SeqCst);
        let mut future = self.lock();
        // Taken out, so that nobody polls again what panicked.
        let Some(mut polled) = future.take() else {
            return;
        };
        let waker = Waker::from(Arc::clone(self));
        let mut context = Context::from_waker(&waker);
        if polled.as_mut().poll(&mut context).is_pending() {
            *future = Some(polled);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<BoxFuture<'static, ()>>> {
        self.future.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.is_due.swap(true, Ordering::SeqCst) {
            self.schedule();
        }
    }
}

/// A task that the runtime is to poll. A runtime that ends drops it unpolled, and then what it holds ends, as that of the
/// runtime's own tasks does.
struct Due(Option<Arc<Task>>);

impl Due {
    fn run(mut self) {
        if let Some(task) = self.0.take() {
            let here = Here::enter();
            task.poll();
            here.run();
        }
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            let future = task.lock().take();
            drop(future);
        }
    }
}

/// While it is there, this thread polls what it wakes.
struct Here {
    /// Whether this is the one that began it.
    is_first: bool,
}

impl Here {
    fn enter() -> Self {
        let is_first = WOKEN.with_borrow_mut(|woken| {
            let is_first = woken.is_none();
            woken.get_or_insert_default();
            is_first
        });
        Self { is_first }
    }

    /// Polls what was woken, and what that wakes.
    fn run(self) {
        if !self.is_first {
            return;
        }
        for _ in 0..AT_ONCE {
            let next = WOKEN.with_borrow_mut(|woken| woken.as_mut()?.pop_front());
            let Some(task) = next else {
                break;
            };
            task.poll();
        }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        if self.is_first {
            let left = WOKEN.take();
            left.into_iter().flatten().for_each(Task::schedule);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Poll;
    use std::thread;
    use std::time::Duration;

    use hyper::rt::Executor as _;
    use tokio::sync::{mpsc, oneshot};

    use super::{AT_ONCE, Near, beside};

    type Question = oneshot::Sender<thread::ThreadId>;

    /// A task that answers which thread polls it.
    fn answering() -> mpsc::UnboundedSender<Question> {
        let (ask, mut asked) = mpsc::unbounded_channel::<Question>();
        Near.execute(async move {
            while let Some(question) = asked.recv().await {
                let _ = question.send(thread::current().id());
            }
        });
        ask
    }

    async fn ask(task: &mpsc::UnboundedSender<Question>) -> thread::ThreadId {
        let (question, answer) = oneshot::channel();
        task.send(question).unwrap();
        answer.await.unwrap()
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    }

    #[test]
    fn what_a_request_wakes_runs_in_its_thread_and_what_others_wake_on_the_runtime() {
        runtime().block_on(async {
            let task = answering();
            let worker = ask(&task).await;
            assert_ne!(worker, thread::current().id());
            // The only worker is done with it, which may look for a further question after it has answered.
            tokio::spawn(async {}).await.unwrap();
            for _ in 0..100 {
                assert_eq!(beside(ask(&task)).await, thread::current().id());
            }
            assert_eq!(ask(&task).await, worker);
        });
    }

    #[test]
    fn a_task_that_always_wakes_itself_keeps_nobody() {
        runtime().block_on(async {
            let polls = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&polls);
            let (stop, mut stopped) = oneshot::channel::<()>();
            beside(async {
                Near.execute(std::future::poll_fn(move |context| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    context.waker().wake_by_ref();
                    match stopped.try_recv() {
                        Err(oneshot::error::TryRecvError::Empty) => Poll::Pending,
                        _ => Poll::Ready(()),
                    }
                }));
            })
            .await;
            // The runtime goes on with it.
            while polls.load(Ordering::SeqCst) <= AT_ONCE * 2 {
                tokio::task::yield_now().await;
            }
            drop(stop);
        });
    }

    #[test]
    fn nothing_that_is_woken_is_lost() {
        runtime().block_on(async {
            let task = answering();
            let elsewhere: Vec<_> = (0..4)
                .map(|_| {
                    let task = task.clone();
                    tokio::spawn(async move {
                        for _ in 0..500 {
                            beside(ask(&task)).await;
                        }
                    })
                })
                .collect();
            for _ in 0..500 {
                beside(ask(&task)).await;
                ask(&task).await;
            }
            for others in elsewhere {
                others.await.unwrap();
            }
        });
    }

    #[test]
    fn what_a_task_holds_ends_with_it_or_with_the_runtime() {
        let held = Arc::new(());
        let (one, other) = (Arc::clone(&held), Arc::clone(&held));
        let runtime = runtime();
        runtime.block_on(async {
            beside(async { Near.execute(async move { drop(one) }) }).await;
            assert_eq!(Arc::strong_count(&held), 2);
            // Woken by nothing but the clock, which ends with the runtime, and held by what it waits for itself.
            beside(async {
                Near.execute(async move {
                    let (_own, mut never) = mpsc::unbounded_channel::<()>();
                    tokio::select! {
                        _ = never.recv() => {}
                        () = tokio::time::sleep(Duration::from_secs(600)) => {}
                    }
                    drop(other);
                });
            })
            .await;
            assert_eq!(Arc::strong_count(&held), 2);
        });
        drop(runtime);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
