//! Putting IP datagrams together again from their fragments, within a budget.
//!
//! Overlaps: the bytes that came first win, for IPv4 and IPv6 alike, and the overlap is recorded.
//! (Current systems drop such datagrams; older ones differ, which is how overlaps evade sensors. A
//! sensor that dropped them would see nothing at all.) A datagram whose rest never comes gives
//! nothing: the receiver's transport did not get it either, so no contact took place, and a packet
//! delivered at its time-out would run time back. Only where the *capture* cut the first fragment
//! off, so that no rest can ever complete it, it is passed on at once with what there is.

use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;

use super::bytes::len32;
use super::datagram::Datagram;
use super::ip::{Fragment, Ip, Span};
use super::{DecodeConfig, Oddities, Oddity, Skip, Tunnel};
use crate::time::Timestamp;

/// The largest datagram that a 16-bit length describes.
const MAX_DATAGRAM: u32 = 65_535;

/// A packet below this that is not the last of its datagram was split to hide something: no link
/// has so small a maximum (Zeek's limit; RFC 791 section 3.2 asks for 68).
const SMALL: u32 = 64;

/// What a table entry takes beside the bytes it holds: key, datagram, links and hash slot.
const ENTRY_BYTES: usize = size_of::<Key>() + size_of::<Datagram>() + 4 * size_of::<usize>();

/// The datagrams that wait for fragments, oldest first.
#[derive(Debug)]
pub(super) struct Fragments {
    waiting: LinkedHashMap<Key, Datagram, RandomState>,
    used: usize,
    config: DecodeConfig,
    stats: FragmentStats,
}

/// What became of fragmented datagrams so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentStats {
    /// Datagrams made whole.
    pub reassembled: u64,
    /// Datagrams given up because the time-out passed.
    pub expired: u64,
    /// Datagrams given up to stay within the budget.
    pub evicted: u64,
    /// Datagrams that wait.
    pub waiting: usize,
    /// Memory that they take, in bytes.
    pub bytes: usize,
}

/// Which datagram a fragment is of (RFC 791 section 3.2, RFC 8200 section 4.5), kept apart by VLAN
/// and tunnel because addresses may repeat there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    src: IpAddr,
    dst: IpAddr,
    id: u32,
    /// IPv4 only; in IPv6 just the first fragment knows what it carries.
    protocol: u8,
    vlan: Option<u16>,
    tunnel: Option<Tunnel>,
}

impl Fragments {
    pub(super) fn new(config: &DecodeConfig) -> Self {
        Self {
            waiting: LinkedHashMap::default(),
            used: 0,
            config: config.clone(),
            stats: FragmentStats::default(),
        }
    }

    pub(super) fn stats(&self) -> FragmentStats {
        FragmentStats { waiting: self.waiting.len(), bytes: self.used, ..self.stats }
    }

    /// Adds a fragment. If that makes its datagram whole, `whole` becomes its payload, lent to the
    /// packet that is returned.
    pub(super) fn add<'a>(
        &mut self,
        ts: Timestamp,
        (vlan, tunnel): (Option<u16>, Option<Tunnel>),
        ip: Ip<'_>,
        fragment: Fragment,
        whole: &'a mut Vec<u8>,
        odd: &mut Oddities,
    ) -> Result<Ip<'a>, Skip> {
        self.expire(ts);
        check(&ip, fragment, odd)?;
        if ip.payload.missing > 0 {
            return Err(Skip::FragmentCut);
        }

        let protocol = if ip.is_v6() { 0 } else { ip.protocol };
        let key = Key { src: ip.src, dst: ip.dst, id: fragment.id, protocol, vlan, tunnel };
        if !self.waiting.contains_key(&key) {
            self.used += ENTRY_BYTES;
            self.waiting.insert(key, Datagram::new(ts));
        }
        let Some(datagram) = self.waiting.get_mut(&key) else { return Err(Skip::FragmentDropped) };
        let before = datagram.heap_bytes();
        let added = datagram.add(&ip, fragment, odd);
        self.used += datagram.heap_bytes() - before;
        added?;

        let Some(head) = datagram.complete() else {
            return Err(if self.evict(&key) { Skip::FragmentDropped } else { Skip::FragmentHeld });
        };
        if let Some(datagram) = self.remove(&key) {
            datagram.assemble(whole);
        }
        self.stats.reassembled += 1;
        Ok(Ip {
            src: ip.src,
            dst: ip.dst,
            ttl: head.ttl,
            len: head.len + len32(whole),
            protocol: head.protocol,
            payload: Span { bytes: whole, missing: 0 },
            fragment: None,
        })
    }

    /// Gives up what has waited too long. The order of arrival is the order of the table, because
    /// packet time does not run back.
    fn expire(&mut self, now: Timestamp) {
        while let Some((key, oldest)) = self.waiting.front() {
            if now.since(oldest.first_seen) <= self.config.fragment_timeout {
                return;
            }
            let key = *key;
            self.remove(&key);
            self.stats.expired += 1;
        }
    }

    /// Gives up the oldest until the rest fits, and says whether `key` was among them.
    fn evict(&mut self, key: &Key) -> bool {
        let mut lost = false;
        while self.used > self.config.budget.0 {
            let Some(oldest) = self.waiting.front().map(|(oldest, _)| *oldest) else { break };
            lost |= oldest == *key;
            self.remove(&oldest);
            self.stats.evicted += 1;
        }
        lost
    }

    fn remove(&mut self, key: &Key) -> Option<Datagram> {
        let datagram = self.waiting.remove(key)?;
        self.used = self.used.saturating_sub(ENTRY_BYTES + datagram.heap_bytes());
        Some(datagram)
    }
}

/// Refuses what cannot be part of any datagram, and notes what is merely odd.
fn check(ip: &Ip<'_>, fragment: Fragment, odd: &mut Oddities) -> Result<(), Skip> {
    let len = ip.payload.wire();
    if ip.payload.missing > 0 {
        odd.note(Oddity::IncompletelyCapturedFragment, ip.src, ip.dst);
    }
    if fragment.df {
        odd.note(Oddity::FragmentWithDf, ip.src, ip.dst);
    }
    if fragment.more && ip.len < SMALL {
        odd.note(Oddity::ExcessivelySmallFragment, ip.src, ip.dst);
    }
    if fragment.offset.saturating_add(len) > MAX_DATAGRAM {
        odd.note(Oddity::ExcessivelyLargeFragment, ip.src, ip.dst);
        return Err(Skip::BadFragment);
    }
    // All but the last are multiples of eight, or the next could not follow.
    if len == 0 || (fragment.more && !len.is_multiple_of(8)) {
        return Err(Skip::BadFragment);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::units::ByteSize;
    use crate::decode::frames::{A, B, cat, frame_at, ip4, ip4_between, ip6, line, tcp, udp};
    use crate::decode::{Decoder, TransportHeader};
    use crate::source::{Frame, LinkType};

    const MORE: u16 = 0x2000;

    /// A UDP datagram of 24 bytes in pieces of eight.
    fn datagram() -> Vec<u8> {
        udp(1000, 53, b"sixteen bytes...")
    }

    /// One IPv4 fragment of datagram 7 at this offset in bytes.
    fn piece(offset: u16, more: bool, bytes: &[u8]) -> Vec<u8> {
        let place = (offset / 8) | if more { MORE } else { 0 };
        ip4_between((A, B), 17, (7, place), bytes)
    }

    fn pieces() -> [Vec<u8>; 3] {
        let whole = datagram();
        [piece(0, true, &whole[..8]), piece(8, true, &whole[8..16]), piece(16, false, &whole[16..])]
    }

    /// One IPv6 fragment of datagram 7.
    fn piece6(next: u8, offset: u16, more: bool, bytes: &[u8]) -> Vec<u8> {
        let place = (offset | u16::from(more)).to_be_bytes();
        ip6(44, &cat(&[&[next, 0], &place, &[0, 0, 0, 7], bytes]))
    }

    /// A decoder that tells its tests what it made of a packet, with the payload as text.
    struct Story(Decoder);

    impl Story {
        fn new(config: &DecodeConfig) -> Self {
            Self(Decoder::new(config))
        }

        fn see(&mut self, secs: i64, packet: &[u8]) -> Result<String, Skip> {
            self.see_frame(&frame_at(secs, LinkType::RAW, packet))
        }

        fn see_frame(&mut self, frame: &Frame<'_>) -> Result<String, Skip> {
            self.0.decode(frame).map(|packet| {
                let crate::decode::Body::Ip(ip) = &packet.body else { panic!("it is IP") };
                let payload = match ip.transport {
                    TransportHeader::Udp(udp) => udp.payload,
                    TransportHeader::Tcp(tcp) => tcp.payload,
                    _ => &[],
                };
                format!("{} {}", line(&packet), String::from_utf8_lossy(payload))
            })
        }

        fn oddities(&mut self) -> Vec<&'static str> {
            self.0.oddities().iter().map(Oddity::as_str).collect()
        }
    }

    const WHOLE: &str = "udp 192.0.2.1:1000 > 192.0.2.9:53 16/16 sixteen bytes...";

    #[test]
    fn makes_a_datagram_whole_in_any_order() {
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1], [0, 2, 1], [1, 0, 2]] {
            let mut story = Story::new(&DecodeConfig::default());
            let [first, second, third] = order.map(|place| pieces()[place].clone());

            assert_eq!(story.see(0, &first), Err(Skip::FragmentHeld));
            assert_eq!(story.see(1, &second), Err(Skip::FragmentHeld));
            assert_eq!(story.see(2, &third).as_deref(), Ok(WHOLE), "order {order:?}");

            let expected = FragmentStats { reassembled: 1, ..FragmentStats::default() };
            assert_eq!(story.0.fragment_stats(), expected);
        }
    }

    #[test]
    fn finds_the_ports_of_a_scan_that_splits_its_header() {
        // What `nmap -f` sends: a SYN of 20 bytes in three packets.
        let syn = tcp(2, &[]);
        let send = |offset: usize, more: u16| {
            let place = (offset as u16 / 8) | more;
            ip4_between((A, B), 6, (9, place), &syn[offset..(offset + 8).min(20)])
        };
        let mut story = Story::new(&DecodeConfig::default());

        assert_eq!(story.see(0, &send(0, MORE)), Err(Skip::FragmentHeld));
        assert_eq!(story.oddities(), ["excessively_small_fragment"]);
        assert_eq!(story.see(0, &send(8, MORE)), Err(Skip::FragmentHeld));
        assert_eq!(
            story.see(0, &send(16, 0)).as_deref(),
            Ok("tcp 192.0.2.1:40000 > 192.0.2.9:445 S 0/0 ")
        );
    }

    #[test]
    fn makes_ipv6_whole_with_headers_inside_the_fragments() {
        let options = [17, 0, 1, 4, 0, 0, 0, 0];
        let whole = cat(&[&options, &datagram()]);
        let mut story = Story::new(&DecodeConfig::default());

        assert_eq!(story.see(0, &piece6(17, 16, false, &whole[16..])), Err(Skip::FragmentHeld));
        assert_eq!(
            story.see(0, &piece6(60, 0, true, &whole[..16])).as_deref(),
            Ok("udp [2001:db8::1]:1000 > [2001:db8::9]:53 16/16 sixteen bytes...")
        );
    }

    #[test]
    fn says_how_long_the_whole_packet_is() {
        let mut decoder = Decoder::new(&DecodeConfig::default());
        let ip_len = |decoder: &mut Decoder, packet: &[u8]| {
            let packet = decoder.decode(&frame_at(0, LinkType::RAW, packet)).ok()?;
            let crate::decode::Body::Ip(ip) = packet.body else { return None };
            Some(ip.ip_len)
        };
        let whole = datagram();

        let v4 = pieces().map(|packet| ip_len(&mut decoder, &packet));
        let first = ip_len(&mut decoder, &piece6(17, 0, true, &whole[..16]));
        let second = ip_len(&mut decoder, &piece6(17, 16, false, &whole[16..]));

        assert_eq!(v4, [None, None, Some(44)]);
        assert_eq!((first, second), (None, Some(64)));
    }

    #[test]
    fn keeps_what_came_first_and_notes_the_overlap() {
        let whole = datagram();
        let mut story = Story::new(&DecodeConfig::default());

        let _ = story.see(0, &piece(8, true, &whole[8..16]));
        let _ = story.see(0, &piece(0, true, &cat(&[&whole[..8], b"EVASION!"])));
        assert_eq!(story.oddities(), ["fragment_inconsistency", "excessively_small_fragment"]);
        assert_eq!(story.see(0, &piece(8, false, &whole[8..])).as_deref(), Ok(WHOLE));
        assert_eq!(story.oddities(), ["fragment_overlap"]);
    }

    #[test]
    fn fills_the_gaps_around_what_it_has() {
        let whole = datagram();
        let mut story = Story::new(&DecodeConfig::default());

        let _ = story.see(0, &piece(8, true, &whole[8..16]));
        let _ = story.see(0, &piece(0, true, &whole));
        assert_eq!(story.oddities(), ["fragment_overlap", "excessively_small_fragment"]);
        assert_eq!(story.see(0, &piece(16, false, &whole[16..])).as_deref(), Ok(WHOLE));
    }

    #[test]
    fn does_not_mind_an_exact_copy() {
        let [first, second, third] = pieces();
        let mut story = Story::new(&DecodeConfig::default());

        let _ = story.see(0, &first);
        let _ = story.see(0, &third);
        let _ = story.see(0, &third);
        assert_eq!(story.oddities(), [""; 0]);
        assert_eq!(story.see(0, &second).as_deref(), Ok(WHOLE));
    }

    #[test]
    fn refuses_what_contradicts_the_end() {
        let whole = datagram();
        let mut story = Story::new(&DecodeConfig::default());

        let _ = story.see(0, &piece(8, false, &whole[8..]));
        assert_eq!(story.see(0, &piece(16, false, &[0; 16])), Err(Skip::BadFragment));
        assert_eq!(story.oddities(), ["fragment_size_inconsistency"]);
        assert_eq!(story.see(0, &piece(0, true, &whole[..8])).as_deref(), Ok(WHOLE));
    }

    #[test]
    fn refuses_what_no_sender_may_send() {
        let mut story = Story::new(&DecodeConfig::default());

        assert_eq!(story.see(0, &piece(65_528, false, &[0; 64])), Err(Skip::BadFragment));
        assert_eq!(story.oddities(), ["excessively_large_fragment"]);
        assert_eq!(story.see(0, &piece(0, true, &[0; 9])), Err(Skip::BadFragment));
        assert_eq!(story.see(0, &piece(8, true, &[])), Err(Skip::BadFragment));
        assert_eq!(story.0.fragment_stats().waiting, 0);
    }

    #[test]
    fn notes_fragments_that_forbid_fragmentation() {
        let packet = ip4_between((A, B), 17, (7, MORE | 0x4000), &[0; 64]);
        let mut story = Story::new(&DecodeConfig::default());

        assert_eq!(story.see(0, &packet), Err(Skip::FragmentHeld));
        assert_eq!(story.oddities(), ["fragment_with_DF"]);
    }

    #[test]
    fn keeps_datagrams_of_different_hosts_protocols_and_vlans_apart() {
        let [first, second, third] = pieces();
        let tagged = |packet: &[u8]| {
            cat(&[&[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 5, 8, 0], packet])
        };
        let mut story = Story::new(&DecodeConfig::default());

        let _ = story.see(0, &first);
        let _ = story.see(0, &third);
        let other_vlan = tagged(&second);
        let other_host = ip4_between((B, A), 17, (7, MORE | 1), &datagram()[8..16]);
        let other_protocol = ip4_between((A, B), 6, (7, MORE | 1), &datagram()[8..16]);
        let vlan = story.see_frame(&frame_at(0, LinkType::ETHERNET, &other_vlan));
        assert_eq!(vlan, Err(Skip::FragmentHeld));
        assert_eq!(story.see(0, &other_host), Err(Skip::FragmentHeld));
        assert_eq!(story.see(0, &other_protocol), Err(Skip::FragmentHeld));
        assert_eq!(story.see(0, &second).as_deref(), Ok(WHOLE));
    }

    #[test]
    fn gives_up_after_the_time_out() {
        let [first, second, third] = pieces();
        let mut story = Story::new(&DecodeConfig::default());

        let _ = story.see(0, &first);
        let _ = story.see(30, &second);
        assert_eq!(story.see(31, &third), Err(Skip::FragmentHeld));

        let stats = story.0.fragment_stats();
        assert_eq!((stats.reassembled, stats.expired, stats.waiting), (0, 1, 1));
    }

    #[test]
    fn evicts_the_oldest_to_stay_within_its_budget() {
        let config = DecodeConfig { budget: ByteSize(20_000), ..DecodeConfig::default() };
        let mut story = Story::new(&config);
        let send = |id: u16, more: bool| {
            let place = if more { MORE } else { 100 };
            ip4_between((A, B), 17, (id, place), &[0; 800])
        };

        for id in 0..200 {
            assert_eq!(story.see(0, &send(id, true)), Err(Skip::FragmentHeld));
            assert!(story.0.fragment_stats().bytes <= 20_000);
        }

        assert!(story.0.fragment_stats().evicted > 100);
        assert!(story.see(0, &send(199, false)).is_ok(), "the newest is still there");
        assert_eq!(story.see(0, &send(0, false)), Err(Skip::FragmentHeld), "the oldest is not");
    }

    #[test]
    fn drops_a_datagram_that_is_larger_than_the_budget() {
        let config = DecodeConfig { budget: ByteSize(100), ..DecodeConfig::default() };
        let mut story = Story::new(&config);

        assert_eq!(story.see(0, &pieces()[0]), Err(Skip::FragmentDropped));
        assert_eq!((story.0.fragment_stats().waiting, story.0.fragment_stats().bytes), (0, 0));
    }

    #[test]
    fn passes_on_a_first_fragment_that_the_capture_cut_off() {
        let long = udp(1000, 2049, &[b'x'; 3000]);
        let first = ip4_between((A, B), 17, (7, MORE), &long[..1480]);
        let second = ip4_between((A, B), 17, (7, MORE | 185), &long[1480..2960]);
        let cut = |packet| Frame { wire_len: 1500, ..frame_at(0, LinkType::RAW, packet) };
        let mut story = Story::new(&DecodeConfig::default());

        assert_eq!(
            story.see_frame(&cut(&first[..32])).as_deref(),
            Ok("udp 192.0.2.1:1000 > 192.0.2.9:2049 4/3000 xxxx")
        );
        assert_eq!(story.oddities(), ["incompletely_captured_fragment"]);
        assert_eq!(story.see_frame(&cut(&second[..32])), Err(Skip::FragmentCut));
        let options = piece6(60, 0, true, &cat(&[&[17, 0, 1, 4, 0, 0, 0, 0], &long[..1472]]));
        assert_eq!(
            story.see_frame(&cut(&options[..68])).as_deref(),
            Ok("udp [2001:db8::1]:1000 > [2001:db8::9]:2049 4/3000 xxxx")
        );
        assert_eq!(story.0.fragment_stats().waiting, 0);
    }

    #[test]
    fn makes_fragments_in_and_around_a_tunnel_whole() {
        let [first, second, third] = pieces();
        let mut story = Story::new(&DecodeConfig::default());

        let _ = story.see(0, &ip4(4, &first));
        let _ = story.see(0, &ip4(4, &second));
        // The outer packet of the last one is itself in two pieces.
        let _ = story.see(0, &ip4_between((B, A), 4, (3, MORE), &third[..8]));
        assert_eq!(
            story.see(0, &ip4_between((B, A), 4, (3, 1), &third[8..])).as_deref(),
            Ok(WHOLE)
        );
    }

    #[test]
    fn a_config_section_may_name_only_what_exists() {
        let config: DecodeConfig = toml::from_str("fragment_timeout = \"60s\"").unwrap();

        assert_eq!(config.fragment_timeout, Duration::from_secs(60));
        assert_eq!(config.budget, DecodeConfig::default().budget);
        assert!(toml::from_str::<DecodeConfig>("fragment_time = \"60s\"").is_err());
    }
}
