//! What must not reach s3s.

use crate::client::{Answer, Request, exchange, hex};
use crate::memory::server;

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.element("Code")), (status, code), "{}", answer.body);
    assert!(!answer.element("Message").is_empty());
    assert!(!answer.element("RequestId").is_empty());
}

#[test]
fn subresources_that_are_not_served() {
    let server = server();
    let address = server.front.address();
    for (method, target) in [
        ("GET", "/bucket?metadataTable"),
        ("PUT", "/bucket?website"),
        ("GET", "/bucket/key?torrent"),
        ("PUT", "/bucket/key?annotation"),
        ("PUT", "/bucket/key?%61nnotation"),
        ("GET", "/bucket/key?renameObject"),
        ("PUT", "/bucket/key?renameObject&tagging"),
        ("POST", "/bucket/key?restore"),
        ("POST", "/bucket/key?select&select-type=2"),
        ("GET", "/?session"),
        // Served elsewhere, and dangerous here: s3s would run the plain verb.
        ("DELETE", "/bucket?uploads"),
        ("DELETE", "/bucket?versioning"),
        ("DELETE", "/bucket?versions"),
        ("DELETE", "/bucket/key?uploads"),
        ("PUT", "/bucket?location"),
        ("PUT", "/bucket/key?uploads"),
        ("PUT", "/bucket/key?delete"),
        ("HEAD", "/bucket/key?attributes"),
    ] {
        let answer = Request::new(method, target).send(address);
        assert_eq!(answer.status, 501, "{method} {target}: {}", answer.body);
        if method != "HEAD" {
            refused(&answer, 501, "NotImplemented");
        }
    }
    assert_eq!(server.memory.len(), 0);
}

#[test]
fn methods_that_are_not_served() {
    let server = server();
    for (method, target) in [("POST", "/"), ("PATCH", "/bucket/key"), ("DELETE", "/"), ("POST", "/bucket/key")] {
        refused(&Request::new(method, target).send(server.front.address()), 501, "NotImplemented");
    }
}

#[test]
fn names_that_s3_does_not_know_are_ignored() {
    let server = server();
    let address = server.front.address();
    assert_eq!(Request::new("PUT", "/bucket/key?x-id=PutObject").body(b"x").send(address).status, 200);
    assert_eq!(Request::new("GET", "/bucket/key?colour=green&x-id=GetObject").send(address).body, "x");
}

#[test]
fn anonymous_requests() {
    let server = server();
    let address = server.front.address();
    // Who may do what is up to the verbs.
    refused(&Request::new("GET", "/bucket/key").send_anonymous(address), 404, "NoSuchKey");
    let chunked = Request::new("PUT", "/bucket/key").body(b"1\r\nx\r\n0\r\n\r\n");
    let chunked = chunked.unsigned("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    refused(&chunked.send_anonymous(address), 403, "AccessDenied");
    refused(&Request::new("OPTIONS", "/bucket/key").send_anonymous(address), 400, "BadRequest");
    let preflight = Request::new("OPTIONS", "/bucket/key").unsigned("origin", "a");
    let preflight = preflight.unsigned("access-control-request-method", "GET");
    refused(&preflight.send_anonymous(address), 403, "AccessForbidden");
    assert_eq!(server.memory.len(), 0);
}

#[test]
fn signatures_that_do_not_match() {
    let server = server();
    let wrong = Request { secret: "guessed", ..Request::new("GET", "/") };
    refused(&wrong.send(server.front.address()), 403, "SignatureDoesNotMatch");
    refused(&wrong.send_presigned(server.front.address(), "60"), 403, "SignatureDoesNotMatch");
}

#[test]
fn signatures_of_version_2() {
    let server = server();
    let address = server.front.address();
    let header = Request::new("GET", "/").unsigned("authorization", "AWS AKIDTEST:c2lnbmF0dXJl");
    refused(&header.send_anonymous(address), 400, "InvalidRequest");
    let query = Request::new("GET", "/b/k?AWSAccessKeyId=AKIDTEST&Expires=4000000000&Signature=c2ln");
    refused(&query.send_anonymous(address), 400, "InvalidRequest");
}

#[test]
fn scopes_of_elsewhere() {
    let server = server();
    let address = server.front.address();
    let sts = Request { service: "sts", ..Request::new("GET", "/") };
    refused(&sts.send(address), 400, "AuthorizationHeaderMalformed");
    let abroad = Request { region: "eu-west-1", ..Request::new("GET", "/") };
    let answer = abroad.send(address);
    refused(&answer, 400, "AuthorizationHeaderMalformed");
    // By these clients find the region that they should have named.
    assert_eq!(answer.element("Region"), "us-east-1");
    assert_eq!(answer.headers["x-amz-bucket-region"], "us-east-1");
    // How a client learns the region; this store doesn't serve it, but it is not the scope that is refused.
    let location = Request { region: "eu-west-1", ..Request::new("GET", "/bucket?location") };
    refused(&location.send(address), 501, "NotImplemented");
}

#[test]
fn a_presigned_request_lives_a_week_at_most() {
    let server = server();
    let address = server.front.address();
    let request = Request::new("GET", "/");
    assert_eq!(request.send_presigned(address, "604800").status, 200);
    refused(&request.send_presigned(address, "604801"), 400, "AuthorizationQueryParametersError");
    refused(&request.send_presigned(address, "-1"), 400, "AuthorizationQueryParametersError");
    refused(&request.send_presigned(address, "soon"), 400, "AuthorizationQueryParametersError");
    let partial = Request::new("GET", "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=60");
    refused(&partial.send_anonymous(address), 400, "AuthorizationQueryParametersError");
}

#[test]
fn headers_that_nobody_signed() {
    let server = server();
    let address = server.front.address();
    let put = Request::new("PUT", "/bucket/key").body(b"x");
    assert_eq!(put.clone().header("x-amz-meta-a", "b").send_presigned(address, "60").status, 200);
    refused(&put.clone().unsigned("x-amz-meta-a", "b").send_presigned(address, "60"), 403, "AccessDenied");
    refused(&put.clone().unsigned("x-amz-copy-source", "/b/secret").send_presigned(address, "60"), 403, "AccessDenied");
    refused(&put.unsigned("x-amz-meta-a", "b").send(address), 403, "AccessDenied");
}

#[test]
fn two_signatures_at_once() {
    let server = server();
    let doubled = Request::new("GET", "/").unsigned("authorization", "AWS4-HMAC-SHA256 Credential=a");
    refused(&doubled.send_presigned(server.front.address(), "60"), 400, "InvalidArgument");
}

#[test]
fn features_that_are_not_served() {
    let server = server();
    let address = server.front.address();
    for (name, value, status, code) in
        [("x-amz-mfa", "1 2", 501, "NotImplemented"), ("x-amz-storage-class", "OUTPOSTS", 400, "InvalidStorageClass")]
    {
        let request = Request::new("PUT", "/bucket/key").body(b"x").header(name, value);
        refused(&request.send(address), status, code);
    }
    assert_eq!(server.memory.len(), 0);
    for (name, value) in [("x-amz-acl", "private"), ("x-amz-storage-class", "STANDARD")] {
        assert_eq!(Request::new("PUT", "/bucket/key").body(b"x").header(name, value).send(address).status, 200);
    }
}

#[test]
fn forms() {
    let server = server();
    let form = Request::new("POST", "/bucket?delete")
        .body(b"--b\r\n\r\n--b--")
        .header("content-type", "Multipart/Form-Data; boundary=b");
    refused(&form.send(server.front.address()), 501, "NotImplemented");
}

#[test]
fn documents_that_are_not_what_was_signed() {
    let server = server();
    let address = server.front.address();
    let document = b"<Delete><Object><Key>a</Key></Object></Delete>";
    let request = Request::new("POST", "/bucket?delete").body(document);
    assert_eq!(request.send(address).status, 200);
    let wrong = Request { digest: Some(hex(&[7; 32])), ..request.clone() };
    refused(&wrong.send(address), 400, "XAmzContentSHA256Mismatch");
    refused(&request.body(b"<Delete><Obj").send(address), 400, "MalformedXML");
}

#[test]
fn a_body_without_a_length() {
    let server = server();
    let address = server.front.address();
    let mut request = Request::new("PUT", "/bucket/key").unsigned("transfer-encoding", "chunked");
    request.digest = Some("UNSIGNED-PAYLOAD".into());
    let bytes = format!("{}1\r\nx\r\n0\r\n\r\n", request.head(&address.to_string()));
    refused(&exchange(address, bytes.as_bytes()), 411, "MissingContentLength");
    assert_eq!(server.memory.len(), 0);
}
