//! `whimbrel:observe/log`: always there, in every call.

use wasmtime::Result;

use crate::bindings::imports::whimbrel::observe::log;
use crate::hush::BEYOND;
use crate::instance::State;

impl log::Host for State {
    fn write(
        &mut self,
        level: log::Level,
        mut message: String,
        mut fields: Vec<(String, String)>,
    ) -> Result<()> {
        cut_line(&mut message, &mut fields, self.limits.log_bytes + BEYOND);
        self.say(level.into(), message, fields);
        Ok(())
    }
}

/// Cuts a line with its fields off at a number of bytes.
pub fn cut_line(message: &mut String, fields: &mut Vec<(String, String)>, limit: usize) {
    let mut left = limit - cut(message, limit);
    fields.retain_mut(|(name, value)| {
        left -= cut(name, left);
        left -= cut(value, left);
        left > 0
    });
}

/// Cuts a text off at a number of bytes, between characters, and gives the bytes that are left of it.
fn cut(text: &mut String, limit: usize) -> usize {
    if text.len() > limit {
        let end = (0..=limit)
            .rev()
            .find(|index| text.is_char_boundary(*index))
            .unwrap_or(0);
        text.truncate(end);
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn cuts_between_characters() {
        let mut text = "aéb".to_owned();
        assert_eq!(cut(&mut text, 9), 4);
        assert_eq!(cut(&mut text, 2), 1);
        assert_eq!(text, "a");
    }
}
