//! Wounds that random histories seldom arrange.

use packstone_store::checksum::record_hash;
use packstone_store::commit::{Body, Core, Draft, Op, Outcome};
use packstone_store::drive::Drive;
use packstone_store::drive::simulated::{Faults, Generator};
use packstone_store::healing;
use packstone_store::object::Precondition;
use packstone_store::pool::Profile;
use packstone_store::record::{Compression, Extent, Posix};
use packstone_store::sealing;
use packstone_store::segment::Home;
use packstone_store::segment::shard::path_of;
use packstone_store::segment::stream::OpenStream;

use crate::check;
use crate::node::Node;

pub fn node(data: u8, parity: u8) -> (Node, Core) {
    let mut node = Node::new(Profile { data, parity }, &mut Generator::new(5));
    node.victims.clear();
    let mut core = node.open().unwrap();
    assert!(core.commit(&[Op::CreateBucket { name: "ticks".into(), documents: Vec::new() }]).pop().unwrap().is_ok());
    (node, core)
}

pub fn open_stream(core: &mut Core) -> OpenStream {
    let shared = core.shared.clone();
    let (pool, id) = (shared.hardware.landing_pool().unwrap(), shared.take_file_id());
    let stream = OpenStream::create(&shared.hardware, &pool, id, pool.place(id).unwrap()).unwrap();
    assert!(core.commit(&[Op::OpenStream(stream.info.clone())]).pop().unwrap().is_ok());
    stream
}

fn content(key: &str) -> Vec<u8> {
    key.bytes().cycle().take(9000).collect()
}

/// An object of one stripe.
pub fn store(core: &mut Core, stream: &mut OpenStream, key: &str) {
    let (content, offset) = (content(key), stream.next_row());
    stream.write_stripe(&core.shared.hardware, &content).unwrap();
    stream.sync(&core.shared.hardware).unwrap();
    let (segment, length, hash) = (stream.info.id, content.len() as u64, record_hash(&content));
    let body = Body::Streamed(vec![Extent { segment, offset, length, part: 0, claim: 0, hash }]);
    let draft = Draft {
        size: length,
        compression: Compression::Raw,
        dictionary: 0,
        key_id: 0,
        posix: Posix::default(),
        attributes: vec![0; 22],
        body,
    };
    let op = Op::Put { bucket: 1, key: key.into(), draft, precondition: Precondition::None };
    assert!(matches!(core.commit(&[op]).pop(), Some(Ok(Outcome::Stored(_)))));
}

pub fn seal(core: &mut Core, stream: OpenStream) {
    let claims = core.shared.claims.lock().get(&stream.info.id).cloned().unwrap_or_default();
    let info = sealing::seal_stream(&core.shared, stream, claims).unwrap();
    assert!(core.commit(&[Op::Sealed(info)]).pop().unwrap().is_ok());
}

/// Heals until nothing is left; how many shards.
pub fn heal_all(core: &mut Core) -> usize {
    let shared = core.shared.clone();
    let mut healed = 0;
    for _ in 0..4 {
        let mut wounds = healing::survey(&shared, &shared.hardware.online(), &|_| true);
        wounds.append(&mut healing::leaving(&shared));
        wounds.append(&mut shared.hardware.wounds.take());
        for wound in healing::choose(&healing::patients(&shared, &wounds)) {
            let Some(made) = healing::heal(&shared, wound, &|_| true).unwrap() else { continue };
            assert_eq!(made.lost, 0, "{wound:?}");
            assert!(matches!(core.commit(&[made.place()]).pop(), Some(Ok(Outcome::Placed(true)))));
            healed += 1;
        }
    }
    healed
}

pub fn scrub(core: &Core, id: u64) -> Vec<String> {
    let Some(Home::Segment(segment)) = core.shared.table.get(id) else { panic!("no segment") };
    segment.scrub(&core.shared.hardware, &|_| true)
}

pub fn check_all(core: &Core, keys: &[&str]) {
    for key in keys {
        assert!(check::get(&core.shared, "ticks", key).is_some(), "{key} is gone");
    }
}

/// Two shards rot in different stripes, as many as parity makes good: healing one must not take from the other what only it
/// still has.
#[test]
fn shards_that_rot_in_different_stripes_are_both_healed() {
    let (mut node, mut core) = node(2, 1);
    let mut stream = open_stream(&mut core);
    let rows: Vec<u64> = ["a", "b"]
        .map(|key| {
            let row = stream.next_row();
            store(&mut core, &mut stream, key);
            row
        })
        .into();
    let (id, drives) = (stream.info.id, stream.info.drives.clone());
    seal(&mut core, stream);
    drop(core);
    for shard in 0..2 {
        let drive = &node.drives[usize::from(drives[shard])];
        drive.flip(&path_of(id, shard), (4096 + rows[shard] + 10) * 8);
    }
    let mut core = node.open().unwrap();
    assert_eq!(scrub(&core, id).len(), 2);
    assert_eq!(heal_all(&mut core), 2);
    assert_eq!(scrub(&core, id), Vec::<String>::new());
    drop(core);
    for away in drives {
        node.leave_out(&[usize::from(away)]);
        check_all(&node.open().unwrap(), &["a", "b"]);
        node.leave_out(&[]);
        heal_all(&mut node.open().unwrap());
    }
}

/// A drive misses stripes of a stream that is open when it comes back: its shard lacks them though its end is written.
#[test]
fn a_drive_that_missed_stripes_of_an_open_stream_gets_them() {
    for missing in 0..3 {
        let (mut node, mut core) = node(2, 1);
        let mut stream = open_stream(&mut core);
        let (id, drives) = (stream.info.id, stream.info.drives.clone());
        store(&mut core, &mut stream, "before");
        let away = usize::from(drives[missing]);
        node.drives[away].set_faults(Faults { write: 10_000, ..Faults::default() });
        store(&mut core, &mut stream, "without");
        assert!(core.shared.hardware.in_use(drives[missing]).is_none());
        drop((stream, core));
        node.crash(&mut Generator::new(1));
        node.heal_faults();
        let mut core = node.open().unwrap();
        assert!(core.shared.hardware.in_use(drives[missing]).is_some(), "it is taken in again");
        let open = core.living.segments[&id].clone();
        let claims = sealing::find_claims(&core.shared, &open).unwrap();
        let stream = OpenStream::reopen(&core.shared.hardware, open).unwrap();
        let info = sealing::seal_stream(&core.shared, stream, claims).unwrap();
        assert!(core.commit(&[Op::Sealed(info)]).pop().unwrap().is_ok());
        assert_eq!(heal_all(&mut core), 1);
        assert_eq!(scrub(&core, id), Vec::<String>::new());
        drop(core);
        let other = usize::from(drives[(missing + 1) % 3]);
        node.leave_out(&[other]);
        check_all(&node.open().unwrap(), &["before", "without"]);
    }
}

/// A shard that can't be made whole, since too few others are there, is left as it is and says so.
#[test]
fn what_too_few_others_have_is_left_alone() {
    let (mut node, mut core) = node(2, 1);
    let mut stream = open_stream(&mut core);
    store(&mut core, &mut stream, "a");
    let (id, drives) = (stream.info.id, stream.info.drives.clone());
    seal(&mut core, stream);
    drop(core);
    let rotten = node.drives[usize::from(drives[0])].clone();
    rotten.flip(&path_of(id, 0), (4096 + 10) * 8);
    node.leave_out(&[usize::from(drives[1])]);
    let core = node.open().unwrap();
    let wound = packstone_store::segment::Wound { segment: id, shard: 0 };
    // One row is rotten here, and the other drive is away: the record can't be read now.
    assert_eq!(healing::heal(&core.shared, wound, &|_| true).unwrap().unwrap().lost, 1);
    drop(core);
    node.leave_out(&[]);
    let mut core = node.open().unwrap();
    assert!(!scrub(&core, id).is_empty(), "what is not known doesn't pass for what was there");
    heal_all(&mut core);
    assert_eq!(scrub(&core, id), Vec::<String>::new());
    check_all(&core, &["a"]);
    assert!(rotten.list("segments").unwrap().iter().all(|name| !name.ends_with(".heal")));
}
