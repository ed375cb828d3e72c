//! PPP in its framings, PPPoE, and Cisco HDLC, which shares its serial lines.

use super::{Head, Layer, Step, Stepped};
use crate::decode::Skip;
use crate::decode::bytes::{at_most, be16};

/// A serial line that speaks PPP or Cisco HDLC; the address byte tells (RFC 1547, RFC 1662).
pub(super) fn serial(bytes: &[u8]) -> Stepped<'_> {
    match bytes {
        [0x0f | 0x8f, 0x00, ..] => cisco_hdlc(bytes),
        _ => frame(bytes),
    }
}

/// Address, control, EtherType.
pub(super) fn cisco_hdlc(bytes: &[u8]) -> Stepped<'_> {
    let kind = be16(bytes, 2).ok_or(Skip::TruncatedLink)?;
    let rest = bytes.get(4..).ok_or(Skip::TruncatedLink)?;
    match kind {
        // SLARP keep-alives, Cisco discovery, and OSI, which comes without LLC here.
        0x8035 | 0x2000 | 0x00fe | 0xfefe => Err(Skip::NonIp),
        _ => Ok(Step::Next(Head::EtherType(kind), rest)),
    }
}

/// A PPPoE session packet (RFC 2516 section 4).
pub(super) fn pppoe(bytes: &[u8]) -> Stepped<'_> {
    let &[version, code, _, _, l0, l1, ref rest @ ..] = bytes else {
        return Err(Skip::TruncatedLink);
    };
    if version != 0x11 {
        return Err(Skip::BadLink);
    }
    if code != 0 {
        return Err(Skip::NonIp);
    }
    Ok(Step::Next(Head::Ppp, at_most(rest, usize::from(u16::from_be_bytes([l0, l1])))))
}

/// A PPP frame: perhaps address and control (RFC 1662), then a protocol of two bytes, or of one
/// where it is compressed (RFC 1661 section 6.5: the last byte of a protocol is odd).
pub(super) fn frame(bytes: &[u8]) -> Stepped<'_> {
    let bytes = match bytes {
        [0xff, 0x03, rest @ ..] => rest,
        _ => bytes,
    };
    let (protocol, rest) = match *bytes {
        [short, ref rest @ ..] if short & 1 == 1 => (u16::from(short), rest),
        [high, low, ref rest @ ..] => (u16::from_be_bytes([high, low]), rest),
        _ => return Err(Skip::TruncatedLink),
    };
    match protocol {
        0x0021 => Ok(Step::Found(Layer::Ip4(rest))),
        0x0057 => Ok(Step::Found(Layer::Ip6(rest))),
        0x0281 | 0x0283 => Ok(Step::Next(Head::Mpls, rest)),
        // Bridged frames (RFC 3518): flags, type of MAC (1 is Ethernet).
        0x0031 => match rest {
            [flags, 1, frame @ ..] if flags & 0x0f == 0 => Ok(Step::Next(Head::Ethernet, frame)),
            _ => Err(Skip::NonIp),
        },
        // Multilink (RFC 1990): only a frame that is whole, begin and end in one.
        0x003d => match rest {
            [flags, _, _, _, whole @ ..] if flags & 0xc0 == 0xc0 => {
                Ok(Step::Next(Head::Ppp, whole))
            }
            _ => Err(Skip::LinkFragment),
        },
        // Van Jacobson and other header compression, compressed and encrypted datagrams.
        0x002d | 0x002f | 0x0003 | 0x0005 | 0x0061..=0x0069 | 0x00fb | 0x00fd | 0x0053 | 0x0055 => {
            Err(Skip::Encrypted)
        }
        _ => Err(Skip::NonIp),
    }
}
