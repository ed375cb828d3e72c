//! Databases and message brokers.

use super::bytes::{be16, be32, byte, le32, starts_with_any_case};
use super::{Ports, Protocol, Role, Verdict};

/// The MySQL server greets first: 3-byte length, sequence 0, protocol 10, a version that ends in
/// NUL; or an error packet 0xff before it.
pub(super) fn mysql(data: &[u8], ports: Ports) -> Verdict {
    let Some(length) = le32(data, 0).map(|word| (word & 0x00ff_ffff) as usize) else {
        return Verdict::Unknown;
    };
    if byte(data, 3) != Some(0) {
        return Verdict::Unknown;
    }
    let version = data.get(5..).unwrap_or_default();
    let is_version = version.first().is_some_and(u8::is_ascii_digit)
        && version.iter().take(64).any(|&b| b == 0)
        && version.iter().take_while(|&&b| b != 0).all(|b| b.is_ascii_graphic() || *b == b' ');
    match byte(data, 4) {
        Some(10) if is_version && (30..512).contains(&length) => Verdict::server(Protocol::Mysql),
        Some(0xff) if ports.sender == 3306 && length + 4 == data.len() => {
            Verdict::server(Protocol::Mysql)
        }
        _ => Verdict::Unknown,
    }
}

/// PostgreSQL startup, TLS, GSS and cancel requests: a length and a fixed code.
pub(super) fn postgresql(data: &[u8], _: Ports) -> Verdict {
    let (Some(length), Some(code)) = (be32(data, 0), be32(data, 4)) else {
        return Verdict::Unknown;
    };
    match (code, length) {
        (0x0003_0000..=0x0003_0002, 8..=10_000)
        | (80_877_103 | 80_877_104, 8)
        | (80_877_102, 16) => Verdict::client(Protocol::Postgresql),
        _ => Verdict::Unknown,
    }
}

/// Redis: an array of bulk strings from the client, or the answers that only Redis gives.
pub(super) fn redis(data: &[u8], ports: Ports) -> Verdict {
    if byte(data, 0) == Some(b'*') && byte(data, 1).is_some_and(|b| b.is_ascii_digit()) {
        let digits = data.iter().skip(1).take_while(|b| b.is_ascii_digit()).count();
        let rest = data.get(1 + digits..).unwrap_or_default();
        return if rest.starts_with(b"\r\n$") {
            Verdict::client(Protocol::Redis)
        } else if b"\r\n$".starts_with(rest) {
            Verdict::NeedMore
        } else {
            Verdict::Unknown
        };
    }
    let is_answer =
        [&b"+PONG\r\n"[..], b"-NOAUTH ", b"-WRONGPASS ", b"-DENIED Redis", b"-MISCONF "]
            .iter()
            .any(|answer| data.starts_with(answer));
    if is_answer {
        return Verdict::server(Protocol::Redis);
    }
    let is_inline = [&b"PING\r\n"[..], b"INFO\r\n", b"AUTH ", b"CONFIG ", b"SLAVEOF ", b"FLUSHALL"]
        .iter()
        .any(|command| starts_with_any_case(data, command));
    if is_inline && ports.receiver == 6379 {
        return Verdict::client(Protocol::Redis);
    }
    Verdict::Unknown
}

/// MongoDB message header: length, request id, the id it answers, an operation code.
pub(super) fn mongodb(data: &[u8], _: Ports) -> Verdict {
    let (Some(length), Some(answers), Some(operation)) =
        (le32(data, 0), le32(data, 8), le32(data, 12))
    else {
        return Verdict::Unknown;
    };
    if !(16..48_000_000).contains(&length) || (data.len() as u64) > u64::from(length) + 65_536 {
        return Verdict::Unknown;
    }
    match operation {
        1 | 2004..=2007 | 2010..=2013 => Verdict::Is(
            Protocol::Mongodb,
            Some(if answers != 0 || operation == 1 { Role::Server } else { Role::Client }),
        ),
        _ => Verdict::Unknown,
    }
}

/// Tabular data stream ([MS-TDS] 2.2.3): type, status, length, window 0. Loose, so the port confirms.
pub(super) fn tds(data: &[u8], ports: Ports) -> Verdict {
    let is_header = matches!(byte(data, 0), Some(0x01 | 0x04 | 0x10 | 0x12))
        && matches!(byte(data, 1), Some(0 | 1))
        && be16(data, 2).is_some_and(|length| length >= 8)
        && byte(data, 7) == Some(0);
    // A pre-login lists options, version first, at an offset behind the list.
    let is_prelogin = byte(data, 0) == Some(0x12)
        && be16(data, 2).is_some_and(|length| usize::from(length) == data.len())
        && byte(data, 8) == Some(0)
        && byte(data, 9) == Some(0);
    if is_header && (is_prelogin || ports.touch(1433)) {
        return Verdict::Is(Protocol::Tds, ports.role_at(1433));
    }
    Verdict::Unknown
}

/// MQTT CONNECT with its protocol name (MQTT 3.1.1 section 3.1), or the broker's CONNACK.
pub(super) fn mqtt(data: &[u8], ports: Ports) -> Verdict {
    match byte(data, 0) {
        Some(0x10) => {
            let length_bytes = data.iter().skip(1).take(4).take_while(|&&b| b & 0x80 != 0).count();
            let name = data.get(2 + length_bytes..).unwrap_or_default();
            if name.starts_with(b"\x00\x04MQTT") || name.starts_with(b"\x00\x06MQIsdp") {
                Verdict::client(Protocol::Mqtt)
            } else if data.len() < 12 {
                Verdict::NeedMore
            } else {
                Verdict::Unknown
            }
        }
        Some(0x20) if byte(data, 1) == Some(2) && data.len() == 4 && ports.sender == 1883 => {
            Verdict::server(Protocol::Mqtt)
        }
        _ => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: Ports = Ports { sender: 40_000, receiver: 40_001 };

    #[test]
    fn tells_databases_and_brokers() {
        let mut greeting = vec![74, 0, 0, 0, 10];
        greeting.extend(b"8.0.36\x00");
        greeting.resize(78, 1);
        let startup = [0, 0, 0, 8, 0, 3, 0, 0];
        let mut hello = vec![0; 60];
        hello[0] = 60;
        hello[4] = 1;
        hello[12..16].copy_from_slice(&2013u32.to_le_bytes());
        let connect = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04abcd";

        assert_eq!(mysql(&greeting, PORTS), Verdict::server(Protocol::Mysql));
        assert_eq!(postgresql(&startup, PORTS), Verdict::client(Protocol::Postgresql));
        assert_eq!(redis(b"*1\r\n$4\r\nPING\r\n", PORTS), Verdict::client(Protocol::Redis));
        assert_eq!(mongodb(&hello, PORTS), Verdict::client(Protocol::Mongodb));
        assert_eq!(mqtt(connect, PORTS), Verdict::client(Protocol::Mqtt));
    }

    #[test]
    fn does_not_take_any_length_for_a_database() {
        assert_eq!(mysql(&[9, 0, 0, 0, 10, 1, 2, 3], PORTS), Verdict::Unknown);
        assert_eq!(postgresql(&[0, 0, 0, 8, 0, 9, 0, 0], PORTS), Verdict::Unknown);
        assert_eq!(redis(b"PING\r\n", PORTS), Verdict::Unknown);
    }
}
