//! A mount that has the node for itself.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use std::time::{Duration, Instant};

use node::{Node, ready};
use packstone_posix::Client;

fn connect(node: &Node, exclusive: bool) -> Result<Client, i32> {
    Client::connect(&node.socket(), "", exclusive).map_err(|error| error.raw_os_error().unwrap())
}

/// Once the node has seen what ended before.
fn connect_soon(node: &Node, exclusive: bool) -> Client {
    let begun = Instant::now();
    loop {
        match connect(node, exclusive) {
            Ok(client) => return client,
            Err(errno) => assert!(begun.elapsed() < Duration::from_secs(30), "{errno}"),
        }
    }
}

#[test]
fn it_has_no_other_beside_it() {
    let (node, mount, _) = ready();
    assert_eq!(connect(&node, true).unwrap_err(), libc::EBUSY);
    drop(mount);
    let only = connect_soon(&node, true);
    for exclusive in [false, true] {
        assert_eq!(connect(&node, exclusive).unwrap_err(), libc::EBUSY);
    }
    drop(only);
    let first = connect_soon(&node, false);
    let second = connect(&node, false).unwrap();
    assert_eq!(connect(&node, true).unwrap_err(), libc::EBUSY);
    drop((first, second));
}

#[test]
fn it_opens_as_many_connections_as_it_needs() {
    let (node, mount, bucket) = ready();
    drop(mount);
    let only = node::Mount(connect_soon(&node, true).into(), 0);
    let (_, handle) = only.create(bucket, "file", true).unwrap();
    only.write(handle, 0, &[7; 1 << 17]).unwrap();
    let kept: Vec<_> = (0..8).map(|_| only.0.read(handle, 0, 1 << 17).finish().unwrap()).collect();
    assert!(kept.iter().all(|reply| reply.said() == [7; 1 << 17]));
}
