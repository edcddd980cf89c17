//! Starting and ending.

use std::io::Write;
use std::time::{Duration, Instant};

use packstone_s3::front::{Front, Settings, StartError};

use crate::client::{Answer, Request, connect, read_to_end};
use crate::memory::{Memory, ring, server, settings};

#[test]
fn a_port_in_use_is_an_error_of_its_own() {
    let server = server();
    let taken = Settings { address: server.front.address().to_string(), ..settings() };
    match Front::start(Memory::default(), ring(&taken), &taken, server.runtime.handle()) {
        Err(StartError::AddressInUse { address }) => assert_eq!(address, taken.address),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("two fronts on one port"),
    }
}

#[test]
fn an_address_that_is_none() {
    let server = server();
    let nowhere = Settings { address: "nowhere".into(), ..settings() };
    let started = Front::start(Memory::default(), ring(&nowhere), &nowhere, server.runtime.handle());
    assert!(matches!(started, Err(StartError::Address { .. })));
}

#[test]
fn a_drain_lets_requests_end() {
    let server = server();
    let address = server.front.address();
    let idle = connect(address);
    let mut busy = connect(address);
    let request = Request::new("PUT", "/bucket/slow").body(b"x");
    busy.write_all(&[request.head(&address.to_string()).as_bytes(), b"x"].concat()).unwrap();
    while server.front.counts().in_flight == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(server.runtime.block_on(server.front.drain(Duration::from_secs(10))));
    assert_eq!(Answer::parse(&read_to_end(&mut busy)).status, 200);
    assert_eq!(server.memory.len(), 1);
    drop(idle);
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_drain_does_not_wait_for_ever() {
    let server = server();
    let address = server.front.address();
    let mut stalled = connect(address);
    let request = Request::new("PUT", "/bucket/key").body(b"hello");
    stalled.write_all(request.head(&address.to_string()).as_bytes()).unwrap();
    while server.front.counts().in_flight == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let began = Instant::now();
    assert!(!server.runtime.block_on(server.front.drain(Duration::from_millis(200))));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(server.memory.len(), 0);
}
