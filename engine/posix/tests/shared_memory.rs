//! Content that goes through memory which a mount on this machine shares with the node.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use node::ready;
use packstone_posix::client::{self, Reply};
use packstone_posix::protocol::{Asked, MAX_DATA, Request, VERSION};
use packstone_store::codec::Writer;

const KIB: u64 = 1 << 10;

fn pattern(length: u64, seed: u64) -> Vec<u8> {
    (0..length).map(|at| ((at * 7 + at / 251 + seed) % 253) as u8).collect()
}

fn filled(reply: &Reply) -> bool {
    matches!(reply, Reply::Filled(_))
}

#[test]
fn the_same_bytes_come_by_it_and_by_the_socket() {
    let (node, mount, bucket) = ready();
    let (_, handle) = mount.create(bucket, "file", true).unwrap();
    let mut model = Vec::new();
    for (round, length) in [1, 31 * KIB, 32 * KIB, 100 * KIB + 1, 1 << 20, (1 << 20) - 1].into_iter().enumerate() {
        let piece = pattern(length, round as u64);
        mount.write(handle, model.len() as u64, &piece).unwrap();
        model.extend(piece);
    }
    for state in ["as it was written", "published", "sealed"] {
        let mut at = 0;
        for length in [1, 32 * KIB - 1, 32 * KIB, 700 * KIB, 1 << 20, 2 << 20] {
            let here = usize::try_from(at).unwrap();
            let end = model.len().min(here + usize::try_from(length).unwrap().min(MAX_DATA));
            let length = u32::try_from(length).unwrap();
            let shared = mount.0.read(handle, at, length).finish().unwrap();
            assert_eq!(filled(&shared), u64::from(length) >= 32 * KIB, "{state}: {length}");
            assert_eq!(shared.said(), &model[here..end], "{state}: {length} at {at}");
            let plain = mount.ask(Request::Read { handle, offset: at, length }, client::bytes).unwrap();
            assert_eq!(plain, shared.said(), "{state}: {length} at {at}");
            at += 150 * KIB;
        }
        assert!(mount.read(handle, model.len() as u64 + 5, 1 << 20).unwrap().is_empty());
        mount.publish(handle).unwrap();
        if state == "published" {
            node.seal();
        }
    }
    assert_eq!(node.get("file").unwrap(), model);
}

#[test]
fn what_was_read_stays_as_long_as_it_is_kept() {
    let (_node, mount, bucket) = ready();
    let (_, handle) = mount.create(bucket, "file", true).unwrap();
    let model = pattern(16 << 16, 9);
    mount.write(handle, 0, &model).unwrap();
    let kept: Vec<Reply> = (0..16).map(|part| mount.0.read(handle, part << 16, 1 << 16).finish().unwrap()).collect();
    mount.write(handle, 0, &pattern(1 << 20, 1)).unwrap();
    for (reply, part) in kept.iter().zip(model.chunks(1 << 16)) {
        assert!(filled(reply));
        assert_eq!(reply.said(), part);
    }
}

#[test]
fn a_node_that_came_again_is_written_to_and_read_from() {
    let (mut node, mount, bucket) = ready();
    let model = pattern(1 << 20, 4);
    let (made, handle) = mount.create(bucket, "file", true).unwrap();
    mount.write(handle, 0, &model).unwrap();
    let kept = mount.0.read(handle, 0, 1 << 20).finish().unwrap();
    mount.release(handle).unwrap();
    node.stop();
    node.start();
    assert_eq!(mount.read(handle, 0, 1 << 20), Err(libc::EBADF));
    let handle = mount.open(made.inode, true).unwrap();
    let again = mount.0.read(handle, 0, 1 << 20).finish().unwrap();
    assert!(filled(&again));
    assert_eq!(again.said(), kept.said());
    mount.write(handle, 10, &model).unwrap();
    assert_eq!(mount.read(handle, 10, 1 << 20).unwrap(), model);
}

/// One connection, with what a mount would never ask.
struct Raw(UnixStream);

impl Raw {
    fn new(node: &node::Node) -> Self {
        let mut raw = Self(UnixStream::connect(node.socket()).unwrap());
        let mut hello = Writer::default();
        Request::Hello { version: VERSION, session: 77, user: b"", exclusive: false }.encode(&mut hello);
        assert_eq!(raw.exchange(&hello.0), 0);
        raw
    }

    fn exchange(&mut self, body: &[u8]) -> i32 {
        self.0.write_all(&u32::try_from(body.len()).unwrap().to_le_bytes()).unwrap();
        self.0.write_all(body).unwrap();
        let mut head = [0; 8];
        self.0.read_exact(&mut head).unwrap();
        let (length, errno) = head.split_at(4);
        let length = u32::from_le_bytes(length.try_into().unwrap());
        self.0.read_exact(&mut vec![0; usize::try_from(length).unwrap() - 4]).unwrap();
        i32::from_le_bytes(errno.try_into().unwrap())
    }

    fn ask(&mut self, request: Request<'_>) -> i32 {
        let mut out = Writer::default();
        Asked { uid: 0, request }.encode(&mut out);
        self.exchange(&out.0)
    }
}

#[test]
fn who_shares_none_or_claims_too_much_is_refused() {
    let (node, ..) = ready();
    let mut raw = Raw::new(&node);
    let most = u32::try_from(MAX_DATA).unwrap();
    let read = Request::ReadShared { handle: 1, offset: 0, length: most };
    let write = |length| Request::WriteShared { handle: 1, offset: 0, length };
    assert_eq!(raw.ask(read.clone()), libc::EPROTO);
    assert_eq!(raw.ask(write(1)), libc::EPROTO);
    // Once, and in place of what was shared before.
    assert_eq!((raw.ask(Request::Share), raw.ask(Request::Share)), (0, 0));
    assert_eq!(raw.ask(read), libc::EBADF);
    assert_eq!(raw.ask(write(most + 1)), libc::EINVAL);
    assert_eq!(raw.ask(write(u32::MAX)), libc::EINVAL);
    assert_eq!(raw.ask(write(most)), libc::EBADF);
    assert_eq!(raw.ask(Request::Space), 0);
}
