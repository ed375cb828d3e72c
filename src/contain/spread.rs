//! Who is in an incident, which services it spread through, and whether that will go on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::incident::{Incident, Infection};
use crate::net::Service;

/// From this chance of a new service on, an incident is unpredictable. At 0.2 a worm that knows one
/// service has to use it five times, and one that knows two nine times, before anybody relies on
/// it.
const UNPREDICTABLE: f64 = 0.2;

/// Who is in an incident, and how it spread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// The hosts in it.
    pub suspects: BTreeSet<IpAddr>,
    /// The services that it spread through, and how often.
    pub services: BTreeMap<Service, u64>,
    /// Infections of which the service is not known.
    pub unknown: u64,
}

impl Spread {
    /// What is known of `incident`; of `infections` those of others are left out.
    pub fn of(incident: &Incident, infections: &[Infection]) -> Self {
        let mut spread = Self::default();
        spread.suspects.extend(&incident.patient_zero);
        let likely = |infection: &&Infection| {
            // To be rather wrong than right would cost a clean host its network.
            infection.incident == incident.id && infection.is_likely()
        };
        for infection in infections.iter().filter(likely) {
            spread.suspects.extend([infection.from, infection.to]);
            match infection.service {
                Some(service) => *spread.services.entry(service).or_default() += 1,
                None => spread.unknown += 1,
            }
        }
        spread
    }

    /// How likely the next infection goes through a service that none went through before, 0 to 1:
    /// T / (N + T) after N infections through T services (method C of Witten and Bell, The
    /// Zero-Frequency Problem, 1991). Certain where there was no infection; each of which the
    /// service is not known counts as through another.
    pub fn novelty(&self) -> f64 {
        let new = self.services.len() as u64 + self.unknown;
        let all = self.services.values().sum::<u64>() + self.unknown;
        if all == 0 { 1.0 } else { new as f64 / (new + all) as f64 }
    }

    /// Whether it will keep to its services.
    pub fn is_predictable(&self) -> bool {
        self.novelty() < UNPREDICTABLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(services: &[(u16, u64)], unknown: u64) -> Spread {
        let services = services.iter().map(|(port, times)| (Service::tcp(*port), *times)).collect();
        Spread { services, unknown, ..Spread::default() }
    }

    #[test]
    fn a_service_used_often_enough_will_be_used_again() {
        assert!(!spread(&[], 0).is_predictable());
        assert!(!spread(&[(445, 4)], 0).is_predictable());
        assert!(spread(&[(445, 5)], 0).is_predictable());
        assert!(spread(&[(23, 12), (2323, 6)], 0).is_predictable());
    }

    #[test]
    fn who_takes_another_service_each_time_is_unpredictable() {
        assert!(!spread(&[(22, 2), (80, 2), (445, 2), (3389, 1)], 0).is_predictable());
        assert!(!spread(&[(445, 5)], 2).is_predictable());
    }
}
