"""ListObjects, both versions, against a model of a few lines."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.refusal import refused
from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET: Final = "listing"
# Characters that sort in a telling way in UTF-8: controls, the delimiter's neighbours, one to four bytes.
ALPHABET: Final = "\x01\x1f .-/0aAbz~\x7fé߿ࠀ\uffff𐀀+%&<"
Page = tuple[list[str], list[str], bool]


def made() -> list[str]:
    """Keys that meet every edge: nested, doubled and leading delimiters, prefixes of one another, the longest."""
    keys = {"a", "a/", "a/b", "a//b", "a//", "a/b/c", "a0", "a-", "b/1", "b/2", "b/3/4", "/", "//", "/a", "é/1", "é/2"}
    keys |= {
        "𐀀/x",
        "\uffff/x",
        "ࠀ",
        "\x01/\x01",
        "\x7f",
        "z" * 1024,
        "z" * 1023 + "/",
        "a b+c%&<>",
        "é" * 512,
        "a/é\u0301",
    }
    keys |= {f"many/{number:03}/{leaf}" for number in range(60) for leaf in ("x", "y")}
    return sorted(keys, key=str.encode)


def entries(keys: list[str], prefix: str, delimiter: str) -> Iterator[tuple[bytes, str, bool]]:
    """What a listing shows in order: (sort key, text, whether it is a common prefix)."""
    seen = set()
    for key in keys:
        if not key.startswith(prefix):
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        if at < 0:
            yield key.encode(), key, False
        elif (common := key[: at + len(delimiter)]) not in seen:
            seen.add(common)
            yield common.encode(), common, True


def expected(keys: list[str], prefix: str, delimiter: str, after: str) -> tuple[list[str], list[str]]:
    """All keys and all common prefixes after `after`; keys after it are rolled up even if it lies below the prefix."""
    start = after.encode()
    shown = []
    for text, entry, common in entries([key for key in keys if key.encode() > start], prefix, delimiter):
        if common and start == text:
            # The page before ended with this prefix: what is below it was shown with it.
            continue
        shown.append((entry, common))
    return [entry for entry, common in shown if not common], [entry for entry, common in shown if common]


@pytest.fixture(scope="module")
def keys(s3: "S3Client") -> list[str]:
    s3.create_bucket(Bucket=BUCKET)
    for key in made():
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    # What was deleted must not be seen, nor stop a page.
    for number in range(50):
        s3.put_object(Bucket=BUCKET, Key=f"many/0{number:02}/gone", Body=b"")
    for number in range(50):
        s3.delete_object(Bucket=BUCKET, Key=f"many/0{number:02}/gone")
    return made()


def page_of(answer: Any) -> Page:
    names = [entry["Key"] for entry in answer.get("Contents", [])]
    commons = [prefix["Prefix"] for prefix in answer.get("CommonPrefixes", [])]
    return names, commons, answer["IsTruncated"]


def walk_second(s3: "S3Client", prefix: str, delimiter: str, after: str, size: int) -> tuple[list[str], list[str]]:
    found: tuple[list[str], list[str]] = ([], [])
    more: dict[str, Any] = {}
    while True:
        answer: Any = s3.list_objects_v2(
            Bucket=BUCKET, Prefix=prefix, Delimiter=delimiter, StartAfter=after, MaxKeys=size, **more
        )
        names, commons, truncated = page_of(answer)
        assert answer["KeyCount"] == len(names) + len(commons) <= size
        found[0].extend(names)
        found[1].extend(commons)
        if not truncated:
            assert "NextContinuationToken" not in answer
            return found
        assert answer["KeyCount"] == size
        more = {"ContinuationToken": answer["NextContinuationToken"]}


def walk_first(s3: "S3Client", prefix: str, delimiter: str, after: str, size: int) -> tuple[list[str], list[str]]:
    found: tuple[list[str], list[str]] = ([], [])
    while True:
        answer = s3.list_objects(Bucket=BUCKET, Prefix=prefix, Delimiter=delimiter, Marker=after, MaxKeys=size)
        names, commons, truncated = page_of(answer)
        found[0].extend(names)
        found[1].extend(commons)
        if not truncated:
            return found
        assert ("NextMarker" in answer) == bool(delimiter)
        after = answer["NextMarker"] if delimiter else names[-1]


text = st.text(alphabet=ALPHABET, max_size=4)
fragments = st.one_of(
    text,
    st.sampled_from(made()),
    st.sampled_from(made()).flatmap(lambda key: st.integers(0, 6).map(lambda end: key[:end])),
)


@given(
    prefix=st.one_of(st.just(""), fragments),
    delimiter=st.one_of(st.just(""), st.just("/"), st.sampled_from(["//", "é", "a", "/b", "many/", " "])),
    after=st.one_of(st.just(""), fragments),
    size=st.integers(1, 250),
)
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
def test_both_versions_show_what_the_model_shows(
    s3: "S3Client", keys: list[str], prefix: str, delimiter: str, after: str, size: int
) -> None:
    size = max(size, len(keys) // 20)
    model = expected(keys, prefix, delimiter, after)
    assert walk_second(s3, prefix, delimiter, after, size) == model
    assert walk_first(s3, prefix, delimiter, after, size) == model


@pytest.mark.parametrize("delimiter", ["", "/"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_pages_of_every_size(s3: "S3Client", keys: list[str], delimiter: str, size: int) -> None:
    model = expected(keys, "", delimiter, "")
    assert walk_second(s3, "", delimiter, "", size) == model
    assert walk_first(s3, "", delimiter, "", size) == model


def test_no_keys_asked(s3: "S3Client", keys: list[str]) -> None:
    assert page_of(s3.list_objects_v2(Bucket=BUCKET, MaxKeys=0)) == ([], [], False)
    assert page_of(s3.list_objects(Bucket=BUCKET, MaxKeys=0)) == ([], [], False)


def test_url_encoding(raw: Raw, keys: list[str]) -> None:
    answer = raw.send("GET", f"/{BUCKET}?delimiter=%2F&encoding-type=url&prefix=a")
    assert answer.element("EncodingType") == "url"
    assert answer.element("Delimiter") == "/" or answer.element("Delimiter") == "%2F"
    spelled = answer.element("Key"), answer.body.decode()
    assert any(f"<Key>a{space}b%2Bc%25%26%3C%3E</Key>" in spelled[1] for space in ("+", "%20")), spelled
    assert raw.send("GET", f"/{BUCKET}?encoding-type=base64").code == "InvalidArgument"


def test_what_is_asked_is_told(s3: "S3Client", keys: list[str]) -> None:
    answer = s3.list_objects_v2(Bucket=BUCKET, Prefix="b/", Delimiter="/", StartAfter="b/1", MaxKeys=5, FetchOwner=True)
    assert (answer["Name"], answer["Prefix"], answer["Delimiter"], answer["StartAfter"]) == (BUCKET, "b/", "/", "b/1")
    assert answer["MaxKeys"] == 5
    assert all(entry["Owner"]["ID"] for entry in answer["Contents"])
    assert "Owner" not in s3.list_objects_v2(Bucket=BUCKET, MaxKeys=1)["Contents"][0]
    assert s3.list_objects_v2(Bucket=BUCKET, MaxKeys=5000)["MaxKeys"] == 1000


def test_bad_arguments(s3: "S3Client", raw: Raw, keys: list[str]) -> None:
    with refused("InvalidArgument", 400):
        s3.list_objects_v2(Bucket=BUCKET, ContinuationToken="made up")
    with refused("InvalidArgument", 400):
        s3.list_objects_v2(Bucket=BUCKET, MaxKeys=-1)
    for query in ("max-keys=many", "list-type=3", "list-type=2&max-keys=99999999999"):
        answer = raw.send("GET", f"/{BUCKET}?{query}")
        assert (answer.status, answer.code) == (400, "InvalidArgument"), query


def test_an_empty_delimiter_is_none(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a/b", Body=b"")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="a/b")["UploadId"]
    lists = (s3.list_objects, s3.list_objects_v2, s3.list_object_versions, s3.list_multipart_uploads)
    for ask in lists:
        answer: dict[str, Any] = dict(ask(Bucket=bucket, Delimiter=""))
        assert not {"Delimiter", "CommonPrefixes"} & answer.keys()
    s3.abort_multipart_upload(Bucket=bucket, Key="a/b", UploadId=upload)
