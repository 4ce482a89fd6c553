//! Weekly windows in which changes may be made, such as `Mon-Thu 08:00-16:00 Europe/Berlin`.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::civil::{Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A weekly window in local time of one place.
///
/// The end is exclusive. A window whose end isn't after its start goes on into the next day, so `Fri 22:00-04:00`
/// ends on Saturday morning. The time zones are those that the program carries, so that the answer doesn't depend on
/// the machine.
#[derive(Clone)]
pub struct Window {
    text: String,
    days: [bool; 7],
    start: Time,
    end: Time,
    zone: TimeZone,
}

/// The text was no window.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum WindowError {
    /// Not three words.
    #[error("expected days, hours and a time zone, such as `Mon-Thu 08:00-16:00 Europe/Berlin`")]
    Shape,
    /// An unknown day.
    #[error(
        "`{0}` is no day; expected `Mon`, `Tue`, `Wed`, `Thu`, `Fri`, `Sat`, `Sun`, a range such as `Mon-Thu`, a list such as `Mon,Wed`, or `Daily`"
    )]
    Day(String),
    /// Hours of another form.
    #[error("`{0}` is no span of hours; expected one such as `08:00-16:00`")]
    Hours(String),
    /// An unknown time zone.
    #[error("`{0}` is no time zone; expected one such as `Europe/Berlin` or `UTC`")]
    Zone(String),
}

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl Window {
    /// Whether a moment lies in the window.
    #[must_use]
    pub fn contains(&self, moment: Timestamp) -> bool {
        let local = moment.to_zoned(self.zone.clone());
        let (time, today) = (local.time(), local.weekday());
        if self.start < self.end {
            return self.opens_on(today) && time >= self.start && time < self.end;
        }
        (self.opens_on(today) && time >= self.start)
            || (self.opens_on(today.previous()) && time < self.end)
    }

    /// When it opens next: the moment itself if the window is open then. None only at the end of the calendar.
    #[must_use]
    pub fn next_opening(&self, moment: Timestamp) -> Option<Timestamp> {
        if self.contains(moment) {
            return Some(moment);
        }
        let today = moment.to_zoned(self.zone.clone()).date();
        (0..=7_i64).find_map(|ahead| {
            let date = today.checked_add(Span::new().days(ahead)).ok()?;
            if !self.opens_on(date.weekday()) {
                return None;
            }
            let opening = date.to_datetime(self.start).to_zoned(self.zone.clone());
            let opening = opening.ok()?.timestamp();
            (opening >= moment).then_some(opening)
        })
    }

    fn opens_on(&self, day: Weekday) -> bool {
        self.days
            .get(usize::from(day.to_monday_zero_offset().unsigned_abs()))
            .copied()
            .unwrap_or_default()
    }
}

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let words: Vec<_> = text.split_whitespace().collect();
        let [days, hours, zone] = words.as_slice() else {
            return Err(WindowError::Shape);
        };
        let (start, end) = read_hours(hours)?;
        Ok(Self {
            days: read_days(days)?,
            start,
            end,
            zone: ZONES
                .get(zone)
                .map_err(|_| WindowError::Zone((*zone).to_owned()))?,
            text: words.join(" "),
        })
    }
}

fn read_days(text: &str) -> Result<[bool; 7], WindowError> {
    let mut days = [false; 7];
    if text.eq_ignore_ascii_case("daily") {
        return Ok([true; 7]);
    }
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (read_day(first)?, read_day(last)?);
        loop {
            if let Some(slot) = days.get_mut(day) {
                *slot = true;
            }
            if day == last {
                break;
            }
            day = (day + 1) % 7;
        }
    }
    Ok(days)
}

fn read_day(text: &str) -> Result<usize, WindowError> {
    DAYS.iter()
        .position(|(name, _)| name.eq_ignore_ascii_case(text))
        .ok_or_else(|| WindowError::Day(text.to_owned()))
}

fn read_hours(text: &str) -> Result<(Time, Time), WindowError> {
    let refused = || WindowError::Hours(text.to_owned());
    let (start, end) = text.split_once('-').ok_or_else(refused)?;
    let read = |part: &str| {
        // `24:00` is how people write the end of a day.
        if part == "24:00" {
            return Some(Time::midnight());
        }
        let (hours, minutes) = part.split_once(':')?;
        let two = |digits: &str| {
            (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| digits.parse::<i8>().ok())
                .flatten()
        };
        Time::new(two(hours)?, two(minutes)?, 0, 0).ok()
    };
    Ok((
        read(start).ok_or_else(refused)?,
        read(end).ok_or_else(refused)?,
    ))
}

impl fmt::Display for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, formatter)
    }
}

impl PartialEq for Window {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Window {}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Window, WindowError};
    use jiff::Timestamp;

    fn window(text: &str) -> Window {
        text.parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn holds_local_hours_in_summer_and_winter() {
        let window = window("Mon-Thu 08:00-16:00 Europe/Berlin");
        assert!(window.contains(at("2026-07-06T06:00:00Z")));
        assert!(!window.contains(at("2026-01-05T06:00:00Z")));
        assert!(window.contains(at("2026-01-05T07:00:00Z")));
        assert!(!window.contains(at("2026-01-05T15:00:00Z")));
        assert!(!window.contains(at("2026-01-09T10:00:00Z")), "a Friday");
    }

    #[test]
    fn goes_on_after_midnight() {
        let window = window("Fri,Sun 22:00-04:00 UTC");
        assert!(window.contains(at("2026-01-09T23:00:00Z")));
        assert!(window.contains(at("2026-01-10T03:59:59Z")));
        assert!(!window.contains(at("2026-01-10T04:00:00Z")));
        assert!(!window.contains(at("2026-01-10T23:00:00Z")));
        assert!(window.contains(at("2026-01-12T01:00:00Z")), "since Sunday");
    }

    #[test]
    fn a_whole_day_and_a_range_over_the_weekend() {
        let all = window("daily 00:00-24:00 UTC");
        assert!(all.contains(at("2026-01-10T23:59:59Z")));
        let weekend = window("Sat-Mon 09:00-10:00 UTC");
        assert!(weekend.contains(at("2026-01-11T09:30:00Z")));
        assert!(weekend.contains(at("2026-01-12T09:30:00Z")));
        assert!(!weekend.contains(at("2026-01-13T09:30:00Z")));
    }

    #[test]
    fn says_when_it_opens_next() {
        let window = window("Mon-Thu 08:00-16:00 Europe/Berlin");
        let open = at("2026-01-05T08:00:00Z");
        assert_eq!(window.next_opening(open), Some(open));
        let friday = at("2026-01-09T10:00:00Z");
        assert_eq!(
            window.next_opening(friday),
            Some(at("2026-01-12T07:00:00Z"))
        );
        let weekly = "Mon 08:00-09:00 UTC".parse::<Window>().unwrap();
        let after = at("2026-01-05T09:00:00Z");
        assert_eq!(weekly.next_opening(after), Some(at("2026-01-12T08:00:00Z")));
    }

    #[test]
    fn refuses_what_is_none() {
        let error = |text: &str| text.parse::<Window>().unwrap_err();
        assert_eq!(error("Mon 08:00-16:00"), WindowError::Shape);
        assert_eq!(
            error("Moonday 08:00-16:00 UTC"),
            WindowError::Day("Moonday".into())
        );
        for hours in ["8-16", "08:00", "25:00-26:00", "08:00-16:60", "+8:00-16:00"] {
            let text = format!("Mon {hours} UTC");
            assert_eq!(error(&text), WindowError::Hours(hours.to_owned()));
        }
        assert_eq!(
            error("Mon 08:00-16:00 Berlin"),
            WindowError::Zone("Berlin".into())
        );
    }

    #[test]
    fn keeps_its_text() {
        let window = window("Mon-Thu  08:00-16:00 UTC");
        let json = serde_json::to_string(&window).unwrap();
        assert_eq!(json, "\"Mon-Thu 08:00-16:00 UTC\"");
        assert_eq!(serde_json::from_str::<Window>(&json).unwrap(), window);
        assert_eq!(format!("{window:?}"), json);
        assert!(serde_json::from_str::<Window>("\"x\"").is_err());
    }
}
