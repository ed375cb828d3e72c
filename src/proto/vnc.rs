//! Remote framebuffer (RFC 6143): how a client identifies itself, whether that was enough, and what
//! it gets to see.

use std::borrow::Cow;

use super::framing::{Framers, Size};
use super::render::text;
use super::{Dissector, Findings, Protocol, Role};
use crate::event::{Login, Rfb};
use crate::time::Timestamp;

/// Messages are read up to here: the longest that matter hold the name of a screen.
const MAX_MESSAGE: usize = 512;
/// Names are kept up to here.
const MAX_NAME: usize = 256;
/// VNC authentication, by challenge and response (RFC 6143 section 7.2.2).
const VNC: u8 = 2;
/// Apple Remote Desktop's, which has no public specification.
const APPLE: u8 = 30;

/// Reads one connection until the screen is shared.
#[derive(Debug)]
pub(super) struct Dissection {
    framers: Framers,
    session: Session,
}

/// What a direction says next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// `RFB 003.008\n`
    Version,
    /// The server: one type of security in four bytes (version 3.3).
    Type,
    /// The server: a count and as many types.
    Types,
    /// The client: the type that it chose.
    Choice,
    /// The server: a challenge of 16 bytes, or Apple's parameters.
    Challenge,
    AppleChallenge,
    /// The client: an answer of as many bytes.
    Response(u16),
    /// The server: 0 is good.
    Result,
    /// The client: whether others may stay.
    Init,
    /// The server: size, format and name.
    Screen,
    /// Nothing that is read, or that can be.
    Nothing,
}

#[derive(Debug)]
struct Session {
    record: Rfb,
    client: Next,
    server: Next,
    minor: u16,
    kind: Option<u8>,
    is_said: bool,
}

impl Dissection {
    pub(super) fn new() -> Self {
        Self {
            framers: Framers::new(MAX_MESSAGE),
            session: Session {
                record: Rfb::default(),
                client: Next::Version,
                server: Next::Version,
                minor: 0,
                kind: None,
                is_said: false,
            },
        }
    }
}

impl Dissector for Dissection {
    fn on_data(&mut self, _: Timestamp, sender: Role, mut data: &[u8], out: &mut Findings) {
        let Self { framers, session } = self;
        let framer = framers.of(sender);
        loop {
            let next = session.next(sender);
            if next == Next::Nothing {
                return;
            }
            let Some(message) = framer.next(&mut data, |head| next.measure(head)) else { return };
            match sender {
                Role::Client => session.on_client(next, message.head),
                Role::Server => session.on_server(next, message.head, out),
            }
        }
    }

    fn on_gap(&mut self, _: Role, _: u64) {
        (self.session.client, self.session.server) = (Next::Nothing, Next::Nothing);
    }

    fn on_end(&mut self, _: Timestamp, out: &mut Findings) {
        let session = &mut self.session;
        if session.server == Next::Result && matches!(session.client, Next::Init) {
            session.log_in(None, out);
        }
        session.tell(out);
    }

    fn wants(&self, _: Role) -> bool {
        !self.session.is_said
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.framers.heap_bytes() + MAX_NAME
    }
}

impl Next {
    fn measure(self, head: &[u8]) -> Size {
        match self {
            Self::Version => match head.get(..4) {
                Some(b"RFB ") => Size::Is(12),
                Some(_) => Size::Lost,
                None => Size::Need(4),
            },
            Self::Type | Self::Result => Size::Is(4),
            Self::Types => match head.first() {
                Some(&count) => Size::Is(1 + u64::from(count)),
                None => Size::Need(1),
            },
            Self::Challenge => Size::Is(16),
            // Two bytes of generator, a length, a prime and a key of that length.
            Self::AppleChallenge => match head.get(2..4) {
                Some(&[high, low]) => Size::Is(4 + 2 * u64::from(u16::from_be_bytes([high, low]))),
                _ => Size::Need(4),
            },
            Self::Response(length) => Size::Is(u64::from(length)),
            Self::Choice | Self::Init => Size::Is(1),
            Self::Screen => match head.get(20..24).and_then(|length| length.first_chunk()) {
                Some(length) => Size::Is(24 + u64::from(u32::from_be_bytes(*length))),
                None => Size::Need(24),
            },
            Self::Nothing => Size::Lost,
        }
    }
}

impl Session {
    const fn next(&self, sender: Role) -> Next {
        match sender {
            Role::Client => self.client,
            Role::Server => self.server,
        }
    }

    fn on_client(&mut self, next: Next, message: &[u8]) {
        match next {
            Next::Version => {
                let (major, minor) = version(message);
                // What nobody knows is version 3.3 (RFC 6143 section 7.1.1).
                self.minor = if matches!(minor.as_str(), "007" | "008" | "889") {
                    minor.parse().unwrap_or(3)
                } else {
                    3
                };
                self.record.client_major_version = Some(major);
                self.record.client_minor_version = Some(minor);
                (self.client, self.server) = match self.minor {
                    // The client says nothing before it knows what is wanted.
                    3 => (Next::Nothing, Next::Type),
                    _ => (Next::Choice, Next::Types),
                };
            }
            Next::Choice => {
                if let Some(&kind) = message.first() {
                    self.choose(kind);
                }
            }
            Next::Response(_) => self.client = Next::Init,
            Next::Init => {
                self.record.share_flag = message.first().map(|&flag| flag != 0);
                self.client = Next::Nothing;
            }
            _ => {}
        }
    }

    fn on_server(&mut self, next: Next, message: &[u8], out: &mut Findings) {
        match next {
            Next::Version => {
                let (major, minor) = version(message);
                self.record.server_major_version = Some(major);
                self.record.server_minor_version = Some(minor);
                // What follows depends on the client's version.
                self.server = Next::Nothing;
            }
            Next::Type => match message.last() {
                Some(&kind) => self.choose(kind),
                None => self.server = Next::Nothing,
            },
            Next::Types => {
                // No type at all is a refusal, with a reason.
                self.server = Next::Nothing;
                if message.first() == Some(&0) {
                    self.client = Next::Nothing;
                }
            }
            Next::Challenge | Next::AppleChallenge => self.server = Next::Result,
            Next::Result => {
                let success = message == [0, 0, 0, 0];
                self.record.auth = Some(success);
                self.log_in(Some(success), out);
                self.server = if success { Next::Screen } else { Next::Nothing };
                if !success {
                    self.client = Next::Nothing;
                    self.tell(out);
                }
            }
            Next::Screen => {
                let number = |at| super::bytes::be16(message, at);
                self.record.width = number(0);
                self.record.height = number(2);
                self.record.desktop_name = message.get(24..).map(|name| text(name, MAX_NAME));
                self.server = Next::Nothing;
                self.tell(out);
            }
            _ => {}
        }
    }

    /// Security of this type was agreed upon.
    fn choose(&mut self, kind: u8) {
        self.kind = Some(kind);
        self.record.authentication_method = Some(Cow::Borrowed(method_name(kind)));
        (self.client, self.server) = match kind {
            // Before version 3.8 there is no result of nothing.
            1 if self.minor >= 8 => (Next::Init, Next::Result),
            1 => (Next::Init, Next::Screen),
            VNC => (Next::Response(16), Next::Challenge),
            APPLE => (Next::Response(256), Next::AppleChallenge),
            _ => (Next::Nothing, Next::Nothing),
        };
    }

    fn log_in(&self, success: Option<bool>, out: &mut Findings) {
        let method = match self.kind {
            Some(1) => "none",
            Some(APPLE) => "ard",
            _ => "vnc",
        };
        out.say(Login {
            protocol: Protocol::Rfb.as_str(),
            method,
            user: None,
            domain: None,
            workstation: None,
            success,
            inferred: false,
        });
    }

    fn tell(&mut self, out: &mut Findings) {
        if !self.is_said {
            self.is_said = true;
            out.say(std::mem::take(&mut self.record));
        }
    }
}

fn version(message: &[u8]) -> (String, String) {
    let part = |from, to| text(message.get(from..to).unwrap_or_default(), 3);
    (part(4, 7), part(8, 11))
}

/// The names of the registry of RFC 6143 section 8.1.2, as Zeek writes them.
const fn method_name(kind: u8) -> &'static str {
    match kind {
        0 => "Invalid",
        1 => "None",
        VNC => "VNC",
        16 => "Tight",
        17 => "Ultra",
        18 => "TLS",
        19 => "VeNCrypt",
        20 => "GTK-VNC SASL",
        21 => "MD5 hash authentication",
        22 => "Colin Dean xvp",
        APPLE => "Apple Remote Desktop",
        _ => "RealVNC",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Record;
    use proptest::prelude::*;

    const C: Role = Role::Client;
    const S: Role = Role::Server;

    fn play(turns: &[(Role, &[u8])]) -> (Rfb, Vec<Option<bool>>) {
        let mut vnc = Dissection::new();
        let mut out = Findings::default();
        for (sender, data) in turns {
            for piece in data.chunks(3) {
                vnc.on_data(Timestamp::EPOCH, *sender, piece, &mut out);
            }
        }
        vnc.on_end(Timestamp::EPOCH, &mut out);
        let mut logins = Vec::new();
        let mut rfb = None;
        for record in out.records {
            match record {
                Record::Login(login) => logins.push(login.success),
                Record::Rfb(record) => rfb = Some(record),
                other => panic!("{other:?}"),
            }
        }
        (rfb.unwrap(), logins)
    }

    #[test]
    fn reads_a_session_of_version_3_8() {
        let screen = [&[4, 0, 3, 0][..], &[0; 16], &[0, 0, 0, 4], b"desk"].concat();

        let (rfb, logins) = play(&[
            (S, b"RFB 003.008\n"),
            (C, b"RFB 003.008\n"),
            (S, &[2, 1, 2]),
            (C, &[2]),
            (S, &[7; 16]),
            (C, &[8; 16]),
            (S, &[0; 4]),
            (C, &[1]),
            (S, &screen),
        ]);

        assert_eq!(rfb.authentication_method.as_deref(), Some("VNC"));
        assert_eq!((rfb.auth, rfb.share_flag), (Some(true), Some(true)));
        assert_eq!((rfb.width, rfb.height), (Some(1024), Some(768)));
        assert_eq!(rfb.desktop_name.as_deref(), Some("desk"));
        assert_eq!(logins, [Some(true)]);
    }

    #[test]
    fn reads_a_refusal_of_version_3_3() {
        let (rfb, logins) = play(&[
            (S, b"RFB 003.008\n"),
            (C, b"RFB 003.003\n"),
            (S, &[0, 0, 0, 2]),
            (S, &[7; 16]),
            (C, &[8; 16]),
            (S, &[0, 0, 0, 1]),
        ]);

        assert_eq!(rfb.client_minor_version.as_deref(), Some("003"));
        assert_eq!((rfb.auth, logins), (Some(false), vec![Some(false)]));
    }

    #[test]
    fn an_open_screen_is_a_login_too() {
        let (_, logins) = play(&[
            (S, b"RFB 003.008\n"),
            (C, b"RFB 003.008\n"),
            (S, &[1, 1]),
            (C, &[1]),
            (S, &[0; 4]),
        ]);

        assert_eq!(logins, [Some(true)]);
    }

    #[test]
    fn a_scanner_that_leaves_has_no_result() {
        let (rfb, logins) = play(&[(S, b"RFB 003.008\n"), (C, b"RFB 003.008\n"), (S, &[1, 2])]);

        assert_eq!((rfb.authentication_method, logins), (None, vec![]));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<(bool, Vec<u8>)>, opens: bool) {
            let mut vnc = Dissection::new();
            let mut out = Findings::default();
            if opens {
                vnc.on_data(Timestamp::EPOCH, S, b"RFB 003.008\n", &mut out);
                vnc.on_data(Timestamp::EPOCH, C, b"RFB 003.008\n", &mut out);
            }
            for (is_client, piece) in &pieces {
                vnc.on_data(Timestamp::EPOCH, if *is_client { C } else { S }, piece, &mut out);
            }
            vnc.on_end(Timestamp::EPOCH, &mut out);
            prop_assert!(vnc.bytes() < 8 * 1024);
        }
    }
}
