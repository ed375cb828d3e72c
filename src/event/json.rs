//! Events as JSON, in Zeek's field names and conventions: seconds as numbers, absent fields left
//! out, `id.orig_h` for who opened.

use std::net::IpAddr;
use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Arp, Body, Conn, Contact, Conversation, Event, Icmp, Record, Weird, community_id};
use crate::net::Transport;
use crate::time::Timestamp;

/// An event as one JSON object.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    /// The event.
    pub event: &'a Event,
    /// Tells which addresses are the site's own.
    pub is_local: &'a dyn Fn(IpAddr) -> bool,
}

impl Event {
    /// The kind of log that it belongs to, by Zeek's name where Zeek has one.
    pub const fn kind(&self) -> &'static str {
        match &self.body {
            Body::Contact(_) => "contact",
            Body::Conn(_) => "conn",
            Body::Arp(_) => "arp",
            Body::Icmp(_) => "icmp",
            Body::Weird(_) => "weird",
            Body::Record(record) => record.kind(),
        }
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let ts = match &self.event.body {
            // Zeek dates a connection by its first packet.
            Body::Conn(conn) => conn.start,
            Body::Contact(contact) => contact.start,
            _ => self.event.ts,
        };
        map.serialize_entry("ts", &epoch(ts))?;
        if let Some(conversation) = &self.event.conversation {
            identity(&mut map, conversation)?;
        }
        match &self.event.body {
            Body::Conn(conn) => self.conn(&mut map, conn)?,
            Body::Contact(contact) => self.contact(&mut map, contact)?,
            Body::Arp(arp) => fields_of_arp(&mut map, arp)?,
            Body::Icmp(icmp) => fields_of_icmp(&mut map, icmp)?,
            Body::Weird(weird) => fields_of_weird(&mut map, weird)?,
            Body::Record(record) => flat(&mut map, record)?,
        }
        map.end()
    }
}

impl Line<'_> {
    fn conn<M: SerializeMap>(&self, map: &mut M, conn: &Conn) -> Result<(), M::Error> {
        let conversation = self.event.conversation.as_ref();
        if let Some(conversation) = conversation {
            map.serialize_entry("proto", conversation.transport.as_str())?;
        }
        optional(map, "service", conn.service)?;
        // Zeek leaves these out of a connection of a single moment.
        if !conn.duration.is_zero() {
            map.serialize_entry("duration", &seconds(conn.duration))?;
            map.serialize_entry("orig_bytes", &conn.client.bytes)?;
            map.serialize_entry("resp_bytes", &conn.server.bytes)?;
        }
        map.serialize_entry("conn_state", &conn.state)?;
        self.locality(map)?;
        map.serialize_entry("missed_bytes", &conn.missed_bytes)?;
        optional(map, "history", (!conn.history.is_empty()).then_some(&conn.history))?;
        map.serialize_entry("orig_pkts", &conn.client.packets)?;
        map.serialize_entry("orig_ip_bytes", &conn.client.ip_bytes)?;
        map.serialize_entry("resp_pkts", &conn.server.packets)?;
        map.serialize_entry("resp_ip_bytes", &conn.server.ip_bytes)?;
        if let Some(conversation) = conversation {
            let v6 = conversation.client.addr.is_ipv6();
            map.serialize_entry("ip_proto", &conversation.transport.number(v6))?;
        }
        optional(map, "vlan", conn.vlan)?;
        optional(map, "orig_l2_addr", conn.macs.map(|(client, _)| client))?;
        optional(map, "resp_l2_addr", conn.macs.map(|(_, server)| server))?;
        self.community(map)?;
        optional(map, "outcome", conn.outcome)?;
        map.serialize_entry("opening", &conn.opening)?;
        self.inference(map)
    }

    fn contact<M: SerializeMap>(&self, map: &mut M, contact: &Contact) -> Result<(), M::Error> {
        if let Some(conversation) = &self.event.conversation {
            map.serialize_entry("proto", conversation.transport.as_str())?;
        }
        optional(map, "outcome", contact.outcome)?;
        map.serialize_entry("opening", &contact.opening)?;
        map.serialize_entry("waited", &seconds(contact.waited))?;
        map.serialize_entry("orig_pkts", &contact.client_packets)?;
        map.serialize_entry("resp_pkts", &contact.server_packets)?;
        self.locality(map)?;
        map.serialize_entry("to_group", &contact.to_group)?;
        self.community(map)?;
        self.inference(map)
    }

    fn locality<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        if let Some(conversation) = &self.event.conversation {
            map.serialize_entry("local_orig", &(self.is_local)(conversation.client.addr))?;
            map.serialize_entry("local_resp", &(self.is_local)(conversation.server.addr))?;
        }
        Ok(())
    }

    fn community<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match &self.event.conversation {
            Some(conversation) => {
                map.serialize_entry("community_id", &community_id(conversation, 0))
            }
            None => Ok(()),
        }
    }

    fn inference<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match &self.event.conversation {
            Some(conversation) => map.serialize_entry("inferred", &conversation.inferred),
            None => Ok(()),
        }
    }
}

fn identity<M: SerializeMap>(map: &mut M, conversation: &Conversation) -> Result<(), M::Error> {
    map.serialize_entry("uid", &conversation.uid.to_string())?;
    map.serialize_entry("id.orig_h", &conversation.client.addr)?;
    map.serialize_entry("id.orig_p", &conversation.client.port)?;
    map.serialize_entry("id.resp_h", &conversation.server.addr)?;
    map.serialize_entry("id.resp_p", &conversation.server.port)
}

fn fields_of_arp<M: SerializeMap>(map: &mut M, arp: &Arp) -> Result<(), M::Error> {
    map.serialize_entry("operation", if arp.is_request { "request" } else { "reply" })?;
    map.serialize_entry("orig_l2_addr", &arp.sender_mac)?;
    map.serialize_entry("orig_h", &arp.sender)?;
    map.serialize_entry("resp_l2_addr", &arp.target_mac)?;
    map.serialize_entry("resp_h", &arp.target)
}

fn fields_of_icmp<M: SerializeMap>(map: &mut M, icmp: &Icmp) -> Result<(), M::Error> {
    map.serialize_entry("orig_h", &icmp.src)?;
    map.serialize_entry("resp_h", &icmp.dst)?;
    map.serialize_entry("v6", &icmp.v6)?;
    map.serialize_entry("itype", &icmp.kind)?;
    map.serialize_entry("icode", &icmp.code)?;
    if let Some((sender, receiver, protocol)) = icmp.about {
        map.serialize_entry("about.orig_h", &sender.addr)?;
        map.serialize_entry("about.orig_p", &sender.port)?;
        map.serialize_entry("about.resp_h", &receiver.addr)?;
        map.serialize_entry("about.resp_p", &receiver.port)?;
        map.serialize_entry("about.ip_proto", &protocol)?;
        let transport = [Transport::Tcp, Transport::Udp, Transport::Icmp, Transport::Sctp]
            .into_iter()
            .find(|transport| transport.number(icmp.v6) == protocol);
        optional(map, "about.proto", transport)?;
    }
    Ok(())
}

fn fields_of_weird<M: SerializeMap>(map: &mut M, weird: &Weird) -> Result<(), M::Error> {
    map.serialize_entry("name", weird.name)?;
    optional(map, "src", weird.src)?;
    optional(map, "dst", weird.dst)
}

/// Writes the fields of a record beside those that are there.
fn flat<M: SerializeMap>(map: &mut M, record: &Record) -> Result<(), M::Error> {
    // A record is a handful of scalars and lists: by way of a value costs an allocation or two, and
    // happens only where somebody reads events as JSON.
    let value = serde_json::to_value(record).map_err(serde::ser::Error::custom)?;
    let serde_json::Value::Object(fields) = value else { return Ok(()) };
    fields.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))
}

fn optional<M: SerializeMap, T: Serialize>(
    map: &mut M,
    name: &'static str,
    value: Option<T>,
) -> Result<(), M::Error> {
    match value {
        Some(value) => map.serialize_entry(name, &value),
        None => Ok(()),
    }
}

/// Seconds since the epoch with microseconds, as Zeek writes them.
fn epoch(ts: Timestamp) -> f64 {
    ts.as_nanos().div_euclid(1000) as f64 / 1e6
}

fn seconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ConnState, Opening, Outcome, Side, Uid};
    use crate::net::{Endpoint, MacAddr};

    fn conversation() -> Conversation {
        Conversation {
            uid: Uid(12_345_678_901_234_567_890),
            transport: Transport::Tcp,
            client: Endpoint::new("192.0.2.1".parse().unwrap(), 40_000),
            server: Endpoint::new("198.51.100.2".parse().unwrap(), 445),
            inferred: false,
        }
    }

    fn line(body: Body, conversation: Option<Conversation>) -> String {
        let ts = Timestamp::from_nanos(1_492_363_370_500_000_000);
        let event = Event { ts, packet: 7, conversation, body };
        let is_local = |addr: IpAddr| addr.to_string().starts_with("192.");
        serde_json::to_string(&Line { event: &event, is_local: &is_local }).unwrap()
    }

    #[test]
    fn writes_a_connection_as_zeek_does() {
        let conn = Conn {
            start: Timestamp::from_nanos(1_492_363_369_387_679_123),
            duration: Duration::from_micros(12_090),
            service: Some("smb"),
            state: ConnState::RSTR,
            outcome: Some(Outcome::Accepted),
            opening: Opening::Syn,
            history: "ShADdFar".to_owned(),
            client: Side { packets: 5, ip_bytes: 434, bytes: 222, turns: 0 },
            server: Side { packets: 5, ip_bytes: 540, bytes: 328, turns: 1 },
            missed_bytes: 0,
            vlan: Some(7),
            tunnel: None,
            macs: Some((MacAddr([0, 1, 2, 3, 4, 5]), MacAddr::BROADCAST)),
            fingerprints: None,
            drips: None,
        };

        let text = line(Body::Conn(Box::new(conn)), Some(conversation()));

        assert_eq!(
            text,
            concat!(
                r#"{"ts":1492363369.387679,"uid":"CEhzL6HwZ5ow","id.orig_h":"192.0.2.1","#,
                r#""id.orig_p":40000,"id.resp_h":"198.51.100.2","id.resp_p":445,"proto":"tcp","#,
                r#""service":"smb","duration":0.01209,"orig_bytes":222,"resp_bytes":328,"#,
                r#""conn_state":"RSTR","local_orig":true,"local_resp":false,"missed_bytes":0,"#,
                r#""history":"ShADdFar","orig_pkts":5,"orig_ip_bytes":434,"resp_pkts":5,"#,
                r#""resp_ip_bytes":540,"ip_proto":6,"vlan":7,"orig_l2_addr":"00:01:02:03:04:05","#,
                r#""resp_l2_addr":"ff:ff:ff:ff:ff:ff","community_id":"1:R55nrT8kHLPEdVnJ4FcavcouTQM=","#,
                r#""outcome":"accepted","opening":"syn","inferred":false}"#
            )
        );
    }

    #[test]
    fn leaves_out_what_is_absent() {
        let contact = Contact {
            outcome: None,
            opening: Opening::Syn,
            start: Timestamp::from_secs(1),
            client_packets: 1,
            server_packets: 0,
            waited: Duration::from_millis(1500),
            to_group: false,
        };

        let text = line(Body::Contact(contact), Some(conversation()));

        assert!(!text.contains("outcome"), "{text}");
        assert!(text.contains(r#""waited":1.5"#), "{text}");
    }

    #[test]
    fn writes_what_has_no_connection() {
        let arp = Arp {
            is_request: true,
            sender_mac: MacAddr([2, 0, 0, 0, 0, 1]),
            sender: "192.0.2.1".parse().unwrap(),
            target_mac: MacAddr::default(),
            target: "192.0.2.9".parse().unwrap(),
        };

        assert_eq!(
            line(Body::Arp(arp), None),
            concat!(
                r#"{"ts":1492363370.5,"operation":"request","orig_l2_addr":"02:00:00:00:00:01","#,
                r#""orig_h":"192.0.2.1","resp_l2_addr":"00:00:00:00:00:00","resp_h":"192.0.2.9"}"#
            )
        );
    }
}
