//! PostgreSQL's `numeric` as decimal text, so that no digit is lost.

use std::error::Error;

type Failure = Box<dyn Error + Sync + Send>;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const MINUS_INFINITY: u16 = 0xF000;

/// Digits come in groups of four; `weight` is the power of 10,000 of the first one.
pub(super) fn text(raw: &[u8]) -> Result<String, Failure> {
    let words: Vec<u16> = raw
        .chunks_exact(2)
        .map(|pair| {
            pair.iter()
                .fold(0, |word, byte| word << 8 | u16::from(*byte))
        })
        .collect();
    let [count, weight, sign, scale, groups @ ..] = words.as_slice() else {
        return Err("a numeric is too short".into());
    };
    match *sign {
        NAN => return Ok("NaN".to_owned()),
        INFINITY => return Ok("Infinity".to_owned()),
        MINUS_INFINITY => return Ok("-Infinity".to_owned()),
        _ => {}
    }
    let groups = groups
        .get(..usize::from(*count))
        .ok_or("a numeric is too short")?;
    let weight = i32::from(weight.cast_signed());
    let group = |power: i32| {
        let index = usize::try_from(weight - power).ok();
        index
            .and_then(|index| groups.get(index))
            .copied()
            .unwrap_or(0)
    };
    let mut text = String::new();
    if *sign == NEGATIVE {
        text.push('-');
    }
    let whole: String = (0..=weight.max(0))
        .rev()
        .map(|power| format!("{:04}", group(power)))
        .collect();
    let whole = whole.trim_start_matches('0');
    text.push_str(if whole.is_empty() { "0" } else { whole });
    let scale = usize::from(*scale);
    if scale > 0 {
        let groups = i32::try_from(scale.div_ceil(4))?;
        let fraction: String = (1..=groups)
            .map(|power| format!("{:04}", group(-power)))
            .collect();
        text.push('.');
        text.push_str(fraction.get(..scale).unwrap_or(&fraction));
    }
    Ok(text)
}
