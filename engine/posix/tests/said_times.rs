//! Times that are said of what was written, and not published yet.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use node::ready;
use packstone_posix::protocol::Change;

fn at(mtime: i64) -> Change {
    Change { mtime: Some(mtime), ..Change::default() }
}

#[test]
fn a_time_that_is_said_of_what_was_written_comes_with_it() {
    let (mut node, mount, bucket) = ready();
    let small = b"content".to_vec();
    let large = vec![7; 5 << 20];
    for (name, content) in [("small", &small), ("large", &large)] {
        let (made, handle) = mount.create(bucket, name, true).unwrap();
        let inode = made.inode;
        // New, and then changed under two names; with the last, content that goes where it stays as it comes.
        for (turn, mtime) in [1, 0, 1_700_000_000_123_456_789].into_iter().enumerate() {
            let before = unix_nanoseconds();
            for (piece, offset) in content.chunks(1 << 20).zip((0..).step_by(1 << 20)) {
                mount.write(handle, offset, piece).unwrap();
            }
            let told = mount.change(inode, at(mtime)).unwrap();
            assert_eq!(told.mtime, mtime, "{name} {turn}");
            assert!(told.ctime >= before, "{name} {turn}");
            assert_eq!(mount.attributes(inode).unwrap(), told);
            mount.publish(handle).unwrap();
            let kept = mount.attributes(inode).unwrap();
            assert_eq!((kept.mtime, kept.size), (mtime, content.len() as u64), "{name} {turn}");
            assert!(kept.ctime >= before, "{name} {turn}");
            if turn == 0 {
                mount.hard_link(inode, bucket, &format!("{name}-too")).unwrap();
            }
        }
        // What is written after it counts anew.
        mount.write(handle, 0, b"C").unwrap();
        mount.change(inode, at(5)).unwrap();
        mount.write(handle, 1, b"O").unwrap();
        assert!(mount.attributes(inode).unwrap().mtime > 1_700_000_000_123_456_789);
        mount.release(handle).unwrap();
        assert!(mount.attributes(inode).unwrap().mtime > 1_700_000_000_123_456_789);
        let handle = mount.open(inode, true).unwrap();
        mount.write(handle, content.len() as u64, b"appended").unwrap();
        mount.change(inode, at(6)).unwrap();
        mount.release(handle).unwrap();
        assert_eq!(mount.attributes(inode).unwrap().mtime, 6);
    }
    node.restart_without_index();
    for name in ["small", "small-too", "large", "large-too"] {
        assert_eq!(mount.lookup(bucket, name).unwrap().mtime, 6, "{name}");
        assert!(node.get(name).unwrap().ends_with(b"appended"));
    }
}

fn unix_nanoseconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_nanos()).unwrap()
}
