//! Calls that wait for their answer.

use super::arguments;
use super::interfaces;
use super::uuid::Uuid;
use super::{ACCESS_DENIED, PRIVACY};
use crate::event;
use crate::proto::recent::Recent;
use crate::time::Timestamp;

/// Calls of one association that wait: clients ask one thing at a time, DCOM a few.
const LIMIT: usize = 8;

/// Calls by their number.
#[derive(Debug, Default)]
pub(super) struct Calls(Recent<u32, Call, LIMIT>);

/// A call, and its answer as far as it came.
#[derive(Debug)]
pub(super) struct Call {
    at: Timestamp,
    level: Option<u8>,
    record: event::DceRpc,
}

impl Calls {
    /// Adds a call; returns one that has to go for it.
    pub(super) fn add(&mut self, number: u32, call: Call) -> Option<Call> {
        self.0.insert(number, call)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Call> {
        self.0.get_mut(&number)
    }

    pub(super) fn take(&mut self, number: u32) -> Option<Call> {
        self.0.remove(&number)
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Call> + use<> {
        self.0.take()
    }

    /// Bytes held on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let texts = self.0.values().map(|call| {
            let record = &call.record;
            let subject = [&record.object, &record.command].into_iter().flatten();
            record.endpoint.capacity()
                + record.operation.capacity()
                + subject.map(String::capacity).sum::<usize>()
        });
        self.0.heap_bytes() + texts.sum::<usize>()
    }
}

impl Call {
    /// A call of an operation with arguments, as far as those can be read.
    pub(super) fn new(
        at: Timestamp,
        uuid: Uuid,
        number: u16,
        level: Option<u8>,
        arguments: &[u8],
    ) -> Self {
        let interface = interfaces::by_uuid(uuid);
        let known = interface.and_then(|interface| interface.operation(number));
        let endpoint = match interface {
            Some(interface) => interface.name.to_owned(),
            None => format!("unknown-{uuid}"),
        };
        let subject = match known {
            Some(operation) => arguments::subject(&endpoint, operation, arguments),
            None => arguments::Subject::default(),
        };
        let record = event::DceRpc {
            endpoint,
            operation: known.map_or_else(|| format!("unknown-{number}"), str::to_owned),
            object: subject.object,
            command: subject.command,
            auth_level: level.map(protection),
            ..event::DceRpc::default()
        };
        Self { at, level, record }
    }

    /// Whether the answer tells at which port an interface listens.
    pub(super) fn asks_for_port(&self) -> bool {
        self.record.endpoint == "epmapper" && self.record.operation == "ept_map"
    }

    /// Whether arguments and results are encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.level == Some(PRIVACY)
    }

    /// Its answer begins.
    pub(super) fn answered(&mut self, at: Timestamp) {
        self.record.rtt.get_or_insert(at.since(self.at));
    }

    /// Its answer is complete.
    pub(super) fn returned(mut self, code: Option<u32>) -> Self {
        self.record.return_code = code;
        self
    }

    /// Its answer is a fault.
    pub(super) fn failed(mut self, at: Timestamp, status: Option<u32>) -> Self {
        self.answered(at);
        self.record.fault = Some(status.unwrap_or(ACCESS_DENIED));
        self
    }

    /// What is to be said of it, if anything: handles are closed and versions asked for all the
    /// time (a part of what Zeek leaves out too).
    pub(super) fn record(self) -> Option<event::DceRpc> {
        let record = self.record;
        let is_noise = matches!(
            (record.endpoint.as_str(), record.operation.as_str()),
            (
                "winreg",
                "BaseRegCloseKey" | "BaseRegGetVersion" | "BaseRegQueryValue" | "BaseRegEnumKey"
            ) | ("spoolss", "RpcClosePrinter")
        );
        (!is_noise).then_some(record)
    }
}

/// The name of a protection level ([MS-RPCE] 2.2.1.1.8).
const fn protection(level: u8) -> &'static str {
    match level {
        1 => "none",
        2 => "connect",
        3 => "call",
        4 => "packet",
        5 => "integrity",
        6 => "privacy",
        _ => "default",
    }
}
