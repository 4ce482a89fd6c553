//! Writes into all kinds of memory, and looks first whether somebody has.

use std::sync::atomic::{AtomicU8, Ordering};

/// What is written.
const STAIN: u8 = 0xa5;

/// What is there at the start in memory that has a content.
const PRINT: u8 = 7;

/// Bytes of a page of WebAssembly.
const PAGE: usize = 64 << 10;

/// Memory that is asked for: more than any place of the host's pool keeps.
const PAGES: usize = 48;

static EMPTY: [AtomicU8; PAGE] = [const { AtomicU8::new(0) }; PAGE];
static PRINTED: [AtomicU8; PAGE] = [const { AtomicU8::new(PRINT) }; PAGE];

/// Writes everywhere, and gives how many bytes weren't as they are at the start of an instance.
pub fn everything() -> usize {
    let mut found = 0;
    for (place, expected) in [(&EMPTY, 0), (&PRINTED, PRINT)] {
        for byte in place {
            found += usize::from(byte.swap(STAIN, Ordering::Relaxed) != expected);
        }
    }
    let added = more();
    found += added.iter().filter(|byte| **byte != 0).count();
    added.fill(STAIN);
    found
}

/// Pages that nobody has had in this instance.
#[cfg(target_arch = "wasm32")]
fn more() -> &'static mut [u8] {
    use std::arch::wasm32::{memory_grow, memory_size};
    let before = memory_size(0);
    assert_eq!(memory_grow(0, PAGES), before, "there is as much memory");
    let added = (before * PAGE) as *mut u8;
    // The pages that were just added, which nobody else knows of.
    unsafe { std::slice::from_raw_parts_mut(added, PAGES * PAGE) }
}

/// Where clippy looks at it, no memory grows.
#[cfg(not(target_arch = "wasm32"))]
fn more() -> &'static mut [u8] {
    vec![0; PAGES * PAGE].leak()
}
