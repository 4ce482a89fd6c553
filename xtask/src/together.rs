//! Two pieces of work at once, where each leaves a processor idle at times.

use crate::failure::Result;

/// Does both and gives what both gave, or the first one's failure before the other's.
pub fn together<A, B: Send>(
    one: impl FnOnce() -> Result<A>,
    other: impl FnOnce() -> Result<B> + Send,
) -> Result<(A, B)> {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let one = one();
        let other = match other.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        Ok((one?, other?))
    })
}

#[cfg(test)]
mod tests {
    use super::together;
    use crate::failure::Failure;

    #[test]
    fn both_are_done_whichever_fails() {
        let mut done = false;
        let failure = together::<(), ()>(
            || Err(Failure::new("the one")),
            || {
                done = true;
                Err(Failure::new("the other"))
            },
        )
        .unwrap_err();
        assert_eq!((failure.to_string().as_str(), done), ("the one", true));
        assert_eq!(together(|| Ok(1), || Ok(2)).unwrap(), (1, 2));
    }
}
