//! Search filters (RFC 4511 section 4.5.1.7) in the form that people write (RFC 4515).

use std::fmt::Write;

use crate::proto::ber::Element;

/// Filters nest a few levels; deeper ones are cut off.
const DEPTH: usize = 12;
/// Bytes of a filter that are kept.
const LIMIT: usize = 1024;

/// A filter as text.
pub(super) fn text(filter: Element<'_>) -> String {
    let mut out = String::new();
    write_filter(filter, DEPTH, &mut out);
    out
}

fn write_filter(filter: Element<'_>, depth: usize, out: &mut String) {
    if out.len() >= LIMIT {
        return;
    }
    out.push('(');
    match filter.tag {
        0xa0..=0xa2 if depth > 0 => {
            out.push(match filter.tag {
                0xa0 => '&',
                0xa1 => '|',
                _ => '!',
            });
            for part in filter.elements() {
                write_filter(part, depth - 1, out);
                if out.len() >= LIMIT {
                    break;
                }
            }
        }
        0xa3 => comparison(filter, "=", out),
        0xa5 => comparison(filter, ">=", out),
        0xa6 => comparison(filter, "<=", out),
        0xa8 => comparison(filter, "~=", out),
        0xa4 => substrings(filter, out),
        0x87 => {
            value(filter.content, out);
            out.push_str("=*");
        }
        0xa9 => extensible(filter, out),
        _ => out.push('?'),
    }
    out.push(')');
}

fn comparison(filter: Element<'_>, operator: &str, out: &mut String) {
    let mut parts = filter.elements();
    value(parts.next().map_or(&[], |attribute| attribute.content), out);
    out.push_str(operator);
    value(parts.next().map_or(&[], |asserted| asserted.content), out);
}

fn substrings(filter: Element<'_>, out: &mut String) {
    let mut parts = filter.elements();
    value(parts.next().map_or(&[], |attribute| attribute.content), out);
    out.push('=');
    let mut is_open = true;
    for part in parts.next().into_iter().flat_map(Element::elements) {
        // initial [0], any [1], final [2]
        if part.tag != 0x80 {
            out.push('*');
        }
        value(part.content, out);
        is_open = part.tag != 0x82;
        if out.len() >= LIMIT {
            break;
        }
    }
    if is_open {
        out.push('*');
    }
}

/// A matching rule by its identifier: bits of userAccountControl, members of members.
fn extensible(filter: Element<'_>, out: &mut String) {
    let part =
        |tag| filter.elements().find(|part| part.tag == tag).map_or(&[][..], |it| it.content);
    value(part(0x82), out);
    if part(0x84).first().is_some_and(|&is_dn| is_dn != 0) {
        out.push_str(":dn");
    }
    let rule = part(0x81);
    if !rule.is_empty() {
        out.push(':');
        value(rule, out);
    }
    out.push_str(":=");
    value(part(0x83), out);
}

/// Text, with everything else in hexadecimal (RFC 4515 section 3).
fn value(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        if out.len() >= LIMIT {
            return;
        }
        match byte {
            b'*' | b'(' | b')' | b'\\' => {
                let _ = write!(out, "\\{byte:02x}");
            }
            0x20..0x7f => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\{byte:02x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ber::Elements;
    use crate::proto::kerberos::tests::{text as string, tlv};
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> String {
        Elements(bytes).next().map_or_else(String::new, text)
    }

    fn equal(attribute: &str, value: &str) -> Vec<u8> {
        tlv(0xa3, &[string(4, attribute), string(4, value)])
    }

    #[test]
    fn writes_filters_as_people_do() {
        let roasting = tlv(
            0xa0,
            &[
                equal("objectClass", "user"),
                string(0x87, "servicePrincipalName"),
                tlv(0xa2, &[equal("cn", "krbtgt")]),
                tlv(
                    0xa9,
                    &[
                        string(0x81, "1.2.840.113556.1.4.803"),
                        string(0x82, "userAccountControl"),
                        string(0x83, "2"),
                    ],
                ),
            ],
        );
        let parts = tlv(0x30, &[string(0x80, "a"), string(0x81, "b"), string(0x82, "c")]);
        let open = tlv(0x30, &[string(0x81, "admin")]);

        let expected = "(&(objectClass=user)(servicePrincipalName=*)(!(cn=krbtgt))\
                        (userAccountControl:1.2.840.113556.1.4.803:=2))";
        assert_eq!(read(&roasting), expected);
        assert_eq!(read(&tlv(0xa4, &[string(4, "cn"), parts])), "(cn=a*b*c)");
        assert_eq!(read(&tlv(0xa4, &[string(4, "cn"), open])), "(cn=*admin*)");
        assert_eq!(read(&equal("cn", "a*(\u{1})")), "(cn=a\\2a\\28\\01\\29)");
    }

    #[test]
    fn a_filter_that_nests_for_ever_ends() {
        let mut filter = equal("a", "b");
        for _ in 0..1000 {
            filter = tlv(0xa2, &[filter]);
        }

        assert!(read(&filter).len() < LIMIT);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(tag in 0xa0u8..0xab, data: Vec<u8>) {
            prop_assert!(read(&data).len() <= 2 * LIMIT);
            prop_assert!(read(&tlv(tag, &[data])).len() <= 2 * LIMIT);
        }
    }
}
