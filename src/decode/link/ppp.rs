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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::frames::{SYN6, cat, ether, holds_syn, seen, syn, syn6};

    #[test]
    fn reads_ppp_with_and_without_framing_and_compression() {
        holds_syn(9, &cat(&[&[0xff, 3, 0, 0x21], &syn()]));
        holds_syn(9, &cat(&[&[0, 0x21], &syn()]));
        holds_syn(9, &cat(&[&[0x21], &syn()]));
        holds_syn(50, &cat(&[&[0xff, 3, 0x21], &syn()]));
        holds_syn(204, &cat(&[&[1, 0xff, 3, 0, 0x21], &syn()]));
        holds_syn(9, &cat(&[&[0, 0x3d, 0xc0, 0, 0, 1, 0, 0x21], &syn()]));
        holds_syn(9, &cat(&[&[0, 0x31, 0, 1], &ether(0x0800, &syn())]));
        assert_eq!(seen(9, &cat(&[&[0, 0x57], &syn6()])).as_deref(), Ok(SYN6));
    }

    #[test]
    fn reads_pppoe_in_ethernet_and_alone() {
        let len = (syn().len() + 2) as u16;
        let session = cat(&[&[0x11, 0, 0, 1], &len.to_be_bytes(), &[0, 0x21], &syn(), b"padding"]);

        holds_syn(1, &ether(0x8864, &session));
        holds_syn(51, &session);
        assert_eq!(seen(1, &ether(0x8863, &[0x11, 9, 0, 0, 0, 0])), Err(Skip::NonIp));
        assert_eq!(seen(51, &[0x22, 0, 0, 1, 0, 2, 0, 0x21]), Err(Skip::BadLink));
    }

    #[test]
    fn reads_cisco_hdlc() {
        holds_syn(104, &cat(&[&[0x0f, 0, 8, 0], &syn()]));
        holds_syn(50, &cat(&[&[0x0f, 0, 8, 0], &syn()]));
        assert_eq!(seen(104, &[0x8f, 0, 0x80, 0x35, 0, 0, 0, 2]), Err(Skip::NonIp));
    }

    #[test]
    fn says_why_there_is_nothing_to_read() {
        assert_eq!(seen(9, &[0xff, 3, 0xc0, 0x21, 1]), Err(Skip::NonIp));
        assert_eq!(seen(9, &[0, 0xfd, 1]), Err(Skip::Encrypted));
        assert_eq!(seen(9, &[0, 0x3d, 0x80, 0, 0, 1]), Err(Skip::LinkFragment));
        assert_eq!(seen(9, &[0xff, 3]), Err(Skip::TruncatedLink));
    }
}
