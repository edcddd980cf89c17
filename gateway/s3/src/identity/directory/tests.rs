#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::FutureExt;

use super::*;
use crate::identity::{Class, MasterKey, Own};
use crate::trial_store::store;

fn group(name: &str) -> Record {
    Record {
        id: format!("AGPA{name}"),
        path: "/".into(),
        name: name.into(),
        created: 1,
        tags: BTreeMap::new(),
        inline: BTreeMap::new(),
        attached: BTreeSet::new(),
        boundary: None,
        own: Own::Group,
    }
}

#[tokio::test]
async fn a_change_whose_asker_hangs_up_comes_into_force_all_the_same() {
    let scratch = tempfile::tempdir().unwrap();
    let ring = KeyRing::new("root", "root-secret", Arc::new(MasterKey::new(&[7; 32]).unwrap()));
    let directory = Directory::open(store(&scratch), ring).unwrap();
    let change = directory.change(|_| Ok::<_, DirectoryError>((Change::Put(Box::new(group("desk"))), ())));
    assert!(change.now_or_never().is_none(), "it waits for the drives");
    let in_force = async {
        while directory.ring().records().named(Class::Group, "desk").is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), in_force).await.unwrap();
    // And the next change begins with it.
    let next = directory.change(|records| {
        assert!(records.named(Class::Group, "desk").is_some());
        Ok::<_, DirectoryError>((Change::Put(Box::new(group("floor"))), ()))
    });
    next.await.unwrap();
    assert!(directory.ring().records().named(Class::Group, "desk").is_some());
}
