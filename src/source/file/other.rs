//! Names what is in a file that is no capture, so that the person knows what to do.

/// Capture formats of other programs.
const FOREIGN: [(&[u8], &str); 8] = [
    (b"snoop\0\0\0", "a Solaris snoop capture"),
    (b"btsnoop\0", "a Bluetooth snoop capture"),
    (b"GMBU", "a Microsoft Network Monitor 2 capture"),
    (b"RTSS", "a Microsoft Network Monitor 1 capture"),
    (b"iptrace ", "an AIX iptrace capture"),
    (b"XCP\0", "a NetXray capture"),
    (b"TRSNIFF data", "a Sniffer capture"),
    (b"\x7fver", "an EtherPeek or OmniPeek capture"),
];

/// Containers that hold files.
const CONTAINERS: [(&[u8], &str); 5] = [
    (b"PK\x03\x04", "a zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x04\x22\x4d\x18", "compressed by lz4"),
    (b"\x1f\x9d", "compressed by compress"),
];

/// Says what a file that begins with `head` seems to be, and what to do about it.
pub(super) fn describe(head: &[u8]) -> (String, &'static str) {
    let known = |table: &[(&[u8], &str)]| {
        table.iter().find(|(magic, _)| head.starts_with(magic)).map(|&(_, what)| what.to_owned())
    };
    if let Some(what) = known(&FOREIGN) {
        return (what, "convert it with `editcap -F pcapng IN OUT` first");
    }
    if let Some(what) = known(&CONTAINERS) {
        return (what, "unpack it first");
    }
    let advice = "give a pcap or pcapng file, plain or packed by gzip, zstd, xz or bzip2";
    let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    if !head.is_empty() && head.iter().all(is_text) {
        return ("text".to_owned(), advice);
    }
    let bytes: Vec<String> = head.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    (format!("something that begins with the bytes {}", bytes.join(" ")), advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_it_knows_and_shows_what_it_does_not() {
        assert_eq!(describe(b"snoop\0\0\0\0\0\0\x02").0, "a Solaris snoop capture");
        assert_eq!(describe(b"PK\x03\x04\x14").1, "unpack it first");
        assert_eq!(describe(b"hello world\n").0, "text");
        assert_eq!(describe(b"\x7fELF").0, "something that begins with the bytes 7f 45 4c 46");
    }
}
