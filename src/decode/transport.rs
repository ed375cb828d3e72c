//! TCP (RFC 9293), UDP (RFC 768), ICMP (RFC 792, RFC 4443) and SCTP (RFC 9260) headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bytes::{be16, be32, behind};
use super::ip::Ip;
use super::{
    IcmpMessage, Quoted, SctpPacket, Skip, TcpFlags, TcpSegment, TransportHeader, UdpDatagram,
};

/// IANA protocol numbers.
pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMP_V6: u8 = 58;
pub(super) const SCTP: u8 = 132;

/// Reads the transport header of a whole packet.
#[inline]
pub(super) fn parse<'a>(ip: &Ip<'a>) -> Result<TransportHeader<'a>, Skip> {
    match ip.protocol {
        TCP => parse_tcp(ip),
        UDP => parse_udp(ip),
        ICMP | ICMP_V6 => parse_icmp(ip),
        SCTP => parse_sctp(ip),
        _ => Err(Skip::OtherProtocol),
    }
}

#[inline]
fn parse_tcp<'a>(ip: &Ip<'a>) -> Result<TransportHeader<'a>, Skip> {
    let fixed: &[u8; 20] = ip.payload.first_chunk().ok_or(Skip::TruncatedTransport)?;
    let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, w0, w1, ..] = *fixed;
    let header = usize::from(offset >> 4) * 4;
    if header < 20 || header > ip.payload_len as usize {
        return Err(Skip::BadTransport);
    }
    Ok(TransportHeader::Tcp(TcpSegment {
        src_port: u16::from_be_bytes([s0, s1]),
        dst_port: u16::from_be_bytes([d0, d1]),
        seq: u32::from_be_bytes([q0, q1, q2, q3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        flags: TcpFlags(flags),
        window: u16::from_be_bytes([w0, w1]),
        payload_len: ip.payload_len - header as u32,
        // Options that a short snap length cut off leave a segment without captured payload.
        payload: behind(ip.payload, header).unwrap_or_default(),
    }))
}

fn parse_udp<'a>(ip: &Ip<'a>) -> Result<TransportHeader<'a>, Skip> {
    let (fixed, body) = ip.payload.split_first_chunk::<8>().ok_or(Skip::TruncatedTransport)?;
    let [s0, s1, d0, d1, l0, l1, ..] = *fixed;
    let room = ip.payload_len.saturating_sub(8);
    // Length 0 stands for a jumbogram (RFC 2675) and for offload; more than the packet is a lie.
    let payload_len = match u32::from(u16::from_be_bytes([l0, l1])) {
        len @ 8.. => (len - 8).min(room),
        _ => room,
    };
    Ok(TransportHeader::Udp(UdpDatagram {
        src_port: u16::from_be_bytes([s0, s1]),
        dst_port: u16::from_be_bytes([d0, d1]),
        payload_len,
        payload: body.get(..payload_len as usize).unwrap_or(body),
    }))
}

fn parse_sctp<'a>(ip: &Ip<'a>) -> Result<TransportHeader<'a>, Skip> {
    let (fixed, body) = ip.payload.split_first_chunk::<12>().ok_or(Skip::TruncatedTransport)?;
    let [s0, s1, d0, d1, ..] = *fixed;
    Ok(TransportHeader::Sctp(SctpPacket {
        src_port: u16::from_be_bytes([s0, s1]),
        dst_port: u16::from_be_bytes([d0, d1]),
        chunk: *body.first().ok_or(Skip::TruncatedTransport)?,
        payload_len: ip.payload_len.saturating_sub(12),
        payload: body,
    }))
}

fn parse_icmp<'a>(ip: &Ip<'a>) -> Result<TransportHeader<'a>, Skip> {
    let (fixed, body) = match ip.payload.split_first_chunk::<8>() {
        Some((fixed, body)) => (*fixed, body),
        // Some messages of ICMP are shorter than the common 8 bytes.
        None => match ip.payload {
            [kind, code, c0, c1, ..] => ([*kind, *code, *c0, *c1, 0, 0, 0, 0], &[][..]),
            _ => return Err(Skip::TruncatedTransport),
        },
    };
    let [kind, code, _, _, id0, id1, seq0, seq1] = fixed;
    let v6 = ip.protocol == ICMP_V6;
    let is_query = if v6 { matches!(kind, 128 | 129) } else { matches!(kind, 0 | 8 | 13..=18) };
    let is_error = if v6 { kind < 128 } else { matches!(kind, 3 | 4 | 5 | 11 | 12) };
    let target = || -> Option<IpAddr> {
        let bytes: &[u8; 16] = body.first_chunk()?;
        Some(IpAddr::V6(Ipv6Addr::from(*bytes)))
    };
    Ok(TransportHeader::Icmp(IcmpMessage {
        v6,
        kind,
        code,
        id: if is_query { u16::from_be_bytes([id0, id1]) } else { 0 },
        seq: if is_query { u16::from_be_bytes([seq0, seq1]) } else { 0 },
        quoted: if is_error { quoted(body) } else { None },
        // Neighbour solicitation and advertisement (RFC 4861).
        target: if v6 && matches!(kind, 135 | 136) { target() } else { None },
        payload_len: ip.payload_len.saturating_sub(8),
        payload: body,
    }))
}

/// Reads as much of a quoted packet as tells whose it was. The quote may be as short as the IP
/// header and eight bytes (RFC 792), and its lengths are those of the packet before it was cut.
fn quoted(data: &[u8]) -> Option<Quoted> {
    let (src, dst, protocol, rest) = match data.first()? >> 4 {
        4 => {
            let fixed: &[u8; 20] = data.first_chunk()?;
            let [version, _, _, _, _, _, off0, off1, _, protocol, _, _, addrs @ ..] = *fixed;
            let [s0, s1, s2, s3, d0, d1, d2, d3] = addrs;
            if u16::from_be_bytes([off0, off1]) & 0x1fff != 0 {
                return None;
            }
            let src = IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3));
            let dst = IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3));
            (src, dst, protocol, behind(data, usize::from(version & 0x0f) * 4)?)
        }
        6 => {
            let ip = super::ip::parse(data).ok()?;
            (ip.src, ip.dst, ip.protocol, ip.payload)
        }
        _ => return None,
    };
    let (src_port, dst_port) = match protocol {
        TCP | UDP | SCTP => (be16(rest, 0).unwrap_or(0), be16(rest, 2).unwrap_or(0)),
        ICMP | ICMP_V6 => (be32(rest, 4).map_or(0, |word| (word >> 16) as u16), 0),
        _ => (0, 0),
    };
    Some(Quoted { src, dst, protocol, src_port, dst_port })
}
