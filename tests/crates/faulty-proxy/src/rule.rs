//! What goes wrong, and when. As JSON: `{"path": "/v1/", "method": "GET", "times": 2, "fault": {"status": 503}}`.

use serde::Deserialize;

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// This status at once, with the body that a Vault sends with it; the server behind isn't asked.
    Status(u16),
    /// 429 with `Retry-After` in seconds.
    RetryAfter(u64),
    /// The answer comes so many milliseconds later.
    Delay(u64),
    /// The connection breaks before the server behind is asked.
    ResetBefore,
    /// The server behind is asked, and the connection breaks instead of its answer.
    ResetAfter,
    /// The answer breaks off after so many bytes of its body.
    Truncate(usize),
    /// The answer's `Date` is wrong by so many seconds.
    Skew(i64),
    /// Nothing is answered, and the connection stays open until the client has enough of it.
    Hang,
    /// This status with a page for people, as proxies and portals answer in the place of a server.
    Page(u16),
    /// This status, with what it means inside of another error, as a Vault says what went wrong behind it.
    Wrapped(u16),
    /// The server's clock is wrong by so many seconds: what was signed more than five minutes from it is refused, as AWS does.
    Clock(i64),
}

/// A fault, and the requests that meet it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    path: String,
    #[serde(default)]
    method: Option<String>,
    /// Headers whose value must hold a text, as AWS names operations in one.
    #[serde(default)]
    header: Option<(String, String)>,
    #[serde(default = "forever")]
    times: u32,
    fault: Fault,
}

const fn forever() -> u32 {
    u32::MAX
}

impl Rule {
    /// Every request whose path begins so, for ever; without a fault it is answered 500.
    #[must_use]
    pub fn on(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            method: None,
            header: None,
            times: forever(),
            fault: Fault::Status(500),
        }
    }

    /// Only requests of this method.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Only requests with a header that holds this text, such as `x-amz-target` and `GetSecretValue`.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.header = Some((name.into(), text.into()));
        self
    }

    /// Only so many times.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// What goes wrong.
    #[must_use]
    pub const fn fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    /// Whether it fits a request; uses it up by one then.
    pub(crate) fn take(&mut self, request: &whimbrel_test_server::Request) -> Option<Fault> {
        let fits = self.times > 0
            && request.target.starts_with(&self.path)
            && self
                .method
                .as_ref()
                .is_none_or(|method| *method == request.method)
            && self.header.as_ref().is_none_or(|(name, text)| {
                request
                    .header(name)
                    .is_some_and(|value| value.contains(text.as_str()))
            });
        if !fits {
            return None;
        }
        if self.times != forever() {
            self.times -= 1;
        }
        Some(self.fault)
    }
}
