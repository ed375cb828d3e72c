//! What a connection has of a server: its sessions, the shares it is connected to, what it has
//! open there. The same for all versions of the protocol.

use super::files::{Kind, Open, Verb};
use super::names;
use super::stream::Content;
use crate::event::{SmbCmd, SmbFiles, SmbMapping};
use crate::proto::gss::Exchange;
use crate::proto::recent::Recent;
use crate::proto::{Findings, Role};
use crate::time::Timestamp;

/// Units of a name that are kept.
pub(super) const NAME_LIMIT: usize = 260;
/// Pipes whose calls are followed at a time.
const CALLING_LIMIT: usize = 8;
/// How often the same command with the same function and status is told.
const REPEAT_LIMIT: u32 = 8;
/// The same for what is odd in itself.
const ODD_LIMIT: u32 = 64;

/// A handle: 16 bytes in SMB2, two in SMB1.
pub(super) type Handle = (u64, u64);

/// What is asked to be allowed ([MS-SMB2] 2.2.13.1.1), and what is to happen to what is there.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    pub(super) name: String,
    pub(super) access: u32,
    pub(super) delete_on_close: bool,
}

/// What an open answers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Opened {
    /// FILETIMEs of creation, access, write and change.
    pub(super) times: [u64; 4],
    pub(super) size: u64,
    pub(super) action: u32,
    pub(super) is_directory: bool,
}

/// State of one connection.
#[derive(Debug, Default)]
pub(super) struct Shares {
    /// Shares by tree id.
    trees: Recent<u32, SmbMapping, 32>,
    open: Recent<Handle, Open, 64>,
    /// Accounts by session id.
    users: Recent<u64, String, 16>,
    /// Authentications that go on, by session id.
    pub(super) exchanges: Recent<u64, Exchange, 4>,
    told: Recent<(&'static str, u32, u32), u32, 32>,
    /// Whose content each side is sending.
    passing_up: Option<Handle>,
    passing_down: Option<Handle>,
}

impl Shares {
    /// The share under `tree`; something on a disk if its connect was not seen.
    pub(super) fn tree(&self, tree: u32, session: u64, version: &'static str) -> SmbMapping {
        let known = self.trees.get(&tree).cloned();
        let mut found =
            known.unwrap_or(SmbMapping { share_type: "DISK", version, ..SmbMapping::default() });
        found.username = self.users.get(&session).cloned();
        found
    }

    /// A share was connected to.
    pub(super) fn connected(&mut self, tree: u32, mapping: SmbMapping, out: &mut Findings) {
        self.trees.insert(tree, mapping.clone());
        out.say(mapping);
    }

    /// A share was left.
    pub(super) fn disconnected(&mut self, tree: u32) {
        self.trees.remove(&tree);
    }

    /// Somebody was let in.
    pub(super) fn logged_in(&mut self, session: u64, user: Option<String>) {
        match user {
            Some(user) => {
                self.users.insert(session, user);
            }
            None => {
                self.users.remove(&session);
            }
        }
    }

    pub(super) fn user(&self, session: u64) -> Option<String> {
        self.users.get(&session).cloned()
    }

    /// Something was opened.
    pub(super) fn opened(
        &mut self,
        at: Timestamp,
        handle: Handle,
        tree: &SmbMapping,
        wish: Wish,
        answer: Opened,
        out: &mut Findings,
    ) {
        let kind = match tree.share_type {
            "PIPE" => Kind::Pipe,
            "PRINT" => Kind::Printer,
            // Which share it is in was not seen: some names are known.
            _ if tree.path.is_none() && is_pipe_name(&wish.name) => Kind::Pipe,
            _ => Kind::File,
        };
        let mut record = SmbFiles::within(tree, kind.action(Verb::Open));
        let [created, accessed, modified, changed] = answer.times.map(epoch);
        if modified.is_some() {
            record = SmbFiles { created, accessed, modified, changed, ..record };
        }
        record.name = Some(match wish.name.is_empty() {
            true => "<share_root>".to_owned(),
            false => wish.name,
        });
        record.size = answer.size;
        record.is_directory = answer.is_directory;
        let open = Open::new(kind, record.clone());
        record.access = access(wish.access);
        record.disposition = match answer.action {
            0 => Some("superseded"),
            1 => Some("opened"),
            2 => Some("created"),
            3 => Some("overwritten"),
            _ => None,
        };
        out.say(record.clone());
        if wish.delete_on_close {
            out.say(SmbFiles { action: "SMB::FILE_DELETE", ..record });
        }
        if let Some(forgotten) = self.open.insert(handle, open) {
            forgotten.close(at, out);
        }
    }

    /// Something was closed.
    pub(super) fn closed(&mut self, at: Timestamp, handle: Handle, out: &mut Findings) {
        if let Some(open) = self.open.remove(&handle) {
            open.close(at, out);
        }
    }

    /// What is open under `handle`.
    pub(super) fn open_mut(&mut self, handle: Handle) -> Option<&mut Open> {
        self.open.get_mut(&handle)
    }

    /// The name of what is open under `handle`.
    pub(super) fn name(&self, handle: Handle) -> Option<String> {
        self.open.get(&handle).and_then(|open| open.record.name.clone())
    }

    /// Something open was renamed.
    pub(super) fn renamed(
        &mut self,
        handle: Handle,
        tree: &SmbMapping,
        to: String,
        out: &mut Findings,
    ) {
        let record = match self.open.get_mut(&handle) {
            Some(open) => {
                open.record.prev_name = open.record.name.replace(to);
                open.record.clone()
            }
            None => SmbFiles { name: Some(to), ..SmbFiles::within(tree, "") },
        };
        out.say(SmbFiles { action: "SMB::FILE_RENAME", ..record });
    }

    /// Something open is to be deleted.
    pub(super) fn deleted(&mut self, handle: Handle, out: &mut Findings) {
        if let Some(open) = self.open.get_mut(&handle) {
            out.say(SmbFiles { action: "SMB::FILE_DELETE", ..open.record.clone() });
        }
    }

    /// A command that `sender` sends carries content.
    pub(super) fn pass(
        &mut self,
        at: Timestamp,
        sender: Role,
        passage: Passage,
        out: &mut Findings,
    ) -> Content {
        let Passage { handle, offset, content, is_pipe, .. } = passage;
        if self.open.get(&handle).is_none() {
            let tree = self.tree(passage.tree, passage.session, passage.version);
            let kind = if is_pipe || tree.share_type == "PIPE" { Kind::Pipe } else { Kind::File };
            let open = Open::new(kind, SmbFiles::within(&tree, ""));
            if let Some(forgotten) = self.open.insert(handle, open) {
                forgotten.close(at, out);
            }
        }
        if let Some(open) = self.open.get_mut(&handle) {
            open.begin(sender, offset, content.length as u64, out);
        }
        *self.passing(sender) = Some(handle);
        content
    }

    /// Content of `sender` passes.
    pub(super) fn on_content(
        &mut self,
        at: Timestamp,
        sender: Role,
        bytes: &[u8],
        out: &mut Findings,
    ) {
        let Some(handle) = *self.passing(sender) else { return };
        let Some(open) = self.open.get_mut(&handle) else { return };
        let had_calls = open.has_calls();
        open.on_bytes(at, sender, bytes, out);
        if !had_calls && open.has_calls() {
            let calling = self.open.newest_mut().filter(|open| open.has_calls());
            for open in calling.skip(CALLING_LIMIT) {
                open.stop_calls(at, out);
            }
        }
    }

    /// Content of `sender` is missing.
    pub(super) fn on_missing(&mut self, sender: Role, bytes: usize) {
        if let Some(handle) = *self.passing(sender)
            && let Some(open) = self.open.get_mut(&handle)
        {
            open.on_missing(sender, bytes as u64);
        }
    }

    /// Says a command, unless the same was said often enough.
    pub(super) fn tell(&mut self, command: SmbCmd, function: u32, status: u32, out: &mut Findings) {
        let odd = command.transaction.as_ref().is_some_and(|transaction| {
            transaction.mixed || transaction.secondaries > 0 || transaction.reply_mid.is_some()
        });
        let key = (command.command, function, status);
        let count = self.told.remove(&key).unwrap_or(0);
        self.told.insert(key, count.saturating_add(1));
        if count < if odd { ODD_LIMIT } else { REPEAT_LIMIT } {
            out.say(command);
        }
    }

    /// The connection is over.
    pub(super) fn end(&mut self, at: Timestamp, out: &mut Findings) {
        for exchange in self.exchanges.take() {
            exchange.conclude(None, out);
        }
        for open in self.open.take() {
            open.close(at, out);
        }
    }

    /// Bytes held on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let trees = self.trees.values().map(|tree| {
            let texts = [&tree.path, &tree.service, &tree.native_file_system, &tree.username];
            texts.into_iter().flatten().map(String::capacity).sum::<usize>()
        });
        self.trees.heap_bytes()
            + trees.sum::<usize>()
            + self.open.heap_bytes()
            + self.open.values().map(Open::heap_bytes).sum::<usize>()
            + self.users.heap_bytes()
            + self.users.values().map(String::capacity).sum::<usize>()
            + self.exchanges.heap_bytes()
            + self.exchanges.values().map(Exchange::heap_bytes).sum::<usize>()
            + self.told.heap_bytes()
    }

    const fn passing(&mut self, sender: Role) -> &mut Option<Handle> {
        match sender {
            Role::Client => &mut self.passing_up,
            Role::Server => &mut self.passing_down,
        }
    }
}

/// Content, and where it belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passage {
    pub(super) content: Content,
    pub(super) handle: Handle,
    pub(super) offset: u64,
    /// Whether only a pipe takes such a command.
    pub(super) is_pipe: bool,
    pub(super) tree: u32,
    pub(super) session: u64,
    pub(super) version: &'static str,
}

/// A command within a share.
pub(super) fn command(name: &'static str, status: u32, tree: &SmbMapping) -> SmbCmd {
    SmbCmd {
        command: name,
        status: Some(names::status(status)),
        version: tree.version,
        username: tree.username.clone(),
        tree: tree.path.clone(),
        tree_service: tree.service.clone(),
        ..SmbCmd::default()
    }
}

/// Whether a name is one that services give their pipes.
fn is_pipe_name(name: &str) -> bool {
    const NAMES: [&str; 20] = [
        "spoolss",
        "winreg",
        "samr",
        "srvsvc",
        "netdfs",
        "lsarpc",
        "wkssvc",
        "MsFteWds",
        "svcctl",
        "atsvc",
        "netlogon",
        "lsass",
        "epmapper",
        "browser",
        "eventlog",
        "efsrpc",
        "initshutdown",
        "FssagentRpc",
        "ntsvcs",
        "protected_storage",
    ];
    let name = name.trim_start_matches('\\');
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// What an access mask asks for ([MS-SMB2] 2.2.13.1.1).
fn access(mask: u32) -> Option<String> {
    let words = [
        ("read", 0x9000_0001),
        ("write", 0x5000_0006),
        ("execute", 0x3000_0020),
        ("delete", 0x1001_0000),
        ("maximum", 0x0200_0000),
    ];
    let asked: Vec<&str> =
        words.iter().filter(|(_, bits)| mask & bits != 0).map(|&(word, _)| word).collect();
    (!asked.is_empty()).then(|| asked.join(","))
}

/// A FILETIME (100 ns since 1601) as seconds since 1970, if it is one after that.
fn epoch(filetime: u64) -> Option<f64> {
    let ticks = filetime.checked_sub(116_444_736_000_000_000)?;
    (ticks > 0).then_some(ticks as f64 / 1e7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_masks_times_and_names() {
        assert_eq!(access(0x0012_0089).as_deref(), Some("read"));
        assert_eq!(access(0x0003_0196).as_deref(), Some("write,delete"));
        assert_eq!(access(0x0010_0080), None);
        assert_eq!(epoch(131_533_000_000_000_000), Some(1_508_826_400.0));
        assert_eq!(epoch(0), None);
        assert!(is_pipe_name("\\svcctl") && !is_pipe_name("notes.txt"));
    }

    #[test]
    fn says_the_same_failure_a_few_times_only() {
        let mut shares = Shares::default();
        let mut out = Findings::default();

        for _ in 0..100 {
            let tree = shares.tree(1, 1, "SMB2");
            shares.tell(command("CREATE", 0xc000_0022, &tree), 0, 0xc000_0022, &mut out);
        }

        assert_eq!(out.records.len(), REPEAT_LIMIT as usize);
    }

    #[test]
    fn forgets_the_oldest_calls_of_too_many_pipes() {
        let mut shares = Shares::default();
        let mut out = Findings::default();
        let at = Timestamp::from_secs(0);
        let bind = [5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0];

        for handle in 0..20 {
            let passage = Passage {
                content: Content { start: 0, length: 16 },
                handle: (handle, 0),
                offset: 0,
                is_pipe: true,
                tree: 1,
                session: 1,
                version: "SMB2",
            };
            shares.pass(at, Role::Client, passage, &mut out);
            shares.on_content(at, Role::Client, &bind, &mut out);
        }

        assert_eq!(shares.open.values().filter(|open| open.has_calls()).count(), CALLING_LIMIT);
    }
}
