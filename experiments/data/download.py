"""Download of MNIST from its public mirrors, by pooch."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from experiments.common import cache
from experiments.data import idx
from experiments.data.dataset import DataError

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

# Writes what is at a URL to a file; raises OSError where that fails.
Fetch = Callable[[str, Path], object]


def download(spec: idx.Spec, folder: Path, by_hand: str) -> np.ndarray:
    """Download one file into `folder`, with .gz after its name, and return its contents.

    The file gets its name only after it was checked. `by_hand` says in errors what the user can
    do instead.

    Raises DataError if pooch is missing, the folder cannot be written to, or no mirror has a
    good copy.
    """
    fetch = _fetcher(by_hand)
    try:
        with cache.replacing(folder / f"{spec.name}.gz") as temporary:
            return _first_good(spec, temporary, fetch, by_hand)
    except OSError as error:
        raise DataError(
            f"{folder}: expected a folder to download MNIST to, got: {error.strerror}; correct "
            "its permissions, name another cache in XDG_CACHE_HOME (an absolute path), or "
            f"{by_hand}"
        ) from error


def _fetcher(by_hand: str) -> Fetch:
    """Return pooch's function for the download. Raises DataError if pooch is missing."""
    try:
        import pooch
    except ImportError as error:
        raise DataError(
            "MNIST is not on this machine, and pooch, which downloads it, cannot be imported "
            f"({error}); install it with: pip install 'jaxnn[data]' "
            f"(in a checkout: pip install -e '.[data]'), or {by_hand}"
        ) from error
    http = pooch.HTTPDownloader(timeout=30)  # seconds without a byte
    return lambda url, path: http(url, str(path), None)


def _first_good(spec: idx.Spec, path: Path, fetch: Fetch, by_hand: str) -> np.ndarray:
    """Write the file to `path` from the first mirror with a good copy; return its contents."""
    failures = []
    for mirror in MIRRORS:
        try:
            fetch(f"{mirror}{spec.name}.gz", path)
            return idx.read(path, spec)
        except DataError:
            reason = "a damaged copy"
        except OSError as error:
            # Errors of the network are OSErrors too, whose text is a long trace of addresses.
            reason = error.strerror or type(error).__name__
        failures.append(f"{urlsplit(mirror).hostname}: {reason}")
    raise DataError(f"MNIST cannot be downloaded ({'; '.join(failures)}); {by_hand}")
