"""Sizes, durations, addresses and profiles are read as people write them, and shown as they can be read again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.quantity import (
    Address,
    Profile,
    format_size,
    parse_address,
    parse_duration,
    parse_profile,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), (17, 17), ("128 MiB", 128 << 20), ("1.5KiB", 1536), ("2 GB", 2_000_000_000), ("1tib", 1 << 40)],
)
def test_size(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", -1, "1 parsec", "1.3 B", True, None, [], "1 MiB 2", "nan"])
def test_bad_size(text: object) -> None:
    with pytest.raises(ValueError, match=r"is not a size|is no whole number"):
        parse_size(text)


@given(st.integers(min_value=0, max_value=1 << 62))
def test_every_number_of_bytes_is_a_size(size: int) -> None:
    assert parse_size(size) == parse_size(str(size)) == parse_size(f"{size} B") == size


@given(st.integers(min_value=0, max_value=1 << 50))
def test_a_shown_size_is_within_a_twentieth(size: int) -> None:
    shown = format_size(size)
    number, unit = shown.split()
    assert float(number) <= 1024
    assert abs(float(number) * parse_size(f"1 {unit}" if unit != "PiB" else "1024 TiB") - size) <= size / 20


@pytest.mark.parametrize(
    ("text", "seconds"), [(10, 10.0), ("10 s", 10.0), ("250ms", 0.25), ("2 min", 120.0), ("1.5 h", 5400.0)]
)
def test_duration(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1 s", "1 MiB", True, None])
def test_bad_duration(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["127.0.0.1:9000", "[::1]:9000", "localhost:0", "[::]:65535", "node-1.example:80"])
def test_address_reads_as_written(text: str) -> None:
    assert str(parse_address(text)) == text


@pytest.mark.parametrize("text", ["", "9000", ":9000", "host", "host:", "host:65536", "::1:80", "host:-1", "h:٣", 9000])
def test_bad_address(text: object) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        parse_address(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("x.org", False),
    ],
)
def test_loopback(host: str, *, loopback: bool) -> None:
    assert Address(host, 80).is_loopback is loopback


def test_a_server_that_listens_everywhere_is_reached_on_loopback() -> None:
    assert str(Address("0.0.0.0", 80).reachable_host) == "127.0.0.1:80"
    assert str(Address("::", 80).reachable_host) == "[::1]:80"
    assert str(Address("10.0.0.1", 80).reachable_host) == "10.0.0.1:80"


@given(st.integers(1, 16), st.integers(0, 8))
def test_profile_reads_as_written(data: int, parity: int) -> None:
    assert parse_profile(f"{data}+{parity}") == Profile(data, parity)
    assert str(Profile(data, parity)) == f"{data}+{parity}"


@pytest.mark.parametrize("text", ["", "4", "0+1", "17+1", "4+9", "4-2", 42])
def test_bad_profile(text: object) -> None:
    with pytest.raises(ValueError, match="is not an erasure profile"):
        parse_profile(text)
