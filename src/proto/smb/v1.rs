//! SMB 1 ([MS-CIFS], [MS-SMB]): what worms of the EternalBlue family speak, and old printers.

use super::message1::{self, Block, Header};
use super::names;
use super::shares::{Handle, Opened, Passage, Shares, Wish};
use super::stream::Content;
use super::transactions::{self, Transactions};
use super::v2::Context;
use crate::event::{Login, SmbCmd, SmbFiles, SmbMapping};
use crate::proto::Role;
use crate::proto::bytes::{byte, filled, le16, le32, le64, part, text};
use crate::proto::gss::Exchange;
use crate::proto::recent::Recent;
use crate::time::Timestamp;

/// The records' word for it.
pub(super) const VERSION: &str = "SMB1";
/// Commands that one message may chain (AndX); each must lie behind the one before.
const CHAIN_LIMIT: usize = 4;

/// Command numbers ([MS-CIFS] 2.2.2.1).
mod op {
    pub(super) const CLOSE: u8 = 0x04;
    pub(super) const DELETE: u8 = 0x06;
    pub(super) const RENAME: u8 = 0x07;
    pub(super) const OPEN_ANDX: u8 = 0x2d;
    pub(super) const READ_ANDX: u8 = 0x2e;
    pub(super) const WRITE_ANDX: u8 = 0x2f;
    pub(super) const TREE_DISCONNECT: u8 = 0x71;
    pub(super) const NEGOTIATE: u8 = 0x72;
    pub(super) const SESSION_SETUP_ANDX: u8 = 0x73;
    pub(super) const TREE_CONNECT_ANDX: u8 = 0x75;
    pub(super) const NT_CREATE_ANDX: u8 = 0xa2;
    pub(super) const NONE: u8 = 0xff;
}

const MORE_PROCESSING: u32 = 0xc000_0016;
const BUFFER_OVERFLOW: u32 = 0x8000_0005;
const FILE_DELETE_ON_CLOSE: u32 = 0x1000;

/// What one connection has asked and is waiting for.
#[derive(Debug, Default)]
pub(super) struct V1 {
    pending: Recent<(u32, u8), Pending, 32>,
    transactions: Transactions,
}

#[derive(Debug)]
struct Pending {
    at: Timestamp,
    asked: Asked,
}

#[derive(Debug)]
enum Asked {
    Nothing,
    Dialects(Vec<String>),
    Setup(Box<Exchange>),
    /// A set-up without a security blob: the account and its domain are in clear.
    PlainSetup(Box<Login>),
    Tree {
        path: Option<String>,
        service: Option<String>,
    },
    Create(Box<Wish>),
    Close(Handle),
    Read {
        handle: Handle,
        offset: u64,
    },
    Delete(Option<String>),
    Rename {
        from: Option<String>,
        to: Option<String>,
    },
}

impl V1 {
    /// Takes a message, of which `head` is the beginning; returns what of it is content.
    pub(super) fn on_message(&mut self, head: &[u8], context: &mut Context<'_>) -> Content {
        let Some(header) = Header::read(head) else { return Content::default() };
        let mut content = Content::default();
        let (mut command, mut at) = (header.command, message1::HEADER);
        for _ in 0..CHAIN_LIMIT {
            let Some(block) = Block::at(head, at) else { break };
            let found = match header.is_reply {
                true => self.on_reply(&header, command, &block, context),
                false => self.on_request(&header, command, &block, context),
            };
            if found.length > 0 {
                content = found;
            }
            let next = if chains(command) { byte(block.words, 0) } else { None };
            let Some(next) = next.filter(|&next| next != op::NONE) else { break };
            match le16(block.words, 2).map(usize::from) {
                Some(offset) if offset > at => (command, at) = (next, offset),
                _ => break,
            }
        }
        content
    }

    fn on_request(
        &mut self,
        header: &Header,
        command: u8,
        block: &Block<'_>,
        context: &mut Context<'_>,
    ) -> Content {
        let words = block.words;
        let handle = |at: usize| (u64::from(le16(words, at).unwrap_or(0)), 0);
        let strings = |skip: usize| block.strings(skip, header.is_unicode);
        let mut content = Content::default();
        let asked = match command {
            op::NEGOTIATE => Asked::Dialects(dialects(block.bytes())),
            op::SESSION_SETUP_ANDX => session_setup(header, block, context.shares),
            op::TREE_CONNECT_ANDX => {
                let password = le16(words, 6).map_or(0, usize::from);
                let mut strings = strings(password);
                let (path, service) = (filled(strings.next()), filled(strings.ascii()));
                Asked::Tree { path, service }
            }
            op::TREE_DISCONNECT => {
                context.shares.disconnected(header.tree);
                Asked::Nothing
            }
            op::NT_CREATE_ANDX => Asked::Create(Box::new(Wish {
                name: strings(0).next(),
                access: le32(words, 15).unwrap_or(0),
                delete_on_close: le32(words, 39).is_some_and(|it| it & FILE_DELETE_ON_CLOSE != 0),
            })),
            op::OPEN_ANDX => {
                let access = if le16(words, 6).is_some_and(|mode| mode & 7 != 0) { 6 } else { 1 };
                Asked::Create(Box::new(Wish { name: strings(0).next(), access, ..Wish::default() }))
            }
            op::CLOSE => Asked::Close(handle(0)),
            op::READ_ANDX => Asked::Read { handle: handle(4), offset: offset(words, 6, 20) },
            op::WRITE_ANDX => {
                let length = le16(words, 20).map_or(0, usize::from)
                    | le16(words, 18).map_or(0, |high| usize::from(high) << 16);
                let start = le16(words, 22).map_or(0, usize::from);
                let passing = Content { start, length };
                content =
                    pass(Role::Client, header, handle(4), offset(words, 6, 24), passing, context);
                Asked::Nothing
            }
            op::DELETE => Asked::Delete(strings(0).tagged()),
            op::RENAME => {
                let mut strings = strings(0);
                Asked::Rename { from: strings.tagged(), to: strings.tagged() }
            }
            _ => return self.transactions.on_request(header, command, block, context),
        };
        let key = (header.request, command);
        self.pending.insert(key, Pending { at: context.at, asked });
        content
    }

    fn on_reply(
        &mut self,
        header: &Header,
        command: u8,
        block: &Block<'_>,
        context: &mut Context<'_>,
    ) -> Content {
        if transactions::is_one(command) {
            return self.transactions.on_reply(header, command, block, context);
        }
        let pending = self.pending.remove(&(header.request, command));
        let rtt = pending.as_ref().map(|pending| context.at.since(pending.at));
        let asked = pending.map_or(Asked::Nothing, |pending| pending.asked);
        // Most answers are said nothing of: the record is made where it is wanted.
        let record = |context: &Context<'_>| {
            let tree = tree(header, context.shares);
            SmbCmd { rtt, ..cmd(header, command, &tree) }
        };
        let words = block.words;
        match (command, asked) {
            (op::SESSION_SETUP_ANDX, asked) => {
                let record = record(context);
                on_setup(header, block, asked, record, context);
            }
            (op::READ_ANDX, Asked::Read { handle, offset })
                if !header.failed() || header.status == BUFFER_OVERFLOW =>
            {
                let length = le16(words, 10).map_or(0, usize::from)
                    | le16(words, 14).map_or(0, |high| usize::from(high) << 16);
                let start = le16(words, 12).map_or(0, usize::from);
                let passing = Content { start, length };
                return pass(Role::Server, header, handle, offset, passing, context);
            }
            (_, asked) if header.failed() => {
                let argument = match asked {
                    Asked::Tree { path, .. } => path,
                    Asked::Create(wish) => filled(wish.name),
                    Asked::Delete(name) | Asked::Rename { to: name, .. } => name,
                    Asked::Read { handle, .. } | Asked::Close(handle) => {
                        context.shares.name(handle)
                    }
                    _ => None,
                };
                let record = SmbCmd { argument, ..record(context) };
                context.shares.tell(record, 0, header.status, context.out);
            }
            (op::NEGOTIATE, asked) => {
                let argument = match (asked, le16(words, 0)) {
                    (Asked::Dialects(dialects), Some(chosen)) => {
                        dialects.into_iter().nth(usize::from(chosen))
                    }
                    _ => None,
                };
                let record = SmbCmd { argument, ..record(context) };
                context.shares.tell(record, 0, header.status, context.out);
            }
            (op::TREE_CONNECT_ANDX, asked) => {
                let (path, service) = match asked {
                    Asked::Tree { path, service } => (path, service),
                    _ => (None, None),
                };
                let mapping = mapping(header, block, path, service, context.shares);
                context.shares.connected(header.tree, mapping, context.out);
            }
            (op::NT_CREATE_ANDX | op::OPEN_ANDX, Asked::Create(wish)) => {
                let handle = le16(words, if command == op::OPEN_ANDX { 4 } else { 5 });
                let handle = (u64::from(handle.unwrap_or(0)), 0);
                let tree = tree(header, context.shares);
                let Context { at, shares, out } = context;
                shares.opened(*at, handle, &tree, *wish, opened(command, words), out);
            }
            (op::CLOSE, Asked::Close(handle)) => {
                context.shares.closed(context.at, handle, context.out);
            }
            (op::DELETE, Asked::Delete(name)) => {
                let tree = tree(header, context.shares);
                context.out.say(SmbFiles { name, ..SmbFiles::within(&tree, "SMB::FILE_DELETE") });
            }
            (op::RENAME, Asked::Rename { from, to }) => {
                let tree = tree(header, context.shares);
                let record = SmbFiles::within(&tree, "SMB::FILE_RENAME");
                context.out.say(SmbFiles { name: to, prev_name: from, ..record });
            }
            _ => {}
        }
        Content::default()
    }

    /// The connection is over: what was not answered is told as far as it was asked.
    pub(super) fn end(&mut self, context: &mut Context<'_>) {
        for pending in self.pending.take() {
            match pending.asked {
                Asked::Setup(exchange) => exchange.conclude(None, context.out),
                Asked::PlainSetup(login) if login.user.is_some() => context.out.say(*login),
                _ => {}
            }
        }
        self.transactions.end(context);
    }

    /// Bytes held on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let asked = self.pending.values().map(|pending| match &pending.asked {
            Asked::Dialects(dialects) => dialects.iter().map(|text| 24 + text.capacity()).sum(),
            Asked::Setup(exchange) => size_of::<Exchange>() + exchange.heap_bytes(),
            Asked::PlainSetup(_) => size_of::<Login>() + 3 * 64,
            Asked::Create(wish) => size_of::<Wish>() + wish.name.capacity(),
            Asked::Tree { path, .. } | Asked::Delete(path) => {
                path.as_ref().map_or(0, String::capacity)
            }
            Asked::Rename { from, to } => {
                [from, to].into_iter().flatten().map(String::capacity).sum()
            }
            _ => 0,
        });
        self.pending.heap_bytes() + asked.sum::<usize>() + self.transactions.heap_bytes()
    }
}

/// The share that a message is about, and whose session it is in.
pub(super) fn tree(header: &Header, shares: &Shares) -> SmbMapping {
    shares.tree(header.tree, header.session, VERSION)
}

/// A command's record, as far as its header tells.
pub(super) fn cmd(header: &Header, command: u8, tree: &SmbMapping) -> SmbCmd {
    SmbCmd {
        status: header.is_reply.then(|| header.status_name()),
        ..super::shares::command(names::command1(command), header.status, tree)
    }
}

/// Content of `sender` begins.
pub(super) fn pass(
    sender: Role,
    header: &Header,
    handle: Handle,
    offset: u64,
    content: Content,
    context: &mut Context<'_>,
) -> Content {
    let is_pipe = transactions::is_one(header.command);
    let (tree, session, version) = (header.tree, header.session, VERSION);
    let passage = Passage { content, handle, offset, is_pipe, tree, session, version };
    context.shares.pass(context.at, sender, passage, context.out)
}

const fn chains(command: u8) -> bool {
    // LOCKING, OPEN, READ, WRITE, SESSION_SETUP, LOGOFF, TREE_CONNECT, NT_CREATE.
    matches!(command, 0x24 | 0x2d | 0x2e | 0x2f | 0x73 | 0x74 | 0x75 | 0xa2)
}

fn offset(words: &[u8], low: usize, high: usize) -> u64 {
    let part = |at| u64::from(le32(words, at).unwrap_or(0));
    part(high) << 32 | part(low)
}

/// The dialects that a client offers, each behind a 2.
fn dialects(bytes: &[u8]) -> Vec<String> {
    let parts = bytes.split(|&b| b == 0).filter_map(|part| part.strip_prefix(&[2]));
    parts.take(16).map(|dialect| text(dialect, 32)).collect()
}

/// SMB_COM_SESSION_SETUP_ANDX, with a security blob ([MS-SMB] 2.2.4.6.1) or without
/// ([MS-CIFS] 2.2.4.53.1).
fn session_setup(header: &Header, block: &Block<'_>, shares: &mut Shares) -> Asked {
    let words = block.words;
    if words.len() == 24 {
        let known = shares.exchanges.remove(&header.session);
        let mut exchange = known.unwrap_or_else(|| Exchange::new("smb"));
        let length = le16(words, 14).map_or(0, usize::from);
        exchange.on_token(part(block.bytes(), 0, length));
        return Asked::Setup(Box::new(exchange));
    }
    let length = |at| le16(words, at).map_or(0, usize::from);
    let (short, long) = (length(14), length(16));
    let mut strings = block.strings(short.saturating_add(long), header.is_unicode);
    let (user, domain) = (filled(strings.next()), filled(strings.next()));
    // A response to a challenge has 24 bytes or more; what is shorter is a password in clear.
    let method = if short >= 24 || long >= 24 { "ntlm" } else { "password" };
    Asked::PlainSetup(Box::new(Login {
        protocol: "smb",
        method,
        user,
        domain,
        workstation: None,
        success: None,
        inferred: false,
    }))
}

fn on_setup(
    header: &Header,
    block: &Block<'_>,
    asked: Asked,
    record: SmbCmd,
    context: &mut Context<'_>,
) {
    let (words, success) = (block.words, !header.failed());
    let mut user = None;
    let asked = match asked {
        // The capture began with the challenge.
        Asked::Nothing if header.status == MORE_PROCESSING => {
            Asked::Setup(Box::new(Exchange::new("smb")))
        }
        asked => asked,
    };
    match asked {
        Asked::Setup(mut exchange) => {
            let length = le16(words, 6).map_or(0, usize::from);
            exchange.on_token(part(block.bytes(), 0, length));
            if header.status == MORE_PROCESSING {
                context.shares.exchanges.insert(header.session, *exchange);
                return;
            }
            user = exchange.username().map(str::to_owned);
            if !exchange.is_empty() {
                exchange.conclude(Some(success), context.out);
            }
        }
        Asked::PlainSetup(login) => {
            user = login.user.clone();
            // Nobody logs in as nobody.
            if user.is_some() {
                context.out.say(Login { success: Some(success), ..*login });
            }
        }
        _ => {}
    }
    if success {
        context.shares.logged_in(header.session, user.clone());
    }
    let guest = success && le16(words, 4).is_some_and(|action| action & 1 != 0);
    let argument = guest.then(|| "guest".to_owned());
    let record = SmbCmd { argument, username: user, ..record };
    context.shares.tell(record, 0, header.status, context.out);
}

/// SMB_COM_TREE_CONNECT_ANDX's answer ([MS-CIFS] 2.2.4.55.2).
fn mapping(
    header: &Header,
    block: &Block<'_>,
    path: Option<String>,
    asked_for: Option<String>,
    shares: &Shares,
) -> SmbMapping {
    let mut strings = block.strings(0, header.is_unicode);
    let service = filled(strings.ascii()).or(asked_for);
    let native_file_system = filled(strings.next());
    SmbMapping {
        path,
        share_type: match service.as_deref() {
            Some("IPC") => "PIPE",
            Some(service) if service.starts_with("LPT") => "PRINT",
            _ => "DISK",
        },
        service,
        native_file_system,
        version: VERSION,
        username: shares.user(header.session),
        encrypted: false,
    }
}

fn opened(command: u8, words: &[u8]) -> Opened {
    if command == op::OPEN_ANDX {
        return Opened {
            size: u64::from(le32(words, 12).unwrap_or(0)),
            action: 1,
            ..Opened::default()
        };
    }
    let number = |at| le64(words, at).unwrap_or(0);
    Opened {
        times: [number(11), number(19), number(27), number(35)],
        size: number(55),
        action: le32(words, 7).unwrap_or(1),
        is_directory: byte(words, 67).is_some_and(|it| it != 0),
    }
}
