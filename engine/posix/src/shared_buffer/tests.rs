use std::os::unix::net::UnixStream;

use super::*;

#[test]
fn what_one_side_writes_the_other_reads() {
    let (one, other) = UnixStream::pair().unwrap();
    let (mut made, memory) = SharedBuffer::make().unwrap();
    hand_over(one.as_fd(), b"12345678", &memory).unwrap();
    let mut said = [0; 8];
    let taken = SharedBuffer::map(take_over(other.as_fd(), &mut said).unwrap().unwrap()).unwrap();
    assert_eq!(&said, b"12345678");
    made.fill(b"ticks");
    assert_eq!(taken.copy(5).unwrap(), b"ticks");
    drop(made);
    assert_eq!(taken.copy(5).unwrap(), b"ticks");
}

#[test]
fn nothing_goes_beyond_its_end() {
    let (mut buffer, _) = SharedBuffer::make().unwrap();
    let mut filling = Filling::new(&mut buffer);
    filling.put(&vec![1; SIZE - 3]);
    filling.put(&[2; 5]);
    filling.put(&[3; 5]);
    assert_eq!(filling.length, SIZE);
    assert_eq!(buffer.copy(SIZE).unwrap().split_off(SIZE - 4), [1, 2, 2, 2]);
    assert_eq!(buffer.copy(SIZE + 1), None);
}

#[test]
fn what_could_be_shortened_is_not_mapped() {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let unsealed = memfd_create(c"unsealed", flags).unwrap();
    ftruncate(&unsealed, SIZE as u64).unwrap();
    assert_eq!(SharedBuffer::map(&unsealed).unwrap_err().kind(), io::ErrorKind::InvalidData);
    let short = memfd_create(c"short", flags).unwrap();
    ftruncate(&short, SIZE as u64 - 1).unwrap();
    fcntl_add_seals(&short, SEALS).unwrap();
    assert_eq!(SharedBuffer::map(&short).unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn an_answer_without_memory_hands_nothing_over() {
    let (mut one, other) = UnixStream::pair().unwrap();
    io::Write::write_all(&mut one, b"12345678").unwrap();
    assert!(take_over(other.as_fd(), &mut [0; 8]).unwrap().is_none());
    drop(one);
    assert!(take_over(other.as_fd(), &mut [0; 8]).is_err());
}
