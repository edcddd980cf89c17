"""Web pages of other origins: preflights, and what any other answer tells a browser."""

from typing import TYPE_CHECKING, Final

import pytest
from botocore.exceptions import ClientError

from tests.signing import Answer, Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CORSRuleTypeDef

PAGE: Final = "https://page.example"
TOLD: Final = ("access-control-allow-origin", "access-control-allow-methods")


@pytest.fixture
def shared(s3: "S3Client", bucket: str) -> str:
    """A bucket with rules."""
    rules: list[CORSRuleTypeDef] = [
        {
            "AllowedOrigins": [PAGE, "https://*.page.example"],
            "AllowedMethods": ["GET", "PUT"],
            "AllowedHeaders": ["x-amz-*", "Content-Type"],
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 600,
        },
        {"AllowedOrigins": ["*"], "AllowedMethods": ["HEAD"]},
    ]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    return bucket


def preflight(raw: Raw, target: str, origin: str = PAGE, method: str = "PUT", names: str | None = None) -> Answer:
    headers = {"Origin": origin, "Access-Control-Request-Method": method}
    if names is not None:
        headers["Access-Control-Request-Headers"] = names
    return raw.plain("OPTIONS", target, headers)


def test_a_preflight_is_answered_without_a_signature(raw: Raw, shared: str) -> None:
    answer = preflight(raw, f"/{shared}/key?X-Amz-Signature=0", names="Content-Type, X-Amz-Date")
    assert (answer.status, answer.body) == (200, b"")
    told = {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}
    assert told == {
        "access-control-allow-origin": PAGE,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, PUT",
        "access-control-allow-headers": "content-type, x-amz-date",
        "access-control-expose-headers": "ETag",
        "access-control-max-age": "600",
    }
    assert answer.headers["vary"] == "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
    assert answer.headers["x-amz-request-id"]


@pytest.mark.parametrize(
    ("origin", "method", "names"),
    [
        ("https://other.example", "PUT", None),
        (PAGE, "DELETE", None),
        (PAGE, "PUT", "authorization"),
        ("https://page.example.evil", "GET", None),
    ],
)
def test_what_no_rule_allows(raw: Raw, shared: str, origin: str, method: str, names: str | None) -> None:
    answer = preflight(raw, f"/{shared}/key", origin, method, names)
    assert (answer.status, answer.code) == (403, "AccessForbidden")
    assert answer.element("Message").startswith("CORSResponse: This CORS request is not allowed.")
    assert (answer.element("Method"), answer.element("ResourceType")) == (method, "OBJECT")
    assert preflight(raw, f"/{shared}", origin, method, names).element("ResourceType") == "BUCKET"
    assert not [name for name in TOLD if name in answer.headers]


def test_a_preflight_has_an_origin_and_a_method(raw: Raw, shared: str) -> None:
    answer = raw.plain("OPTIONS", f"/{shared}/key")
    assert (answer.status, answer.code) == (400, "BadRequest")
    answer = raw.plain("OPTIONS", f"/{shared}/key", {"Origin": PAGE})
    assert answer.element("Message") == "Invalid Access-Control-Request-Method: null"


def test_buckets_without_rules(raw: Raw, s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"")
    answer = preflight(raw, f"/{bucket}/key")
    assert (answer.status, answer.code) == (403, "AccessForbidden")
    assert answer.element("Message") == "CORSResponse: CORS is not enabled for this bucket."
    assert preflight(raw, "/no-such-bucket/key").element("Message") == "CORSResponse: Bucket not found"
    answer = raw.send("GET", f"/{bucket}/key", {"Origin": PAGE})
    assert answer.status == 200
    assert "vary" not in answer.headers


def test_rules_hold_as_soon_as_they_are_put(raw: Raw, s3: "S3Client", shared: str) -> None:
    assert preflight(raw, f"/{shared}/key").status == 200
    s3.put_bucket_cors(
        Bucket=shared,
        CORSConfiguration={"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["DELETE"]}]},
    )
    assert preflight(raw, f"/{shared}/key").status == 403
    answer = preflight(raw, f"/{shared}/key", method="DELETE")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    s3.delete_bucket_cors(Bucket=shared)
    assert preflight(raw, f"/{shared}/key", method="DELETE").status == 403


def test_answers_say_who_may_read_them(raw: Raw, s3: "S3Client", shared: str) -> None:
    s3.put_object(Bucket=shared, Key="key", Body=b"text")
    answer = raw.send("GET", f"/{shared}/key", {"Origin": "https://sub.page.example"})
    assert (answer.status, answer.body) == (200, b"text")
    assert [answer.headers[name] for name in TOLD] == ["https://sub.page.example", "GET, PUT"]
    answer = raw.send("GET", f"/{shared}/key", {"Origin": "https://other.example"})
    assert (answer.status, answer.body) == (200, b"text")
    assert not [name for name in TOLD if name in answer.headers]
    assert answer.headers["vary"].startswith("Origin")
    answer = raw.send("HEAD", f"/{shared}/key", {"Origin": "https://other.example"})
    assert answer.headers["access-control-allow-origin"] == "*"


def test_errors_say_who_may_read_them(raw: Raw, shared: str) -> None:
    missing = raw.send("GET", f"/{shared}/missing", {"Origin": PAGE})
    anonymous = raw.plain("PUT", f"/{shared}/key", {"Origin": PAGE}, b"text")
    unserved = raw.send("GET", f"/{shared}/key?torrent", {"Origin": PAGE})
    for answer, status in ((missing, 404), (anonymous, 403), (unserved, 501)):
        assert answer.status == status
        assert [answer.headers[name] for name in TOLD] == [PAGE, "GET, PUT"]


def test_a_presigned_request_from_a_page(raw: Raw, s3: "S3Client", shared: str) -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": shared, "Key": "key"})
    target = url[url.index("/", len("http://")) :]
    assert preflight(raw, target).headers["access-control-allow-origin"] == PAGE
    answer = raw.plain("PUT", target, {"Origin": PAGE}, b"text")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, PAGE)


def test_many_names_of_headers_are_refused(raw: Raw, shared: str) -> None:
    answer = preflight(raw, f"/{shared}/key", names=",".join(["x-amz-a"] * 4000))
    assert (answer.status, answer.code) == (400, "RequestHeaderSectionTooLarge")


def test_a_bucket_named_by_the_host(raw: Raw, s3: "S3Client", shared: str) -> None:
    headers = {"Host": f"{shared}.s3.test", "Origin": PAGE, "Access-Control-Request-Method": "GET"}
    assert raw.plain("OPTIONS", "/key", headers).status == 200
    with pytest.raises(ClientError):
        s3.head_object(Bucket=shared, Key="key")
