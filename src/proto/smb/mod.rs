//! SMB, all versions ([MS-SMB2], [MS-SMB], [MS-CIFS]): sessions, shares, files and pipes.
//!
//! Both versions may occur in one connection: a client offers SMB2 in an SMB1 message. What they
//! have in common, and the pipes' remote calls, is in `shares` and `files`.

mod files;
mod message1;
mod names;
mod shares;
mod stream;
mod transactions;
mod v1;
mod v2;

use shares::Shares;
use stream::{Content, Handler, Lane};
use v1::V1;
use v2::{Context, V2};

use super::budget::Budget;
use super::{Dissector, Findings, Role};
use crate::event::SmbCmd;
use crate::time::Timestamp;

/// Reads one connection.
#[derive(Debug, Default)]
pub(super) struct Dissect {
    client: Lane,
    server: Lane,
    state: State,
    budget: Budget,
}

#[derive(Debug, Default)]
struct State {
    shares: Shares,
    v1: V1,
    v2: V2,
    /// Whether it was said that nothing is seen of messages that are encrypted or compressed.
    opaque: bool,
}

impl Dissect {
    /// A connection of which nothing was seen yet.
    pub(super) fn new() -> Self {
        Self::default()
    }

    fn side(&mut self, sender: Role) -> (&mut Lane, &mut State) {
        match sender {
            Role::Client => (&mut self.client, &mut self.state),
            Role::Server => (&mut self.server, &mut self.state),
        }
    }
}

/// The state at one moment, for one side.
struct Moment<'a> {
    at: Timestamp,
    sender: Role,
    state: &'a mut State,
    out: &'a mut Findings,
}

impl Handler for Moment<'_> {
    fn on_command(&mut self, head: &[u8], _: usize) -> Content {
        let State { shares, v1, v2, opaque } = &mut *self.state;
        let mut context = Context { at: self.at, shares, out: self.out };
        match head.first_chunk() {
            Some(b"\xfeSMB") => v2.on_command(head, &mut context),
            Some(b"\xffSMB") => v1.on_message(head, &mut context),
            Some(&[mark, ..]) if !std::mem::replace(opaque, true) => {
                let kind = if mark == 0xfd { "encrypted" } else { "compressed" };
                context.out.say(SmbCmd {
                    command: "TRANSFORM",
                    version: "SMB2",
                    opaque: Some(kind),
                    ..SmbCmd::default()
                });
                Content::default()
            }
            _ => Content::default(),
        }
    }

    fn on_content(&mut self, bytes: &[u8]) {
        self.state.shares.on_content(self.at, self.sender, bytes, self.out);
    }

    fn on_missing(&mut self, bytes: usize) {
        self.state.shares.on_missing(self.sender, bytes);
    }
}

impl Dissector for Dissect {
    fn on_data(&mut self, at: Timestamp, sender: Role, data: &[u8], out: &mut Findings) {
        let known = out.records.len();
        let (lane, state) = self.side(sender);
        lane.on_data(data, &mut Moment { at, sender, state, out });
        self.budget.trim(at, known, out);
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        let (lane, state) = self.side(sender);
        // What is missing says nothing: no record can come of it.
        let (at, out) = (Timestamp::from_secs(0), &mut Findings::default());
        lane.on_gap(bytes, &mut Moment { at, sender, state, out });
    }

    fn on_end(&mut self, at: Timestamp, out: &mut Findings) {
        let State { shares, v1, v2, .. } = &mut self.state;
        let mut context = Context { at, shares, out };
        v1.end(&mut context);
        v2.end(&mut context);
        self.state.shares.end(at, out);
    }

    fn bytes(&self) -> usize {
        let State { shares, v1, v2, .. } = &self.state;
        size_of::<Self>()
            + self.client.heap_bytes()
            + self.server.heap_bytes()
            + shares.heap_bytes()
            + v1.heap_bytes()
            + v2.heap_bytes()
    }
}

#[cfg(test)]
mod story;
