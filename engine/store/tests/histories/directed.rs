//! Misfortunes that random histories seldom arrange.

use bytes::Bytes;
use packstone_store::checksum::record_hash;
use packstone_store::commit::{Body, Core, Draft, Op, Outcome};
use packstone_store::drive::Superblock;
use packstone_store::drive::simulated::{Faults, Generator};
use packstone_store::index::Space;
use packstone_store::object::{Precondition, UploadId};
use packstone_store::pool::Profile;
use packstone_store::record::{Compression, Posix};
use packstone_store::sealing;
use packstone_store::segment::Home;
use packstone_store::segment::stream::OpenStream;

use crate::check;
use crate::node::{Node, pass, set_wall};

fn put(core: &mut Core, key: &str) -> bool {
    let stored = Bytes::from(key.repeat(100));
    let hash = record_hash(&stored);
    let draft = Draft {
        size: stored.len() as u64,
        compression: Compression::Raw,
        dictionary: 0,
        key_id: 0,
        posix: Posix::default(),
        attributes: vec![0; 22],
        body: Body::Small { stored, hash },
    };
    let op = Op::Put { bucket: 1, key: key.into(), draft, precondition: Precondition::None };
    matches!(core.commit(&[op]).pop(), Some(Ok(Outcome::Stored(_))))
}

fn node() -> (Node, Core) {
    node_of(1)
}

fn node_of(seed: u64) -> (Node, Core) {
    let node = Node::new(Profile { data: 3, parity: 1 }, &mut Generator::new(seed));
    let mut core = node.open().unwrap();
    assert!(core.commit(&[Op::CreateBucket { name: "ticks".into(), documents: Vec::new() }]).pop().unwrap().is_ok());
    (node, core)
}

/// Everything that was acknowledged is there after a restart.
fn check_after_restart(node: &Node, core: Core, acknowledged: &[&str]) {
    drop(core);
    node.heal_faults();
    let core = node.open().unwrap();
    for key in acknowledged {
        assert!(check::get(&core.shared, "ticks", key).is_some(), "{key} was acknowledged and is gone");
    }
}

/// A copy fails while there is no space for the file of the next epoch: the fence stands on the drives already, so
/// nothing may be acknowledged in the old epoch any more, even if the copy can be written again.
#[test]
fn nothing_is_acknowledged_behind_a_fence() {
    let (node, mut core) = node();
    assert!(put(&mut core, "before"));
    let full = Faults { full: true, ..Faults::default() };
    node.drives.iter().for_each(|drive| drive.set_faults(full));
    node.drives[0].set_faults(Faults { write: 10_000, ..full });
    assert!(!put(&mut core, "doubtful"));
    node.drives[0].set_faults(full);
    let mut acknowledged = vec!["before"];
    acknowledged.extend(["during"].into_iter().filter(|key| put(&mut core, key)));
    node.heal_faults();
    assert!(put(&mut core, "after"), "writes come back when space does");
    acknowledged.push("after");
    check_after_restart(&node, core, &acknowledged);
}

/// A file of the same epoch is abandoned because a copy fails, and there is no space for another one: what it holds
/// follows the current file, to which nothing may be added any more.
#[test]
fn nothing_is_added_in_front_of_an_abandoned_file() {
    let mut refused = 0;
    // The copy of the second drive fails later and later on the way to the new file.
    for changes in 0..40 {
        let (node, mut core) = node();
        assert!(put(&mut core, "before"));
        node.drives[1].fail_after(changes, Faults { write: 10_000, ..Faults::default() });
        node.drives[2].set_faults(Faults { full: true, ..Faults::default() });
        let closed = core.commit(&[Op::CloseJournal]).pop().unwrap();
        refused += u32::from(closed.is_err());
        let mut acknowledged = vec!["before"];
        acknowledged.extend(["during"].into_iter().filter(|key| put(&mut core, key)));
        node.heal_faults();
        acknowledged.extend(["after"].into_iter().filter(|key| put(&mut core, key)));
        check_after_restart(&node, core, &acknowledged);
    }
    assert!(refused > 0, "no file was ever abandoned");
}

/// A journal copy whose header rots is made anew at the next start, so that the other drive may be lost after it.
#[test]
fn a_lost_journal_copy_is_replicated() {
    let (node, mut core) = node();
    assert!(put(&mut core, "before"));
    drop(core);
    let journal = |drive: usize| {
        let paths = node.drives[drive].paths();
        paths.into_iter().find(|path| path.ends_with(".journal") && path.contains("0001.")).unwrap()
    };
    node.drives[0].flip(&journal(0), 100);
    drop(node.open().unwrap());
    node.drives[1].truncate(&journal(1), 0);
    check_after_restart(&node, node.open().unwrap(), &["before"]);
}

/// Which drives' superblocks were written since they were in `before`.
fn advanced(node: &Node, before: &[Superblock]) -> Vec<usize> {
    let epoch = |drive: usize| Superblock::load(&node.drives[drive]).unwrap().unwrap().epoch;
    (0..node.drives.len()).filter(|drive| epoch(*drive) != before[*drive].epoch).collect()
}

/// A fence reaches one drive, and the next start goes on without that drive: both epochs are the next after the same one,
/// and the drive knows nothing of what was acknowledged without it.
#[test]
fn a_drive_that_a_fence_reached_alone_is_stale_when_it_comes_back() {
    let mut alone = 0;
    for seed in 0..200 {
        let mut generator = Generator::new(seed);
        let (mut node, mut core) = node_of(seed);
        assert!(put(&mut core, "before"));
        let before: Vec<_> = node.drives.iter().map(|drive| Superblock::load(drive).unwrap().unwrap()).collect();
        node.drives[1].set_faults(Faults { write: 10_000, ..Faults::default() });
        node.world.cut_power_after(seed % 10);
        put(&mut core, "doubtful");
        drop(core);
        node.crash(&mut generator);
        let [victim] = advanced(&node, &before)[..] else { continue };
        alone += 1;
        node.leave_out(&[victim]);
        let mut core = node.open().unwrap();
        assert!(put(&mut core, "during"));
        drop(core);
        node.crash(&mut generator);
        node.leave_out(&[]);
        let core = node.open().unwrap();
        let superblock = Superblock::load(&node.drives[victim]).unwrap().unwrap();
        assert_eq!(superblock.epoch, core.log.journal.epoch, "seed {seed}: drive {victim} was not taken in again");
        check_after_restart(&node, core, &["before", "during"]);
    }
    assert!(alone > 10, "a fence reached one drive alone {alone} times");
}

/// Counters of a bucket end with it.
#[test]
fn a_deleted_bucket_leaves_no_counters() {
    let (_, mut core) = node();
    let create = |name: &str| Op::CreateBucket { name: name.into(), documents: vec![] };
    let delete = |name: &str| Op::DeleteBucket { name: name.into() };
    assert!(put(&mut core, "only"));
    let emptied = Op::Delete {
        bucket: 1,
        key: "only".into(),
        version: None,
        precondition: Precondition::None,
        bypass: None,
        returning: 0,
    };
    for batch in [vec![emptied], vec![delete("ticks")], vec![create("brief")], vec![delete("brief")]] {
        assert!(core.commit(&batch).iter().all(Result::is_ok));
    }
    let left = core.shared.index.snapshot().prefix(Space::Tallies, b"b").count();
    assert_eq!(left, 0);
}

/// An upload is old when the time has passed, not when somebody sets the machine's clock.
#[test]
fn a_clock_set_forward_abandons_no_upload() {
    const HOUR: i64 = 3600;
    let (_, mut core) = node();
    let upload = UploadId(7);
    let (bucket, key) = (1, "slow".to_owned());
    let attributes = vec![0; 22];
    assert!(core.commit(&[Op::OpenUpload { bucket, key: key.clone(), upload, attributes }]).pop().unwrap().is_ok());
    let mut abandoned = || {
        let op = Op::AbandonUpload { bucket, key: key.clone(), upload, age: HOUR * 1_000_000_000 };
        match core.commit(&[op]).pop().unwrap() {
            Ok(Outcome::Aborted(aborted)) => aborted,
            other => panic!("{other:?}"),
        }
    };
    assert!(!abandoned());
    set_wall(HOUR * 100_000);
    assert!(!abandoned(), "the clock was set forward");
    set_wall(HOUR * -200_000);
    pass(HOUR / 2);
    assert!(!abandoned(), "the clock was set back, and half the time has passed");
    set_wall(HOUR * 100_000);
    pass(HOUR);
    assert!(abandoned());
}

/// A stream that a crash left open is sealed without one of its drives: the shard there is not forgotten.
#[test]
fn a_stream_sealed_without_a_drive_remembers_its_shard() {
    let (mut node, mut core) = node();
    let shared = core.shared.clone();
    let (pool, id) = (shared.hardware.landing_pool().unwrap(), shared.take_file_id());
    let drives = pool.place(id).unwrap();
    let mut stream = OpenStream::create(&shared.hardware, &pool, id, drives.clone()).unwrap();
    assert!(core.commit(&[Op::OpenStream(stream.info.clone())]).pop().unwrap().is_ok());
    stream.write_stripe(&shared.hardware, &[7; 10_000]).unwrap();
    stream.sync(&shared.hardware).unwrap();
    drop((stream, shared, core));
    node.leave_out(&[usize::from(drives[0])]);
    let mut core = node.open().unwrap();
    let open = core.living.segments[&id].clone();
    let stream = OpenStream::reopen(&core.shared.hardware, open).unwrap();
    let sealed = sealing::seal_stream(&core.shared, stream, Vec::new()).unwrap();
    assert_eq!(sealed.drives, drives);
    assert!(core.commit(&[Op::Sealed(sealed)]).pop().unwrap().is_ok());
    let Some(Home::Segment(segment)) = core.shared.table.get(id) else { panic!("no segment") };
    assert_eq!(segment.read_toc().unwrap().len(), 1);
}
