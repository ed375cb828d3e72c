//! A dissector at work on one connection: what it is given, in order and with its gaps, and what
//! it says.

use crate::event::Conversation;
use crate::proto::{Dissector, Expected, Findings, Protocol, Role};
use crate::time::Timestamp;

/// Finds what reads a protocol.
pub(super) type Dissectors = fn(Protocol) -> Option<Box<dyn Dissector>>;

/// What a packet's content is looked at with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lens {
    /// When the packet came.
    pub(super) at: Timestamp,
    /// How many bytes of a direction are looked at before its protocol is known.
    pub(super) prefix: usize,
    /// The sensor's key for fingerprints.
    pub(super) key: u64,
    /// What reads a protocol once it is known.
    pub(super) dissectors: Dissectors,
}

/// A dissector, and how far it was told of each direction.
#[derive(Debug)]
pub(super) struct Reading {
    dissector: Box<dyn Dissector>,
    /// Which connection, once it is settled who is the client.
    talk: Option<Conversation>,
    client: Told,
    server: Told,
    /// What came in the packet that gave the protocol away, until it is settled who is the client.
    opening: Option<Vec<Piece>>,
    /// Bytes that the dissector holds.
    held: usize,
    out: Findings,
}

/// How far a direction was told.
#[derive(Clone, Copy, Debug)]
struct Told {
    next: i64,
    wanted: bool,
}

#[derive(Debug)]
struct Piece {
    sender: Role,
    from: i64,
    data: Vec<u8>,
}

impl Reading {
    /// A reading of a connection from its first byte on.
    pub(super) fn new(mut dissector: Box<dyn Dissector>, talk: Conversation) -> Self {
        dissector.on_start(&talk);
        Self { talk: Some(talk), opening: None, ..Self::unopened(dissector) }
    }

    /// A reading of a connection whose ends may still turn round: nothing is told before
    /// [`Reading::open`].
    pub(super) fn unopened(dissector: Box<dyn Dissector>) -> Self {
        let told = |sender| Told { next: 1, wanted: dissector.wants(sender) };
        let (client, server) = (told(Role::Client), told(Role::Server));
        let held = dissector.bytes();
        let (opening, out) = (Some(Vec::new()), Findings::default());
        Self { dissector, talk: None, client, server, opening, held, out }
    }

    /// A reading of a connection that another one announced.
    pub(super) fn announced(
        dissector: Box<dyn Dissector>,
        talk: Conversation,
        expected: &Expected,
    ) -> Self {
        let mut reading = Self::new(dissector, talk);
        if let Some(file) = &expected.file {
            reading.dissector.on_announced(file);
        }
        reading
    }

    /// Tells the name of the file that the connection carries.
    pub(super) fn name(&mut self, file: &str) {
        self.dissector.on_announced(file);
    }

    /// Whether bytes of `sender` are wanted.
    pub(super) const fn wants(&self, sender: Role) -> bool {
        self.told(sender).wanted
    }

    /// Whether byte number `from` is the next one to tell of `sender`'s.
    pub(super) const fn is_next(&self, sender: Role, from: i64) -> bool {
        self.told(sender).next == from
    }

    /// Whether neither direction's bytes are.
    pub(super) const fn is_done(&self) -> bool {
        !self.client.wanted && !self.server.wanted
    }

    /// Whether a new one would say the same of what comes.
    pub(super) fn is_resting(&self) -> bool {
        self.dissector.is_resting()
    }

    /// Bytes on the heap, itself included.
    pub(super) const fn bytes(&self) -> usize {
        size_of::<Self>() + self.held
    }

    /// Turns client and server round.
    pub(super) fn flip(&mut self) {
        std::mem::swap(&mut self.client, &mut self.server);
        for piece in self.opening.iter_mut().flatten() {
            piece.sender = piece.sender.other();
        }
    }

    /// Tells what waited: `talk` says who is the client.
    pub(super) fn open(&mut self, lens: Lens, talk: Conversation) {
        if self.talk.is_none() {
            self.dissector.on_start(&talk);
            self.talk = Some(talk);
        }
        for piece in self.opening.take().unwrap_or_default() {
            self.on_data(lens, piece.sender, piece.from, &piece.data);
        }
    }

    /// Takes bytes of `sender`, the first of which is number `from`. What lies before them and did
    /// not come is missing.
    pub(super) fn on_data(&mut self, lens: Lens, sender: Role, from: i64, data: &[u8]) {
        if let Some(opening) = &mut self.opening {
            opening.push(Piece { sender, from, data: data.to_vec() });
            return;
        }
        self.skip_to(sender, from);
        let next = self.told(sender).next;
        let fresh = usize::try_from(next - from).ok().and_then(|known| data.get(known..));
        match fresh {
            Some(fresh) if !fresh.is_empty() => {
                self.told_mut(sender).next = next + fresh.len() as i64;
                self.dissector.on_data(lens.at, sender, fresh, &mut self.out);
                self.look_up(lens);
            }
            _ => {}
        }
    }

    /// Takes a datagram of which `length` bytes were sent and `data` captured.
    pub(super) fn on_datagram(&mut self, lens: Lens, sender: Role, data: &[u8], length: u32) {
        self.dissector.on_data(lens.at, sender, data, &mut self.out);
        let cut = u64::from(length).saturating_sub(data.len() as u64);
        if cut > 0 {
            self.dissector.on_gap(sender, cut);
        }
        self.look_up(lens);
    }

    /// Takes note that nothing before `next` will come any more.
    pub(super) fn skip_to(&mut self, sender: Role, next: i64) {
        if let Some(opening) = &mut self.opening {
            opening.push(Piece { sender, from: next, data: Vec::new() });
            return;
        }
        let told = self.told_mut(sender);
        let missing = u64::try_from(next - told.next).unwrap_or(0);
        if missing > 0 {
            told.next = next;
            self.dissector.on_gap(sender, missing);
            self.weigh();
        }
    }

    /// Ends: the connection is over.
    pub(super) fn end(&mut self, lens: Lens) {
        self.dissector.on_end(lens.at, &mut self.out);
        (self.client.wanted, self.server.wanted) = (false, false);
    }

    /// Takes what it has to say, if it has.
    pub(super) fn take_findings(&mut self) -> Option<Findings> {
        let is_silent = self.out.records.is_empty() && self.out.expected.is_empty();
        (!is_silent).then(|| std::mem::take(&mut self.out))
    }

    /// Asks the dissector how it stands, and exchanges it if another protocol follows.
    fn look_up(&mut self, lens: Lens) {
        if let Some(protocol) = self.out.becomes.take() {
            self.dissector.on_end(lens.at, &mut self.out);
            self.out.becomes = None;
            match (lens.dissectors)(protocol) {
                Some(mut dissector) => {
                    if let Some(talk) = &self.talk {
                        dissector.on_start(talk);
                    }
                    self.dissector = dissector;
                }
                None => {
                    (self.client.wanted, self.server.wanted) = (false, false);
                    return;
                }
            }
        }
        self.weigh();
    }

    fn weigh(&mut self) {
        self.client.wanted = self.dissector.wants(Role::Client);
        self.server.wanted = self.dissector.wants(Role::Server);
        self.held = self.dissector.bytes();
    }

    const fn told(&self, sender: Role) -> &Told {
        match sender {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }

    const fn told_mut(&mut self, sender: Role) -> &mut Told {
        match sender {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }
}
