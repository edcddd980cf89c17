//! The HTTP client against servers that answer byte for byte what a test says.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener},
    thread,
    time::Duration,
};

use packstone_load::connection::Connection;

/// Serves one connection: for every request (told by its blank line) the next answer, its pieces a moment apart.
fn serve(answers: Vec<Vec<&'static [u8]>>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        for pieces in answers {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte)?;
                request.extend_from_slice(&byte);
            }
            for piece in pieces {
                stream.write_all(piece)?;
                thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(())
    });
    Ok(address)
}

fn ask(connection: &mut Connection) -> io::Result<(u16, Vec<u8>)> {
    connection.send(b"GET / HTTP/1.1\r\n\r\n", b"")?;
    let head = connection.receive_head(false)?;
    let mut body = Vec::new();
    connection.receive_body(head, &mut |bytes| body.extend_from_slice(bytes))?;
    Ok((head.status, body))
}

#[test]
fn takes_answers_however_they_are_cut() {
    let address = serve(vec![
        vec![b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 10\r\n\r\n0123", b"456789"],
        vec![b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"],
        vec![
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nsto",
            b"ne\r\nA",
            b"\r\n0123456789\r",
            b"\n0\r\nchecksum: x\r\n\r\n",
        ],
        vec![b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"],
        vec![b"HTTP/1.0 200 OK\r\n\r\nuntil", b" the end"],
    ])
    .unwrap();
    let mut connection = Connection::new(address);
    assert_eq!(ask(&mut connection).unwrap(), (200, b"0123456789".to_vec()));
    assert_eq!(ask(&mut connection).unwrap(), (204, Vec::new()));
    assert_eq!(ask(&mut connection).unwrap(), (200, b"stone0123456789".to_vec()));
    assert_eq!(ask(&mut connection).unwrap(), (404, Vec::new()));
    assert_eq!(ask(&mut connection).unwrap(), (200, b"until the end".to_vec()));
}

#[test]
fn a_body_cut_short_is_an_error() {
    let address = serve(vec![vec![b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123"]]).unwrap();
    assert!(ask(&mut Connection::new(address)).is_err());
    let address =
        serve(vec![vec![b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nstone\r\n0\r\n\r\n"]]).unwrap();
    assert!(ask(&mut Connection::new(address)).is_err());
}
