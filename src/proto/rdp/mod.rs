//! Remote Desktop ([MS-RDPBCGR]): who opens it, how it is to be protected, and how an
//! authentication before the desktop seems to have ended.

mod conference;
mod names;
mod nla;

use super::bytes::{be16, byte, contains, filled, le16, le32, part, text};
use super::framing::{Framers, Size};
use super::{Dissector, Findings, Protocol, Role, dissector};
use crate::event::{Conversation, Login, Rdp};
use crate::time::Timestamp;

/// Conference requests have some hundred bytes, answers with certificates a few thousand.
const HEAD: usize = 4096;

/// Authentication before the desktop: CredSSP, without and with an early answer.
const HYBRID: u32 = 2;
const HYBRID_EX: u32 = 8;
/// RESTRICTED_ADMIN_MODE_REQUIRED (section 2.2.1.1.1).
const RESTRICTED_ADMIN: u8 = 1;

/// Reads one connection.
#[derive(Debug)]
pub(super) struct Dissect {
    framers: Framers,
    stage: Stage,
    talk: Option<Conversation>,
}

#[derive(Debug)]
enum Stage {
    /// What will be said is being agreed upon.
    Opening(Box<Rdp>),
    /// TLS follows; what it says in its handshake is told by who reads that.
    Tls { inner: Option<Box<dyn Dissector>>, watch: Option<Box<(nla::Watch, Option<String>)>> },
    /// Nothing more will be in clear.
    Over,
}

impl Dissect {
    /// A connection of which nothing was seen yet.
    pub(super) fn new() -> Self {
        let stage = Stage::Opening(Box::default());
        Self { framers: Framers::new(HEAD), stage, talk: None }
    }

    /// Takes a TPKT (RFC 1006), whose X.224 part begins at byte 4.
    fn on_packet(&mut self, sender: Role, packet: &[u8], out: &mut Findings) {
        let Stage::Opening(record) = &mut self.stage else { return };
        match (sender, byte(packet, 5)) {
            (Role::Client, Some(0xe0)) => asked(packet, record),
            (Role::Server, Some(0xd0)) => match agreed(packet, record) {
                Agreed::Tls(protocol) => {
                    record.result = Some("encrypted".to_owned());
                    let user = record.cookie.clone();
                    self.say(out);
                    self.follow_tls(protocol, user);
                }
                Agreed::Nothing => {
                    self.say(out);
                    self.stage = Stage::Over;
                }
                Agreed::Own => {}
            },
            (Role::Client, Some(0xf0)) => {
                conference::request(packet, record);
            }
            (Role::Server, Some(0xf0)) if conference::answer(packet, record) => {
                // MCS Connect Response (section 2.2.1.4): its result, an ENUMERATED, comes first.
                let body = part(packet, 7, 16);
                let at = body.windows(2).position(|window| window == [0x0a, 1]);
                record.result = at.and_then(|at| byte(body, at + 2)).map(names::result);
                // Who leaves the choice out gets RDP's own encryption, and Zeek says nothing of it.
                self.say(out);
                self.stage = Stage::Over;
            }
            _ => {}
        }
    }

    fn follow_tls(&mut self, protocol: u32, user: Option<String>) {
        let mut inner = dissector(Protocol::Ssl);
        if let (Some(inner), Some(talk)) = (&mut inner, &self.talk) {
            inner.on_start(talk);
        }
        let authenticates = matches!(protocol, HYBRID | HYBRID_EX);
        let watch = authenticates.then(|| Box::new((nla::Watch::default(), user)));
        self.stage = Stage::Tls { inner, watch };
    }

    /// Says what was agreed upon, if anything was said at all.
    fn say(&mut self, out: &mut Findings) {
        let Stage::Opening(record) = &mut self.stage else { return };
        let record = std::mem::take(&mut **record);
        let tells = record.cookie.is_some()
            || record.keyboard_layout.is_some()
            || record.result.is_some()
            || record.security_protocol.is_some();
        if tells {
            out.say(record);
        }
    }

    fn on_tls(&mut self, at: Timestamp, sender: Role, data: &[u8], out: &mut Findings) {
        let Stage::Tls { inner, watch } = &mut self.stage else { return };
        if let Some(reads) = inner {
            reads.on_data(at, sender, data, out);
            // What TLS carries here is not its dissector's to say.
            out.becomes = None;
            if !reads.wants(Role::Client) && !reads.wants(Role::Server) {
                *inner = None;
            }
        }
        if let Some((nla, _)) = watch.as_deref_mut() {
            nla.on_data(sender, data);
            if nla.is_in()
                && let Some(watch) = watch.take()
            {
                out.say(login(watch.1, Some(true)));
            }
        }
    }
}

impl Dissector for Dissect {
    fn on_start(&mut self, talk: &Conversation) {
        self.talk = Some(*talk);
    }

    fn on_data(&mut self, at: Timestamp, sender: Role, data: &[u8], out: &mut Findings) {
        let mut data = data;
        while matches!(self.stage, Stage::Opening(_)) {
            let mut framer = self.framers.take(sender);
            framer.resume_at(data, measure);
            let found = framer.next(&mut data, measure).map(|message| message.head);
            let is_done = found.is_none();
            if let Some(packet) = found {
                self.on_packet(sender, packet, out);
            }
            self.framers.put(sender, framer);
            if is_done {
                break;
            }
        }
        if !data.is_empty() {
            self.on_tls(at, sender, data, out);
        }
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        match &mut self.stage {
            Stage::Opening(_) => self.framers.lose(sender, bytes),
            Stage::Tls { inner, watch } => {
                if let Some(inner) = inner {
                    inner.on_gap(sender, bytes);
                }
                if let Some((nla, _)) = watch.as_deref_mut() {
                    nla.on_gap(sender, bytes);
                }
            }
            Stage::Over => {}
        }
    }

    fn on_end(&mut self, at: Timestamp, out: &mut Findings) {
        self.say(out);
        if let Stage::Tls { inner, watch } = &mut self.stage {
            if let Some(inner) = inner {
                inner.on_end(at, out);
            }
            if let Some((nla, user)) = watch.take().map(|watch| *watch)
                && let Some(success) = nla.result()
            {
                out.say(login(user, Some(success)));
            }
        }
        self.stage = Stage::Over;
    }

    fn wants(&self, sender: Role) -> bool {
        match &self.stage {
            Stage::Opening(_) => true,
            Stage::Tls { inner, watch } => {
                watch.is_some() || inner.as_ref().is_some_and(|inner| inner.wants(sender))
            }
            Stage::Over => false,
        }
    }

    fn bytes(&self) -> usize {
        let stage = match &self.stage {
            Stage::Opening(record) => {
                size_of::<Rdp>() + record.client_channels.capacity() * 32 + 256
            }
            Stage::Tls { inner, watch } => {
                inner.as_ref().map_or(0, |inner| inner.bytes())
                    + watch.as_ref().map_or(0, |_| size_of::<nla::Watch>() + 64)
            }
            Stage::Over => 0,
        };
        size_of::<Self>() + self.framers.heap_bytes() + stage
    }
}

/// The length in a TPKT's header.
fn measure(data: &[u8]) -> Size {
    match (byte(data, 0), byte(data, 1), be16(data, 2)) {
        (Some(3) | None, Some(0) | None, None) => Size::Need(4),
        (Some(3), Some(0), Some(length @ 7..)) => Size::Is(u64::from(length)),
        _ => Size::Lost,
    }
}

/// X.224 Connection Request (section 2.2.1.1): a cookie, then what the client can do.
fn asked(packet: &[u8], record: &mut Rdp) {
    const COOKIE: &[u8] = b"Cookie: mstshash=";
    let options = packet.get(11..).unwrap_or_default();
    let mut rest = options;
    if contains(part(options, 0, 8), b"Cookie: ") {
        let end = options.windows(2).position(|window| window == b"\r\n");
        let line = part(options, 0, end.unwrap_or(options.len()));
        rest = end.and_then(|end| options.get(end + 2..)).unwrap_or_default();
        record.cookie = line.strip_prefix(COOKIE).and_then(|name| filled(text(name, 128)));
    }
    if byte(rest, 0) == Some(1) && le16(rest, 2) == Some(8) {
        record.restricted_admin = byte(rest, 1).is_some_and(|it| it & RESTRICTED_ADMIN != 0);
    }
}

enum Agreed {
    Tls(u32),
    Own,
    Nothing,
}

/// X.224 Connection Confirm (section 2.2.1.2): what the server chose, or why it will not.
fn agreed(packet: &[u8], record: &mut Rdp) -> Agreed {
    let options = packet.get(11..).unwrap_or_default();
    match (byte(options, 0), le32(options, 4)) {
        (Some(2), Some(protocol)) => {
            record.security_protocol = Some(names::security(protocol));
            if protocol == 0 { Agreed::Own } else { Agreed::Tls(protocol) }
        }
        (Some(3), Some(code)) => {
            record.result = Some(names::failure(code));
            Agreed::Nothing
        }
        _ => Agreed::Own,
    }
}

fn login(user: Option<String>, success: Option<bool>) -> Login {
    Login {
        protocol: Protocol::Rdp.as_str(),
        method: "nla",
        user,
        domain: None,
        workstation: None,
        success,
        inferred: true,
    }
}

#[cfg(test)]
mod story {
    use super::*;
    use crate::event::Record;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_secs(1);

    fn tpkt(body: &[u8]) -> Vec<u8> {
        [&[3, 0][..], &(body.len() as u16 + 4).to_be_bytes(), body].concat()
    }

    fn request(cookie: &[u8], flags: u8, protocols: u8) -> Vec<u8> {
        let options = [cookie, &[1, flags, 8, 0, protocols, 0, 0, 0]].concat();
        tpkt(&[&[6 + options.len() as u8, 0xe0, 0, 0, 0, 0, 0][..], &options].concat())
    }

    fn confirm(kind: u8, value: u8) -> Vec<u8> {
        tpkt(&[14, 0xd0, 0, 0, 0, 0, 0, kind, 0, 8, 0, value, 0, 0, 0])
    }

    fn tls(length: usize) -> Vec<u8> {
        let mut out = vec![23, 3, 3, (length >> 8) as u8, length as u8];
        out.resize(5 + length, 0);
        out
    }

    fn conference() -> Vec<u8> {
        let mut core = vec![0; 210];
        core[..4].copy_from_slice(&[1, 0xc0, 210, 0]);
        core[8..12].copy_from_slice(&[0x20, 3, 0x58, 2]);
        core[16..20].copy_from_slice(&1033_u32.to_le_bytes());
        core[20..24].copy_from_slice(&6001_u32.to_le_bytes());
        core[24..28].copy_from_slice(b"P\0C\0");
        core[140] = 16;
        let mut net = vec![3, 0xc0, 20, 0, 1, 0, 0, 0];
        net.extend(b"rdpdr\0\0\0\0\0\0\0");
        tpkt(&[&[2, 0xf0, 0x80, 0x7f, 0x65][..], b"Duca", &[0x80, 230], &core, &net].concat())
    }

    fn conference_answer() -> Vec<u8> {
        let mut security = vec![2, 0x0c, 60, 0, 2, 0, 0, 0, 3, 0, 0, 0, 32, 0, 0, 0, 8, 0, 0, 0];
        security.extend([7; 32]);
        security.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        let head = [2, 0xf0, 0x80, 0x7f, 0x66, 0x50, 0x0a, 1, 0];
        tpkt(&[&head[..], b"McDn", &[60], &security].concat())
    }

    fn hear(messages: &[(Role, Vec<u8>)], piece: usize) -> Vec<Record> {
        let mut dissect = Dissect::new();
        let mut out = Findings::default();
        for (sender, message) in messages {
            for piece in message.chunks(piece) {
                dissect.on_data(NOW, *sender, piece, &mut out);
            }
        }
        dissect.on_end(NOW, &mut out);
        out.records
    }

    use Role::{Client, Server};

    #[test]
    fn tells_what_is_agreed_upon_and_how_the_authentication_seems_to_end() {
        let opening = [
            (Client, request(b"Cookie: mstshash=eve\r\n", 1, 3)),
            (Server, confirm(2, 2)),
            (Client, tls(100)),
            (Server, tls(300)),
            (Client, tls(700)),
            (Server, tls(60)),
        ];

        for piece in [1, 3, 10_000] {
            let records = hear(&opening, piece);
            let [Record::Rdp(rdp), Record::Login(login)] = &records[..] else {
                panic!("{records:?}")
            };
            assert_eq!(rdp.cookie.as_deref(), Some("eve"));
            assert_eq!(rdp.security_protocol.as_deref(), Some("HYBRID"));
            assert_eq!(rdp.result.as_deref(), Some("encrypted"));
            assert!(rdp.restricted_admin);
            assert_eq!((login.user.as_deref(), login.success), (Some("eve"), Some(false)));
            assert!(login.inferred);
        }
    }

    #[test]
    fn tells_why_nothing_is_agreed_upon() {
        let records = hear(&[(Client, request(b"", 0, 1)), (Server, confirm(3, 2))], 99);

        let [Record::Rdp(rdp)] = &records[..] else { panic!("{records:?}") };
        assert_eq!(rdp.result.as_deref(), Some("SSL_NOT_ALLOWED_BY_SERVER"));
        assert_eq!((&rdp.cookie, &rdp.security_protocol), (&None, &None));
    }

    #[test]
    fn begins_in_the_middle() {
        let mut dissect = Dissect::new();
        let mut out = Findings::default();
        dissect.on_gap(Client, 13);
        dissect.on_data(NOW, Client, &conference(), &mut out);
        dissect.on_end(NOW, &mut out);

        assert!(matches!(&out.records[..], [Record::Rdp(_)]));
    }

    #[test]
    fn tells_what_a_client_says_of_itself_in_clear() {
        let messages = [
            (Client, request(b"Cookie: mstshash=eve\r\n", 0, 0)),
            (Server, confirm(2, 0)),
            (Client, conference()),
            (Server, conference_answer()),
        ];

        for piece in [1, 100, 10_000] {
            let records = hear(&messages, piece);
            let [Record::Rdp(rdp)] = &records[..] else { panic!("{records:?}") };
            assert_eq!(rdp.client_name.as_deref(), Some("PC"));
            assert_eq!(rdp.client_build.as_deref(), Some("RDP 6.1"));
            assert_eq!(rdp.keyboard_layout.as_deref(), Some("English - United States"));
            assert_eq!((rdp.desktop_width, rdp.desktop_height), (Some(800), Some(600)));
            assert_eq!(rdp.requested_color_depth.as_deref(), Some("16bit"));
            assert_eq!(rdp.client_channels, ["rdpdr"]);
            assert_eq!(rdp.result.as_deref(), Some("Success"));
            assert_eq!(rdp.encryption_method.as_deref(), Some("128bit"));
            assert_eq!((rdp.cert_type, rdp.cert_count), (Some("RSA"), 1));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>)>, changes: Vec<(u8, u8)>) {
            for start in [confirm(2, 2), confirm(2, 0), conference(), conference_answer()] {
                let mut dissect = Dissect::new();
                let mut out = Findings::default();
                let mut start = start;
                for (at, byte) in &changes {
                    if let Some(place) = start.get_mut(usize::from(*at)) {
                        *place = *byte;
                    }
                }
                dissect.on_data(NOW, Client, &start, &mut out);
                dissect.on_data(NOW, Server, &start, &mut out);
                for (client, piece) in &pieces {
                    let sender = if *client { Client } else { Server };
                    dissect.on_data(NOW, sender, &tpkt(piece), &mut out);
                    dissect.on_data(NOW, sender, piece, &mut out);
                    dissect.on_gap(sender, piece.len() as u64);
                }
                dissect.on_end(NOW, &mut out);
                prop_assert!(dissect.bytes() < 64 * 1024);
            }
        }
    }
}
