use hyper::Method;

use super::{Target, Verb, verb};
use crate::front::query::Query;

#[test]
fn what_a_path_names() {
    let object = |bucket, key| Target::Object { bucket, key };
    for (path, expected) in [
        ("/", Target::Service),
        ("/bucket", Target::Bucket("bucket")),
        ("/bucket/", Target::Bucket("bucket")),
        ("/bucket/key", object("bucket", "key")),
        ("/bucket/dir/", object("bucket", "dir/")),
        ("/bucket//key", object("bucket", "/key")),
        ("/bucket%2Fkey", object("bucket", "key")),
        ("/bucket%2F", Target::Bucket("bucket")),
        ("/my%2Dbucket/key", object("my%2Dbucket", "key")),
    ] {
        assert_eq!(Target::parse(path, None), expected, "{path}");
    }
    assert_eq!(Target::parse("/", Some("bucket")), Target::Bucket("bucket"));
    assert_eq!(Target::parse("/a/b", Some("bucket")), object("bucket", "a/b"));
}

#[test]
fn verbs_are_numbered_as_they_are_listed() {
    for (number, verb) in Verb::ALL.iter().copied().enumerate() {
        assert_eq!(verb as usize, number);
    }
}

#[test]
fn verbs() {
    let of = |method: Method, target: &str, copies: bool| {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        verb(&method, Target::parse(path, None), &Query::parse(query), copies).map_err(|refusal| refusal.code)
    };
    for (method, target, expected) in [
        (Method::GET, "/", Verb::ListBuckets),
        (Method::GET, "/b", Verb::ListObjects),
        (Method::GET, "/b?prefix=acl", Verb::ListObjects),
        (Method::GET, "/b?list-type=2&prefix=a", Verb::ListObjectsV2),
        (Method::GET, "/b?location=", Verb::GetBucketLocation),
        (Method::POST, "/b?delete", Verb::DeleteObjects),
        (Method::GET, "/b/k?partNumber=1", Verb::GetObject),
        (Method::PUT, "/b/k?partNumber=1&uploadId=x", Verb::UploadPart),
        (Method::POST, "/b/k?uploads", Verb::CreateMultipartUpload),
        (Method::POST, "/b/k?uploadId=x", Verb::CompleteMultipartUpload),
        (Method::DELETE, "/b/k?uploadId=x", Verb::AbortMultipartUpload),
        (Method::DELETE, "/b/k?versionId=null", Verb::DeleteObject),
        (Method::GET, "/b?versions&prefix=a", Verb::ListObjectVersions),
        (Method::GET, "/b?versioning", Verb::GetBucketVersioning),
        (Method::DELETE, "/b?lifecycle", Verb::DeleteBucketLifecycle),
        (Method::GET, "/b?metrics", Verb::ListBucketMetricsConfigurations),
        (Method::GET, "/b?metrics&id=x", Verb::GetBucketMetricsConfiguration),
        (Method::PUT, "/b/k?retention&versionId=null", Verb::PutObjectRetention),
        (Method::DELETE, "/b/k?tagging", Verb::DeleteObjectTagging),
    ] {
        assert_eq!(of(method, target, false), Ok(expected), "{target}");
    }
    assert_eq!(of(Method::PUT, "/b/k", true), Ok(Verb::CopyObject));
    assert_eq!(of(Method::PUT, "/b/k?partNumber=1&uploadId=x", true), Ok(Verb::UploadPartCopy));
    for target in ["/b/k?partNumber=1", "/b/k?uploadId=x", "/b/k?versionId=null"] {
        assert_eq!(of(Method::PUT, target, false), Err("InvalidArgument"), "{target}");
    }
    assert_eq!(of(Method::GET, "/b?list-type=3", false), Err("InvalidArgument"));
    assert_eq!(of(Method::GET, "/b/k?attributes&uploadId=x", false), Err("NotImplemented"));
}

#[test]
fn a_sub_resource_without_a_verb_runs_no_other() {
    for (method, target) in [
        (Method::DELETE, "/b?versioning"),
        (Method::DELETE, "/b?object-lock"),
        (Method::DELETE, "/b?metadataConfiguration"),
        (Method::DELETE, "/b?cors&lifecycle"),
        (Method::PUT, "/b?versions"),
        (Method::POST, "/b?cors"),
        (Method::HEAD, "/b?cors"),
        (Method::DELETE, "/b/k?retention"),
        (Method::DELETE, "/b/k?legal-hold"),
        (Method::DELETE, "/b/k?cors"),
        (Method::PUT, "/b/k?tagging&retention"),
        (Method::GET, "/?versioning"),
    ] {
        let (path, query) = target.split_once('?').unwrap();
        let refused = verb(&method, Target::parse(path, None), &Query::parse(query), false);
        assert_eq!(refused.map_err(|refusal| refusal.code), Err("NotImplemented"), "{method} {target}");
    }
}

#[test]
fn what_puts_a_document_takes_one() {
    for verb in Verb::ALL {
        let puts = verb.name().starts_with("Put") && *verb != Verb::PutObject;
        assert_eq!(verb.takes_document(), puts || DOCUMENTS.contains(verb), "{}", verb.name());
    }
}

const DOCUMENTS: [Verb; 3] = [Verb::CreateBucket, Verb::DeleteObjects, Verb::CompleteMultipartUpload];
