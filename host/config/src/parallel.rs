//! The same work on many items, on all processors: a thousand small files are mostly waiting for the kernel.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism, scope};

/// Items that one thread takes at once: fewer are done by the caller alone, before a thread would have started.
const BLOCK: usize = 32;

/// Threads at most: beyond these the kernel's own locks are what is waited for.
const THREADS: usize = 8;

/// The results of all items, in their order.
pub fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if items.len() <= BLOCK {
        return items.iter().map(work).collect();
    }
    let blocks: Vec<&[T]> = items.chunks(BLOCK).collect();
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(block) = blocks.get(index) else {
                return done;
            };
            done.push((index, block.iter().map(&work).collect::<Vec<R>>()));
        }
    };
    let processors = available_parallelism().map_or(1, NonZero::get);
    let threads = processors.min(THREADS).min(blocks.len());
    let mut done = scope(|scope| {
        // A thread that can't be started leaves its share to the others.
        let others: Vec<_> = (1..threads)
            .filter_map(|_| Builder::new().spawn_scoped(scope, take).ok())
            .collect();
        let mut done = take();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    // Room for all at once: what grows by doubling touches twice the memory.
    let mut all = Vec::with_capacity(items.len());
    for (_, results) in done {
        all.extend(results);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, each};

    #[test]
    fn keeps_the_order() {
        for count in [0, 1, BLOCK, BLOCK + 1, 10 * BLOCK + 3] {
            let items: Vec<_> = (0..count).collect();
            let expected: Vec<_> = items.iter().map(|item| item * 2).collect();
            assert_eq!(each(&items, |item| item * 2), expected);
        }
    }
}
