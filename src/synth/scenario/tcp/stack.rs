//! What each TCP/IP stack shows of itself: options, windows, sizes.

use super::super::place::Stack;
use super::super::wire::Options;
use super::LARGEST_WINDOW;
use crate::decode::TcpFlags;

/// Bytes of the timestamps option with its padding (RFC 7323 appendix A).
const TIMESTAMPS: u16 = 12;
/// No network asks for smaller segments (RFC 791: 68 bytes pass everywhere).
const LEAST_SEGMENT: u16 = 64;

/// Segments that the receiver's window holds: few, where it is small or cannot be scaled.
pub(super) const fn room(receiver: Stack, sender: Stack) -> usize {
    match (receiver, sender) {
        (Stack::Embedded, _) => 3,
        (_, Stack::Embedded) => 40,
        _ => LARGEST_WINDOW,
    }
}

/// What fits beside the options that every segment between these two carries.
pub(super) const fn segment_size(mss: u16, client: Stack, server: Stack) -> u16 {
    let mss = if mss < LEAST_SEGMENT { LEAST_SEGMENT } else { mss };
    match (client, server) {
        (Stack::Linux, Stack::Linux) => mss - TIMESTAMPS,
        _ => mss,
    }
}

/// What each stack offers in its SYN, or takes up in its answer to `offered`.
pub(super) fn syn_options(
    options: &mut Options,
    own: Stack,
    offered: Option<Stack>,
    [high, low]: [u8; 2],
) {
    let wanted = offered != Some(Stack::Embedded);
    options.push(&[2, 4, high, low]);
    match own {
        Stack::Windows if wanted => options.push(&[1, 3, 3, 8, 1, 1, 4, 2]),
        // Timestamps follow, then a window scale.
        Stack::Linux if wanted && offered != Some(Stack::Windows) => options.push(&[4, 2]),
        Stack::Linux if wanted => options.push(&[1, 1, 4, 2]),
        _ => {}
    }
}

/// The window that a stack shows, which moves a little with what it has yet to read.
pub(super) const fn window(own: Stack, other: Stack, flags: u8, ack: u32) -> u16 {
    if flags & TcpFlags::RST != 0 {
        return 0;
    }
    let scaled = !matches!(other, Stack::Embedded) && flags & TcpFlags::SYN == 0;
    match own {
        Stack::Embedded => 5840,
        _ if !scaled => 64_240,
        Stack::Windows => 1020 + (ack >> 11 & 7) as u16,
        Stack::Linux => 501 - (ack >> 12 & 15) as u16,
    }
}
