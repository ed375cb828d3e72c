//! When people are there and how busy they are: the day, the week, and who is ill.

use super::chance::fixed;
use crate::time::Timestamp;

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

/// How busy an office is in each hour of a working day, in thousandths of its busiest.
const OFFICE: [u16; 24] = [
    10, 8, 8, 8, 8, 12, 60, 250, 650, 950, 1000, 950, 600, 700, 950, 1000, 900, 600, 250, 100, 60,
    40, 25, 15,
];

/// What is left of that on a Saturday or Sunday, in thousandths.
const WEEKEND: i64 = 80;

/// Seconds since 1970 of a moment.
const fn seconds(at: Timestamp) -> i64 {
    at.as_nanos().div_euclid(1_000_000_000)
}

/// The number of the day, since 1970.
pub const fn day(at: Timestamp) -> i64 {
    seconds(at).div_euclid(DAY)
}

/// The first moment of a day.
pub const fn midnight(day: i64) -> Timestamp {
    Timestamp::from_secs(day * DAY)
}

/// The day of the week: 0 is Monday. 1970 began on a Thursday.
pub const fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

/// How busy an office is at `at`, in thousandths of its busiest hour, from hour to hour in a line.
pub fn office(at: Timestamp) -> u64 {
    let second = seconds(at).rem_euclid(DAY);
    let level = |hour: i64| {
        let hour = usize::try_from(hour.rem_euclid(24)).unwrap_or(0);
        i64::from(OFFICE.get(hour).copied().unwrap_or(0))
    };
    // The level of an hour holds in its middle.
    let shifted = second - HOUR / 2;
    let (hour, past) = (shifted.div_euclid(HOUR), shifted.rem_euclid(HOUR));
    let level = (level(hour) * (HOUR - past) + level(hour + 1) * past) / HOUR;
    let level = if weekday(day(at)) >= 5 { level * WEEKEND / 1000 } else { level };
    u64::try_from(level).unwrap_or(0)
}

/// When the person with this seed is there on `day`: from and to; `None` on a day off.
pub fn presence(seed: u64, day: i64) -> Option<(Timestamp, Timestamp)> {
    let chance = |what: u64, below: u64| {
        let drawn = fixed(&[seed, day as u64, what]);
        ((u128::from(drawn) * u128::from(below)) >> 64) as i64
    };
    let off = if weekday(day) >= 5 { 93 } else { 6 };
    if chance(1, 100) < off {
        return None;
    }
    // Everybody has a usual time, half an hour around it on the day.
    let usual = ((u128::from(fixed(&[seed, 2])) * 5400) >> 64) as i64;
    let comes = 7 * HOUR + HOUR / 4 + usual + chance(3, 1800);
    let stays = 8 * HOUR + chance(4, 5400);
    let from = Timestamp::from_secs(day * DAY + comes);
    Some((from, Timestamp::from_secs(day * DAY + comes + stays)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 2 March 2026.
    const MONDAY: i64 = 20_514;

    #[test]
    fn the_office_is_busy_at_ten_and_quiet_at_night_and_on_sunday() {
        let at = |day, hour: i64| office(Timestamp::from_secs(day * DAY + hour * HOUR + HOUR / 2));

        assert_eq!(weekday(MONDAY), 0);
        assert_eq!(at(MONDAY, 10), 1000);
        assert!(at(MONDAY, 3) < 10);
        assert_eq!(at(MONDAY + 6, 10), 80);
    }

    #[test]
    fn people_come_in_the_morning_and_most_stay_away_on_sunday() {
        let there = |day| (0..1000).filter_map(|seed| presence(seed, day)).collect::<Vec<_>>();

        let monday = there(MONDAY);

        assert!((900..980).contains(&monday.len()), "{}", monday.len());
        assert!((30..120).contains(&there(MONDAY + 6).len()));
        let hour = |at: Timestamp| (at.as_nanos() / 1_000_000_000 - MONDAY * DAY) / HOUR;
        assert!(monday.iter().all(|(from, to)| hour(*from) >= 7 && hour(*to) < 20));
        assert_eq!(presence(7, MONDAY), presence(7, MONDAY));
    }
}
