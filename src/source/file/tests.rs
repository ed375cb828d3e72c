use std::io::{Cursor, Write};

use proptest::prelude::*;

use super::samples::*;
use super::*;

/// What is asserted about a frame.
#[derive(Debug, PartialEq)]
struct Seen {
    nanos: i64,
    link: u16,
    interface: u32,
    wire: u32,
    data: Vec<u8>,
}

fn seen(nanos: i64, link: u16, interface: u32, wire: u32, data: &[u8]) -> Seen {
    Seen { nanos, link, interface, wire, data: data.to_vec() }
}

fn read(file: Vec<u8>) -> (Vec<Seen>, CaptureReader) {
    let mut reader = CaptureReader::new(Box::new(Cursor::new(file)), 64).unwrap();
    let mut frames = Vec::new();
    while reader.advance() {
        let frame = reader.frame().unwrap();
        let (link, nanos) = (frame.link.0, frame.ts.as_nanos());
        frames.push(seen(nanos, link, frame.interface, frame.wire_len, frame.data));
    }
    (frames, reader)
}

/// The number of frames and the damage.
fn outcome(file: Vec<u8>) -> (usize, Option<String>) {
    let (frames, reader) = read(file);
    (frames.len(), reader.damage().map(str::to_owned))
}

#[test]
fn reads_classic_files_of_either_byte_order_and_precision() {
    for order in [Order::Little, Order::Big] {
        for (magic, nanos) in [(0xa1b2_c3d4, 7_000_005_000), (0xa1b2_3c4d, 7_000_000_005)] {
            let mut file = pcap(order, magic, 65_535, 101);
            file.extend(record(order, (7, 5), 99, b"one"));
            file.extend(record(order, (7, 5), 0, b"longer than on the wire"));

            let (frames, reader) = read(file);

            assert_eq!(frames[0], seen(nanos, 101, 0, 99, b"one"));
            assert_eq!(frames[1].wire, 23);
            assert_eq!((frames.len(), reader.damage()), (2, None));
        }
    }
}

#[test]
fn reads_the_modified_format_with_its_longer_record_headers() {
    for order in [Order::Little, Order::Big] {
        let mut file = pcap(order, 0xa1b2_cd34, 65_535, 1);
        for text in [b"first", b"later"] {
            file.extend(order.words(&[1, 2, 5, 60]));
            file.extend([9; 8]);
            file.extend(text);
        }

        let (frames, reader) = read(file);

        assert_eq!(frames[0], seen(1_000_002_000, 1, 0, 60, b"first"));
        assert_eq!(frames[1], seen(1_000_002_000, 1, 0, 60, b"later"));
        assert_eq!(reader.damage(), None);
    }
}

#[test]
fn old_versions_order_the_two_lengths_differently() {
    for (minor, lengths) in [(2, [60, 3]), (3, [60, 3]), (3, [3, 60])] {
        let mut file = pcap(Order::Little, 0xa1b2_c3d4, 68, 1);
        file[6] = minor;
        file.extend(Order::Little.words(&[1, 0, lengths[0], lengths[1]]));
        file.extend(b"abc");

        let (frames, _) = read(file);

        assert_eq!(frames, [seen(1_000_000_000, 1, 0, 60, b"abc")]);
    }
}

#[test]
fn takes_no_notice_of_the_snap_length_and_of_check_sequence_bits() {
    for snaplen in [0, 4, 65_535, u32::MAX] {
        let mut file = pcap(Order::Big, 0xa1b2_c3d4, snaplen, 0x2400_0001);
        file.extend(record(Order::Big, (1, 0), 300, &[7; 300]));

        assert_eq!(read(file).0, [seen(1_000_000_000, 1, 0, 300, &[7; 300])]);
    }
}

#[test]
fn a_file_with_nothing_but_its_header_is_whole() {
    assert_eq!(outcome(plain(0, 0)), (0, None));
    assert_eq!(outcome(section(Order::Little)), (0, None));
}

#[test]
fn a_file_cut_off_is_read_up_to_there_and_says_where() {
    let file = plain(100, 3);

    let header = outcome(file[..10].to_vec());
    let record_header = outcome(file[..24 + 76 + 5].to_vec());
    let frame = outcome(file[..file.len() - 1].to_vec());
    let empty = outcome(Vec::new());

    assert_eq!(header, (0, Some("cut off in the middle of the file header".into())));
    assert_eq!(record_header, (1, Some("cut off in the middle of record 2 at byte 100".into())));
    assert_eq!(frame, (2, Some("cut off in the middle of record 3 at byte 176".into())));
    assert_eq!(empty, (0, Some("empty: not even a file header".into())));
}

#[test]
fn garbage_in_the_middle_ends_the_file_without_taking_memory() {
    let mut file = plain(100, 3);
    file[24 + 76 + 8..][..4].copy_from_slice(&[0xff; 4]);

    let (count, damage) = outcome(file);

    assert_eq!(count, 1);
    let damage = damage.unwrap();
    assert_eq!(
        damage,
        "damaged in record 2 at byte 100: it claims 4294967295 bytes, more than any frame has"
    );
}

#[test]
fn reads_sections_of_either_byte_order_each_with_its_own_interfaces() {
    let (little, big) = (Order::Little, Order::Big);
    let file = [
        section(little),
        interface(little, 1, 0, &option(little, 2, b"eth0")),
        interface(little, 113, 0, &option(little, 9, &[9])),
        enhanced(little, 1, 5, 80, b"cooked"),
        enhanced(little, 0, 5, 3, b"eth"),
        section(big),
        interface(big, 101, 0, &option(big, 9, &[0x80 | 20])),
        interface(big, 1, 0, &option(big, 2, b"eth0")),
        enhanced(big, 0, 3 << 19, 3, b"raw"),
        enhanced(big, 1, 1_000_000, 3, b"eth"),
    ];

    let (frames, reader) = read(file.concat());

    let eth0 = 0;
    assert_eq!(frames[0], seen(5, 113, 1, 80, b"cooked"));
    assert_eq!(frames[1], seen(5_000, 1, eth0, 3, b"eth"));
    assert_eq!(frames[2], seen(1_500_000_000, 101, 2, 3, b"raw"));
    assert_eq!(frames[3], seen(1_000_000_000, 1, eth0, 3, b"eth"));
    assert_eq!((frames.len(), reader.damage()), (4, None));
    assert_eq!(reader.interface_name(0), Some("eth0"));
    assert_eq!(reader.interface_name(1), Some("interface 1"));
}

#[test]
fn timestamps_honour_the_interface_offset() {
    let order = Order::Big;
    let options = option(order, 14, &1_000_i64.to_be_bytes());
    let file =
        [section(order), interface(order, 1, 0, &options), enhanced(order, 0, 2_000_000, 1, b"x")];

    assert_eq!(read(file.concat()).0[0].nanos, 1_002_000_000_000);
}

#[test]
fn simple_packets_take_the_last_time_and_the_snap_length() {
    let order = Order::Little;
    let file = [
        section(order),
        interface(order, 1, 5, &[]),
        simple(order, 3, b"abc"),
        enhanced(order, 0, 9, 3, b"def"),
        simple(order, 100, b"ghijkxxx"),
        obsolete(order, 0, 11, b"lmn"),
    ];

    let (frames, reader) = read(file.concat());

    assert_eq!(frames[0], seen(0, 1, 0, 3, b"abc"));
    assert_eq!(frames[2], seen(9_000, 1, 0, 100, b"ghijk"));
    assert_eq!(frames[3], seen(11_000, 1, 0, 3, b"lmn"));
    assert_eq!((frames.len(), reader.damage()), (4, None));
}

#[test]
fn skips_blocks_that_it_does_not_know_and_adds_up_drops() {
    let order = Order::Big;
    let file = [
        section(order),
        interface(order, 1, 0, &[]),
        interface(order, 1, 0, &[]),
        block(order, 0x0bad, &[1; 5000]),
        enhanced(order, 0, 9, 3, b"abc"),
        statistics(order, 0, [1, 10]),
        statistics(order, 0, [2, 20]),
        statistics(order, 1, [3, 30]),
        statistics(order, 77, [9, 9]),
        section(order),
        interface(order, 1, 0, &[]),
        statistics(order, 0, [4, 40]),
    ];

    let (frames, reader) = read(file.concat());

    assert_eq!(frames.len(), 1);
    assert_eq!(reader.drops(), Drops { kernel: Some(90), interface: Some(9) });
    assert_eq!(reader.damage(), None);
}

#[test]
fn damaged_blocks_end_the_file_and_say_why() {
    let order = Order::Little;
    let start = [section(order), interface(order, 1, 0, &[])].concat();
    let whole = [start, enhanced(order, 0, 1, 4, b"abcd")].concat();
    let with = |more: Vec<u8>| outcome([whole.clone(), more].concat());
    let mut odd = enhanced(order, 0, 1, 4, b"abcd");
    odd[4] += 1;
    let mut disagreeing = enhanced(order, 0, 1, 4, b"abcd");
    *disagreeing.last_mut().unwrap() = 1;
    let mut greedy = enhanced(order, 0, 1, 4, b"abcd");
    greedy[20] = 200;
    let mut endless = block(order, 0xbad, b"");
    endless[4..8].copy_from_slice(&0xffff_fffc_u32.to_le_bytes());
    let mut mixed = section(order);
    mixed[8] = 0;

    for (bytes, expected) in [
        (odd, "a block cannot be 37 bytes long"),
        (disagreeing, "its length is 36 at its front and 16777252 at its end"),
        (greedy, "it claims 200 bytes in a block of 36"),
        (enhanced(order, 1, 1, 1, b"a"), "it names interface 1, which is not described"),
        (endless, "cut off in the middle of record 2"),
        (mixed, "its byte order is neither of the two"),
        (vec![0; 12], "a block cannot be 0 bytes long"),
        (vec![6, 0, 0], "cut off in the middle of record 2 at byte 84"),
    ] {
        let (count, damage) = with(bytes);
        let damage = damage.unwrap();

        assert_eq!(count, 1);
        assert!(damage.contains(expected), "{damage}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut packer = liblzma::write::XzEncoder::new(Vec::new(), 1);
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

#[test]
fn unpacks_whatever_the_content_says_in_several_parts_and_nested() {
    let file = plain(0, 200);
    let (front, back) = file.split_at(5000);

    for pack in [gzip, xz, bzip2, zstd] {
        let parts = [pack(front), pack(back)].concat();

        assert_eq!(outcome(pack(&file)), (200, None));
        assert_eq!(outcome(parts), (200, None));
        assert_eq!(outcome(zstd(&pack(&file))), (200, None));
    }
}

#[test]
fn a_packed_file_cut_off_gives_what_its_bytes_hold() {
    // Random bytes do not pack, so the cut falls where it is expected to.
    let mut file = pcap(Order::Little, 0xa1b2_c3d4, 65_535, 1);
    let mut state = 1_u32;
    for second in 0..3000 {
        let frame: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(984)
        .collect();
        file.extend(record(Order::Little, (second, 0), 984, &frame));
    }

    for (pack, name) in
        [(gzip as fn(&[u8]) -> Vec<u8>, "gzip"), (xz, "xz"), (bzip2, "bzip2"), (zstd, "zstd")]
    {
        let packed = pack(&file);
        let (count, damage) = outcome(packed[..packed.len() / 2].to_vec());
        let damage = damage.unwrap();

        assert!((900..=1500).contains(&count), "{name}: {count}");
        assert!(damage.starts_with("cut off in the middle of record"), "{damage}");
        assert!(damage.ends_with(&format!("of what {name} unpacks")), "{damage}");
    }
}

#[test]
fn a_packed_file_with_a_flipped_bit_is_damaged_but_no_error() {
    let mut packed = gzip(&plain(0, 200));
    let last = packed.len() - 6;
    packed[last] ^= 1;

    let (count, damage) = outcome(packed);

    assert_eq!(count, 200);
    assert!(damage.unwrap().starts_with("unreadable from record 201"));
}

#[test]
fn says_what_a_file_is_that_is_no_capture() {
    let refused = |bytes: &[u8]| match CaptureReader::new(Box::new(Cursor::new(bytes.to_vec())), 64)
    {
        Err(Unreadable::NotACapture(what, _)) => what,
        other => panic!("{other:?}"),
    };

    assert_eq!(refused(b"hello"), "text");
    assert_eq!(refused(&gzip(b"hello")), "gzip data whose content is text");
    assert!(refused(&gzip(&gzip(&gzip(&plain(0, 1))))).starts_with("gzip data whose content is"));
    assert!(refused(b"\x0a\x0d\x0d\x0a\0\0\0\x1cabcd").starts_with("something that begins"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_loop(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(mut reader) = CaptureReader::new(Box::new(Cursor::new(bytes.clone())), 64) {
            let mut frames = 0;
            while reader.advance() {
                frames += 1;
            }
            prop_assert!(frames * 12 <= bytes.len());
        }
    }

    #[test]
    fn no_damage_makes_it_panic_or_loop(
        which in 0..4_usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let order = Order::Big;
        let sections = [
            section(order), interface(order, 1, 9, &option(order, 9, &[9])),
            enhanced(order, 0, 1, 4, b"abcd"), simple(order, 9, b"abcdefgh"),
            statistics(order, 0, [1, 2]), obsolete(order, 0, 1, b"xyz"),
            section(Order::Little), interface(Order::Little, 1, 9, &[]),
            enhanced(Order::Little, 0, 1, 4, b"abcd"),
        ].concat();
        let mut bytes = match which {
            0 => plain(1, 4),
            1 => sections,
            2 => gzip(&plain(1, 4)),
            _ => zstd(&sections),
        };
        for (index, value) in flips {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Ok(mut reader) = CaptureReader::new(Box::new(Cursor::new(bytes)), 64) {
            let mut frames = 0;
            while reader.advance() {
                frames += 1;
                let frame = reader.frame().unwrap();
                prop_assert!(frame.wire_len as usize >= frame.data.len());
            }
            // Flipped bits in packed data can repeat much, but not this much.
            prop_assert!(frames < 100_000);
        }
    }
}
