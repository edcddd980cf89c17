//! Reading a whole store back, as the verbs read it, and checking its counters on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use packstone_store::codec::Reader;
use packstone_store::commit::Shared;
use packstone_store::index::apply::Applier;
use packstone_store::index::names::Names;
use packstone_store::index::row::{BucketTally, DocumentRow, FileTally};
use packstone_store::index::{Row, Snapshot, Space, keys, list};
use packstone_store::object::{
    self, Attributes, ListEntry, ListQuery, VersionEntry, VersionId, VersionQuery, Versioning,
};
use packstone_store::record::Extent;
use packstone_store::segment::{Home, SegmentKind};

use crate::model::{Bucket, Content, Model, Version};
use crate::verbs::checksum;

/// Of the documents that a history puts.
pub const KIND: &str = "history";

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
    let snapshot = shared.namespace();
    let value = snapshot.get(Space::Current, &keys::current(id, key)).unwrap()?;
    Some(read_row(shared, &value, &*snapshot, &format!("{bucket}/{key}")).1)
}

/// Ids of a key's versions and delete markers, newest first.
pub fn versions(shared: &Shared, bucket: u32, key: &str) -> Vec<VersionId> {
    let snapshot = shared.namespace();
    let query = VersionQuery { prefix: key.to_owned(), limit: 1000, ..VersionQuery::default() };
    let page = list::versions(&*snapshot, bucket, &query).unwrap();
    let of_key = page.entries.into_iter().filter_map(|entry| match entry {
        VersionEntry::Version { key: held, version } => (held == key).then_some(version.version),
        VersionEntry::Marker { key: held, version, .. } => (held == key).then_some(version),
        VersionEntry::Prefix(_) => None,
    });
    of_key.collect()
}

/// Everything that the store holds; panics where counters do not agree with it.
pub fn observe(shared: &Shared) -> Model {
    let snapshot = shared.namespace();
    let mut live: BTreeMap<u64, u64> = BTreeMap::new();
    let mut claim = |row: &Row| {
        row.record.extents.iter().for_each(|extent| *live.entry(extent.segment).or_default() += extent.length);
        for extent in row.record.extents.iter().filter(|extent| extent.claim != 0) {
            let dead = snapshot.get(Space::Dead, &keys::dead(extent.segment, extent.claim)).unwrap();
            assert!(dead.is_none(), "{extent:?} lives, and its claim is noted as dead");
        }
    };
    let mut model = Model::default();
    let links = check_names(&*shared.index.snapshot());
    let node = snapshot.prefix(Space::Documents, &keys::documents(0, KIND)).map(|pair| {
        let (key, value) = pair.unwrap();
        (keys::parse_document(&key).unwrap().2.to_owned(), DocumentRow::decode(&value).unwrap().value)
    });
    model.documents = node.collect();
    let buckets = shared.buckets.load();
    let sorted: BTreeMap<_, _> = buckets.iter().map(|bucket| (&bucket.name, bucket)).collect();
    for (name, bucket) in sorted {
        let state = buckets.by_id(bucket.id).unwrap();
        let mut held = Bucket {
            versioning: state.versioning(),
            lock: state.rules.lock.map(|lock| lock.default),
            documents: state.documents(KIND).map(|(name, held)| (name.to_owned(), held.value.to_vec())).collect(),
            ..Bucket::default()
        };
        for (key, id, latest) in list_versions(&*snapshot, bucket.id) {
            let (row, version) = read_version(shared, &*snapshot, (bucket.id, name, &key), id);
            claim(&row);
            let versions = held.versions.entry(key).or_default();
            assert_eq!(latest, versions.is_empty(), "{name}: the newest version is said to be another");
            versions.insert(0, version);
        }
        let listed: Vec<String> = held.objects().map(|(key, _)| key.clone()).collect();
        assert_eq!(list_all(&*snapshot, bucket.id), listed, "{name}: current versions");
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
        let links = links.get(&bucket.id).copied().unwrap_or(0);
        assert!(links == 0 || held.versioning == Versioning::Never, "{name}: two keys have one number");
        check_bucket(&*snapshot, bucket.id, &held, links);
        model.buckets.insert(name.to_string(), held);
    }
    check_files(&*snapshot, &live);
    for pair in snapshot.prefix(Space::Tallies, b"b") {
        let id = u32::from_be_bytes(pair.unwrap().0[1..].try_into().unwrap());
        assert!(buckets.by_id(id).is_some(), "counters of bucket {id}, which is no more");
    }
    model
}

/// One version as a GET by its id gives it.
fn read_version(
    shared: &Shared,
    snapshot: &dyn Snapshot,
    (bucket, name, key): (u32, &str, &str),
    id: VersionId,
) -> (Row, Version) {
    let what = format!("{name}/{key} {id}");
    let mut applier = Applier::new(snapshot);
    let found = match id.is_null() {
        true => applier.null_version(bucket, key).unwrap(),
        false => applier.version(bucket, key, id.record()).unwrap().map(|(_, row)| row),
    };
    let (value, _) = found.unwrap_or_else(|| panic!("{what} is listed and not found")).encode();
    let (row, content) = read_row(shared, &value, snapshot, &what);
    assert_eq!(row.version, id, "{what}");
    assert_eq!(row.record.size, content.len() as u64, "{what}: size");
    let mut version = Version {
        tag: 0,
        file: 0,
        null: id.is_null(),
        content: None,
        tags: Vec::new(),
        retention: None,
        legal_hold: false,
        pending: None,
        made: false,
    };
    if !row.marker {
        let told = object::Version::from_row(&row, false).unwrap();
        check_parts(&told, &content, &what);
        let held = told.attributes;
        version.content = Some(content);
        (version.tags, version.retention, version.legal_hold) = (held.tags, held.retention, held.legal_hold);
        version.pending = held.pending.map(|pending| pending.rule);
    }
    (row, version)
}

/// What an upload made has the checksums of its parts as long as it has one of its own: no other verb gives one.
fn check_parts(told: &object::Version, content: &[u8], what: &str) {
    assert_eq!(told.attributes.checksum.is_some(), told.part_checksums.is_some(), "{what}: checksums of parts");
    let Some(checksums) = &told.part_checksums else { return };
    let mut rest = content;
    for (place, size) in told.parts.iter().enumerate() {
        let (part, behind) = rest.split_at(*size as usize);
        assert_eq!(checksums.get(place), Some(checksum(part)), "{what}: part {place}");
        rest = behind;
    }
    assert_eq!(checksums.get(told.parts.len()), None, "{what}");
}

/// Key, version and whether it is the newest, page by page.
fn list_versions(snapshot: &dyn Snapshot, bucket: u32) -> Vec<(String, VersionId, bool)> {
    let mut found: Vec<(String, VersionId, bool)> = Vec::new();
    loop {
        let after = found.last().map(|(key, version, _)| (key.clone(), Some(*version)));
        let page = list::versions(snapshot, bucket, &VersionQuery { limit: 7, after, ..Default::default() }).unwrap();
        found.extend(page.entries.into_iter().map(|entry| match entry {
            VersionEntry::Version { key, version } => (key, version.version, version.latest),
            VersionEntry::Marker { key, version, latest, .. } => (key, version, latest),
            VersionEntry::Prefix(prefix) => panic!("prefix {prefix} without a delimiter"),
        }));
        if !page.truncated {
            return found;
        }
    }
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

fn check_bucket(snapshot: &dyn Snapshot, id: u32, held: &Bucket, links: u64) {
    let value = snapshot.get(Space::Tallies, &keys::bucket_tally(id)).unwrap();
    let tally = value.map(|value| BucketTally::decode(&value).unwrap()).unwrap_or_default();
    let contents: Vec<_> = held.versions.values().flatten().filter_map(|version| version.content.as_ref()).collect();
    let bytes = contents.iter().map(|content| content.len() as u64).sum();
    let real = BucketTally { objects: contents.len() as u64, bytes, uploads: held.uploads.len() as u64, links };
    assert_eq!(tally, real, "counters of bucket {id}");
}

/// What waits for its lock by its row is what is listed so.
fn check_pending(snapshot: &dyn Snapshot) {
    let (mut said, mut listed) = (BTreeMap::new(), BTreeMap::new());
    let mut say = |bucket, key: &str, value: &[u8]| {
        let record = Row::decode_brief(value).unwrap().record;
        let waits = |bytes: &[u8]| Attributes::decode(&mut Reader(bytes)).unwrap().pending.is_some();
        if !record.attributes.is_empty() && waits(&record.attributes) {
            said.insert(record.id, keys::current(bucket, key));
        }
    };
    for pair in snapshot.prefix(Space::Current, &[]).map(Result::unwrap).filter(|(key, _)| **key != *keys::MARK) {
        let (bucket, key) = keys::parse_current(&pair.0).unwrap();
        say(bucket, key, &pair.1);
    }
    for pair in snapshot.prefix(Space::Versions, &[]).map(Result::unwrap).filter(|(key, _)| **key != *keys::MARK) {
        let (bucket, key, record) = keys::parse_version(&pair.0).unwrap();
        if record != 0 {
            say(bucket, &key, &pair.1);
        }
    }
    for (key, value) in snapshot.prefix(Space::Inodes, &[]).map(Result::unwrap) {
        if let Some(record) = keys::parse_pending(&key) {
            listed.insert(record, value.to_vec());
        }
    }
    assert_eq!(listed, said, "what waits for its lock: listed, and said by rows");
}

/// What inode numbers lead to is what the current versions say; how many names there are beyond each file's first, by
/// bucket.
fn check_names(snapshot: &dyn Snapshot) -> BTreeMap<u32, u64> {
    let (mut said, mut led) = (BTreeMap::<u64, BTreeSet<_>>::new(), BTreeMap::<u64, BTreeSet<_>>::new());
    for pair in snapshot.prefix(Space::Current, &[]) {
        let (key, value) = pair.unwrap();
        if *key != *keys::MARK {
            let (bucket, name) = keys::parse_current(&key).unwrap();
            let inode = Row::decode_brief(&value).unwrap().record.inode();
            said.entry(inode).or_default().insert((bucket, name.to_owned()));
        }
    }
    for pair in snapshot.prefix(Space::Inodes, &[]) {
        let (key, value) = pair.unwrap();
        if *key != *keys::MARK && keys::parse_pending(&key).is_none() {
            let names = Names::decode(&value).unwrap();
            let inode = u64::from_be_bytes(key[..].try_into().unwrap());
            led.insert(inode, names.iter().map(|(bucket, name)| (bucket, name.to_owned())).collect());
        }
    }
    assert_eq!(led, said, "names by inode: led to, and said by rows");
    check_pending(snapshot);
    let mut links = BTreeMap::new();
    for names in led.values().filter(|names| names.len() > 1) {
        for (bucket, _) in names.iter().skip(1) {
            *links.entry(*bucket).or_default() += 1;
        }
    }
    links
}

/// Everything in the index that follows from the live entries alone, whichever files they stand in.
pub fn shape(shared: &Shared) -> BTreeMap<(Space, Vec<u8>), String> {
    let snapshot = shared.index.snapshot();
    let mut shape = BTreeMap::new();
    for space in [Space::Current, Space::Versions, Space::Uploads, Space::Buckets, Space::Documents, Space::Extents] {
        for pair in snapshot.prefix(space, &[]) {
            let (key, value) = pair.unwrap();
            if *key == *keys::MARK {
                continue;
            }
            let is_row = match space {
                Space::Current => true,
                Space::Versions => keys::parse_version(&key).unwrap().2 != 0,
                _ => keys::parse_part(&key).is_some() && space == Space::Uploads,
            };
            let text = if is_row {
                let mut row = Row::decode_whole(&value, &*snapshot).unwrap();
                row.home = 0;
                row.amendment.iter_mut().for_each(|amendment| amendment.file = 0);
                row.record.extents.iter_mut().for_each(|extent| (extent.segment, extent.offset) = (0, 0));
                format!("{row:?}")
            } else if space == Space::Extents {
                String::new()
            } else {
                format!("{:?}", packstone_store::index::row::moved(&value, 0))
            };
            shape.insert((space, key.to_vec()), text);
        }
    }
    shape
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
