//! How a pcapng interface counts time (draft-ietf-opsawg-pcapng, `if_tsresol` and `if_tsoffset`).

use crate::time::Timestamp;

/// The units and the origin of an interface's timestamps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    unit: Unit,
    /// Seconds to add.
    offset: i64,
}

#[derive(Clone, Copy, Debug)]
enum Unit {
    /// So many nanoseconds each.
    Nanos(u64),
    /// So many in a nanosecond.
    PerNano(u64),
    /// 2^n in a second.
    Binary(u32),
}

impl Default for Clock {
    /// Microseconds since the epoch.
    fn default() -> Self {
        Self { unit: Unit::Nanos(1000), offset: 0 }
    }
}

impl Clock {
    /// Sets the resolution as `if_tsresol` encodes it: a negative power of 2 if the highest bit is
    /// set, of 10 if not.
    pub(super) fn set_resolution(&mut self, code: u8) {
        let exponent = u32::from(code & 0x7f);
        self.unit = if code & 0x80 != 0 {
            Unit::Binary(exponent)
        } else if exponent <= 9 {
            Unit::Nanos(10_u64.pow(9 - exponent))
        } else {
            // Finer than 10^-28 s, 64 bits of ticks do not make a nanosecond.
            Unit::PerNano(10_u64.checked_pow(exponent - 9).unwrap_or(u64::MAX))
        };
    }

    /// Sets the seconds to add, as `if_tsoffset` gives them.
    pub(super) fn set_offset(&mut self, seconds: i64) {
        self.offset = seconds;
    }

    /// The moment that a packet's two timestamp words mean; `None` beyond the year 2262, where only
    /// damage or a wrong `if_tsresol` leads.
    #[inline]
    pub(super) fn moment(&self, high: u32, low: u32) -> Option<Timestamp> {
        let ticks = u64::from(high) << 32 | u64::from(low);
        let nanos = match self.unit {
            Unit::Nanos(each) => u128::from(ticks) * u128::from(each),
            Unit::PerNano(many) => u128::from(ticks / many),
            Unit::Binary(exponent) => (u128::from(ticks) * 1_000_000_000) >> exponent,
        };
        let offset = i128::from(self.offset) * 1_000_000_000;
        let nanos = i128::try_from(nanos).ok()?.checked_add(offset)?;
        i64::try_from(nanos).ok().map(Timestamp::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(resolution: u8, offset: i64) -> Clock {
        let mut clock = Clock::default();
        clock.set_resolution(resolution);
        clock.set_offset(offset);
        clock
    }

    #[test]
    fn reads_every_resolution() {
        let nanos = |nanos| Some(Timestamp::from_nanos(nanos));

        assert_eq!(Clock::default().moment(0, 1_500_000), nanos(1_500_000_000));
        assert_eq!(clock(9, 0).moment(1, 0), nanos(1 << 32));
        assert_eq!(clock(0, 0).moment(0, 7), nanos(7_000_000_000));
        assert_eq!(clock(12, 0).moment(0, 5_000), nanos(5));
        assert_eq!(clock(0x80 | 10, 0).moment(0, 1536), nanos(1_500_000_000));
        assert_eq!(clock(6, -3).moment(0, 4_000_000), nanos(1_000_000_000));
        assert_eq!(clock(0x7f, 0).moment(u32::MAX, 0), nanos(0));
        assert_eq!(clock(0xff, 0).moment(u32::MAX, 0), nanos(0));
    }

    #[test]
    fn knows_no_moment_beyond_its_range() {
        assert_eq!(clock(0, 0).moment(u32::MAX, 0), None);
        assert_eq!(clock(6, i64::MIN).moment(0, 0), None);
        assert_eq!(clock(6, i64::MAX).moment(u32::MAX, u32::MAX), None);
    }
}
