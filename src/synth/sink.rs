//! Where a capture file goes, packed or as it is.

use std::io::{self, Write};

/// The compression of captures that are stored: the strongest of the ordinary ones, since they are
/// written once and kept for ever. One thread, so the bytes are the same everywhere.
pub const FOR_EVER: i32 = 19;
/// The compression of captures that somebody waits for.
pub const FAST: i32 = 3;

/// A stream that is packed with zstd, or is not.
pub enum Sink<W: Write> {
    /// As it is.
    Plain(W),
    /// Packed.
    Packed(Box<zstd::Encoder<'static, W>>),
}

impl<W: Write> Sink<W> {
    /// Writes to `out`, packed at `level` if there is one.
    ///
    /// # Errors
    /// If zstd knows no such level.
    pub fn new(out: W, level: Option<i32>) -> io::Result<Self> {
        let Some(level) = level else { return Ok(Self::Plain(out)) };
        let mut encoder = zstd::Encoder::new(out, level)?;
        encoder.include_checksum(true)?;
        Ok(Self::Packed(Box::new(encoder)))
    }

    /// Completes what is written.
    ///
    /// # Errors
    /// If the rest cannot be written.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut out) => out.flush(),
            Self::Packed(encoder) => encoder.finish()?.flush(),
        }
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Packed(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Packed(out) => out.flush(),
        }
    }
}
