//! Whatever comes over the socket: requests that are none are refused, and the next one is answered.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use node::Node;
use packstone_posix::protocol::{Asked, Change, MAX_FRAME, Maker, Request, VERSION};
use packstone_store::codec::Writer;
use proptest::prelude::*;

fn framed(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_le_bytes(), body].concat()
}

fn encoded(request: &Request<'_>) -> Vec<u8> {
    let mut out = Writer::default();
    request.encode(&mut out);
    out.0
}

fn asked(request: Request<'_>) -> Vec<u8> {
    let mut out = Writer::default();
    Asked { uid: 1001, request }.encode(&mut out);
    out.0
}

fn greeting(version: u16) -> Vec<u8> {
    framed(&encoded(&Request::Hello { version, session: 7, user: b"", exclusive: false }))
}

/// One request of every verb.
fn requests() -> Vec<Request<'static>> {
    let (parent, inode, handle, name, maker) =
        (1, 2, 3, b"name".as_slice(), Maker { mode: 0o644, uid: 1, gid: 2, device: 5 });
    let change = Change { mode: Some(1), uid: None, gid: Some(3), size: None, mtime: Some(-4) };
    vec![
        Request::Hello { version: VERSION, session: 7, user: b"alice", exclusive: false },
        Request::Lookup { parent, name },
        Request::Attributes { inode },
        Request::Change { inode, handle: None, change },
        Request::Change {
            inode,
            handle: Some(handle),
            change: Change { uid: Some(9), size: Some(10), ..Change::default() },
        },
        Request::List { inode, after: b"after", limit: 9 },
        Request::MakeDirectory { parent, name, maker },
        Request::RemoveDirectory { parent, name },
        Request::Unlink { parent, name },
        Request::Rename { parent, name, new_parent: 5, new_name: b"new", keep: true },
        Request::Link { parent, name, target: b"../there", maker },
        Request::ReadLink { inode },
        Request::Create { parent, name, maker, read: true, exclusive: false, empty: true, at_once: false },
        Request::Open { inode, read: true, write: true, empty: false },
        Request::Read { handle, offset: 1 << 40, length: 4096 },
        Request::Write { handle, offset: u64::MAX, data: b"data" },
        Request::Publish { handle, at_once: false },
        Request::Watch { believed: 1000 },
        Request::Release { handle },
        Request::Space,
        Request::SyncDirectory { inode: 7 },
        Request::Share,
        Request::ReadShared { handle, offset: 1 << 40, length: 4096 },
        Request::WriteShared { handle, offset: u64::MAX, length: 4096 },
        Request::SetExtended { inode, name, value: b"value", flags: 1 },
        Request::Extended { inode, name },
        Request::ListExtended { inode },
        Request::RemoveExtended { inode, name },
    ]
}

#[test]
fn what_is_encoded_is_decoded_and_nothing_shorter_or_longer() {
    for request in requests() {
        let bytes = encoded(&request);
        assert_eq!(Request::decode(&bytes).unwrap(), request);
        for end in 0..bytes.len() {
            assert!(Request::decode(bytes.get(..end).unwrap()).is_err(), "{request:?} cut to {end}");
        }
        assert!(Request::decode(&[&bytes[..], &[0]].concat()).is_err(), "{request:?} with more");
        let whose = asked(request.clone());
        assert_eq!(Asked::decode(&whose).unwrap(), Asked { uid: 1001, request });
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_request_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(Asked { uid, request }) = Asked::decode(&bytes) {
            prop_assert_eq!(bytes.first_chunk().map(|uid| u32::from_le_bytes(*uid)), Some(uid));
            let again = encoded(&request);
            prop_assert_eq!(Request::decode(&again).unwrap(), request);
        }
    }
}

fn connect(node: &Node) -> UnixStream {
    let stream = UnixStream::connect(node.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn answer(stream: &mut UnixStream) -> Option<u32> {
    let mut head = [0; 8];
    stream.read_exact(&mut head).ok()?;
    let length = u32::from_le_bytes(head.first_chunk().copied()?) as usize;
    let mut rest = vec![0; length.checked_sub(4)?];
    stream.read_exact(&mut rest).ok()?;
    head.last_chunk().map(|errno| u32::from_le_bytes(*errno))
}

#[test]
fn who_does_not_greet_is_not_answered() {
    let node = Node::new();
    let long = u32::try_from(MAX_FRAME + 1).unwrap().to_le_bytes();
    for first in [framed(&asked(Request::Space)), framed(&[]), framed(&[255; 40]), long.to_vec(), vec![0xff; 4]] {
        let mut stream = connect(&node);
        stream.write_all(&first).unwrap();
        assert_eq!(answer(&mut stream), None);
    }
    let mut newer = connect(&node);
    newer.write_all(&greeting(VERSION + 1)).unwrap();
    assert_eq!(answer(&mut newer), Some(u32::try_from(libc::EPROTONOSUPPORT).unwrap()));
    // As release 2 greeted, without a user.
    let mut older = connect(&node);
    older.write_all(&framed(&[&[1, 2, 0][..], &[7; 16]].concat())).unwrap();
    assert_eq!(answer(&mut older), Some(u32::try_from(libc::EPROTONOSUPPORT).unwrap()));
    let mut stranger = connect(&node);
    let unknown = Request::Hello { version: VERSION, session: 7, user: b"nobody-here", exclusive: false };
    stranger.write_all(&framed(&encoded(&unknown))).unwrap();
    assert_eq!(answer(&mut stranger), Some(u32::try_from(libc::ENOKEY).unwrap()));
    let mut stream = connect(&node);
    stream.write_all(&greeting(VERSION)).unwrap();
    assert_eq!(answer(&mut stream), Some(0));
    stream.write_all(&framed(&[200, 1, 2])).unwrap();
    assert_eq!(answer(&mut stream), Some(u32::try_from(libc::EPROTO).unwrap()));
    stream.write_all(&framed(&asked(Request::Space))).unwrap();
    assert_eq!(answer(&mut stream), Some(0));
}

#[test]
fn no_request_ends_the_node() {
    let node = Node::new();
    node.create_bucket(&[]);
    node.put("name", b"x");
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(300));
    let parts = (0..requests().len(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4));
    runner
        .run(&parts, |(which, changes)| {
            let mut bytes = asked(requests().swap_remove(which));
            for (at, with) in changes {
                let at = at.index(bytes.len());
                *bytes.get_mut(at).unwrap() = with;
            }
            let mut stream = connect(&node);
            stream.write_all(&greeting(VERSION)).unwrap();
            prop_assert_eq!(answer(&mut stream), Some(0));
            stream.write_all(&framed(&bytes)).unwrap();
            prop_assert!(answer(&mut stream).is_some(), "{:?}", bytes);
            Ok(())
        })
        .unwrap();
    assert!(node.mount().attributes(1).is_ok());
}
