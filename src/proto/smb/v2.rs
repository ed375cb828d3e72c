//! SMB 2 and 3 ([MS-SMB2]): requests, remembered until their answer says what came of them.

use super::names;
use super::shares::{Handle, NAME_LIMIT, Opened, Passage, Shares, Wish, command};
use super::stream::Content;
use crate::event::{SmbCmd, SmbMapping};
use crate::proto::bytes::{byte, filled, le16, le32, le64, part, utf16};
use crate::proto::gss::Exchange;
use crate::proto::recent::Recent;
use crate::proto::{Findings, Role};
use crate::time::Timestamp;

/// `smb_cmd`'s and the other records' word for SMB 2 and later.
const VERSION: &str = "SMB2";
/// The header's length; bodies begin behind it (section 2.2.1).
const HEADER: usize = 64;
/// "The file of the previous command" in a compound (section 3.2.4.1.4).
const RELATED: Handle = (u64::MAX, u64::MAX);

/// Command numbers (section 2.2.1.2).
mod op {
    pub(super) const NEGOTIATE: u16 = 0;
    pub(super) const SESSION_SETUP: u16 = 1;
    pub(super) const TREE_CONNECT: u16 = 3;
    pub(super) const TREE_DISCONNECT: u16 = 4;
    pub(super) const CREATE: u16 = 5;
    pub(super) const CLOSE: u16 = 6;
    pub(super) const READ: u16 = 8;
    pub(super) const WRITE: u16 = 9;
    pub(super) const IOCTL: u16 = 11;
    pub(super) const SET_INFO: u16 = 17;
}

const MORE_PROCESSING: u32 = 0xc000_0016;
const PENDING: u32 = 0x103;
const BUFFER_OVERFLOW: u32 = 0x8000_0005;
const FSCTL_PIPE_TRANSCEIVE: u32 = 0x0011_c017;
const FILE_DELETE_ON_CLOSE: u32 = 0x1000;
const FILE_ATTRIBUTE_DIRECTORY: u32 = 0x10;
const SHAREFLAG_ENCRYPT_DATA: u32 = 0x8000;

/// What one connection has asked and is waiting for.
#[derive(Debug, Default)]
pub(super) struct V2 {
    pending: Recent<u64, Pending, 64>,
    /// The tree and session of the previous command in a compound.
    previous: (u32, u64),
    /// What the previous answer in a compound opened.
    opened: Option<Handle>,
}

#[derive(Debug)]
struct Pending {
    at: Timestamp,
    tree: u32,
    session: u64,
    handle: Handle,
    asked: Asked,
}

/// What a request needs to be remembered for.
#[derive(Debug)]
enum Asked {
    /// Nothing but its answer's status.
    Nothing,
    Setup(Box<Exchange>),
    Tree(Option<String>),
    Create(Box<Wish>),
    Read(u64),
    Control(u32),
    Rename(String),
    Delete,
}

/// A command's header.
struct Header {
    status: u32,
    command: u16,
    is_reply: bool,
    is_related: bool,
    message: u64,
    tree: u32,
    session: u64,
}

impl Header {
    fn read(head: &[u8]) -> Option<Self> {
        let flags = le32(head, 16)?;
        Some(Self {
            status: le32(head, 8)?,
            command: le16(head, 12)?,
            is_reply: flags & 1 != 0,
            is_related: flags & 4 != 0,
            message: le64(head, 24)?,
            // An asynchronous answer has an identifier of its own there.
            tree: if flags & 2 == 0 { le32(head, 36)? } else { 0 },
            session: le64(head, 40)?,
        })
    }
}

/// What a command is read with.
pub(super) struct Context<'a> {
    pub(super) at: Timestamp,
    pub(super) shares: &'a mut Shares,
    pub(super) out: &'a mut Findings,
}

impl V2 {
    /// Takes a command, of which `head` is the beginning; returns what of it is content.
    pub(super) fn on_command(&mut self, head: &[u8], context: &mut Context<'_>) -> Content {
        let Some(header) = Header::read(head) else { return Content::default() };
        if header.is_reply {
            self.on_reply(&header, head, context)
        } else {
            self.on_request(&header, head, context)
        }
    }

    fn on_request(&mut self, header: &Header, head: &[u8], context: &mut Context<'_>) -> Content {
        let (tree, session) = match header.is_related {
            true => self.previous,
            false => (header.tree, header.session),
        };
        self.previous = (tree, session);
        let body = head.get(HEADER..).unwrap_or_default();
        let (at, mut handle, mut content) = (context.at, RELATED, Content::default());
        let asked = match header.command {
            op::SESSION_SETUP => {
                let known = context.shares.exchanges.remove(&session);
                let mut exchange = known.unwrap_or_else(|| Exchange::new("smb"));
                exchange.on_token(buffer(head, body, 12));
                Asked::Setup(Box::new(exchange))
            }
            op::TREE_CONNECT => Asked::Tree(filled(utf16(buffer(head, body, 4), NAME_LIMIT))),
            op::TREE_DISCONNECT => {
                context.shares.disconnected(tree);
                Asked::Nothing
            }
            op::CREATE => Asked::Create(Box::new(Wish {
                name: utf16(buffer(head, body, 44), NAME_LIMIT),
                access: le32(body, 24).unwrap_or(0),
                delete_on_close: le32(body, 40).is_some_and(|it| it & FILE_DELETE_ON_CLOSE != 0),
            })),
            op::CLOSE => {
                handle = handle_at(body, 8);
                Asked::Nothing
            }
            op::READ => {
                handle = handle_at(body, 16);
                Asked::Read(le64(body, 8).unwrap_or(0))
            }
            op::WRITE => {
                handle = handle_at(body, 16);
                let start = usize::from(le16(body, 2).unwrap_or(0));
                let passage = Passage {
                    content: Content { start, length: le32(body, 4).unwrap_or(0) as usize },
                    handle,
                    offset: le64(body, 8).unwrap_or(0),
                    is_pipe: false,
                    tree,
                    session,
                    version: VERSION,
                };
                content = self.pass(Role::Client, passage, context);
                Asked::Nothing
            }
            op::IOCTL => {
                handle = handle_at(body, 8);
                let code = le32(body, 4).unwrap_or(0);
                if code == FSCTL_PIPE_TRANSCEIVE {
                    let content_at = region(body, 24, 28);
                    let passage = transceived(content_at, handle, tree, session);
                    content = self.pass(Role::Client, passage, context);
                }
                Asked::Control(code)
            }
            op::SET_INFO => {
                handle = handle_at(body, 16);
                set_info(head, body, handle, context)
            }
            _ => Asked::Nothing,
        };
        let pending = Pending { at, tree, session, handle, asked };
        // Notifications wait for ever: what they push out is only not judged by its answer.
        self.pending.insert(header.message, pending);
        content
    }

    fn on_reply(&mut self, header: &Header, head: &[u8], context: &mut Context<'_>) -> Content {
        if header.status == PENDING {
            return Content::default();
        }
        let body = head.get(HEADER..).unwrap_or_default();
        let pending = self.pending.remove(&header.message);
        let tree = pending.as_ref().map_or(header.tree, |pending| pending.tree);
        let at = pending.as_ref().map(|pending| pending.at);
        let tree_of = |shares: &Shares| shares.tree(tree, header.session, VERSION);
        let reply = |shares: &Shares| SmbCmd {
            rtt: at.map(|at| context.at.since(at)),
            ..command(names::command2(header.command), header.status, &tree_of(shares))
        };
        let is_success = header.status >> 30 != 3;
        match (header.command, pending) {
            (op::NEGOTIATE, _) if is_success => {
                let argument = le16(body, 4).map(names::dialect);
                let record = SmbCmd { argument, ..reply(context.shares) };
                context.shares.tell(record, 0, header.status, context.out);
                Content::default()
            }
            (op::SESSION_SETUP, pending) => {
                let record = reply(context.shares);
                on_setup(header, head, body, pending, record, context);
                Content::default()
            }
            (op::TREE_CONNECT, pending) => {
                let path = match pending.map(|pending| pending.asked) {
                    Some(Asked::Tree(path)) => path,
                    _ => None,
                };
                if is_success {
                    let mapping = mapping(body, path, context.shares.user(header.session));
                    context.shares.connected(header.tree, mapping, context.out);
                } else {
                    let record = SmbCmd { argument: path, tree: None, ..reply(context.shares) };
                    context.shares.tell(record, 0, header.status, context.out);
                }
                Content::default()
            }
            (op::CREATE, Some(Pending { asked: Asked::Create(wish), .. })) => {
                if is_success {
                    let handle = handle_at(body, 64);
                    self.opened = Some(handle);
                    let tree = tree_of(context.shares);
                    context.shares.opened(
                        context.at,
                        handle,
                        &tree,
                        *wish,
                        opened(body),
                        context.out,
                    );
                } else {
                    let record = SmbCmd { argument: filled(wish.name), ..reply(context.shares) };
                    context.shares.tell(record, 0, header.status, context.out);
                }
                Content::default()
            }
            (op::CLOSE, Some(pending)) if is_success => {
                let handle = self.resolve(pending.handle);
                context.shares.closed(context.at, handle, context.out);
                Content::default()
            }
            (op::READ, Some(Pending { handle, asked: Asked::Read(offset), session, .. }))
                if is_success || header.status == BUFFER_OVERFLOW =>
            {
                let start = byte(body, 2).map_or(0, usize::from);
                let content = Content { start, length: le32(body, 4).unwrap_or(0) as usize };
                let is_pipe = false;
                let version = VERSION;
                let passage = Passage { content, handle, offset, is_pipe, tree, session, version };
                self.pass(Role::Server, passage, context)
            }
            (op::IOCTL, Some(Pending { handle, asked: Asked::Control(code), session, .. })) => {
                if code == FSCTL_PIPE_TRANSCEIVE && (is_success || header.status == BUFFER_OVERFLOW)
                {
                    let passage = transceived(region(body, 32, 36), handle, tree, session);
                    return self.pass(Role::Server, passage, context);
                }
                let sub_command = Some(names::control(code));
                let record = SmbCmd { sub_command, ..reply(context.shares) };
                context.shares.tell(record, code, header.status, context.out);
                Content::default()
            }
            (op::SET_INFO, Some(Pending { handle, asked, .. })) if is_success => {
                let handle = self.resolve(handle);
                match asked {
                    Asked::Rename(to) => {
                        let tree = tree_of(context.shares);
                        context.shares.renamed(handle, &tree, to, context.out);
                    }
                    Asked::Delete => context.shares.deleted(handle, context.out),
                    _ => {}
                }
                Content::default()
            }
            (_, pending) => {
                if !is_success {
                    let handle = pending.map(|pending| self.resolve(pending.handle));
                    let argument = handle.and_then(|handle| context.shares.name(handle));
                    let record = SmbCmd { argument, ..reply(context.shares) };
                    context.shares.tell(record, 0, header.status, context.out);
                }
                Content::default()
            }
        }
    }

    /// The connection is over: what was not answered is told as far as it was asked.
    pub(super) fn end(&mut self, context: &mut Context<'_>) {
        for pending in self.pending.take() {
            if let Asked::Setup(exchange) = pending.asked {
                exchange.conclude(None, context.out);
            }
        }
    }

    /// Bytes held on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let asked = self.pending.values().map(|pending| match &pending.asked {
            Asked::Setup(exchange) => size_of::<Exchange>() + exchange.heap_bytes(),
            Asked::Create(wish) => size_of::<Wish>() + wish.name.capacity(),
            Asked::Tree(Some(name)) | Asked::Rename(name) => name.capacity(),
            _ => 0,
        });
        self.pending.heap_bytes() + asked.sum::<usize>()
    }

    fn resolve(&self, handle: Handle) -> Handle {
        if handle == RELATED { self.opened.unwrap_or(RELATED) } else { handle }
    }

    /// Content of `sender` begins; returns it, if it is known whose it is.
    fn pass(&self, sender: Role, passage: Passage, context: &mut Context<'_>) -> Content {
        // What a compound opens has no handle before it is answered.
        if passage.handle == RELATED && sender == Role::Client {
            return Content::default();
        }
        let passage = Passage { handle: self.resolve(passage.handle), ..passage };
        context.shares.pass(context.at, sender, passage, context.out)
    }
}

/// What is written to a pipe and read from it in one command.
const fn transceived(content: Content, handle: Handle, tree: u32, session: u64) -> Passage {
    Passage { content, handle, offset: 0, is_pipe: true, tree, session, version: VERSION }
}

/// Ends one leg of a session set-up, or all of it.
fn on_setup(
    header: &Header,
    head: &[u8],
    body: &[u8],
    pending: Option<Pending>,
    record: SmbCmd,
    context: &mut Context<'_>,
) {
    let mut exchange = match pending.map(|pending| pending.asked) {
        Some(Asked::Setup(exchange)) => Some(exchange),
        // The capture began with the challenge.
        _ if header.status == MORE_PROCESSING => Some(Box::new(Exchange::new("smb"))),
        _ => None,
    };
    if let Some(exchange) = &mut exchange {
        exchange.on_token(buffer(head, body, 4));
    }
    if header.status == MORE_PROCESSING {
        if let Some(exchange) = exchange {
            context.shares.exchanges.insert(header.session, *exchange);
        }
        return;
    }
    let success = header.status == 0;
    let user = exchange.as_ref().and_then(|exchange| exchange.username().map(str::to_owned));
    let argument = match le16(body, 2).filter(|_| success) {
        Some(flags) if flags & 1 != 0 => Some("guest".to_owned()),
        Some(flags) if flags & 2 != 0 => Some("anonymous".to_owned()),
        _ => None,
    };
    if let Some(exchange) = exchange
        && !exchange.is_empty()
    {
        exchange.conclude(Some(success), context.out);
    }
    if success {
        context.shares.logged_in(header.session, user.clone());
    }
    let record = SmbCmd { argument, username: user, ..record };
    context.shares.tell(record, 0, header.status, context.out);
}

/// Renames, deletions and sizes (section 2.2.39, [MS-FSCC] 2.4).
fn set_info(head: &[u8], body: &[u8], handle: Handle, context: &mut Context<'_>) -> Asked {
    let start = usize::from(le16(body, 8).unwrap_or(0));
    let data = part(head, start, le32(body, 4).unwrap_or(0) as usize);
    match (byte(body, 2), byte(body, 3)) {
        (Some(1), Some(10 | 65)) => {
            let length = le32(data, 16).unwrap_or(0) as usize;
            Asked::Rename(utf16(part(data, 20, length), NAME_LIMIT))
        }
        (Some(1), Some(13 | 64)) if byte(data, 0).is_some_and(|flags| flags & 1 != 0) => {
            Asked::Delete
        }
        (Some(1), Some(20)) => {
            if let (Some(open), Some(size)) = (context.shares.open_mut(handle), le64(data, 0)) {
                open.will_have(size);
            }
            Asked::Nothing
        }
        _ => Asked::Nothing,
    }
}

fn mapping(body: &[u8], path: Option<String>, username: Option<String>) -> SmbMapping {
    SmbMapping {
        path,
        share_type: match byte(body, 2) {
            Some(2) => "PIPE",
            Some(3) => "PRINT",
            _ => "DISK",
        },
        version: VERSION,
        encrypted: le32(body, 4).is_some_and(|flags| flags & SHAREFLAG_ENCRYPT_DATA != 0),
        username,
        ..SmbMapping::default()
    }
}

fn opened(body: &[u8]) -> Opened {
    let time = |at| le64(body, at).unwrap_or(0);
    Opened {
        times: [time(8), time(16), time(24), time(32)],
        size: time(48),
        action: le32(body, 4).unwrap_or(1),
        is_directory: le32(body, 56).is_some_and(|it| it & FILE_ATTRIBUTE_DIRECTORY != 0),
    }
}

fn handle_at(body: &[u8], at: usize) -> Handle {
    (le64(body, at).unwrap_or(0), le64(body, at + 8).unwrap_or(0))
}

/// A part of a command whose 32-bit offset and length stand at `offset` and `length` of its body.
fn region(body: &[u8], offset: usize, length: usize) -> Content {
    let number = |at| le32(body, at).unwrap_or(0) as usize;
    Content { start: number(offset), length: number(length) }
}

/// The bytes of a command whose 16-bit offset and length stand at `at` of its body.
fn buffer<'a>(head: &'a [u8], body: &[u8], at: usize) -> &'a [u8] {
    let number = |at| le16(body, at).map_or(0, usize::from);
    part(head, number(at), number(at + 2))
}
