"""`packstone policy`: managed policies, to whom they are attached, and what decides a request."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from appliance.errors import OperatorError
from gateway.cli.options import DataOption, EndpointOption, JsonOption

if TYPE_CHECKING:
    from mypy_boto3_iam.client import IAMClient

app: Final = typer.Typer(help="List, make, attach, explain and remove policies.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="POLICY", help="The policy's name.")]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The policy's JSON.")]
UserOption = Annotated[str | None, typer.Option("--user", metavar="USER")]
GroupOption = Annotated[str | None, typer.Option("--group", metavar="GROUP")]
RoleOption = Annotated[str | None, typer.Option("--role", metavar="ROLE")]

PROVIDED: Final = "arn:aws:iam::aws:"
"""What the ARNs of policies begin with that come with the node."""
VERSIONS: Final = 5
"""The most versions that IAM keeps of a policy."""


@app.command("ls")
def list_policies(data: DataOption = None, endpoint: EndpointOption = None, as_json: JsonOption = False) -> None:
    """List the managed policies."""
    from gateway.cli.output import print_line, print_table, table
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        policies = _policies(iam)
    if as_json:
        told = [{"name": each["PolicyName"], "arn": each["Arn"], "used": each["AttachmentCount"]} for each in policies]
        print_line(json.dumps(told, indent=2))
        return
    shown = table("", "Policy", "Version", "Attached to", "Changed", numbers=("Attached to",))
    shown.title = None
    for each in policies:
        changed = f"{each['UpdateDate']:%Y-%m-%d %H:%M:%S}"
        shown.add_row(each["PolicyName"], each["DefaultVersionId"], str(each["AttachmentCount"]), changed)
    print_table(shown)


@app.command("make")
def make_policy(
    name: NameArgument, file: FileArgument, data: DataOption = None, endpoint: EndpointOption = None
) -> None:
    """Make a managed policy of the JSON in FILE."""
    from gateway.cli.s3_session import iam_session

    text = _read(file)
    with iam_session(data, endpoint) as iam:
        iam.create_policy(PolicyName=name, PolicyDocument=text)


@app.command("replace")
def replace_policy(
    name: NameArgument, file: FileArgument, data: DataOption = None, endpoint: EndpointOption = None
) -> None:
    """Put the JSON in FILE in force, for everybody to whom the policy is attached. Five versions are kept."""
    from gateway.cli.s3_session import iam_session

    text = _read(file)
    with iam_session(data, endpoint) as iam:
        arn = _arn(iam, name)
        versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        if len(versions) >= VERSIONS:
            spare = next(each for each in versions if not each["IsDefaultVersion"])
            iam.delete_policy_version(PolicyArn=arn, VersionId=spare["VersionId"])
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)


@app.command("show")
def show_policy(name: NameArgument, data: DataOption = None, endpoint: EndpointOption = None) -> None:
    """Print the JSON of a policy as it is in force."""
    from gateway.cli.output import print_line
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        arn = _arn(iam, name)
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    print_line(json.dumps(document, indent=2))


@app.command("attach")
def attach_policy(
    name: NameArgument,
    user: UserOption = None,
    group: GroupOption = None,
    role: RoleOption = None,
    data: DataOption = None,
    endpoint: EndpointOption = None,
) -> None:
    """Attach a policy to a user, a group or a role."""
    from gateway.cli.s3_session import iam_session

    holder = _holder(user, group, role)
    with iam_session(data, endpoint) as iam:
        calls = (iam.attach_user_policy, iam.attach_group_policy, iam.attach_role_policy)
        _call(holder, calls, _arn(iam, name))


@app.command("detach")
def detach_policy(
    name: NameArgument,
    user: UserOption = None,
    group: GroupOption = None,
    role: RoleOption = None,
    data: DataOption = None,
    endpoint: EndpointOption = None,
) -> None:
    """Take a policy from a user, a group or a role."""
    from gateway.cli.s3_session import iam_session

    holder = _holder(user, group, role)
    with iam_session(data, endpoint) as iam:
        calls = (iam.detach_user_policy, iam.detach_group_policy, iam.detach_role_policy)
        _call(holder, calls, _arn(iam, name))


@app.command("rm")
def remove_policy(name: NameArgument, data: DataOption = None, endpoint: EndpointOption = None) -> None:
    """Remove a policy that is attached to nobody."""
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        arn = _arn(iam, name)
        if iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"]:
            raise OperatorError(f"{name}: is attached: detach it first, see packstone policy attach --help")
        for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        iam.delete_policy(PolicyArn=arn)


@app.command("explain")
def explain(
    user: Annotated[str, typer.Argument(metavar="USER", help="A user's name, or `anonymous` for who doesn't sign.")],
    action: Annotated[str, typer.Argument(metavar="ACTION", help="As s3:GetObject.")],
    resource: Annotated[str, typer.Argument(metavar="RESOURCE", help="BUCKET, BUCKET/KEY, or an ARN.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether a user may do something on the node that serves DIR, and which statement decides it.

    Conditions on the request, such as its address, find no value: what depends on them is told as it is without them.
    """
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line

    with ControlClient(data) as node:
        answer = node.explain(user, action, resource)
    print_line(answer.model_dump_json(indent=2) if as_json else answer.decision)


def _policies(iam: "IAMClient") -> list[Any]:
    return [each for page in iam.get_paginator("list_policies").paginate() for each in page["Policies"]]


def _arn(iam: "IAMClient", name: str) -> str:
    """The ARN of a managed policy, which carries its path beside its name; one that was made here comes first."""
    named = [str(policy["Arn"]) for policy in _policies(iam) if policy["PolicyName"].lower() == name.lower()]
    if named:
        return min(named, key=lambda arn: arn.startswith(PROVIDED))
    raise OperatorError(f"{name}: there is no such policy")


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise OperatorError(f"{file}: is no text in UTF-8") from None
    except OSError as fault:
        raise OperatorError(f"{file}: can't be read: {fault.strerror}") from None


def _holder(user: str | None, group: str | None, role: str | None) -> tuple[int, str]:
    """Which of the three is named, and its name."""
    named = [(index, name) for index, name in enumerate((user, group, role)) if name is not None]
    if len(named) != 1:
        raise OperatorError("name one of --user, --group and --role")
    return named[0]


def _call(holder: tuple[int, str], calls: tuple[Callable[..., Any], ...], arn: str) -> None:
    index, name = holder
    field = ("UserName", "GroupName", "RoleName")[index]
    calls[index](**{field: name}, PolicyArn=arn)
