"""Telling whoever started the process, as systemd's sd_notify(3) does."""

import os
import socket
from collections.abc import Sequence


def notify(state: str, descriptors: Sequence[int] = ()) -> None:
    """Send `state`, such as `READY=1`, with open files for it to keep, to the socket NOTIFY_SOCKET names, if it does.

    Nobody has to listen there: what can't be sent is left.
    """
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.connect(address)
            socket.send_fds(sender, [state.encode()], list(descriptors))
        except OSError:
            return
