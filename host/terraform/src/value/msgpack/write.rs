//! The items that msgpack is made of, written in the shortest form of each.

use super::super::Number;

/// Writes items.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
}

/// The first byte of one kind of item for each size that its length may have.
struct Heads {
    /// The short form, and how long its items may be.
    short: Option<(u8, usize)>,
    one: Option<u8>,
    two: u8,
    four: u8,
}

const STRING: Heads = Heads {
    short: Some((0xa0, 31)),
    one: Some(0xd9),
    two: 0xda,
    four: 0xdb,
};
const BINARY: Heads = Heads {
    short: None,
    one: Some(0xc4),
    two: 0xc5,
    four: 0xc6,
};
const ARRAY: Heads = Heads {
    short: Some((0x90, 15)),
    one: None,
    two: 0xdc,
    four: 0xdd,
};
const MAP: Heads = Heads {
    short: Some((0x80, 15)),
    one: None,
    two: 0xde,
    four: 0xdf,
};

impl Writer {
    pub(super) fn nil(&mut self) {
        self.bytes.push(0xc0);
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.bytes.push(if value { 0xc3 } else { 0xc2 });
    }

    /// The form without refinements, which every Terraform reads.
    pub(super) fn unknown(&mut self) {
        self.bytes.extend([0xd4, 0, 0]);
    }

    pub(super) fn string(&mut self, text: &str) {
        self.head(&STRING, text.len());
        self.bytes.extend(text.as_bytes());
    }

    pub(super) fn binary(&mut self, bytes: &[u8]) {
        self.head(&BINARY, bytes.len());
        self.bytes.extend(bytes);
    }

    pub(super) fn array(&mut self, length: usize) {
        self.head(&ARRAY, length);
    }

    pub(super) fn map(&mut self, length: usize) {
        self.head(&MAP, length);
    }

    /// An integer or a double if Terraform then has exactly the number, else its digits. What it reads from a double has no
    /// more precision than that, and is written by it in the shortest digits that tell doubles apart: a large integer would
    /// become another one.
    pub(super) fn number(&mut self, number: &Number) {
        if let Some(value) = number.as_i64() {
            match u64::try_from(value) {
                Ok(value) => self.unsigned(value),
                Err(_) => self.signed(value),
            }
            return;
        }
        match number.as_plain_f64() {
            Some(value) if !number.is_integer() => {
                self.bytes.push(0xcb);
                self.bytes.extend(value.to_be_bytes());
            }
            _ => self.string(&number.to_string()),
        }
    }

    fn unsigned(&mut self, value: u64) {
        if let Ok(value) = u8::try_from(value) {
            if value > 0x7f {
                self.bytes.push(0xcc);
            }
            self.bytes.push(value);
        } else if let Ok(value) = u16::try_from(value) {
            self.bytes.push(0xcd);
            self.bytes.extend(value.to_be_bytes());
        } else if let Ok(value) = u32::try_from(value) {
            self.bytes.push(0xce);
            self.bytes.extend(value.to_be_bytes());
        } else {
            self.bytes.push(0xcf);
            self.bytes.extend(value.to_be_bytes());
        }
    }

    /// Of a negative number.
    fn signed(&mut self, value: i64) {
        if let Ok(value) = i8::try_from(value) {
            if value < -32 {
                self.bytes.push(0xd0);
            }
            self.bytes.extend(value.to_be_bytes());
        } else if let Ok(value) = i16::try_from(value) {
            self.bytes.push(0xd1);
            self.bytes.extend(value.to_be_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.bytes.push(0xd2);
            self.bytes.extend(value.to_be_bytes());
        } else {
            self.bytes.push(0xd3);
            self.bytes.extend(value.to_be_bytes());
        }
    }

    fn head(&mut self, heads: &Heads, length: usize) {
        let byte = u8::try_from(length).ok();
        match (heads.short, heads.one, byte) {
            (Some((head, most)), _, Some(length)) if usize::from(length) <= most => {
                self.bytes.push(head | length);
            }
            (_, Some(head), Some(length)) => self.bytes.extend([head, length]),
            _ => {
                if let Ok(length) = u16::try_from(length) {
                    self.bytes.push(heads.two);
                    self.bytes.extend(length.to_be_bytes());
                } else {
                    // Longer than any message may be: the encoding of the message refuses it.
                    let length = u32::try_from(length).unwrap_or(u32::MAX);
                    self.bytes.push(heads.four);
                    self.bytes.extend(length.to_be_bytes());
                }
            }
        }
    }
}
