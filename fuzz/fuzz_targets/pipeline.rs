//! No capture makes the pipeline panic or a score leave its scale, time does not run back for who
//! watches, and three threads say what one says.
#![no_main]

use std::io::Cursor;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wormwatch::config::Config;
use wormwatch::event::Event;
use wormwatch::pipeline::{Observer, Options, Outcome, run};
use wormwatch::source::file::CaptureReader;
use wormwatch::source::{Frame, InputReport, Next, Source};
use wormwatch::time::Timestamp;

static CONFIG: LazyLock<Config> = LazyLock::new(Config::default);

/// A capture file in memory; times that go back are clamped, as `CaptureSet` does.
struct Memory {
    reader: CaptureReader,
    last: Timestamp,
}

impl Source for Memory {
    fn next<'a>(&'a mut self, _: usize, frames: &mut Vec<Frame<'a>>) -> Next {
        if !self.reader.advance() {
            return Next::End;
        }
        let frame = self.reader.frame().expect("the reader has advanced to a frame");
        self.last = self.last.max(frame.ts);
        frames.push(Frame {
            ts: self.last,
            link: frame.link,
            input: 0,
            interface: (frame.interface & 0xff) as u16,
            wire_len: frame.wire_len,
            data: frame.data,
        });
        Next::Frames
    }

    fn inputs(&self) -> Vec<InputReport> {
        vec![InputReport::default()]
    }
}

/// Sees that time goes on.
#[derive(Default)]
struct Clock(Option<Timestamp>);

impl Observer for Clock {
    fn on_event(&mut self, event: &Event) {
        assert!(self.0.is_none_or(|last| last <= event.ts), "time ran back");
        self.0 = Some(event.ts);
    }
}

fn replay(bytes: &[u8], threads: usize) -> Option<Outcome> {
    let reader = CaptureReader::new(Box::new(Cursor::new(bytes.to_vec())), 4096).ok()?;
    let mut source = Memory { reader, last: Timestamp::EPOCH };
    let options = Options { threads, prompt: false };
    Some(run(&CONFIG, &mut source, options, &mut Clock::default(), &mut || None))
}

fuzz_target!(|bytes: &[u8]| {
    let Some(outcome) = replay(bytes, 1) else { return };
    let hosts = outcome.analysis.scores().hosts();
    assert!(hosts.iter().all(|host| (0.0..=100.0).contains(&host.peak)));
    assert!(hosts.iter().flat_map(|host| &host.evidence).all(|evidence| evidence.llr.is_finite()));

    // Threads cost more than most inputs; a share of the inputs is enough to see a difference.
    if bytes.len().is_multiple_of(16) {
        let threaded = replay(bytes, 3).expect("it could be read before");
        assert_eq!(format!("{hosts:?}"), format!("{:?}", threaded.analysis.scores().hosts()));
    }
});
