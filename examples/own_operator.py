"""Your own operator: anything with a forward and an adjoint, here a scipy LinearOperator.

    python examples/own_operator.py

ASTRA's OpTomo, ODL's and tomosipo's operators and deepinv's physics go the same way, without a wrapper.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator

import resample_ct as rct


def main(size: int = 64, share: float = 0.5) -> float:
    """Print and return the error of a slice of which each measured value is a sum of random pixels."""
    generator = np.random.default_rng(0)
    values = round(share * size**2)
    matrix = sparse.random(values, size**2, density=0.01, random_state=generator, format="csr")
    operator = rct.operators.adapt(
        aslinearoperator(matrix.astype(np.float32)),
        domain_shape=(size, size),
        range_shape=(1, values),
    )
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    truth = np.where(x**2 + y**2 < 0.5, 40.0, -1000.0).astype(np.float32)
    scan = rct.simulate(truth, operator, noise="gaussian:0.001", seed=0)
    hu = rct.reconstruct(scan, rct.methods.TV(iterations=200)).hu
    error = float(np.sqrt(np.mean((hu - truth) ** 2)))
    print(f"RMS error {error:.0f} HU from {values} values of {size**2} pixels")
    return error


if __name__ == "__main__":
    main()
