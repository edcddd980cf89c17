//! An upload of as many parts as there may be, whose checksums outgrow what attributes may take.

use packstone_store::checksum::record_hash;
use packstone_store::commit::{Body, Core, Draft, Op, Outcome, Relocation};
use packstone_store::compaction;
use packstone_store::drive::simulated::Generator;
use packstone_store::index::{Place, Row, Space, keys};
use packstone_store::object::{
    Attributes, Checksum, ChecksumAlgorithm, ChecksumKind, Etag, MAX_PARTS, MIN_PART, NamedPart, Precondition,
    RenameTerms, UploadId, Version,
};
use packstone_store::pool::Profile;
use packstone_store::record::{Compression, Extent, Posix};
use packstone_store::recovery::replay;
use packstone_store::sealing::{self, SealedJournal};
use packstone_store::segment::stream::OpenStream;
use packstone_store::segment::{Home, SegmentInfo};

use crate::node::Node;
use crate::verbs::encoded;

const UPLOAD: UploadId = UploadId(7);
const STORED: usize = 100;

fn checksum(number: u16) -> Checksum {
    let value = [record_hash(&number.to_le_bytes()); 2].concat();
    Checksum { algorithm: ChecksumAlgorithm::Sha256, kind: ChecksumKind::FullObject, value }
}

fn commit(core: &mut Core, op: Op) -> Outcome {
    core.commit(&[op]).pop().unwrap().unwrap()
}

fn open() -> (Node, Core) {
    let node = Node::new(Profile { data: 3, parity: 1 }, &mut Generator::new(1));
    let mut core = node.open().unwrap();
    commit(&mut core, Op::CreateBucket { name: "ticks".into(), documents: Vec::new() });
    (node, core)
}

/// A sealed stream with one stripe of bytes, which stand for those of every part.
fn stream(core: &mut Core) -> Extent {
    let shared = core.shared.clone();
    let (pool, id) = (shared.hardware.landing_pool().unwrap(), shared.take_file_id());
    let mut stream = OpenStream::create(&shared.hardware, &pool, id, pool.place(id).unwrap()).unwrap();
    commit(core, Op::OpenStream(stream.info.clone()));
    let bytes = [7; STORED];
    let length = STORED as u64;
    let extent =
        Extent { segment: id, offset: stream.next_row(), length, part: 0, claim: 0, hash: record_hash(&bytes) };
    stream.write_stripe(&shared.hardware, &bytes).unwrap();
    stream.sync(&shared.hardware).unwrap();
    extent
}

/// Uploads every part and completes the upload. The parts say that they are large enough; nobody reads their bytes.
fn upload(core: &mut Core, key: &str) {
    let (bucket, extent) = (1, stream(core));
    commit(core, Op::OpenUpload { bucket, key: key.into(), upload: UPLOAD, attributes: vec![0; 22] });
    let parts: Vec<Op> = (1..=MAX_PARTS)
        .map(|number| Op::PutPart {
            bucket,
            key: key.into(),
            upload: UPLOAD,
            number,
            draft: Draft {
                size: MIN_PART,
                compression: Compression::Raw,
                dictionary: 0,
                key_id: 0,
                posix: Posix::default(),
                attributes: encoded(Attributes { checksum: Some(checksum(number)), ..Attributes::default() }),
                body: Body::Streamed(vec![extent]),
            },
        })
        .collect();
    for batch in parts.chunks(200) {
        assert!(core.commit(batch).iter().all(Result::is_ok));
    }
    let parts = (1..=MAX_PARTS).map(|number| NamedPart { number, etag: Etag::default() }).collect();
    let (etag, checksum) = (Etag { md5: [1; 16], parts: MAX_PARTS }, Some(checksum(0)));
    let precondition = Precondition::None;
    commit(
        core,
        Op::CompleteUpload {
            bucket,
            key: key.into(),
            upload: UPLOAD,
            parts,
            etag,
            checksum,
            posix: Posix::default(),
            precondition,
        },
    );
}

fn row(core: &Core, key: &str) -> Row {
    let snapshot = core.shared.index.snapshot();
    let value = snapshot.get(Space::Current, &keys::current(1, key)).unwrap().unwrap();
    Row::decode_whole(&value, &*snapshot).unwrap()
}

/// Every part is there with its checksum.
fn check(core: &Core, key: &str) {
    let told = Version::from_row(&row(core, key), true).unwrap();
    assert_eq!(told.parts.len(), usize::from(MAX_PARTS));
    let checksums = told.part_checksums.unwrap();
    for number in 1..=MAX_PARTS {
        assert_eq!(checksums.get(usize::from(number) - 1), Some(checksum(number)), "part {number}");
    }
    assert_eq!(checksums.get(usize::from(MAX_PARTS)), None);
}

/// Opens the node again with an index made anew.
fn rebuilt(node: &Node, core: Core) -> Core {
    drop(core);
    node.index.memory.clear();
    node.open().unwrap()
}

/// Seals every closed journal; answers with the segments made.
fn seal(core: &mut Core) -> Vec<SegmentInfo> {
    commit(core, Op::CloseJournal);
    let shared = core.shared.clone();
    let mut made = Vec::new();
    while let Some(journal) = { shared.closed.lock().front().cloned() } {
        match sealing::seal_journal(&shared, &journal, &|_| ()).unwrap() {
            SealedJournal::Segment(info, _) => {
                commit(core, Op::Sealed(info.clone()));
                made.push(info);
            }
            SealedJournal::Empty => drop(commit(core, Op::Erase { id: journal.id })),
        }
        shared.index.persist().unwrap();
        shared.closed.lock().pop_front();
    }
    made
}

/// Carries what lives in packed segments to another one.
fn compact(core: &mut Core, sources: &[SegmentInfo]) {
    let shared = core.shared.clone();
    let ids: Vec<u64> = sources.iter().map(|info| info.id).collect();
    let made = compaction::compact(&shared, &ids, &|_| ()).unwrap().pop().unwrap();
    let id = made.info.id;
    commit(core, Op::Compacted(vec![made.info]));
    let Some(Home::Segment(segment)) = shared.table.get(id) else { panic!("no segment") };
    for slice in replay::relocations(&segment, &shared.index).unwrap().chunks(500) {
        commit(core, Op::Relocate(slice.to_vec()));
    }
    shared.index.persist().unwrap();
    for source in sources {
        commit(core, Op::Erase { id: source.id });
        compaction::unlink(&shared, source);
    }
}

/// States the record anew as the compaction of its stream does.
fn restate(core: &mut Core, key: &str) {
    let (held, to) = (row(core, key), stream(core));
    let extents = held.record.extents.iter().map(|extent| Extent { part: extent.part, ..to }).collect();
    let place = Place::Version { bucket: 1, key: key.into(), record: held.record.id };
    let from = held.record.extents[0].segment;
    let step = Relocation { place, lsn: held.lsn, from, to: to.segment, extents: Some(extents) };
    assert!(matches!(commit(core, Op::Restate(step)), Outcome::Moved(1)));
    assert_ne!(row(core, key).lsn, held.lsn);
}

#[test]
fn checksums_of_ten_thousand_parts_go_where_their_object_goes() {
    let (node, mut core) = open();
    upload(&mut core, "a");
    check(&core, "a");
    core = rebuilt(&node, core);
    check(&core, "a");

    let sealed = seal(&mut core);
    core = rebuilt(&node, core);
    check(&core, "a");
    compact(&mut core, &sealed);
    check(&core, "a");
    core = rebuilt(&node, core);
    check(&core, "a");

    restate(&mut core, "a");
    check(&core, "a");
    let rename = Op::Rename {
        bucket: 1,
        source: "a".into(),
        destination: "b".into(),
        terms: Box::new(RenameTerms::default()),
        copy: None,
        streamed: None,
        extents: usize::from(MAX_PARTS),
    };
    commit(&mut core, rename);
    check(&core, "b");
    core = rebuilt(&node, core);
    check(&core, "b");

    let (bucket, key, precondition) = (1, "b".to_owned(), Precondition::None);
    commit(&mut core, Op::Delete { bucket, key, version: None, precondition, bypass: None, returning: 0 });
    let snapshot = core.shared.index.snapshot();
    let left = snapshot.prefix(Space::Extents, &[]).filter(|pair| *pair.as_ref().unwrap().0 != *keys::MARK);
    assert_eq!(left.count(), 0, "what stood apart goes with its row");
}
