"""S3 credentials from where other tools of AWS look for them, or from a file of the same form that is named."""

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.credentials import SharedCredentialProvider
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from appliance.errors import OperatorError

if TYPE_CHECKING:
    from fuse.connection import Credentials


def find_credentials(profile: str | None, file: Path | None) -> "Credentials":
    """Return those of a profile: of `file`, or of what the AWS_* variables and ~/.aws say. Raises OperatorError.

    Temporary ones are good until they expire: nothing renews them.
    """
    from fuse.connection import Credentials

    try:
        if file is not None:
            _expect_secret(file)
            found = SharedCredentialProvider(str(file), profile or "default").load()
        else:
            found = Session(profile=profile).get_credentials()
        if found is not None:
            frozen = found.get_frozen_credentials()
            return Credentials(frozen.access_key or "", frozen.secret_key or "", frozen.token)
    except BotoCoreError as fault:
        raise OperatorError(str(fault)) from None
    if file is not None:
        raise OperatorError(f"{file} has no credentials under [{profile or 'default'}]")
    raise OperatorError(
        "--endpoint takes S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file of them "
        "by --credentials"
    )


def _expect_secret(file: Path) -> None:
    try:
        mode = file.stat().st_mode
    except OSError as fault:
        raise OperatorError(f"{file}: {fault.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise OperatorError(f"{file} can be read by others than its owner: chmod 600 {file}")
