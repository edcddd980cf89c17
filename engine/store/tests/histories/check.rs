//! Reading a whole store back, as the verbs read it, and checking its counters on the way.

use std::collections::BTreeMap;
use std::sync::Arc;

use packstone_store::commit::Shared;
use packstone_store::index::row::{BucketTally, FileTally};
use packstone_store::index::{Row, Snapshot, Space, keys, list};
use packstone_store::object::{ListEntry, ListQuery};
use packstone_store::record::Extent;
use packstone_store::segment::{Home, SegmentKind};

use crate::model::{Bucket, Content, Model};

fn read_extent(shared: &Shared, extent: &Extent) -> Result<Vec<u8>, String> {
    let home = shared.table.get(extent.segment).ok_or(format!("no file {:x} in the table", extent.segment))?;
    match home {
        Home::Journal(journal) => journal.read(extent).map_err(|error| error.to_string()),
        Home::Segment(segment) if segment.info.kind == SegmentKind::Stream => {
            let mut out = Vec::new();
            while (out.len() as u64) < extent.length {
                let piece = segment.read_stream(extent, out.len() as u64..extent.length);
                out.extend(piece.map_err(|error| error.to_string())?);
            }
            Ok(out)
        }
        Home::Segment(segment) => segment.read_record(extent).map_err(|error| error.to_string()),
    }
}

fn read_row(shared: &Shared, value: &[u8], snapshot: &dyn Snapshot, what: &str) -> (Row, Content) {
    let row = Row::decode_whole(value, snapshot).unwrap();
    let mut bytes = Vec::new();
    for extent in &row.record.extents {
        let piece = read_extent(shared, extent);
        bytes.extend(piece.unwrap_or_else(|error| panic!("{what} can't be read: {error}; {extent:?}")));
    }
    (row, Arc::new(bytes))
}

/// One object as a GET gives it.
pub fn get(shared: &Shared, bucket: &str, key: &str) -> Option<Content> {
    let id = shared.buckets.load().get(bucket)?.id;
    let snapshot = shared.index.snapshot();
    let value = snapshot.get(Space::Current, &keys::current(id, key)).unwrap()?;
    Some(read_row(shared, &value, &*snapshot, &format!("{bucket}/{key}")).1)
}

/// Everything that the store holds; panics where counters do not agree with it.
pub fn observe(shared: &Shared) -> Model {
    let snapshot = shared.index.snapshot();
    let mut live: BTreeMap<u64, u64> = BTreeMap::new();
    let mut claim = |row: &Row| {
        row.record.extents.iter().for_each(|extent| *live.entry(extent.segment).or_default() += extent.length);
    };
    let mut model = Model::default();
    let buckets = shared.buckets.load();
    let sorted: BTreeMap<_, _> = buckets.iter().map(|bucket| (&bucket.name, bucket)).collect();
    for (name, bucket) in sorted {
        let mut held = Bucket::default();
        for key in list_all(&*snapshot, bucket.id) {
            let value = snapshot.get(Space::Current, &keys::current(bucket.id, &key)).unwrap().unwrap();
            let (row, content) = read_row(shared, &value, &*snapshot, &format!("{name}/{key}"));
            assert_eq!(row.record.size, content.len() as u64, "{name}/{key}: size");
            claim(&row);
            held.objects.insert(key, content);
        }
        for pair in snapshot.prefix(Space::Uploads, &keys::upload_prefix(bucket.id, "")) {
            let (key, upload) = keys::parse_upload(&pair.unwrap().0).unwrap();
            let mut parts = BTreeMap::new();
            for pair in snapshot.prefix(Space::Uploads, &keys::parts(upload)) {
                let (place, value) = pair.unwrap();
                let (row, content) = read_row(shared, &value, &*snapshot, &format!("a part of {name}/{key}"));
                claim(&row);
                parts.insert(keys::part_number(&place).unwrap(), content);
            }
            held.uploads.insert((key, upload), parts);
        }
        check_bucket(&*snapshot, bucket.id, &held);
        model.buckets.insert(name.to_string(), held);
    }
    check_files(&*snapshot, &live);
    for pair in snapshot.prefix(Space::Tallies, b"b") {
        let id = u32::from_be_bytes(pair.unwrap().0[1..].try_into().unwrap());
        assert!(buckets.knows(id), "counters of bucket {id}, which is no more");
    }
    model
}

fn list_all(snapshot: &dyn Snapshot, bucket: u32) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    loop {
        let after = names.last().cloned().unwrap_or_default();
        let page = list::objects(snapshot, bucket, &ListQuery { limit: 7, after, ..Default::default() }).unwrap();
        names.extend(page.entries.into_iter().map(|entry| match entry {
            ListEntry::Object { key, .. } => key,
            ListEntry::Prefix(prefix) => panic!("prefix {prefix} without a delimiter"),
        }));
        if !page.truncated {
            return names;
        }
    }
}

fn check_bucket(snapshot: &dyn Snapshot, id: u32, held: &Bucket) {
    let value = snapshot.get(Space::Tallies, &keys::bucket_tally(id)).unwrap();
    let tally = value.map(|value| BucketTally::decode(&value).unwrap()).unwrap_or_default();
    let bytes = held.objects.values().map(|content| content.len() as u64).sum();
    let real = BucketTally { objects: held.objects.len() as u64, bytes, uploads: held.uploads.len() as u64 };
    assert_eq!(tally, real, "counters of bucket {id}");
}

/// Live bytes by file are what the rows claim: compaction erases by them.
fn check_files(snapshot: &dyn Snapshot, live: &BTreeMap<u64, u64>) {
    let mut counted = BTreeMap::new();
    for pair in snapshot.prefix(Space::Tallies, b"f") {
        let (key, value) = pair.unwrap();
        let file = u64::from_be_bytes(key[1..].try_into().unwrap());
        let tally = FileTally::decode(&value).unwrap();
        if tally.live > 0 {
            counted.insert(file, tally.live);
        }
    }
    let live: BTreeMap<u64, u64> = live.iter().filter(|(_, bytes)| **bytes > 0).map(|(f, b)| (*f, *b)).collect();
    assert_eq!(counted, live, "live bytes by file: counted, and claimed by rows");
}
