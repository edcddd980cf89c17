use proptest::prelude::*;

use super::*;

fn shards(profile: Profile, length: usize, seed: u8) -> Vec<Vec<u8>> {
    let data: Vec<Vec<u8>> = (0..profile.data)
        .map(|shard| (0..length).map(|at| (at as u8).wrapping_mul(31) ^ shard.wrapping_mul(97) ^ seed).collect())
        .collect();
    let mut parity = vec![vec![0; length]; usize::from(profile.parity)];
    let slices: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    Code::new(profile).unwrap().encode(&slices, &mut parity).unwrap();
    data.into_iter().chain(parity).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Any `parity` losses are made good, on any byte range, aligned or not.
    #[test]
    fn any_range_comes_back(data in 1u8..=16, parity in 1u8..=8, seed: u8, start in 0usize..300, length in 1usize..200) {
        let profile = Profile { data, parity };
        let whole = shards(profile, 512, seed);
        let mut range: Vec<Option<Vec<u8>>> = whole.iter().map(|shard| Some(shard[start..start + length].to_vec())).collect();
        for lost in 0..usize::from(parity) {
            range[(usize::from(seed) + lost * 3) % profile.shards()] = None;
        }
        Code::new(profile).unwrap().reconstruct(&mut range).unwrap();
        for (rebuilt, original) in range.iter().zip(&whole) {
            prop_assert_eq!(rebuilt.as_deref().unwrap(), &original[start..start + length]);
        }
    }
}

#[test]
fn one_loss_too_many_is_an_error_and_never_wrong_bytes() {
    let profile = Profile { data: 3, parity: 1 };
    let mut range: Vec<Option<Vec<u8>>> = shards(profile, 64, 1).into_iter().map(Some).collect();
    range[0] = None;
    range[2] = None;
    assert!(Code::new(profile).unwrap().reconstruct_data(&mut range).is_err());
}
