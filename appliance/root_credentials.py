"""The root credentials: who root is on every face.

They come from PACKSTONE_ROOT_USER and PACKSTONE_ROOT_PASSWORD, or else from the file `root-credentials` of the data
directory, which is made at first start. Those that a rotation replaces may be accepted beside the new ones, so that
clients are moved to these one by one: both stand in the file, which is written at once.
"""

import os
from collections.abc import Mapping

from appliance.credentials import PASSWORD_VARIABLE, USER_VARIABLE, Credentials, Previous, from_environment
from appliance.errors import OperatorError
from appliance.root_file import RootFile


class RootCredentials:
    """The root credentials of one node: `current`, and whether they were `made` just now, to be shown once.

    Touched by the process that holds the directory's lock only; `rotate` and `retire` by one thread at a time.
    """

    def __init__(self, kept: RootFile, environment: Mapping[str, str] = os.environ) -> None:
        """Take the credentials from `environment`, from those that are kept, or make new ones and keep them.

        Raises ConfigurationError when the environment breaks the rules, and what `RootFile` raises.
        """
        self.made = False
        self._kept = kept
        self._environment = environment
        self._previous: Previous | None = None
        given = from_environment(environment)
        if given is not None:
            self.current = given
        elif kept.exists():
            self.current, self._previous = kept.read()
        else:
            self.current = Credentials.generate()
            self._kept.write(self.current, None)
            self.made = True

    @property
    def previous(self) -> Previous | None:
        """The credentials that are accepted beside the current ones, if there are any."""
        return self._previous if self._previous is not None and self._previous.is_accepted else None

    def rotate(
        self, wanted: Credentials | None = None, *, retire: bool = False, until: int | None = None
    ) -> Credentials:
        """Replace the kept credentials by `wanted` or by new random ones, and return them.

        The replaced ones are accepted until they are retired, `until` a time in seconds since 1970, or, with `retire`,
        no more. Raises OperatorError when the environment sets the credentials, since it would undo this at the next
        start; when earlier ones are accepted still; or when `wanted` has the access key of those that it replaces,
        which would have two secrets then.
        """
        if from_environment(self._environment) is not None:
            raise OperatorError(
                f"{USER_VARIABLE} and {PASSWORD_VARIABLE} set the root credentials: change them there, then restart"
            )
        credentials = wanted or Credentials.generate()
        previous = None if retire else Previous(self.current, until)
        if previous is not None:
            if self.previous is not None:
                raise OperatorError(
                    f"{self.previous.credentials.access_key} is accepted still: `packstone root retire` first, or "
                    "rotate with --retire, which refuses all but the new credentials"
                )
            if credentials.access_key == self.current.access_key:
                raise OperatorError(
                    "the access key stays, so the old secret key can't be accepted beside the new one: add --retire, "
                    "or choose another access key"
                )
        self._kept.write(credentials, previous)
        self.current, self._previous = credentials, previous
        return credentials

    def retire(self) -> Credentials:
        """Accept the replaced credentials no more, and return them. Raises OperatorError where there are none."""
        previous = self.previous
        if previous is None:
            raise OperatorError("no replaced root credentials are accepted: there is nothing to retire")
        self._kept.write(self.current, None)
        self._previous = None
        return previous.credentials
