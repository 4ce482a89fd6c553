//! Numbers as decimal digits with an exponent: nothing goes through a double, so no digit is lost.

use std::fmt;
use std::str::FromStr;

use crate::limits::{EXPONENT, WRITTEN_DIGITS};

/// A finite number of any precision. Equal numbers are equal however they were written: `1.50` is `15e-1`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Number {
    is_negative: bool,
    /// Without zeros at either end; empty for zero.
    digits: String,
    /// What power of ten the last digit counts.
    exponent: i64,
}

/// The text was no number, or one without bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no decimal number")]
pub struct NumberError;

impl Number {
    fn new(is_negative: bool, digits: &str, exponent: i64) -> Result<Self, NumberError> {
        let significant = digits.trim_start_matches('0');
        let trimmed = significant.trim_end_matches('0');
        if trimmed.is_empty() {
            return Ok(Self {
                is_negative: false,
                digits: String::new(),
                exponent: 0,
            });
        }
        let dropped = i64::try_from(significant.len() - trimmed.len()).map_err(|_| NumberError)?;
        let exponent = exponent.checked_add(dropped).ok_or(NumberError)?;
        if exponent.abs() > EXPONENT {
            return Err(NumberError);
        }
        Ok(Self {
            is_negative,
            digits: trimmed.to_owned(),
            exponent,
        })
    }

    /// The exact value of a double; none of infinities and of what is no number.
    #[must_use]
    pub fn from_f64(value: f64) -> Option<Self> {
        // No double has more digits behind the point, and with so many none is rounded.
        let exact = value.is_finite().then(|| format!("{value:.1074}"))?;
        exact.parse().ok()
    }

    /// The number, if it is an integer of this range.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.integer()?.parse().ok()
    }

    /// The number, if it is an integer of this range.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.integer()?.parse().ok()
    }

    /// The double that is exactly this number and also what its shortest digits say: `0.5`, but not what `0.1` is as a
    /// double, whose exact digits are other ones.
    #[must_use]
    pub fn as_plain_f64(&self) -> Option<f64> {
        let nearest: f64 = self.scientific().parse().ok()?;
        let exact = Self::from_f64(nearest)?;
        let shortest: Self = nearest.to_string().parse().ok()?;
        (exact == *self && shortest == *self).then_some(nearest)
    }

    /// Whether it has nothing behind the point.
    #[must_use]
    pub const fn is_integer(&self) -> bool {
        self.exponent >= 0
    }

    fn integer(&self) -> Option<String> {
        // More digits than any machine's integer has.
        (0..20).contains(&self.exponent).then(|| self.to_string())
    }

    fn scientific(&self) -> String {
        let sign = if self.is_negative { "-" } else { "" };
        if self.digits.is_empty() {
            return "0".to_owned();
        }
        format!("{sign}{}e{}", self.digits, self.exponent)
    }
}

/// As JSON writes it: plain digits where these aren't endless, else with an exponent.
impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        // How many digits stand before the point.
        let whole = digits.saturating_add(self.exponent);
        if whole > WRITTEN_DIGITS || self.exponent < -WRITTEN_DIGITS {
            return formatter.write_str(&self.scientific());
        }
        if self.is_negative {
            formatter.write_str("-")?;
        }
        let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
        if self.digits.is_empty() {
            formatter.write_str("0")
        } else if self.exponent >= 0 {
            write!(formatter, "{}{}", self.digits, zeros(self.exponent))
        } else if whole <= 0 {
            write!(formatter, "0.{}{}", zeros(-whole), self.digits)
        } else {
            let point = usize::try_from(whole).unwrap_or_default();
            let (before, after) = self.digits.split_at(point.min(self.digits.len()));
            write!(formatter, "{before}.{after}")
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Number {
    type Err = NumberError;

    /// Reads digits with an optional sign, point and exponent, as Terraform and JSON write them.
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                (mantissa, exponent.parse::<i64>().map_err(|_| NumberError)?)
            }
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NumberError);
        }
        let behind = i64::try_from(fraction.len()).map_err(|_| NumberError)?;
        let exponent = exponent.checked_sub(behind).ok_or(NumberError)?;
        Self::new(is_negative, &digits, exponent)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        let digits = value.unsigned_abs().to_string();
        Self::integral(value < 0, &digits)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::integral(false, &value.to_string())
    }
}

impl Number {
    fn integral(is_negative: bool, digits: &str) -> Self {
        // Twenty digits at most: no exponent of theirs is out of range.
        Self::new(is_negative, digits, 0).unwrap_or(Self {
            is_negative: false,
            digits: String::new(),
            exponent: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    #[test]
    fn equal_numbers_are_equal_however_they_are_written() {
        assert_eq!(number("1.50"), number("15e-1"));
        assert_eq!(number("-0"), number("0.00"));
        assert_eq!(number("100"), number("1E+2"));
        assert_ne!(number("1"), number("-1"));
        assert_ne!(
            number("0.1"),
            Number::from_f64(0.1).unwrap(),
            "a double isn't what it is shown as"
        );
    }

    #[test]
    fn digits_are_written_out_unless_they_are_endless() {
        for (text, written) in [
            ("0", "0"),
            ("-12.5", "-12.5"),
            ("12e3", "12000"),
            ("5e-3", "0.005"),
            ("1e400", "1e400"),
            ("1e-401", "1e-401"),
            (
                "123456789012345678901234567890.5",
                "123456789012345678901234567890.5",
            ),
        ] {
            assert_eq!(number(text).to_string(), written);
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "-",
            ".",
            "e1",
            "1e",
            "1.2.3",
            "0x10",
            "Inf",
            "NaN",
            "1 ",
            "1e9999999999",
            "--1",
            "1e99999999999999999999",
        ] {
            assert!(text.parse::<Number>().is_err(), "{text}");
        }
        assert_eq!(Number::from_f64(f64::INFINITY), None);
        assert_eq!(Number::from_f64(f64::NAN), None);
    }

    #[test]
    fn the_ends_of_the_machines_integers_are_known() {
        assert_eq!(number("-9223372036854775808").as_i64(), Some(i64::MIN));
        assert_eq!(number("9223372036854775808").as_i64(), None);
        assert_eq!(number("18446744073709551615").as_u64(), Some(u64::MAX));
        assert_eq!(number("18446744073709551616").as_u64(), None);
        assert_eq!(number("0.5").as_i64(), None);
        assert_eq!(number("1e30").as_u64(), None);
    }

    proptest! {
        #[test]
        fn a_double_is_exact(value in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO) {
            let exact = Number::from_f64(value).unwrap();
            let nearest: f64 = exact.to_string().parse().unwrap();
            prop_assert_eq!(nearest, value);
            let digits: Number = value.to_string().parse().unwrap();
            prop_assert_eq!(exact.as_plain_f64(), (digits == exact).then_some(value + 0.0));
        }

        #[test]
        fn integers_keep_every_digit(signed: i64, unsigned: u64) {
            prop_assert_eq!(Number::from(signed).as_i64(), Some(signed));
            prop_assert_eq!(Number::from(signed).to_string(), signed.to_string());
            prop_assert_eq!(Number::from(unsigned).as_u64(), Some(unsigned));
        }

        #[test]
        fn what_is_written_is_read_as_the_same(text in "-?[0-9]{1,80}(\\.[0-9]{1,80})?(e-?[0-9]{1,4})?") {
            let read = number(&text);
            prop_assert_eq!(number(&read.to_string()), read);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = text.parse::<Number>();
        }
    }
}
