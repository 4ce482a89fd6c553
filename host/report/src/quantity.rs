//! Numbers, times and nouns as people read them.

/// A number with its thousands set apart.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with its noun, in the plural where that is right.
#[must_use]
pub fn plural(number: usize, noun: &str) -> String {
    let number_text = count(u64::try_from(number).unwrap_or(u64::MAX));
    if number == 1 {
        format!("{number_text} {noun}")
    } else if let Some(stem) = noun.strip_suffix('y') {
        format!("{number_text} {stem}ies")
    } else {
        format!("{number_text} {noun}s")
    }
}

/// A span of time with at most two units.
#[must_use]
pub fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..60 => format!("{seconds}.{} s", milliseconds % 1_000 / 100),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::{count, duration, plural};

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(count).join(" "),
            "0 999 1,000 1,234,567"
        );
    }

    #[test]
    fn nouns_follow_their_number() {
        assert_eq!(plural(1, "migration"), "1 migration");
        assert_eq!(plural(2_000, "migration"), "2,000 migrations");
        assert_eq!(plural(0, "query"), "0 queries");
    }

    #[test]
    fn times_have_two_units() {
        let texts = [7, 1_250, 61_000, 7_260_000].map(duration);
        assert_eq!(texts.join(", "), "7 ms, 1.2 s, 1 min 1 s, 2 h 1 min");
    }
}
