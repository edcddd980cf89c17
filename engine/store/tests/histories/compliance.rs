//! What holds a version holds it whatever is done to the machine's clocks, and drives know of it before anybody is told.

use bytes::Bytes;
use packstone_store::Error;
use packstone_store::checksum::record_hash;
use packstone_store::codec::Writer;
use packstone_store::commit::{Beside, Body, Core, Draft, Op, Outcome};
use packstone_store::drive::Superblock;
use packstone_store::drive::simulated::{Faults, Generator};
use packstone_store::object::{AttributeChange, Attributes, Mode, Precondition, Retention, VersionId};
use packstone_store::pool::Profile;
use packstone_store::record::{Compression, Posix};

use crate::check;
use crate::node::{Node, pass, restart_machine, seconds, set_wall};
use crate::versions::locked;

const DAY: i64 = 86_400;
const KEY: &str = "trade";

fn node(seed: u64) -> (Node, Core) {
    let node = Node::new(Profile { data: 3, parity: 1 }, &mut Generator::new(seed));
    let mut core = node.open().unwrap();
    commit(&mut core, Op::CreateBucket { name: "ticks".into(), documents: locked() }).unwrap();
    (node, core)
}

fn commit(core: &mut Core, op: Op) -> Result<Outcome, Error> {
    core.commit(&[op]).pop().unwrap()
}

fn put(core: &mut Core, retention: Option<Retention>, legal_hold: bool) -> Result<VersionId, Error> {
    let mut attributes = Writer::default();
    Attributes { retention, legal_hold, ..Attributes::default() }.encode(&mut attributes);
    let stored = Bytes::from_static(b"a fill");
    let hash = record_hash(&stored);
    let body = Body::Small { stored, hash };
    let draft = Draft {
        size: 6,
        compression: Compression::Raw,
        dictionary: 0,
        key_id: 0,
        posix: Posix::default(),
        attributes: attributes.0,
        body,
    };
    match commit(core, Op::Put { bucket: 1, key: KEY.into(), draft, precondition: Precondition::None })? {
        Outcome::Stored(row) => Ok(row.version),
        other => panic!("{other:?}"),
    }
}

fn delete(core: &mut Core, version: VersionId) -> Result<Outcome, Error> {
    let (key, version) = (KEY.into(), Some(version));
    commit(
        core,
        Op::Delete {
            bucket: 1,
            key,
            version,
            precondition: Precondition::None,
            bypass: Some("root".into()),
            returning: 0,
        },
    )
}

fn shorten(core: &mut Core, version: VersionId) -> Result<Outcome, Error> {
    let (key, version, change) = (KEY.into(), Some(version), AttributeChange::Retention(None));
    let (actor, beside) = ("root".into(), Beside::default());
    commit(core, Op::Amend { bucket: 1, key, version, change, actor, bypass: true, beside })
}

fn compliance(days: i64) -> Retention {
    Retention { mode: Mode::Compliance, until: seconds() + days * DAY }
}

fn retained(node: &Node, core: &Core) -> Vec<i64> {
    let online = core.shared.hardware.online().into_iter();
    online
        .map(|member| Superblock::load(&node.drives[usize::from(member.number)]).unwrap().unwrap().retain_until)
        .collect()
}

/// One thing that somebody may do to the clocks, with the power cut now and then.
fn play_a_trick(node: &mut Node, mut core: Core, generator: &mut Generator) -> Core {
    match generator.below(6) {
        0 => set_wall((generator.below(40_000) as i64 - 10_000) * DAY),
        1 => (0..100).for_each(|_| {
            set_wall(3600 * 24);
            let _ = core.shared.compliance.now();
        }),
        2 => pass(generator.below(3) as i64 * DAY),
        3 => drop(commit(&mut core, Op::KeepTime)),
        down => {
            drop(core);
            if down == 4 {
                restart_machine(generator.below(40_000) as i64 * DAY);
            } else {
                set_wall(generator.below(40_000) as i64 * DAY);
            }
            node.crash(generator);
            return node.open().unwrap();
        }
    }
    core
}

#[test]
fn a_locked_version_outlasts_every_trick_with_the_clock() {
    for seed in 0..60 {
        let mut generator = Generator::new(seed);
        let (mut node, mut core) = node(seed);
        let version = put(&mut core, Some(compliance(100)), false).unwrap();
        // 20 days of up-time at most: with 500 ppm and a week a year it is far from over.
        for _ in 0..10 {
            core = play_a_trick(&mut node, core, &mut generator);
            let ended = delete(&mut core, version);
            assert!(matches!(ended, Err(Error::Locked { .. })), "seed {seed}: {ended:?}");
            let shortened = shorten(&mut core, version);
            assert!(matches!(shortened, Err(Error::Locked { .. })), "seed {seed}: {shortened:?}");
        }
        pass(101 * DAY);
        assert!(delete(&mut core, version).is_ok(), "seed {seed}: it is over");
    }
}

/// A default's time is counted by the compliance clock, and not from a wall clock that somebody set back.
#[test]
fn a_start_goes_on_from_what_was_kept() {
    let (mut node, mut core) = node(1);
    pass(DAY);
    commit(&mut core, Op::KeepTime).unwrap();
    let kept = core.shared.compliance.now().compliance;
    set_wall(-1000 * DAY);
    drop(core);
    node.crash(&mut Generator::new(1));
    restart_machine(0);
    let core = node.open().unwrap();
    let now = core.shared.compliance.now();
    assert!((0..1_000_000_000).contains(&(now.compliance - kept)), "{}", now.compliance - kept);
    assert!(now.lag() < -999 * DAY * 1_000_000_000);
}

/// Drives that were put back to a state of some time ago don't turn the clock back as long as one wasn't.
#[test]
fn the_highest_reading_counts() {
    let (mut node, mut core) = node(2);
    let old: Vec<_> = node.drives.iter().map(|drive| Superblock::load(drive).unwrap().unwrap()).collect();
    pass(DAY);
    commit(&mut core, Op::KeepTime).unwrap();
    let kept = core.shared.compliance.now().compliance;
    drop(core);
    node.crash(&mut Generator::new(2));
    for number in [0, 1, 3] {
        let mut superblock = Superblock { change: 100, ..old[number].clone() };
        superblock.store(&node.drives[number]).unwrap();
    }
    restart_machine(0);
    assert!(node.open().unwrap().shared.compliance.now().compliance >= kept);
}

/// Cuts the power, or lets a drive fail, at every step of locking a version.
#[test]
fn every_drive_in_use_knows_of_a_lock_before_it_is_answered() {
    let (mut acknowledged, mut unanswered, mut failed) = (0, 0, 0);
    for seed in 0..240 {
        let mut generator = Generator::new(seed);
        let (mut node, mut core) = node(seed);
        match seed % 4 {
            0 => {}
            1 => node.drives[1].fail_after(seed / 4 % 12, Faults { write: 10_000, ..Faults::default() }),
            _ => node.world.cut_power_after(seed / 4 % 24),
        }
        let retention = compliance(30);
        let (until, locked) = if seed % 8 < 4 {
            (retention.until * 1_000_000_000, put(&mut core, Some(retention), false))
        } else {
            (i64::MAX, put(&mut core, None, true))
        };
        if locked.is_ok() && node.world.has_power() {
            let told = retained(&node, &core);
            assert!(told.iter().all(|retained| *retained >= until), "seed {seed}: {told:?} of {until}");
        }
        failed += u32::from(core.shared.hardware.roster().members.values().any(|member| !member.online()));
        drop(core);
        node.heal_faults();
        node.crash(&mut generator);
        let core = node.open().unwrap();
        let there = check::get(&core.shared, "ticks", KEY).is_some();
        assert!(there || locked.is_err(), "seed {seed}: it was acknowledged");
        acknowledged += u32::from(locked.is_ok());
        unanswered += u32::from(there && locked.is_err());
        if there {
            let told = retained(&node, &core);
            assert!(told.iter().all(|retained| *retained >= until), "seed {seed}: {told:?} of {until}");
        }
    }
    assert!(acknowledged > 20 && unanswered > 0 && failed > 10, "{acknowledged}, {unanswered}, {failed}");
}

/// Superblocks are written once for all locks that end on a day.
#[test]
fn locks_of_one_day_cost_one_superblock() {
    let (node, mut core) = node(3);
    let change = || Superblock::load(&node.drives[0]).unwrap().unwrap().change;
    put(&mut core, Some(compliance(30)), false).unwrap();
    let before = change();
    for days in [1, 2, 30, 30] {
        put(&mut core, Some(compliance(days)), false).unwrap();
    }
    assert_eq!(change(), before);
    put(&mut core, Some(compliance(32)), false).unwrap();
    assert_eq!(change(), before + 1);
}
