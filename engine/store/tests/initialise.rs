//! What `initialise` refuses: drives that hold what is locked, for as long as their own compliance clock says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod node;

use std::time::{SystemTime, UNIX_EPOCH};

use node::{Node, close, grant, profile};
use packstone_access::Action;
use packstone_store::configuration::{OBJECT_LOCK, VERSIONING};
use packstone_store::drive::{DirectoryDrive, Superblock};
use packstone_store::object::*;
use packstone_store::recovery::RecoveryError;
use packstone_store::{Store, initialise};

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// Unix seconds.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed()
}

async fn put(store: &Store, attributes: Attributes) {
    let documents =
        [(VERSIONING, Versioning::Enabled.encode().unwrap()), (OBJECT_LOCK, ObjectLock { default: None }.encode())];
    let documents =
        documents.map(|(kind, value)| NewDocument { kind: kind.into(), name: String::new(), value: value.into() });
    store.create_bucket(&grant(Action::CreateBucket, "bkt", ""), documents.to_vec()).await.unwrap();
    let mut writer = store.writer(&grant(Action::PutObject, "bkt", "key"), None, None).unwrap();
    writer.write(b"a fill".as_slice().into()).await.unwrap();
    writer.commit(attributes, Precondition::None).await.unwrap();
}

/// A node that held what was put with these attributes, and doesn't run any more.
async fn held(attributes: Attributes) -> Node {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    put(&store, attributes).await;
    close(&store);
    node
}

fn refusal(node: &Node) -> String {
    match initialise(&node.settings, false) {
        Err(RecoveryError::Operator(message)) => message,
        other => panic!("{other:?}"),
    }
}

fn change(node: &Node, change: impl Fn(&mut Superblock)) {
    for number in 0..4 {
        let drive = DirectoryDrive::open(&node.drive(number)).unwrap();
        let mut superblock = Superblock::load(&drive).unwrap().unwrap();
        change(&mut superblock);
        superblock.store(&drive).unwrap();
    }
}

fn compliance(days: i64) -> Attributes {
    let until = now() + days * DAY;
    Attributes { retention: Some(Retention { mode: Mode::Compliance, until }), ..Attributes::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drive_that_holds_what_is_locked_is_refused() {
    let node = held(compliance(3)).await;
    let message = refusal(&node);
    assert!(message.contains("holds records that are locked until 20"), "{message}");
    // Whatever lies beside the superblock.
    for number in 0..4 {
        std::fs::remove_dir_all(node.drive(number).join("journal")).unwrap();
        std::fs::remove_dir_all(node.drive(number).join("segments")).unwrap();
    }
    assert!(refusal(&node).contains("locked until"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legal_hold_holds_a_drive_for_ever() {
    let node = held(Attributes { legal_hold: true, ..Attributes::default() }).await;
    assert!(refusal(&node).contains("under legal hold"));
}

/// The drive's own clock counts: what is over by the machine's is not by that of an appliance which was off for long.
#[tokio::test(flavor = "multi_thread")]
async fn a_drive_is_judged_by_its_own_clock() {
    let node = held(compliance(3)).await;
    change(&node, |superblock| {
        superblock.retain_until = (now() - DAY) * SECOND;
    });
    assert!(!refusal(&node).contains("locked"), "it is over");
    change(&node, |superblock| {
        if let Some(reading) = &mut superblock.clock {
            reading.time -= 2 * DAY * SECOND;
            (reading.allowance, reading.owed) = (0, 0);
        }
    });
    assert!(refusal(&node).contains("locked until"));
}
