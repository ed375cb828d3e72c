//! TCP, UDP and SCTP headers. A payload that the capture cut off keeps its claimed length.

use etherparse::UdpHeaderSlice;

use super::bytes::len32;
use super::ip::{Ip, Span};
use super::{Oddities, Oddity, SctpPacket, Skip, TcpFlags, TcpSegment, UdpDatagram};

/// Reads a TCP header (RFC 9293 section 3.1). One whose options were not captured is still good for
/// its first 20 bytes, so the whole-header slice of etherparse does not fit.
#[inline]
pub(super) fn tcp<'a>(ip: &Ip<'a>, odd: &mut Oddities) -> Result<TcpSegment<'a>, Skip> {
    let span = ip.payload;
    let Some(&[s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, w0, w1, _, _, _, _]) =
        span.bytes.first_chunk::<20>()
    else {
        return Err(span.lacks(20, Skip::TruncatedTransport, Skip::BadTransport));
    };
    let header = usize::from(offset >> 4) * 4;
    let payload = match span.after(header) {
        Some(payload) if header >= 20 => payload,
        _ => {
            odd.note(Oddity::BadTcpHeaderLen, ip.src, ip.dst);
            return Err(Skip::BadTransport);
        }
    };
    Ok(TcpSegment {
        src_port: u16::from_be_bytes([s0, s1]),
        dst_port: u16::from_be_bytes([d0, d1]),
        seq: u32::from_be_bytes([q0, q1, q2, q3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        flags: TcpFlags(flags),
        window: u16::from_be_bytes([w0, w1]),
        payload_len: payload.wire(),
        payload: payload.bytes,
    })
}

/// Reads a UDP header (RFC 768). Its length is believed only as far as IP's goes; 0 is offload or
/// a jumbogram. In the first of several fragments (`partial`) it is the only one that counts.
#[inline]
pub(super) fn udp<'a>(
    ip: &Ip<'a>,
    partial: bool,
    odd: &mut Oddities,
) -> Result<UdpDatagram<'a>, Skip> {
    let span = ip.payload;
    let Ok(head) = UdpHeaderSlice::from_slice(span.bytes) else {
        return Err(span.lacks(8, Skip::TruncatedTransport, Skip::BadTransport));
    };
    let room = span.after(8).ok_or(Skip::BadTransport)?;
    let payload = match u32::from(head.length()) {
        0 => room,
        len if len == span.wire() => room,
        len if len >= 8 && (partial || len < span.wire()) => {
            if !partial {
                odd.note(Oddity::UdpDatagramLengthMismatch, ip.src, ip.dst);
            }
            room.claimed(len - 8)
        }
        _ => {
            odd.note(Oddity::UdpDatagramLengthMismatch, ip.src, ip.dst);
            room
        }
    };
    Ok(UdpDatagram {
        src_port: head.source_port(),
        dst_port: head.destination_port(),
        payload_len: payload.wire(),
        payload: payload.bytes,
    })
}

/// Reads an SCTP common header and the type of the first chunk (RFC 9260 section 3).
pub(super) fn sctp<'a>(span: Span<'a>) -> Result<SctpPacket<'a>, Skip> {
    let Some((&[s0, s1, d0, d1, _, _, _, _, _, _, _, _], payload @ &[chunk, ..])) =
        span.bytes.split_first_chunk::<12>()
    else {
        return Err(span.lacks(13, Skip::TruncatedTransport, Skip::BadTransport));
    };
    Ok(SctpPacket {
        src_port: u16::from_be_bytes([s0, s1]),
        dst_port: u16::from_be_bytes([d0, d1]),
        chunk,
        payload_len: len32(payload).saturating_add(span.missing),
        payload,
    })
}

#[cfg(test)]
mod tests {
    use crate::decode::frames::{cat, frame_at, ip4, line, seen, tcp, udp};
    use crate::decode::{DecodeConfig, Decoder, Oddity, Skip};
    use crate::source::{Frame, LinkType};

    fn oddities(packet: &[u8]) -> Vec<&'static str> {
        let mut decoder = Decoder::new(&DecodeConfig::default());
        let _ = decoder.decode(&frame_at(0, LinkType::RAW, packet));
        decoder.oddities().iter().map(Oddity::as_str).collect()
    }

    #[test]
    fn keeps_flags_that_no_stack_sends() {
        let flags = |bits| seen(101, &ip4(6, &tcp(bits, &[]))).unwrap();

        assert_eq!(flags(0x00), "tcp 192.0.2.1:40000 > 192.0.2.9:445 - 0/0");
        assert_eq!(flags(0x29), "tcp 192.0.2.1:40000 > 192.0.2.9:445 FPU 0/0");
        assert_eq!(flags(0xff), "tcp 192.0.2.1:40000 > 192.0.2.9:445 FSRPAUEC 0/0");
    }

    #[test]
    fn skips_a_data_offset_that_does_not_fit() {
        let mut short = tcp(2, &[]);
        short[12] = 0x40;
        let mut long = tcp(2, &[]);
        long[12] = 0xf0;

        assert_eq!(seen(101, &ip4(6, &short)), Err(Skip::BadTransport));
        assert_eq!(seen(101, &ip4(6, &long)), Err(Skip::BadTransport));
        assert_eq!(oddities(&ip4(6, &long)), ["bad_TCP_header_len"]);
        assert_eq!(seen(101, &ip4(6, &tcp(2, &[])[..19])), Err(Skip::BadTransport));
    }

    #[test]
    fn reads_a_header_whose_options_were_not_captured() {
        let mut segment = tcp(0x12, &[0; 12]);
        segment[12] = 0x80;
        let packet = ip4(6, &cat(&[&segment, b"payload"]));
        let cut = Frame { wire_len: 59, ..frame_at(0, LinkType::RAW, &packet[..44]) };
        let shorter = Frame { wire_len: 59, ..frame_at(0, LinkType::RAW, &packet[..39]) };
        let mut decoder = Decoder::new(&DecodeConfig::default());

        assert_eq!(
            line(&decoder.decode(&cut).unwrap()),
            "tcp 192.0.2.1:40000 > 192.0.2.9:445 SA 0/7"
        );
        assert_eq!(decoder.decode(&shorter).err(), Some(Skip::TruncatedTransport));
    }

    #[test]
    fn believes_the_length_of_udp_only_within_ip() {
        let with_len = |len: u16| {
            let mut datagram = udp(1000, 53, b"question");
            datagram[4..6].copy_from_slice(&len.to_be_bytes());
            ip4(17, &datagram)
        };
        let whole = Ok("udp 192.0.2.1:1000 > 192.0.2.9:53 8/8");

        assert_eq!(seen(101, &with_len(16)).as_deref(), whole);
        assert_eq!(seen(101, &with_len(0)).as_deref(), whole);
        assert_eq!(seen(101, &with_len(3)).as_deref(), whole);
        assert_eq!(seen(101, &with_len(9000)).as_deref(), whole);
        assert_eq!(
            seen(101, &with_len(12)).as_deref(),
            Ok("udp 192.0.2.1:1000 > 192.0.2.9:53 4/4")
        );
        assert!(oddities(&with_len(16)).is_empty());
        assert!(oddities(&with_len(0)).is_empty());
        assert_eq!(oddities(&with_len(9000)), ["UDP_datagram_length_mismatch"]);
        assert_eq!(oddities(&with_len(12)), ["UDP_datagram_length_mismatch"]);
    }

    #[test]
    fn reads_the_first_chunk_of_sctp() {
        let init = [0x0b, 0x59, 0x0b, 0x5a, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 20];

        assert_eq!(
            seen(101, &ip4(132, &init)).as_deref(),
            Ok("sctp 192.0.2.1:2905 > 192.0.2.9:2906 chunk 1")
        );
        assert_eq!(seen(101, &ip4(132, &init[..12])), Err(Skip::BadTransport));
    }
}
