#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;
use crate::crypto::suite::generate;

const BINDING: Binding = Binding { bucket: 3, key_id: 1, compression: 0, dictionary: 0 };

fn key() -> Arc<DataKey> {
    Arc::new(DataKey::new(&generate().unwrap()).unwrap())
}

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251) as u8).collect()
}

/// A body as it is stored when it comes in pieces of `cut` bytes.
fn stored(key: &Arc<DataKey>, plain: &[u8], cut: usize) -> Vec<u8> {
    let mut encryptor = Encryptor::new(Arc::clone(key), BINDING, &Nonces::default()).unwrap();
    let mut out = Vec::new();
    for piece in plain.chunks(cut) {
        out.extend(encryptor.push(piece).unwrap());
    }
    out.extend(encryptor.finish().unwrap());
    out
}

fn read(key: &Arc<DataKey>, stored: &[u8], range: Range<u64>, cut: usize) -> Result<Vec<u8>, Unfit> {
    let window = Window::of(stored.len() as u64, range).ok_or(Unfit)?;
    let mut decryptor = Decryptor::new(Arc::clone(key), BINDING, &window);
    let mut out = Vec::new();
    let wanted = &stored[usize::try_from(window.stored.start).unwrap()..usize::try_from(window.stored.end).unwrap()];
    for piece in wanted.chunks(cut) {
        out.extend(decryptor.push(piece)?);
    }
    Ok(out)
}

#[test]
fn lengths_follow_from_what_is_stored() {
    let key = key();
    for length in [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 17] {
        let plain = body(length);
        let stored = stored(&key, &plain, 5000);
        assert_eq!(plain_length(stored.len() as u64), length as u64);
        assert_eq!(decrypt(Arc::clone(&key), BINDING, &stored).unwrap(), plain);
        let whole = encrypt(&key, BINDING, &Nonces::default(), &plain).unwrap();
        assert_eq!(whole.len(), stored.len());
        assert_eq!(decrypt(Arc::clone(&key), BINDING, &whole).unwrap(), plain);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_range_is_read_in_any_cut(
        length in 1..4 * CHUNK, begin in 0.0..1.0, end in 0.0..1.0, written in 1..200_000_usize, taken in 1..200_000_usize,
    ) {
        let (plain, key) = (body(length), key());
        let stored = stored(&key, &plain, written);
        let place = |share: f64| (share * length as f64) as usize;
        let (start, end) = (place(begin).min(place(end)), place(begin).max(place(end)) + 1);
        let found = read(&key, &stored, start as u64..end as u64, taken).unwrap();
        prop_assert!(found == plain[start..end]);
    }
}

#[test]
fn what_was_changed_moved_or_cut_is_refused() {
    let (key, plain) = (key(), body(3 * CHUNK + 100));
    let whole = stored(&key, &plain, CHUNK);
    let all = 0..plain.len() as u64;
    assert_eq!(read(&key, &whole, all.clone(), 70_000).unwrap(), plain);
    for at in [0, 8, 11, 12, 5000, STORED - 1, STORED, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert_eq!(read(&key, &changed, all.clone(), 70_000), Err(Unfit), "{at}");
    }
    // Without its last chunk, the one before it is not the last.
    let cut = &whole[..3 * STORED];
    assert_eq!(read(&key, cut, 0..plain_length(cut.len() as u64), 70_000), Err(Unfit));
    let mut swapped = whole.clone();
    let (one, two) = swapped.split_at_mut(STORED);
    one.swap_with_slice(&mut two[..STORED]);
    assert_eq!(read(&key, &swapped, all.clone(), 70_000), Err(Unfit));
    // The same chunk of another piece under the same key.
    let other = stored(&key, &plain, CHUNK);
    let mixed = [&whole[..STORED], &other[STORED..]].concat();
    assert_eq!(read(&key, &mixed, all.clone(), 70_000), Err(Unfit));
    assert_eq!(read(&self::key(), &whole, all, 70_000), Err(Unfit));
}

#[test]
fn a_piece_is_bound_to_its_place() {
    let key = key();
    let whole = encrypt(&key, BINDING, &Nonces::default(), b"ticks").unwrap();
    assert_eq!(decrypt(Arc::clone(&key), BINDING, &whole).unwrap(), b"ticks");
    for other in [
        Binding { bucket: 4, ..BINDING },
        Binding { key_id: 2, ..BINDING },
        Binding { compression: 1, ..BINDING },
        Binding { dictionary: 1, ..BINDING },
    ] {
        assert_eq!(decrypt(Arc::clone(&key), other, &whole), Err(Unfit), "{other:?}");
    }
}

#[test]
fn what_is_no_piece_is_refused() {
    let key = key();
    for length in [0, 1, 27, 28, 29, 1000] {
        assert!(decrypt(Arc::clone(&key), BINDING, &vec![0; length]).is_err(), "{length}");
    }
}
