use super::*;
use crate::pool::{DriveClass, Profile};

fn epoch(number: u64, nonce: u64) -> Epoch {
    Epoch { number, nonce }
}

fn end(epoch: Epoch, lsn: u64) -> Fence {
    Fence { epoch, lsn }
}

/// A drive in `now` that was told of these ends.
fn drive(now: Epoch, fences: &[Fence]) -> Superblock {
    let mut superblock = Superblock {
        appliance: 7,
        drive: 1,
        number: 0,
        drives: 4,
        pool: 0,
        pool_name: "main".into(),
        class: DriveClass::Ssd,
        profile: Profile { data: 3, parity: 1 },
        epoch: Epoch::default(),
        fences: Vec::new(),
        enclosures: 0,
        removed: Vec::new(),
        retain_until: 0,
        formatted: 1,
        clock: None,
        change: 0,
    };
    superblock.advance(now, fences);
    superblock
}

fn node(drives: Vec<Superblock>) -> HashMap<DriveNumber, Superblock> {
    (0..).zip(drives).collect()
}

fn begun(drive: DriveNumber, epoch: Epoch, first_lsn: u64) -> Begun {
    Begun { drive, epoch, first_lsn }
}

const FIVE: Epoch = Epoch { number: 5, nonce: 50 };

#[test]
fn a_crash_among_superblocks_makes_nobody_stale() {
    let six = drive(epoch(6, 60), &[end(FIVE, 9)]);
    let verdict = judge(&node(vec![six, drive(FIVE, &[]), drive(FIVE, &[])]), &[begun(1, FIVE, 3)]);
    assert_eq!((verdict.effective, verdict.stale, verdict.apart), (Some(FIVE), vec![], None));
    assert_eq!(verdict.fences, [end(FIVE, 9)]);
}

#[test]
fn an_epoch_that_reached_one_drive_is_not_the_one_of_its_number_that_took_effect() {
    let alone = drive(epoch(6, 61), &[end(FIVE, 9)]);
    let other = drive(epoch(6, 62), &[end(FIVE, 12)]);
    let verdict = judge(&node(vec![alone, other.clone(), other]), &[begun(0, FIVE, 3), begun(1, epoch(6, 62), 13)]);
    assert_eq!((verdict.effective, verdict.stale, verdict.apart), (Some(epoch(6, 62)), vec![0], None));
    assert_eq!(verdict.fences, [end(FIVE, 12)], "the stale drive's fence would void what was kept");
}

#[test]
fn a_higher_number_that_never_took_effect_proves_nothing() {
    let alone = drive(epoch(8, 81), &[end(FIVE, 9), end(epoch(6, 61), 0), end(epoch(7, 71), 0)]);
    let other = drive(epoch(6, 62), &[end(FIVE, 9)]);
    let verdict = judge(&node(vec![alone, other.clone(), other]), &[begun(1, epoch(6, 62), 10)]);
    assert_eq!((verdict.effective, verdict.stale), (Some(epoch(6, 62)), vec![0]));
}

#[test]
fn an_epoch_that_a_start_did_not_see_begin_stays_void() {
    let hidden = drive(epoch(6, 60), &[end(FIVE, 9)]);
    let other = drive(epoch(7, 70), &[end(FIVE, 9), end(epoch(6, 60), 0)]);
    let first = [begun(0, epoch(6, 60), 10), begun(1, FIVE, 1)];
    let verdict = judge(&node(vec![hidden, other.clone(), other]), &first);
    assert_eq!((verdict.effective, verdict.stale, verdict.apart), (Some(FIVE), vec![], None));
}

#[test]
fn drives_of_version_1_are_told_apart_by_number() {
    let behind = drive(epoch(5, 0), &[end(epoch(4, 0), 8)]);
    let ahead = drive(epoch(7, 0), &[end(epoch(4, 0), 8)]);
    let verdict = judge(&node(vec![behind, ahead.clone(), ahead]), &[begun(1, epoch(6, 0), 9)]);
    assert_eq!((verdict.effective, verdict.stale, verdict.apart), (Some(epoch(6, 0)), vec![0], None));
}

#[test]
fn drives_that_took_writes_without_each_other_are_noticed() {
    for second in [6, 9] {
        let one = drive(epoch(6, 61), &[end(FIVE, 9)]);
        let other = drive(epoch(second, 62), &[end(FIVE, 9)]);
        let first = [begun(0, epoch(6, 61), 10), begun(1, epoch(second, 62), 10)];
        assert!(judge(&node(vec![one, other]), &first).apart.is_some());
    }
}

#[test]
fn starts_that_fail_over_and_over_push_out_no_epoch_that_took_effect() {
    let mut held = drive(FIVE, &[]);
    for number in 6..1000 {
        held.advance(epoch(number + 1, 1), &[end(FIVE, 9), end(epoch(number, 1), 0)]);
    }
    assert!(held.knows(FIVE) && held.knows(epoch(999, 1)) && held.fences.len() < 100);
    assert!(held.forgot(6) && !held.knows(epoch(6, 1)) && !held.forgot(999));
}
