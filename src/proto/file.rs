//! Watching a file cross, whatever protocol carries it: how much of it came, what kind it is, and
//! the hash by which the same file is known again on its next hop.

use sha2::{Digest, Sha256};

use super::bytes::{ber, contains, starts_with_any_case};
use crate::event::Files;

/// Bytes of a file that are hashed. What a worm carries is smaller; hashing every byte of a backup
/// or of a disk image would cost more than everything else that is done with its packets.
const MAX_HASHED: u64 = 16 << 20;

/// First bytes that tell the kind.
const HEAD: usize = 256;

/// Bytes of a name that are kept.
const MAX_NAME: usize = 1024;

/// A file that is crossing.
#[derive(Clone, Debug)]
pub struct FileWatch {
    source: &'static str,
    name: Option<String>,
    by_client: bool,
    total: Option<u64>,
    head: Vec<u8>,
    hasher: Sha256,
    seen: u64,
    missing: u64,
}

impl FileWatch {
    /// A file of which nothing came yet; `source` is the protocol as Zeek's `files` log writes it.
    pub fn new(source: &'static str, name: Option<String>) -> Self {
        Self {
            source,
            name: name.map(shorten),
            by_client: false,
            total: None,
            head: Vec::new(),
            hasher: Sha256::new(),
            seen: 0,
            missing: 0,
        }
    }

    /// The client sends it, where `yes`.
    #[must_use]
    pub const fn by_client(mut self, yes: bool) -> Self {
        self.by_client = yes;
        self
    }

    /// The protocol says how large it is.
    pub const fn set_total(&mut self, bytes: u64) {
        self.total = Some(bytes);
    }

    /// Takes its next bytes.
    pub fn on_bytes(&mut self, data: &[u8]) {
        if self.head.len() < HEAD && self.missing == 0 {
            let room = HEAD - self.head.len();
            self.head.extend(data.iter().take(room));
        }
        if self.seen < MAX_HASHED {
            self.hasher.update(data);
        }
        self.seen = self.seen.saturating_add(data.len() as u64);
    }

    /// Bytes of it are missing here.
    pub const fn on_gap(&mut self, bytes: u64) {
        self.missing = self.missing.saturating_add(bytes);
    }

    /// Bytes of it that were seen or are missing.
    pub const fn passed(&self) -> u64 {
        self.seen.saturating_add(self.missing)
    }

    /// Its kind, as far as its first bytes tell.
    pub fn mime_type(&self) -> Option<&'static str> {
        mime_type(&self.head)
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.head.capacity() + self.name.as_ref().map_or(0, String::capacity)
    }

    /// No more will come.
    pub fn finish(self) -> Files {
        // Beyond the limit the last update went past it by some bytes: no hash of anything.
        let is_hashed = self.seen <= MAX_HASHED && self.seen > 0;
        Files {
            source: self.source,
            mime_type: mime_type(&self.head),
            filename: self.name,
            is_orig: self.by_client,
            seen_bytes: self.seen,
            total_bytes: self.total,
            missing_bytes: self.missing,
            sha256: is_hashed.then(|| hex(&self.hasher.finalize())),
        }
    }
}

fn shorten(mut name: String) -> String {
    if name.len() > MAX_NAME {
        name.truncate(name.floor_char_boundary(MAX_NAME));
        name.shrink_to_fit();
    }
    name
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// First bytes and the kind that they mean, in libmagic's and Zeek's names. Longer ones come first
/// where they begin alike.
const MAGIC: &[(&[u8], &str)] = &[
    (b"MZ", "application/x-dosexec"),
    (b"\x7fELF", "application/x-executable"),
    (b"\xfe\xed\xfa\xce", "application/x-mach-o-executable"),
    (b"\xfe\xed\xfa\xcf", "application/x-mach-o-executable"),
    (b"\xce\xfa\xed\xfe", "application/x-mach-o-executable"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-o-executable"),
    (b"\xca\xfe\xba\xbe", "application/java-archive"),
    (b"dex\n", "application/x-dex"),
    (b"!<arch>\n", "application/x-archive"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"\x1f\x8b", "application/x-gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/x-rar"),
    (b"MSCF\0\0\0\0", "application/vnd.ms-cab-compressed"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/msword"),
    (b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F", "application/x-ms-shortcut"),
    (b"regf", "application/x-ms-registry-hive"),
    (b"MDMP", "application/x-ms-minidump"),
    (b"SQLite format 3\0", "application/x-sqlite3"),
    (b"\xed\xab\xee\xdb", "application/x-rpm"),
    (b"%PDF-", "application/pdf"),
    (b"{\\rtf", "text/rtf"),
    (b"%!PS", "application/postscript"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/x-ms-bmp"),
    (b"\0\0\x01\0", "image/x-icon"),
    (b"OggS", "application/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"FLV\x01", "video/x-flv"),
    (b"FWS", "application/x-shockwave-flash"),
    (b"CWS", "application/x-shockwave-flash"),
    (b"wOFF", "application/font-woff"),
    (b"-----BEGIN ", "application/x-pem"),
    (b"From ", "application/mbox"),
];

/// Beginnings of text formats, compared without case and behind white space.
const TEXT: &[(&[u8], &str)] = &[
    (b"<!doctype html", "text/html"),
    (b"<html", "text/html"),
    (b"<head", "text/html"),
    (b"<script", "text/html"),
    (b"<?xml", "application/xml"),
    (b"<?php", "text/x-php"),
    (b"@echo off", "text/x-msdos-batch"),
    (b"[autorun]", "text/x-autorun"),
];

/// Interpreters of scripts that begin with `#!`.
const INTERPRETERS: &[(&[u8], &str)] = &[
    (b"python", "text/x-python"),
    (b"perl", "text/x-perl"),
    (b"ruby", "text/x-ruby"),
    (b"php", "text/x-php"),
    (b"node", "application/javascript"),
    (b"awk", "text/x-awk"),
];

/// The kind of a file that begins with `head`.
pub fn mime_type(head: &[u8]) -> Option<&'static str> {
    if head.is_empty() {
        return None;
    }
    let head = head.get(..HEAD).unwrap_or(head);
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(kind);
    }
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|&b| b == b'\n').next().unwrap_or_default();
        let known = INTERPRETERS.iter().find(|(name, _)| contains(line, name));
        return Some(known.map_or("text/x-shellscript", |(_, kind)| kind));
    }
    if is_ocsp_response(head) {
        return Some("application/ocsp-response");
    }
    if head.get(4..8) == Some(b"ftyp") {
        return Some("video/mp4");
    }
    let body = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if body.starts_with(b"<") && contains(body, b":Envelope") {
        return Some("application/soap+xml");
    }
    if let Some((_, kind)) = TEXT.iter().find(|(start, _)| starts_with_any_case(body, start)) {
        return Some(kind);
    }
    let is_wide = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    if is_wide || is_text(head) {
        return Some(if is_json(body) { "text/json" } else { "text/plain" });
    }
    None
}

/// Whether it is OCSPResponse (RFC 6960 section 4.2.1): a SEQUENCE whose first element is a status.
fn is_ocsp_response(head: &[u8]) -> bool {
    let status = ber(head).filter(|(tag, ..)| *tag == 0x30).and_then(|(_, at, _)| head.get(at..));
    status.is_some_and(|status| status.starts_with(&[0x0a, 1]))
}

/// Whether it begins like an object or a list.
fn is_json(body: &[u8]) -> bool {
    let Some((first, rest)) = body.split_first() else { return false };
    let next = rest.trim_ascii_start().first();
    match first {
        b'{' => matches!(next, Some(b'"' | b'}')),
        b'[' => matches!(next, Some(b'{' | b'[' | b'"' | b']' | b'0'..=b'9')),
        _ => false,
    }
}

/// Whether it reads as text: no control characters, and UTF-8 up to where the head ends.
fn is_text(head: &[u8]) -> bool {
    let is_printable =
        |&b: &u8| b >= 0x20 && b != 0x7f || matches!(b, b'\t' | b'\n' | b'\r' | 0x1b);
    let is_utf8 = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    is_utf8 && head.iter().all(is_printable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hashes_what_was_seen() {
        let mut file = FileWatch::new("HTTP", Some("a.txt".to_owned()));
        file.set_total(3);

        file.on_bytes(b"a");
        file.on_bytes(b"bc");
        let file = file.finish();

        // FIPS 180-4's example.
        assert_eq!(
            file.sha256.as_deref(),
            Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        );
        assert_eq!((file.seen_bytes, file.total_bytes, file.missing_bytes), (3, Some(3), 0));
        assert_eq!(file.filename.as_deref(), Some("a.txt"));
        assert_eq!(file.mime_type, Some("text/plain"));
    }

    #[test]
    fn counts_what_is_missing() {
        let mut file = FileWatch::new("SMB", None).by_client(true);

        file.on_bytes(b"MZ\x90\0");
        file.on_gap(1000);
        file.on_bytes(b"rest");
        let file = file.finish();

        assert_eq!((file.seen_bytes, file.missing_bytes), (8, 1000));
        assert_eq!(file.mime_type, Some("application/x-dosexec"));
        assert!(file.is_orig);
    }

    #[test]
    fn a_file_without_its_beginning_has_no_kind() {
        let mut file = FileWatch::new("SMB", None);

        file.on_gap(1000);
        file.on_bytes(b"MZ is not a beginning here");

        assert_eq!(file.finish().mime_type, None);
    }

    #[test]
    fn does_not_hash_disk_images() {
        let mut file = FileWatch::new("HTTP", None);
        let block = vec![0; 1 << 20];

        for _ in 0..17 {
            file.on_bytes(&block);
        }

        let file = file.finish();
        assert_eq!((file.sha256, file.seen_bytes), (None, 17 << 20));
    }

    #[test]
    fn tells_kinds_by_first_bytes() {
        let kinds: [(&[u8], _); 16] = [
            (b"\x7fELF\x02\x01", Some("application/x-executable")),
            (b"PK\x03\x04\x14", Some("application/zip")),
            (b"#!/bin/sh\nwget", Some("text/x-shellscript")),
            (b"#!/usr/bin/env python3\n", Some("text/x-python")),
            (b"\n <!DOCTYPE HTML><p>", Some("text/html")),
            (b"\xef\xbb\xbf<?xml version='1.0'?>", Some("application/xml")),
            (b"{\"a\": 1}", Some("text/json")),
            (b" [ 1, 2]", Some("text/json")),
            (b"[section]", Some("text/plain")),
            (b"\x30\x82\x01\x00\x0a\x01\x00\xa0", Some("application/ocsp-response")),
            (b"<s:Envelope xmlns:s='x'>", Some("application/soap+xml")),
            (b"Invoke-Thing -a b\r\n", Some("text/plain")),
            (b"\xff\xfeI\0n\0", Some("text/plain")),
            (b"gr\xc3\xbc\xc3", Some("text/plain")),
            (b"\x01\x02\x03\x04", None),
            (b"", None),
        ];

        for (head, kind) in kinds {
            assert_eq!(mime_type(head), kind, "{}", String::from_utf8_lossy(head));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<Vec<u8>>, name: Option<String>, gap: u64) {
            let mut file = FileWatch::new("HTTP", name);
            for piece in &pieces {
                file.on_bytes(piece);
                file.on_gap(gap);
            }
            let seen = pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
            prop_assert!(file.heap_bytes() <= 4096 + 2 * MAX_NAME);
            prop_assert_eq!(file.finish().seen_bytes, seen);
        }
    }
}
