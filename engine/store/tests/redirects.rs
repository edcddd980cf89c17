//! Directories that are renamed at once, read and changed while their keys are still on their way, against a map.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use node::{Node, body, grant, profile};
use packstone_access::Action;
use packstone_store::drive::simulated::Generator;
use packstone_store::object::*;
use packstone_store::{Error, Result, Store};

const BUCKET: &str = "ticks";
type Model = BTreeMap<String, Vec<u8>>;

async fn redirect(store: &Store, from: &str, to: &str) -> Result<()> {
    store.redirect(&grant(Action::DeleteObject, BUCKET, from), &grant(Action::PutObject, BUCKET, to)).await
}

fn renamed(model: &mut Model, from: &str, to: &str) {
    let below: Vec<String> = model.keys().filter(|key| key.starts_with(from)).cloned().collect();
    model.remove(to);
    for key in below {
        let content = model.remove(&key).unwrap();
        model.insert([to, &key[from.len()..]].concat(), content);
    }
}

/// What a page of a listing should be.
fn page(model: &Model, query: &ListQuery) -> (Vec<String>, bool) {
    let mut entries = BTreeSet::new();
    for key in model.keys().filter(|key| key.starts_with(&query.prefix)) {
        let behind = &key[query.prefix.len()..];
        let at = if query.delimiter.is_empty() { None } else { behind.find(&query.delimiter) };
        let entry = at.map_or(key.as_str(), |at| &key[..query.prefix.len() + at + query.delimiter.len()]);
        let is_behind = match at {
            // A common prefix is passed over whole if it was listed.
            Some(_) => entry > query.after.as_str() && (!query.after.starts_with(entry) || **key > *query.after),
            None => entry > query.after.as_str(),
        };
        let is_within = at.is_some() && query.after.starts_with(entry) && query.after != entry && **key > *query.after;
        if is_behind || is_within {
            entries.insert(entry.to_owned());
        }
    }
    let truncated = entries.len() > query.limit;
    (entries.into_iter().take(query.limit).collect(), truncated)
}

fn listed(store: &Store, query: &ListQuery) -> (Vec<String>, bool) {
    let page = store.list(&grant(Action::ListBucket, BUCKET, ""), query).unwrap();
    let name = |entry| match entry {
        ListEntry::Object { key, .. } => key,
        ListEntry::Prefix(prefix) => prefix,
    };
    (page.entries.into_iter().map(name).collect(), page.truncated)
}

fn check_listings(store: &Store, model: &Model, generator: &mut Generator) {
    let whole = ListQuery { limit: 10_000, ..ListQuery::default() };
    assert_eq!(listed(store, &whole), page(model, &whole));
    let keys: Vec<&String> = model.keys().collect();
    let prefixes = ["", "a", "a/", "b/", "b/c/", "b/c/3/", "c", "d/", "z/", "b/c"];
    for _ in 0..30 {
        let cut = |key: &String, generator: &mut Generator| {
            let mut end = generator.below(key.len() as u64 + 1) as usize;
            while !key.is_char_boundary(end) {
                end -= 1;
            }
            key[..end].to_owned()
        };
        let some = keys[generator.below(keys.len() as u64) as usize];
        let after = match generator.below(3) {
            0 => String::new(),
            1 => some.clone(),
            _ => cut(some, generator),
        };
        let query = ListQuery {
            prefix: prefixes[generator.below(prefixes.len() as u64) as usize].to_owned(),
            delimiter: ["", "/"][generator.below(2) as usize].to_owned(),
            after,
            limit: [1, 3, 1000][generator.below(3) as usize],
        };
        assert_eq!(listed(store, &query), page(model, &query), "{query:?}");
    }
}

/// A key that is there, or one that isn't, below one of the paths.
fn key(model: &Model, generator: &mut Generator) -> String {
    if generator.happens(7000) && !model.is_empty() {
        return model.keys().nth(generator.below(model.len() as u64) as usize).unwrap().clone();
    }
    let path = ["a/", "b/c/", "d/", "z/", ""][generator.below(5) as usize];
    format!("{path}{}/{}", generator.below(5), generator.below(200))
}

async fn change(store: &Store, model: &mut Model, generator: &mut Generator, number: u64) {
    let key = key(model, generator);
    match generator.below(8) {
        0 | 1 => {
            let content = body(number, generator.below(3000) as usize);
            node::put(store, BUCKET, &key, &content).await;
            model.insert(key, content);
        }
        2 => {
            node::delete(store, BUCKET, &key).await;
            model.remove(&key);
        }
        3 => {
            let to = self::key(model, generator);
            let (source, destination) =
                (grant(Action::DeleteObject, BUCKET, &key), grant(Action::PutObject, BUCKET, &to));
            let outcome = store.rename(&source, &destination, RenameTerms::default()).await;
            match model.remove(&key) {
                Some(content) => {
                    outcome.unwrap();
                    model.insert(to, content);
                }
                None => assert!(matches!(outcome, Err(Error::NoSuchKey)), "{outcome:?}"),
            }
        }
        4 => {
            let tags = vec![("n".to_owned(), number.to_string())];
            let tagging = grant(Action::PutObjectTagging, BUCKET, &key);
            let outcome = store.amend(&tagging, None, AttributeChange::Tags(tags.clone()), None).await;
            assert_eq!(outcome.is_ok(), model.contains_key(&key), "{key}: {outcome:?}");
        }
        5 => {
            let may = grant(Action::PutObject, BUCKET, &key);
            store.settle(&may).await.unwrap();
            let offset = model.get(&key).map_or(0, |held| held.len() as u64);
            let more = body(number, 500);
            let (mut writer, _) = store.appender(&may, offset, Some(500), None, None).unwrap();
            writer.write(more.clone().into()).await.unwrap();
            writer.commit(Attributes::default(), Precondition::None).await.unwrap();
            model.entry(key).or_default().extend(more);
        }
        _ => match (node::get(store, BUCKET, &key).await, model.get(&key)) {
            (Ok(seen), Some(held)) => assert!(seen == *held, "{key}"),
            (Err(Error::NoSuchKey), None) => {}
            (seen, held) => panic!("{key}: {:?} and {:?}", seen.map(|seen| seen.len()), held.map(Vec::len)),
        },
    }
}

fn redirects(store: &Store) -> u64 {
    store.status(&node::administer()).unwrap().redirects
}

async fn filled(store: &Store) -> Model {
    let mut model = Model::new();
    node::create_bucket(store, BUCKET).await;
    for at in 0..700_u64 {
        let path = ["a/", "a/", "a/", "c/", "b"][at as usize % 5];
        let key = format!("{path}{}/{at}", at % 4);
        let content = if at == 3 { body(at, 3 << 20) } else { body(at, at as usize % 100) };
        node::put(store, BUCKET, &key, &content).await;
        model.insert(key, content);
    }
    model
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_has_moved_it_reads_and_changes_as_renamed() {
    for seed in 0..6 {
        let mut generator = Generator::new(seed);
        let mut node = Node::new(profile(2, 1));
        // What is left of the first slice moves when it is asked for.
        node.settings.background_share = 0.001;
        let mut store = node.open();
        let mut model = filled(&store).await;
        node::put(&store, BUCKET, "b/c/", b"").await;
        redirect(&store, "a/", "b/c/").await.unwrap();
        renamed(&mut model, "a/", "b/c/");
        check_listings(&store, &model, &mut generator);
        assert!(matches!(redirect(&store, "b/", "x/").await, Err(Error::Renaming)));
        assert!(matches!(redirect(&store, "c/", "a/3/").await, Err(Error::Renaming)));
        if seed % 2 == 0 {
            redirect(&store, "c/", "d/").await.unwrap();
            renamed(&mut model, "c/", "d/");
        }
        for number in 0..200 {
            change(&store, &mut model, &mut generator, number).await;
            if number % 40 == 0 {
                check_listings(&store, &model, &mut generator);
            }
        }
        node::close(&store);
        drop(store);
        if seed % 3 == 2 {
            std::fs::remove_dir_all(node.index()).unwrap();
        }
        assert!(seed > 2 || redirects(&node.open()) > 0, "all was moved already: nothing was tried");
        node.settings.background_share = 1.0;
        store = node.open();
        check_listings(&store, &model, &mut generator);
        let deadline = Instant::now() + Duration::from_secs(60);
        while redirects(&store) > 0 {
            assert!(Instant::now() < deadline, "the keys don't move");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        check_listings(&store, &model, &mut generator);
        for (key, content) in &model {
            assert!(node::get(&store, BUCKET, key).await.unwrap() == *content, "{key}");
        }
        redirect(&store, "b/", "x/").await.unwrap();
        node::close(&store);
    }
}
