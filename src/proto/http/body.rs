//! How long the body of an HTTP/1 message is (RFC 9112 sections 6 and 7), and its content without
//! what frames it.

/// What is still to come of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// This many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunk),
    /// All until the connection ends.
    UntilEnd,
    /// Nothing.
    Done,
}

/// Where in a chunked body it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In the digits of a size.
    Size(u64),
    /// In what follows a size: an extension, or the end of the line.
    Extension(u64),
    /// In the content of a chunk.
    Content(u64),
    /// At the end of a chunk's content.
    End,
    /// In the fields behind the last chunk; whether the line has something in it.
    Trailer(bool),
}

impl Body {
    /// A body in chunks.
    pub(super) const CHUNKED: Self = Self::Chunked(Chunk::Size(0));

    /// Takes what comes next: a piece of content, and the rest of `data`, which is shorter unless
    /// it is empty or the body is done.
    pub(super) fn take<'d>(&mut self, data: &'d [u8]) -> (&'d [u8], &'d [u8]) {
        match *self {
            Self::Done => (&[], data),
            Self::UntilEnd => (data, &[]),
            Self::Length(length) => {
                let (content, rest) = split(data, length);
                *self = match length - content.len() as u64 {
                    0 => Self::Done,
                    left => Self::Length(left),
                };
                (content, rest)
            }
            Self::Chunked(Chunk::Content(length)) => {
                let (content, rest) = split(data, length);
                *self = Self::Chunked(match length - content.len() as u64 {
                    0 => Chunk::End,
                    left => Chunk::Content(left),
                });
                (content, rest)
            }
            Self::Chunked(chunk) => (&[], self.frame(chunk, data)),
        }
    }

    /// Whether nothing of it is to come.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// Passes over bytes that are missing; `None` if the body cannot be followed beyond them.
    pub(super) fn skip(&mut self, bytes: u64) -> Option<()> {
        let left = match self {
            Self::UntilEnd => return Some(()),
            Self::Length(left) | Self::Chunked(Chunk::Content(left)) => left,
            Self::Chunked(_) | Self::Done => return None,
        };
        *left = left.checked_sub(bytes)?;
        match self {
            Self::Length(0) => *self = Self::Done,
            Self::Chunked(Chunk::Content(0)) => *self = Self::Chunked(Chunk::End),
            _ => {}
        }
        Some(())
    }

    /// Takes one line, or what there is of it, that frames chunks.
    fn frame<'d>(&mut self, mut chunk: Chunk, data: &'d [u8]) -> &'d [u8] {
        for (at, &byte) in data.iter().enumerate() {
            let is_end = byte == b'\n';
            chunk = match (chunk, char::from(byte).to_digit(16)) {
                (Chunk::Size(size), Some(digit)) => {
                    Chunk::Size(size.saturating_mul(16).saturating_add(u64::from(digit)))
                }
                (Chunk::Size(0) | Chunk::Extension(0), _) if is_end => Chunk::Trailer(false),
                (Chunk::Size(size) | Chunk::Extension(size), _) if is_end => Chunk::Content(size),
                (Chunk::Size(size) | Chunk::Extension(size), _) => Chunk::Extension(size),
                (Chunk::End, _) if is_end => Chunk::Size(0),
                (Chunk::Trailer(false), _) if is_end => {
                    *self = Self::Done;
                    return data.get(at + 1..).unwrap_or_default();
                }
                (Chunk::Trailer(_), _) if is_end => Chunk::Trailer(false),
                (Chunk::Trailer(has_text), _) => Chunk::Trailer(has_text || byte != b'\r'),
                (Chunk::End | Chunk::Content(_), _) => chunk,
            };
            *self = Self::Chunked(chunk);
            if is_end {
                return data.get(at + 1..).unwrap_or_default();
            }
        }
        &[]
    }
}

fn split(data: &[u8], length: u64) -> (&[u8], &[u8]) {
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(data.len());
    data.split_at_checked(length).unwrap_or((data, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Content of `pieces`, and what follows the body.
    fn read(mut body: Body, pieces: &[&[u8]]) -> (Body, Vec<u8>, Vec<u8>) {
        let (mut content, mut after) = (Vec::new(), Vec::new());
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() && !body.is_done() {
                let (taken, more) = body.take(rest);
                assert!(more.len() < rest.len());
                content.extend(taken);
                rest = more;
            }
            after.extend(rest);
        }
        (body, content, after)
    }

    #[test]
    fn a_length_ends_where_it_says() {
        let (body, content, after) = read(Body::Length(5), &[b"he", b"lloGET"]);

        assert!(body.is_done());
        assert_eq!((content.as_slice(), after.as_slice()), (&b"hello"[..], &b"GET"[..]));
    }

    #[test]
    fn chunks_are_joined() {
        let wire = b"5\r\nhello\r\n1;name=\"x\"\r\n!\r\n0\r\nTrailer: a\r\n\r\nHTTP";

        let whole = read(Body::CHUNKED, &[wire]);
        let bytes: Vec<&[u8]> = wire.chunks(1).collect();

        assert_eq!(whole, (Body::Done, b"hello!".to_vec(), b"HTTP".to_vec()));
        assert_eq!(read(Body::CHUNKED, &bytes), whole);
    }

    #[test]
    fn a_gap_inside_content_is_passed_over() {
        let mut body = Body::Length(10);
        assert_eq!(body.skip(4), Some(()));
        assert_eq!(read(body, &[b"567890+"]).2, b"+");

        let mut body = Body::Chunked(Chunk::Content(10));
        assert_eq!(body.skip(10), Some(()));
        assert_eq!(read(body, &[b"\r\n0\r\n\r\n+"]).2, b"+");
    }

    #[test]
    fn a_gap_beyond_content_loses_the_thread() {
        assert_eq!(Body::Length(10).skip(11), None);
        assert_eq!(Body::Chunked(Chunk::Size(0)).skip(1), None);
        assert_eq!(Body::Done.skip(1), None);
        assert_eq!(Body::UntilEnd.skip(1 << 40), Some(()));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces: Vec<Vec<u8>>, length: u64, gap: u64) {
            for start in [Body::Length(length), Body::CHUNKED, Body::UntilEnd] {
                let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
                let (mut body, content, after) = read(start, &pieces);
                let _ = body.skip(gap);
                let all = pieces.iter().map(|piece| piece.len()).sum::<usize>();
                prop_assert!(content.len() + after.len() <= all);
            }
        }
    }
}
