"""A volume's batches on an existing Dask cluster.

The batch is the unit: a worker gets its sinograms and the job, reads the networks from its own
installation, and gives back what the local run would have saved. Slices' random numbers depend on the
job alone, so it does not matter who computes a batch, or how often. Workers need no common file system.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from resample_ct.errors import NetworkError, PriorError, ResampleCTError
from resample_ct.extras import needs_extra
from resample_ct.prior.latent import LatentPrior
from resample_ct.progress import Update
from resample_ct.reconstruct.base import Reconstructor
from resample_ct.run.inputs import Batch, Problem
from resample_ct.run.job import Job
from resample_ct.run.networks import Models, read_models
from resample_ct.run.outputs import BatchFiles, versions

Result = tuple[np.ndarray, list[dict[str, object]], np.ndarray | None]
Compute = Callable[[Job, Problem, Reconstructor, str, Batch, LatentPrior | None], Result]

_SECONDS_TO_CONNECT = 30
# For each worker thread: one at work, one on its way.
_AHEAD = 2


@dataclass(frozen=True)
class Terms:
    """What client and worker must agree on, because the bits of a result depend on it.

    Attributes:
        job: the options.
        models: name and hash of every network, by option.
        versions: of what computes.
        threads: of torch, which sums are split over.
    """

    job: Job
    models: dict[str, dict[str, str]]
    versions: dict[str, str]
    threads: int


def finish_batches(
    address: str,
    job: Job,
    problem: Problem,
    models: Models,
    files: BatchFiles,
    compute: Compute,
    progress: Update,
) -> None:
    """Compute every batch that `files` has not, and save it there.

    Args:
        address: of the scheduler, tcp://host:port.
        job: the options.
        problem: what to reconstruct; neither headers nor pixels of the study are sent.
        models: the client's networks; a worker whose own differ is refused.
        files: where finished batches go.
        compute: what the local run calls for a batch; importable by the workers.
        progress: called with slices done, slices in all, and the method at work.

    Raises:
        OptionError: dask.distributed is not installed.
        NetworkError: no scheduler or worker answers, or a batch took several workers down with it.
        PriorError: a worker's networks or versions are not the client's.
    """
    distributed = _distributed()
    missing = [
        (name, first, stop)
        for name in job.methods
        for first, stop in files.ranges
        if not files.path(name, first).exists()
    ]
    total = len(job.methods) * len(problem.indices)
    done = total - sum(stop - first for _, first, stop in missing)
    terms = Terms(job, models.record(), versions(), torch.get_num_threads())
    study = replace(problem.study, headers=(), load=None)
    bare = replace(problem, study=study, load=_refuse_to_load, load_truth=None)
    waiting = iter(missing)
    with _connected(distributed, address) as client:
        threads = sum(client.nthreads().values())

        def submit(name: str, first: int, stop: int) -> Any:
            batch = problem.load(problem.indices[first:stop])
            key = f"resample-ct-{name}-{first}-{id(files)}"
            return client.submit(on_worker, compute, terms, bare, name, batch, key=key, pure=False)

        running = {}
        queue = distributed.as_completed(loop=client.loop)
        for part in _first(waiting, _AHEAD * threads):
            running[future := submit(*part)] = part
            queue.add(future)
        for future in queue:
            name, first, stop = running.pop(future)
            files.save(name, first, *_result(distributed, address, future))
            done += stop - first
            progress(done, total, name)
            for part in _first(waiting, 1):
                running[following := submit(*part)] = part
                queue.add(following)


def on_worker(compute: Compute, terms: Terms, problem: Problem, name: str, batch: Batch) -> Result:
    """Compute one batch in the worker's process; see `finish_batches`.

    Raises PriorError where the worker's networks or versions are not the client's.
    """
    torch.set_num_threads(terms.threads)
    found = versions()
    for package, expected in terms.versions.items():
        if found[package] != expected:
            raise PriorError(
                f"--cluster: a worker has {package} {found[package]}, expected the client's {expected}; "
                "install the same on every machine"
            )
    models = _models(terms.job)
    record = models.record()
    for option, model in terms.models.items():
        if record[option] != model:
            raise PriorError(
                f"--cluster: a worker's --{option} is {record[option]['name']} with sha256 "
                f"{record[option]['sha256']}, expected the client's {model['name']} with "
                f"{model['sha256']}; copy the client's bundle to every worker, to the same path"
            )
    method = models.methods(replace(terms.job, methods=(name,)))[name]
    return compute(terms.job, problem, method, name, batch, models.prior)


@lru_cache(maxsize=1)
def _models(job: Job) -> Models:
    """A worker reads a job's networks once."""
    return read_models(job)


def _distributed() -> Any:
    with needs_extra("cluster"):
        import distributed
    return distributed


def _connected(distributed: Any, address: str) -> Any:
    """A client with at least one worker."""
    try:
        client = distributed.Client(address, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise NetworkError(
            f"--cluster {address}: no scheduler answers ({type(error).__name__}), expected a Dask "
            "scheduler as tcp://host:port; start one by `dask scheduler`"
        ) from None
    try:
        client.wait_for_workers(1, timeout=_SECONDS_TO_CONNECT)
    except TimeoutError:
        client.close()
        raise NetworkError(
            f"--cluster {address}: the scheduler has no worker, expected one or more; start them by "
            f"`dask worker {address} --nthreads 1`"
        ) from None
    return client


def _result(distributed: Any, address: str, future: Any) -> Result:
    try:
        result: Result = future.result()
    except ResampleCTError:
        raise
    except distributed.KilledWorker as error:
        raise NetworkError(
            f"--cluster {address}: a batch was lost with {error.allowed_failures + 1} workers, expected "
            "them to stay; look at their logs (out of memory?), then give --resume"
        ) from None
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        raise NetworkError(
            f"--cluster {address}: a worker failed with {type(error).__name__}: {reason}; put it right, "
            "then give --resume"
        ) from error
    return result


def _first(parts: Iterator[Any], count: int) -> Iterator[Any]:
    """The next `count` of what is left."""
    return (part for part, _ in zip(parts, range(count), strict=False))


def _refuse_to_load(some: Any) -> Batch:
    raise AssertionError("a worker is sent its batch")
