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
