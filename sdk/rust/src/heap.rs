//! Memory for plugins whose calls are short: it is handed out one piece after the other and hardly given back, since an instance
//! of a secret store lives for one call and its memory ends with it.
//!
//! The first of it is part of the instance from its beginning. A memory that grows makes the host ask the system for each step,
//! and take it back after the call. Beyond that, and for what it doesn't fit, Rust's own allocator is asked, which does give back.

#![allow(unsafe_code, reason = "an allocator is unsafe by what it is")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};

/// What a call of a store takes several times of.
const ROOM: usize = 256 << 10;

/// What every piece begins at a multiple of; what wants more is asked of the system.
const ALIGNMENT: usize = 16;

#[repr(align(16))]
struct Room(UnsafeCell<[u8; ROOM]>);

/// An allocator to be a component's `#[global_allocator]`.
pub struct Heap {
    room: Room,
    /// How much of the room was handed out.
    used: Cell<usize>,
}

// SAFETY: a component has one thread.
unsafe impl Sync for Heap {}

impl Heap {
    /// One of which nothing was handed out.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it is a static")]
    pub const fn new() -> Self {
        Self {
            room: Room(UnsafeCell::new([0; ROOM])),
            used: Cell::new(0),
        }
    }

    /// Where in the room a piece begins; none when it is the system's.
    fn place(&self, piece: *const u8) -> Option<usize> {
        let place = piece.addr().checked_sub(self.room.0.get().addr())?;
        (place < ROOM).then_some(place)
    }

    /// Where a piece that begins here ends, rounded up to where the next one may begin; none when it doesn't fit.
    fn end(place: usize, size: usize) -> Option<usize> {
        let end = place
            .checked_add(size)?
            .checked_next_multiple_of(ALIGNMENT)?;
        (end <= ROOM).then_some(end)
    }

    fn is_last(&self, place: usize, size: usize) -> bool {
        Self::end(place, size) == Some(self.used.get())
    }
}

// SAFETY: pieces of the room don't overlap, since each begins where all before it have ended, and what is handed out again was
// given back; all others are the system's.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let place = self.used.get();
        match Self::end(place, layout.size()) {
            Some(end) if layout.align() <= ALIGNMENT => {
                self.used.set(end);
                self.room.0.get().cast::<u8>().wrapping_add(place)
            }
            // SAFETY: as the caller promised.
            _ => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        match self.place(piece) {
            Some(place) => {
                if self.is_last(place, layout.size()) {
                    self.used.set(place);
                }
            }
            // SAFETY: as the caller promised; it isn't of the room.
            None => unsafe { System.dealloc(piece, layout) },
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(place) = self.place(piece) else {
            // SAFETY: as the caller promised; it isn't of the room.
            return unsafe { System.realloc(piece, layout, size) };
        };
        if self.is_last(place, layout.size())
            && let Some(end) = Self::end(place, size)
        {
            self.used.set(end);
            return piece;
        }
        if size <= layout.size() {
            return piece;
        }
        // SAFETY: the caller promised that the size with this alignment is one.
        let grown = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if !grown.is_null() {
            // SAFETY: both are of at least this size, and different pieces.
            unsafe { std::ptr::copy_nonoverlapping(piece, grown, layout.size()) };
        }
        grown
    }
}
