//! Small capture files for tests, built byte by byte.

/// How numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Order {
    Little,
    Big,
}

impl Order {
    pub(in crate::source) fn half(self, value: u16) -> [u8; 2] {
        if self == Self::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub(in crate::source) fn word(self, value: u32) -> [u8; 4] {
        if self == Self::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub(in crate::source) fn words(self, values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|&value| self.word(value)).collect()
    }
}

/// A classic file header.
pub(in crate::source) fn pcap(order: Order, magic: u32, snaplen: u32, network: u32) -> Vec<u8> {
    [
        &order.word(magic)[..],
        &order.half(2),
        &order.half(4),
        &order.words(&[0, 0, snaplen, network]),
    ]
    .concat()
}

/// A classic record; `wire` is its length on the wire.
pub(in crate::source) fn record(
    order: Order,
    (secs, fraction): (u32, u32),
    wire: u32,
    data: &[u8],
) -> Vec<u8> {
    [&order.words(&[secs, fraction, data.len() as u32, wire])[..], data].concat()
}

/// A microsecond Ethernet file with a frame a second from `first`, `count` of them; the first byte of
/// each frame is its number.
pub(in crate::source) fn plain(first: u32, count: u8) -> Vec<u8> {
    let mut file = pcap(Order::Little, 0xa1b2_c3d4, 65_535, 1);
    for number in 0..count {
        let frame = [number; 60];
        file.extend(record(Order::Little, (first + u32::from(number), 0), 60, &frame));
    }
    file
}

/// A pcapng block around `body`, which is padded.
pub(in crate::source) fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let length = body.len() as u32 + 12;
    [&order.words(&[kind, length])[..], &body, &order.word(length)].concat()
}

pub(in crate::source) fn section(order: Order) -> Vec<u8> {
    let version = [order.half(1), order.half(0)].concat();
    let body = [&order.word(0x1a2b_3c4d)[..], &version, &[0xff; 8]].concat();
    block(order, 0x0a0d_0d0a, &body)
}

pub(in crate::source) fn option(order: Order, code: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = [order.half(code), order.half(value.len() as u16)].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

pub(in crate::source) fn interface(
    order: Order,
    link: u16,
    snaplen: u32,
    options: &[u8],
) -> Vec<u8> {
    let fixed = [&order.half(link)[..], &[0, 0], &order.word(snaplen)].concat();
    block(order, 1, &[&fixed[..], options].concat())
}

/// An enhanced packet block; `ticks` is its timestamp.
pub(in crate::source) fn enhanced(
    order: Order,
    interface: u32,
    ticks: u64,
    wire: u32,
    data: &[u8],
) -> Vec<u8> {
    let fixed = [interface, (ticks >> 32) as u32, ticks as u32, data.len() as u32, wire];
    block(order, 6, &[&order.words(&fixed)[..], data].concat())
}

/// An obsolete packet block.
pub(in crate::source) fn obsolete(
    order: Order,
    interface: u16,
    ticks: u64,
    data: &[u8],
) -> Vec<u8> {
    let len = data.len() as u32;
    let rest = order.words(&[(ticks >> 32) as u32, ticks as u32, len, len]);
    let first = [order.half(interface), order.half(0xffff)].concat();
    block(order, 2, &[&first[..], &rest, data].concat())
}

pub(in crate::source) fn simple(order: Order, wire: u32, data: &[u8]) -> Vec<u8> {
    block(order, 3, &[&order.word(wire)[..], data].concat())
}

/// Interface statistics with `isb_ifdrop` and `isb_osdrop`.
pub(in crate::source) fn statistics(order: Order, interface: u32, drops: [u64; 2]) -> Vec<u8> {
    let long = |value: u64| match order {
        Order::Big => value.to_be_bytes(),
        Order::Little => value.to_le_bytes(),
    };
    let body = [
        order.words(&[interface, 0, 0]),
        option(order, 5, &long(drops[0])),
        option(order, 7, &long(drops[1])),
        option(order, 0, &[]),
    ];
    block(order, 5, &body.concat())
}
