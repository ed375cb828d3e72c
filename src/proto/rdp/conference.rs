//! What client and server say of themselves in clear when RDP encrypts for itself: the data blocks
//! in the conference requests of T.124 ([MS-RDPBCGR] 2.2.1.3 and 2.2.1.4).

use super::names;
use crate::event::Rdp;
use crate::proto::bytes::{le16, le32, part, text, utf16};

/// The keys in front of a client's and a server's blocks (T.124's H.221 keys).
const CLIENT_KEY: &[u8] = b"Duca";
const SERVER_KEY: &[u8] = b"McDn";
/// Channels that a client may ask for.
const CHANNEL_LIMIT: usize = 31;
/// Blocks that are looked at.
const BLOCK_LIMIT: usize = 16;

/// Reads a client's request.
pub(super) fn request(message: &[u8], record: &mut Rdp) -> bool {
    let Some(blocks) = behind(message, CLIENT_KEY) else { return false };
    for (kind, block) in walk(blocks) {
        match kind {
            0xc001 => core(block, record),
            0xc003 => channels(block, record),
            _ => {}
        }
    }
    true
}

/// Reads a server's answer.
pub(super) fn answer(message: &[u8], record: &mut Rdp) -> bool {
    let Some(blocks) = behind(message, SERVER_KEY) else { return false };
    for (kind, block) in walk(blocks) {
        if kind == 0x0c02 {
            security(block, record);
        }
    }
    true
}

/// The blocks behind a key and a length of one or two bytes.
fn behind<'a>(message: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let at = message.windows(key.len()).position(|window| window == key)? + key.len();
    let width = if message.get(at)? & 0x80 == 0 { 1 } else { 2 };
    message.get(at + width..)
}

/// Blocks: a kind, a length that counts itself, the rest.
fn walk(mut blocks: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let next = move || {
        let (kind, length) = (le16(blocks, 0)?, usize::from(le16(blocks, 2)?).max(4));
        let block = part(blocks, 0, length);
        blocks = blocks.get(length..).unwrap_or_default();
        Some((kind, block))
    };
    std::iter::from_fn(next).take(BLOCK_LIMIT)
}

/// TS_UD_CS_CORE (2.2.1.3.2).
fn core(block: &[u8], record: &mut Rdp) {
    record.desktop_width = le16(block, 8);
    record.desktop_height = le16(block, 10);
    record.keyboard_layout = le32(block, 16).map(names::keyboard);
    record.client_build = le32(block, 20).map(names::build);
    record.client_name = Some(utf16(part(block, 24, 32), 16));
    let wants_32 = le16(block, 144).is_some_and(|flags| flags & 2 != 0);
    record.requested_color_depth = match le16(block, 140) {
        _ if wants_32 => Some("32bit".to_owned()),
        depth => depth.map(names::depth),
    };
    record.client_dig_product_id = block.get(146..).map(|id| utf16(part(id, 0, 64), 32));
}

/// TS_UD_CS_NET (2.2.1.3.4).
fn channels(block: &[u8], record: &mut Rdp) {
    let count = le32(block, 4).map_or(0, |count| count as usize).min(CHANNEL_LIMIT);
    let listed = block.get(8..).unwrap_or_default().chunks_exact(12).take(count);
    record.client_channels = listed.map(|channel| text(part(channel, 0, 8), 8)).collect();
}

/// TS_UD_SC_SEC1 (2.2.1.4.3), with its certificate (2.2.1.4.3.1).
fn security(block: &[u8], record: &mut Rdp) {
    record.encryption_method = le32(block, 4).map(names::encryption);
    record.encryption_level = le32(block, 8).map(names::level);
    let random = le32(block, 12).map_or(0, |length| length as usize);
    let Some(certificate) = block.get(20usize.saturating_add(random)..) else { return };
    let Some(version) = le32(certificate, 0) else { return };
    match version & 0x7fff_ffff {
        1 => (record.cert_type, record.cert_count) = (Some("RSA"), 1),
        2 => {
            let chain = le32(certificate, 4).unwrap_or(0).min(16);
            (record.cert_type, record.cert_count) = (Some("X.509"), chain);
        }
        _ => return,
    }
    record.cert_permanent = Some(version & 0x8000_0000 == 0);
}
