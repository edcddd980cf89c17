//! What a mount sees and does, beside what S3 does to the same objects.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod node;

use node::{BUCKET, Node, body, ready};
use packstone_access::Action;
use packstone_posix::DefaultEncryption;
use packstone_posix::protocol::Change;
use packstone_store::object::{AttributeChange, ListQuery, RenameTerms, VersionQuery};

#[test]
fn what_s3_puts_is_a_file_and_what_is_written_an_object() {
    let (node, mount, bucket) = ready();
    for (at, size) in [0, 1, 70_000, (1 << 20) + 5, 9 << 20].into_iter().enumerate() {
        let content = body(size as u64, size);
        node.put(&format!("day/{at}"), &content);
        let inode = mount.walk(&format!("day/{at}")).unwrap();
        let told = mount.attributes(inode).unwrap();
        assert_eq!((told.size, told.mode & libc::S_IFMT), (size as u64, libc::S_IFREG));
        assert_eq!(mount.content(inode).unwrap(), content);
        mount.put(bucket, &format!("own{at}"), &content);
        assert_eq!(node.get(&format!("own{at}")).unwrap(), content, "{size}");
    }
    assert_eq!(mount.names(bucket), ["day", "own0", "own1", "own2", "own3", "own4"]);
    assert_eq!(mount.names(1), [BUCKET]);
}

#[test]
fn writes_anywhere_make_what_they_should() {
    let (node, mount, bucket) = ready();
    let mut model = body(1, 3_000_000);
    let inode = mount.put(bucket, "file", &model);
    let handle = mount.open(inode, true).unwrap();
    for (seed, offset, length) in [(2, 0, 10), (3, 65_530, 20), (4, 2_999_990, 100), (5, 4_000_000, 70_000)] {
        let piece = body(seed, length);
        mount.write(handle, offset as u64, &piece).unwrap();
        model.resize(model.len().max(offset + length), 0);
        model[offset..offset + length].copy_from_slice(&piece);
        assert_eq!(mount.content(inode).unwrap(), model, "before it is published");
        assert_eq!(mount.attributes(inode).unwrap().size, model.len() as u64);
    }
    mount.publish(handle).unwrap();
    assert_eq!(node.get("file").unwrap(), model);
    for size in [4_050_000, 100_000, 99_999, 200_000, 0, 5] {
        mount.change(inode, Change { size: Some(size), ..Change::default() }).unwrap();
        model.resize(usize::try_from(size).unwrap(), 0);
        assert_eq!(mount.content(inode).unwrap(), model, "{size}");
    }
    mount.write(handle, 3, b"xyz").unwrap();
    mount.release(handle).unwrap();
    assert_eq!(node.get("file").unwrap(), [0, 0, 0, b'x', b'y', b'z']);
    let handle = mount.open_empty(inode).unwrap();
    mount.write(handle, 0, b"new").unwrap();
    mount.release(handle).unwrap();
    assert_eq!(node.get("file").unwrap(), b"new");
    assert_eq!(mount.attributes(inode).unwrap().inode, inode);
}

#[test]
fn a_file_that_is_written_in_order_streams_and_can_be_turned_back_to() {
    let (node, mount, bucket) = ready();
    let mut model = body(7, 12 << 20);
    let (told, handle) = mount.create(bucket, "long", true).unwrap();
    for (at, piece) in model.chunks(1 << 20).enumerate() {
        mount.write(handle, (at << 20) as u64, piece).unwrap();
    }
    assert_eq!(mount.read(handle, 5 << 20, 100).unwrap(), model[5 << 20..(5 << 20) + 100]);
    mount.write(handle, 100, b"turned back").unwrap();
    model[100..111].copy_from_slice(b"turned back");
    mount.write(handle, model.len() as u64, b"end").unwrap();
    model.extend(b"end");
    mount.release(handle).unwrap();
    assert_eq!(node.get("long").unwrap(), model);
    assert_eq!(mount.attributes(told.inode).unwrap().inode, told.inode);
}

#[test]
fn an_append_leaves_what_was_there_where_it_is() {
    let (node, mount, bucket) = ready();
    let inode = mount.put(bucket, "log", b"begin ");
    let handle = mount.open(inode, true).unwrap();
    let mut model = b"begin ".to_vec();
    for line in 0..20u64 {
        let piece = body(line, 50_000);
        mount.write(handle, model.len() as u64, &piece).unwrap();
        mount.publish(handle).unwrap();
        model.extend(piece);
    }
    mount.release(handle).unwrap();
    assert_eq!(node.get("log").unwrap(), model);
    let version = node.store().describe(&node::grant(Action::GetObject, "log"), None).unwrap();
    // What is appended takes up what is no longer than itself, and so on: the pieces are as a number's binary digits.
    assert_eq!(version.parts.iter().sum::<u64>(), model.len() as u64);
    assert!(version.parts.len() <= 6, "{:?}", version.parts);
    assert_eq!(usize::from(version.attributes.etag.parts), version.parts.len());
    assert_eq!(mount.attributes(inode).unwrap().inode, inode);
}

#[test]
fn open_files_keep_their_content_whatever_becomes_of_the_key() {
    let (node, mount, bucket) = ready();
    let old = body(1, 2_000_000);
    let inode = mount.put(bucket, "file", &old);
    let reader = mount.open(inode, false).unwrap();
    node.put("file", b"another");
    assert_ne!(mount.lookup(bucket, "file").unwrap().inode, inode, "an S3 PUT makes another file");
    assert_eq!(mount.read(reader, 1_000_000, 100).unwrap(), old[1_000_000..1_000_100]);
    assert_eq!(mount.attributes(inode).unwrap().links, 0);
    mount.release(reader).unwrap();
    assert_eq!(mount.attributes(inode), Err(libc::ESTALE));

    let inode = mount.walk("file").unwrap();
    let handle = mount.open(inode, true).unwrap();
    mount.unlink(bucket, "file").unwrap();
    assert_eq!(node.get("file"), None);
    mount.write(handle, 7, b" unseen").unwrap();
    assert_eq!(mount.read(handle, 0, 100).unwrap(), b"another unseen");
    assert_eq!(mount.attributes(inode).unwrap().links, 0);
    mount.release(handle).unwrap();
    assert_eq!((node.get("file"), mount.attributes(inode)), (None, Err(libc::ESTALE)));

    let inode = mount.put(bucket, "taken", b"mine");
    let handle = mount.open(inode, true).unwrap();
    let reader = mount.open(inode, false).unwrap();
    mount.write(handle, 0, b"lost").unwrap();
    node.put("taken", b"theirs");
    assert_eq!(mount.publish(reader), Ok(()), "who only reads has lost nothing");
    assert_eq!(mount.publish(handle), Err(libc::ESTALE), "who wrote is told");
    assert_eq!((mount.publish(handle), mount.release(handle)), (Ok(()), Ok(())), "once");
    assert_eq!(mount.read(reader, 0, 9).unwrap(), b"lost");
    assert_eq!(node.get("taken").unwrap(), b"theirs", "a writer never ends what another put");

    let inode = mount.put(bucket, "gone", b"mine");
    let handle = mount.open(inode, true).unwrap();
    mount.write(handle, 0, b"lost").unwrap();
    node.delete("gone");
    assert_eq!(mount.release(handle), Err(libc::ESTALE), "by close, too");
}

#[test]
fn an_open_file_follows_what_s3_renames() {
    let (node, mount, bucket) = ready();
    let inode = mount.put(bucket, "file", b"content");
    let handle = mount.open(inode, true).unwrap();
    mount.write(handle, 0, b"C").unwrap();
    let (from, to) = (node::grant(Action::DeleteObject, "file"), node::grant(Action::PutObject, "renamed"));
    node.run(node.store().rename(&from, &to, RenameTerms::default())).unwrap();
    mount.release(handle).unwrap();
    assert_eq!((node.get("file"), node.get("renamed").unwrap()), (None, b"Content".to_vec()));
    assert_eq!(mount.walk("renamed").unwrap(), inode);
}

#[test]
fn what_streamed_and_has_no_place_is_an_error_and_never_zeros() {
    let (node, mount, bucket) = ready();
    let (_, handle) = mount.create(bucket, "file", true).unwrap();
    for at in 0..6 {
        mount.write(handle, at << 20, &body(at, 1 << 20)).unwrap();
    }
    node.put("file", b"theirs");
    assert_eq!(mount.publish(handle), Err(libc::EIO));
    assert_eq!(mount.read(handle, 0, 10), Err(libc::EIO));
    assert_eq!(mount.write(handle, 6 << 20, b"more"), Err(libc::EIO));
    assert_eq!(mount.release(handle), Err(libc::EIO));
    assert_eq!(node.get("file").unwrap(), b"theirs");
}

#[test]
fn names_are_made_renamed_and_removed() {
    let (node, mount, bucket) = ready();
    let directory = mount.make_directory(bucket, "d").unwrap().inode;
    assert_eq!(mount.make_directory(bucket, "d"), Err(libc::EEXIST));
    assert_eq!(node.get("d/").unwrap(), b"");
    let inode = mount.put(directory, "one", b"1");
    mount.put(directory, "two", b"2");
    assert_eq!(mount.remove_directory(bucket, "d"), Err(libc::ENOTEMPTY));
    assert_eq!(mount.rename((directory, "one"), (directory, "two"), true), Err(libc::EEXIST));
    mount.rename((directory, "one"), (directory, "two"), false).unwrap();
    assert_eq!(mount.lookup(directory, "two").unwrap().inode, inode);
    assert_eq!((node.get("d/one"), node.get("d/two").unwrap()), (None, b"1".to_vec()));
    let handle = mount.open(inode, true).unwrap();
    mount.write(handle, 1, b"+").unwrap();
    mount.rename((directory, "two"), (bucket, "moved"), false).unwrap();
    mount.write(handle, 2, b"+").unwrap();
    mount.release(handle).unwrap();
    assert_eq!(node.get("moved").unwrap(), b"1++");
    assert_eq!(mount.unlink(bucket, "d"), Err(libc::EISDIR));
    assert_eq!(mount.remove_directory(bucket, "moved"), Err(libc::ENOTDIR));
    mount.remove_directory(bucket, "d").unwrap();
    assert_eq!((mount.names(bucket), node.get("d/")), (vec!["moved".to_owned()], None));
}

#[test]
fn a_directory_is_renamed_with_all_that_is_in_it() {
    let (mut node, mount, bucket) = ready();
    node.put("from/deep/one", b"1");
    node.put("from/large", &body(1, 2_000_000));
    let from = mount.walk("from").unwrap();
    let inodes = ["from/deep", "from/deep/one", "from/large"].map(|path| mount.walk(path).unwrap());
    let handle = mount.open(inodes[1], true).unwrap();
    mount.write(handle, 1, b"+").unwrap();
    mount.make_directory(bucket, "to").unwrap();
    assert_eq!(mount.rename((bucket, "from"), (bucket, "to"), true), Err(libc::EEXIST));
    assert_eq!(mount.rename((bucket, "from"), (from, "self"), false), Err(libc::EINVAL));
    mount.rename((bucket, "from"), (bucket, "to"), false).unwrap();
    mount.write(handle, 2, b"+").unwrap();
    mount.release(handle).unwrap();
    assert_eq!((mount.names(bucket), mount.walk("to").unwrap()), (vec!["to".to_owned()], from));
    node.restart_without_index();
    assert_eq!(["to/deep", "to/deep/one", "to/large"].map(|path| mount.walk(path).unwrap()), inodes);
    assert_eq!(
        (node.get("to/deep/one").unwrap(), node.get("to/large").unwrap()),
        (b"1++".to_vec(), body(1, 2_000_000))
    );
    assert_eq!(mount.lookup(inodes[0], "..").unwrap().inode, from);
    mount.make_directory(bucket, "other").unwrap();
    assert_eq!(mount.rename((bucket, "other"), (bucket, "to"), false), Err(libc::ENOTEMPTY));
}

#[test]
fn what_keeps_versions_is_left_to_be_copied() {
    let versioned = Node::new();
    versioned.create_bucket(&[("versioning", &[1])]);
    let mount = versioned.mount();
    let bucket = mount.bucket();
    let directory = mount.make_directory(bucket, "d").unwrap().inode;
    mount.put(directory, "file", b"x");
    assert_eq!(mount.rename((bucket, "d"), (bucket, "e"), false), Err(libc::EXDEV));
}

#[test]
fn a_directory_that_only_keys_tell_of_stays_when_they_go() {
    let (mut node, mount, bucket) = ready();
    node.put("a/b/one", b"1");
    node.put("a/b/two", b"2");
    let (a, b) = (mount.walk("a").unwrap(), mount.walk("a/b").unwrap());
    assert_eq!(mount.lookup(b, "..").unwrap().inode, a);
    assert_eq!(mount.lookup(a, "..").unwrap().inode, bucket);
    node.stop();
    node.start();
    assert_eq!(mount.attributes(b).unwrap().inode, b, "found by a walk");
    mount.unlink(b, "one").unwrap();
    assert_eq!(node.get("a/b/"), None);
    mount.unlink(b, "two").unwrap();
    assert_eq!(node.get("a/b/").unwrap(), b"", "the last one leaves a marker");
    assert_eq!((mount.walk("a/b").unwrap(), mount.names(b).len()), (b, 0));
    node.restart_without_index();
    assert_eq!(mount.attributes(b).unwrap().inode, b);
    mount.remove_directory(a, "b").unwrap();
    assert_eq!(mount.walk("a").unwrap(), a, "and so does removing the last directory");
    node.put("s3/only", b"");
    node.delete("s3/only");
    assert_eq!(mount.walk("s3"), Err(libc::ENOENT), "an S3 DELETE leaves none");
}

#[test]
fn a_directory_hides_a_key_of_its_name() {
    let (node, mount, bucket) = ready();
    for key in ["a", "a!", "a/b", "a//c", "ab", "b", "b.", "b0", "./x", "c/../d", "plain"] {
        node.put(key, b"x");
    }
    assert_eq!(mount.names(bucket), ["a!", "a", "ab", "b", "b.", "b0", "c", "plain"]);
    assert_eq!(mount.names(mount.walk("a").unwrap()), ["b"]);
    assert!(mount.names(mount.walk("c").unwrap()).is_empty());
    assert_eq!(mount.lookup(bucket, "a").unwrap().mode & libc::S_IFMT, libc::S_IFDIR);
}

#[test]
fn listing_goes_on_behind_what_it_gave() {
    let (node, mount, bucket) = ready();
    for at in 0..40 {
        node.put(&format!("{at:02}/x"), b"");
        node.put(&format!("{at:02}f"), b"");
    }
    let names = mount.names(bucket);
    assert_eq!(names.len(), 80);
    let page = mount.list(bucket).unwrap();
    for (at, entry) in page.iter().enumerate() {
        node.put("00/new", b"");
        let request =
            packstone_posix::protocol::Request::List { inode: bucket, after: entry.place.as_bytes(), limit: 1 };
        let next = mount.ask(request, packstone_posix::client::entries).unwrap();
        assert_eq!(next.first().map(|next| &next.name), names.get(at + 1));
    }
}

#[test]
fn what_is_said_of_a_file_stays() {
    let (mut node, mount, bucket) = ready();
    let inode = mount.put(bucket, "file", b"content");
    let change = Change { mode: Some(0o4711), uid: Some(5), gid: None, size: None, mtime: Some(1_000_000_007) };
    mount.change(inode, change).unwrap();
    mount.set_extended(inode, "user.desk", b"fx").unwrap();
    assert_eq!(mount.set_extended(inode, "trusted.x", b""), Err(libc::EOPNOTSUPP));
    assert_eq!(mount.set_extended(inode, "user.s3.etag", b""), Err(libc::EPERM));
    let directory = mount.make_directory(bucket, "d").unwrap().inode;
    mount.change(directory, Change { mode: Some(0o700), ..Change::default() }).unwrap();
    mount.rename((bucket, "file"), (directory, "file"), false).unwrap();
    node.restart_without_index();
    let told = mount.attributes(inode).unwrap();
    assert_eq!((told.mode, told.uid, told.gid, told.mtime), (libc::S_IFREG | 0o4711, 5, 2, 1_000_000_007));
    assert_eq!(mount.extended(inode, "user.desk").unwrap(), b"fx");
    assert_eq!(mount.extended(inode, "user.none"), Err(libc::ENODATA));
    assert_eq!(mount.attributes(directory).unwrap().mode, libc::S_IFDIR | 0o700);
    let handle = mount.open(inode, true).unwrap();
    mount.write(handle, 0, b"C").unwrap();
    let touched = Change { mtime: Some(7), ..Change::default() };
    mount.change(inode, touched).unwrap();
    mount.release(handle).unwrap();
    assert_eq!(mount.attributes(inode).unwrap().mtime, 7, "said after the last write");
    assert_eq!(node.get("d/file").unwrap(), b"Content");
}

#[test]
fn a_directory_that_s3_marked_takes_a_mode() {
    let (mut node, mount, bucket) = ready();
    node.put("d/", b"");
    let directory = mount.lookup(bucket, "d").unwrap();
    assert_eq!(directory.mode, libc::S_IFDIR | 0o755);
    mount.change(directory.inode, Change { mode: Some(0o700), ..Change::default() }).unwrap();
    node.restart_without_index();
    assert_eq!(mount.lookup(bucket, "d").unwrap().mode, libc::S_IFDIR | 0o700);
}

#[test]
fn a_time_may_be_the_epoch() {
    let (mut node, mount, bucket) = ready();
    let file = mount.put(bucket, "file", b"content");
    let directory = mount.make_directory(bucket, "d").unwrap().inode;
    for inode in [file, directory] {
        mount.change(inode, Change { mtime: Some(0), ..Change::default() }).unwrap();
    }
    node.restart_without_index();
    assert_eq!((mount.attributes(file).unwrap().mtime, mount.attributes(directory).unwrap().mtime), (0, 0));
    mount.put(directory, "name", b"");
    assert!(mount.attributes(directory).unwrap().mtime > 0);
}

#[test]
fn a_directory_keeps_its_time_whatever_changes_in_directories_below() {
    let (node, mount, bucket) = ready();
    let above = mount.make_directory(bucket, "d").unwrap().inode;
    let below = mount.make_directory(above, "e").unwrap().inode;
    let mut ctime = 0;
    let mut expect_kept = || {
        let told = mount.attributes(above).unwrap();
        assert_eq!(told.mtime, 7);
        assert!(told.ctime > ctime, "clients that keep names look again");
        ctime = told.ctime;
    };
    mount.change(above, Change { mtime: Some(7), ..Change::default() }).unwrap();
    expect_kept();
    mount.put(below, "one", b"1");
    // Above it that counts once it is there.
    assert!(node.get("d/e/one").is_some());
    expect_kept();
    mount.rename((below, "one"), (below, "two"), false).unwrap();
    expect_kept();
    mount.unlink(below, "two").unwrap();
    expect_kept();
    mount.change(below, Change { mtime: Some(8), ..Change::default() }).unwrap();
    mount.rename((bucket, "d"), (bucket, "moved"), false).unwrap();
    expect_kept();
    assert_eq!(mount.attributes(below).unwrap().mtime, 8, "what it holds it held before");
    node.put("moved/file", b"what S3 puts is a name in it");
    let mtime = mount.attributes(above).unwrap().mtime;
    assert!(mtime > 7);
    node.delete("moved/file");
    assert!(mount.attributes(above).unwrap().mtime > mtime);
}

#[test]
fn a_locked_version_is_not_touched() {
    let node = Node::new();
    node.create_bucket(&[("versioning", &[1]), ("object-lock", &[0])]);
    let mount = node.mount();
    let bucket = mount.bucket();
    let inode = mount.put(bucket, "kept", b"kept");
    let hold = AttributeChange::LegalHold(true);
    node.run(node.store().amend(&node::grant(Action::PutObjectLegalHold, "kept"), None, hold, None)).unwrap();
    assert_eq!(mount.open(inode, true), Err(libc::EPERM));
    assert_eq!(mount.unlink(bucket, "kept"), Err(libc::EPERM));
    assert_eq!(mount.rename((bucket, "kept"), (bucket, "away"), false), Err(libc::EPERM));
    mount.put(bucket, "other", b"");
    let directory = mount.make_directory(bucket, "d").unwrap().inode;
    mount.put(directory, "kept", b"kept");
    let hold = AttributeChange::LegalHold(true);
    node.run(node.store().amend(&node::grant(Action::PutObjectLegalHold, "d/kept"), None, hold, None)).unwrap();
    assert_eq!(mount.rename((bucket, "d"), (bucket, "e"), false), Err(libc::EPERM));
    assert_eq!(mount.rename((bucket, "other"), (bucket, "kept"), false), Err(libc::EPERM));
    for change in [
        Change { mode: Some(0o600), ..Change::default() },
        Change { size: Some(0), ..Change::default() },
        Change { mtime: Some(1), ..Change::default() },
    ] {
        assert_eq!(mount.change(inode, change), Err(libc::EPERM));
    }
    assert_eq!(mount.set_extended(inode, "user.x", b""), Err(libc::EPERM));
    assert_eq!(mount.extended(inode, "user.s3.legal-hold").unwrap(), b"ON");
    assert_eq!(mount.content(inode).unwrap(), b"kept");
}

#[test]
fn one_opening_leaves_one_version() {
    let node = Node::new();
    node.create_bucket(&[("versioning", &[1])]);
    let mount = node.mount();
    let (told, handle) = mount.create(mount.bucket(), "file", true).unwrap();
    for round in 0..4u64 {
        mount.write(handle, round, b"x").unwrap();
        mount.publish(handle).unwrap();
    }
    mount.release(handle).unwrap();
    let versions = || {
        let query = VersionQuery { limit: 100, ..VersionQuery::default() };
        node.store().list_versions(&node::grant(Action::ListBucketVersions, ""), &query).unwrap().entries.len()
    };
    assert_eq!((versions(), node.get("file").unwrap()), (1, b"xxxx".to_vec()));
    let handle = mount.open(told.inode, true).unwrap();
    mount.write(handle, 0, b"y").unwrap();
    mount.publish(handle).unwrap();
    mount.write(handle, 1, b"y").unwrap();
    mount.release(handle).unwrap();
    assert_eq!((versions(), node.get("file").unwrap()), (2, b"yyxx".to_vec()));
    mount.unlink(mount.bucket(), "file").unwrap();
    assert_eq!(versions(), 3, "a delete marker");
}

#[test]
fn what_a_bucket_encrypts_is_encrypted() {
    for rule in [DefaultEncryption::Managed, DefaultEncryption::Kms { key: "aws-s3".into(), bucket_key: true }] {
        let node = Node::encrypting(rule);
        node.create_bucket(&[]);
        let mount = node.mount();
        for size in [0, 100, 6 << 20] {
            let content = body(3, size);
            let inode = mount.put(mount.bucket(), &format!("f{size}"), &content);
            let handle = mount.open(inode, true).unwrap();
            mount.write(handle, size as u64, b"more").unwrap();
            mount.release(handle).unwrap();
            let key = format!("f{size}");
            assert_eq!(node.get(&key).unwrap(), [&content[..], b"more"].concat());
            let version = node.store().describe(&node::grant(Action::GetObject, &key), None).unwrap();
            assert!(version.attributes.encryption.is_some());
        }
    }
    let node = Node::encrypting(DefaultEncryption::Unreadable);
    node.create_bucket(&[]);
    let mount = node.mount();
    assert_eq!(mount.create(mount.bucket(), "f", true).map(|_| ()), Err(libc::EIO));
}

#[test]
fn a_mount_that_dies_leaves_what_it_wrote_and_a_node_that_dies_what_was_synced() {
    let (mut node, mount, bucket) = ready();
    let (_, handle) = mount.create(bucket, "left", true).unwrap();
    mount.write(handle, 0, b"written").unwrap();
    drop(mount);
    let mount = node.mount();
    let begun = std::time::Instant::now();
    while node.get("left").unwrap() != b"written" {
        assert!(begun.elapsed().as_secs() < 10);
        std::thread::yield_now();
    }
    let (told, handle) = mount.create(bucket, "synced", true).unwrap();
    mount.write(handle, 0, b"synced").unwrap();
    mount.publish(handle).unwrap();
    node.restart_without_index();
    assert_eq!(mount.content(told.inode).unwrap(), b"synced");
    assert_eq!(mount.write(handle, 0, b"x"), Err(libc::EBADF), "what was open before is open no more");
    let all = node.store().list(&node::grant(Action::ListBucket, ""), &ListQuery { limit: 9, ..ListQuery::default() });
    assert_eq!(all.unwrap().entries.len(), 2);
}

#[test]
fn a_directory_that_comes_again_where_one_was_renamed_is_another() {
    let (mut node, mount, bucket) = ready();
    node.put("a/x", b"first");
    let renamed = mount.walk("a").unwrap();
    mount.rename((bucket, "a"), (bucket, "b"), false).unwrap();
    node.put("a/x", b"second");
    for lost in [false, true] {
        if lost {
            node.restart_without_index();
        }
        let again = mount.walk("a").unwrap();
        assert_eq!(mount.walk("b").unwrap(), renamed);
        assert_ne!(again, renamed);
        assert_eq!(mount.content(mount.walk("a/x").unwrap()).unwrap(), b"second");
    }
    mount.unlink(mount.walk("a").unwrap(), "x").unwrap();
    assert_eq!((node.get("a/x"), node.get("b/x")), (None, Some(b"first".to_vec())));
}

#[test]
fn what_s3_appends_is_another_file() {
    let (node, mount, bucket) = ready();
    let inode = mount.put(bucket, "log", b"mine");
    let reader = mount.open(inode, false).unwrap();
    node.append("log", 4, b", theirs");
    let other = mount.lookup(bucket, "log").unwrap().inode;
    assert_ne!(other, inode);
    assert_eq!(mount.content(other).unwrap(), b"mine, theirs");
    let handle = mount.open(other, true).unwrap();
    mount.write(handle, 12, b", mine").unwrap();
    mount.release(handle).unwrap();
    assert_eq!(node.get("log").unwrap(), b"mine, theirs, mine");
    assert_eq!(mount.read(reader, 0, 100).unwrap(), b"mine");
}

#[test]
fn versions_of_earlier_writers_stay_while_somebody_reads() {
    let node = Node::new();
    node.create_bucket(&[("versioning", &[1])]);
    let mount = node.mount();
    let inode = mount.put(mount.bucket(), "file", b"0");
    let _reader = mount.open(inode, false).unwrap();
    for round in 1..4u64 {
        let handle = mount.open(inode, true).unwrap();
        mount.write(handle, 0, round.to_string().as_bytes()).unwrap();
        mount.release(handle).unwrap();
        let query = VersionQuery { limit: 100, ..VersionQuery::default() };
        let listed = node.store().list_versions(&node::grant(Action::ListBucketVersions, ""), &query).unwrap();
        assert_eq!(listed.entries.len() as u64, round + 1);
    }
}

#[test]
fn a_question_about_a_new_file_makes_it_and_ends_nothing() {
    let (node, mount, bucket) = ready();
    for size in [0, 1000, 6 << 20] {
        let (first, last) = (body(1, size), body(2, 6 << 20));
        let name = format!("file{size}");
        let (told, handle) = mount.create(bucket, &name, true).unwrap();
        write_all(&mount, handle, 0, &first);
        assert_eq!(node.get(&name).unwrap(), b"", "open, and not synced");
        assert_eq!(mount.lookup(bucket, &name).unwrap().inode, told.inode);
        assert_eq!(mount.attributes(told.inode).unwrap().size, size as u64);
        write_all(&mount, handle, size as u64, &last);
        mount.release(handle).unwrap();
        assert_eq!(node.get(&name).unwrap(), [first, last].concat());
        assert_eq!(mount.walk(&name).unwrap(), told.inode);
    }
}

#[test]
fn what_is_closed_is_as_old_as_it_was_written() {
    let (node, mount, bucket) = ready();
    let files: Vec<u64> = (0..50).map(|number| mount.put(bucket, &format!("{number}"), b"tick")).collect();
    let times = || -> Vec<_> {
        let told = files.iter().map(|inode| mount.attributes(*inode).unwrap());
        told.map(|told| (told.mtime, told.ctime)).collect()
    };
    let told = times();
    assert!(told.is_sorted());
    node.store();
    assert_eq!(times(), told);
    let (open, _) = mount.create(bucket, "open", true).unwrap();
    node.store();
    assert_eq!(mount.attributes(open.inode).unwrap().ctime, open.ctime, "to be made is no change");
}

fn write_all(mount: &node::Mount, handle: u64, offset: u64, content: &[u8]) {
    for (at, piece) in content.chunks(1 << 20).enumerate() {
        mount.write(handle, offset + ((at as u64) << 20), piece).unwrap();
    }
}

#[test]
fn what_s3_puts_over_an_open_file_leaves_it_to_be_asked_about() {
    let (node, mount, bucket) = ready();
    let inode = mount.put(bucket, "file", b"tick");
    let handle = mount.open(inode, false).unwrap();
    node.put("file", b"another");
    let told = mount.attributes(inode).unwrap();
    assert_eq!((told.inode, told.size, told.links), (inode, 4, 0));
    assert_eq!(mount.read(handle, 0, 100).unwrap(), b"tick");
    mount.release(handle).unwrap();
    assert_eq!(mount.attributes(inode), Err(libc::ESTALE));
}
