//! Lines of Git's protocol: four hexadecimal digits of length, then so many bytes. Source: gitprotocol-common(5).

use std::io::{ErrorKind, Read};

use super::RemoteError;
use super::limits::LINE;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Bytes.
    Data(Vec<u8>),
    /// The end of a section.
    Flush,
}

/// Reads a line; none at the end of the stream.
pub(super) fn read(from: &mut dyn Read) -> Result<Option<Line>, RemoteError> {
    let mut length = [0; 4];
    let mut filled = 0;
    while let Some(rest) = length.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(RemoteError::protocol("the answer ends within a line")),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let length = std::str::from_utf8(&length)
        .ok()
        .and_then(|digits| usize::from_str_radix(digits, 16).ok())
        .ok_or_else(|| RemoteError::protocol("what answers is no Git server"))?;
    match length {
        0 => Ok(Some(Line::Flush)),
        4..=LINE => {
            let mut data = vec![0; length - 4];
            from.read_exact(&mut data)?;
            Ok(Some(Line::Data(data)))
        }
        _ => Err(RemoteError::protocol("a line has an impossible length")),
    }
}

/// Appends a line.
pub(super) fn write(to: &mut Vec<u8>, data: &str) {
    to.extend_from_slice(format!("{:04x}", data.len() + 4).as_bytes());
    to.extend_from_slice(data.as_bytes());
}

/// Appends the end of a section.
pub(super) fn flush(to: &mut Vec<u8>) {
    to.extend_from_slice(b"0000");
}

#[cfg(test)]
mod tests {
    use super::{Line, flush, read, write};

    #[test]
    fn reads_what_it_writes() {
        let mut bytes = Vec::new();
        write(&mut bytes, "want 1\n");
        flush(&mut bytes);
        let mut from = bytes.as_slice();
        assert_eq!(
            read(&mut from).unwrap(),
            Some(Line::Data(b"want 1\n".to_vec()))
        );
        assert_eq!(read(&mut from).unwrap(), Some(Line::Flush));
        assert_eq!(read(&mut from).unwrap(), None);
    }

    #[test]
    fn says_what_is_no_line() {
        for bad in ["00", "zzzz", "0001", "fff5", "0009ab", "<htm"] {
            assert!(read(&mut bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
