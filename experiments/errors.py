"""The error that is the user's to fix."""


class UserError(Exception):
    """A mistake in the user's input, such as a missing file or an unknown name.

    Its message is one line that says what is wrong and what to do.

    Example:
        >>> raise UserError("unknown data set 'x': choose cg-digits")
        Traceback (most recent call last):
        ...
        experiments.errors.UserError: unknown data set 'x': choose cg-digits
    """


class NotApplicableError(UserError):
    """A training method that does not admit the data set or the model."""
