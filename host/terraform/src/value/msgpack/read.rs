//! The items that msgpack is made of, read from bytes without trusting any length in them.

use super::super::{Place, ValueError};

/// One item: a whole value, or how many follow that belong to it.
pub(super) enum Item<'a> {
    Nil,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    String(&'a str),
    Bytes(&'a [u8]),
    Array(usize),
    Map(usize),
    Extension,
}

impl Item<'_> {
    /// For messages.
    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::Nil => "null",
            Self::Bool(_) => "a boolean",
            Self::Signed(_) | Self::Unsigned(_) | Self::Float(_) => "a number",
            Self::String(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::Array(_) => "a list",
            Self::Map(_) => "an object",
            Self::Extension => "an unknown value",
        }
    }
}

/// Reads items.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn item(&mut self, place: &Place) -> Result<Item<'a>, ValueError> {
        let [head] = self.fixed(place)?;
        Ok(match head {
            0x00..=0x7f => Item::Unsigned(u64::from(head)),
            0x80..=0x8f => Item::Map(usize::from(head & 0x0f)),
            0x90..=0x9f => Item::Array(usize::from(head & 0x0f)),
            0xa0..=0xbf => self.string(usize::from(head & 0x1f), place)?,
            0xc0 => Item::Nil,
            0xc1 => return Err(place.wrong("it is no msgpack")),
            0xc2 => Item::Bool(false),
            0xc3 => Item::Bool(true),
            0xc4..=0xc6 => {
                let length = self.length(head - 0xc4, place)?;
                Item::Bytes(self.take(length, place)?)
            }
            0xc7..=0xc9 => {
                let length = self.length(head - 0xc7, place)?;
                self.extension(length, place)?
            }
            0xca => Item::Float(f64::from(f32::from_be_bytes(self.fixed(place)?))),
            0xcb => Item::Float(f64::from_be_bytes(self.fixed(place)?)),
            0xcc => Item::Unsigned(u64::from(u8::from_be_bytes(self.fixed(place)?))),
            0xcd => Item::Unsigned(u64::from(u16::from_be_bytes(self.fixed(place)?))),
            0xce => Item::Unsigned(u64::from(u32::from_be_bytes(self.fixed(place)?))),
            0xcf => Item::Unsigned(u64::from_be_bytes(self.fixed(place)?)),
            0xd0 => Item::Signed(i64::from(i8::from_be_bytes(self.fixed(place)?))),
            0xd1 => Item::Signed(i64::from(i16::from_be_bytes(self.fixed(place)?))),
            0xd2 => Item::Signed(i64::from(i32::from_be_bytes(self.fixed(place)?))),
            0xd3 => Item::Signed(i64::from_be_bytes(self.fixed(place)?)),
            0xd4..=0xd8 => self.extension(1 << (head - 0xd4), place)?,
            0xd9..=0xdb => {
                let length = self.length(head - 0xd9, place)?;
                self.string(length, place)?
            }
            0xdc | 0xdd => Item::Array(self.length(head - 0xdc + 1, place)?),
            0xde | 0xdf => Item::Map(self.length(head - 0xde + 1, place)?),
            0xe0..=0xff => Item::Signed(i64::from(i8::from_be_bytes([head]))),
        })
    }

    fn string(&mut self, length: usize, place: &Place) -> Result<Item<'a>, ValueError> {
        let bytes = self.take(length, place)?;
        let text = std::str::from_utf8(bytes).map_err(|_| place.wrong("the text isn't UTF-8"))?;
        Ok(Item::String(text))
    }

    fn extension(&mut self, length: usize, place: &Place) -> Result<Item<'a>, ValueError> {
        let [_kind] = self.fixed(place)?;
        self.take(length, place)?;
        Ok(Item::Extension)
    }

    /// A length of one, two or four bytes.
    fn length(&mut self, size: u8, place: &Place) -> Result<usize, ValueError> {
        Ok(match size {
            0 => usize::from(u8::from_be_bytes(self.fixed(place)?)),
            1 => usize::from(u16::from_be_bytes(self.fixed(place)?)),
            _ => usize::try_from(u32::from_be_bytes(self.fixed(place)?)).unwrap_or(usize::MAX),
        })
    }

    fn fixed<const N: usize>(&mut self, place: &Place) -> Result<[u8; N], ValueError> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else {
            return Err(place.wrong("the value is cut off"));
        };
        self.rest = rest;
        Ok(*bytes)
    }

    fn take(&mut self, length: usize, place: &Place) -> Result<&'a [u8], ValueError> {
        let Some((bytes, rest)) = self.rest.split_at_checked(length) else {
            return Err(place.wrong("the value is cut off"));
        };
        self.rest = rest;
        Ok(bytes)
    }
}
