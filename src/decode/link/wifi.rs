//! IEEE 802.11 data frames and the receiver's headers in front of them.

use super::{Head, Labels, Step, Stepped};
use crate::decode::Skip;
use crate::decode::bytes::{at_most, be16, be32};
use crate::net::MacAddr;

/// A radiotap header, then the frame. Of its fields only the flags matter, which come after at most
/// one other (radiotap.org: fields in order of their bit, aligned to their size).
pub(super) fn radiotap<'a>(bytes: &'a [u8], labels: &mut Labels) -> Stepped<'a> {
    let &[version, _, l0, l1, ref present @ ..] = bytes else { return Err(Skip::TruncatedLink) };
    let len = usize::from(u16::from_le_bytes([l0, l1]));
    if version != 0 || len < 8 {
        return Err(Skip::BadLink);
    }
    let rest = bytes.get(len..).ok_or(Skip::TruncatedLink)?;

    let mut at = 4usize;
    let mut words = present.chunks_exact(4).map(|word| {
        at += 4;
        word.iter().rev().fold(0u32, |all, byte| all << 8 | u32::from(*byte))
    });
    let first = words.next().ok_or(Skip::TruncatedLink)?;
    if first >> 31 == 1 {
        // Bit 31 says that another word of bits follows.
        words.find(|word| word >> 31 == 0).ok_or(Skip::BadLink)?;
    }
    if first & 1 == 1 {
        at = at.next_multiple_of(8) + 8;
    }
    let flags = if first & 2 == 2 && at < len { bytes.get(at).copied().unwrap_or(0) } else { 0 };
    if flags & 0x40 != 0 {
        return Err(Skip::BadFcs);
    }
    frame(rest, flags & 0x20 != 0, labels)
}

/// A Prism header (its length is at 4, in the byte order of the capturing host), or AVS under the
/// same link type, as drivers do.
pub(super) fn prism<'a>(bytes: &'a [u8], labels: &mut Labels) -> Stepped<'a> {
    let code = be32(bytes, 0).ok_or(Skip::TruncatedLink)?;
    if code >> 12 == 0x80211 {
        return avs(bytes, labels);
    }
    let len = be32(bytes, 4).ok_or(Skip::TruncatedLink)?;
    let len = if len > 0xffff { len.swap_bytes() } else { len };
    after(bytes, len, 8, labels)
}

/// An AVS header: magic and version, then its length.
pub(super) fn avs<'a>(bytes: &'a [u8], labels: &mut Labels) -> Stepped<'a> {
    after(bytes, be32(bytes, 4).ok_or(Skip::TruncatedLink)?, 8, labels)
}

fn after<'a>(bytes: &'a [u8], len: u32, least: usize, labels: &mut Labels) -> Stepped<'a> {
    let len = usize::try_from(len).map_err(|_| Skip::BadLink)?;
    if len < least {
        return Err(Skip::BadLink);
    }
    frame(bytes.get(len..).ok_or(Skip::TruncatedLink)?, false, labels)
}

/// An 802.11 frame (IEEE 802.11-2020 clause 9.3.2). `padded` says that the receiver aligned the body
/// to four bytes.
pub(super) fn frame<'a>(bytes: &'a [u8], padded: bool, labels: &mut Labels) -> Stepped<'a> {
    let &[kind, flags, ..] = bytes else { return Err(Skip::TruncatedLink) };
    if kind & 0x03 != 0 {
        return Err(Skip::BadLink);
    }
    // Type 2 is data; subtype bit 2 means that it carries none.
    if kind & 0x0c != 0x08 || kind & 0x40 != 0 {
        return Err(Skip::WifiControl);
    }
    if flags & 0x40 != 0 {
        return Err(Skip::Encrypted);
    }
    let sequence = be16(bytes, 22).ok_or(Skip::TruncatedLink)?;
    // The low nibble of the first byte, little-endian, is the fragment number.
    if sequence & 0x0f00 != 0 || flags & 0x04 != 0 {
        return Err(Skip::LinkFragment);
    }

    let (to_ds, from_ds, qos) = (flags & 1 != 0, flags & 2 != 0, kind & 0x80 != 0);
    let (dst, src) = match (to_ds, from_ds) {
        (false, false) => (4, 10),
        (false, true) => (4, 16),
        (true, false) => (16, 10),
        (true, true) => (16, 24),
    };
    labels.macs = Some((mac(bytes, src)?, mac(bytes, dst)?));

    let control = if to_ds && from_ds { 30 } else { 24 };
    let mut len = control;
    let mut aggregated = false;
    if qos {
        aggregated = bytes.get(control).ok_or(Skip::TruncatedLink)? & 0x80 != 0;
        // The order bit of a QoS frame announces a high-throughput control field.
        len += if flags & 0x80 != 0 { 6 } else { 2 };
    }
    if padded {
        len = len.next_multiple_of(4);
    }
    let body = bytes.get(len..).ok_or(Skip::TruncatedLink)?;
    if !aggregated {
        return Ok(Step::Next(Head::Llc, body));
    }
    // An A-MSDU; its first subframe stands for all, so the others are not seen.
    labels.macs = Some((mac(body, 6)?, mac(body, 0)?));
    let len = be16(body, 12).ok_or(Skip::TruncatedLink)?;
    let inner = body.get(14..).ok_or(Skip::TruncatedLink)?;
    Ok(Step::Next(Head::Llc, at_most(inner, usize::from(len))))
}

fn mac(bytes: &[u8], at: usize) -> Result<MacAddr, Skip> {
    let address = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Skip::TruncatedLink)?;
    Ok(MacAddr(*address))
}
