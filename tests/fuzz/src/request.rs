//! Readers of what clients send. An input is lines: a method, a host, a target, and headers, of which a target reads
//! those that it needs.

use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use packstone_s3::trial;

/// The next line, and the rest.
fn line(input: &[u8]) -> (String, &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (line, rest) = input.split_at(end);
    (String::from_utf8_lossy(line).into_owned(), rest.get(1..).unwrap_or_default())
}

/// Lines of `name: value`; those that HTTP doesn't allow are left out.
fn headers(mut input: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    while !input.is_empty() {
        let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
        let (field, rest) = input.split_at(end);
        input = rest.get(1..).unwrap_or_default();
        let Some(colon) = field.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = field.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

pub fn route(input: &[u8]) {
    let (method, rest) = line(input);
    let (host, rest) = line(rest);
    let (target, rest) = line(rest);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::PUT);
    trial::route(&method, &host, &format!("/{path}"), query, !rest.is_empty());
    trial::refusal(path);
}

pub fn routes() -> Vec<Vec<u8>> {
    let seeds = [
        "GET\nlocalhost\n",
        "GET\nlocalhost:9000\nbucket?list-type=2&prefix=a%2Fb",
        "GET\nlocalhost\nbucket/?location=",
        "POST\nbucket.s3.example:9000\n?delete",
        "PUT\nbucket.S3.example\ndir/key?partNumber=1&uploadId=abc",
        "PUT\nlocalhost\nbucket%2Fkey?versionId=null\ncopy",
        "GET\nlocalhost\nbucket/key%C3%A9+a?attributes",
        "PUT\nlocalhost\nbucket/key?acl",
        "DELETE\nlocalhost\nbucket/key?X-Amz-Signature=a&X-Amz-Expires=5",
    ];
    seeds.map(|seed| seed.as_bytes().to_vec()).to_vec()
}

pub fn signature(input: &[u8]) {
    let (query, rest) = line(input);
    trial::signature(&headers(rest), &query);
}

pub fn signatures() -> Vec<Vec<u8>> {
    let presigned = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=K%2F20260101%2Fus-east-1%2Fs3%2Faws4_request\
                     &X-Amz-Date=20260101T000000Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=0";
    let authorization = "authorization: AWS4-HMAC-SHA256 Credential=a/b/20260101/us-east-1/s3/aws4_request, \
                         SignedHeaders=host;x-amz-date;x-amz-acl, Signature=0";
    let seeds = [
        format!("{presigned}\n"),
        format!("{presigned}\nx-amz-meta-a: 1"),
        format!("\n{authorization}\nx-amz-date: 20260101T000000Z\nx-amz-acl: private"),
        format!("\n{authorization}\nx-amz-content-sha256: UNSIGNED-PAYLOAD\nx-amz-tagging: "),
        "AWSAccessKeyId=K&Signature=0\nauthorization: AWS K:0".to_owned(),
    ];
    seeds.map(String::into_bytes).to_vec()
}

/// A byte says whether the chunks are signed, another how large the pieces are that the body comes in.
pub fn chunks(input: &[u8]) {
    let [signed, step, body @ ..] = input else { return };
    trial::chunks(body, usize::from(*step), signed % 2 == 1);
}

pub fn bodies() -> Vec<Vec<u8>> {
    let large = [b"\x00\xff100001\r\n".as_slice(), &vec![b'x'; 0x10_0001], b"\r\n0\r\n\r\n"].concat();
    let signature = format!(";chunk-signature={}\r\n", "a".repeat(64));
    vec![
        b"\x00\x075\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n".to_vec(),
        format!("\x01\x405{signature}hello\r\n0{signature}\r\n").into_bytes(),
        format!("\x01\x40fffffff{signature}hello").into_bytes(),
        large,
    ]
}

/// A byte says how large the pieces are that the body comes in.
pub fn form(input: &[u8]) {
    let [step, body @ ..] = input else { return };
    trial::form(body, usize::from(*step));
}

pub fn forms() -> Vec<Vec<u8>> {
    let disposition = "--b0\r\nContent-Disposition: form-data; name=";
    let seeds = [
        format!(
            "\x07{disposition}\"key\"\r\n\r\nk\r\n{disposition}\"file\"; filename=\"C:\\a.txt\"\r\n\r\nx\r\n--b0--\r\n"
        ),
        format!("\x01preamble\r\n{disposition}a\r\n\r\n\r\n--b\r\n--b0 \r\n\r\n"),
        format!("\x40{disposition}\"a\\\"b\"\r\nContent-Type: text/plain\r\n\r\n\r\n--b0--"),
    ];
    seeds.map(String::into_bytes).to_vec()
}

/// The document in a line, then lines of fields.
pub fn policy(input: &[u8]) {
    let (document, fields) = line(input);
    trial::policy(document.as_bytes(), &String::from_utf8_lossy(fields));
}

pub fn policies() -> Vec<Vec<u8>> {
    let seeds = [
        "{\"expiration\": \"2030-01-01T00:00:00Z\", \"conditions\": [{\"bucket\": \"bucket\"}, [\"starts-with\", \"$key\", \"a\"], \
         [\"content-length-range\", 0, 10]]}\nkey=ab",
        "{\"expiration\": \"2030-01-01T00:00:00.000Z\", \"conditions\": [[\"eq\", \"$acl\", \"private\"]]}\nacl=private\nx-ignore-a=1",
        "{\"conditions\": [[[[]]]]}\n",
    ];
    seeds.map(|seed| seed.as_bytes().to_vec()).to_vec()
}

/// A size, how many parts, then the text.
pub fn range(input: &[u8]) {
    let Some((size, rest)) = input.split_first_chunk::<8>() else { return };
    trial::range(&String::from_utf8_lossy(rest), u64::from_le_bytes(*size));
    trial::tag(&String::from_utf8_lossy(rest));
    let Some((number, sizes)) = input.split_first_chunk::<4>() else { return };
    let sizes: Vec<u32> = sizes.as_chunks::<4>().0.iter().map(|size| u32::from_le_bytes(*size)).collect();
    trial::part(&sizes, i32::from_le_bytes(*number) % 16);
}

pub fn ranges() -> Vec<Vec<u8>> {
    let texts = ["bytes=0-9", "bytes=5-", "bytes=-3", "bytes=10-18446744073709551615", "bytes=0-0,2-3"];
    let tags = [format!("\"{}\"", "ab".repeat(16)), format!("{}-12", "AB".repeat(16))];
    let texts = texts.iter().map(ToString::to_string).chain(tags);
    texts.map(|text| [&10_u64.to_le_bytes(), text.as_bytes()].concat()).collect()
}

/// The content length, then headers.
pub fn announcement(input: &[u8]) {
    let (length, rest) = line(input);
    trial::announcement(&headers(rest), length.parse().ok());
}

pub fn announcements() -> Vec<Vec<u8>> {
    let seeds = [
        "5\nx-amz-checksum-crc32: y/Q5Jg==\ncontent-md5: XUFAKrxLKna5cZ2REBfFkg==\ncontent-type: text/plain",
        "50\nx-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\nx-amz-decoded-content-length: 05\n\
         x-amz-trailer: x-amz-checksum-sha256\ncontent-encoding: gzip, aws-chunked",
        "\nx-amz-sdk-checksum-algorithm: CRC32\ncache-control: no-cache\nexpires: Tue, 01 Jan 2030 00:00:00 GMT",
        "0\nx-amz-website-redirect-location: /elsewhere\nx-amz-checksum-sha1: 2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
    ];
    seeds.map(|seed| seed.as_bytes().to_vec()).to_vec()
}

pub fn token(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (header, claims) = input.split_at(end);
    trial::token(header, claims);
}

/// A header, and claims on the next line.
pub fn tokens() -> Vec<Vec<u8>> {
    let seeds = [
        r#"{"alg":"RS256","kid":"first"}
{"iss":"https://idp.example/realms/desk","sub":"alice","aud":"desk","iat":1,"exp":2}"#,
        r#"{"alg":"ES256","crit":["exp"]}
{"iss":"http://127.0.0.1:1/","sub":"a","aud":["other","desk"],"azp":"desk","amr":["pwd"],"email":"a@b","iat":1}"#,
        r#"{"alg":"none"}
{"iss":"","sub":"a","aud":"desk","iat":1,"https://aws.amazon.com/tags":{"principal_tags":{"desk":["fx"]}}}"#,
    ];
    seeds.map(|seed| seed.as_bytes().to_vec()).to_vec()
}
