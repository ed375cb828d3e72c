//! Whether the sensor sees both directions, because an answer that it cannot see is no failure.

use serde::{Deserialize, Serialize};

use crate::config::units;
use crate::event::{Contact, Opening, Outcome};

/// When a capture counts as seen in one direction only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VisibilityConfig {
    /// Connections that must prove it before anything is concluded. Five: a handful of odd ones
    /// exists on every network with a second path.
    #[serde(deserialize_with = "units::count")]
    pub proofs_min: u32,
    /// Share of one-way connections up to which failures keep their full weight.
    #[serde(deserialize_with = "units::share")]
    pub share_harmless: f64,
    /// Share from which failures are worth [`VisibilityConfig::weight_floor`].
    #[serde(deserialize_with = "units::share")]
    pub share_blind: f64,
    /// What a failure is worth when the sensor is blind in one direction.
    #[serde(deserialize_with = "units::share")]
    pub weight_floor: f64,
    /// Connections after which older ones count half, so that a repaired tap is noticed.
    #[serde(deserialize_with = "units::count")]
    pub memory: u32,
}

impl Default for VisibilityConfig {
    fn default() -> Self {
        Self {
            proofs_min: 5,
            share_harmless: 0.1,
            share_blind: 0.5,
            weight_floor: 0.005,
            memory: 20_000,
        }
    }
}

/// Counts connections that were seen from both sides, and those that prove a blind side.
///
/// Silence proves nothing: a sweep of dead addresses looks the same on a perfect tap. A proof is a
/// client that goes on as if it had been answered while the answer was not captured, or a server
/// that accepts what nobody was seen to ask. The latter is also what backscatter looks like, so it
/// counts a quarter.
#[derive(Clone, Debug)]
pub struct Visibility {
    config: VisibilityConfig,
    two_way: f64,
    client_only: f64,
    server_only: f64,
}

impl Visibility {
    /// Knows nothing yet.
    pub fn new(config: VisibilityConfig) -> Self {
        Self { config, two_way: 0.0, client_only: 0.0, server_only: 0.0 }
    }

    /// Learns from one contact.
    pub fn on_contact(&mut self, contact: &Contact) {
        let accepted = contact.outcome == Some(Outcome::Accepted);
        match contact.opening {
            Opening::Syn if accepted && contact.server_packets == 0 => self.client_only += 1.0,
            Opening::Syn if contact.client_packets > 0 && contact.server_packets > 0 => {
                self.two_way += 1.0;
            }
            Opening::SynAck if contact.client_packets == 0 => self.server_only += 0.25,
            _ => return,
        }
        if self.two_way + self.client_only + self.server_only > f64::from(self.config.memory) {
            self.two_way /= 2.0;
            self.client_only /= 2.0;
            self.server_only /= 2.0;
        }
    }

    /// Share of connections that only one side was seen of, 0 to 1; 0 while too few prove it.
    pub fn one_way_share(&self) -> f64 {
        let proofs = self.client_only + self.server_only;
        if proofs < f64::from(self.config.proofs_min) {
            0.0
        } else {
            proofs / (proofs + self.two_way)
        }
    }

    /// What an unanswered attempt is worth, 0 to 1.
    pub fn failure_weight(&self) -> f64 {
        let VisibilityConfig { share_harmless, share_blind, weight_floor, .. } = self.config;
        let width = (share_blind - share_harmless).max(f64::EPSILON);
        let blindness = ((self.one_way_share() - share_harmless) / width).clamp(0.0, 1.0);
        1.0 - blindness * (1.0 - weight_floor)
    }

    /// What an operator should know, if the sensor does not see both directions.
    pub fn warning(&self) -> Option<String> {
        let share = self.one_way_share();
        if share <= self.config.share_harmless {
            return None;
        }
        let missing = if self.client_only >= self.server_only { "servers" } else { "clients" };
        Some(format!(
            "{:.0} % of the connections are seen in one direction only: the {missing}' packets are \
             missing at the tap, so an unanswered attempt counts {:.0} % of what it should",
            share * 100.0,
            self.failure_weight() * 100.0
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::time::Timestamp;

    fn contact(
        outcome: Option<Outcome>,
        opening: Opening,
        client_packets: u32,
        server_packets: u32,
    ) -> Contact {
        Contact {
            outcome,
            opening,
            start: Timestamp::from_secs(0),
            client_packets,
            server_packets,
            waited: Duration::ZERO,
            to_group: false,
        }
    }

    fn seen(count: usize, contact: &Contact) -> Visibility {
        let mut visibility = Visibility::new(VisibilityConfig::default());
        for _ in 0..count {
            visibility.on_contact(contact);
        }
        visibility
    }

    #[test]
    fn notices_that_no_answer_is_captured_and_says_so() {
        let visibility = seen(20, &contact(Some(Outcome::Accepted), Opening::Syn, 3, 0));

        assert!(visibility.failure_weight() < 0.05);
        let warning = visibility.warning().unwrap();
        assert!(warning.contains("100 %") && warning.contains("servers"), "{warning}");
    }

    #[test]
    fn does_not_take_a_sweep_of_dead_addresses_for_a_blind_tap() {
        let unanswered = seen(500, &contact(Some(Outcome::Unanswered), Opening::Syn, 1, 0));
        let cut_off = seen(500, &contact(None, Opening::Syn, 1, 0));

        assert!((unanswered.failure_weight() - 1.0).abs() < 1e-9);
        assert!((cut_off.failure_weight() - 1.0).abs() < 1e-9);
        assert!(unanswered.warning().is_none());
    }

    #[test]
    fn keeps_its_trust_when_a_second_path_hides_one_in_twenty() {
        let mut visibility = seen(95, &contact(Some(Outcome::Accepted), Opening::Syn, 2, 1));
        for _ in 0..5 {
            visibility.on_contact(&contact(Some(Outcome::Accepted), Opening::Syn, 3, 0));
        }

        assert!((visibility.failure_weight() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn lets_backscatter_move_little_on_a_tap_that_sees_both_sides() {
        let mut visibility = seen(100, &contact(Some(Outcome::Accepted), Opening::Syn, 2, 1));
        for _ in 0..40 {
            visibility.on_contact(&contact(None, Opening::SynAck, 0, 1));
        }

        assert!(visibility.failure_weight() > 0.9);
    }

    #[test]
    fn recovers_after_the_tap_is_repaired() {
        let config = VisibilityConfig { memory: 100, ..VisibilityConfig::default() };
        let mut visibility = Visibility::new(config);
        for _ in 0..100 {
            visibility.on_contact(&contact(Some(Outcome::Accepted), Opening::Syn, 3, 0));
        }

        for _ in 0..400 {
            visibility.on_contact(&contact(Some(Outcome::Accepted), Opening::Syn, 2, 2));
        }

        assert!(visibility.failure_weight() > 0.9);
    }
}
