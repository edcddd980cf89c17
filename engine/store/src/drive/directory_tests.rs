//! Direct I/O and the page cache see one file.

use aligned_vec::{AVec, ConstAlign};

use super::*;

fn blocks(count: usize, byte: u8) -> AVec<u8, ConstAlign<BLOCK>> {
    let mut blocks = AVec::new(BLOCK);
    blocks.resize(count * BLOCK, byte);
    blocks
}

fn whole(file: &dyn DriveFile) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_is_written_past_the_cache_is_read_through_it() {
    let folder = tempfile::tempdir().unwrap();
    let drive = DirectoryDrive::open(folder.path()).unwrap();
    let file = drive.create("shard").unwrap();
    file.write_at(0, &blocks(1, 1)).unwrap();
    file.write_past_cache_at(BLOCK as u64, &blocks(3, 2)).unwrap();
    assert_eq!(whole(&*file), [vec![1; BLOCK], vec![2; 3 * BLOCK]].concat());
    // What the cache holds of it gives way.
    file.write_past_cache_at(2 * BLOCK as u64, &blocks(1, 3)).unwrap();
    file.write_at(3 * BLOCK as u64, &blocks(1, 4)).unwrap();
    let expected = [1_u8, 2, 3, 4].map(|byte| vec![byte; BLOCK]).concat();
    assert_eq!(whole(&*file), expected);
    file.sync().unwrap();
    assert_eq!(whole(&*drive.open("shard").unwrap()), expected);
}

#[test]
fn what_direct_io_does_not_take_is_written_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = DirectoryDrive::open(folder.path()).unwrap().create("shard").unwrap();
    let source = blocks(2, 7);
    file.write_past_cache_at(0, &source[1..]).unwrap();
    file.write_past_cache_at(1, &source[..BLOCK]).unwrap();
    file.write_past_cache_at(2 * BLOCK as u64 - 1, &source[..3]).unwrap();
    assert_eq!(whole(&*file), vec![7; 2 * BLOCK + 2]);
}
