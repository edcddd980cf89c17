//! What a mount sends to its node.

use packstone_posix::protocol::{Change, Maker, Request, VERSION};
use packstone_store::codec::Writer;

fn encoded(request: &Request<'_>) -> Vec<u8> {
    let mut out = Writer::default();
    request.encode(&mut out);
    out.0
}

/// Any bytes are a request, which is encoded as it came, or an error.
pub fn question(input: &[u8]) {
    if let Ok(request) = Request::decode(input) {
        let again = encoded(&request);
        assert_eq!(Request::decode(&again).unwrap(), request);
    }
}

pub fn questions() -> Vec<Vec<u8>> {
    let (parent, inode, handle, name) = (1, 2, 3, b"name".as_slice());
    let maker = Maker { mode: 0o644, uid: 1, gid: 2, device: 3 };
    let change = Change { mode: Some(0o600), mtime: Some(-1), ..Change::default() };
    [
        Request::Hello { version: VERSION, session: 7 },
        Request::Lookup { parent, name },
        Request::Change { inode, change },
        Request::List { inode, after: b"after", limit: 500 },
        Request::MakeDirectory { parent, name, maker },
        Request::Rename { parent, name, new_parent: 5, new_name: b"new", keep: true },
        Request::Link { parent, name, target: b"../there", maker },
        Request::HardLink { inode, parent, name },
        Request::Create { parent, name, maker, exclusive: false, empty: true },
        Request::Open { inode, write: true, empty: false },
        Request::Read { handle, offset: 1 << 40, length: 4096 },
        Request::Write { handle, offset: 0, data: b"data" },
        Request::Space,
        Request::SetExtended { inode, name, value: b"value", flags: 1 },
    ]
    .iter()
    .map(encoded)
    .collect()
}
