//! How evenly things follow each other: a machine's clock, or somebody's doing.

use std::time::Duration;

/// Mean and summed squared deviation of gaps, in seconds (Welford 1962).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    gaps: u32,
    mean: f64,
    square: f64,
}

impl Pace {
    /// Takes the gap since the thing before.
    pub(crate) fn add(&mut self, gap: Duration) {
        let gap = gap.as_secs_f64();
        self.gaps = self.gaps.saturating_add(1);
        let off = gap - self.mean;
        self.mean += off / f64::from(self.gaps);
        self.square += off * (gap - self.mean);
    }

    /// The mean gap in seconds; 0 if there was none.
    pub(crate) const fn mean(&self) -> f64 {
        self.mean
    }

    /// Whether the gaps are at least `least` on average and differ by the share `evenness` at most
    /// (standard deviation over mean); needs three to tell.
    pub(crate) fn is_clockwork(&self, least: Duration, evenness: f64) -> bool {
        self.gaps >= 3
            && self.mean >= least.as_secs_f64()
            && (self.square / f64::from(self.gaps)).sqrt() <= evenness * self.mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(gaps: impl IntoIterator<Item = u64>) -> Pace {
        let mut pace = Pace::default();
        for gap in gaps {
            pace.add(Duration::from_secs(gap));
        }
        pace
    }

    #[test]
    fn tells_a_clock_from_a_person() {
        let minute = Duration::from_secs(60);

        assert!(pace([300, 301, 299, 300]).is_clockwork(minute, 0.02));
        assert!(!pace([300, 900, 20, 300]).is_clockwork(minute, 0.02));
        assert!(!pace([2, 2, 2, 2]).is_clockwork(minute, 0.02));
        assert!(!pace([300, 300]).is_clockwork(minute, 0.02));
    }
}
