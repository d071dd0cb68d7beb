//! Time zones: from the legacy wall clock to instants and back, by the IANA database that is built into the program.
//!
//! Rules are those of Postgres. A wall-clock time that a zone's clock skipped (spring) is moved forward by the skipped
//! hour; one that it showed twice (autumn) is the second of the two. Both come to the same: of the offsets before and
//! after the change, the smaller one holds.

mod windows;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use etl_schemas::diagnostic::did_you_mean;
use etl_schemas::ticks::{PER_SECOND, Ticks};
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A zone's offsets over all years 0001 to 9999, as two sorted tables.
#[derive(Debug, PartialEq, Eq)]
pub struct Zone {
    name: String,
    /// `(instant, offset in ticks)`: from this instant on, the offset holds. The first entry begins before all time.
    changes: Changes,
    /// The same by wall clock: from `instant + offset` on. Never falls, because no zone's changes are so near.
    walls: Changes,
}

/// Offsets by the time from which they hold. A zone has thousands until the year 9999, and every event asks.
#[derive(Debug, PartialEq, Eq)]
struct Changes {
    /// Time and offset; the first entry begins before all time.
    entries: Vec<(i64, i64)>,
    /// For each period the place of the entry that holds at its beginning. A period has few changes.
    places: Vec<u16>,
}

/// A period is 2^46 ticks, eighty days.
const PERIOD_BITS: u32 = 46;

impl Changes {
    fn new(entries: Vec<(i64, i64)>) -> Changes {
        let period = |period: i64| Ticks::MIN.0 + (period << PERIOD_BITS);
        let periods = ((Ticks::MAX.0 - Ticks::MIN.0) >> PERIOD_BITS) + 1;
        let mut place = 0;
        let at_beginning = |number: i64| {
            while entries.get(place + 1).is_some_and(|(from, _)| *from <= period(number)) {
                place += 1;
            }
            // Two changes a year until the year 9999 are 20,000; more than 16 bits number no zone has.
            place.min(usize::from(u16::MAX)) as u16
        };
        let places = (0..periods).map(at_beginning).collect();
        Changes { entries, places }
    }

    /// Place of the last entry that begins at or before `at`.
    #[inline]
    fn place(&self, at: i64) -> usize {
        let period = (at.saturating_sub(Ticks::MIN.0) >> PERIOD_BITS).max(0) as usize;
        let mut place = if at < Ticks::MIN.0 { 0 } else { usize::from(self.places[period.min(self.places.len() - 1)]) };
        while let Some((from, _)) = self.entries.get(place + 1)
            && *from <= at
        {
            place += 1;
        }
        place
    }

    #[inline]
    fn offset(&self, at: i64) -> i64 {
        self.entries[self.place(at)].1
    }
}

/// Those that were asked for, by their IANA names.
static ZONES: Mutex<BTreeMap<String, Arc<Zone>>> = Mutex::new(BTreeMap::new());

fn database() -> &'static TimeZoneDatabase {
    static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
    DATABASE.get_or_init(TimeZoneDatabase::bundled)
}

impl Zone {
    /// By its IANA name (`Europe/Stockholm`) or Windows name (`W. Europe Standard Time`), without regard to case. The
    /// error is a sentence that says what would be right.
    pub fn named(name: &str) -> Result<Arc<Zone>, String> {
        let iana = windows::iana_name(name).unwrap_or(name);
        let Ok(time_zone) = database().get(iana) else {
            let known: Vec<String> = database().available().map(|known| known.to_string()).collect();
            let near = etl_schemas::diagnostic::nearest(name, known.iter().map(String::as_str));
            return Err(match near {
                Some(near) => did_you_mean(name, [near]),
                None => "write an IANA name like 'Europe/Stockholm' or a Windows name like \
                         'W. Europe Standard Time'"
                    .to_string(),
            });
        };
        let name = time_zone.iana_name().unwrap_or(iana).to_string();
        // Every mapping names its zone, and a zone's offsets until the year 9999 are many.
        let mut zones = ZONES.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(zones.entry(name).or_insert_with_key(|name| Arc::new(Zone::new(name.clone(), &time_zone)))))
    }

    fn new(name: String, time_zone: &TimeZone) -> Zone {
        let first = time_zone.to_offset(Timestamp::MIN);
        let mut changes = vec![(i64::MIN, i64::from(first.seconds()) * PER_SECOND)];
        for transition in time_zone.following(Timestamp::MIN) {
            let instant = transition.timestamp().as_second() * PER_SECOND;
            let offset = i64::from(transition.offset().seconds()) * PER_SECOND;
            // A change of the name or of summer time alone moves no clock.
            if changes.last().is_some_and(|last| last.1 != offset) && instant <= Ticks::MAX.0 {
                changes.push((instant, offset));
            }
        }
        let walls = changes.iter().map(|(instant, offset)| (instant.saturating_add(*offset), *offset)).collect();
        let (changes, walls) = (Changes::new(changes), Changes::new(walls));
        Zone { name, changes, walls }
    }

    /// Its IANA name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The instant at which the zone's clock shows `wall`; `None` outside years 0001 to 9999.
    #[inline]
    pub fn to_instant(&self, wall: Ticks) -> Option<Ticks> {
        Ticks(wall.0 - self.walls.offset(wall.0)).checked()
    }

    /// What the zone's clock shows at `instant`; `None` outside years 0001 to 9999.
    #[inline]
    pub fn to_wall(&self, instant: Ticks) -> Option<Ticks> {
        Ticks(instant.0 + self.changes.offset(instant.0)).checked()
    }

    /// The earliest instant of all wall-clock times from `wall` on. Earlier than `to_instant(wall)` within a skipped
    /// hour only, whose times are moved behind those that follow.
    pub fn earliest_instant(&self, wall: Ticks) -> Ticks {
        let at = self.walls.place(wall.0);
        let own = wall.0 - self.walls.entries[at].1;
        Ticks(self.changes.entries.get(at + 1).map_or(own, |next| own.min(next.0)))
    }

    /// The earliest wall-clock time of all instants from `instant` on. Earlier than `to_wall(instant)` just before an
    /// hour is doubled only.
    pub fn earliest_wall(&self, instant: Ticks) -> Ticks {
        let at = self.changes.place(instant.0);
        let own = instant.0 + self.changes.entries[at].1;
        Ticks(self.walls.entries.get(at + 1).map_or(own, |next| own.min(next.0)))
    }

    /// The latest instant of all wall-clock times up to `wall`. Later than `to_instant(wall)` just behind a skipped hour
    /// only, whose times are moved behind those that follow.
    pub fn latest_instant(&self, wall: Ticks) -> Ticks {
        let at = self.walls.place(wall.0);
        let entries = &self.walls.entries;
        let own = wall.0 - entries[at].1;
        let before = at.checked_sub(1).map(|before| entries[at].0 - 1 - entries[before].1);
        Ticks(before.map_or(own, |before| own.max(before)))
    }

    /// The latest wall-clock time of all instants up to `instant`. Later than `to_wall(instant)` just behind the first
    /// showing of a doubled hour only.
    pub fn latest_wall(&self, instant: Ticks) -> Ticks {
        let at = self.changes.place(instant.0);
        let entries = &self.changes.entries;
        let own = instant.0 + entries[at].1;
        let before = at.checked_sub(1).map(|before| entries[at].0 - 1 + entries[before].1);
        Ticks(before.map_or(own, |before| own.max(before)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etl_schemas::ticks::days_from_civil;
    use proptest::prelude::*;

    fn at(year: i32, month: u32, day: u32, hour: i64, minute: i64) -> Ticks {
        Ticks::from_days(days_from_civil(year, month, day), (hour * 60 + minute) * 60 * PER_SECOND)
    }

    fn stockholm() -> Arc<Zone> {
        Zone::named("Europe/Stockholm").unwrap()
    }

    #[test]
    fn the_skipped_and_the_doubled_hour_follow_postgres() {
        let zone = stockholm();
        // select timestamp '2014-03-30 02:30' at time zone 'Europe/Stockholm' gives 2014-03-30 01:30:00+00, and so on.
        assert_eq!(zone.to_instant(at(2014, 3, 30, 1, 59)), Some(at(2014, 3, 30, 0, 59)));
        assert_eq!(zone.to_instant(at(2014, 3, 30, 2, 30)), Some(at(2014, 3, 30, 1, 30)));
        assert_eq!(zone.to_instant(at(2014, 3, 30, 3, 0)), Some(at(2014, 3, 30, 1, 0)));
        assert_eq!(zone.to_instant(at(2014, 10, 26, 1, 59)), Some(at(2014, 10, 25, 23, 59)));
        assert_eq!(zone.to_instant(at(2014, 10, 26, 2, 30)), Some(at(2014, 10, 26, 1, 30)));
        assert_eq!(zone.to_wall(at(2014, 10, 26, 0, 30)), Some(at(2014, 10, 26, 2, 30)));
        assert_eq!(zone.to_wall(at(2014, 7, 1, 12, 0)), Some(at(2014, 7, 1, 14, 0)));
    }

    #[test]
    fn the_ends_of_the_calendar_are_errors_where_they_leave_it() {
        assert_eq!(stockholm().to_instant(Ticks::MIN), None);
        assert_eq!(Zone::named("America/New_York").unwrap().to_instant(Ticks::MAX), None);
        assert_eq!(stockholm().to_instant(at(9999, 12, 31, 23, 0)), Some(at(9999, 12, 31, 22, 0)));
    }

    #[test]
    fn names_are_found_in_both_databases_and_near_ones_offered() {
        assert_eq!(Zone::named("W. Europe Standard Time").unwrap().name(), "Europe/Berlin");
        assert_eq!(Zone::named("utc").unwrap().to_instant(Ticks(5)), Some(Ticks(5)));
        assert_eq!(Zone::named("Europe/Stokholm").unwrap_err(), "did you mean `Europe/Stockholm`?");
    }

    /// The bound is what lets events go before all is read, so it is tried around real changes of the clock.
    #[test]
    fn no_later_wall_is_earlier_than_the_bound() {
        for name in ["Europe/Stockholm", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia"] {
            let zone = Zone::named(name).unwrap();
            for change in zone.changes.entries.iter().filter(|change| change.0 > 0 && change.0 < at(2015, 1, 1, 0, 0).0)
            {
                let walls: Vec<Ticks> = (-300..300).map(|step| Ticks(change.0 + step * 600 * PER_SECOND)).collect();
                let mut least = (i64::MAX, i64::MAX);
                for wall in walls.iter().rev() {
                    least.0 = least.0.min(zone.to_instant(*wall).unwrap().0);
                    least.1 = least.1.min(zone.to_wall(*wall).unwrap().0);
                    assert!(zone.earliest_instant(*wall).0 <= least.0, "{name} {wall}");
                    assert!(zone.earliest_wall(*wall).0 <= least.1, "{name} {wall}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn conversions_agree_with_jiff(seconds in -60_000_000_000i64..200_000_000_000) {
            let zone = stockholm();
            let reference = database().get("Europe/Stockholm").unwrap();
            let instant = Timestamp::from_second(seconds).unwrap();
            let shown = reference.to_offset(instant).seconds();
            let wall = zone.to_wall(Ticks(seconds * PER_SECOND)).unwrap();
            prop_assert_eq!(wall.0, (seconds + i64::from(shown)) * PER_SECOND);
        }
    }
}
