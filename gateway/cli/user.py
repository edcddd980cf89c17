"""`packstone user`: users, and whose files theirs are on a mount."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.options import DataOption, EndpointOption, JsonOption
from gateway.cli.quota import quota_app

if TYPE_CHECKING:
    from mypy_boto3_iam.client import IAMClient

app: Final = typer.Typer(help="List, make, show and remove users; limit what they store.", no_args_is_help=True)
app.add_typer(quota_app("user"), name="quota")

UID_TAG: Final = "packstone:uid"
GIDS_TAG: Final = "packstone:gids"

NameArgument = Annotated[str, typer.Argument(metavar="USER", help="The user's name.")]
UidOption = Annotated[int | None, typer.Option("--uid", min=0, max=2**32 - 1, help="The user's number on a mount.")]
GidOption = Annotated[
    list[int] | None,
    typer.Option("--gid", min=0, max=2**32 - 1, help="A group's number on a mount; give it for each."),
]


@app.command("ls")
def list_users(data: DataOption = None, endpoint: EndpointOption = None, as_json: JsonOption = False) -> None:
    """List the users."""
    from gateway.cli.output import print_line, print_table, table
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        pages = iam.get_paginator("list_users").paginate()
        users = [(user["UserName"], user["Path"], user["CreateDate"]) for page in pages for user in page["Users"]]
    if as_json:
        told = [{"name": name, "path": path, "created": created.isoformat()} for name, path, created in users]
        print_line(json.dumps(told, indent=2))
        return
    shown = table("", "User", "Path", "Created")
    shown.title = None
    for name, path, created in users:
        shown.add_row(name, path, f"{created:%Y-%m-%d %H:%M:%S}")
    print_table(shown)


@app.command("make")
def make_user(
    name: NameArgument,
    path: Annotated[str, typer.Option(help="Where the user stands, as /desk/fx/.")] = "/",
    uid: UidOption = None,
    gid: GidOption = None,
    data: DataOption = None,
    endpoint: EndpointOption = None,
) -> None:
    """Make a user, who may do nothing yet: `packstone key make` gives a key, `packstone policy attach` leave."""
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        iam.create_user(UserName=name, Path=path, Tags=[{"Key": key, "Value": value} for key, value in _ids(uid, gid)])


@app.command("show")
def show_user(
    name: NameArgument, data: DataOption = None, endpoint: EndpointOption = None, as_json: JsonOption = False
) -> None:
    """Show a user: groups, policies, keys, numbers on a mount."""
    from gateway.cli.output import print_line
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        document = _described(iam, name)
    if as_json:
        print_line(json.dumps(document, indent=2))
        return
    for key, value in document.items():
        print_line(f"{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}")


@app.command("ids")
def set_ids(
    name: NameArgument,
    uid: UidOption = None,
    gid: GidOption = None,
    data: DataOption = None,
    endpoint: EndpointOption = None,
) -> None:
    """Set the numbers that a user has on a mount; without options, take them away."""
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        ids = _ids(uid, gid)
        if ids:
            iam.tag_user(UserName=name, Tags=[{"Key": key, "Value": value} for key, value in ids])
        kept = {key for key, _ in ids}
        if gone := [key for key in (UID_TAG, GIDS_TAG) if key not in kept]:
            iam.untag_user(UserName=name, TagKeys=gone)


@app.command("rm")
def remove_user(name: NameArgument, data: DataOption = None, endpoint: EndpointOption = None) -> None:
    """Remove a user with its keys, its inline policies and its place in groups. Keys end first."""
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        for group in iam.list_groups_for_user(UserName=name)["Groups"]:
            iam.remove_user_from_group(UserName=name, GroupName=group["GroupName"])
        for held in iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]:
            iam.detach_user_policy(UserName=name, PolicyArn=held["PolicyArn"])
        for policy in iam.list_user_policies(UserName=name)["PolicyNames"]:
            iam.delete_user_policy(UserName=name, PolicyName=policy)
        iam.delete_user(UserName=name)


def _ids(uid: int | None, gids: list[int] | None) -> list[tuple[str, str]]:
    """The tags that carry a user's numbers."""
    told = [] if uid is None else [(UID_TAG, str(uid))]
    return told + ([(GIDS_TAG, " ".join(map(str, gids)))] if gids else [])


def _described(iam: "IAMClient", name: str) -> dict[str, Any]:
    user = iam.get_user(UserName=name)["User"]
    tags = {tag["Key"]: tag["Value"] for tag in user.get("Tags", [])}
    uid = tags.pop(UID_TAG, None)
    return {
        "name": user["UserName"],
        "arn": user["Arn"],
        "created": user["CreateDate"].isoformat(),
        "uid": None if uid is None else int(uid),
        "gids": [int(gid) for gid in tags.pop(GIDS_TAG, "").split()],
        "groups": [group["GroupName"] for group in iam.list_groups_for_user(UserName=name)["Groups"]],
        "policies": [
            policy["PolicyName"] for policy in iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]
        ],
        "inline policies": iam.list_user_policies(UserName=name)["PolicyNames"],
        "keys": [key["AccessKeyId"] for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]],
        "tags": [f"{key}={value}" for key, value in tags.items()],
    }
