//! MQTT 3.1, 3.1.1 and 5: clients with their accounts, what they publish and what they listen to.

use std::borrow::Cow;

use super::budget::Budget;
use super::cursor::Cursor;
use super::framing::{Framers, Message, Size};
use super::render::text;
use super::{Dissector, Findings, Protocol, Role};
use crate::event::{Login, MqttConnect, MqttPublish, MqttSubscribe};
use crate::time::Timestamp;

/// Packets are read up to here.
const MAX_PACKET: usize = 2048;
/// Names and topics are kept up to here.
const MAX_NAME: usize = 256;
/// Content is kept up to here, as in Zeek.
const MAX_PAYLOAD: usize = 100;
/// Topics of one subscription that are kept.
const MAX_TOPICS: usize = 32;

/// Packet types (MQTT 5 section 2.1.2).
const CONNECT: u8 = 1;
const CONNECT_ANSWER: u8 = 2;
const PUBLISH: u8 = 3;
const SUBSCRIBE: u8 = 8;
const UNSUBSCRIBE: u8 = 10;

/// Reads one connection.
#[derive(Debug)]
pub(super) struct Dissection {
    framers: Framers,
    session: Session,
}

#[derive(Debug, Default)]
struct Session {
    /// The client that waits for the broker's answer.
    connecting: Option<MqttConnect>,
    version: u8,
    budget: Budget,
}

impl Dissection {
    pub(super) fn new() -> Self {
        Self { framers: Framers::new(MAX_PACKET), session: Session::default() }
    }
}

impl Dissector for Dissection {
    fn on_data(&mut self, at: Timestamp, sender: Role, mut data: &[u8], out: &mut Findings) {
        let Self { framers, session } = self;
        let framer = framers.of(sender);
        while let Some(packet) = framer.next(&mut data, packet_size) {
            session.on_packet(at, sender, &packet, out);
        }
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        self.framers.lose(sender, bytes);
    }

    fn on_end(&mut self, _: Timestamp, out: &mut Findings) {
        self.session.finish_connect(None, out);
    }

    fn wants(&self, _: Role) -> bool {
        let is_lost = self.framers.is_lost(Role::Client) && self.framers.is_lost(Role::Server);
        !is_lost || self.session.connecting.is_some()
    }

    fn bytes(&self) -> usize {
        let connecting = self.session.connecting.as_ref().map_or(0, |_| 4 * MAX_NAME);
        size_of::<Self>() + self.framers.heap_bytes() + connecting
    }
}

impl Session {
    fn on_packet(&mut self, at: Timestamp, sender: Role, packet: &Message<'_>, out: &mut Findings) {
        let mut rest = Cursor::new(packet.head);
        let Some(first) = rest.u8() else { return };
        // One to four bytes of length.
        while rest.u8().is_some_and(|byte| byte & 0x80 != 0) {}
        let header = packet.head.len() - rest.rest().len();
        let length = packet.length.saturating_sub(header as u64);
        match (first >> 4, sender) {
            (CONNECT, Role::Client) => {
                self.finish_connect(None, out);
                self.connecting = self.read_connect(rest);
            }
            (CONNECT_ANSWER, Role::Server) => {
                let code = rest.take(2).and_then(|answer| answer.last().copied());
                self.finish_connect(code, out);
            }
            (PUBLISH, _) => {
                if self.budget.allows(at)
                    && let Some(message) = self.read_publish(first, length, rest)
                {
                    out.say(MqttPublish { from_client: sender == Role::Client, ..message });
                }
            }
            (kind @ (SUBSCRIBE | UNSUBSCRIBE), Role::Client) => {
                if self.budget.allows(at)
                    && let Some(topics) = self.read_subscribe(kind == SUBSCRIBE, rest)
                {
                    out.say(topics);
                }
            }
            _ => {}
        }
    }

    fn read_connect(&mut self, mut rest: Cursor<'_>) -> Option<MqttConnect> {
        let name = string(&mut rest)?;
        self.version = rest.u8()?;
        let flags = rest.u8()?;
        rest.be16()?;
        self.skip_properties(&mut rest)?;
        let mut connect = MqttConnect {
            proto_name: text(name, MAX_NAME),
            proto_version: match self.version {
                3 => Cow::Borrowed("3.1"),
                4 => Cow::Borrowed("3.1.1"),
                5 => Cow::Borrowed("5.0"),
                other => Cow::Owned(format!("unknown-{other}")),
            },
            client_id: Some(text(string(&mut rest)?, MAX_NAME)),
            ..MqttConnect::default()
        };
        if flags & 0x04 != 0 {
            self.skip_properties(&mut rest)?;
            connect.will_topic = Some(text(string(&mut rest)?, MAX_NAME));
            connect.will_payload = Some(text(string(&mut rest)?, MAX_PAYLOAD));
        }
        if flags & 0x80 != 0 {
            connect.user = Some(text(string(&mut rest)?, MAX_NAME));
        }
        Some(connect)
    }

    /// Version 5 has properties, behind their length.
    fn skip_properties(&self, rest: &mut Cursor<'_>) -> Option<()> {
        if self.version >= 5 {
            let mut length = 0usize;
            for place in 0..4 {
                let byte = rest.u8()?;
                length |= usize::from(byte & 0x7f) << (7 * place);
                if byte & 0x80 == 0 {
                    break;
                }
            }
            rest.take(length)?;
        }
        Some(())
    }

    fn finish_connect(&mut self, code: Option<u8>, out: &mut Findings) {
        let Some(mut connect) = self.connecting.take() else { return };
        connect.connect_status = code.map(status);
        // Other refusals (a version, a name) have nothing to do with the account.
        let success = match code {
            Some(0) => Some(true),
            Some(4 | 5 | 0x86 | 0x87 | 0x8c) => Some(false),
            _ => None,
        };
        out.say(Login {
            protocol: Protocol::Mqtt.as_str(),
            method: if connect.user.is_some() { "password" } else { "none" },
            user: connect.user.clone(),
            domain: None,
            workstation: None,
            success,
            inferred: false,
        });
        out.say(connect);
    }

    fn read_publish(&self, first: u8, length: u64, mut rest: Cursor<'_>) -> Option<MqttPublish> {
        let before = rest.rest().len();
        let topic = string(&mut rest)?;
        let quality = (first >> 1) & 3;
        if quality > 0 {
            rest.be16()?;
        }
        self.skip_properties(&mut rest)?;
        let header = before - rest.rest().len();
        Some(MqttPublish {
            from_client: false,
            retain: first & 1 != 0,
            qos: match quality {
                0 => "at most once",
                1 => "at least once",
                2 => "exactly once",
                _ => "unknown",
            },
            topic: text(topic, MAX_NAME),
            payload: text(rest.rest(), MAX_PAYLOAD),
            payload_len: length.saturating_sub(header as u64),
        })
    }

    fn read_subscribe(&self, has_levels: bool, mut rest: Cursor<'_>) -> Option<MqttSubscribe> {
        rest.be16()?;
        self.skip_properties(&mut rest)?;
        let mut topics = Vec::new();
        let mut qos_levels = Vec::new();
        while topics.len() < MAX_TOPICS
            && let Some(topic) = string(&mut rest)
        {
            topics.push(text(topic, MAX_NAME));
            if has_levels {
                qos_levels.push(rest.u8().unwrap_or(0) & 3);
            }
        }
        let action = if has_levels { "MQTT::SUBSCRIBE" } else { "MQTT::UNSUBSCRIBE" };
        (!topics.is_empty()).then_some(MqttSubscribe { action, topics, qos_levels })
    }
}

/// A type, and up to four bytes of length with seven bits each (MQTT 5 section 1.5.5).
fn packet_size(data: &[u8]) -> Size {
    let mut length = 0u64;
    for place in 0..4 {
        let Some(&byte) = data.get(1 + place) else { return Size::Need(2 + place) };
        length |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Size::Is(length + 2 + place as u64);
        }
    }
    Size::Lost
}

/// Two bytes of length and as many of text.
fn string<'a>(rest: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = rest.be16()?;
    rest.take(usize::from(length))
}

fn status(code: u8) -> Cow<'static, str> {
    Cow::Borrowed(match code {
        0 => "Connection Accepted",
        1 => "Refused: unacceptable protocol version",
        2 => "Refused: identifier rejected",
        3 => "Refused: server unavailable",
        4 | 0x86 => "Refused: bad user name or password",
        5 | 0x87 => "Refused: not authorized",
        _ => return Cow::Owned(format!("unknown-{code}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Record;
    use proptest::prelude::*;

    const C: Role = Role::Client;
    const S: Role = Role::Server;

    fn framed(first: u8, body: &[u8]) -> Vec<u8> {
        let mut packet = vec![first];
        let mut length = body.len();
        loop {
            let more = if length > 127 { 0x80 } else { 0 };
            packet.push((length & 0x7f) as u8 | more);
            length >>= 7;
            if length == 0 {
                break;
            }
        }
        packet.extend(body);
        packet
    }

    fn word(text: &str) -> Vec<u8> {
        [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
    }

    fn connect(version: u8, user: Option<&str>) -> Vec<u8> {
        let flags = if user.is_some() { 0xc2 } else { 2 };
        let mut body = word("MQTT");
        body.extend([version, flags, 0, 60]);
        if version == 5 {
            body.push(0);
        }
        body.extend(word("thing"));
        if let Some(user) = user {
            body.extend(word(user));
            body.extend(word("secret"));
        }
        framed(0x10, &body)
    }

    fn play(turns: &[(Role, Vec<u8>)]) -> Vec<Record> {
        let mut mqtt = Dissection::new();
        let mut out = Findings::default();
        for (sender, data) in turns {
            for piece in data.chunks(5) {
                mqtt.on_data(Timestamp::from_secs(1), *sender, piece, &mut out);
            }
        }
        mqtt.on_end(Timestamp::from_secs(1), &mut out);
        out.records
    }

    #[test]
    fn tells_clients_messages_and_subscriptions() {
        let content = "x".repeat(300);
        let publish = [word("a/b"), content.into_bytes()].concat();
        let subscribe = [&[0, 7][..], &word("cmd/#"), &[1]].concat();
        let records = play(&[
            (C, connect(4, Some("me"))),
            (S, framed(0x20, &[0, 0])),
            (C, framed(0x31, &publish)),
            (C, framed(0x82, &subscribe)),
        ]);

        let Record::Login(login) = &records[0] else { panic!("{records:?}") };
        assert_eq!((login.user.as_deref(), login.success), (Some("me"), Some(true)));
        let Record::MqttConnect(connect) = &records[1] else { panic!("{records:?}") };
        assert_eq!(connect.proto_version, "3.1.1");
        assert_eq!(connect.connect_status.as_deref(), Some("Connection Accepted"));
        let Record::MqttPublish(publish) = &records[2] else { panic!("{records:?}") };
        assert_eq!((publish.topic.as_str(), publish.payload_len), ("a/b", 300));
        assert!(publish.retain && publish.from_client);
        let Record::MqttSubscribe(topics) = &records[3] else { panic!("{records:?}") };
        assert_eq!(
            (&topics.topics[..], &topics.qos_levels[..]),
            (&["cmd/#".to_owned()][..], &[1][..])
        );
    }

    #[test]
    fn tells_refusals_in_both_versions() {
        for (version, answer) in [(4, &[0, 5][..]), (5, &[0, 0x86, 0])] {
            let records = play(&[(C, connect(version, Some("me"))), (S, framed(0x20, answer))]);

            let Record::Login(login) = &records[0] else { panic!("{records:?}") };
            assert_eq!(login.success, Some(false), "{version}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, u8, Vec<u8>)>, version: u8) {
            let mut mqtt = Dissection::new();
            let mut out = Findings::default();
            mqtt.on_data(Timestamp::EPOCH, C, &connect(version, Some("me")), &mut out);
            for (is_client, first, piece) in &pieces {
                let sender = if *is_client { C } else { S };
                mqtt.on_data(Timestamp::EPOCH, sender, &framed(*first, piece), &mut out);
            }
            for (is_client, _, piece) in &pieces {
                mqtt.on_data(Timestamp::EPOCH, if *is_client { C } else { S }, piece, &mut out);
            }
            mqtt.on_end(Timestamp::EPOCH, &mut out);
            prop_assert!(mqtt.bytes() < 16 * 1024);
        }
    }
}
