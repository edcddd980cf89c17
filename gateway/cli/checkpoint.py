"""`packstone checkpoint`: store the state of the index in the pool now."""

from gateway.cli.options import DataOption


def checkpoint(data: DataOption = None) -> None:
    """Take a checkpoint of the index of the node that serves DIR. Asks over DIR/control.sock.

    The node takes one every `engine.checkpoint_period` by itself. A node that starts without its index makes it from
    the newest checkpoint and what came since.
    """
    from gateway.cli.control_client import ControlClient
    from gateway.cli.output import print_line

    with ControlClient(data) as node:
        node.checkpoint()
        checkpoints = node.status().checkpoints
    print_line(f"the index is stored as of LSN {checkpoints.lsn}")
