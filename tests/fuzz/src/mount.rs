//! What a mount sends to its node.

use packstone_posix::protocol::{Asked, Change, Maker, Request, VERSION, greeted};
use packstone_store::codec::Writer;

fn encoded(asked: &Asked<'_>) -> Vec<u8> {
    let mut out = Writer::default();
    asked.encode(&mut out);
    out.0
}

/// Any bytes are a request, which is encoded as it came, or an error.
pub fn question(input: &[u8]) {
    if let Ok(asked) = Asked::decode(input) {
        let again = encoded(&asked);
        assert_eq!(Asked::decode(&again).unwrap(), asked);
    }
    if let Ok(Request::Hello { version, .. }) = Request::decode(input) {
        assert_eq!(greeted(input), Some(version));
    }
}

pub fn questions() -> Vec<Vec<u8>> {
    let (parent, inode, handle, name) = (1, 2, 3, b"name".as_slice());
    let maker = Maker { mode: 0o644, uid: 1, gid: 2, device: 3 };
    let change = Change { mode: Some(0o600), mtime: Some(-1), ..Change::default() };
    [
        Request::Hello { version: VERSION, session: 7, user: b"alice", exclusive: false },
        Request::Lookup { parent, name },
        Request::Change { inode, handle: Some(handle), change },
        Request::List { inode, after: b"after", limit: 500 },
        Request::MakeDirectory { parent, name, maker },
        Request::Rename { parent, name, new_parent: 5, new_name: b"new", keep: true },
        Request::Link { parent, name, target: b"../there", maker },
        Request::HardLink { inode, parent, name },
        Request::Create { parent, name, maker, read: true, exclusive: false, empty: true, at_once: false },
        Request::Open { inode, read: true, write: true, empty: false },
        Request::Read { handle, offset: 1 << 40, length: 4096 },
        Request::Write { handle, offset: 0, data: b"data" },
        Request::Share,
        Request::ReadShared { handle, offset: 1 << 40, length: 4096 },
        Request::WriteShared { handle, offset: 0, length: 1 << 20 },
        Request::Space,
        Request::SyncDirectory { inode: 7 },
        Request::Watch { believed: 1000 },
        Request::SetExtended { inode, name, value: b"value", flags: 1 },
    ]
    .into_iter()
    .map(|request| encoded(&Asked { uid: 1001, request }))
    .collect()
}
