//! A compliance clock that lags goes on to what two administrators approve, no further, and not by one of them.

use packstone_store::Error;
use packstone_store::commit::{Core, Op, Outcome};
use packstone_store::drive::simulated::Generator;
use packstone_store::index::{Space, keys};
use packstone_store::pool::Profile;

use crate::node::{Node, pass, restart_machine, seconds, set_wall};

const DAY: i64 = 86_400;
const SECOND: i64 = 1_000_000_000;

/// A node whose clock is 100 days behind, and that wall time in seconds.
fn lagging(seed: u64) -> (Node, Core, i64) {
    let mut node = Node::new(Profile { data: 3, parity: 1 }, &mut Generator::new(seed));
    drop(node.open().unwrap());
    node.crash(&mut Generator::new(seed));
    restart_machine(100 * DAY);
    let core = node.open().unwrap();
    assert!(core.shared.compliance.now().lag() > 99 * DAY * SECOND);
    (node, core, seconds())
}

fn approve(core: &mut Core, user: &str, time: i64) -> Result<bool, Error> {
    let op = Op::ApproveTime { actor: format!("user/{user}"), user: user.into(), time: time * SECOND };
    match core.commit(&[op]).pop().unwrap()? {
        Outcome::Approved { second } => Ok(second),
        other => panic!("{other:?}"),
    }
}

fn lag(core: &Core) -> i64 {
    core.shared.compliance.now().lag() / SECOND
}

fn count(core: &Core, kind: &str) -> usize {
    core.shared.index.snapshot().prefix(Space::Documents, &keys::documents(0, kind)).count()
}

#[test]
fn two_users_have_it_go_on() {
    let (mut node, mut core, now) = lagging(1);
    assert!(!approve(&mut core, "ann", now).unwrap());
    assert!(!approve(&mut core, "ann", now).unwrap(), "the same one twice");
    assert!(lag(&core) > 99 * DAY);
    drop(core);
    node.crash(&mut Generator::new(1));
    let mut core = node.open().unwrap();
    assert!(approve(&mut core, "bob", now).unwrap(), "an approval outlives a crash");
    assert!(lag(&core) < 10, "{}", lag(&core));
    assert_eq!((count(&core, "clock-approval"), count(&core, "worm-event")), (0, 3));
    let gone = core.shared.compliance.now().compliance;
    drop(core);
    node.crash(&mut Generator::new(2));
    assert!(node.open().unwrap().shared.compliance.now().compliance >= gone, "the drives know it");
}

#[test]
fn they_mean_the_same_time_within_a_week() {
    let (_node, mut core, now) = lagging(2);
    assert!(!approve(&mut core, "ann", now).unwrap());
    assert!(!approve(&mut core, "bob", now - 1).unwrap(), "another time");
    assert!(approve(&mut core, "ann", now - 1).unwrap(), "who approves again has the first one replaced");
    let (_node, mut core, now) = lagging(3);
    assert!(!approve(&mut core, "ann", now).unwrap());
    pass(7 * DAY);
    assert!(!approve(&mut core, "bob", now).unwrap(), "a week later");
    assert!(lag(&core) > 90 * DAY);
}

#[test]
fn neither_past_the_wall_clock_nor_back() {
    let (_node, mut core, now) = lagging(4);
    for user in ["ann", "bob"] {
        let ahead = approve(&mut core, user, now + DAY);
        assert!(matches!(ahead, Err(Error::InvalidApproval(_))), "{ahead:?}");
        let back = approve(&mut core, user, now - 101 * DAY);
        assert!(matches!(back, Err(Error::InvalidApproval(_))), "{back:?}");
    }
    assert!(!approve(&mut core, "ann", now).unwrap());
    // Commit times don't go back with the wall clock; what is approved goes by the wall clock itself.
    set_wall(-50 * DAY);
    let ahead = approve(&mut core, "bob", now);
    assert!(matches!(ahead, Err(Error::InvalidApproval(_))), "{ahead:?}");
    set_wall(50 * DAY);
    assert!(approve(&mut core, "bob", now).unwrap());
    assert!(lag(&core).abs() < 10, "{}", lag(&core));
}

/// Cuts the power at every step: the clock is where it was or where both wanted it, and never ahead.
#[test]
fn a_crash_on_the_way_leaves_it_behind_or_there() {
    let (mut behind, mut there) = (0, 0);
    for step in 0..24 {
        let (mut node, mut core, now) = lagging(step);
        approve(&mut core, "ann", now).unwrap();
        node.world.cut_power_after(step);
        let _ = approve(&mut core, "bob", now);
        drop(core);
        node.crash(&mut Generator::new(step));
        let mut core = node.open().unwrap();
        if lag(&core) < 60 {
            there += 1;
        } else {
            assert!(lag(&core) > 90 * DAY);
            behind += 1;
            approve(&mut core, "ann", now).unwrap();
            approve(&mut core, "bob", now).unwrap();
            assert!(lag(&core) < 60, "both may approve again");
        }
    }
    assert!(behind > 0 && there > 0, "{behind} {there}");
}
