//! A gauge that belongs to an object.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::family::{Folding, Kind, Name};
use super::meter::{Meter, tidy};
use super::series::Child;

/// One object's gauge. Its series is there from the first value on and goes with the handle; where there is no room for
/// a series of its own it is a part of the sum of all others, or isn't shown. Where several hold one series it shows
/// their sum, or where that means nothing what was said last.
pub struct Gauge {
    meter: Meter,
    name: Name,
    values: Vec<String>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    place: Option<Place>,
    value: f64,
}

struct Place {
    gauge: prometheus::Gauge,
    is_shared: bool,
}

impl Gauge {
    pub(super) fn new(meter: &Meter, name: Name, values: &[&str]) -> Self {
        Self {
            meter: meter.clone(),
            name,
            values: values
                .iter()
                .map(|value| tidy(value).into_owned())
                .collect(),
            held: Mutex::default(),
        }
    }

    /// Sets it.
    pub fn set(&self, value: f64) {
        self.update(|_| value);
    }

    /// Sets it to the time that it is now, in seconds since the Unix epoch.
    pub fn set_now(&self) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        self.set(since.map_or(0.0, |since| since.as_secs_f64()));
    }

    /// Adds to it, and never below zero.
    pub fn add(&self, amount: f64) {
        self.update(|value| (value + amount).max(0.0));
    }

    /// Its value.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.lock().value
    }

    fn update(&self, change: impl FnOnce(f64) -> f64) {
        let mut held = self.lock();
        let value = change(held.value);
        if held.place.is_none() {
            let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
            let found = self.meter.find(self.name, &values, 1);
            held.place = found.and_then(|found| match found.child {
                Child::Gauge(gauge) => Some(Place {
                    gauge,
                    is_shared: found.is_shared,
                }),
                _ => None,
            });
        }
        if let Some(place) = &held.place {
            if self.has_sum() {
                // Several may hold one series: each adds its own part.
                place.gauge.add(value - held.value);
            } else {
                place.gauge.set(value);
            }
            held.value = value;
        }
    }

    fn has_sum(&self) -> bool {
        self.name.family().kind == Kind::Gauge(Folding::Sum)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        let held = std::mem::take(&mut *self.lock());
        let Some(place) = held.place else { return };
        if self.has_sum() {
            place.gauge.sub(held.value);
        }
        if place.is_shared {
            return;
        }
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        let released = self
            .meter
            .table(self.name)
            .map(|table| table.release(&values));
        if released == Some(true) {
            self.meter.give_back(&self.name.family(), 1);
        }
    }
}
