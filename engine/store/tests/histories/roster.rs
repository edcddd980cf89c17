//! Drives that come and go while the node runs.

use std::sync::Arc;

use packstone_store::Error;
use packstone_store::commit::{Core, Op};
use packstone_store::drive::simulated::{Faults, Generator, SimulatedDrive};
use packstone_store::drive::{DriveNumber, DriveState};
use packstone_store::object::Replaces;
use packstone_store::recovery::admission::examine;
use packstone_store::sealing::{self, SealedJournal};
use packstone_store::segment::stream::OpenStream;
use packstone_store::segment::{Home, Wound};

use crate::node::Node;
use crate::wounds::{check_all, heal_all, node, open_stream, scrub, seal, store};

const KEYS: [&str; 3] = ["sealed", "open", "late"];

fn commit(core: &mut Core, op: Op) -> Result<(), Error> {
    core.commit(&[op]).pop().unwrap().map(drop)
}

fn admit(core: &mut Core, drive: &SimulatedDrive) -> Result<(), Error> {
    let admission =
        examine(&core.shared, Arc::new(drive.clone()), None).map_err(|error| Error::InvalidDrive(error.to_string()))?;
    commit(core, Op::Admit(Box::new(admission)))
}

/// Has the healer empty a drive from here on.
fn empty(core: &mut Core, number: DriveNumber) -> Result<(), Error> {
    let (kind, name) = ("drive-leaving".to_owned(), number.to_string());
    commit(core, Op::PutDocument { scope: 0, kind, name, value: Some("".into()), replaces: Replaces::Anything })?;
    commit(core, Op::CloseJournal)
}

/// Seals the closed journals.
fn seal_journals(core: &mut Core) -> Result<(), Error> {
    let shared = core.shared.clone();
    loop {
        let Some(journal) = shared.closed.lock().front().cloned() else { return Ok(()) };
        let op = match sealing::seal_journal(&shared, &journal, &|_| ())? {
            SealedJournal::Segment(info, _) => Op::Sealed(info),
            SealedJournal::Empty => Op::Erase { id: journal.id },
        };
        commit(core, op)?;
        shared.closed.lock().pop_front();
    }
}

/// Every object is there without any one of the drives.
fn check_without_each(node: &mut Node, keys: &[&str]) {
    for away in 0..node.drives.len() {
        node.leave_out(&[away]);
        let mut core = node.open().unwrap();
        check_all(&core, keys);
        node.leave_out(&[]);
        drop(core);
        core = node.open().unwrap();
        heal_all(&mut core);
    }
}

/// A drive fails in the middle of a stream and is there again, while the node runs: what it missed is made good, and then any
/// other may go.
#[test]
fn a_drive_comes_back_while_the_node_runs() {
    for failing in 0..3 {
        let (mut node, mut core) = node(2, 1);
        let mut first = open_stream(&mut core);
        store(&mut core, &mut first, "sealed");
        seal(&mut core, first);
        let mut stream = open_stream(&mut core);
        store(&mut core, &mut stream, "open");
        node.drives[failing].set_faults(Faults { write: 10_000, sync: 10_000, ..Faults::default() });
        store(&mut core, &mut stream, "late");
        let number = failing as DriveNumber;
        assert!(core.shared.hardware.in_use(number).is_none());
        node.heal_faults();
        admit(&mut core, &node.drives[failing]).unwrap();
        assert!(core.shared.hardware.in_use(number).is_some());
        assert!(matches!(admit(&mut core, &node.drives[failing]), Err(Error::InvalidDrive(_))), "it is in use");
        check_all(&core, &KEYS);
        let id = stream.info.id;
        seal(&mut core, stream);
        assert!(heal_all(&mut core) > 0);
        assert_eq!(scrub(&core, id), Vec::<String>::new());
        commit(&mut core, Op::CloseJournal).unwrap();
        seal_journals(&mut core).unwrap();
        drop(core);
        check_without_each(&mut node, &KEYS);
    }
}

/// A segment is written with a drive that fails, comes back without the file, and only then is the segment sealed.
#[test]
fn a_segment_that_was_under_way_when_a_drive_came_back_is_looked_at() {
    let (node, mut core) = node(2, 1);
    commit(&mut core, Op::CloseJournal).unwrap();
    let shared = core.shared.clone();
    let journal = shared.closed.lock().front().cloned().unwrap();
    let SealedJournal::Segment(info, _) = sealing::seal_journal(&shared, &journal, &|_| ()).unwrap() else { panic!() };
    let shard = 1;
    let failing = &node.drives[usize::from(info.drives[shard])];
    core.shared.hardware.in_use(info.drives[shard]).unwrap().retire(DriveState::Failed, "a test".into());
    admit(&mut core, failing).unwrap();
    let id = info.id;
    commit(&mut core, Op::Sealed(info)).unwrap();
    assert!(shared.hardware.wounds.take().contains(&Wound { segment: id, shard }));
}

/// Adds a drive, has another one emptied, and removes it.
fn exchange(core: &mut Core, added: &SimulatedDrive, leaving: DriveNumber) -> Result<(), Error> {
    if core.shared.hardware.in_use(added_number(core)).is_none() {
        admit(core, added)?;
    }
    empty(core, leaving)?;
    seal_journals(core)?;
    let shared = core.shared.clone();
    for wound in packstone_store::healing::leaving(&shared) {
        if let Some(made) = packstone_store::healing::heal(&shared, wound, &|_| true).map_err(Error::from)? {
            commit(core, made.place())?;
        }
    }
    commit(core, Op::Dismiss { number: leaving })
}

fn added_number(core: &Core) -> DriveNumber {
    core.shared.hardware.roster().pools[0].profile.shards() as DriveNumber
}

#[test]
fn a_drive_is_added_and_another_one_removed() {
    let (mut node, mut core) = node(2, 1);
    let mut stream = open_stream(&mut core);
    store(&mut core, &mut stream, "sealed");
    seal(&mut core, stream);
    let added = node.insert_drive();
    let refused = commit(&mut core, Op::Dismiss { number: 0 });
    assert!(matches!(refused, Err(Error::InvalidDrive(_))), "shards are there: {refused:?}");
    exchange(&mut core, &added, 0).unwrap();
    assert!(core.shared.hardware.member(0).is_none());
    check_all(&core, &["sealed"]);
    drop(core);
    let core = node.open().unwrap();
    assert_eq!(core.shared.hardware.roster().members.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
    drop(core);
    node.leave_out(&[0]);
    check_all(&node.open().unwrap(), &["sealed"]);
    for away in 1..4 {
        node.leave_out(&[0, away]);
        check_all(&node.open().unwrap(), &["sealed"]);
        node.leave_out(&[0]);
        heal_all(&mut node.open().unwrap());
    }
}

/// The same, with the power gone after any number of changes on the drives: nothing is lost, and it can be gone on with.
#[test]
fn a_drive_is_exchanged_though_power_goes() {
    for changes in 0..160 {
        let (mut node, mut core) = node(2, 1);
        let mut stream = open_stream(&mut core);
        store(&mut core, &mut stream, "sealed");
        seal(&mut core, stream);
        let added = node.insert_drive();
        node.world.cut_power_after(changes);
        let went = exchange(&mut core, &added, 0);
        let through = node.world.has_power();
        assert!(went.is_ok() || !through, "{changes}: {went:?}");
        drop(core);
        node.crash(&mut Generator::new(changes));
        let mut core = node.open().unwrap_or_else(|error| panic!("{changes}: {error}"));
        check_all(&core, &["sealed"]);
        if core.shared.hardware.member(0).is_some() {
            exchange(&mut core, &added, 0).unwrap_or_else(|error| panic!("{changes}: {error}"));
        }
        check_all(&core, &["sealed"]);
        assert!(core.living.segments.values().all(|info| !info.drives.contains(&0)));
        drop(core);
        for away in 1..4 {
            node.leave_out(&[0, away]);
            check_all(&node.open().unwrap(), &["sealed"]);
            node.leave_out(&[0]);
            heal_all(&mut node.open().unwrap());
        }
        if through {
            return;
        }
    }
    panic!("it never went through");
}

/// A shard is made on a drive that is removed before anything names it there.
#[test]
fn nothing_is_placed_on_a_drive_that_is_gone() {
    let (mut node, mut core) = node(2, 1);
    let mut stream = open_stream(&mut core);
    store(&mut core, &mut stream, "sealed");
    let id = stream.info.id;
    seal(&mut core, stream);
    let added = node.insert_drive();
    admit(&mut core, &added).unwrap();
    empty(&mut core, 3).unwrap();
    seal_journals(&mut core).unwrap();
    heal_all(&mut core);
    commit(&mut core, Op::Dismiss { number: 3 }).unwrap();
    commit(&mut core, Op::Place { id, shard: 0, drive: 3 }).unwrap();
    let Some(Home::Segment(segment)) = core.shared.table.get(id) else { panic!("no segment") };
    assert!(!segment.info.drives.contains(&3));
    check_all(&core, &["sealed"]);
}

/// Takes a drive out of use, as a call does that has no answer in time.
fn stall(core: &Core, number: DriveNumber) {
    core.shared.hardware.in_use(number).unwrap().retire(DriveState::Failed, "no answer".into());
}

/// All copies of a journal are out of use at once: what they alone have is neither removed nor begun without, and a restart reads
/// it.
#[test]
fn drives_that_fail_together_are_left_to_a_restart() {
    let (node, mut core) = node(2, 1);
    let mut stream = open_stream(&mut core);
    store(&mut core, &mut stream, "sealed");
    commit(&mut core, Op::CreateBucket { name: "quotes".into(), documents: Vec::new() }).unwrap();
    let journal: Vec<DriveNumber> = core.log.journal.copies.iter().map(|copy| copy.member.number).collect();
    journal.iter().for_each(|number| stall(&core, *number));
    assert!(commit(&mut core, Op::CreateBucket { name: "trades".into(), documents: Vec::new() }).is_err());
    for number in journal {
        let refused = admit(&mut core, &node.drives[usize::from(number)]);
        assert!(matches!(refused, Err(Error::InvalidDrive(_))), "{refused:?}");
    }
    drop((stream, core));
    let core = node.open().unwrap();
    assert!(core.shared.hardware.roster().members.values().all(|member| member.online()));
    check_all(&core, &["sealed"]);
    assert!(core.shared.buckets.load().iter().any(|bucket| &*bucket.name == "quotes"));
}

/// One drive after the other fails and comes back while one stream stays open: what was in it before is still there.
#[test]
fn drives_that_blink_in_turn_lose_nothing_of_an_open_stream() {
    let (mut node, mut core) = node(2, 1);
    let mut stream = open_stream(&mut core);
    store(&mut core, &mut stream, "sealed");
    for number in 0..3 {
        stall(&core, number);
        admit(&mut core, &node.drives[usize::from(number)]).unwrap();
        check_all(&core, &["sealed"]);
        commit(&mut core, Op::CloseJournal).unwrap();
        seal_journals(&mut core).unwrap();
    }
    // Its writer knows none of them any more.
    let info = core.living.segments[&stream.info.id].clone();
    drop(stream);
    let claims = core.shared.claims.lock().get(&info.id).cloned().unwrap_or_default();
    let reopened = OpenStream::reopen(&core.shared.hardware, info).unwrap();
    let sealed = sealing::seal_stream(&core.shared, reopened, claims).unwrap();
    commit(&mut core, Op::Sealed(sealed)).unwrap();
    heal_all(&mut core);
    commit(&mut core, Op::CloseJournal).unwrap();
    seal_journals(&mut core).unwrap();
    drop(core);
    check_without_each(&mut node, &["sealed"]);
}

/// Two halves that took writes without each other: neither is given up, whoever asks how often.
#[test]
fn a_half_that_took_writes_alone_is_refused_as_it_is() {
    let (mut node, core) = node(1, 1);
    drop(core);
    for away in 0..2 {
        node.leave_out(&[away]);
        let mut core = node.open().unwrap();
        let name = format!("without{away}");
        commit(&mut core, Op::CreateBucket { name, documents: Vec::new() }).unwrap();
    }
    let mut core = node.open().unwrap();
    let paths = node.drives[1].paths();
    for _ in 0..2 {
        let refused = admit(&mut core, &node.drives[1]);
        assert!(matches!(refused, Err(Error::InvalidDrive(_))), "{refused:?}");
        assert_eq!(node.drives[1].paths(), paths, "nothing is removed from it");
    }
}
