//! A node on directories of a scratch folder, and short ways to its verbs.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use packstone_access::{Action, Actor, Grant, Resource, authorise};
use packstone_store::crypto::MasterSecret;
use packstone_store::object::*;
use packstone_store::pool::{DriveClass, Profile};
use packstone_store::recovery::Progress;
use packstone_store::recovery::drives::PoolSettings;
use packstone_store::{Result, Settings, Store, initialise};

pub struct Node {
    pub scratch: tempfile::TempDir,
    pub settings: Settings,
}

pub fn profile(data: u8, parity: u8) -> Profile {
    Profile { data, parity }
}

impl Node {
    pub fn new(profile: Profile) -> Self {
        let node = Self::bare(profile, profile.shards());
        initialise(&node.settings, profile.parity == 0).unwrap();
        node
    }

    /// One of so many drives, not initialised yet.
    pub fn bare(profile: Profile, drives: usize) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let drives: Vec<PathBuf> = (0..drives).map(|n| scratch.path().join(format!("drive{n}"))).collect();
        let pool = PoolSettings::new("main", DriveClass::Ssd, profile, drives);
        let settings = Settings::small(scratch.path().join("index"), vec![pool]);
        Self { scratch, settings }
    }

    /// One that has a master key.
    pub fn encrypting() -> Self {
        let mut node = Self::new(profile(3, 1));
        node.settings.master_key = Some(MasterSecret([9; 32]));
        node
    }

    pub fn index(&self) -> PathBuf {
        self.settings.index.clone()
    }

    pub fn drive(&self, number: usize) -> PathBuf {
        self.settings.pools[0].drives[number].clone()
    }

    /// The store as a crash leaves it that loses the index as well.
    pub fn reopened_without_index(&self, store: Store) -> Store {
        close(&store);
        drop(store);
        std::fs::remove_dir_all(self.index()).unwrap();
        self.open()
    }

    pub fn open(&self) -> Store {
        Store::open(&self.settings).unwrap()
    }
}

/// Bytes that are a function of the seed, and don't compress.
pub fn body(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length);
    out
}

pub fn grant(action: Action, bucket: &str, key: &str) -> Grant {
    let resource = if key.is_empty() { Resource::Bucket(bucket) } else { Resource::Object { bucket, key } };
    authorise(&Actor::Root, action, resource).unwrap()
}

pub fn administer() -> Grant {
    authorise(&Actor::Root, Action::Administer, Resource::Node).unwrap()
}

pub fn silent() -> Progress {
    Arc::new(|_, _| true)
}

pub async fn create_bucket(store: &Store, bucket: &str) {
    store.create_bucket(&grant(Action::CreateBucket, bucket, ""), Vec::new()).await.unwrap();
}

pub async fn try_put(store: &Store, bucket: &str, key: &str, body: &[u8]) -> Result<Version> {
    let mut writer = store.writer(&grant(Action::PutObject, bucket, key), Some(body.len() as u64), None)?;
    for piece in body.chunks(100_000) {
        writer.write(Bytes::copy_from_slice(piece)).await?;
    }
    writer.commit(Attributes::default(), Precondition::None).await
}

pub async fn put(store: &Store, bucket: &str, key: &str, body: &[u8]) -> Version {
    try_put(store, bucket, key, body).await.unwrap()
}

pub async fn get(store: &Store, bucket: &str, key: &str) -> Result<Vec<u8>> {
    let object = store.get(&grant(Action::GetObject, bucket, key), None)?;
    let size = object.version.size;
    let mut reader = object.read(0..size);
    let mut out = Vec::new();
    while let Some(piece) = reader.next().await {
        out.extend_from_slice(&piece?);
    }
    Ok(out)
}

pub async fn delete(store: &Store, bucket: &str, key: &str) {
    store.delete(&grant(Action::DeleteObject, bucket, key), Precondition::None).await.unwrap();
}

pub fn close(store: &Store) {
    tokio::task::block_in_place(|| store.close());
}
