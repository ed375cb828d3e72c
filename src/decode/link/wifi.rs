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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::frames::{cat, frame_at, holds_syn, seen, syn};
    use crate::decode::{DecodeConfig, Decoder};
    use crate::source::LinkType;

    const SNAP: [u8; 8] = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    const ADDRESSES: [[u8; 6]; 4] = [[2, 0, 0, 0, 0, 1], [2; 6], [2, 0, 0, 0, 0, 3], [4; 6]];

    /// A data frame with these first two bytes and what comes after the sequence control.
    fn data(kind: u8, flags: u8, more: &[u8]) -> Vec<u8> {
        let [a, b, c, _] = ADDRESSES;
        cat(&[&[kind, flags, 0, 0], &a, &b, &c, &[0, 0], more, &SNAP, &syn()])
    }

    fn macs(frame: &[u8]) -> (MacAddr, MacAddr) {
        let mut decoder = Decoder::new(&DecodeConfig::default());
        decoder.decode(&frame_at(0, LinkType::IEEE802_11, frame)).unwrap().macs.unwrap()
    }

    #[test]
    fn reads_data_frames_of_every_direction() {
        let [a, b, c, d] = ADDRESSES.map(MacAddr);

        assert_eq!(macs(&data(0x08, 0, &[])), (b, a));
        assert_eq!(macs(&data(0x08, 1, &[])), (b, c));
        assert_eq!(macs(&data(0x08, 2, &[])), (c, a));
        assert_eq!(macs(&data(0x08, 3, &ADDRESSES[3])), (d, c));
    }

    #[test]
    fn reads_quality_of_service_and_aggregates() {
        let subframe_len = ((SNAP.len() + syn().len()) as u16).to_be_bytes();
        let subframe = cat(&[&[0x80, 0], &[6; 6], &[8; 6], &subframe_len]);

        holds_syn(105, &data(0x88, 1, &[0, 0]));
        holds_syn(105, &data(0x88, 0x81, &[0, 0, 1, 2, 3, 4]));
        holds_syn(105, &data(0x88, 2, &subframe));
        assert_eq!(macs(&data(0x88, 2, &subframe)), (MacAddr([8; 6]), MacAddr([6; 6])));
    }

    #[test]
    fn says_why_there_is_nothing_to_read() {
        assert_eq!(seen(105, &[0x80, 0]), Err(Skip::WifiControl));
        assert_eq!(seen(105, &data(0x48, 1, &[])), Err(Skip::WifiControl));
        assert_eq!(seen(105, &data(0x08, 0x41, &[])), Err(Skip::Encrypted));
        assert_eq!(seen(105, &data(0x08, 0x05, &[])), Err(Skip::LinkFragment));
        assert_eq!(seen(105, &[0x09, 0]), Err(Skip::BadLink));
    }

    #[test]
    fn reads_radiotap_and_its_flags() {
        let plain = cat(&[&[0, 0, 8, 0, 0, 0, 0, 0], &data(0x08, 1, &[])]);
        let clocked = [0, 0, 25, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0];
        let with = |flags: u8, frame: &[u8]| cat(&[&clocked, &[7; 8], &[flags], frame]);

        holds_syn(127, &plain);
        holds_syn(127, &with(0, &data(0x08, 1, &[])));
        // A QoS header has 26 bytes, and was padded to 28.
        holds_syn(127, &with(0x20, &data(0x88, 1, &[0, 0, 0, 0])));
        assert_eq!(seen(127, &with(0x40, &data(0x08, 1, &[]))), Err(Skip::BadFcs));
        assert_eq!(seen(127, &[1, 0, 8, 0, 0, 0, 0, 0]), Err(Skip::BadLink));
    }

    #[test]
    fn reads_prism_and_avs() {
        let frame = data(0x08, 1, &[]);
        let prism = cat(&[&[0x44, 0, 0, 0, 144, 0, 0, 0], &[0; 136], &frame]);
        let avs = cat(&[&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64], &[0; 56], &frame]);

        holds_syn(119, &prism);
        holds_syn(119, &avs);
        holds_syn(163, &avs);
        assert_eq!(seen(163, &[0x80, 0x21, 0x10, 1, 0, 0, 0, 4]), Err(Skip::BadLink));
    }
}
