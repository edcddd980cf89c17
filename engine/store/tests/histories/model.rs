//! What a store should hold, said as plainly as can be.

use std::collections::BTreeMap;
use std::sync::Arc;

pub type Content = Arc<Vec<u8>>;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bucket {
    pub objects: BTreeMap<String, Content>,
    /// Parts by (key, upload).
    pub uploads: BTreeMap<(String, u128), BTreeMap<u16, Content>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    pub buckets: BTreeMap<String, Bucket>,
}

/// What an operation means.
#[derive(Clone, Debug)]
pub enum Effect {
    CreateBucket(String),
    DeleteBucket(String),
    Put { bucket: String, key: String, content: Content, absent: bool },
    Delete { bucket: String, key: String },
    OpenUpload { bucket: String, key: String, upload: u128 },
    Part { bucket: String, key: String, upload: u128, number: u16, content: Content },
    Complete { bucket: String, key: String, upload: u128, parts: Vec<u16> },
    Abort { bucket: String, key: String, upload: u128 },
}

impl Model {
    /// Carries an operation out; whether it is one that succeeds.
    pub fn apply(&mut self, effect: &Effect) -> bool {
        self.try_apply(effect).is_some()
    }

    fn try_apply(&mut self, effect: &Effect) -> Option<()> {
        match effect.clone() {
            Effect::CreateBucket(name) => {
                let free = !self.buckets.contains_key(&name);
                free.then(|| self.buckets.insert(name, Bucket::default())).map(drop)
            }
            Effect::DeleteBucket(name) => {
                let held = self.buckets.get(&name)?;
                (held.objects.is_empty() && held.uploads.is_empty()).then(|| self.buckets.remove(&name)).map(drop)
            }
            Effect::Put { bucket, key, content, absent } => {
                let held = self.buckets.get_mut(&bucket)?;
                (!absent || !held.objects.contains_key(&key)).then(|| held.objects.insert(key, content)).map(drop)
            }
            Effect::Delete { bucket, key } => {
                self.buckets.get_mut(&bucket)?.objects.remove(&key);
                Some(())
            }
            Effect::OpenUpload { bucket, key, upload } => {
                self.buckets.get_mut(&bucket)?.uploads.insert((key, upload), BTreeMap::new());
                Some(())
            }
            Effect::Part { bucket, key, upload, number, content } => {
                self.buckets.get_mut(&bucket)?.uploads.get_mut(&(key, upload))?.insert(number, content);
                Some(())
            }
            Effect::Complete { bucket, key, upload, parts } => {
                let held = self.buckets.get_mut(&bucket)?;
                let uploaded = held.uploads.get(&(key.clone(), upload))?;
                let named: Option<Vec<_>> = parts.iter().map(|number| uploaded.get(number)).collect();
                let whole: Vec<u8> = named?.into_iter().flat_map(|part| part.iter().copied()).collect();
                held.uploads.remove(&(key.clone(), upload));
                held.objects.insert(key, Arc::new(whole));
                Some(())
            }
            Effect::Abort { bucket, key, upload } => {
                self.buckets.get_mut(&bucket)?.uploads.remove(&(key, upload)).map(drop)
            }
        }
    }

    /// What this has that the other has not, or has otherwise; one line each.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut out = Vec::new();
        let names: std::collections::BTreeSet<_> = self.buckets.keys().chain(other.buckets.keys()).collect();
        for name in names {
            let (Some(a), Some(b)) = (self.buckets.get(name), other.buckets.get(name)) else {
                out.push(format!("bucket {name} is in one only"));
                continue;
            };
            let keys: std::collections::BTreeSet<_> = a.objects.keys().chain(b.objects.keys()).collect();
            for key in keys {
                let (x, y) = (a.objects.get(key), b.objects.get(key));
                if x != y {
                    out.push(format!("{name}/{key}: {:?} and {:?} bytes", x.map(|x| x.len()), y.map(|y| y.len())));
                }
            }
            if a.uploads != b.uploads {
                let brief = |bucket: &Bucket| {
                    let of = |(key, parts): (&(String, u128), &BTreeMap<u16, Content>)| {
                        (key.clone(), parts.iter().map(|(number, part)| (*number, part.len())).collect::<Vec<_>>())
                    };
                    bucket.uploads.iter().map(of).collect::<Vec<_>>()
                };
                out.push(format!("{name}: uploads {:?} and {:?}", brief(a), brief(b)));
            }
        }
        out
    }
}
