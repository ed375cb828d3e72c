//! One entry of the allowlist: what it covers, why, and until when.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::value::Datetime;

use crate::detect::Evidence;
use crate::event::Event;
use crate::net::{Service, Transport};
use crate::time::Timestamp;

use super::is_under;

/// `[[allow]]`: what is known and wanted, why, and until when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawEntry")]
pub struct AllowEntry {
    /// Networks of the host that acts; empty for any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source: Vec<IpNet>,
    /// Networks of the other ends; empty for any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub destination: Vec<IpNet>,
    /// Services; empty for any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service: Vec<Service>,
    /// Detector ids or their prefixes; empty for any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detector: Vec<String>,
    /// Why.
    pub reason: String,
    /// The last day (UTC) on which it hides anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Expiry>,
}

/// The last day of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    date: jiff::civil::Date,
    end: Timestamp,
}

impl Expiry {
    fn new(date: jiff::civil::Date) -> Option<Self> {
        let midnight = date.tomorrow().ok()?.to_zoned_datetime(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self { date, end: Timestamp::from_secs(midnight.timestamp().as_second()) })
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.date, f)
    }
}

impl Serialize for Expiry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.date.to_string();
        let date: Datetime = text.parse().map_err(serde::ser::Error::custom)?;
        date.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Expiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let moment = Datetime::deserialize(deserializer)?;
        let date = match moment {
            Datetime { date: Some(date), time: None, offset: None } => date,
            _ => return Err(de::Error::custom("expected a date like 2027-06-30, without a time")),
        };
        let (Ok(year), Ok(month), Ok(day)) =
            (i16::try_from(date.year), i8::try_from(date.month), i8::try_from(date.day))
        else {
            return Err(de::Error::custom("expected a date of the calendar"));
        };
        jiff::civil::Date::new(year, month, day)
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| de::Error::custom("expected a date of the calendar"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    #[serde(default)]
    source: Many,
    #[serde(default)]
    destination: Many,
    #[serde(default)]
    service: Many,
    #[serde(default)]
    detector: Many,
    reason: String,
    expires: Option<Expiry>,
}

/// One string or several.
#[derive(Default)]
struct Many(Vec<String>);

impl<'de> Deserialize<'de> for Many {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Many;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Many, E> {
                Ok(Many(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Many, A::Error> {
                let mut all = Vec::new();
                while let Some(text) = seq.next_element()? {
                    all.push(text);
                }
                Ok(Many(all))
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

impl TryFrom<RawEntry> for AllowEntry {
    type Error = String;

    fn try_from(raw: RawEntry) -> Result<Self, String> {
        let entry = Self {
            source: raw.source.0.iter().map(|t| network(t)).collect::<Result<_, _>>()?,
            destination: raw.destination.0.iter().map(|t| network(t)).collect::<Result<_, _>>()?,
            service: raw.service.0.iter().map(|t| service(t)).collect::<Result<_, _>>()?,
            detector: raw.detector.0,
            reason: raw.reason.trim().to_owned(),
            expires: raw.expires,
        };
        if entry.reason.is_empty() {
            return Err("an [[allow]] entry needs a `reason`".to_owned());
        }
        if entry.source.is_empty() && entry.destination.is_empty() && entry.service.is_empty() {
            return Err("an [[allow]] entry needs a `source`, a `destination` or a `service`: \
                        it would hide everything"
                .to_owned());
        }
        Ok(entry)
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map(|net| net.trunc())
        .map_err(|_| format!("`{text}` is not a network like `10.0.0.0/8` or an address"))
}

fn service(text: &str) -> Result<Service, String> {
    let wrong = || format!("`{text}` is not a service like `tcp/445`");
    let (name, port) = text.split_once('/').ok_or_else(wrong)?;
    let transport = [Transport::Tcp, Transport::Udp, Transport::Icmp, Transport::Sctp]
        .into_iter()
        .find(|transport| transport.as_str() == name)
        .ok_or_else(wrong)?;
    Ok(Service { transport, port: port.parse().map_err(|_| wrong())? })
}

impl AllowEntry {
    fn source_matches(&self, host: IpAddr) -> bool {
        self.source.is_empty() || self.source.iter().any(|net| net.contains(&host))
    }

    fn destination_matches(&self, peer: IpAddr) -> bool {
        self.destination.is_empty() || self.destination.iter().any(|net| net.contains(&peer))
    }

    fn service_matches(&self, service: Option<Service>) -> bool {
        self.service.is_empty() || service.is_some_and(|service| self.service.contains(&service))
    }

    fn detector_matches(&self, detector: &str) -> bool {
        self.detector.is_empty() || self.detector.iter().any(|prefix| is_under(detector, prefix))
    }

    pub(super) fn covers_evidence(&self, evidence: &Evidence) -> bool {
        let all_peers_known = evidence.peers_total <= evidence.peers.len() as u64;
        self.source_matches(evidence.host)
            && self.detector_matches(evidence.detector)
            && self.service_matches(evidence.service)
            && (self.destination.is_empty()
                || (all_peers_known
                    && !evidence.peers.is_empty()
                    && evidence.peers.iter().all(|peer| self.destination_matches(*peer))))
    }

    pub(super) fn covers_event(&self, detector: &str, event: &Event) -> bool {
        // A source alone is hidden as evidence: detectors should still see what it does to others.
        if self.destination.is_empty() && self.service.is_empty() {
            return false;
        }
        event.conversation.is_some_and(|conversation| {
            self.source_matches(conversation.client.addr)
                && self.destination_matches(conversation.server.addr)
                && self.service_matches(Some(conversation.service()))
                && self.detector_matches(detector)
        })
    }

    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expiry| now >= expiry.end)
    }

    /// What it covers, for a person: `10.0.0.5/32 to any on tcp/445, scan`.
    pub fn scope(&self) -> String {
        fn list<T: fmt::Display>(items: &[T]) -> Option<String> {
            let items: Vec<_> = items.iter().map(ToString::to_string).collect();
            (!items.is_empty()).then(|| items.join(" or "))
        }
        let mut scope = list(&self.source).unwrap_or_else(|| "any".to_owned());
        for (word, part) in [
            (" to ", list(&self.destination)),
            (" on ", list(&self.service)),
            (", detector ", list(&self.detector)),
        ] {
            if let Some(part) = part {
                scope.push_str(word);
                scope.push_str(&part);
            }
        }
        scope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        toml::from_str::<AllowEntry>(text).unwrap_err().message().to_owned()
    }

    #[test]
    fn an_entry_without_reason_or_scope_is_refused() {
        assert_eq!(refused("source = \"10.0.0.5\""), "missing field `reason`");
        assert_eq!(
            refused("source = \"10.0.0.5\"\nreason = \" \""),
            "an [[allow]] entry needs a `reason`"
        );
        assert!(refused("detector = \"scan\"\nreason = \"x\"").contains("would hide everything"));
        assert_eq!(
            refused("service = \"tcp-445\"\nreason = \"x\""),
            "`tcp-445` is not a service like `tcp/445`"
        );
        assert!(refused("source = \"10.0.0.300\"\nreason = \"x\"").contains("not a network"));
    }

    #[test]
    fn entries_read_back_as_written() {
        let text = "source = [\"10.0.0.5/32\"]\nservice = [\"tcp/445\"]\nreason = \"scanner\"\n\
                    expires = 2027-06-30\n";

        let entry: AllowEntry = toml::from_str(text).unwrap();

        assert_eq!(toml::to_string(&entry).unwrap(), text);
    }
}
