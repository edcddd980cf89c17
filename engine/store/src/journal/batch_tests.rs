use proptest::prelude::*;

use super::*;
use crate::journal::Target;

const KEY: FileKey = FileKey { file: 9, seed: 77 };

fn sample(data: &[Vec<u8>]) -> Batch {
    let entries: Vec<Entry> =
        (0..data.len().max(1)).map(|at| Entry::Grave { kills: vec![Target { file: at as u64, lsn: 7 }] }).collect();
    let at = Position {
        key: KEY,
        epoch: Epoch { number: 2, nonce: 5 },
        first_lsn: 100,
        data_offset: 4096,
        time: 1,
        previous: [3; 32],
    };
    Batch::build(at, &entries, data)
}

proptest! {
    #[test]
    fn a_batch_reads_back(data in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 0..6)) {
        let batch = sample(&data);
        prop_assert_eq!(batch.bytes.len() % BLOCK, 0);
        let header = BatchHeader::decode(&batch.bytes, KEY).unwrap();
        prop_assert_eq!(&header, &batch.header);
        let (meta, rest) = batch.bytes[HEADER..].split_at(header.meta_length as usize);
        prop_assert_eq!(header.entries(meta).unwrap().len(), header.entries as usize);
        header.check_data(&rest[..header.data_length as usize]).unwrap();
        prop_assert_eq!(chain_of(&header, &batch.bytes, meta), batch.chain);
        prop_assert!(BatchHeader::decode(&batch.bytes, FileKey::new(1, 10)).is_err(), "another file's batch");
        prop_assert!(BatchHeader::decode(&batch.bytes, FileKey { seed: 78, ..KEY }).is_err(), "another appliance's");
    }

    /// Whatever byte is changed, something notices.
    #[test]
    fn a_flipped_bit_is_found(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let batch = sample(&[vec![5; 1000], vec![6; 700]]);
        let used = (batch.header.data_start() + batch.header.data_length) as usize;
        let mut bytes = batch.bytes.clone();
        let at = at.index(used);
        bytes[at] ^= 1 << bit;
        let whole = BatchHeader::decode(&bytes, KEY).and_then(|header| {
            let (meta, rest) = bytes[HEADER..].split_at(header.meta_length as usize);
            header.entries(meta)?;
            header.check_data(&rest[..header.data_length as usize])
        });
        prop_assert!(whole.is_err());
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = BatchHeader::decode(&bytes, KEY);
        let _ = Entry::decode(&mut Reader(&bytes));
        let mut framed = Writer::default();
        framed.long(&bytes);
        let _ = Entry::decode(&mut Reader(&framed.0));
    }
}
