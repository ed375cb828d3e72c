//! Bytes off the wire, read front to back; the end is never passed.

/// Big-endian 16 bits at `at`.
#[inline]
pub(super) fn be16(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// Big-endian 32 bits at `at`.
#[inline]
pub(super) fn be32(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// What lies behind the first `len` bytes, which must be there.
#[inline]
pub(super) fn behind(data: &[u8], len: usize) -> Option<&[u8]> {
    data.get(len..)
}
