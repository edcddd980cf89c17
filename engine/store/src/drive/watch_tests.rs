use std::sync::mpsc;

use super::*;
use crate::drive::Threads;

const TIMEOUT: Duration = Duration::from_millis(400);

fn watch() -> Arc<Watch> {
    Arc::new(Watch::new("drive", Arc::new(Threads::default()), TIMEOUT))
}

/// A read that hangs until the sender is dropped, and then gives 7.
fn hang() -> (mpsc::Sender<()>, impl FnOnce() -> io::Result<u8> + Send + 'static) {
    let (held, never) = mpsc::channel();
    let read = move || {
        let _ = never.recv();
        Ok(7)
    };
    (held, read)
}

fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> io::ErrorKind {
    result.unwrap_err().kind()
}

#[test]
fn a_slow_drive_is_passed_over_until_it_answers() {
    let watch = watch();
    let (held, slow) = hang();
    assert_eq!(kind(watch.read(Patience::Prompt, slow)), io::ErrorKind::WouldBlock);
    assert!(watch.hesitates());
    let begun = Instant::now();
    assert_eq!(kind(watch.read(Patience::Prompt, || Ok(()))), io::ErrorKind::WouldBlock);
    assert!(begun.elapsed() < TIMEOUT / HEDGE, "a drive that hesitates is not waited for");
    assert!(watch.read(Patience::Whole, || Ok(())).is_ok(), "whoever has no other drive asks it");
    drop(held);
    while watch.hesitates() {
        std::thread::yield_now();
    }
    assert!(watch.read(Patience::Prompt, || Ok(())).is_ok());
    assert_eq!(watch.state(), DriveState::Online);
}

#[test]
fn a_prompt_read_that_nobody_waits_for_takes_the_drive_out_of_use() {
    let watch = watch();
    let (_held, slow) = hang();
    assert_eq!(kind(watch.read(Patience::Prompt, slow)), io::ErrorKind::WouldBlock);
    std::thread::sleep(TIMEOUT / 2);
    assert!(watch.hesitates());
    assert_eq!(watch.state(), DriveState::Online, "it has time left");
    std::thread::sleep(TIMEOUT);
    assert!(watch.hesitates());
    assert_eq!((watch.state(), watch.reason().as_str()), (DriveState::Failed, "no answer within 400ms"));
    assert_eq!(kind(watch.call(|| Ok(()))), io::ErrorKind::NotConnected, "it is not asked again");
}

#[test]
fn a_call_takes_the_time_out_and_no_longer() {
    let watch = watch();
    let (_held, slow) = hang();
    let begun = Instant::now();
    assert_eq!(kind(watch.call(slow)), io::ErrorKind::TimedOut);
    assert!(begun.elapsed() >= TIMEOUT && begun.elapsed() < TIMEOUT * 3);
    assert_eq!(watch.state(), DriveState::Failed);
}

#[test]
fn other_faults_leave_the_drive_in_use() {
    let watch = watch();
    for patience in [Patience::Prompt, Patience::Whole] {
        assert_eq!(kind(watch.read::<()>(patience, || Err(io::ErrorKind::NotFound.into()))), io::ErrorKind::NotFound);
    }
    assert!(!watch.hesitates());
    assert_eq!(watch.state(), DriveState::Online);
}
