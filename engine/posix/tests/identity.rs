//! Who may do what on a mount: every verb asks the policies of whose uid it is, and does nothing where they deny.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod node;

use node::desk::{allow, deny};
use node::{BUCKET, MAKER, Mount, Node};
use packstone_posix::protocol::{Change, Request};
use packstone_posix::{DefaultEncryption, client};
use packstone_store::object::DEFAULT_KMS_KEY;

const ALICE: u32 = 1001;
const NOBODY: u32 = 4711;
const DENIED: i32 = libc::EACCES;

/// A bucket with a file and a directory in each of two places, and Alice, who may do all in `open` and nothing in `shut`.
fn node() -> Node {
    let node = Node::new();
    node.create_bucket(&[]);
    for place in ["open", "shut"] {
        node.put(&format!("{place}/file"), place.as_bytes());
        node.put(&format!("{place}/below/file"), b"below");
    }
    let listing = format!(
        r#"{{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:ListBucketVersions"], "Resource": "arn:aws:s3:::{BUCKET}",
            "Condition": {{"StringLike": {{"s3:prefix": ["", "open/*"]}}}}}}"#
    );
    node.desk.give("alice", Some(ALICE), &[allow("s3:*", &format!("{BUCKET}/open/*")), listing]);
    node
}

fn open_as(mount: &Mount, inode: u64, read: bool, write: bool) -> Result<u64, i32> {
    let request = Request::Open { inode, read, write, empty: false };
    mount.ask(request, client::opened).map(|(_, handle)| handle)
}

/// Every way to change something at or below a directory.
fn ways(root: &Mount, mount: &Mount, directory: u64) -> Vec<(&'static str, Result<(), i32>)> {
    let file = root.lookup(directory, "file").unwrap().inode;
    let below = root.lookup(directory, "below").unwrap().inode;
    let change = |inode, change| mount.change(inode, change).map(drop);
    let link = Request::Link { parent: directory, name: b"symbolic", target: b"file", maker: MAKER };
    let remove = Request::RemoveExtended { inode: file, name: b"user.x" };
    vec![
        ("create", mount.create(directory, "new", true).map(|(_, handle)| mount.release(handle).unwrap())),
        ("mkdir", mount.make_directory(directory, "made").map(drop)),
        ("symlink", mount.ask(link, client::attributes).map(drop)),
        ("link", mount.hard_link(file, directory, "linked").map(drop)),
        ("unlink", mount.unlink(directory, "linked")),
        ("chmod", change(file, Change { mode: Some(0o600), ..Change::default() })),
        ("chown", change(file, Change { uid: Some(5), ..Change::default() })),
        ("touch", change(file, Change { mtime: Some(7), ..Change::default() })),
        ("truncate", change(file, Change { size: Some(1), ..Change::default() })),
        ("chmod of a directory", change(below, Change { mode: Some(0o700), ..Change::default() })),
        ("setxattr", mount.set_extended(file, "user.x", b"1")),
        ("removexattr", mount.ask(remove, client::done)),
        ("open to write", open_as(mount, file, false, true).map(|handle| mount.release(handle).unwrap())),
        ("open to empty", mount.open_empty(file).map(|handle| mount.release(handle).unwrap())),
        ("rename", mount.rename((directory, "file"), (directory, "renamed"), false)),
        ("rename of a directory", mount.rename((directory, "below"), (directory, "moved"), false)),
        ("rmdir", mount.remove_directory(directory, "made")),
    ]
}

#[test]
fn what_is_denied_is_not_done_and_what_is_allowed_is() {
    let node = node();
    let root = node.mount();
    // What ends with nothing where the one before it was refused.
    let shut = root.walk("shut").unwrap();
    let file = root.walk("shut/file").unwrap();
    root.hard_link(file, shut, "linked").unwrap();
    root.make_directory(shut, "made").unwrap();
    root.set_extended(file, "user.x", b"0").unwrap();
    let before: Vec<_> = root.list(shut).unwrap();
    for (way, outcome) in ways(&root, &root.by(ALICE), shut) {
        assert_eq!(outcome, Err(DENIED), "{way}");
    }
    assert_eq!(root.list(shut).unwrap(), before);
    assert_eq!(root.content(file).unwrap(), b"shut");
    let open = root.walk("open").unwrap();
    for (way, outcome) in ways(&root, &root.by(ALICE), open) {
        assert_eq!(outcome, Ok(()), "{way}");
    }
    for (way, outcome) in ways(&root, &root, shut) {
        let there = [("link", libc::EEXIST), ("mkdir", libc::EEXIST)].into_iter().find(|(held, _)| *held == way);
        assert_eq!(outcome, there.map_or(Ok(()), |(_, errno)| Err(errno)), "{way}");
    }
}

#[test]
fn reading_and_writing_are_asked_for_apart_and_when_a_file_is_opened() {
    let node = node();
    let (root, alice) = (node.mount(), node.mount().by(ALICE));
    let file = root.walk("open/file").unwrap();
    let key = format!("{BUCKET}/open/file");
    let outcomes =
        || [(true, false), (false, true), (true, true)].map(|(read, write)| open_as(&alice, file, read, write));
    node.desk.give("alice", Some(ALICE), &[allow("s3:GetObject", &key)]);
    let [read, write, both] = outcomes();
    assert_eq!((write, both), (Err(DENIED), Err(DENIED)));
    let reader = read.unwrap();
    assert_eq!(alice.write(reader, 0, b"x"), Err(libc::EBADF));
    node.desk.give("alice", Some(ALICE), &[allow("s3:PutObject", &key)]);
    let [read, write, both] = outcomes();
    assert_eq!((read, both), (Err(DENIED), Err(DENIED)));
    let writer = write.unwrap();
    assert_eq!(alice.read(writer, 0, 4), Err(libc::EBADF));
    // What was opened goes on, whatever becomes of the policies; nothing else does.
    node.desk.give("alice", Some(ALICE), &[]);
    assert_eq!(alice.read(reader, 0, 4).unwrap(), b"open");
    alice.write(writer, 0, b"OPEN and more").unwrap();
    let shorter = Change { size: Some(4), ..Change::default() };
    let by_handle = |handle, change| alice.ask(Request::Change { inode: file, handle, change }, client::attributes);
    assert_eq!(by_handle(Some(writer), shorter).unwrap().size, 4);
    for (handle, change) in [
        (None, shorter),
        (Some(reader), shorter),
        (Some(writer), Change { mode: Some(0o777), ..shorter }),
        (Some(writer + 100), shorter),
    ] {
        assert_eq!(by_handle(handle, change), Err(DENIED), "{handle:?} {change:?}");
    }
    alice.release(writer).unwrap();
    assert_eq!(node.get("open/file").unwrap(), b"OPEN");
    assert_eq!(alice.open(file, false), Err(DENIED));
    // A handle of one file says nothing of another.
    node.desk.give("alice", Some(ALICE), &[allow("s3:PutObject", &key)]);
    let (writer, other) = (open_as(&alice, file, false, true).unwrap(), root.walk("shut/file").unwrap());
    let change = Request::Change { inode: other, handle: Some(writer), change: shorter };
    assert_eq!(alice.ask(change, client::attributes), Err(DENIED));
}

#[test]
fn names_are_told_to_who_may_do_anything_with_the_key() {
    let node = node();
    let (root, alice) = (node.mount(), node.mount().by(ALICE));
    let (open, shut) = (root.walk("open").unwrap(), root.walk("shut").unwrap());
    assert!(alice.lookup(open, "file").is_ok());
    assert_eq!(alice.lookup(open, "absent"), Err(libc::ENOENT));
    // Not even whether it is there.
    for name in ["file", "absent"] {
        assert_eq!(alice.lookup(shut, name), Err(DENIED), "{name}");
    }
    assert!(alice.lookup(shut, "below").is_ok(), "directories are told to all");
    assert_eq!(alice.list(shut), Err(DENIED));
    assert_eq!(alice.names(open), ["below", "file"]);
    assert_eq!(alice.names(root.bucket()), ["open", "shut"]);
    assert_eq!(alice.list(1), Err(DENIED), "the buckets' names are an action of their own");
    let key = format!("{BUCKET}/shut/file");
    for action in ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"] {
        node.desk.give("alice", Some(ALICE), &[allow(action, &key)]);
        assert!(alice.lookup(shut, "file").is_ok(), "{action}");
        assert_eq!(alice.lookup(shut, "other"), Err(DENIED), "{action}");
        assert_eq!(alice.list(shut), Err(DENIED), "{action}");
    }
    for prefix in ["shut/", "shut/file"] {
        let condition = format!(
            r#"{{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::{BUCKET}",
                "Condition": {{"StringEquals": {{"s3:prefix": "{prefix}"}}}}}}"#
        );
        node.desk.give("alice", Some(ALICE), &[condition]);
        assert!(alice.lookup(shut, "file").is_ok(), "{prefix}");
        assert_eq!(alice.list(shut).is_ok(), prefix.ends_with('/'), "{prefix}");
    }
    // What a directory is to be made of is free.
    node.desk.give("alice", Some(ALICE), &[allow("s3:PutObject", &format!("{BUCKET}/shut/mine/*"))]);
    assert_eq!(alice.lookup(shut, "mine"), Err(libc::ENOENT));
    alice.make_directory(shut, "mine").unwrap();
    assert_eq!(alice.lookup(shut, "yours"), Err(DENIED));
}

#[test]
fn nothing_comes_by_a_rename_or_a_link_to_where_more_is_allowed() {
    let node = node();
    let (root, alice) = (node.mount(), node.mount().by(ALICE));
    let (open, shut) = (root.walk("open").unwrap(), root.walk("shut").unwrap());
    let file = root.walk("shut/file").unwrap();
    let (from, to) = (format!("{BUCKET}/shut/*"), format!("{BUCKET}/open/*"));
    for (actions, may) in [
        ("s3:DeleteObject", false),
        ("s3:GetObject", false),
        ("s3:GetObject s3:PutObject", false),
        ("s3:GetObject s3:DeleteObject", true),
    ] {
        node.desk.give("alice", Some(ALICE), &[allow("s3:*", &to), allow(actions, &from)]);
        for (at, name) in [(shut, "file"), (shut, "below")] {
            let moved = alice.rename((at, name), (open, "taken"), false);
            assert_eq!(moved, if may { Ok(()) } else { Err(DENIED) }, "{actions} {name}");
            if may {
                root.rename((open, "taken"), (shut, name), false).unwrap();
            }
        }
        let linked = alice.hard_link(file, open, "linked");
        let may = actions == "s3:GetObject s3:PutObject";
        assert_eq!(linked.map(drop), if may { Ok(()) } else { Err(DENIED) }, "{actions}");
        if may {
            alice.unlink(open, "linked").unwrap();
        }
    }
    // One key that stays keeps all where they are, and so does one that may not come.
    let one = [allow("s3:*", &format!("{BUCKET}/*")), deny("s3:DeleteObject", &format!("{BUCKET}/shut/below/file"))];
    node.desk.give("alice", Some(ALICE), &one);
    let bucket = root.bucket();
    assert_eq!(alice.rename((bucket, "shut"), (open, "shut"), false), Err(DENIED));
    let other = [allow("s3:*", &format!("{BUCKET}/*")), deny("s3:PutObject", &format!("{BUCKET}/open/shut/below/*"))];
    node.desk.give("alice", Some(ALICE), &other);
    assert_eq!(alice.rename((bucket, "shut"), (open, "shut"), false), Err(DENIED));
    assert_eq!(root.names(shut), ["below", "file"]);
    assert_eq!(node.get("shut/below/file").unwrap(), b"below");
}

#[test]
fn a_file_with_several_names_is_changed_by_who_may_change_each() {
    let node = node();
    let (root, alice) = (node.mount(), node.mount().by(ALICE));
    let (open, file) = (root.walk("open").unwrap(), root.walk("shut/file").unwrap());
    root.hard_link(file, open, "shared").unwrap();
    assert_eq!(alice.lookup(open, "shared").unwrap().inode, file);
    // It is read under any of its names, as S3 would read it.
    assert_eq!(alice.content(file).unwrap(), b"shut");
    assert_eq!(alice.open(file, true), Err(DENIED));
    assert_eq!(alice.change(file, Change { mode: Some(0o777), ..Change::default() }), Err(DENIED));
    assert_eq!(alice.set_extended(file, "user.x", b"1"), Err(DENIED));
    alice.unlink(open, "shared").unwrap();
    assert_eq!(alice.open(file, false), Err(DENIED));
    assert_eq!(node.get("shut/file").unwrap(), b"shut");
}

#[test]
fn buckets_are_made_listed_and_removed_by_who_may() {
    let node = node();
    let (root, alice) = (node.mount(), node.mount().by(ALICE));
    let mine = |name: &str| alice.make_directory(1, name).map(drop);
    assert_eq!(mine("alices"), Err(DENIED));
    node.desk.give("alice", Some(ALICE), &[allow("s3:CreateBucket", "alices"), allow("s3:ListAllMyBuckets", "*")]);
    assert_eq!((mine("alices"), mine("others")), (Ok(()), Err(DENIED)));
    assert_eq!(alice.names(1), ["alices", BUCKET]);
    assert_eq!(alice.remove_directory(1, "alices"), Err(DENIED));
    assert_eq!(root.names(1), ["alices", BUCKET]);
    node.desk.give("alice", Some(ALICE), &[allow("s3:DeleteBucket", "alices")]);
    assert_eq!(alice.remove_directory(1, "alices"), Ok(()));
}

#[test]
fn a_uid_is_a_users_or_the_mounts_credential() {
    let node = node();
    node.desk.give("bob", None, &[allow("s3:GetObject", &format!("{BUCKET}/shut/file"))]);
    let file = node.mount().walk("shut/file").unwrap();
    let (mount, bobs) = (node.mount(), node.mount_for("bob"));
    let reads = |mount: &Mount| mount.open(file, false).map(|handle| mount.release(handle).unwrap());
    let writes = |mount: &Mount| mount.open(file, true).map(|handle| mount.release(handle).unwrap());
    for uid in [0, NOBODY] {
        assert_eq!((reads(&mount.by(uid)), writes(&mount.by(uid))), (Ok(()), Ok(())), "{uid}");
        assert_eq!((reads(&bobs.by(uid)), writes(&bobs.by(uid))), (Ok(()), Err(DENIED)), "{uid}");
    }
    for mount in [&mount, &bobs] {
        assert_eq!(reads(&mount.by(ALICE)), Err(DENIED));
    }
    // Nobody is made root by a uid that is said to be a user's.
    node.desk.give("zero", Some(0), &[]);
    assert_eq!(writes(&mount), Ok(()));
    // Two who claim one uid: nobody knows who asks.
    node.desk.give("mallory", Some(ALICE), &[allow("s3:*", "*")]);
    assert_eq!(reads(&mount.by(ALICE)), Err(DENIED));
    assert_eq!(mount.by(ALICE).lookup(1, BUCKET), Err(DENIED));
    node.desk.remove("bob");
    assert_eq!(reads(&bobs), Err(DENIED));
    assert_eq!(bobs.lookup(1, BUCKET), Err(DENIED));
}

#[test]
fn a_bucket_that_denies_everybody_denies_root_too() {
    let node = node();
    let root = node.mount();
    let file = root.walk("shut/file").unwrap();
    node.desk.say_of_bucket(
        BUCKET,
        &format!(
            r#"{{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::{BUCKET}/*"}}"#
        ),
    );
    assert_eq!(root.open(file, false), Err(DENIED));
    let writer = open_as(&root, file, false, true).unwrap();
    root.write(writer, 0, b"over").unwrap();
    root.release(writer).unwrap();
    assert_eq!(node.get("shut/file").unwrap(), b"over");
}

#[test]
fn what_s3_says_of_an_object_is_told_to_who_may_ask_s3() {
    let node = node();
    let (root, alice) = (node.mount(), node.mount().by(ALICE));
    let file = root.walk("open/file").unwrap();
    root.set_extended(file, "user.own", b"1").unwrap();
    let list = |mount: &Mount| mount.ask(Request::ListExtended { inode: file }, client::names);
    node.tag("open/file", "desk", "fx");
    let key = format!("{BUCKET}/open/file");
    assert_eq!(list(&root).unwrap(), ["user.own", "user.s3.tag.desk"]);
    node.desk.give("alice", Some(ALICE), &[allow("s3:GetObject", &key)]);
    assert_eq!(list(&alice).unwrap(), ["user.own"]);
    assert_eq!(alice.extended(file, "user.s3.tag.desk"), Err(DENIED));
    assert_eq!(alice.extended(file, "user.s3.tag.absent"), Err(libc::ENODATA));
    node.desk.give("alice", Some(ALICE), &[allow("s3:GetObject s3:GetObjectTagging", &key)]);
    assert_eq!(alice.extended(file, "user.s3.tag.desk").unwrap(), b"fx");
    node.desk.give("alice", Some(ALICE), &[allow("s3:PutObject s3:GetObjectTagging", &key)]);
    assert_eq!((list(&alice), alice.extended(file, "user.own")), (Err(DENIED), Err(DENIED)));
}

#[test]
fn what_stands_under_a_key_of_the_kms_takes_leave_for_it() {
    let node = Node::encrypting(DefaultEncryption::Kms { key: DEFAULT_KMS_KEY.into(), bucket_key: false });
    node.create_bucket(&[]);
    let (root, alice) = (node.mount(), node.mount().by(ALICE));
    let bucket = root.bucket();
    let file = root.put(bucket, "file", b"encrypted");
    let link = Request::Link { parent: bucket, name: b"symbolic", target: b"file", maker: MAKER };
    let link = root.ask(link, client::attributes).unwrap().inode;
    let (keys, all) = (format!("keys/{DEFAULT_KMS_KEY}"), allow("s3:*", &format!("{BUCKET} {BUCKET}/*")));
    let reads = || {
        let list = alice.ask(Request::ListExtended { inode: file }, client::names).map(drop);
        let opened = open_as(&alice, file, true, false).map(|handle| alice.release(handle).unwrap());
        [list, opened, alice.ask(Request::ReadLink { inode: link }, client::bytes).map(drop)]
    };
    let writes = |suffix: &str| {
        let opened = open_as(&alice, file, false, true).map(|handle| alice.release(handle).unwrap());
        let made = alice.create(bucket, &format!("new-{suffix}"), true);
        let target = Request::Link { parent: bucket, name: suffix.as_bytes(), target: b"t", maker: MAKER };
        [
            opened,
            alice.change(file, Change { size: Some(3), ..Change::default() }).map(drop),
            made.map(|(_, handle)| alice.release(handle).unwrap()),
            alice.make_directory(bucket, &format!("folder-{suffix}")).map(drop),
            alice.ask(target, client::attributes).map(drop),
        ]
    };
    node.desk.give("alice", Some(ALICE), std::slice::from_ref(&all));
    assert_eq!((reads(), writes("a")), ([Err(DENIED); 3], [Err(DENIED); 5]));
    assert!(alice.lookup(bucket, "file").is_ok());
    node.desk.give("alice", Some(ALICE), &[all.clone(), allow("kms:Decrypt", &keys)]);
    assert_eq!((reads(), writes("b")), ([Ok(()); 3], [Err(DENIED); 5]));
    node.desk.give("alice", Some(ALICE), &[all, allow("kms:GenerateDataKey", &keys)]);
    assert_eq!((reads(), writes("c")), ([Err(DENIED); 3], [Ok(()); 5]));
}

#[test]
fn a_symbolic_link_is_followed_by_who_may_read_it() {
    let node = node();
    let (root, alice) = (node.mount(), node.mount().by(ALICE));
    for (place, outcome) in [("open", Ok(b"there".to_vec())), ("shut", Err(DENIED))] {
        let parent = root.walk(place).unwrap();
        let request = Request::Link { parent, name: b"symbolic", target: b"there", maker: MAKER };
        let inode = root.ask(request, client::attributes).unwrap().inode;
        assert_eq!(alice.ask(Request::ReadLink { inode }, client::bytes), outcome, "{place}");
    }
}

#[test]
fn views_are_for_who_may_read_versions() {
    let node = node();
    node.put(".keys/apart", b"apart");
    node.enable_versioning();
    node.put("open/file", b"second");
    let (root, alice) = (node.mount(), node.mount().by(ALICE));
    let versions = |mount: &Mount, key: &str| mount.walk(&format!(".versions/{key}")).and_then(|at| mount.list(at));
    let of_open = versions(&root, "open/file").unwrap();
    let of_shut = versions(&root, "shut/file").unwrap();
    assert_eq!((of_open.len(), of_shut.len()), (2, 1));
    assert_eq!(versions(&alice, "open/file").unwrap(), of_open);
    let read = |mount: &Mount, inode: u64| mount.content(inode);
    assert_eq!(read(&alice, of_open.last().unwrap().attributes.inode).unwrap(), b"open");
    assert_eq!(read(&alice, of_shut.last().unwrap().attributes.inode), Err(DENIED));
    assert_eq!(versions(&alice, "shut/file"), Err(DENIED));
    assert_eq!(versions(&alice, "shut/absent"), Err(DENIED));
    assert_eq!(versions(&alice, "open/absent"), Err(libc::ENOENT));
    assert!(alice.walk(".versions/shut").is_ok(), "a directory is told to all");
    assert!(alice.walk(".versions/shut/below").is_ok());
    let keys = root.walk(".keys").unwrap();
    assert_eq!(alice.list(keys), Err(DENIED));
    for name in [".keys%2Fapart", "no%2F%2Fsuch"] {
        assert_eq!(alice.lookup(keys, name), Err(DENIED), "{name}");
    }
    let apart = root.lookup(keys, ".keys%2Fapart").unwrap().inode;
    assert_eq!(read(&alice, apart), Err(DENIED));
    node.desk.give("alice", Some(ALICE), &[allow("s3:GetObject", &format!("{BUCKET}/.keys/*"))]);
    assert_eq!(read(&alice, alice.lookup(keys, ".keys%2Fapart").unwrap().inode).unwrap(), b"apart");
}
