//! Writes of many objects, of which one that the API server doesn't take holds up no other.

use futures::{Stream, StreamExt as _, pin_mut};

/// After how many errors of its own an API server is taken for one that takes nothing now. It has them for single objects, too:
/// for a field that its schema doesn't know yet, or where a webhook fails.
const ERRORS: usize = 8;

/// What was refused of the writes of a pass.
#[derive(Default)]
pub struct Refusals {
    first: Option<kube::Error>,
    errors: usize,
}

impl Refusals {
    /// Goes through writes, on through those that are refused for what they say.
    ///
    /// # Errors
    /// The API server is away, or does nothing for anybody now: the next ones would fare no better, and cost it more.
    pub async fn go_through(
        &mut self,
        writes: impl Stream<Item = Result<(), kube::Error>>,
    ) -> Result<(), kube::Error> {
        pin_mut!(writes);
        while let Some(written) = writes.next().await {
            self.take(written)?;
        }
        Ok(())
    }

    /// Takes what became of one write.
    ///
    /// # Errors
    /// As for all of them.
    pub fn take(&mut self, written: Result<(), kube::Error>) -> Result<(), kube::Error> {
        match written {
            Err(error) if self.is_of_one(&error) => {
                tracing::warn!(%error, "the API server doesn't take an object");
                self.first.get_or_insert(error);
                Ok(())
            }
            written => written,
        }
    }

    /// Whether everything was taken.
    ///
    /// # Errors
    /// Something wasn't: this was the first.
    pub fn into_result(self) -> Result<(), kube::Error> {
        self.first.map_or(Ok(()), Err)
    }

    /// Whether a refusal is about what was written, and not about when, or by whom.
    fn is_of_one(&mut self, error: &kube::Error) -> bool {
        let kube::Error::Api(status) = error else {
            return false;
        };
        if status.code == 500 {
            self.errors += 1;
            return self.errors < ERRORS;
        }
        (400..500).contains(&status.code) && !matches!(status.code, 401 | 429)
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use kube::core::Status;

    use super::{ERRORS, Refusals};

    fn refused(code: u16) -> Result<(), kube::Error> {
        let status = Status::failure("no", "Whatever").with_code(code);
        Err(kube::Error::Api(Box::new(status)))
    }

    #[tokio::test]
    async fn what_is_refused_for_itself_holds_up_nothing() {
        let mut refusals = Refusals::default();
        let all = [Ok(()), refused(422), refused(409), refused(500), Ok(())];
        refusals.go_through(stream::iter(all)).await.unwrap();
        let first = refusals.into_result().unwrap_err();
        assert!(matches!(first, kube::Error::Api(status) if status.code == 422));
    }

    #[tokio::test]
    async fn a_server_that_takes_nothing_is_left_alone() {
        for code in [401, 429, 503, 504] {
            let mut refusals = Refusals::default();
            let all = [refused(code), refused(422)];
            refusals.go_through(stream::iter(all)).await.unwrap_err();
            refusals.into_result().unwrap();
        }
        let mut refusals = Refusals::default();
        let all = (0..ERRORS).map(|_| refused(500));
        refusals.go_through(stream::iter(all)).await.unwrap_err();
    }
}
