"""`packstone seal`: turn what stands in the journal into segments now."""

from gateway.cli.options import DataOption, JsonOption


def seal(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Seal the open journals and streams of the node that serves DIR. Asks over DIR/control.sock."""
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line

    with ControlClient(data) as node:
        segments = node.seal()
    print_line(f'{{"segments": {segments}}}' if as_json else f"{segments} segments sealed")
