"""How zuul-local ends: its exit codes, and the one error that a person can mend."""

SUCCESS = 0
FAILURE = 1
USAGE = 2
BUG = 3
INTERRUPTED = 130


class UserError(Exception):
    """Wrong use, wrong configuration, or a machine that lacks something.

    :param message: what was wrong, the value seen and what would be right.
    :param hint: the next thing to do, preferably a command to type; may be empty.
    """

    def __init__(self, message: str, hint: str = '') -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
