"""`packstone provider`: OpenID Connect issuers whose tokens open sessions of roles."""

import json
from typing import Annotated, Any, Final

import typer

from appliance.errors import OperatorError
from gateway.cli.options import DataOption, EndpointOption, JsonOption

app: Final = typer.Typer(help="List, make, show and remove identity providers.", no_args_is_help=True)

UrlArgument = Annotated[str, typer.Argument(metavar="URL", help="The issuer's URL, as its tokens name it.")]
ClientOption = Annotated[
    list[str] | None, typer.Option("--client", metavar="ID", help="An audience of its tokens; once for each.")
]


@app.command("ls")
def list_providers(data: DataOption = None, endpoint: EndpointOption = None, as_json: JsonOption = False) -> None:
    """List the identity providers."""
    from gateway.cli.output import print_line
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        arns = [each["Arn"] for each in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
    if as_json:
        print_line(json.dumps([{"url": _name(arn), "arn": arn} for arn in arns], indent=2))
        return
    for arn in arns:
        print_line(_name(arn))


@app.command("make")
def make_provider(
    url: UrlArgument, client: ClientOption = None, data: DataOption = None, endpoint: EndpointOption = None
) -> None:
    """Believe the tokens that URL signs for these clients, and print what trust policies call it."""
    from gateway.cli.output import print_line
    from gateway.cli.s3_session import iam_session

    if not client:
        raise OperatorError("no token would be taken: name the audience of its tokens with --client")
    with iam_session(data, endpoint) as iam:
        made = iam.create_open_id_connect_provider(Url=url, ClientIDList=client)
    print_line(made["OpenIDConnectProviderArn"])


@app.command("show")
def show_provider(url: UrlArgument, data: DataOption = None, endpoint: EndpointOption = None) -> None:
    """Print an identity provider as JSON."""
    from gateway.cli.output import print_line
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        arn = _arn(iam, url)
        told = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    shown = {"url": told["Url"], "arn": arn, "clients": told["ClientIDList"], "created": told["CreateDate"].isoformat()}
    print_line(json.dumps(shown, indent=2))


@app.command("client")
def change_clients(
    url: UrlArgument,
    add: Annotated[list[str] | None, typer.Option("--add", metavar="ID")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", metavar="ID")] = None,
    data: DataOption = None,
    endpoint: EndpointOption = None,
) -> None:
    """Add audiences and take others away."""
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        arn = _arn(iam, url)
        for client in add or []:
            iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID=client)
        for client in remove or []:
            iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID=client)


@app.command("rm")
def remove_provider(url: UrlArgument, data: DataOption = None, endpoint: EndpointOption = None) -> None:
    """Believe its tokens no more. Sessions that they opened go on until they end."""
    from gateway.cli.s3_session import iam_session

    with iam_session(data, endpoint) as iam:
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=_arn(iam, url))


def _name(text: str) -> str:
    return text.split(":oidc-provider/", 1)[-1].split("://", 1)[-1]


def _arn(iam: Any, url: str) -> str:
    arns = (each["Arn"] for each in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"])
    found = next((arn for arn in arns if _name(arn) == _name(url)), None)
    if found is None:
        raise OperatorError(f"there is no identity provider {url}")
    return str(found)
