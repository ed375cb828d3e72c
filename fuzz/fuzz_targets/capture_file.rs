//! No bytes make the capture-file reader panic, loop, or lend a frame longer than its packet.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use wormwatch::source::file::CaptureReader;

fuzz_target!(|bytes: &[u8]| {
    // A small buffer makes records straddle its end.
    let Ok(mut reader) = CaptureReader::new(Box::new(Cursor::new(bytes.to_vec())), 64) else {
        return;
    };
    while reader.advance() {
        let frame = reader.frame().expect("the reader has advanced to a frame");
        assert!(frame.wire_len as usize >= frame.data.len());
        let _ = reader.interface_name(frame.interface);
    }
    let _ = (reader.damage(), reader.drops(), reader.is_blank());
});
