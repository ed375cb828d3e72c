//! Protocol data units of connection-oriented DCE/RPC (C706 chapter 12.6, [MS-RPCE] 2.2.2).

use super::uuid::Uuid;
use crate::proto::bytes::{be16, be32, byte, le16, le32, part, text};
use crate::proto::framing::Size;

/// The first of a call's fragments, and the last.
const FIRST: u8 = 1;
const LAST: u8 = 2;
/// An object's identifier stands before the arguments of a request.
const OBJECT: u8 = 0x80;
/// Interfaces in one bind that are looked at.
const CONTEXT_LIMIT: usize = 16;

/// One unit, or as much of it as is held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pdu<'a> {
    data: &'a [u8],
    pub(super) kind: u8,
    flags: u8,
    little: bool,
    length: usize,
    auth_length: usize,
    pub(super) call: u32,
}

/// What proves who sends a unit ([MS-RPCE] 2.2.2.11).
#[derive(Clone, Copy, Debug)]
pub(super) struct Auth<'a> {
    pub(super) level: u8,
    pub(super) token: &'a [u8],
}

/// How long the unit at the start of `data` is.
pub(super) fn measure(data: &[u8]) -> Size {
    let Some(&representation) = data.get(4) else {
        return if looks_right(data) { Size::Need(10) } else { Size::Lost };
    };
    let length = if representation & 0xf0 == 0x10 { le16(data, 8) } else { be16(data, 8) };
    match length {
        _ if !looks_right(data) || !matches!(representation, 0 | 0x10) => Size::Lost,
        None => Size::Need(10),
        Some(length @ 16..) => Size::Is(u64::from(length)),
        Some(_) => Size::Lost,
    }
}

/// Version 5, a minor version and a kind that exist, as far as they are there.
fn looks_right(data: &[u8]) -> bool {
    byte(data, 0).is_none_or(|version| version == 5)
        && byte(data, 1).is_none_or(|minor| minor <= 1)
        && byte(data, 2).is_none_or(|kind| kind <= 20)
}

impl<'a> Pdu<'a> {
    /// Reads the header of a unit that `measure` has found.
    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        let little = byte(data, 4)? == 0x10;
        let pdu = Self {
            data,
            kind: byte(data, 2)?,
            flags: byte(data, 3)?,
            little,
            length: 0,
            auth_length: 0,
            call: 0,
        };
        Some(Self {
            length: usize::from(pdu.u16(8)?),
            auth_length: usize::from(pdu.u16(10)?),
            call: pdu.u32(12)?,
            ..pdu
        })
    }

    pub(super) const fn is_first(&self) -> bool {
        self.flags & FIRST != 0
    }

    pub(super) const fn is_last(&self) -> bool {
        self.flags & LAST != 0
    }

    /// The number of 16 bits at `at`, in the sender's byte order.
    pub(super) fn u16(&self, at: usize) -> Option<u16> {
        if self.little { le16(self.data, at) } else { be16(self.data, at) }
    }

    /// The number of 32 bits at `at`.
    pub(super) fn u32(&self, at: usize) -> Option<u32> {
        if self.little { le32(self.data, at) } else { be32(self.data, at) }
    }

    /// The proof at its end, if there is one and it is held.
    pub(super) fn auth(&self) -> Option<Auth<'a>> {
        if self.auth_length == 0 {
            return None;
        }
        let at = self.length.checked_sub(self.auth_length + 8)?;
        let level = byte(self.data, at + 1)?;
        Some(Auth { level, token: part(self.data, at + 8, self.auth_length) })
    }

    /// The interfaces that a bind or alter-context proposes, by their context numbers.
    pub(super) fn contexts(&self) -> Vec<(u16, Uuid)> {
        let mut out = Vec::new();
        let count = usize::from(byte(self.data, 24).unwrap_or(0));
        let mut at = 28;
        for _ in 0..count.min(CONTEXT_LIMIT) {
            let Some(transfers) = byte(self.data, at + 2) else { break };
            let Some(number) = self.u16(at) else { break };
            let Some(uuid) = Uuid::read(self.data, at + 4, self.little) else { break };
            out.push((number, uuid));
            at += 24 + 20 * usize::from(transfers);
        }
        out
    }

    /// Where the server of a bind-ack says that it listens: a port or a pipe.
    pub(super) fn secondary_address(&self) -> Option<String> {
        let length = usize::from(self.u16(24)?);
        let address = text(part(self.data, 26, length), 128);
        (!address.is_empty()).then_some(address)
    }

    /// Context and operation number of a request.
    pub(super) fn operation(&self) -> Option<(u16, u16)> {
        Some((self.u16(20)?, self.u16(22)?))
    }

    /// The arguments in a request, little-endian ones only: nobody sends others.
    pub(super) fn arguments(&self) -> &'a [u8] {
        let object = if self.flags & OBJECT == 0 { 0 } else { 16 };
        if self.little { self.body(24 + object) } else { &[] }
    }

    /// The results in a response.
    pub(super) fn results(&self) -> &'a [u8] {
        if self.little { self.body(24) } else { &[] }
    }

    /// The status of a fault.
    pub(super) fn fault(&self) -> Option<u32> {
        self.u32(24)
    }

    /// The last 32 bits of what a response carries, if it is all held.
    pub(super) fn return_code(&self) -> Option<u32> {
        let results = self.results();
        let is_whole = self.data.len() >= self.length;
        if is_whole { le32(results, results.len().checked_sub(4)?) } else { None }
    }

    /// From `start` to the padding of the proof.
    fn body(&self, start: usize) -> &'a [u8] {
        let mut end = self.length;
        if self.auth_length > 0 {
            end = self.length.saturating_sub(self.auth_length + 8);
            let padding = byte(self.data, end + 2).unwrap_or(0);
            end = end.saturating_sub(usize::from(padding));
        }
        part(self.data, start, end.saturating_sub(start))
    }
}

/// A unit of the connectionless protocol (C706 chapter 12.5): a header of 80 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram {
    pub(super) kind: u8,
    pub(super) interface: Uuid,
    pub(super) sequence: u32,
    pub(super) operation: u16,
    pub(super) fragment: u16,
}

impl Datagram {
    /// Reads the header.
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        if byte(data, 0)? != 4 || data.len() < 80 {
            return None;
        }
        let little = byte(data, 4)? & 0xf0 == 0x10;
        let u16 = |at| if little { le16(data, at) } else { be16(data, at) };
        let u32 = |at| if little { le32(data, at) } else { be32(data, at) };
        Some(Self {
            kind: byte(data, 1)?,
            interface: Uuid::read(data, 24, little)?,
            sequence: u32(64)?,
            operation: u16(68)?,
            fragment: u16(76)?,
        })
    }
}
