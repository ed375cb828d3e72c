//! Streams of voice and pictures, packet by packet.

use std::time::Duration;

use super::super::place::End;
use super::super::wire::Layer;
use super::{Passing, What};
use crate::time::Timestamp;

/// Voice or pictures both ways: a packet of fixed size in a fixed beat.
#[derive(Clone, Copy, Debug)]
pub struct Media {
    /// Who talks with whom.
    pub ends: (End, End),
    /// Their ports.
    pub ports: (u16, u16),
    /// When it begins.
    pub start: Timestamp,
    /// From one packet of a side to its next.
    pub beat: Duration,
    /// Packets of each side.
    pub count: u32,
    /// Bytes of each packet of the first and the second; 0 for a side that is silent.
    pub sizes: (u16, u16),
    /// The payload type of RTP (RFC 3551).
    pub kind: u8,
}

/// A stream while it is played.
#[derive(Debug)]
pub(super) struct Playing {
    media: Media,
    sent: u32,
    second: bool,
    seed: u32,
}

impl Media {
    /// Begins to play; the seed names its source.
    pub(super) const fn play(self, seed: u32) -> Playing {
        Playing { media: self, sent: 0, second: false, seed }
    }
}

impl Playing {
    /// When its next packet passes; `None` when it is over.
    pub(super) fn next_ts(&self) -> Option<Timestamp> {
        let Media { start, beat, count, .. } = self.media;
        if self.sent >= count {
            return None;
        }
        let late = if self.second { beat / 3 } else { Duration::ZERO };
        Some(start + beat * self.sent + late)
    }

    /// The next packet, with its payload in `payload`.
    pub(super) fn pass(&mut self, ts: Timestamp, payload: &mut Vec<u8>) -> Passing {
        let Media { ends, ports, sizes, kind, .. } = self.media;
        let (from, to, ports, size) = if self.second {
            (ends.1, ends.0, (ports.1, ports.0), sizes.1)
        } else {
            (ends.0, ends.1, ports, sizes.0)
        };
        payload.clear();
        let number = self.sent as u16;
        payload.extend_from_slice(&[0x80, kind]);
        payload.extend_from_slice(&number.to_be_bytes());
        payload.extend_from_slice(&(self.sent * 160).to_be_bytes());
        payload.extend_from_slice(&(self.seed ^ u32::from(self.second)).to_be_bytes());
        payload.resize(usize::from(size).max(12), 0x55);
        if self.second || sizes.1 == 0 {
            self.sent += 1;
            self.second = false;
        } else {
            self.second = true;
        }
        let layer = Layer::Udp(ports.0, ports.1);
        Passing { ts, from, to, ident: number, what: What::Ip(layer) }
    }
}
