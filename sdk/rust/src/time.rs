//! Points in time as other systems write them, in milliseconds since the Unix epoch (UTC) and back.
//!
//! The calendar arithmetic is the usual one of the proleptic Gregorian calendar, in eras of 400 years from 1 March.

const DAY: u64 = 86_400_000;

/// A moment's parts in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// The year, from 1970.
    pub year: u64,
    /// From 1 to 12.
    pub month: u64,
    /// From 1 to 31.
    pub day: u64,
    /// From 0 to 23.
    pub hour: u64,
    /// From 0 to 59.
    pub minute: u64,
    /// From 0 to 59.
    pub second: u64,
}

impl Civil {
    /// The parts of a moment given in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(milliseconds: u64) -> Self {
        let days = milliseconds / DAY + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let seconds = milliseconds % DAY / 1_000;
        Self {
            year: year_of_era + era * 400 + (month <= 2) as u64,
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            hour: seconds / 3_600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }

    /// Milliseconds since the Unix epoch; none before it or when a part is out of its range.
    #[must_use]
    pub const fn to_millis(self) -> Option<u64> {
        let is_valid = self.year >= 1970
            && self.year < 10_000
            && self.month >= 1
            && self.month <= 12
            && self.day >= 1
            && self.day <= 31
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60;
        if !is_valid {
            return None;
        }
        let year = self.year - (self.month <= 2) as u64;
        let (era, year_of_era) = (year / 400, year % 400);
        let month_from_march = (self.month + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        Some(days * DAY + (self.hour * 3_600 + self.minute * 60 + self.second) * 1_000)
    }
}

/// Reads RFC 3339, such as `2026-07-01T09:30:00.25Z` or with an offset such as `+02:00`.
#[must_use]
pub fn from_rfc3339(text: &str) -> Option<u64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let clock_ends = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at_checked(clock_ends)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let civil = Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    };
    let mut milliseconds = 0;
    for index in 0..3 {
        let digit = fraction.as_bytes().get(index).copied().unwrap_or(b'0');
        milliseconds = milliseconds * 10 + u64::from(digit.checked_sub(b'0').filter(|d| *d < 10)?);
    }
    let moment = civil.to_millis()? + milliseconds;
    if zone.eq_ignore_ascii_case("Z") {
        return Some(moment);
    }
    let (sign, offset) = zone.split_at_checked(1)?;
    let [hours, minutes] = numbers(offset, ':')?;
    let offset = (hours * 60 + minutes) * 60_000;
    if sign == "+" {
        moment.checked_sub(offset)
    } else {
        moment.checked_add(offset)
    }
}

/// Writes RFC 3339 in whole seconds.
#[must_use]
pub fn to_rfc3339(milliseconds: u64) -> String {
    let at = Civil::from_millis(milliseconds);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        at.year, at.month, at.day, at.hour, at.minute, at.second
    )
}

/// Reads the date of an HTTP header, such as `Sun, 06 Nov 1994 08:49:37 GMT` (the one form that may still be sent).
#[must_use]
pub fn from_http_date(text: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, rest) = text.split_once(", ")?;
    let parts: Vec<&str> = rest.split(' ').collect();
    let &[day, month, year, clock, "GMT"] = parts.as_slice() else {
        return None;
    };
    let at = MONTHS.find(month).filter(|_| month.len() == 3)?;
    let [hour, minute, second] = numbers(clock, ':')?;
    Civil {
        year: year.parse().ok()?,
        month: u64::try_from(at / 3 + 1).ok()?,
        day: day.parse().ok()?,
        hour,
        minute,
        second,
    }
    .to_millis()
}

fn numbers<const N: usize>(text: &str, separator: char) -> Option<[u64; N]> {
    let numbers: Option<Vec<u64>> = text
        .split(separator)
        .map(|part| part.parse().ok())
        .collect();
    numbers?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::{Civil, from_http_date, from_rfc3339, to_rfc3339};

    #[test]
    fn goes_there_and_back() {
        for day in (0..200 * 366).map(|day| day * super::DAY + 45_296_000) {
            assert_eq!(Civil::from_millis(day).to_millis(), Some(day));
        }
        assert_eq!(to_rfc3339(1_440_938_160_000), "2015-08-30T12:36:00Z");
        assert_eq!(to_rfc3339(951_782_400_000), "2000-02-29T00:00:00Z");
    }

    #[test]
    fn reads_what_others_write() {
        for (text, milliseconds) in [
            ("2015-08-30T12:36:00Z", 1_440_938_160_000),
            ("2015-08-30T12:36:00.123456789Z", 1_440_938_160_123),
            ("2015-08-30T14:36:00.5+02:00", 1_440_938_160_500),
            ("2015-08-30T06:06:00-06:30", 1_440_938_160_000),
        ] {
            assert_eq!(from_rfc3339(text), Some(milliseconds), "{text}");
        }
        for text in [
            "",
            "2015-08-30",
            "2015-13-30T12:36:00Z",
            "2015-08-30T12:36Z",
            "2015-08-30T12:36:00",
        ] {
            assert_eq!(from_rfc3339(text), None, "{text}");
        }
        assert_eq!(
            from_http_date("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(784_111_777_000)
        );
        assert_eq!(from_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), None);
    }
}
