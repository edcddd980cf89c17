use bytes::Bytes;
use packstone_store::object::ChecksumAlgorithm;

use super::{ASIDE, Digester, checksum, md5};
use crate::front::Settings;

#[test]
fn checksums_of_the_check_string() {
    let cases = [
        (ChecksumAlgorithm::Crc32, "cbf43926"),
        (ChecksumAlgorithm::Crc32c, "e3069283"),
        (ChecksumAlgorithm::Crc64Nvme, "ae8b14860a799888"),
        (ChecksumAlgorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        (ChecksumAlgorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
    ];
    for (algorithm, expected) in cases {
        let value = checksum(algorithm, b"123456789");
        let text: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, expected, "{algorithm:?}");
    }
}

#[test]
fn a_body_has_the_same_sums_here_and_aside() {
    let runtime = Settings::new("", "", "").runtime().unwrap();
    let body: Vec<u8> = (0..2 * ASIDE).map(|number| (number % 251) as u8).collect();
    let sums_of = |announced: u64| {
        runtime.block_on(async {
            let mut digester = Digester::new(announced, Some(ChecksumAlgorithm::Crc32c));
            for piece in body.chunks(7001) {
                digester.update(&Bytes::copy_from_slice(piece)).await.unwrap();
            }
            digester.finish().await.unwrap()
        })
    };
    let here = sums_of(0);
    assert_eq!(here, sums_of(2 * ASIDE));
    assert_eq!(here.md5, md5(&body));
    assert_eq!(here.checksum.unwrap().value, checksum(ChecksumAlgorithm::Crc32c, &body));
}

#[test]
fn an_abandoned_body_leaves_no_thread() {
    let runtime = Settings::new("", "", "").runtime().unwrap();
    runtime.block_on(async {
        let mut digester = Digester::new(ASIDE + 1, None);
        digester.update(&Bytes::from_static(b"begun")).await.unwrap();
        drop(digester);
    });
    // Waits for blocking threads: one that still read its queue would hold this up for ever.
    drop(runtime);
}
