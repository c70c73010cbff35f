"""Errors that a user can act on: what was found, what is allowed, what to do next."""

from __future__ import annotations


class CompersionError(Exception):
    """An error with a hint: the message says what is wrong, the hint what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class BadInput(CompersionError):
    """A file or table that cannot be read as passages, or an output that cannot be written."""


class BadBundle(CompersionError):
    """A bundle that does not match its manifest, or a manifest that is not sound."""


class BadConfig(CompersionError):
    """A recipe, option or corpus record that breaks its schema; the message names the path."""


class BadScorer(CompersionError):
    """A scorer that breaks the scorer contract."""


class UnknownLabel(CompersionError, KeyError):
    """A label that the scheme, or this bundle, does not know."""

    __str__ = CompersionError.__str__  # KeyError would print the repr of its arguments


class MissingExtra(CompersionError):
    """An optional package that is not installed; the hint names the extra."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed.",
            f"Install it with: pip install 'compersion-nlp[{extra}]'",
        )
        self.args = (package, extra, purpose)  # what a copy is made from on its way out of a worker process


class Interrupted(CompersionError):
    """A job that was stopped and can be resumed."""
