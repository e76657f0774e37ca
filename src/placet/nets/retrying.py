"""Retry policies in the JSON form of a net: `Retry`, and exceptions by name."""

import builtins
from typing import Final

import msgspec

from placet.nets.importing import Importer
from placet.petri.behaviour import RetryPolicy
from placet.petri.document import RetryDocument
from placet.petri.import_path import PathOf
from placet.supervision.retry import Retry

_DEFAULT: Final = RetryDocument()


def retry_from(document: RetryDocument, importer: Importer) -> Retry:
    """Return the policy of a document. Raises `LookupError` for an exception that is none, and `ValueError`."""
    return Retry(
        attempts=document.attempts,
        first_s=document.first_s,
        factor=document.factor,
        most_s=document.most_s,
        jitter=document.jitter,
        only=tuple(importer.exception(name) for name in document.only),
        never=tuple(importer.exception(name) for name in document.never),
    )


def retry_document(policy: RetryPolicy, path_of: PathOf) -> RetryDocument:
    """Return the document of a policy. Raises `LookupError` for any but `Retry`."""
    if type(policy) is not Retry:
        raise LookupError(f"it is a {type(policy).__name__}")
    times = {name: float(getattr(policy, name)) for name in ("first_s", "factor", "most_s", "jitter")}
    only = [_name(kind, path_of) for kind in policy.only]
    never = [_name(kind, path_of) for kind in policy.never]
    given = {"attempts": policy.attempts, **times, "only": only, "never": never}
    changed = {name: value for name, value in given.items() if value != getattr(_DEFAULT, name)}
    return msgspec.structs.replace(_DEFAULT, **changed)


def _name(kind: type[BaseException], path_of: PathOf) -> str:
    return kind.__name__ if getattr(builtins, kind.__name__, None) is kind else path_of(kind)
