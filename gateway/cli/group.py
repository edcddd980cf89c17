"""`packstone group`: groups, and who is in them."""

import json
from typing import Annotated, Final

import typer

from appliance.errors import OperatorError
from gateway.cli.options import DataOption, EndpointOption, JsonOption

app: Final = typer.Typer(help="List, make, fill and remove groups.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="GROUP", help="The group's name.")]
UsersArgument = Annotated[list[str], typer.Argument(metavar="USER...", help="The users' names.")]


@app.command("ls")
def list_groups(data: DataOption = None, endpoint: EndpointOption = None, as_json: JsonOption = False) -> None:
    """List the groups and their members."""
    from gateway.cli.output import print_line, print_table, table
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        pages = iam.get_paginator("list_groups").paginate()
        names = [group["GroupName"] for page in pages for group in page["Groups"]]
        members = iam.get_paginator("get_group")
        groups = [
            (name, [user["UserName"] for page in members.paginate(GroupName=name) for user in page["Users"]])
            for name in names
        ]
    if as_json:
        print_line(json.dumps([{"name": name, "users": users} for name, users in groups], indent=2))
        return
    shown = table("", "Group", "Users")
    shown.title = None
    for name, users in groups:
        shown.add_row(name, ", ".join(users))
    print_table(shown)


@app.command("make")
def make_group(name: NameArgument, data: DataOption = None, endpoint: EndpointOption = None) -> None:
    """Make a group."""
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        iam.create_group(GroupName=name)


@app.command("add")
def add_users(
    name: NameArgument, users: UsersArgument, data: DataOption = None, endpoint: EndpointOption = None
) -> None:
    """Put users into a group."""
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        for user in users:
            iam.add_user_to_group(GroupName=name, UserName=user)


@app.command("remove")
def remove_users(
    name: NameArgument, users: UsersArgument, data: DataOption = None, endpoint: EndpointOption = None
) -> None:
    """Take users out of a group."""
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        for user in users:
            iam.remove_user_from_group(GroupName=name, UserName=user)


@app.command("rm")
def remove_group(name: NameArgument, data: DataOption = None, endpoint: EndpointOption = None) -> None:
    """Remove a group that has no members, with its inline policies; managed ones stay."""
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        # Asked first, so that a group which stays keeps its policies.
        if iam.get_group(GroupName=name)["Users"]:
            raise OperatorError(f"{name}: has members: take them out first, see packstone group remove --help")
        for held in iam.list_attached_group_policies(GroupName=name)["AttachedPolicies"]:
            iam.detach_group_policy(GroupName=name, PolicyArn=held["PolicyArn"])
        for policy in iam.list_group_policies(GroupName=name)["PolicyNames"]:
            iam.delete_group_policy(GroupName=name, PolicyName=policy)
        iam.delete_group(GroupName=name)
