//! The login of one configured secret store, kept between its calls, so that a trap or a timeout loses none.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

/// One store's login. Never shared: two stores of one plugin have two.
#[derive(Default)]
pub struct Session {
    login: Mutex<Option<Login>>,
    /// Held by who logs in, so that others wait for the login instead of making another.
    entrance: tokio::sync::Mutex<()>,
    gate: Mutex<Gate>,
}

/// Whether calls without a login wait for each other.
#[derive(Clone, Copy, Default)]
enum Gate {
    /// They do: the first one may leave a login.
    #[default]
    Guarded,
    /// A call got on without a login: this store keeps none.
    Open,
    /// A call failed before it had a login: until then, a hundred others needn't fail one after the other.
    OpenUntil(Instant),
}

/// How long calls fail side by side after one failed: the time in which others that waited with it come to know.
const FAILING_TOGETHER: Duration = Duration::from_secs(5);

/// A login that a call works under, as the store names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Under {
    /// Its name.
    pub login: String,
    /// When it ends; none for never.
    pub end: Option<SystemTime>,
}

/// One call with the store's session.
pub struct Visit {
    session: Arc<Session>,
    under: Mutex<Option<Under>>,
}

impl Visit {
    /// One with this session.
    pub fn new(session: Arc<Session>) -> Self {
        Self {
            session,
            under: Mutex::default(),
        }
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Notes the login that the call works under, until an instant in milliseconds since the epoch.
    pub fn work_under(&self, login: String, end: Option<u64>) {
        let end = instant(end);
        let mut under = self.under.lock().unwrap_or_else(PoisonError::into_inner);
        *under = Some(Under { login, end });
    }

    /// The login that it was last said to work under.
    pub fn under(&self) -> Option<Under> {
        let under = self.under.lock().unwrap_or_else(PoisonError::into_inner);
        under.clone()
    }
}

/// What is too far away to be counted is as good as never.
fn instant(milliseconds: Option<u64>) -> Option<SystemTime> {
    milliseconds.and_then(|at| UNIX_EPOCH.checked_add(Duration::from_millis(at)))
}

struct Login {
    bytes: Zeroizing<Vec<u8>>,
    expires: Option<SystemTime>,
}

impl Session {
    /// The login, unless it is over.
    pub fn get(&self) -> Option<Vec<u8>> {
        let mut login = self.login.lock().unwrap_or_else(PoisonError::into_inner);
        if login.as_ref().is_some_and(Login::is_over) {
            *login = None;
        }
        login.as_ref().map(|login| login.bytes.to_vec())
    }

    /// Keeps a login until an instant, in milliseconds since the epoch.
    pub fn put(&self, bytes: Zeroizing<Vec<u8>>, expires: Option<u64>) {
        let expires = instant(expires);
        let mut login = self.login.lock().unwrap_or_else(PoisonError::into_inner);
        *login = Some(Login { bytes, expires });
        self.set_gate(Gate::Guarded);
    }

    /// Forgets the login.
    pub fn forget(&self) {
        let mut login = self.login.lock().unwrap_or_else(PoisonError::into_inner);
        *login = None;
    }

    /// Waits while another call logs in. Whoever finds no login then is the one that makes it, and holds the entrance.
    pub async fn enter(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if self.is_open() {
            return None;
        }
        let entrance = self.entrance.lock().await;
        (!self.is_open()).then_some(entrance)
    }

    /// Who held the entrance is done. Without a login, nobody needs to wait for one.
    pub fn left(&self, failed: bool) {
        if self.is_live() {
            return;
        }
        self.set_gate(if failed {
            Gate::OpenUntil(Instant::now() + FAILING_TOGETHER)
        } else {
            Gate::Open
        });
    }

    fn is_open(&self) -> bool {
        let gate = *self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_live()
            || match gate {
                Gate::Guarded => false,
                Gate::Open => true,
                Gate::OpenUntil(end) => Instant::now() < end,
            }
    }

    fn set_gate(&self, gate: Gate) {
        *self.gate.lock().unwrap_or_else(PoisonError::into_inner) = gate;
    }

    /// Whether there is a login that holds.
    pub fn is_live(&self) -> bool {
        let login = self.login.lock().unwrap_or_else(PoisonError::into_inner);
        login.as_ref().is_some_and(|login| !login.is_over())
    }
}

impl Login {
    fn is_over(&self) -> bool {
        self.expires
            .is_some_and(|expires| SystemTime::now() >= expires)
    }
}

#[cfg(test)]
mod tests {
    use super::Session;
    use zeroize::Zeroizing;

    #[tokio::test]
    async fn a_login_lasts_until_it_is_over() {
        let session = Session::default();
        assert!(session.get().is_none());
        assert!(session.enter().await.is_some());
        session.put(Zeroizing::new(b"token".to_vec()), Some(u64::MAX));
        assert_eq!(session.get().unwrap(), b"token");
        assert!(session.enter().await.is_none());
        session.put(Zeroizing::new(b"old".to_vec()), Some(1));
        assert!(session.enter().await.is_some());
        assert!(session.get().is_none());
        session.put(Zeroizing::new(b"token".to_vec()), None);
        session.forget();
        assert!(session.get().is_none());
    }

    #[tokio::test]
    async fn who_keeps_no_login_waits_for_none() {
        let session = Session::default();
        let entrance = session.enter().await;
        assert!(entrance.is_some());
        session.left(true);
        assert!(session.enter().await.is_none(), "others fail beside it");
        let session = Session::default();
        session.left(false);
        assert!(session.enter().await.is_none());
        session.put(Zeroizing::new(b"old".to_vec()), Some(1));
        assert!(
            session.enter().await.is_some(),
            "a login that is over is made once"
        );
    }
}
