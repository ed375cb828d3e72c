//! No frame of any link type may make the decoder panic or outgrow its budget. The first two bytes
//! choose the link type; the rest is cut into frames, so that fragments can meet.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wormwatch::config::units::ByteSize;
use wormwatch::decode::{DecodeConfig, Decoder};
use wormwatch::source::{Frame, LinkType};
use wormwatch::time::Timestamp;

const BUDGET: usize = 4096;

fuzz_target!(|data: &[u8]| {
    let Some((link, mut rest)) = data.split_first_chunk::<2>() else { return };
    let link = LinkType(u16::from_be_bytes(*link));
    let config = DecodeConfig { budget: ByteSize(BUDGET), ..DecodeConfig::default() };
    let mut decoder = Decoder::new(&config);
    let mut secs = 0;

    // A length byte before each frame; zero takes all that is left.
    while let Some((&len, bytes)) = rest.split_first() {
        let len = if len == 0 { bytes.len() } else { usize::from(len).min(bytes.len()) };
        let (data, after) = bytes.split_at(len);
        rest = after;
        secs += 1;
        let frame = Frame {
            ts: Timestamp::from_secs(secs),
            link,
            input: 0,
            interface: 0,
            // Now and then more was on the wire than was captured.
            wire_len: data.len() as u32 + u32::from(data.len() % 5 == 4) * 100,
            data,
        };
        // What the short way makes of a frame is what the general way makes of it.
        let packet = decoder.decode(&frame);
        if let Some(shortly) = Decoder::plain(&frame, |packet| format!("{packet:?}")) {
            assert_eq!(shortly, format!("{:?}", packet.expect("it was plain")));
        }
        let _ = decoder.oddities().iter().count();
        assert!(decoder.fragment_stats().bytes <= BUDGET);
    }
});
