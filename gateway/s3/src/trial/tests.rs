use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::checksum::{decode, encode, of_parts};
use crate::object::url::Spelling;
use packstone_store::object::{Checksum, ChecksumAlgorithm, ChecksumKind};

const NAMES: [&str; 16] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-trailer",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-content-sha256",
    "x-amz-decoded-content-length",
    "content-md5",
    "content-type",
    "content-encoding",
    "cache-control",
    "expires",
    "content-language",
    "x-amz-website-redirect-location",
];

fn headers() -> impl Strategy<Value = HeaderMap> {
    let base64 = select(vec![4usize, 8, 16, 20, 32])
        .prop_flat_map(|length| vec(any::<u8>(), length))
        .prop_map(|bytes| STANDARD.encode(bytes).into_bytes());
    let value = prop_oneof![
        4 => base64,
        2 => "[+-]?[0-9]{1,20}".prop_map(String::into_bytes),
        2 => "STREAMING-(UNSIGNED-PAYLOAD-TRAILER|AWS4-HMAC-SHA256-PAYLOAD)".prop_map(String::into_bytes),
        1 => "(aws-chunked|gzip|, ?){0,4}".prop_map(String::into_bytes),
        1 => "[Xx]-amz-checksum-(crc32c?|sha256|md5)".prop_map(String::into_bytes),
        1 => "(/|https?://)?[a-z]{0,9}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..40),
    ];
    vec((select(NAMES.to_vec()), value), 0..5).prop_map(|pairs| {
        let values = pairs.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_bytes(&value).ok()?)));
        values.map(|(name, value)| (HeaderName::from_static(name), value)).collect()
    })
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..12, any::<u64>(), Just(u64::MAX), Just(i64::MAX as u64)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn ranges_name_bytes(first in number(), last in number(), size in number(), form in "(bytes=|)\\+?F?-\\+?L?[ 0]?") {
        let text = form.replace('F', &first.to_string()).replace('L', &last.to_string());
        super::range(&text, size);
    }

    #[test]
    fn parts_lie_end_to_end(sizes in vec(any::<u32>(), 0..6), number in prop_oneof![-1i32..9, any::<i32>()]) {
        super::part(&sizes, number);
    }

    #[test]
    fn what_headers_announce(headers in headers(), length in proptest::option::of(prop_oneof![0i64..99, any::<i64>()])) {
        super::announcement(&headers, length);
    }

    #[test]
    fn tags_read_back(text in "\"?[0-9a-fA-F]{31,33}(-\\+?[0-9]{0,6})?\"?") {
        super::tag(&text);
    }

    #[test]
    fn keys_as_in_a_url(key in any::<String>()) {
        let written = Spelling::Url.write(key.clone());
        prop_assert!(written.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~*/%".contains(&byte)));
        prop_assert_eq!(percent_encoding::percent_decode_str(&written).decode_utf8().unwrap(), key.as_str());
        prop_assert_eq!(Spelling::Plain.write(key.clone()), key);
    }
}

proptest! {
    /// However an object was cut into parts, the CRC that their CRCs make is its own.
    #[test]
    fn crcs_of_parts(
        pieces in vec(vec(any::<u8>(), 0..300), 1..8),
        algorithm in select(vec![ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Crc32c, ChecksumAlgorithm::Crc64Nvme]),
    ) {
        let whole = crate::digest::checksum(algorithm, &pieces.concat());
        let of = |value| Checksum { algorithm, kind: ChecksumKind::FullObject, value };
        let sums: Vec<Checksum> = pieces.iter().map(|piece| of(crate::digest::checksum(algorithm, piece))).collect();
        let parts = pieces.iter().zip(&sums).map(|(piece, sum)| (piece.len() as u64, Some(sum)));
        let made = of_parts(algorithm, ChecksumKind::FullObject, parts).unwrap();
        prop_assert_eq!(&made.value, &whole);
        prop_assert_eq!(decode(algorithm, &encode(&made, u16::try_from(pieces.len()).unwrap())), Some(whole));
    }

    #[test]
    fn no_text_breaks_a_checksum(text in "[A-Za-z0-9+/=-]{0,50}") {
        for algorithm in [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Sha1, ChecksumAlgorithm::Sha256] {
            if let Some(value) = decode(algorithm, &text) {
                prop_assert!(text.starts_with(&STANDARD.encode(value)));
            }
        }
    }
}
