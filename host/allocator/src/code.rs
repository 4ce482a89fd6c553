//! The program's own pages: of what its start alone needed, a service at rest needs nothing.
//!
//! They are pages of a file, which the kernel has anyway, and maps again when such code is run. What isn't the file's any more
//! (addresses that the dynamic linker wrote, a debugger's breakpoints) is left where it is.

use std::ops::Range;

/// Lets go of the pages of the program's file that nobody has written to. What the system refuses is left as it is.
pub fn let_go() {
    let Ok(map) = std::fs::read_to_string("/proc/self/smaps") else {
        return;
    };
    for range in unwritten(&map, let_go as fn() as usize) {
        forget(&range);
    }
}

#[allow(unsafe_code)]
fn forget(range: &Range<usize>) {
    let start = std::ptr::with_exposed_provenance_mut(range.start);
    // SAFETY: a private mapping of a file that may only be read or run, in which no page differs from the file: what is read there
    // next is the same as before.
    let _ = unsafe { libc::madvise(start, range.len(), libc::MADV_DONTNEED) };
}

/// A mapping as `/proc/PID/smaps` tells of it.
struct Mapping<'m> {
    range: Range<usize>,
    is_private: bool,
    is_writable: bool,
    file: &'m str,
    has_own_pages: bool,
}

/// Where the file that holds an address is mapped as it is.
fn unwritten(map: &str, address: usize) -> Vec<Range<usize>> {
    let mappings = mappings(map);
    let program = mappings
        .iter()
        .find(|mapping| mapping.range.contains(&address))
        .map(|mapping| mapping.file)
        .filter(|file| file.starts_with('/'));
    let is_it = |mapping: &Mapping<'_>| {
        Some(mapping.file) == program
            && mapping.is_private
            && !mapping.is_writable
            && !mapping.has_own_pages
    };
    let fitting = mappings.into_iter().filter(is_it);
    fitting.map(|mapping| mapping.range).collect()
}

fn mappings(map: &str) -> Vec<Mapping<'_>> {
    let mut all: Vec<Mapping<'_>> = Vec::new();
    for line in map.lines() {
        if let Some(mapping) = head(line) {
            all.push(mapping);
        } else if let (Some(size), Some(last)) = (line.strip_prefix("Anonymous:"), all.last_mut()) {
            last.has_own_pages = size.trim() != "0 kB";
        }
    }
    all
}

/// `55d0…-55d1… r-xp 00001000 fe:00 1234   /usr/bin/whimbrel`. Whoever isn't told how many pages are its own keeps them.
fn head(line: &str) -> Option<Mapping<'_>> {
    let (addresses, rest) = line.split_once(' ')?;
    let (start, end) = addresses.split_once('-')?;
    let address = |text: &str| usize::from_str_radix(text, 16).ok();
    let (rights, rest) = rest.split_once(' ')?;
    // The offset, the device and the file's number.
    let mut file = rest;
    for _ in 0..3 {
        file = file
            .trim_start()
            .split_once(' ')
            .map_or("", |(_, file)| file);
    }
    Some(Mapping {
        range: address(start)?..address(end)?,
        is_private: rights.ends_with('p'),
        is_writable: rights.contains('w'),
        file: file.trim_start(),
        has_own_pages: true,
    })
}

#[cfg(test)]
mod tests {
    use super::unwritten;

    fn mapping(range: &str, rights: &str, file: &str, own: u32) -> String {
        format!(
            "{range} {rights} 00000000 fe:00 77   {file}\nSize: 4 kB\nAnonymous:      {own} kB\nVmFlags: rd\n"
        )
    }

    #[test]
    fn what_is_the_file_s_is_let_go_of_and_nothing_else() {
        let program = "/a folder/whimbrel (deleted)";
        let map = [
            mapping("1000-2000", "r--p", program, 0),
            mapping("2000-4000", "r-xp", program, 0),
            mapping("4000-5000", "r--p", program, 8),
            mapping("5000-6000", "rw-p", program, 0),
            mapping("6000-7000", "r--s", program, 0),
            mapping("7000-8000", "r-xp", "/lib/libc.so.6", 0),
            "8000-9000 r--p 00000000 00:00 0\nAnonymous: 0 kB\n".to_owned(),
            "a000-b000 r-xp 00000000 00:00 0   [vdso]\nAnonymous: 0 kB\n".to_owned(),
        ];
        let map = map.concat();
        assert_eq!(unwritten(&map, 0x2fff), [0x1000..0x2000, 0x2000..0x4000]);
        // A breakpoint, and a kernel that doesn't tell.
        let text = mapping("2000-4000", "r-xp", program, 0);
        let written = map.replace(&text, &mapping("2000-4000", "r-xp", program, 4));
        let rest = 0x1000..0x2000;
        assert_eq!(unwritten(&written, 0x2fff), std::slice::from_ref(&rest));
        assert_eq!(unwritten(&map.replace("Anonymous", "Anon"), 0x2fff), []);
        // Nobody's file.
        assert_eq!(unwritten(&map, 0x8000), []);
        assert_eq!(unwritten(&map, 0xa000), []);
        assert_eq!(unwritten("", 0x2fff), []);
    }

    #[test]
    fn who_has_let_go_goes_on() {
        let map = || std::fs::read_to_string("/proc/self/smaps").unwrap();
        let here = who_has_let_go_goes_on as fn() as usize;
        let resident = || -> u64 {
            let map = map();
            let ranges = unwritten(&map, here);
            assert!(!ranges.is_empty());
            let mut is_it = false;
            let mut sum = 0;
            for line in map.lines() {
                if let Some(mapping) = super::head(line) {
                    is_it = ranges.contains(&mapping.range);
                } else if let Some(size) = line.strip_prefix("Rss:").filter(|_| is_it) {
                    let size = size.trim().trim_end_matches(" kB");
                    sum += size.parse::<u64>().unwrap();
                }
            }
            sum
        };
        // All of it is used once.
        for range in unwritten(&map(), here) {
            for address in range.step_by(4_096) {
                let page = std::ptr::with_exposed_provenance::<u8>(address);
                #[allow(unsafe_code)]
                // SAFETY: a mapping of this process that may be read.
                let _ = unsafe { page.read_volatile() };
            }
        }
        let before = resident();
        super::let_go();
        let after = resident();
        assert!(after < before, "{after} of {before} kB");
    }
}
