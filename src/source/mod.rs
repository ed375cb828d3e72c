//! Where packets come from: capture files of every common kind, standard input, live interfaces.
//!
//! A source knows bytes, link types, timestamps and drop counters, and nothing of what is inside.

pub mod duplicates;
mod error;
pub mod file;
mod find;
pub mod live;
mod set;

pub use self::duplicates::Duplicates;
pub use self::error::SourceError;
pub use self::live::{LiveConfig, LiveSource, StopHandle};
pub use self::set::CaptureSet;

use crate::time::Timestamp;

/// The link-layer type of a frame, in the numbering of the tcpdump group's LINKTYPE_ registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: address family in host byte order.
    pub const NULL: Self = Self(0);
    /// IEEE 802.3 Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// PPP, perhaps with HDLC-like framing.
    pub const PPP: Self = Self(9);
    /// PPP in HDLC-like framing (RFC 1662) or Cisco HDLC.
    pub const PPP_HDLC: Self = Self(50);
    /// PPPoE session packets.
    pub const PPP_ETHER: Self = Self(51);
    /// Raw IPv4 or IPv6, told apart by the version nibble.
    pub const RAW: Self = Self(101);
    /// IEEE 802.11.
    pub const IEEE802_11: Self = Self(105);
    /// OpenBSD loopback: address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// Radiotap header followed by IEEE 802.11.
    pub const IEEE802_11_RADIOTAP: Self = Self(127);
    /// Per-Packet Information header followed by a frame of the type it names.
    pub const PPI: Self = Self(192);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux netfilter log messages.
    pub const NFLOG: Self = Self(239);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// One captured frame, borrowed from the source until it advances.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was captured.
    pub ts: Timestamp,
    /// What its first byte belongs to.
    pub link: LinkType,
    /// Which input (file or live interface) it came from, counted from 0 in the order given.
    pub input: u16,
    /// Which capture interface it came from, counted from 0 over all inputs.
    pub interface: u16,
    /// Its length on the wire in bytes, at least `data.len()`.
    pub wire_len: u32,
    /// What was captured of it.
    pub data: &'a [u8],
}

/// What a source has to offer next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Frames.
    Frames,
    /// No frame for a while, and it is this late (live capture only): timers may fire.
    Idle(Timestamp),
    /// Nothing more will come.
    End,
}

/// Something that packets come from, in order of time.
pub trait Source {
    /// Waits for the next frame and lends it until the next call, together with those that follow
    /// it and are in memory already, `most` at most. They are appended to `frames`.
    fn next<'a>(&'a mut self, most: usize, frames: &mut Vec<Frame<'a>>) -> Next;

    /// What is known of each input so far, in the order they were given.
    fn inputs(&self) -> Vec<InputReport>;

    /// The name of an interface by the number that its frames carry, for a person.
    fn interface_name(&self, interface: u16) -> String {
        format!("interface {interface}")
    }
}

/// What became of one input.
#[derive(Clone, Debug, Default)]
pub struct InputReport {
    /// The path, `-` for standard input, or the name of the interface.
    pub name: String,
    /// Frames read.
    pub packets: u64,
    /// Captured bytes of these frames.
    pub bytes: u64,
    /// Time of the first frame, as the input gives it.
    pub first_ts: Option<Timestamp>,
    /// Latest time of any frame.
    pub last_ts: Option<Timestamp>,
    /// Why reading stopped before the end, in words for a person.
    pub damage: Option<String>,
    /// Frames whose time lay before that of a frame already delivered; they were clamped to it.
    pub time_went_back: u64,
    /// Frames the kernel dropped; `None` where nobody says.
    pub kernel_drops: Option<u64>,
    /// Frames the interface dropped; `None` where nobody says.
    pub interface_drops: Option<u64>,
}

impl InputReport {
    /// Counts a frame of `bytes` that the input dates `ts`. Gives its time on the common timeline, where
    /// `latest` is the latest so far.
    #[inline]
    fn count(&mut self, ts: Timestamp, bytes: usize, latest: &mut Timestamp) -> Timestamp {
        self.packets += 1;
        self.bytes += bytes as u64;
        self.first_ts.get_or_insert(ts);
        self.last_ts = self.last_ts.max(Some(ts));
        self.time_went_back += u64::from(ts < *latest);
        *latest = ts.max(*latest);
        *latest
    }
}
