"""The configuration's sources stand above each other as documented, and every mistake is one line that says where."""

import json
from pathlib import Path

import pytest

from appliance.configuration import EMBEDDED_POOL
from appliance.configuration_sources import FILE_NAME, keys, load
from appliance.errors import ConfigurationError
from appliance.quantity import Address, Profile

POOL = {"name": "main", "class": "ssd", "profile": "2+1", "drives": ["/mnt/a", "/mnt/b", "/mnt/c"]}


def write(data: Path, text: str) -> Path:
    file = data / FILE_NAME
    file.write_text(text, "utf-8")
    return file


def fault(data: Path, text: str = "") -> str:
    write(data, text)
    with pytest.raises(ConfigurationError) as caught:
        load(data)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 2
    return message


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    configuration = load(tmp_path)
    assert configuration.s3.address == Address("127.0.0.1", 9000)
    assert configuration.control.address == Address("127.0.0.1", 9001)
    assert configuration.is_embedded
    assert configuration.effective_pools == [EMBEDDED_POOL]
    assert configuration.path(EMBEDDED_POOL.drives[3]) == tmp_path / "drives/4"


def test_command_line_above_environment_above_file_above_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, '[s3]\naddress = "1.1.1.1:1"\nregion = "file"\nthreads = 3\n')
    monkeypatch.setenv("PACKSTONE_S3__ADDRESS", "2.2.2.2:2")
    monkeypatch.setenv("PACKSTONE_S3__REGION", "environment")
    s3 = load(tmp_path, command_line={"s3": {"address": "3.3.3.3:3"}}).s3
    assert (str(s3.address), s3.region, s3.threads, s3.header_timeout) == ("3.3.3.3:3", "environment", 3, 30.0)


def test_quantities_in_the_file(tmp_path: Path) -> None:
    write(tmp_path, '[engine]\njournal_size = "256 MiB"\nio_timeout = "250 ms"\ncache_size = 0\n')
    engine = load(tmp_path).engine
    assert (engine.journal_size, engine.io_timeout, engine.cache_size) == (256 << 20, 0.25, 0)


@pytest.mark.parametrize(("text", "seconds"), [("'7 d'", 604800), ("'never'", 0), ("0", 0), ("'90 min'", 5400)])
def test_the_age_of_an_abandoned_upload(tmp_path: Path, text: str, seconds: float) -> None:
    assert load(tmp_path).uploads.abandoned_after == 604800
    write(tmp_path, f"[uploads]\nabandoned_after = {text}\n")
    assert load(tmp_path).uploads.abandoned_after == seconds


def test_pools_come_from_the_file_or_as_json_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACKSTONE_POOLS", json.dumps([POOL]))
    from_environment = load(tmp_path).pools
    monkeypatch.delenv("PACKSTONE_POOLS")
    drives = json.dumps(POOL["drives"])
    write(tmp_path, f'[[pools]]\nname = "main"\nclass = "ssd"\nprofile = "2+1"\ndrives = {drives}\n')
    assert load(tmp_path).pools == from_environment
    assert from_environment[0].profile == Profile(2, 1)


def test_a_file_elsewhere_may_name_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, 'data = "/srv/packstone"\nindex = "fast/index"\n')
    configuration = load(file=file)
    assert configuration.path(configuration.index) == Path("/srv/packstone/fast/index")
    monkeypatch.setenv("PACKSTONE_DATA", "/srv/other")
    assert load(file=file).data == Path("/srv/other")
    assert load(Path("/srv/third"), file).data == Path("/srv/third")


def test_the_environment_leads_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, '[s3]\nregion = "here"\n')
    monkeypatch.setenv("PACKSTONE_DATA", str(tmp_path))
    assert load().s3.region == "here"


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ('[s3]\nadress = "x"', "s3.adress", "unknown key; did you mean s3.address?"),
        ("bogus = 1", "bogus", "unknown key"),
        ('[s3]\naddress = "x"', "s3.address", "'x' is not HOST:PORT"),
        ("[s3]\nthreads = -1", "s3.threads", "greater than or equal to 0"),
        ('[s3]\ntls_key = "k"', "s3", "must be set together"),
        ('[control]\naddress = "0.0.0.0:9001"', "control", "can be reached from other machines"),
        ('[engine]\njournal_size = "12 parsecs"', "engine.journal_size", "is not a size"),
        ("[engine]\nio_timeout = 0", "engine.io_timeout", "greater than 0"),
        ("[uploads]\nabandoned_after = 'often'", "uploads.abandoned_after", "is not a duration"),
        ("[uploads]\nabandoned_after = -1", "uploads.abandoned_after", "is not a duration"),
        ('[[pools]]\nname = "a"\nclass = "ssd"\nprofile = "1+0"', "pools[0].drives", "field required"),
        ('[[pools]]\nname="a"\nclass="ssd"\nprofile="2+1"\ndrives=["/a","/b"]', "pools[0]", "takes at least 3 drives"),
        ('[[pools]]\nname="a"\nclass="ssd"\nprofile="1+1"\ndrives=["/a","/a"]', "pools[0]", "a drive is named twice"),
        ('[[pools]]\nname="a"\nclass="tape"\nprofile="1+0"\ndrives=["/a"]', "pools[0].class", "'ssd' or 'hdd'"),
    ],
)
def test_a_mistake_in_the_file_names_file_key_and_reason(tmp_path: Path, text: str, key: str, reason: str) -> None:
    message = fault(tmp_path, text)
    assert message.startswith(f"{tmp_path / FILE_NAME}: {key}: ")
    assert reason in message


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("PACKSTONE_S3__ADRESS", "x", "unknown key; did you mean s3.address?"),
        ("PACKSTONE_S4__ADDRESS", "x", "unknown key"),
        ("PACKSTONE_S3__ADDRESS", "x", "'x' is not HOST:PORT"),
        ("PACKSTONE_POOLS", json.dumps([POOL | {"profile": "9"}]), "is not an erasure profile"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(variable, value)
    message = fault(tmp_path)
    assert message.startswith(variable)
    assert reason in message


def test_a_list_that_is_no_json_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKSTONE_POOLS", "/mnt/a,/mnt/b")
    assert "written as JSON" in fault(tmp_path)


def test_variables_of_others_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKSTONE_PORT", "tcp://10.0.0.1:9000")
    assert load(tmp_path).s3.address.port == 9000


def test_what_is_no_toml_is_told(tmp_path: Path) -> None:
    assert fault(tmp_path, "x =").startswith(f"{tmp_path / FILE_NAME}: not TOML")


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read: No such file"):
        load(tmp_path, tmp_path / "absent.toml")


def test_a_file_in_the_data_directory_names_no_other(tmp_path: Path) -> None:
    assert "can't name one" in fault(tmp_path, 'data = "/elsewhere"')


def test_two_pools_share_neither_name_nor_drive(tmp_path: Path) -> None:
    one = '[[pools]]\nname="a"\nclass="ssd"\nprofile="1+0"\ndrives=["/a"]\n'
    assert "one name" in fault(tmp_path, one + one.replace("/a", "/b"))
    assert "two pools" in fault(tmp_path, one + one.replace('name="a"', 'name="b"'))


def test_every_key_can_be_set_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no key takes is refused under each key's own variable, so each variable is read."""
    paths = ("tls_certificate", "tls_key", "access_log", "issuer_authorities", "directory")
    settable = [key for key in keys() if "." in key and not key.startswith("pools.") and not key.endswith(paths)]
    assert len(settable) > 15
    for key in settable:
        variable = "PACKSTONE_" + key.replace(".", "__").upper()
        with monkeypatch.context() as patch:
            patch.setenv(variable, {"s3.region": "", "s3.domains": "3", "nfs.versions": "3"}.get(key, "no such value"))
            with pytest.raises(ConfigurationError, match=variable):
                load(tmp_path)


def test_paths_can_be_set_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for section in ("S3", "CONTROL"):
        monkeypatch.setenv(f"PACKSTONE_{section}__TLS_CERTIFICATE", "chain.pem")
        monkeypatch.setenv(f"PACKSTONE_{section}__TLS_KEY", "key.pem")
    monkeypatch.setenv("PACKSTONE_S3__ACCESS_LOG", "/var/log/packstone")
    monkeypatch.setenv("PACKSTONE_CONTROL__ADDRESS", "0.0.0.0:9001")
    configuration = load(tmp_path)
    assert configuration.s3.tls_certificate == configuration.control.tls_certificate == Path("chain.pem")
    assert configuration.s3.tls_key == configuration.control.tls_key == Path("key.pem")
    assert configuration.s3.access_log == Path("/var/log/packstone")
