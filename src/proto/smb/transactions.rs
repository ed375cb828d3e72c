//! Transactions of SMB 1 ([MS-CIFS] 2.2.4.33 to 2.2.4.63): remote calls on pipes, file functions,
//! and the sequences of messages that the EternalBlue family is made of.
//!
//! A transaction that does not fit one message goes on in secondary ones. What gives an exploit
//! away is the shape: secondaries of another kind than the request, functions that nobody uses,
//! more data than was announced. What the data is does not matter.

use super::message1::{Block, Header};
use super::names;
use super::shares::NAME_LIMIT;
use super::stream::Content;
use super::v1::{cmd, pass, tree};
use super::v2::Context;
use crate::event::{SmbCmd, SmbMapping, SmbTransaction};
use crate::proto::Role;
use crate::proto::bytes::{byte, filled, le16, le32, part, text, utf16};
use crate::proto::recent::Recent;
use crate::time::Timestamp;

const TRANSACTION: u8 = 0x25;
const TRANSACTION_SECONDARY: u8 = 0x26;
const TRANSACTION2: u8 = 0x32;
const TRANSACTION2_SECONDARY: u8 = 0x33;
const NT_TRANSACT: u8 = 0xa0;
const NT_TRANSACT_SECONDARY: u8 = 0xa1;

/// Stands for none: functions are small numbers.
const NO_FUNCTION: u16 = u16::MAX;

/// TRANS_TRANSACT_NMPIPE: write to a pipe and read its answer.
const TRANSACT_NMPIPE: u16 = 0x26;

/// Whether `command` is answered as a transaction.
pub(super) const fn is_one(command: u8) -> bool {
    matches!(command, TRANSACTION | TRANSACTION2 | NT_TRANSACT)
}

/// Transactions that are not over, by process and multiplex id.
#[derive(Debug, Default)]
pub(super) struct Transactions(Recent<u32, Transaction, 16>);

#[derive(Debug)]
struct Transaction {
    at: Timestamp,
    command: u8,
    function: u16,
    /// The pipe that it works on.
    handle: Option<u16>,
    argument: Option<String>,
    change: Change,
    tree: SmbMapping,
    shape: SmbTransaction,
}

/// What a function does to a file once it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Nothing,
    Delete(u16),
}

/// Where a message says its parts are.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    total_params: u32,
    total_data: u32,
    params: Content,
    data: Content,
}

impl Transactions {
    /// Takes a request, or a message that carries more of one.
    pub(super) fn on_request(
        &mut self,
        header: &Header,
        command: u8,
        block: &Block<'_>,
        context: &mut Context<'_>,
    ) -> Content {
        match command {
            TRANSACTION | TRANSACTION2 | NT_TRANSACT => self.begin(header, command, block, context),
            TRANSACTION_SECONDARY | TRANSACTION2_SECONDARY | NT_TRANSACT_SECONDARY => {
                self.go_on(header, command, block, context)
            }
            _ => Content::default(),
        }
    }

    fn begin(
        &mut self,
        header: &Header,
        command: u8,
        block: &Block<'_>,
        context: &mut Context<'_>,
    ) -> Content {
        let parts = parts(command, block.words);
        let function = function(command, block.words);
        let handle = match (command, function) {
            (TRANSACTION, TRANSACT_NMPIPE | 0x31 | 0x36 | 0x37) => le16(block.words, 30),
            _ => None,
        };
        let params = part(block.head, parts.params.start, parts.params.length);
        let data = part(block.head, parts.data.start, parts.data.length);
        let transaction = Transaction {
            at: context.at,
            command,
            function,
            handle,
            argument: argument(header, command, function, block, params),
            change: change(command, function, params, data),
            tree: tree(header, context.shares),
            shape: SmbTransaction {
                total_params: parts.total_params,
                total_data: parts.total_data,
                sent_data: parts.data.length as u64,
                mid: header.mid,
                ..SmbTransaction::default()
            },
        };
        if let Some(unanswered) = self.0.insert(header.request, transaction) {
            unanswered.tell(None, context);
        }
        match handle.filter(|_| matches!(function, TRANSACT_NMPIPE | 0x31 | 0x37)) {
            Some(handle) => {
                pass(Role::Client, header, (u64::from(handle), 0), 0, parts.data, context)
            }
            None => Content::default(),
        }
    }

    fn go_on(
        &mut self,
        header: &Header,
        command: u8,
        block: &Block<'_>,
        context: &mut Context<'_>,
    ) -> Content {
        let parts = secondary_parts(command, block.words);
        let found = self.0.get_mut(&header.request);
        let Some(transaction) = found else {
            // Its request was not seen: its shape begins here.
            let mut shape = SmbTransaction {
                total_params: parts.total_params,
                total_data: parts.total_data,
                mid: header.mid,
                ..SmbTransaction::default()
            };
            shape.add(command, parts.data.length, true);
            let transaction = Transaction {
                at: context.at,
                command: command.wrapping_sub(1),
                function: NO_FUNCTION,
                handle: None,
                argument: None,
                change: Change::Nothing,
                tree: tree(header, context.shares),
                shape,
            };
            if let Some(unanswered) = self.0.insert(header.request, transaction) {
                unanswered.tell(None, context);
            }
            return Content::default();
        };
        let is_own_kind = command.wrapping_sub(1) == transaction.command;
        transaction.shape.add(command, parts.data.length, is_own_kind);
        match transaction.handle {
            Some(handle) if is_own_kind => {
                pass(Role::Client, header, (u64::from(handle), 0), 0, parts.data, context)
            }
            _ => Content::default(),
        }
    }

    /// Takes an answer.
    pub(super) fn on_reply(
        &mut self,
        header: &Header,
        command: u8,
        block: &Block<'_>,
        context: &mut Context<'_>,
    ) -> Content {
        let Some(mut transaction) = self.0.remove(&header.request).or_else(|| {
            // An answer under another number than the request's: nothing of Windows does that.
            let mut stray = self.0.remove_last(|waiting| waiting.command == command)?;
            stray.shape.reply_mid = Some(header.mid);
            Some(stray)
        }) else {
            return Content::default();
        };
        // An empty answer to a request that is not complete asks for the rest of it.
        let shape = &transaction.shape;
        let wants_more = shape.sent_data < u64::from(shape.total_data) && shape.reply_mid.is_none();
        if block.words.is_empty() && header.status == 0 && wants_more {
            self.0.insert(header.request, transaction);
            return Content::default();
        }
        let data = reply_data(command, block.words);
        let content = match transaction.handle {
            Some(handle) if data.length > 0 => {
                pass(Role::Server, header, (u64::from(handle), 0), 0, data, context)
            }
            _ => Content::default(),
        };
        if transaction.change != Change::Nothing && header.status == 0 {
            transaction.changed(context);
        }
        transaction.at = context.at.min(transaction.at);
        transaction.tell(Some(header), context);
        content
    }

    /// The connection is over.
    pub(super) fn end(&mut self, context: &mut Context<'_>) {
        for transaction in self.0.take() {
            transaction.tell(None, context);
        }
    }

    /// Bytes held on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let texts = self.0.values().map(|transaction| {
            let tree = &transaction.tree;
            let texts = [&transaction.argument, &tree.path, &tree.service, &tree.username];
            texts.into_iter().flatten().map(String::capacity).sum::<usize>()
        });
        self.0.heap_bytes() + texts.sum::<usize>()
    }
}

impl SmbTransaction {
    /// A message carries more of it.
    fn add(&mut self, command: u8, data: usize, is_own_kind: bool) {
        self.secondaries = self.secondaries.saturating_add(1);
        self.sent_data = self.sent_data.saturating_add(data as u64);
        if self.secondary_command.is_none() || !is_own_kind {
            self.secondary_command = Some(names::command1(command));
        }
        self.mixed |= !is_own_kind;
    }
}

impl Transaction {
    /// Says it, with its answer if there was one.
    fn tell(self, answer: Option<&Header>, context: &mut Context<'_>) {
        let failed = answer.is_some_and(|header| header.status != 0);
        let is_plain = self.shape.secondaries == 0 && self.shape.reply_mid.is_none();
        // What a pipe is told is a remote call, and is said as that.
        if self.handle.is_some() && is_plain && !failed {
            return;
        }
        let sub_command = match self.command {
            _ if self.function == NO_FUNCTION => None,
            TRANSACTION => Some(names::pipe_function(self.function)),
            TRANSACTION2 => Some(names::file_function(self.function)),
            _ => Some(names::nt_function(self.function)),
        };
        let base = match answer {
            Some(header) => SmbCmd {
                rtt: Some(context.at.since(self.at)),
                ..cmd(header, self.command, &self.tree)
            },
            None => SmbCmd {
                status: None,
                ..super::shares::command(names::command1(self.command), 0, &self.tree)
            },
        };
        let status = answer.map_or(u32::MAX, |header| header.status);
        let record =
            SmbCmd { sub_command, argument: self.argument, transaction: Some(self.shape), ..base };
        context.shares.tell(record, u32::from(self.function), status, context.out);
    }

    fn changed(&self, context: &mut Context<'_>) {
        match self.change {
            Change::Delete(handle) => context.shares.deleted((u64::from(handle), 0), context.out),
            Change::Nothing => {}
        }
    }
}

/// Numbers of 16 bits at these places of the words, as offsets and lengths.
fn short(words: &[u8], at: usize) -> usize {
    le16(words, at).map_or(0, usize::from)
}

fn long(words: &[u8], at: usize) -> usize {
    le32(words, at).map_or(0, |value| value as usize)
}

fn parts(command: u8, words: &[u8]) -> Parts {
    if command == NT_TRANSACT {
        return Parts {
            total_params: le32(words, 3).unwrap_or(0),
            total_data: le32(words, 7).unwrap_or(0),
            params: Content { start: long(words, 23), length: long(words, 19) },
            data: Content { start: long(words, 31), length: long(words, 27) },
        };
    }
    Parts {
        total_params: le16(words, 0).map_or(0, u32::from),
        total_data: le16(words, 2).map_or(0, u32::from),
        params: Content { start: short(words, 20), length: short(words, 18) },
        data: Content { start: short(words, 24), length: short(words, 22) },
    }
}

fn secondary_parts(command: u8, words: &[u8]) -> Parts {
    if command == NT_TRANSACT_SECONDARY {
        return Parts {
            total_params: le32(words, 3).unwrap_or(0),
            total_data: le32(words, 7).unwrap_or(0),
            params: Content { start: long(words, 15), length: long(words, 11) },
            data: Content { start: long(words, 27), length: long(words, 23) },
        };
    }
    Parts {
        total_params: le16(words, 0).map_or(0, u32::from),
        total_data: le16(words, 2).map_or(0, u32::from),
        params: Content { start: short(words, 6), length: short(words, 4) },
        data: Content { start: short(words, 12), length: short(words, 10) },
    }
}

fn reply_data(command: u8, words: &[u8]) -> Content {
    if command == NT_TRANSACT {
        return Content { start: long(words, 27), length: long(words, 23) };
    }
    Content { start: short(words, 14), length: short(words, 12) }
}

/// The function, if there is one: mail slots and old remote calls go by the name alone.
fn function(command: u8, words: &[u8]) -> u16 {
    let function = match command {
        NT_TRANSACT => le16(words, 36),
        _ if byte(words, 26) == Some(0) => None,
        _ => le16(words, 28),
    };
    function.unwrap_or(NO_FUNCTION)
}

/// The file or pipe that a function names ([MS-CIFS] 2.2.6).
fn argument(
    header: &Header,
    command: u8,
    function: u16,
    block: &Block<'_>,
    params: &[u8],
) -> Option<String> {
    let name_at = match (command, function) {
        (TRANSACTION, _) => return filled(block.strings(0, header.is_unicode).next()),
        // FIND_FIRST2, QUERY_PATH_INFORMATION, SET_PATH_INFORMATION, CREATE_DIRECTORY,
        // GET_DFS_REFERRAL
        (TRANSACTION2, 0x01) => 12,
        (TRANSACTION2, 0x05 | 0x06) => 6,
        (TRANSACTION2, 0x0d) => 4,
        (TRANSACTION2, 0x10) => 2,
        _ => return None,
    };
    let name = params.get(name_at..)?;
    filled(if header.is_unicode { utf16(name, NAME_LIMIT) } else { text(name, NAME_LIMIT) })
}

/// SET_FILE_INFORMATION that deletes ([MS-CIFS] 2.2.8.4.4, [MS-SMB] 2.2.2.3.5).
fn change(command: u8, function: u16, params: &[u8], data: &[u8]) -> Change {
    const DISPOSITIONS: [u16; 2] = [0x0102, 1013];
    let level = le16(params, 2).unwrap_or(0);
    match le16(params, 0) {
        Some(handle)
            if command == TRANSACTION2
                && function == 0x08
                && DISPOSITIONS.contains(&level)
                && byte(data, 0) == Some(1) =>
        {
            Change::Delete(handle)
        }
        _ => Change::Nothing,
    }
}
