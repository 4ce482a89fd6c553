//! Events, told beside everything else: they say what happened, nothing is decided by them, and nothing waits until the API
//! server takes them.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, Recorder};
use tokio::sync::{mpsc, oneshot};

use crate::cluster::written;

/// The most events that wait; what comes after them is lost.
const QUEUE: usize = 1_024;

/// How often the API server is asked to take one that it refuses for now.
const ATTEMPTS: u32 = 4;

/// The pause after the first refusal.
const PAUSE: Duration = Duration::from_secs(1);

/// The events of a process, in order.
pub struct Events(mpsc::Sender<Entry>);

enum Entry {
    Event(Box<(Event, ObjectReference)>),
    /// Everything before it was told.
    Mark(oneshot::Sender<()>),
}

impl Events {
    /// Written by a recorder, until nobody tells any more.
    pub fn new(recorder: Recorder) -> Self {
        let (queue, told) = mpsc::channel(QUEUE);
        tokio::spawn(write(recorder, told));
        Self(queue)
    }

    /// Tells of something. An event that can't be written is lost, and changes nothing.
    pub fn tell(&self, event: Event, of: ObjectReference) {
        let entry = Entry::Event(Box::new((event, of)));
        if self.0.try_send(entry).is_err() {
            tracing::warn!("an event can't be written: too many wait");
        }
    }

    /// Waits until everything was told, but no longer than that.
    pub async fn flush(&self, within: Duration) {
        let (told, all) = oneshot::channel();
        if self.0.try_send(Entry::Mark(told)).is_ok() {
            // What isn't told by then is lost, as what can't be told.
            let _ = tokio::time::timeout(within, all).await;
        }
    }
}

async fn write(recorder: Recorder, mut queue: mpsc::Receiver<Entry>) {
    while let Some(entry) = queue.recv().await {
        let (event, of) = match entry {
            Entry::Event(told) => *told,
            Entry::Mark(told) => {
                // Who waited for it may have given up.
                let _ = told.send(());
                continue;
            }
        };
        for attempt in 1..=ATTEMPTS {
            match written(recorder.publish(&event, &of)).await {
                Ok(()) => break,
                Err(error) if attempt < ATTEMPTS && is_refused_for_now(&error) => {
                    tokio::time::sleep(PAUSE * attempt).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "an event can't be written");
                    break;
                }
            }
        }
    }
}

/// Whether the same may be taken a little later. Of what wasn't answered nobody knows, and it isn't told twice.
fn is_refused_for_now(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 429 || status.code >= 500)
}
