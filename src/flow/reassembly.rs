//! One direction of a TCP stream in order: its first bytes for the recognisers, and for all of it
//! which bytes the capture missed.
//!
//! The common segment, in order and with nothing waiting, moves one number and copies nothing.

/// Segments ahead of a hole that are remembered; a loss burst is shorter, and an attacker who
/// leaves holes pays with `missed_bytes`, not with our memory.
const MAX_LATE: usize = 64;

/// Bytes of those segments that are kept, as many as that many full Ethernet frames have.
const MAX_HELD: usize = 96 << 10;

/// Segments behind a hole that say enough: TCP repeats what is missing after three.
const STUCK: usize = 16;

/// Takes bytes in order: their place and their content.
pub(super) type Deliver<'a> = &'a mut dyn FnMut(i64, &[u8]);

/// A direction, in sequence numbers relative to its SYN (so the first byte is 1).
#[derive(Debug)]
pub(super) struct Stream {
    /// Everything before it was delivered or given up.
    next: i64,
    /// Everything before it was acknowledged.
    trimmed: i64,
    /// What lies beyond a hole, where there is one.
    waiting: Option<Box<Waiting>>,
}

/// Segments beyond a hole.
#[derive(Debug, Default)]
struct Waiting {
    /// In order, without overlap.
    late: Vec<Late>,
    /// Bytes of `late`'s data.
    held: usize,
}

#[derive(Debug)]
struct Late {
    from: i64,
    to: i64,
    data: Option<Box<[u8]>>,
}

/// A segment's place and the bytes that were captured of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk<'a> {
    /// Sequence number of its first byte.
    pub(super) from: i64,
    /// Its bytes.
    pub(super) data: &'a [u8],
}

/// Bytes that an acknowledgement proves sent and the capture does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gaps {
    /// How many holes.
    pub(super) holes: u32,
    /// Bytes in all of them.
    pub(super) bytes: u64,
}

impl Default for Stream {
    fn default() -> Self {
        Self { next: 1, trimmed: 1, waiting: None }
    }
}

impl Stream {
    /// Takes a segment. What begins before `keep_until` is given to `deliver` in order, each byte
    /// once; where segments overlap, what came first wins. Returns whether an overlap had other
    /// content.
    pub(super) fn on_data(
        &mut self,
        chunk: Chunk<'_>,
        keep_until: i64,
        deliver: Deliver<'_>,
    ) -> bool {
        let to = chunk.from + chunk.data.len() as i64;
        if to <= self.next {
            return false;
        }
        if chunk.from <= self.next && self.waiting.is_none() {
            let skip = (self.next - chunk.from) as usize;
            let fresh = chunk.data.get(skip..).unwrap_or_default();
            give(fresh, self.next, keep_until, deliver);
            self.next = to;
            return false;
        }
        let next = self.next;
        let differs = self.waiting.get_or_insert_default().insert(chunk, next, to, keep_until);
        self.drain(keep_until, deliver);
        differs
    }

    /// Takes an acknowledgement of everything before `to`. Holes below it are given up.
    pub(super) fn on_ack(&mut self, to: i64, keep_until: i64, deliver: Deliver<'_>) -> Gaps {
        let mut gaps = Gaps::default();
        if to <= self.trimmed {
            return gaps;
        }
        while self.next < to {
            let first = self.waiting.as_ref().and_then(|waiting| waiting.late.first());
            let hole_end = first.map_or(to, |late| late.from.min(to));
            gaps.holes += 1;
            gaps.bytes += (hole_end - self.next) as u64;
            self.next = hole_end;
            self.drain(keep_until, deliver);
        }
        self.trimmed = to;
        gaps
    }

    /// Gives up the first hole if many segments wait behind it: where the other side is not captured,
    /// no acknowledgement will ever say that it is one.
    pub(super) fn give_up_if_stuck(&mut self, keep_until: i64, deliver: Deliver<'_>) {
        let late = self.waiting.as_ref().map_or(&[][..], |waiting| &waiting.late);
        if late.len() >= STUCK {
            self.next = late.first().map_or(self.next, |late| late.from);
            self.drain(keep_until, deliver);
        }
    }

    /// Notes an acknowledgement without giving up the holes below it.
    pub(super) fn note_ack(&mut self, to: i64) {
        self.trimmed = self.trimmed.max(to);
    }

    /// Whether nothing waits for a hole to be filled.
    pub(super) const fn is_in_order(&self) -> bool {
        self.waiting.is_none()
    }

    /// Takes note of bytes up to `to`, the next ones, which nobody wants.
    pub(super) fn advance(&mut self, to: i64) {
        self.next = to;
    }

    /// Lets go of held content; places stay known.
    pub(super) fn forget_content(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            waiting.held = 0;
            for late in &mut waiting.late {
                late.data = None;
            }
            waiting.merge();
        }
    }

    /// Sequence number up to which everything was delivered or given up.
    pub(super) const fn next(&self) -> i64 {
        self.next
    }

    /// Whether something waits for a hole to be filled or for its acknowledgement.
    pub(super) fn has_unacknowledged(&self) -> bool {
        self.next > self.trimmed || self.waiting.is_some()
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| {
            size_of::<Waiting>() + waiting.held + waiting.late.capacity() * size_of::<Late>()
        })
    }

    fn drain(&mut self, keep_until: i64, deliver: Deliver<'_>) {
        let Some(waiting) = &mut self.waiting else { return };
        let ready = waiting.late.iter().take_while(|late| {
            let is_next = late.from <= self.next;
            if is_next {
                if let Some(data) = &late.data {
                    give(data, late.from, keep_until, deliver);
                }
                self.next = self.next.max(late.to);
            }
            is_next
        });
        let ready = ready.count();
        for late in waiting.late.drain(..ready) {
            waiting.held -= late.data.map_or(0, |data| data.len());
        }
        if waiting.late.is_empty() {
            self.waiting = None;
        }
    }
}

impl Waiting {
    /// Takes a segment that ends before `to`; what lies before `next` is known.
    fn insert(&mut self, chunk: Chunk<'_>, next: i64, to: i64, keep_until: i64) -> bool {
        let mut at = chunk.from.max(next);
        let mut differs = false;
        let mut pieces = Vec::new();
        let part = |from: i64, to: i64| {
            let range = (from - chunk.from) as usize..(to - chunk.from) as usize;
            chunk.data.get(range).unwrap_or_default()
        };
        for late in &self.late {
            if late.to <= at {
                continue;
            }
            if late.from >= to {
                break;
            }
            if late.from > at {
                pieces.push((at, late.from));
            }
            let (from, end) = (late.from.max(at), late.to.min(to));
            let held = late
                .data
                .as_deref()
                .and_then(|data| data.get((from - late.from) as usize..(end - late.from) as usize));
            differs |= held.is_some_and(|held| held != part(from, end));
            at = late.to;
        }
        if at < to {
            pieces.push((at, to));
        }
        for (from, to) in pieces {
            if self.late.len() >= MAX_LATE {
                break;
            }
            let fits = to <= keep_until && self.held + (to - from) as usize <= MAX_HELD;
            let data: Option<Box<[u8]>> = fits.then(|| Box::from(part(from, to)));
            self.held += data.as_deref().map_or(0, <[u8]>::len);
            let place = self.late.partition_point(|late| late.from < from);
            self.late.insert(place, Late { from, to, data });
        }
        self.merge();
        differs
    }

    /// Joins neighbours whose content nobody needs.
    fn merge(&mut self) {
        self.late.dedup_by(|later, earlier| {
            let joins = earlier.to == later.from && earlier.data.is_none() && later.data.is_none();
            if joins {
                earlier.to = later.to;
            }
            joins
        });
    }
}

/// Delivers what begins before `keep_until`.
fn give(data: &[u8], from: i64, keep_until: i64, deliver: Deliver<'_>) {
    if from < keep_until && !data.is_empty() {
        deliver(from, data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn feed(stream: &mut Stream, from: i64, data: &[u8], out: &mut Vec<u8>) -> bool {
        stream.on_data(Chunk { from, data }, 1 << 14, &mut |_, bytes| out.extend(bytes))
    }

    #[test]
    fn puts_segments_in_order() {
        let (mut stream, mut out) = (Stream::default(), Vec::new());

        feed(&mut stream, 4, b"def", &mut out);
        feed(&mut stream, 7, b"gh", &mut out);
        feed(&mut stream, 1, b"abc", &mut out);

        assert_eq!(out, b"abcdefgh");
        assert_eq!(stream.heap_bytes(), 0);
    }

    #[test]
    fn the_first_of_two_overlapping_segments_wins() {
        let (mut stream, mut out) = (Stream::default(), Vec::new());

        feed(&mut stream, 3, b"cd", &mut out);
        let differs = feed(&mut stream, 1, b"abXXef", &mut out);

        assert_eq!(out, b"abcdef");
        assert!(differs);
    }

    #[test]
    fn a_retransmission_delivers_nothing_again() {
        let (mut stream, mut out) = (Stream::default(), Vec::new());

        feed(&mut stream, 1, b"abc", &mut out);
        let differs = feed(&mut stream, 1, b"abc", &mut out);
        feed(&mut stream, 2, b"bcd", &mut out);

        assert_eq!(out, b"abcd");
        assert!(!differs);
    }

    #[test]
    fn an_acknowledgement_shows_what_is_missing() {
        let (mut stream, mut out) = (Stream::default(), Vec::new());
        feed(&mut stream, 1, b"abc", &mut out);
        feed(&mut stream, 10, b"xyz", &mut out);

        let gaps = stream.on_ack(15, 1 << 14, &mut |_, bytes| out.extend(bytes));

        assert_eq!(gaps, Gaps { holes: 2, bytes: 6 + 2 });
        assert_eq!(out, b"abcxyz");
        assert_eq!(stream.next(), 15);
    }

    #[test]
    fn stops_copying_beyond_the_prefix() {
        let (mut stream, mut out) = (Stream::default(), Vec::<u8>::new());

        let mut keep = |_, bytes: &[u8]| out.extend(bytes);
        stream.on_data(Chunk { from: 3, data: b"cdef" }, 5, &mut keep);
        stream.on_data(Chunk { from: 1, data: b"ab" }, 5, &mut keep);
        stream.on_data(Chunk { from: 7, data: b"gh" }, 5, &mut keep);

        assert_eq!(stream.next(), 9);
        assert_eq!(out.as_slice(), b"ab");
    }

    #[test]
    fn says_where_a_piece_belongs() {
        let (mut stream, mut places) = (Stream::default(), Vec::new());

        let mut note = |from, bytes: &[u8]| places.push((from, bytes.len()));
        stream.on_data(Chunk { from: 1, data: b"abc" }, 1 << 14, &mut note);
        stream.on_data(Chunk { from: 10, data: b"xyz" }, 1 << 14, &mut note);
        stream.on_ack(13, 1 << 14, &mut note);

        assert_eq!(places, [(1, 3), (10, 3)]);
    }

    #[test]
    fn gives_up_a_hole_that_many_wait_behind() {
        let (mut stream, mut out) = (Stream::default(), Vec::new());

        for i in 0..STUCK as i64 {
            feed(&mut stream, 2 + i, b"x", &mut out);
            assert!(out.is_empty());
        }
        stream.give_up_if_stuck(i64::MAX, &mut |_, bytes| out.extend(bytes));

        assert_eq!((out.len(), stream.heap_bytes()), (STUCK, 0));
    }

    #[test]
    fn holds_only_so_much_behind_a_hole() {
        let mut stream = Stream::default();
        let data = vec![0; 40_000];

        for i in 0..10 {
            stream.on_data(Chunk { from: 2 + i * 40_000, data: &data }, i64::MAX, &mut |_, _| {});
        }

        assert!(stream.heap_bytes() <= MAX_HELD + MAX_LATE * size_of::<Late>());
        assert!(stream.heap_bytes() >= 80_000);
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same_stream(
            order in Just((0..40usize).collect::<Vec<_>>()).prop_shuffle(),
            overlap in 0usize..4,
        ) {
            let whole: Vec<u8> = (0..200u8).collect();
            let (mut stream, mut out) = (Stream::default(), Vec::new());
            for i in order {
                let from = (i * 5).saturating_sub(overlap);
                let differs = feed(&mut stream, 1 + from as i64, &whole[from..i * 5 + 5], &mut out);
                prop_assert!(!differs);
            }
            prop_assert_eq!(out, whole);
            prop_assert_eq!(stream.heap_bytes(), 0);
        }

        #[test]
        fn holds_no_more_than_its_limits(
            segments in proptest::collection::vec((1i64..1 << 40, 0usize..1400, any::<bool>()), 0..200)
        ) {
            let mut stream = Stream::default();
            let data = [0u8; 1400];
            let mut delivered = 0;
            for (from, length, ack) in segments {
                let mut count = |_, bytes: &[u8]| delivered += bytes.len();
                if ack {
                    stream.on_ack(from, 1 << 14, &mut count);
                } else {
                    stream.on_data(Chunk { from, data: &data[..length] }, 1 << 14, &mut count);
                }
                prop_assert!(stream.heap_bytes() <= (1 << 14) + 2 * MAX_LATE * size_of::<Late>());
            }
            prop_assert!(delivered <= (1 << 14) + data.len());
        }
    }
}
