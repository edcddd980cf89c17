use std::collections::VecDeque;

use bytes::Bytes;
use proptest::prelude::*;

use super::{ChunkError, Chunks, LARGEST_SIGNED, WHOLE};

/// Passes a body through in pieces of `step` bytes.
fn passed(body: &[u8], step: usize, signed: bool) -> Result<Vec<u8>, ChunkError> {
    let mut chunks = Chunks::new(signed);
    let mut out = VecDeque::new();
    for piece in body.chunks(step) {
        chunks.take(Bytes::copy_from_slice(piece), &mut out)?;
    }
    Ok(out.into_iter().flatten().collect())
}

/// What chunks say, and the size of the largest.
fn unframed(mut body: &[u8]) -> (Vec<u8>, usize) {
    let (mut content, mut largest) = (Vec::new(), 0);
    loop {
        let end = body.iter().position(|byte| *byte == b'\n').unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&body[..end - 1]).unwrap(), 16).unwrap();
        if size == 0 {
            return (content, largest);
        }
        largest = largest.max(size);
        content.extend_from_slice(&body[end + 1..end + 1 + size]);
        assert_eq!(&body[end + 1 + size..end + 3 + size], b"\r\n");
        body = &body[end + 3 + size..];
    }
}

#[test]
fn a_large_unsigned_chunk_is_cut() {
    let content: Vec<u8> = (0..3 * WHOLE + 5).map(|number| (number % 251) as u8).collect();
    let trailer = b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
    let body = [format!("{:x}\r\n", content.len()).as_bytes(), &content, b"\r\n", trailer].concat();
    for step in [997, 65_536, body.len() / 2] {
        let out = passed(&body, step, false).unwrap();
        let (back, largest) = unframed(&out);
        assert!(back == content && largest <= step);
        assert!(out.ends_with(trailer));
    }
}

#[test]
fn small_chunks_pass_as_they_are() {
    let body = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
    for step in 1..body.len() {
        assert_eq!(passed(body, step, false).unwrap(), body);
    }
}

#[test]
fn frames_are_taken_off_and_trailers_kept() {
    let body = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32: AAAAAA==\r\nno header\r\n\r\n";
    for step in 1..body.len() {
        let mut chunks = Chunks::unframed();
        let mut out = VecDeque::new();
        for piece in body.chunks(step) {
            chunks.take(Bytes::copy_from_slice(piece), &mut out).unwrap();
        }
        assert_eq!(out.into_iter().flatten().collect::<Vec<u8>>(), b"hello world");
        let trailers = chunks.trailers();
        assert_eq!(trailers.len(), 1);
        assert_eq!(trailers["x-amz-checksum-crc32"], "AAAAAA==");
    }
}

#[test]
fn endless_trailers_are_refused() {
    let mut chunks = Chunks::unframed();
    chunks.take(Bytes::from_static(b"0\r\n"), &mut VecDeque::new()).unwrap();
    let line = Bytes::from("a: b\r\n".repeat(1000));
    assert!(chunks.take(line.clone(), &mut VecDeque::new()).is_ok());
    assert_eq!(chunks.take(line, &mut VecDeque::new()), Err(ChunkError::Malformed));
}

#[test]
fn signed_chunks_pass_as_they_are_or_not_at_all() {
    let line = format!(";chunk-signature={}\r\n", "a".repeat(64));
    let body = format!("5{line}hello\r\n0{line}\r\n");
    assert_eq!(passed(body.as_bytes(), 7, true).unwrap(), body.as_bytes());
    let large = format!("{:x}{line}", LARGEST_SIGNED + 1);
    assert_eq!(passed(large.as_bytes(), 7, true), Err(ChunkError::Oversized));
}

/// s3s reads the digits that a size begins with, and would take this for four gigabytes to be held in memory.
#[test]
fn a_size_that_s3s_would_read_otherwise_is_refused() {
    for line in ["ffffffffzz", "fffffff\t", "ffffffff \n", "000000005", "+5", "", ";chunk-signature="] {
        let body = format!("{line}\r\nhello\r\n");
        assert_eq!(passed(body.as_bytes(), 3, true), Err(ChunkError::Malformed), "{line}");
    }
}

#[test]
fn a_chunk_ends_where_it_says() {
    let content = "x".repeat(WHOLE as usize + 1);
    for end in ["\n\r", "\r0", "5\r\nhello"] {
        for data in ["hello", &content] {
            let body = format!("{:x}\r\n{data}{end}\r\n0\r\n\r\n", data.len());
            assert_eq!(passed(body.as_bytes(), 4096, false), Err(ChunkError::Malformed), "{end:?}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_no_chunk_is_refused(body in "[^0-9a-fA-F].{0,2000}", step in 1_usize..100) {
        let body = format!("{body}\n");
        prop_assert_eq!(passed(body.as_bytes(), step, false), Err(ChunkError::Malformed));
    }
}
