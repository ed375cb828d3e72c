//! From what dissectors say to events, and from what they announce to the connections that come of
//! it.

use super::connection::{Connection, Detail};
use super::contents::Content;
use super::expectations::Expectations;
use super::reading::{Lens, Reading};
use super::table::FlowTable;
use crate::event::{Body, Conversation, Event};
use crate::proto::Findings;

impl FlowTable {
    /// What content is looked at with at this moment.
    pub(super) const fn lens(&self) -> Lens {
        Lens {
            at: self.now,
            prefix: self.config.prefix.0,
            key: self.config.fingerprint_key,
            dissectors: self.dissectors,
        }
    }

    /// Tells what a dissector said of a connection, in its order.
    pub(super) fn tell(
        &mut self,
        conversation: &Conversation,
        findings: Findings,
        number: u64,
        out: &mut Vec<Event>,
    ) {
        out.extend(findings.records.into_iter().map(|record| Event {
            ts: self.now,
            packet: number,
            conversation: Some(*conversation),
            body: Body::Record(Box::new(record)),
        }));
        for expected in findings.expected {
            self.expected.add(conversation, expected, self.now);
        }
    }
}

/// What the dissector of a connection that is over still has to say.
pub(super) fn rest(
    expected: &mut Expectations,
    connection: &mut Connection,
    lens: Lens,
) -> Option<Findings> {
    name(expected, connection, lens);
    match &mut connection.detail {
        Detail::Tcp(tcp) => tcp.finish_reading(lens),
        Detail::ReadDatagrams(read) => {
            read.1.end(lens);
            read.1.take_findings()
        }
        Detail::Syn(_) | Detail::Datagrams(_) | Detail::Resting(_) => None,
    }
}

/// Gives a connection that was announced its protocol and, once it is more than a SYN, its reader.
pub(super) fn meet(expected: &mut Expectations, connection: &mut Connection, lens: Lens) {
    let conversation = connection.conversation();
    if matches!(connection.detail, Detail::Syn(_)) {
        let announced = expected.find(&conversation, lens.at);
        connection.service = announced.map(|expected| expected.protocol);
        return;
    }
    let Some(announced) = expected.take(&conversation, lens.at) else { return };
    connection.service = Some(announced.protocol);
    let dissector = (lens.dissectors)(announced.protocol);
    let reading =
        dissector.map(|dissector| Reading::announced(dissector, conversation, &announced));
    if let Detail::Tcp(tcp) = &mut connection.detail {
        tcp.content = reading.map(|reading| Box::new(Content::Reading(Box::new(reading))));
    } else if let Some(reading) = reading {
        connection.detail.read_datagrams(reading);
    }
}

/// Tells the reader of a connection that ends the name of the file it carried, if that was announced
/// only after the connection had been met: over FTP a client opens it first and then says for what.
pub(super) fn name(expected: &mut Expectations, connection: &mut Connection, lens: Lens) {
    if expected.is_empty() {
        return;
    }
    let conversation = connection.conversation();
    let is_named =
        expected.find(&conversation, lens.at).is_some_and(|announced| announced.file.is_some());
    let Detail::Tcp(tcp) = &mut connection.detail else { return };
    if let (true, Some(Content::Reading(reading))) = (is_named, tcp.content.as_deref_mut())
        && let Some(file) = expected.take(&conversation, lens.at).and_then(|late| late.file)
    {
        reading.name(&file);
    }
}
