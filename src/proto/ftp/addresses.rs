//! Addresses in commands and answers: PORT and PASV (RFC 959 section 4.1.2), EPRT and EPSV
//! (RFC 2428).

use std::net::{IpAddr, Ipv4Addr};

use crate::net::Endpoint;

/// Where a command calls the server to.
pub(super) fn in_command(verb: &str, arg: &str) -> Option<Endpoint> {
    if verb == "PORT" {
        return six_numbers(arg);
    }
    // |1|192.0.2.1|33582| with any delimiter
    let delimiter = arg.chars().next()?;
    let mut parts = arg.split(delimiter).skip(1);
    let _family = parts.next()?;
    let addr = parts.next()?.parse().ok()?;
    Some(Endpoint::new(addr, parts.next()?.parse().ok()?))
}

/// Where an answer of `server` calls the client to.
pub(super) fn in_reply(message: &str, server: IpAddr) -> Option<Endpoint> {
    if let Some((_, numbers)) = message.split_once("(|||") {
        let (port, _) = numbers.split_once('|')?;
        return Some(Endpoint::new(server, port.parse().ok()?));
    }
    // The parentheses are usual, not prescribed (RFC 1123 section 4.1.2.6).
    let start = message.find(|c: char| c.is_ascii_digit())?;
    six_numbers(message.get(start..)?)
}

fn six_numbers(text: &str) -> Option<Endpoint> {
    let mut numbers = text.split(',').map(|part| {
        let digits = part.trim().split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        digits.parse::<u8>().ok()
    });
    let mut next = || numbers.next().flatten();
    let addr = Ipv4Addr::new(next()?, next()?, next()?, next()?);
    Some(Endpoint::new(addr.into(), u16::from_be_bytes([next()?, next()?])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_four_forms() {
        let server: IpAddr = "2001:db8::1".parse().unwrap();
        let shown = |found: Option<Endpoint>| found.map(|end| end.to_string());

        assert_eq!(
            shown(in_command("PORT", "141,142,220,235,131,46")).as_deref(),
            Some("141.142.220.235:33582")
        );
        assert_eq!(
            shown(in_command("EPRT", "|2|2001:db8::2|5282|")).as_deref(),
            Some("[2001:db8::2]:5282")
        );
        assert_eq!(
            shown(in_reply("Entering Passive Mode (192,0,2,2,221,90).", server)).as_deref(),
            Some("192.0.2.2:56666")
        );
        assert_eq!(
            shown(in_reply("Entering Extended Passive Mode (|||6446|)", server)).as_deref(),
            Some("[2001:db8::1]:6446")
        );
    }

    #[test]
    fn refuses_what_is_no_address() {
        let server: IpAddr = "192.0.2.1".parse().unwrap();

        assert_eq!(in_command("PORT", "1,2,3,4,999,1"), None);
        assert_eq!(in_command("PORT", "1,2,3"), None);
        assert_eq!(in_command("EPRT", ""), None);
        assert_eq!(in_reply("(|||99999|)", server), None);
        assert_eq!(in_reply("no", server), None);
    }
}
